/**
 * <y-lanes data-src="/work-units/17/states">: intervals on a time axis, one canvas. Answers are
 * {lanes: [{name, intervals: [[state, cause text, start_us, end_us], …]}], start_us, end_us, shift_us, zone}.
 * `<y-lanes data-given="id">` shows an answer that came with the page, whole, instead of asking.
 * Shows the shift that runs, or what there is of it; buttons, Ctrl and wheel, and dragging zoom and move; going further back
 * asks for more. Hover or arrow keys read an interval out; the page carries the same intervals as a table.
 */
import { shownNow, withMoment } from "./moment.js";
import { clockFormat, duration, t } from "./format.js";

const ROW = 30;
const AXIS = 22;
const HOUR_US = 3600e6;
const LEAST_US = 60e6;
const FIRST_HOURS = 24;
const MOST_HOURS = 24 * 31;
const STEPS_S = [10, 60, 300, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 604800];

class Lanes extends HTMLElement {
  async connectedCallback() {
    this.looks = JSON.parse(document.getElementById("yh-looks").textContent);
    this.canvas = this.appendChild(document.createElement("canvas"));
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", t("State timeline; arrow keys go from interval to interval"));
    this.readout = this.appendChild(document.createElement("p"));
    this.readout.className = "lane-readout";
    this.readout.setAttribute("aria-live", "polite");
    this.mode = "shift"; // or "24h", or "free": start and end stand still
    this.hours = FIRST_HOURS;
    this.observer = new ResizeObserver(() => this.paint());
    this.observer.observe(this);
    this.controls();
    this.timer = setInterval(() => this.advance(), 5000);
    addEventListener("yuheng:unit", (this.onUnit = () => this.load()));
    await this.load();
  }

  disconnectedCallback() {
    clearInterval(this.timer);
    this.observer.disconnect();
    removeEventListener("yuheng:unit", this.onUnit);
    removeEventListener("pointermove", this.onDrag);
    removeEventListener("pointerup", this.onDrop);
    removeEventListener("yuheng:explained", this.onExplained);
  }

  controls() {
    const act = { "shift": () => this.go("shift"), "24h": () => this.go("24h"), "back": () => this.pan(-0.5), "forward": () => this.pan(0.5), "in": () => this.zoom(0.5, 0.5), "out": () => this.zoom(2, 0.5) };
    for (const button of this.querySelectorAll("[data-lanes]")) button.addEventListener("click", act[button.dataset.lanes]);
    this.canvas.addEventListener("pointermove", (event) => this.drag ?? this.hover(event.offsetX, event.offsetY));
    this.canvas.addEventListener("pointerleave", () => this.drag ?? this.choose(null));
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    this.canvas.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.shiftKey) return;
      event.preventDefault();
      const way = event.deltaY || event.deltaX;
      event.shiftKey ? this.pan(way > 0 ? 0.15 : -0.15) : this.zoom(way > 0 ? 1.3 : 1 / 1.3, event.offsetX / this.width);
    }, { passive: false });
    this.canvas.addEventListener("pointerdown", (event) => { if (event.button === 0 && this.lanes) this.drag = { x: event.clientX, start: this.start, end: this.end, moved: false }; });
    addEventListener("pointermove", (this.onDrag = (event) => {
      if (!this.drag) return;
      this.drag.moved ||= Math.abs(event.clientX - this.drag.x) > 4;
      if (!this.drag.moved) return;
      const by = ((this.drag.x - event.clientX) / this.width) * (this.drag.end - this.drag.start);
      this.look(this.drag.start + by, this.drag.end + by);
    }));
    addEventListener("pointerup", (this.onDrop = (event) => {
      const isClick = this.drag && !this.drag.moved && event.target === this.canvas;
      this.drag = null;
      if (isClick) { this.hover(event.offsetX, event.offsetY); this.explain(); }
    }));
    addEventListener("yuheng:explained", (this.onExplained = () => this.dataset.src && this.load()));
  }

  /** data-given names a JSON script with the same answer: shown as it is, the whole of it. */
  takeGiven() {
    const data = JSON.parse(document.getElementById(this.dataset.given).textContent);
    this.take(data);
    this.mode = "free";
    this.start = data.start_us;
    this.end = data.end_us;
    this.paint();
  }

  take(data) {
    this.lanes = data.lanes;
    this.zone = data.zone;
    this.loadedFrom = data.start_us;
    this.shiftUs = data.shift_us;
    this.full = clockFormat(data.zone, { month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" });
  }

  async load() {
    if (this.dataset.given) return this.lanes ?? this.takeGiven();
    const question = (this.asked = withMoment(`${this.dataset.src}?hours=${this.hours}`));
    try {
      const answer = await fetch(question, { redirect: "manual", headers: { accept: "application/json" } });
      if (!answer.ok) throw new Error(String(answer.status));
      if (question !== this.asked) return;
      this.take(await answer.json());
      this.advance();
    } catch (error) {
      console.warn("lanes", error);
      this.readout.textContent = t("The states could not be read now.");
    }
  }

  /** Go back to what follows the clock. */
  go(mode) {
    this.mode = mode;
    this.advance();
  }

  advance() {
    if (!this.lanes) return;
    const now = shownNow() * 1000;
    if (this.mode !== "free") {
      this.end = now;
      this.start = this.mode === "24h" || this.shiftUs === null ? now - FIRST_HOURS * HOUR_US : this.shiftUs;
      if (this.mode === "shift") this.start = Math.min(Math.max(this.start, this.firstData()), now - LEAST_US);
    }
    for (const button of this.querySelectorAll("[data-lanes][aria-pressed]")) button.setAttribute("aria-pressed", String(button.dataset.lanes === this.mode));
    this.paint();
  }

  /** When anything but "no data" began, within what was read: there is nothing to see before. */
  firstData() {
    const known = this.lanes.flatMap((lane) => lane.intervals).filter(([state]) => state !== 0).map(([, , start]) => start);
    return known.length ? Math.max(this.loadedFrom, Math.min(...known)) : -Infinity;
  }

  /** Show a range: not the future, not less than a minute, and not more than a month back. */
  look(start, end) {
    const now = shownNow() * 1000;
    const span = Math.min(Math.max(end - start, LEAST_US), MOST_HOURS * HOUR_US);
    this.mode = "free";
    this.end = Math.min(end, now);
    this.start = Math.max(this.end - span, now - MOST_HOURS * HOUR_US);
    this.advance();
    if (this.start < this.loadedFrom && this.hours < MOST_HOURS) {
      this.hours = Math.min(MOST_HOURS, Math.ceil(((now - this.start) / HOUR_US) * 1.5));
      clearTimeout(this.more);
      this.more = setTimeout(() => this.load(), 150);
    }
  }

  pan(part) {
    if (this.lanes) this.look(this.start + part * (this.end - this.start), this.end + part * (this.end - this.start));
  }

  zoom(factor, at) {
    if (!this.lanes) return;
    const middle = this.start + at * (this.end - this.start);
    this.look(middle - (middle - this.start) * factor, middle + (this.end - middle) * factor);
  }

  x(us) {
    return ((us - this.start) / (this.end - this.start)) * this.width;
  }

  paint() {
    if (!this.lanes) return;
    const ratio = devicePixelRatio || 1;
    this.width = this.clientWidth;
    const height = this.lanes.length * ROW + AXIS;
    this.canvas.width = this.width * ratio;
    this.canvas.height = height * ratio;
    this.canvas.style.width = `${this.width}px`;
    this.canvas.style.height = `${height}px`;
    const c = this.canvas.getContext("2d");
    const css = getComputedStyle(this);
    const color = (name) => css.getPropertyValue(name).trim();
    c.scale(ratio, ratio);
    c.font = `12px ${color("--font")}`;
    this.lanes.forEach((lane, row) => this.paintLane(c, color, lane, row));
    this.paintAxis(c, color, height);
  }

  paintLane(c, color, lane, row) {
    const top = row * ROW + 3;
    const fills = { producing: "--tile-run", setup: "--tile", idle: "--panel", planned_stop: "--panel", down: "--p1", no_data: "--panel", unknown: "--panel" };
    for (const interval of lane.intervals) {
      const [state, cause, start, end] = interval;
      const left = Math.max(0, this.x(start));
      const right = Math.min(this.width, this.x(end ?? this.end));
      if (right < 0 || left > this.width) continue;
      const look = this.looks[state] ?? this.looks[1];
      const w = Math.max(1, right - left);
      c.setLineDash(look.name === "no_data" || look.name === "unknown" ? [4, 3] : []);
      c.fillStyle = color(fills[look.name]);
      c.fillRect(left, top, w, ROW - 6);
      c.strokeStyle = color(look.name === "down" || interval === this.chosen ? "--text" : "--tile-line");
      c.lineWidth = look.name === "down" || interval === this.chosen ? 1.8 : 0.8;
      if (w > 3) c.strokeRect(left + 0.5, top + 0.5, w - 1, ROW - 7);
      const text = `${look.mark ? look.mark + " " : ""}${cause || look.word}`;
      if (c.measureText(text).width < w - 8) {
        c.fillStyle = color(look.name === "down" ? "--p1t" : "--text");
        c.fillText(text, left + 5, top + ROW / 2 + 1);
      }
    }
    c.setLineDash([]);
  }

  paintAxis(c, color, height) {
    const spanS = (this.end - this.start) / 1e6;
    const step = (STEPS_S.find((s) => (spanS / s) * 62 < this.width) ?? STEPS_S.at(-1)) * 1e6;
    const day = { month: "2-digit", day: "2-digit" };
    const hour = { hour: "2-digit", minute: "2-digit" };
    const axis = clockFormat(this.zone, spanS > 3 * 86400 ? day : step < 60e6 ? { ...hour, second: "2-digit" } : hour);
    c.fillStyle = color("--mute");
    c.strokeStyle = color("--line");
    c.textAlign = "center";
    for (let us = Math.ceil(this.start / step) * step; us < this.end; us += step) {
      const x = this.x(us);
      c.beginPath();
      c.moveTo(x, height - AXIS);
      c.lineTo(x, height - AXIS + 4);
      c.stroke();
      if (x > 20 && x < this.width - 20) c.fillText(axis.format(us / 1000), x, height - 4);
    }
    c.textAlign = "left";
  }

  hover(x, y) {
    const lane = this.lanes?.[Math.floor(y / ROW)];
    const us = this.start + (x / this.width) * (this.end - this.start);
    this.choose(lane?.intervals.find(([, , start, end]) => start <= us && us < (end ?? this.end)) ?? null);
  }

  /** A stop that is pressed asks for its reason, where the page says how (data-reason). */
  explain() {
    const [state, , start] = this.chosen ?? [2];
    if (!this.dataset.reason || state === 2) return;
    dispatchEvent(new CustomEvent("yuheng:reason", { detail: { address: `${this.dataset.reason}&at=${start}` } }));
  }

  key(event) {
    if (event.key === "Enter") { event.preventDefault(); this.explain(); }
    const step = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity }[event.key];
    if (!step || !this.lanes?.[0]) return;
    event.preventDefault();
    const all = this.lanes[0].intervals;
    const at = all.indexOf(this.chosen);
    const to = at < 0 && step < 0 ? all.length - 1 : Math.max(0, Math.min(all.length - 1, at + step));
    this.choose(all[to] ?? null);
  }

  choose(interval) {
    if (interval === this.chosen) return;
    this.chosen = interval;
    this.readout.textContent = interval ? this.sentence(interval) : "";
    this.paint();
  }

  sentence([state, cause, start, end]) {
    const word = (this.looks[state] ?? this.looks[1]).word;
    const until = end ? this.full.format(end / 1000) : t("now");
    const lasting = duration(((end ?? shownNow() * 1000) - start) / 1e6);
    return `${word}${cause ? " · " + cause : ""} · ${this.full.format(start / 1000)} – ${until} · ${lasting}`;
  }
}

customElements.define("y-lanes", Lanes);
