/**
 * <y-board data-src data-try data-move data-undo data-why data-site data-csrf>: the dispatch board. Looks with wheel, pinch,
 * drag and keys; moves with drag, keys, or from the list of what waits. Every place in hand is tried by the server (the
 * latest wins), says its whole impact, and is done on release or Enter with the number of the plan that was looked at.
 * What others do is fetched at once and laid under the hand, never instead of it. Filters and range live in the address.
 */
import { t } from "../web/format.js";
import { listen, serverNow } from "../web/live.js";
import { BoardData, FOLD } from "./board-data.js";
import { Painter } from "./board-paint.js";
import { BoardView, HEAD } from "./board-view.js";
import { Moves } from "./board-moves.js";
import { Panel } from "./board-panel.js";

const STEP = 5;
const ASK_MS = 5000;
const SOON_MS = 300;
const HOLD_MS = 350;
const GLOW_MS = 2500;
const FILTERS = ["unit", "center", "order", "customer", "late", "lanes"];
const EDGE = 26; // near the edge of the stage a bar in hand pulls it along

class Board extends HTMLElement {
  connectedCallback() {
    const canvas = (name) => { const made = document.createElement("canvas"); made.className = name; return made; };
    this.stage = this.querySelector("[data-stage]");
    this.still = this.stage.appendChild(canvas("still"));
    this.moving = this.stage.appendChild(canvas("moving"));
    this.view = new BoardView();
    this.scene = { selected: -1, hover: -1, links: [], hand: null, moves: [], changed: new Map(), now: serverNow() };
    this.painter = new Painter(this.still, this.moving, this, { stop: (stop) => this.panel.stop(stop), back: (stop) => this.panel.back(stop), late: (minutes) => t("+%(n)d min", { n: minutes }), folded: (n) => t("%(n)d without work", { n }) });
    this.panel = new Panel(this);
    this.moves = new Moves(this);
    this.pointers = new Map();
    this.bind();
    this.observer = new ResizeObserver(() => this.fit());
    this.observer.observe(this.stage);
    new MutationObserver(() => { this.painter.theme(); this.ask("all"); }).observe(document.documentElement, { attributeFilter: ["data-theme", "data-text"] });
    this.timers = [setInterval(() => this.load(), ASK_MS), setInterval(() => this.ask("moving"), 1000)];
    listen([`jobs:${this.dataset.site}`, `dispatch:${this.dataset.site}`], () => this.soon());
    this.fit();
    this.load();
  }

  disconnectedCallback() {
    this.timers.forEach(clearInterval);
    this.observer.disconnect();
  }

  filter() {
    const query = new URLSearchParams(location.search);
    return Object.fromEntries(FILTERS.map((name) => [name, query.get(name) ?? ""]));
  }

  soon() {
    clearTimeout(this.later);
    this.later = setTimeout(() => this.load(), SOON_MS);
  }

  async load() {
    if (document.hidden && this.data) return;
    try {
      const answer = await fetch(this.dataset.src, { redirect: "manual", cache: "no-store", headers: { accept: "application/json", ...(this.tag && { "If-None-Match": this.tag }) } });
      if (answer.status === 304) return this.panel.lost(false);
      if (!answer.ok) throw new Error(String(answer.status));
      this.tag = answer.headers.get("ETag");
      const json = await answer.json();
      this.panel.lost(false);
      if (this.scene.hand) this.fresh = json; // a hand is not disturbed: laid down when it lets go
      else this.take(json);
    } catch { this.panel.lost(true); }
  }

  take(json) {
    const old = this.data;
    const chosen = old && this.scene.selected >= 0 ? old.id[this.scene.selected] : Number(new URLSearchParams(location.search).get("job")) || 0;
    this.fresh = null;
    this.data = new BoardData(json);
    this.lay();
    Object.assign(this.view, { from: this.data.minute(json.now_ms) - 1440, to: Math.max(this.data.minute(json.now_ms) + 1440, this.data.end.reduce((a, b) => Math.max(a, b), 0)) });
    this.painter.zone(json.zone);
    if (old) this.glow(old);
    else this.range();
    this.scene.selected = this.data.place.get(chosen) ?? -1;
    this.scene.hover = -1;
    this.view.keep();
    this.panel.took(this.data);
    this.ask("all");
    if (!old && this.scene.selected >= 0) this.select(this.scene.selected, true);
    this.dataset.plan = json.number;
  }

  /** Lay the bars on lanes; `unfolded`: idle stations that get one, too. */
  lay(unfolded = null) {
    this.data.lay(this.dataset.view, this.filter(), unfolded);
    this.view.rows = this.data.rows.length;
    this.querySelector("[data-act=idle]")?.setAttribute("aria-pressed", String(this.filter().lanes === "all"));
  }

  /** What somebody moved glows for a moment. */
  glow(old) {
    const before = new Map(old.json.jobs.id.map((id, i) => [id, i]));
    const moved = [];
    for (let i = 0; i < this.data.count; i++) {
      const was = before.get(this.data.id[i]);
      if (was === undefined || old.lane[was] !== this.data.lane[i] || old.ms(old.start[was]) !== this.data.ms(this.data.start[i])) moved.push(i);
    }
    this.scene.changed = new Map(moved.slice(0, 500).map((i) => [i, 0]));
    if (!moved.length || matchMedia("(prefers-reduced-motion: reduce)").matches) return void this.scene.changed.clear();
    const began = performance.now();
    const step = () => {
      const share = (performance.now() - began) / GLOW_MS;
      for (const i of this.scene.changed.keys()) this.scene.changed.set(i, share);
      if (share >= 1) this.scene.changed.clear();
      else requestAnimationFrame(step);
      this.ask("moving");
    };
    requestAnimationFrame(step);
  }

  range() {
    const query = new URLSearchParams(location.search);
    const hours = Number(query.get("hours")) || 24;
    const from = Date.parse(query.get("from") ?? "");
    this.view.start = Number.isNaN(from) ? this.data.minute(this.data.json.now_ms) - hours * 3 : this.data.minute(from);
    this.view.span = hours * 60;
  }

  keepAddress() {
    clearTimeout(this.writing);
    this.writing = setTimeout(() => {
      const url = new URL(location.href);
      url.searchParams.set("from", new Date(this.data.ms(Math.round(this.view.start))).toISOString().slice(0, 16) + "Z");
      url.searchParams.set("hours", String(Math.round(this.view.span / 6) / 10));
      if (this.scene.selected >= 0) url.searchParams.set("job", String(this.data.id[this.scene.selected]));
      else url.searchParams.delete("job");
      history.replaceState(null, "", url);
    }, 300);
  }

  fit() {
    this.view.width = this.stage.clientWidth;
    this.view.height = this.stage.clientHeight;
    const px = parseFloat(getComputedStyle(this).fontSize);
    const isCoarse = matchMedia("(pointer: coarse)").matches;
    this.view.label = Math.min(this.view.width * 0.28, px * 13);
    this.view.row_height = Math.round(px * (isCoarse ? 2.7 : 1.9));
    this.painter.theme();
    this.painter.fit(this.view);
    if (this.data) { this.view.keep(); this.paint("all"); }
  }

  ask(what) {
    this.wanted = this.wanted === "all" ? "all" : what;
    this.frame ??= requestAnimationFrame(() => this.paint(this.wanted));
  }

  paint(what) {
    cancelAnimationFrame(this.frame);
    this.frame = this.wanted = null;
    if (!this.data || !this.view.width) return;
    this.scene.now = serverNow();
    if (what === "all") this.painter.paintStill(this.data, this.view, this.scene.hand?.i ?? -1);
    this.painter.paintMoving(this.data, this.view, this.scene);
    Object.assign(this.dataset, { bars: this.painter.counts.bars, stills: this.painter.counts.still });
  }

  look(change) {
    change(this.view);
    this.ask("all");
    this.keepAddress();
  }

  // ---- choosing and taking in hand ---------------------------------------------------------------------------------------

  select(i, bring = false) {
    this.scene.selected = i;
    this.scene.links = [];
    this.scene.moves = [];
    if (i >= 0 && bring) this.look((view) => view.show(this.data.rowOfBar(i), this.data.start[i]));
    this.panel.about(i);
    this.ask("moving");
    this.keepAddress();
  }

  /** Take a bar (or, `waiting`, a line of the list) in hand: where it is now. */
  take_up(i, waiting = null) {
    const { data } = this;
    const lane = waiting ? data.json.able[waiting.able][0] : data.lane[i];
    const now = data.minute(serverNow());
    const start = waiting ? Math.ceil((Math.max(now + data.json.frozen_min, this.view.start) + STEP) / STEP) * STEP : data.start[i];
    this.lay(data.able_sets[waiting ? waiting.able : data.able[i]]);
    this.scene.hand = {
      i, id: waiting ? waiting.id : data.id[i], label: waiting ? waiting.label : data.ofOrder(i), unit: lane, row: data.row_of.get(data.view === "units" ? lane : data.order[i]) ?? 0,
      start, length: waiting ? waiting.work : data.end[i] - data.start[i], able: waiting ? waiting.able : data.able[i], from: { unit: waiting ? -1 : lane, start }, isRefused: false,
    };
    this.panel.hand(this.scene.hand);
    this.ask("all");
  }

  carry(unit, start) {
    const hand = this.scene.hand;
    if (hand.unit === unit && hand.start === start) return;
    hand.unit = unit;
    hand.start = start;
    if (this.data.view === "units") hand.row = this.data.row_of.get(unit) ?? hand.row;
    const quick = hand.i >= 0 ? this.data.quick(hand.i, unit, start) : this.data.able_sets[hand.able].has(unit) ? "" : "not_able";
    hand.isRefused = ["not_able", "past"].includes(quick);
    this.panel.quick(quick, hand);
    this.moves.tryLater(hand);
    this.ask("moving");
  }

  let_go({ isDone = false } = {}) {
    this.moves.forget();
    const hand = this.scene.hand;
    this.scene.hand = null;
    this.scene.moves = [];
    this.panel.put_down();
    if (hand && !isDone) this.panel.say(t("Nothing was moved."));
    if (this.fresh) this.take(this.fresh);
    else this.lay();
    this.view.keep();
    this.ask("all");
  }

  /** Idle stations: one line for all of them, or a lane each. */
  fold() {
    const url = new URL(location.href);
    if (url.searchParams.get("lanes") === "all") url.searchParams.delete("lanes");
    else url.searchParams.set("lanes", "all");
    history.replaceState(null, "", url);
    this.lay();
    this.look((view) => view.keep());
  }

  // ---- pointers ------------------------------------------------------------------------------------------------------

  bind() {
    const { stage } = this;
    stage.addEventListener("pointerdown", (event) => this.down(event));
    stage.addEventListener("pointermove", (event) => this.moved(event));
    for (const name of ["pointerup", "pointercancel"]) stage.addEventListener(name, (event) => this.up(event, name === "pointerup"));
    stage.addEventListener("pointerleave", () => { this.scene.hover = -1; this.ask("moving"); });
    stage.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    stage.addEventListener("keydown", (event) => this.key(event));
    stage.addEventListener("dblclick", (event) => { const i = this.hit(event); if (i >= 0) location.href = this.dataset.job.replace("/0", `/${this.data.id[i]}`); });
    this.querySelector("[data-how]")?.addEventListener("change", () => this.scene.hand && this.moves.tryLater());
    this.addEventListener("click", (event) => { const act = event.target.closest?.("[data-act]")?.dataset.act; if (act) this.act(act); });
  }

  hit(event) {
    return this.data && event.offsetX > this.view.label && event.offsetY > HEAD ? this.data.at(this.view.row(event.offsetY), this.view.minute(event.offsetX)) : -1;
  }

  down(event) {
    if (!this.data || event.button > 0) return;
    this.stage.setPointerCapture(event.pointerId);
    this.stage.focus({ preventScroll: true });
    this.pointers.set(event.pointerId, [event.offsetX, event.offsetY]);
    if (this.pointers.size === 2) { if (this.scene.hand) this.let_go(); this.press = null; return; }
    const i = this.hit(event);
    this.press = { i, x: event.offsetX, y: event.offsetY, at: performance.now(), isTouch: event.pointerType === "touch", isMoved: false };
    if (i !== this.scene.selected) this.select(i);
  }

  moved(event) {
    if (!this.data) return;
    const was = this.pointers.get(event.pointerId);
    if (!was) { const i = this.hit(event); if (i !== this.scene.hover) { this.scene.hover = i; this.panel.point(i); this.ask("moving"); } return; }
    const x = event.offsetX;
    const y = event.offsetY;
    if (this.pointers.size === 2) return this.pinch(event.pointerId, was, [x, y]);
    this.pointers.set(event.pointerId, [x, y]);
    const { press } = this;
    if (!press || (!press.isMoved && Math.hypot(x - press.x, y - press.y) < 4)) return;
    const mayTake = this.dataset.may === "1" && this.data.mayMove(press.i) && (!press.isTouch || performance.now() - press.at > HOLD_MS || this.scene.hand);
    if (!press.isMoved) {
      press.isMoved = true;
      if (mayTake && !this.scene.hand) { this.take_up(press.i); press.offset = this.view.minute(press.x) - this.data.start[press.i]; }
    }
    if (press.offset === undefined) return this.look((view) => view.pan(was[0] - x, was[1] - y));
    if (!this.scene.hand) return; // let go by Esc
    this.pull(x, y, x - was[0], y - was[1]);
    const lane = this.data.rows[Math.min(this.data.rows.length - 1, Math.max(0, this.view.row(y)))].key;
    const unit = this.data.view === "units" && lane !== FOLD ? lane : this.scene.hand.unit;
    const wanted = this.view.minute(x) - press.offset;
    this.carry(unit, event.altKey ? Math.round(wanted) : this.data.snap(press.i, unit, wanted, STEP, 8 / this.view.scale));
  }

  /** A bar that is carried towards an edge, near it, moves the view on. */
  pull(x, y, byX, byY) {
    const dy = byY < 0 && y < HEAD + EDGE ? -1 : byY > 0 && y > this.view.height - EDGE ? 1 : 0;
    const dx = byX < 0 && x < this.view.label + EDGE ? -1 : byX > 0 && x > this.view.width - EDGE ? 1 : 0;
    if (dx || dy) this.look((view) => view.pan(dx * 12, dy * view.row_height * 0.5));
  }

  up(event, isUp) {
    this.pointers.delete(event.pointerId);
    const { press } = this;
    this.press = null;
    if (isUp && press && !press.isMoved && this.data.rows[this.view.row(press.y)]?.folded) return this.fold();
    if (press?.offset === undefined || !this.scene.hand) return;
    const { hand } = this.scene;
    if (!isUp || (hand.unit === hand.from.unit && hand.start === hand.from.start)) return this.let_go();
    this.moves.drop(hand);
  }

  pinch(id, was, is) {
    const other = [...this.pointers].find(([key]) => key !== id)[1];
    const before = Math.abs(was[0] - other[0]) || 1;
    const after = Math.abs(is[0] - other[0]) || 1;
    this.pointers.set(id, is);
    this.look((view) => { view.zoom(before / Math.max(8, after), (is[0] + other[0]) / 2); view.pan(0, (was[1] - is[1]) / 2); });
  }

  wheel(event) {
    if (!this.data) return;
    event.preventDefault();
    const factor = event.deltaMode === 1 ? 16 : 1;
    if (event.ctrlKey) this.look((view) => view.zoom(Math.exp(event.deltaY * factor * 0.002), Math.max(view.label, event.offsetX)));
    else if (event.shiftKey) this.look((view) => view.pan((event.deltaY || event.deltaX) * factor, 0));
    else this.look((view) => view.pan(event.deltaX * factor, event.deltaY * factor));
  }

  // ---- keys ----------------------------------------------------------------------------------------------------------

  key(event) {
    if (!this.data) return;
    const { scene, data } = this;
    const isCommand = event.ctrlKey || event.metaKey;
    const arrow = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    let isUsed = true;
    if (isCommand && event.key.toLowerCase() === "z") event.shiftKey ? this.moves.redo() : this.moves.undo();
    else if (isCommand && event.key.toLowerCase() === "y") this.moves.redo();
    else if (event.key === "Escape") scene.hand ? this.let_go() : this.select(-1);
    else if (event.key === "Enter" && scene.hand) this.moves.drop(scene.hand);
    else if ((event.key === "Enter" || event.key === "m") && scene.selected >= 0) this.pick();
    else if (arrow && scene.hand) this.nudge(arrow, event.shiftKey ? 60 : STEP);
    else if (arrow && event.shiftKey) this.look((view) => view.pan(arrow[0] * 120, arrow[1] * view.row_height));
    else if (arrow) this.step(arrow);
    else if (event.key === "+" || event.key === "=") this.act("in");
    else if (event.key === "-") this.act("out");
    else if (event.key === "0" || event.key === "Home") this.act("now");
    else if (event.key === "l") this.nextLate();
    else if (event.key === "g" && scene.hand) this.panel.turnHow();
    else isUsed = false;
    if (isUsed) event.preventDefault();
  }

  pick() {
    if (this.dataset.may !== "1") return;
    if (this.data.mayMove(this.scene.selected)) this.take_up(this.scene.selected);
    else this.panel.say(t("This one stays where it is: it runs, is over, or is away at a supplier."));
  }

  nudge([dx, dy], step) {
    const { hand } = this.scene;
    let { unit } = hand;
    if (dy) {
      const able = this.data.json.able[hand.able];
      const at = able.indexOf(unit);
      unit = able[(at + dy + able.length) % able.length] ?? unit;
    }
    this.carry(unit, hand.start + dx * step);
    this.look((view) => view.show(hand.row, hand.start));
  }

  step([dx, dy]) {
    const { data, scene } = this;
    if (scene.selected < 0) { const r = data.rows.findIndex((row) => row.bars.length); if (r >= 0) this.select(data.rows[r].bars[Math.min(data.first(data.rows[r], this.view.start), data.rows[r].bars.length - 1)], true); return; }
    let r = data.rowOfBar(scene.selected);
    if (dx) { const { bars } = data.rows[r]; return this.select(bars[Math.min(bars.length - 1, Math.max(0, bars.indexOf(scene.selected) + dx))], true); }
    do r += dy; while (data.rows[r] && !data.rows[r].bars.length);
    if (!data.rows[r]) return;
    const at = data.start[scene.selected];
    this.select(data.rows[r].bars.reduce((best, i) => (Math.abs(data.start[i] - at) < Math.abs(data.start[best] - at) ? i : best)), true);
  }

  nextLate() {
    const late = this.data.rows.flatMap((row) => [...row.bars]).filter((i) => this.data.isLate(i) && !(this.data.flags[i] & 4)).sort((a, b) => this.data.start[a] - this.data.start[b]);
    if (late.length) this.select(late[(late.indexOf(this.scene.selected) + 1) % late.length], true);
  }

  act(name) {
    if (!this.data) return;
    const middle = this.view.label + (this.view.width - this.view.label) / 2;
    const hours = { shift: 8, day: 24, week: 168 }[name];
    if (hours) this.look((view) => { view.span = hours * 60; view.start = this.data.minute(serverNow()) - hours * 5; view.keep(); });
    ({ in: () => this.look((view) => view.zoom(0.6, middle)), out: () => this.look((view) => view.zoom(1 / 0.6, middle)),
      now: () => this.look((view) => { view.start = this.data.minute(serverNow()) - view.span * 0.1; view.keep(); }),
      idle: () => this.fold(), undo: () => this.moves.undo(), redo: () => this.moves.redo(), pick: () => { this.stage.focus(); this.pick(); },
      drop: () => this.scene.hand && this.moves.drop(this.scene.hand), cancel: () => this.let_go(), late: () => this.nextLate() })[name]?.();
  }
}

customElements.define("y-board", Board);
