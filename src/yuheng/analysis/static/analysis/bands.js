/**
 * Bands above the curves, one canvas: states, reasons, alarms, shifts and slices of the machines shown, on the curves' time
 * axis. A click or a tap chooses an interval; what can be done with it stands in the line below. With the keyboard the same
 * intervals are reached in the tab of slices.
 */
import { serverNow } from "../web/live.js";
import { clockFormat, duration, t } from "../web/format.js";

export const GUTTER = 64; // left of the curves, in CSS pixels
const RIGHT = 12;
const ROW = 20;
const FILLS = { producing: "--tile-run", setup: "--tile", idle: "--panel", planned_stop: "--panel", down: "--p1", no_data: "--panel", unknown: "--panel" };

export class Bands {
  constructor(host, readout, trends) {
    this.host = host;
    this.readout = readout;
    this.trends = trends;
    this.rows = [];
    this.looks = JSON.parse(document.getElementById("yh-looks").textContent);
    this.canvas = host.appendChild(document.createElement("canvas"));
    this.canvas.setAttribute("aria-hidden", "true");
    this.canvas.addEventListener("click", (event) => this.choose(this.find(event), true));
    this.canvas.addEventListener("pointermove", (event) => this.hover(this.find(event)));
  }

  /** Time to CSS pixels. */
  x(seconds) {
    const [min, max] = this.trends.wheeled ?? this.trends.range();
    return GUTTER + ((seconds - min) / (max - min)) * this.room();
  }

  room() {
    const plot = this.trends.plots[0];
    return plot ? plot.over.clientWidth : this.host.clientWidth - GUTTER - RIGHT;
  }

  paint() {
    const ratio = devicePixelRatio || 1;
    const width = this.host.clientWidth;
    const height = this.rows.length * ROW;
    const c = this.canvas.getContext("2d");
    if (this.canvas.width !== width * ratio || this.canvas.height !== height * ratio) {
      this.canvas.width = width * ratio;
      this.canvas.height = height * ratio;
      this.canvas.style.width = `${width}px`;
      this.canvas.style.height = `${height}px`;
    }
    if (!height) return;
    const css = getComputedStyle(this.host);
    const colors = new Map();
    const color = (name) => colors.get(name) ?? (colors.set(name, css.getPropertyValue(name).trim()), colors.get(name));
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    c.clearRect(0, 0, width, height);
    c.font = `11px ${color("--font")}`;
    this.rows.forEach((row, i) => this.paintRow(c, color, row, i * ROW));
  }

  paintRow(c, color, row, top) {
    c.fillStyle = color("--mute");
    c.textAlign = "right";
    c.fillText(row.name.length > 8 ? row.name.slice(0, 7) + "…" : row.name, GUTTER - 6, top + 14);
    c.textAlign = "left";
    const right = GUTTER + this.room();
    const now = serverNow() / 1000;
    for (const interval of row.intervals) {
      const [state, text, startUs, endUs] = interval;
      const a = Math.max(GUTTER, this.x(startUs / 1e6));
      const b = Math.min(right, this.x((endUs ?? now * 1e6) / 1e6));
      if (b <= GUTTER || a >= right) continue;
      const look = state === null ? null : (this.looks[state] ?? this.looks[1]);
      const isDown = look?.name === "down";
      const w = Math.max(1, b - a);
      c.setLineDash(look && (look.name === "no_data" || look.name === "unknown") ? [4, 3] : []);
      c.fillStyle = color(row.kind === "alarms" ? "--p2" : look ? FILLS[look.name] : row.kind === "shifts" ? "--panel" : "--raised");
      c.fillRect(a, top + 2, w, ROW - 4);
      c.strokeStyle = color(isDown || interval === this.chosen ? "--text" : "--tile-line");
      c.lineWidth = interval === this.chosen ? 2 : isDown ? 1.5 : 0.8;
      if (w > 3) c.strokeRect(a + 0.5, top + 2.5, w - 1, ROW - 5);
      const shown = `${look?.mark ? look.mark + " " : ""}${text}`;
      if (w > 30 && c.measureText(shown).width < w - 8) {
        c.fillStyle = color(isDown ? "--p1t" : row.kind === "alarms" ? "--p2t" : "--text");
        c.fillText(shown, a + 4, top + 14);
      }
    }
    c.setLineDash([]);
  }

  find(event) {
    const row = this.rows[Math.floor(event.offsetY / ROW)];
    const [min, max] = this.trends.range();
    const us = (min + ((event.offsetX - GUTTER) / this.room()) * (max - min)) * 1e6;
    const interval = row?.intervals.find(([, , start, end]) => start <= us && us < (end ?? Infinity));
    return interval ? { row, interval } : null;
  }

  hover(found) {
    if (this.isFixed) return;
    this.readout.textContent = found ? this.sentence(found) : "";
  }

  choose(found, isFixed) {
    this.chosen = found?.interval ?? null;
    this.isFixed = Boolean(found && isFixed);
    this.readout.replaceChildren();
    if (found) this.offer(found);
    this.paint();
    for (const plot of this.trends.plots) plot.redraw(false);
  }

  sentence({ row, interval: [, text, start, end] }) {
    const clock = clockFormat(this.trends.config.zone, { month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" });
    const until = end ? clock.format(end / 1000) : t("now");
    return `${row.name} · ${text} · ${clock.format(start / 1000)} – ${until} · ${duration(((end ?? serverNow() * 1000) - start) / 1e6)}`;
  }

  /** What can be done with the chosen interval. */
  offer(found) {
    const { row, interval: [state, , start, end] } = found;
    const words = document.createElement("span");
    words.textContent = this.sentence(found) + " ";
    this.readout.append(words);
    const button = (label, act) => {
      const one = this.readout.appendChild(document.createElement("button"));
      one.textContent = label;
      one.addEventListener("click", act);
    };
    button(t("Show this time"), () => { const until = (end ?? serverNow() * 1000) / 1e6; this.trends.go(start / 1e6, until - start / 1e6); });
    const isStop = row.kind === "reasons" || (state !== null && state !== 2 && (row.kind === "states" || row.kind === "capsules"));
    if (isStop && row.unit) {
      const address = `${this.trends.config.stop_url}?unit=${row.unit}&at=${start}`;
      button(t("Reason"), () => dispatchEvent(new CustomEvent("yuheng:reason", { detail: { address } })));
    }
    button(t("Done"), () => this.choose(null, false));
  }
}

/** Behind the curves: the chosen interval, slices lightly, the ends of shifts, and the marked moment. */
export function paintBehind(plot, trends, color) {
  const { ctx, bbox } = plot;
  const x = (seconds) => plot.valToPos(seconds, "x", true);
  const fill = (startUs, endUs) => {
    const a = Math.max(bbox.left, x(startUs / 1e6));
    const b = Math.min(bbox.left + bbox.width, x((endUs ?? serverNow() * 1000) / 1e6));
    if (b > a) ctx.fillRect(a, bbox.top, b - a, bbox.height);
  };
  const line = (seconds, width, dash) => {
    const at = x(seconds);
    if (at < bbox.left || at > bbox.left + bbox.width) return;
    ctx.lineWidth = width;
    ctx.setLineDash(dash);
    ctx.beginPath();
    ctx.moveTo(at, bbox.top);
    ctx.lineTo(at, bbox.top + bbox.height);
    ctx.stroke();
  };
  ctx.save();
  for (const row of trends.bands.rows) {
    if (row.kind === "capsules" && row.intervals.length <= 200) {
      ctx.fillStyle = color("--tile-run");
      ctx.globalAlpha = 0.35;
      for (const [, , start, end] of row.intervals) fill(start, end);
    }
    if (row.kind === "shifts") {
      ctx.globalAlpha = 1;
      ctx.strokeStyle = color("--edge");
      for (const [, , start] of row.intervals) line(start / 1e6, 1, [2, 4]);
    }
  }
  if (trends.bands.chosen) {
    ctx.globalAlpha = 0.22;
    ctx.fillStyle = color("--sel");
    fill(trends.bands.chosen[2], trends.bands.chosen[3]);
  }
  if (trends.config.at) {
    ctx.globalAlpha = 1;
    ctx.strokeStyle = color("--sel");
    line(trends.config.at, 2, []);
  }
  ctx.restore();
}
