/**
 * <y-lanes data-src="/work-units/17/states?hours=24">: intervals on a time axis, one canvas. Rows of intervals
 * {lanes: [{name, intervals: [[state, cause text, start_us, end_us], …]}], start_us, end_us, zone}. Hover or arrow keys
 * read an interval out; the page carries the same intervals as a table. Only what is visible is drawn.
 */
import { serverNow } from "./live.js";
import { clockFormat, duration, t } from "./format.js";

const ROW = 30;
const AXIS = 22;
const STEPS_S = [60, 300, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 604800];

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
    this.observer = new ResizeObserver(() => this.paint());
    this.observer.observe(this);
    this.canvas.addEventListener("pointermove", (event) => this.hover(event.offsetX, event.offsetY));
    this.canvas.addEventListener("pointerleave", () => this.choose(null));
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    this.timer = setInterval(() => this.advance(), 5000);
    addEventListener("yuheng:unit", (this.onUnit = () => this.load()));
    await this.load();
  }

  disconnectedCallback() {
    clearInterval(this.timer);
    this.observer.disconnect();
    removeEventListener("yuheng:unit", this.onUnit);
  }

  async load() {
    const answer = await fetch(this.dataset.src, { redirect: "manual", headers: { accept: "application/json" } });
    if (!answer.ok) {
      this.readout.textContent = t("The states could not be read now.");
      return;
    }
    const data = await answer.json();
    this.lanes = data.lanes;
    this.start = data.start_us;
    this.end = data.end_us;
    this.axis = clockFormat(data.zone, { hour: "2-digit", minute: "2-digit" });
    this.full = clockFormat(data.zone, { month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" });
    this.paint();
  }

  advance() {
    if (!this.lanes) return;
    const now = serverNow() * 1000;
    this.start += now - this.end;
    this.end = now;
    this.paint();
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
    c.fillStyle = color("--mute");
    c.strokeStyle = color("--line");
    c.textAlign = "center";
    for (let us = Math.ceil(this.start / step) * step; us < this.end; us += step) {
      const x = this.x(us);
      c.beginPath();
      c.moveTo(x, height - AXIS);
      c.lineTo(x, height - AXIS + 4);
      c.stroke();
      if (x > 20 && x < this.width - 20) c.fillText(this.axis.format(us / 1000), x, height - 4);
    }
    c.textAlign = "left";
  }

  hover(x, y) {
    const lane = this.lanes?.[Math.floor(y / ROW)];
    const us = this.start + (x / this.width) * (this.end - this.start);
    this.choose(lane?.intervals.find(([, , start, end]) => start <= us && us < (end ?? this.end)) ?? null);
  }

  key(event) {
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
    const lasting = duration(((end ?? serverNow() * 1000) - start) / 1e6);
    return `${word}${cause ? " · " + cause : ""} · ${this.full.format(start / 1000)} – ${until} · ${lasting}`;
  }
}

customElements.define("y-lanes", Lanes);
