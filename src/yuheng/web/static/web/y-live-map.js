/**
 * <y-live-map data-site="1">: keeps the server-drawn plant map current. The page works without it; this patches classes
 * and texts of the SVG, never its structure. One stream, one patch loop, no work for tiles that did not change.
 */
import { listen, serverNow } from "./live.js";
import { age, duration, t, twoLines } from "./format.js";

const STALE_S = 5; // the whole map greys and says so
const LOST_S = 60; // nothing is known any more: every tile is "?"
const NO_DATA = 0;
const json = (id) => JSON.parse(document.getElementById(id).textContent);

class LiveMap extends HTMLElement {
  connectedCallback() {
    this.svg = this.querySelector("svg");
    this.looks = json("yh-looks"); // state -> {name, word, mark}
    this.causes = json("yh-causes"); // class -> cause -> name
    this.tiles = new Map();
    this.areas = new Map();
    for (const group of this.svg.querySelectorAll(".area")) {
      this.areas.set(group.dataset.area, { counts: group.querySelector(".area-counts"), tiles: [] });
    }
    for (const node of this.svg.querySelectorAll(".tile")) this.adopt(node);
    this.counted = 0;
    this.changed = new Set();
    this.needsPerson = false;
    this.paintTimer = 0;
    this.paintedAt = -1e6;
    this.order = [...this.tiles.values()];
    this.dataUs = Number(this.dataset.dataUs || 0);
    this.isLost = false;
    this.isStale = false;
    this.trouble = "";
    this.live = listen([`site:${this.dataset.site}`], (message) => this.take(message));
    this.live.onlink = (state) => { this.link = state; this.tick(); };
    addEventListener("yuheng:second", (this.onSecond = () => this.tick())); // with the clock: one frame, not two
    this.roving();
    this.zooming();
  }

  disconnectedCallback() {
    removeEventListener("yuheng:second", this.onSecond);
  }

  adopt(node) {
    const [code, what, more, since] = node.querySelectorAll("text");
    const tile = { node, code, what, more, since, width: node.querySelector("rect").width.baseVal.value, title: node.querySelector("title"), name: code.dataset.code, kind: node.dataset.class, area: node.dataset.area,
      state: Number(node.dataset.state), cause: node.dataset.cause, sinceUs: Number(node.dataset.since), shown: since.textContent,
      waits: node.classList.contains("is-waiting") };
    this.tiles.set(Number(node.dataset.unit), tile);
    this.areas.get(tile.area)?.tiles.push(tile);
  }

  take(message) {
    this.dataUs = message.data_us;
    this.trouble = message.trouble;
    for (const [id, state, cause, sinceUs] of message.units) {
      const tile = this.tiles.get(id);
      if (!tile || (tile.state === state && tile.cause === cause && tile.sinceUs === sinceUs)) continue;
      this.needsPerson ||= tile.state !== 2 || state !== 2;
      Object.assign(tile, { state, cause, sinceUs });
      this.changed.add(tile);
    }
    if (this.changed.size) this.paintSoon();
    if (this.isStale) this.showAge((serverNow() * 1000 - this.dataUs) / 1e6);
  }

  /**
   * A change after a pause is painted at once. In a stream of changes the next paint waits: each paints the whole map
   * anew, about 20 microseconds a tile, so half a millisecond of pause a tile keeps it below a tenth of a core.
   */
  paintSoon() {
    if (this.paintTimer) return;
    const waits = Math.min(1000, this.tiles.size / 2) - (performance.now() - this.paintedAt);
    if (waits <= 0) this.paintChanges();
    else this.paintTimer = setTimeout(() => this.paintChanges(), waits);
  }

  paintChanges() {
    clearTimeout(this.paintTimer);
    this.paintTimer = 0;
    this.paintedAt = performance.now();
    if (!this.isLost) for (const tile of this.changed) this.draw(tile);
    for (const area of new Set([...this.changed].map((tile) => tile.area))) this.count(this.areas.get(area));
    this.changed.clear();
    if (Date.now() - this.counted > 900) this.durations(serverNow() * 1000);
    this.tellOnline();
    this.dispatchEvent(new CustomEvent("yuheng:changed", { bubbles: true, detail: { needsPerson: this.needsPerson } }));
    this.needsPerson = false;
  }

  /** Draw one tile: class, mark, word or cause, duration. */
  draw(tile) {
    const state = this.isLost ? NO_DATA : tile.state;
    const look = this.looks[state] ?? this.looks[1];
    const cause = this.causes[tile.kind]?.[tile.cause] ?? tile.cause;
    const words = this.isLost ? look.word : cause || look.word;
    tile.waits = !this.isLost && this.waits(tile, look);
    const mark = tile.waits ? "●3" : look.mark;
    const [first, second] = twoLines(words, tile.width);
    tile.node.setAttribute("class", `tile is-${look.name}${tile.waits ? " is-waiting" : ""}${second ? " is-long" : ""}`);
    tile.code.textContent = mark ? `${tile.name} ${mark}` : tile.name;
    tile.what.textContent = first;
    if (tile.more.textContent !== second) tile.more.textContent = second;
    tile.title.textContent = [tile.title.dataset.name, look.word, this.isLost ? "" : cause].filter(Boolean).join(" · ");
    this.drawSince(tile, serverNow() * 1000);
  }

  /** Idle or in set-up for so long that somebody should look. Twin of UnitNow.waits. */
  waits(tile, look) {
    return look.waits_after_s !== null && tile.sinceUs > 0 && (serverNow() * 1000 - tile.sinceUs) / 1e6 >= look.waits_after_s;
  }

  drawSince(tile, nowUs) {
    const seconds = Math.max(0, (nowUs - tile.sinceUs) / 1e6);
    const text = tile.sinceUs && !this.isLost ? duration(seconds < 60 ? seconds - (seconds % 10) : seconds) : "";
    if (text === tile.shown) return;
    tile.shown = text;
    tile.since.textContent = text;
  }

  count(area) {
    if (!area) return;
    const producing = area.tiles.filter((tile) => tile.state === 2).length;
    const down = area.tiles.filter((tile) => tile.state === 5).length;
    const text = t("producing %(n)d/%(all)d", { n: producing, all: area.tiles.length });
    area.counts.textContent = down ? `${text} · ${t("down %(n)d", { n: down })}` : text;
  }

  tellOnline() {
    const all = this.tiles.size;
    const online = [...this.tiles.values()].filter((tile) => tile.state !== NO_DATA).length;
    for (const node of document.querySelectorAll("[data-live=online]")) node.textContent = `${online}/${all}`;
  }

  /** Once a second: how old is what we show? Durations wait for the next change, to be painted together with it. */
  tick() {
    const nowUs = serverNow() * 1000;
    const ageS = this.dataUs ? (nowUs - this.dataUs) / 1e6 : Infinity;
    this.showAge(ageS);
    if (Date.now() - this.counted > 1900) this.durations(nowUs);
  }

  /** Renew the durations of a tenth of the tiles: each within ten to twenty seconds. Painting the map is what costs. */
  durations(nowUs) {
    this.counted = Date.now();
    this.beat = ((this.beat ?? 0) + 1) % 10;
    for (let i = this.beat; i < this.order.length; i += 10) {
      const tile = this.order[i];
      this.drawSince(tile, nowUs);
      if (!this.isLost && this.waits(tile, this.looks[tile.state] ?? this.looks[1]) !== tile.waits) this.draw(tile);
    }
  }

  showAge(ageS) {
    const isLost = ageS > LOST_S;
    const isStale = ageS > STALE_S || this.link === "lost" || this.link === "signed_out";
    const text = Number.isFinite(ageS) ? age(ageS) : t("none");
    for (const node of document.querySelectorAll("[data-live=age]")) node.textContent = text;
    if (isStale !== this.isStale) {
      this.classList.toggle("is-stale", (this.isStale = isStale));
      document.documentElement.classList.toggle("has-old-data", isStale); // figures and lists are as old as the map
    }
    if (isLost !== this.isLost) {
      this.isLost = isLost;
      for (const tile of this.tiles.values()) this.draw(tile);
    }
    const warning = this.querySelector(".map-warning");
    const sentence = isStale ? this.why(text) : "";
    if (warning.textContent !== sentence) warning.textContent = sentence;
    warning.hidden = !isStale;
  }

  why(text) {
    if (this.link === "signed_out") return t("You are signed out: what you see is old. Sign in again.");
    if (this.link === "lost") return t("No connection to the server: what you see is %(age)s old.", { age: text });
    if (this.trouble === "no_broker") return t("The server has no connection to the broker: what you see is %(age)s old.", { age: text });
    if (this.trouble === "no_historian") return t("The historian does not answer: what you see is %(age)s old.", { age: text });
    return t("No new data from the plant: what you see is %(age)s old.", { age: text });
  }

  /** One tab stop for the map; the arrow keys go from tile to tile by place. */
  roving() {
    const links = [...this.svg.querySelectorAll("a.tile")];
    links.forEach((link, i) => link.setAttribute("tabindex", i ? "-1" : "0"));
    this.svg.addEventListener("keydown", (event) => {
      const direction = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[event.key];
      if (!direction) return;
      event.preventDefault();
      const next = nearest(document.activeElement, links, direction);
      if (!next) return;
      document.activeElement.setAttribute("tabindex", "-1");
      next.setAttribute("tabindex", "0");
      next.focus();
    });
  }

  /** Zoom with the buttons or Ctrl and wheel, pan by dragging; "whole plant" goes back. */
  zooming() {
    const full = this.svg.viewBox.baseVal;
    const home = [full.x, full.y, full.width, full.height];
    let box = [...home];
    const show = () => this.svg.setAttribute("viewBox", box.map((v) => v.toFixed(1)).join(" "));
    const zoom = (factor, fx = 0.5, fy = 0.5) => {
      const w = Math.min(home[2], Math.max(home[2] / 20, box[2] * factor));
      const h = (w * home[3]) / home[2];
      box = [box[0] + (box[2] - w) * fx, box[1] + (box[3] - h) * fy, w, h];
      show();
    };
    this.querySelector("[data-zoom=in]")?.addEventListener("click", () => zoom(0.7));
    this.querySelector("[data-zoom=out]")?.addEventListener("click", () => zoom(1 / 0.7));
    this.querySelector("[data-zoom=all]")?.addEventListener("click", () => { box = [...home]; show(); });
    this.svg.addEventListener("wheel", (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      const r = this.svg.getBoundingClientRect();
      zoom(event.deltaY > 0 ? 1.15 : 1 / 1.15, (event.clientX - r.left) / r.width, (event.clientY - r.top) / r.height);
    }, { passive: false });
    let from = null;
    this.svg.addEventListener("pointerdown", (event) => { if (event.button === 0) from = { x: event.clientX, y: event.clientY, box: [...box], moved: false }; });
    addEventListener("pointermove", (event) => {
      if (!from || box[2] >= home[2]) return;
      const scale = box[2] / this.svg.getBoundingClientRect().width;
      from.moved ||= Math.hypot(event.clientX - from.x, event.clientY - from.y) > 4;
      if (from.moved) { box[0] = from.box[0] - (event.clientX - from.x) * scale; box[1] = from.box[1] - (event.clientY - from.y) * scale; show(); }
    });
    addEventListener("pointerup", () => { setTimeout(() => { from = null; }); });
    this.svg.addEventListener("click", (event) => { if (from?.moved) event.preventDefault(); }, true);
    this.svg.addEventListener("dragstart", (event) => event.preventDefault());
  }
}

function nearest(from, links, [dx, dy]) {
  const at = (link) => { const r = link.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; };
  const [x, y] = at(from);
  let best = null;
  let least = Infinity;
  for (const link of links) {
    const [lx, ly] = at(link);
    const along = (lx - x) * dx + (ly - y) * dy;
    const aside = Math.abs((lx - x) * dy) + Math.abs((ly - y) * dx);
    const cost = along + aside * 3;
    if (along > 1 && cost < least) [best, least] = [link, cost];
  }
  return best;
}

customElements.define("y-live-map", LiveMap);
