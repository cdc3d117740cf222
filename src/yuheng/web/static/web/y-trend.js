/**
 * <y-trend data-unit="17" data-zone="Asia/Shanghai">: trends of the tags chosen in the values table. The server sends
 * first, min, max and last of every pixel, so a peak of one sample in a million survives; zooming asks again. Holes in the
 * data stay holes. The range is kept in the address: a link shows a colleague the same picture.
 */
import uPlot from "../vendor/uplot/uPlot.min.js";
import { clockFormat, number, t } from "./format.js";
import { listen } from "./live.js";
import { isPast, shownNow } from "./moment.js";

const SPANS_S = { "10m": 600, "1h": 3600, "8h": 28800, "24h": 86400, "7d": 604800, "30d": 2592000 };
const HEIGHT = 300;
const RENEW_MS = 60_000;
const MIN_SPAN_S = 1;
const MAX_TAGS = 6;
const USED_SHARE = 0.5; // of the first picture that must hold data; else a shorter range is chosen

class Trend extends HTMLElement {
  connectedCallback() {
    this.tags = JSON.parse(document.getElementById("yh-tags").textContent); // id -> {label, unit, stale_after_s}
    this.host = this.querySelector("[data-chart]");
    this.note = this.querySelector("[data-note]");
    const asked = new URLSearchParams(location.search);
    this.chosen = (asked.get("tags") ?? this.dataset.tags ?? "").split(".").map(Number).filter((id) => this.tags[id]).slice(0, MAX_TAGS);
    this.span = SPANS_S[asked.get("span")] ?? 3600;
    this.mayFit = !asked.has("span") && !asked.has("from"); // nobody chose a range yet
    this.from = Number(asked.get("from")) || null; // seconds; null: live
    if (this.from) this.span = Number(asked.get("to")) - this.from;
    this.points = new Map();
    this.controls();
    this.live = listen([`unit:${this.dataset.unit}`], (message) => isPast() || this.append(message));
    this.observer = new ResizeObserver(() => this.plot && this.plot.setSize({ width: this.host.clientWidth, height: HEIGHT }));
    this.observer.observe(this.host);
    this.timer = setInterval(() => this.from === null && this.load(), RENEW_MS);
    this.mover = setInterval(() => this.from === null && this.show(), 1000);
    this.load();
  }

  disconnectedCallback() {
    clearInterval(this.timer);
    clearInterval(this.mover);
    this.observer.disconnect();
    this.plot?.destroy();
  }

  controls() {
    for (const button of this.querySelectorAll("[data-span]")) {
      button.addEventListener("click", () => { this.span = SPANS_S[button.dataset.span]; this.from = null; this.moved(); });
    }
    const step = (part) => { const [from, to] = this.range(); this.from = from + part * (to - from); this.moved(); };
    this.querySelector("[data-pan=back]").addEventListener("click", () => step(-0.5));
    this.querySelector("[data-pan=forward]").addEventListener("click", () => step(0.5));
    this.querySelector("[data-pan=live]").addEventListener("click", () => { this.from = null; this.moved(); });
    for (const box of document.querySelectorAll("input[data-plot]")) {
      const id = Number(box.dataset.plot);
      box.checked = this.chosen.includes(id);
      box.addEventListener("change", () => {
        this.chosen = box.checked ? [...this.chosen, id] : this.chosen.filter((other) => other !== id);
        if (this.chosen.length > MAX_TAGS) { this.chosen.pop(); box.checked = false; }
        this.moved();
      });
    }
  }

  range() {
    const now = shownNow() / 1000;
    return this.from === null ? [now - this.span, now] : [this.from, this.from + this.span];
  }

  moved() {
    this.mayFit = false;
    const query = new URLSearchParams(location.search);
    query.set("tags", this.chosen.join("."));
    for (const name of ["from", "to", "span"]) query.delete(name);
    if (this.from === null) {
      const name = Object.keys(SPANS_S).find((key) => SPANS_S[key] === this.span);
      if (name) query.set("span", name);
    } else {
      query.set("from", this.from.toFixed(3));
      query.set("to", (this.from + this.span).toFixed(3));
    }
    history.replaceState(null, "", `?${query}`);
    this.load();
  }

  async load() {
    for (const button of this.querySelectorAll("[data-span]")) {
      button.setAttribute("aria-pressed", String(this.from === null && SPANS_S[button.dataset.span] === this.span));
    }
    this.querySelector("[data-pan=live]").setAttribute("aria-pressed", String(this.from === null));
    if (!this.chosen.length) {
      this.points.clear();
      this.draw();
      this.say(t("Choose up to six signals in the table to see their trend."));
      return;
    }
    const [from, to] = this.range();
    const width = Math.max(200, Math.min(4000, Math.round(this.host.clientWidth - 120)));
    const question = (this.asked = `${this.dataset.src}?${new URLSearchParams({ tags: this.chosen.join("."), start_us: Math.round(from * 1e6), end_us: Math.round(to * 1e6), width })}`);
    if (!this.plot) {
      this.outline();
      this.say(t("Reading the history…"));
    }
    try {
      const answer = await fetch(question, { redirect: "manual", headers: { accept: "application/json" } });
      if (question !== this.asked) return; // somebody zoomed on meanwhile
      if (!answer.ok) throw new Error(String(answer.status));
      const found = await answer.json();
      if (this.mayFit && this.fit(found)) return;
      this.take(found, (to - from) / width);
    } catch (error) {
      console.warn("trend", error);
      this.say(t("The history could not be read now."));
    }
  }

  /** Axes without curves: what is being read has its place already. */
  outline() {
    for (const id of this.chosen) if (!this.points.has(id)) this.points.set(id, { xs: [], ys: [], gapS: Infinity, bad: [] });
    this.draw();
  }

  /** The shortest range that holds all the data, when the usual one would be mostly empty: a plant an hour old. */
  fit(answer) {
    this.mayFit = false;
    const first = Math.min(...answer.series.map((s) => s.time_us[0] ?? Infinity)) / 1e6;
    const [from, to] = this.range();
    if (!Number.isFinite(first) || first - from < (1 - USED_SHARE) * this.span) return false;
    const span = Object.values(SPANS_S).find((s) => s >= to - first);
    if (!span || span >= this.span) return false;
    this.span = span;
    this.load();
    return true;
  }

  /** Server's pixels become points: first, then the extremes in the order that keeps the line short, then last. */
  take(answer, pixelS) {
    this.points.clear();
    let bad = 0;
    for (const series of answer.series) {
      const gapS = Math.max(3 * pixelS, this.tags[series.tag]?.stale_after_s ?? 60);
      const xs = [];
      const ys = [];
      const factor = this.tags[series.tag]?.factor ?? 1;
      let previous = null;
      for (let i = 0; i < series.time_us.length; i++) {
        const x = series.time_us[i] / 1e6;
        if (previous !== null && x - previous > gapS) { xs.push(previous + gapS / 2); ys.push(null); }
        const [first, low, high, last] = [series.first[i], series.min[i], series.max[i], series.last[i]];
        const values = series.count[i] === 1 ? [last] : first <= last ? [first, low, high, last] : [first, high, low, last];
        values.forEach((value, k) => { xs.push(x + (k * pixelS) / 4.2); ys.push(value * factor); });
        previous = x;
      }
      bad += series.bad.length;
      this.points.set(series.tag, { xs, ys, gapS, bad: series.bad.map(([a, b]) => [a / 1e6, b / 1e6]) });
    }
    this.pixelS = pixelS;
    this.draw();
    this.dataset.drawn = ""; // what is shown was read, not only outlined
    const count = answer.series.reduce((sum, s) => sum + s.count.reduce((a, b) => a + b, 0), 0);
    const parts = [count ? t("%(n)s values", { n: count.toLocaleString("en-US") }) : t("No values in this range.")];
    if (bad) parts.push(t("bad quality is marked below the curves"));
    this.say(parts.join(" · "));
  }

  append(message) {
    if (this.from !== null) return;
    for (const [tag, timeUs, value, quality] of message.values) {
      const series = this.points.get(tag);
      const x = timeUs / 1e6;
      if (!series || typeof value !== "number" || x <= (series.xs.at(-1) ?? 0)) continue;
      if (series.xs.length && x - series.xs.at(-1) > series.gapS) { series.xs.push(x - series.gapS / 2); series.ys.push(null); }
      series.xs.push(x);
      series.ys.push(quality >= 0x80 ? null : value * this.tags[tag].factor);
      if (quality >= 0x80) series.bad.push([x, x]);
      this.isDirty = true;
    }
  }

  draw() {
    this.plot?.destroy();
    this.plot = null;
    this.host.replaceChildren();
    const ids = this.chosen.filter((id) => this.points.has(id));
    if (!ids.length) return;
    this.drawn = ids;
    this.plot = new uPlot(this.options(ids), this.data(ids), this.host);
    this.plot.over.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.plot.over.addEventListener("dblclick", () => { this.from = null; this.moved(); });
  }

  show() {
    if (!this.plot) return;
    if (this.isDirty) { this.isDirty = false; this.plot.setData(this.data(this.drawn), false); }
    const [min, max] = this.range();
    this.plot.setScale("x", { min, max });
  }

  data(ids) {
    const tables = ids.map((id) => { const { xs, ys } = this.points.get(id); return xs.length ? [xs, ys] : [[this.range()[0]], [null]]; });
    return tables.length === 1 ? tables[0] : uPlot.join(tables);
  }

  options(ids) {
    const css = getComputedStyle(this);
    const color = (name) => css.getPropertyValue(name).trim();
    const units = [...new Set(ids.map((id) => this.tags[id].unit || "1"))];
    const zone = this.dataset.zone;
    const [min, max] = this.range();
    const moment = clockFormat(zone, { month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" });
    const grid = { stroke: color("--line2"), width: 1 };
    const axis = { stroke: color("--mute"), grid, ticks: grid, font: `12px ${color("--font")}` };
    return {
      width: this.host.clientWidth,
      height: HEIGHT,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), zone),
      scales: { x: { time: true, min, max, auto: false }, ...Object.fromEntries(units.map((unit) => [unit, { auto: true }])) },
      axes: [
        { ...axis, values: (_, splits) => splits.map((s) => this.tick(s, max - min, zone)) },
        ...units.map((unit, i) => ({ ...axis, scale: unit, side: i ? 1 : 3, show: i < 2, label: unit === "1" ? "" : unit, labelSize: 16, labelFont: axis.font, size: 56, grid: i ? { show: false } : grid, values: (_, splits) => splits.map(number) })),
      ],
      series: [
        { label: t("Time"), value: (_, s) => (s === null ? "–" : moment.format(s * 1000)) },
        ...ids.map((id, i) => ({ label: `${this.tags[id].label}${this.tags[id].unit ? " " + this.tags[id].unit : ""}`, scale: this.tags[id].unit || "1", stroke: color(`--series-${i + 1}`), width: 1.4, dash: [[], [6, 3], [2, 2], [8, 3, 2, 3], [12, 4], [4, 6]][i], points: { show: false }, value: (_, v) => number(v) })),
      ],
      cursor: { drag: { x: true, y: false, setScale: false } },
      hooks: {
        setSelect: [(plot) => this.selected(plot)],
        draw: [(plot) => this.markBad(plot, color("--p2"))],
      },
    };
  }

  tick(seconds, span, zone) {
    const options = span > 3 * 86400 ? { month: "2-digit", day: "2-digit" } : span > 600 ? { hour: "2-digit", minute: "2-digit" } : { hour: "2-digit", minute: "2-digit", second: "2-digit" };
    return clockFormat(zone, options).format(seconds * 1000);
  }

  selected(plot) {
    const { left, width } = plot.select;
    if (width < 4) return;
    const from = plot.posToVal(left, "x");
    const to = plot.posToVal(left + width, "x");
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    if (to - from < MIN_SPAN_S) return;
    this.from = from;
    this.span = to - from;
    this.moved();
  }

  /** Ctrl and wheel zooms at the cursor; shift and wheel pans. A plain wheel scrolls the page. */
  wheel(event) {
    if (!event.ctrlKey && !event.shiftKey) return;
    event.preventDefault();
    const [from, to] = this.range();
    if (event.shiftKey) {
      this.from = from + ((event.deltaY || event.deltaX) > 0 ? 0.15 : -0.15) * this.span;
    } else {
      const at = this.plot.posToVal(event.offsetX, "x");
      const factor = event.deltaY > 0 ? 1.3 : 1 / 1.3;
      this.span = Math.max(MIN_SPAN_S, (to - from) * factor);
      this.from = at - (at - from) * factor;
    }
    clearTimeout(this.wheeling);
    this.plot.setScale("x", { min: this.from, max: this.from + this.span });
    this.wheeling = setTimeout(() => this.moved(), 150);
  }

  /** Bad quality is a row of ticks at the bottom: it has no trustworthy height. */
  markBad(plot, color) {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.fillStyle = color;
    for (const id of this.drawn) {
      for (const [from, to] of this.points.get(id)?.bad ?? []) {
        const left = plot.valToPos(from, "x", true);
        const right = plot.valToPos(to, "x", true);
        if (right >= bbox.left && left <= bbox.left + bbox.width) ctx.fillRect(left, bbox.top + bbox.height - 6, Math.max(2, right - left), 6);
      }
    }
    ctx.restore();
  }

  say(sentence) {
    this.note.textContent = sentence;
  }
}

customElements.define("y-trend", Trend);
