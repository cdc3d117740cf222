/**
 * <y-live-map data-site="1">: keeps the server-drawn plant map current. The page works without it; this patches classes
 * and texts of the SVG, never its structure. One stream, one patch loop, no work for tiles that did not change. Of a big
 * plant the faces are painted on a canvas (map-faces.js) and the SVG's own letters are not laid out.
 *
 *   map.showAt(units, atUs)   shows the board as it was: units = [[id, state, cause, since_us], …], the rest has no data
 *   map.showLive()            goes back to what the stream said meanwhile
 *   "yuheng:changed"          bubbles after each painting; detail: {needsPerson, counts: {state: n}}
 *
 * Whatever comes, live or replayed, goes through `apply`, and whatever is seen through `draw`.
 */
import { listen } from "./live.js";
import { atMs, shownNow } from "./moment.js";
import { age, duration, t, twoLines } from "./format.js";
import { Faces } from "./map-faces.js";
import { roving, zooming } from "./map-view.js";

const STALE_S = 5; // the whole map greys and says so
const LOST_S = 60; // nothing is known any more: every tile is "?"
const NO_DATA = 0;
const PRODUCING = 2;
const DOWN = 5;
const CANVAS_FROM = 400; // tiles; fewer are painted as SVG within 200 ms and a tenth of a core
const CANVAS_PAUSE_MS = 200; // between two paintings on the canvas in a stream of changes
const MARKS = ["", "■1", "▲2", "●3", "4"]; // of priorities
const MARKS_MS = 250;
const [ACTIVE, ACKED] = [2, 4]; // bits of an alarm's state
const ABSENT = [0, NO_DATA, "", 0];
const json = (id) => JSON.parse(document.getElementById(id).textContent);

class LiveMap extends HTMLElement {
  connectedCallback() {
    this.svg = this.querySelector("svg");
    this.looks = json("yh-looks"); // state -> {name, word, mark}
    this.causes = json("yh-causes"); // class -> cause -> name
    this.tiles = new Map(); // work unit id -> tile
    this.areas = new Map();
    for (const group of this.svg.querySelectorAll(".area")) {
      const counts = group.querySelector(".area-counts");
      this.areas.set(group.dataset.area, { counts, text: textOf(counts), tiles: [] });
    }
    for (const node of this.svg.querySelectorAll(".tile")) this.adopt(node);
    this.order = [...this.tiles.values()];
    this.known = new Map(); // work unit id -> what the stream last said
    this.alarms = new Map(); // alarm id -> [work unit id, priority]
    this.marks = new Map(); // work unit id -> [most urgent priority, how many]
    this.atUs = atMs() === null ? null : atMs() * 1000; // the moment that is replayed, null: now
    this.classList.toggle("is-replay", this.atUs !== null);
    this.counted = 0;
    this.changed = new Set();
    this.needsPerson = false;
    this.paintTimer = 0;
    this.paintedAt = -1e6;
    this.dataUs = Number(this.dataset.dataUs || 0);
    this.isLost = false;
    this.isStale = false;
    this.trouble = "";
    this.faces = this.wantsCanvas() ? Faces.over(this.svg, this.order, [...this.areas.values()]) : null;
    this.live = listen([`site:${this.dataset.site}`], (message) => this.take(message));
    if (this.hasAttribute("data-alarms")) listen([`alarms:${this.dataset.site}`], (message) => this.takeAlarms(message));
    this.live.onlink = (state) => { this.link = state; this.tick(); };
    addEventListener("yuheng:second", (this.onSecond = () => this.tick())); // with the clock: one frame, not two
    roving(this.svg);
    zooming(this.svg, this, () => this.faces?.moved());
  }

  disconnectedCallback() {
    removeEventListener("yuheng:second", this.onSecond);
    this.faces?.close();
  }

  /** data-faces="svg" or "canvas" decides; otherwise the size of the plant does. */
  wantsCanvas() {
    return this.dataset.faces ? this.dataset.faces === "canvas" : this.order.length >= CANVAS_FROM;
  }

  adopt(node) {
    const texts = [...node.querySelectorAll("text:not(.tile-made)")];
    const alarm = Number(/has-alarm-(\d)/.exec(node.getAttribute("class"))?.[1] ?? 0);
    const tile = { node, id: Number(node.dataset.unit), alarm, alarmCount: Number(texts[4].dataset.count), texts: texts.map(textOf), lines: texts.map((text) => Number(text.getAttribute("y"))),
      width: node.querySelector("rect").width.baseVal.value, title: node.querySelector("title"),
      name: texts[0].dataset.code, kind: node.dataset.class, area: this.areas.get(node.dataset.area),
      state: Number(node.dataset.state), cause: node.dataset.cause, sinceUs: Number(node.dataset.since),
      shown: node.getAttribute("class"), waits: node.classList.contains("is-waiting") };
    const made = node.querySelector(".tile-made");
    tile.made = { node: made, text: textOf(made), y: Number(made.getAttribute("y")), bar: node.querySelector(".tile-job").width.baseVal };
    this.tiles.set(Number(node.dataset.unit), tile);
    tile.area?.tiles.push(tile);
  }

  /** What a unit makes was written into its tile (jobs-on-map.js): a face on the canvas is painted anew. */
  madeChanged(id) {
    const tile = this.faces && this.tiles.get(Number(id));
    if (!tile) return;
    this.changed.add(tile);
    this.paintSoon();
  }

  // ---- what is shown ------------------------------------------------------------------------------------------------

  /** A message of the live stream: remembered always, shown unless the past is being looked at. */
  take(message) {
    this.dataUs = message.data_us;
    this.trouble = message.trouble;
    for (const unit of message.units) this.known.set(unit[0], unit);
    if (this.atUs === null) this.apply(message.units);
    if (this.isStale) this.showAge((shownNow() * 1000 - this.dataUs) / 1e6);
  }

  /** Alarms that head the list: each unit's tile shows the most urgent one and how many. */
  takeAlarms(message) {
    const touched = new Set();
    const forget = (id) => {
      const old = this.alarms.get(id);
      if (old) touched.add(old[0]);
      this.alarms.delete(id);
    };
    if (message.kind === "snapshot") {
      this.alarms.clear();
      for (const tile of this.order) if (tile.alarm) touched.add(tile.id);
    }
    for (const id of message.gone) forget(id);
    for (const [id, unit, , priority, bits] of message.alarms) {
      forget(id);
      if (!(bits & ACTIVE) && (priority > 2 || bits & ACKED)) continue; // returned: no news on the map
      this.alarms.set(id, [unit, priority]);
      touched.add(unit);
    }
    if (!touched.size) return;
    this.marks = new Map();
    for (const [unit, priority] of this.alarms.values()) {
      const mark = this.marks.get(unit);
      this.marks.set(unit, mark ? [Math.min(mark[0], priority), mark[1] + 1] : [priority, 1]);
    }
    if (this.atUs === null) this.applyMarks(this.marks, touched);
  }

  /** The one place where alarms become marks of tiles. */
  applyMarks(marks, units) {
    for (const id of units) {
      const tile = this.tiles.get(id);
      const [priority, count] = marks.get(id) ?? [0, 0];
      if (!tile || (tile.alarm === priority && tile.alarmCount === count)) continue;
      tile.alarm = priority;
      tile.alarmCount = count;
      this.needsPerson = true;
      this.changed.add(tile);
    }
    if (this.changed.size) this.paintSoon();
  }

  /** Ask for the alarms of the replayed moment; while it is dragged, at most every MARKS_MS. */
  askMarks() {
    if (!this.hasAttribute("data-alarms")) return;
    this.marksTimer ||= setTimeout(async () => {
      this.marksTimer = 0;
      const atUs = this.atUs;
      if (atUs === null) return;
      const answer = await fetch(`/alarms/marks?site_id=${this.dataset.site}&at_us=${Math.round(atUs)}`).catch(() => null);
      if (!answer?.ok || this.atUs === null) return;
      const { marks } = await answer.json();
      this.applyMarks(new Map(marks.map(([unit, priority, count]) => [unit, [priority, count]])), this.tiles.keys());
      if (this.atUs !== atUs) this.askMarks();
    }, MARKS_MS);
  }

  /** Show the whole board as it was at a moment: [[work unit id, state, cause, since_us], …]; who is not named has no data. */
  showAt(units, atUs) {
    this.atUs = atUs;
    this.classList.add("is-replay");
    this.showAge(0);
    const named = new Map(units.map((unit) => [unit[0], unit]));
    this.apply([...this.tiles.keys()].map((id) => named.get(id) ?? [id, ...ABSENT.slice(1)]));
    this.askMarks();
    this.renewDurations(this.order);
    this.paintChanges();
  }

  /** Back to now: what the stream said meanwhile. */
  showLive() {
    if (this.atUs === null) return;
    this.atUs = null;
    this.classList.remove("is-replay");
    this.apply([...this.tiles.keys()].map((id) => this.known.get(id) ?? [id, ...ABSENT.slice(1)]));
    this.applyMarks(this.marks, this.tiles.keys());
    this.tick();
    this.renewDurations(this.order);
    this.paintChanges();
  }

  /** The one place where a state of the board becomes the state of tiles. */
  apply(units) {
    for (const [id, state, cause, sinceUs] of units) {
      const tile = this.tiles.get(id);
      if (!tile || (tile.state === state && tile.cause === cause && tile.sinceUs === sinceUs)) continue;
      this.needsPerson ||= tile.state !== PRODUCING || state !== PRODUCING;
      tile.state = state;
      tile.cause = cause;
      tile.sinceUs = sinceUs;
      this.changed.add(tile);
    }
    if (this.changed.size) this.paintSoon();
  }

  /** The moment that the board shows, microseconds. */
  nowUs() {
    return this.atUs ?? shownNow() * 1000;
  }

  // ---- painting -----------------------------------------------------------------------------------------------------

  /**
   * A change after a pause is painted at once; in a stream of changes the next painting waits. An SVG is painted as a
   * whole, about 20 microseconds a tile, so half a millisecond of pause a tile keeps it below a tenth of a core.
   */
  paintSoon() {
    if (this.paintTimer) return;
    const pause = this.faces ? CANVAS_PAUSE_MS : Math.min(1000, this.tiles.size / 2);
    const waits = pause - (performance.now() - this.paintedAt);
    if (waits <= 0) this.paintChanges();
    else this.paintTimer = setTimeout(() => this.paintChanges(), waits);
  }

  paintChanges() {
    clearTimeout(this.paintTimer);
    this.paintTimer = 0;
    this.paintedAt = performance.now();
    if (!this.isLost) for (const tile of this.changed) this.draw(tile);
    const areas = new Set([...this.changed].map((tile) => tile.area));
    areas.delete(undefined);
    for (const area of areas) this.count(area);
    this.faces?.paint(this.changed, areas);
    this.changed.clear();
    if (Date.now() - this.counted > 900) this.durations();
    this.tellOnline();
    const detail = { needsPerson: this.needsPerson, counts: this.counts() };
    this.dispatchEvent(new CustomEvent("yuheng:changed", { bubbles: true, detail }));
    this.needsPerson = false;
  }

  /** Draw one tile: class, mark, word or cause, duration. Only what differs is written: each text laid out costs. */
  draw(tile) {
    const state = this.isLost ? NO_DATA : tile.state;
    const look = this.looks[state] ?? this.looks[1];
    const cause = this.causes[tile.kind]?.[tile.cause] ?? tile.cause;
    tile.waits = !this.isLost && this.waits(tile, look);
    const mark = tile.waits ? "●3" : look.mark;
    const [first, second] = twoLines(this.isLost ? look.word : cause || look.word, tile.width);
    const alarm = tile.alarm ? ` has-alarm-${tile.alarm}` : "";
    const shown = `tile is-${look.name}${tile.waits ? " is-waiting" : ""}${second ? " is-long" : ""}${alarm}`;
    if (shown !== tile.shown) tile.node.setAttribute("class", (tile.shown = shown));
    const [code, what, more] = tile.texts;
    write(code, mark ? `${tile.name} ${mark}` : tile.name);
    write(what, first);
    write(more, second);
    write(tile.texts[4], alarmMark(tile));
    const alarms = tile.alarmCount ? t("%(n)s alarms", { n: `${MARKS[tile.alarm]} ${tile.alarmCount}` }) : "";
    tile.title.textContent = [tile.title.dataset.name, look.word, this.isLost ? "" : cause, alarms].filter(Boolean).join(" · ");
    this.drawSince(tile, this.nowUs());
  }

  /** Idle or in set-up for so long that somebody should look. Twin of UnitNow.waits. */
  waits(tile, look) {
    return look.waits_after_s !== null && tile.sinceUs > 0 && (this.nowUs() - tile.sinceUs) / 1e6 >= look.waits_after_s;
  }

  /** Write how long the state has lasted; return whether that changed what is seen. */
  drawSince(tile, nowUs) {
    const seconds = Math.max(0, (nowUs - tile.sinceUs) / 1e6);
    return write(tile.texts[3], tile.sinceUs && !this.isLost ? duration(seconds < 60 ? seconds - (seconds % 10) : seconds) : "");
  }

  /** The head line of an area. Twin of counts_text in map_drawing.py. */
  count(area) {
    const producing = area.tiles.filter((tile) => tile.state === PRODUCING).length;
    const down = area.tiles.filter((tile) => tile.state === DOWN).length;
    const text = t("producing %(n)d/%(all)d", { n: producing, all: area.tiles.length });
    write(area.text, down ? `${text} · ${t("down %(n)d", { n: down })}` : text);
  }

  /** State -> how many tiles show it. */
  counts() {
    const counts = {};
    for (const tile of this.order) counts[tile.state] = (counts[tile.state] ?? 0) + 1;
    return counts;
  }

  tellOnline() {
    const all = this.tiles.size;
    const online = all - (this.counts()[NO_DATA] ?? 0);
    for (const node of document.querySelectorAll("[data-live=online]")) node.textContent = `${online}/${all}`;
  }

  // ---- time goes by -------------------------------------------------------------------------------------------------

  /** Once a second: how old is what we show? Durations wait for the next change, to be painted together with it. */
  tick() {
    this.showAge(this.dataUs ? (shownNow() * 1000 - this.dataUs) / 1e6 : Infinity);
    if (this.atUs === null && Date.now() - this.counted > 1900) this.durations();
  }

  /** Renew the durations of a tenth of the tiles: each within ten to twenty seconds. */
  durations() {
    this.counted = Date.now();
    this.beat = ((this.beat ?? 0) + 1) % 10;
    this.renewDurations(this.order.filter((_, i) => i % 10 === this.beat));
  }

  renewDurations(tiles) {
    const nowUs = this.nowUs();
    const renewed = [];
    for (const tile of tiles) {
      let isRenewed = this.drawSince(tile, nowUs);
      if (!this.isLost && this.waits(tile, this.looks[tile.state] ?? this.looks[1]) !== tile.waits) {
        this.draw(tile);
        isRenewed = true;
      }
      if (isRenewed) renewed.push(tile);
    }
    this.faces?.paint(renewed, []);
  }

  /** Say how old the data is; grey the map when that is too old, and forget it when it is far too old. */
  showAge(ageS) {
    const isReplay = this.atUs !== null;
    const isLost = !isReplay && ageS > LOST_S;
    const isStale = !isReplay && (ageS > STALE_S || this.link === "lost" || this.link === "signed_out");
    const text = Number.isFinite(ageS) ? age(ageS) : t("none");
    if (!isReplay) for (const node of document.querySelectorAll("[data-live=age]")) node.textContent = text;
    if (isStale !== this.isStale) {
      this.classList.toggle("is-stale", (this.isStale = isStale));
      document.documentElement.classList.toggle("has-old-data", isStale); // figures and lists are as old as the map
    }
    if (isLost !== this.isLost) {
      this.isLost = isLost;
      for (const tile of this.order) this.draw(tile);
      this.faces?.paint(this.order, []);
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
}

/** What the corner of a tile says of its alarms. Twin of alarm_mark in map_drawing.py. */
function alarmMark({ alarm, alarmCount }) {
  return alarmCount ? MARKS[alarm] + (alarmCount > 1 ? `×${Math.min(alarmCount, 9)}` : "") : "";
}

/** The text node of an element that may be empty. */
function textOf(element) {
  return element.firstChild ?? element.appendChild(document.createTextNode(""));
}

/** Write a text node if it differs; return whether it did. */
function write(node, text) {
  if (node.data === text) return false;
  node.data = text;
  return true;
}

customElements.define("y-live-map", LiveMap);
