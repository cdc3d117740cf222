/**
 * <y-trends>: the curves of the trend page. All pictures share one time axis, one cursor and one row of x values, which the
 * server's pixels give; zooming asks again, so a peak of one sample in a million survives. Choices that change what is shown
 * (signals, units, pictures) are addresses and load the page anew; the range lives in the address, too.
 */
import uPlot from "../vendor/uplot/uPlot.min.js";
import { clockFormat, number, t } from "../web/format.js";
import { listen, serverNow } from "../web/live.js";
import { Bands, GUTTER, paintBehind } from "./bands.js";
import { columns, nearest } from "./columns.js";
import { controls } from "./trend-controls.js";
import "./y-overlay.js";
import "./reason-dialog.js";

const RENEW_MS = 60_000;
const MIN_SPAN_S = 0.1;
const DASHES = [[], [6, 3], [2, 2], [8, 3, 2, 3], [12, 4], [4, 6]];
const HEIGHTS = { units: 210, stacked: 120, shared: 360 };

class Trends extends HTMLElement {
  connectedCallback() {
    this.config = JSON.parse(document.getElementById("yh-trends").textContent);
    this.tags = this.config.tags.filter((tag) => tag.type !== "text");
    this.host = this.querySelector("[data-panes-host]");
    this.note = this.querySelector("[data-note]");
    this.span = this.config.span_s;
    this.from = this.config.from; // seconds; null: live
    this.past = []; // ranges to go back to
    this.plots = [];
    this.tail = [];
    this.bands = new Bands(this.querySelector("[data-bands]"), this.querySelector("[data-readout]"), this);
    controls(this);
    this.host.tabIndex = 0;
    this.host.setAttribute("role", "group");
    this.host.setAttribute("aria-label", t("Curves; arrow keys move the cursor"));
    this.host.addEventListener("keydown", (event) => this.key(event));
    this.observer = new ResizeObserver(() => { for (const plot of this.plots) plot.setSize({ width: this.host.clientWidth, height: plot.height }); this.bands.paint(); });
    this.observer.observe(this.host);
    const units = [...new Set(this.tags.map((tag) => tag.work_unit).filter(Boolean))];
    if (units.length) listen(units.map((unit) => `unit:${unit}`), (message) => this.append(message));
    this.timer = setInterval(() => this.from === null && this.load(), RENEW_MS);
    this.mover = setInterval(() => this.from === null && this.show(), 1000);
    this.load({ part: false });
  }

  disconnectedCallback() {
    clearInterval(this.timer);
    clearInterval(this.mover);
    this.observer.disconnect();
    for (const plot of this.plots) plot.destroy();
  }

  range() {
    if (this.from !== null) return [this.from, this.from + this.span];
    const now = serverNow() / 1000;
    return [now - this.span, now];
  }

  /** Show another range; null: live. */
  go(from, span, { remember = true } = {}) {
    if (remember) this.past.push([this.from, this.span]);
    this.from = from;
    this.span = Math.max(MIN_SPAN_S, span);
    const query = this.query();
    history.replaceState(null, "", `?${query}`);
    dispatchEvent(new CustomEvent("yuheng:range"));
    this.load();
  }

  back() {
    const [from, span] = this.past.pop() ?? [null, this.config.spans["8h"]];
    this.go(from, span, { remember: false });
  }

  /** The address' query with the range that is shown. */
  query({ fixed = false } = {}) {
    const query = new URLSearchParams(location.search);
    for (const name of ["from", "to", "span", "view", "of"]) query.delete(name);
    if (!query.has("tags")) query.set("tags", this.config.tags.map((tag) => tag.id).join("."));
    if (this.from !== null || fixed) {
      const [from, to] = this.range();
      query.set("from", from.toFixed(6));
      query.set("to", to.toFixed(6));
    } else {
      const name = Object.keys(this.config.spans).find((key) => this.config.spans[key] === this.span);
      if (name) query.set("span", name);
    }
    return query;
  }

  async load({ part = true } = {}) {
    const [from, to] = this.range();
    const width = Math.max(200, Math.min(4000, Math.round(this.host.clientWidth - 80)));
    const query = this.query({ fixed: true });
    const span = { start_us: Math.round(from * 1e6), end_us: Math.round(to * 1e6), width };
    for (const [name, value] of Object.entries(span)) query.set(name, value);
    const asked = (this.asked = `${this.config.series_url}?${query}`);
    if (!this.plots.length) this.say(t("Reading the history…"));
    try {
      const [curves, rows] = await Promise.all([this.ask(asked), this.ask(`${this.config.bands_url}?${query}`)]);
      if (asked !== this.asked) return; // somebody zoomed on meanwhile
      this.bands.rows = rows.rows;
      this.take(curves, part);
    } catch (error) {
      console.warn("trends", error);
      this.say(error.sentence ?? t("The history could not be read now."));
    }
    if (part) dispatchEvent(new CustomEvent("yuheng:part"));
  }

  async ask(address) {
    const answer = await fetch(address, { redirect: "manual", headers: { accept: "application/json" } });
    if (answer.ok) return answer.json();
    throw Object.assign(new Error(String(answer.status)), { sentence: await sentenceOf(answer) });
  }

  take(answer) {
    const gaps = this.tags.map((tag) => tag.stale_s);
    this.base = columns(answer, this.tags.map((tag) => tag.id), gaps);
    this.bad = answer.series.map((series) => series.bad.map(([a, b]) => [a / 1e6, b / 1e6]));
    this.tail = this.tail.filter(([x]) => x >= answer.end_us / 1e6);
    this.draw();
    answer.series.forEach((series) => {
      const row = document.querySelector(`tr[data-tag="${series.tag}"]`);
      row.querySelector("[data-least]").textContent = series.min.length ? number(least(series.min)) : "–";
      row.querySelector("[data-most]").textContent = series.max.length ? number(most(series.max)) : "–";
    });
    const count = answer.series.reduce((sum, series) => sum + series.count.reduce((a, b) => a + b, 0), 0);
    const parts = [count ? t("%(n)s values", { n: count.toLocaleString("en-US") }) : t("No values in this range.")];
    if (this.bad.some((spans) => spans.length)) parts.push(t("bad quality is marked below the curves"));
    this.say(parts.join(" · "));
    this.dataset.drawn = "";
  }

  /** Values as they come, behind what was read; each has its own time. */
  append(message) {
    if (this.from !== null || !this.base) return;
    for (const [id, timeUs, value, quality] of message.values) {
      const index = this.tags.findIndex((tag) => tag.id === id);
      const x = timeUs / 1e6;
      if (index < 0 || typeof value !== "number" || x <= (this.base.xs.at(-1) ?? 0)) continue;
      const tag = this.tags[index];
      this.tail.push([x, index, quality >= 0x80 ? null : value * tag.factor + tag.offset]);
      this.isDirty = true;
    }
  }

  /** Columns with the tail: one row for each moment that has a value. */
  data() {
    if (!this.tail.length) return [this.base.xs, ...this.base.ys];
    this.tail.sort((a, b) => a[0] - b[0]);
    const xs = [...this.base.xs];
    const ys = this.base.ys.map((column) => [...column]);
    for (const [x, index, value] of this.tail) {
      if (xs.at(-1) !== x) { xs.push(x); for (const column of ys) column.push(undefined); }
      ys[index][xs.length - 1] = value;
    }
    return [xs, ...ys];
  }

  groups() {
    const indexes = this.tags.map((_, i) => i);
    if (this.config.panes === "shared") return [indexes];
    if (this.config.panes === "stacked") return indexes.map((i) => [i]);
    const units = [...new Set(this.tags.map((tag) => tag.unit))];
    return units.map((unit) => indexes.filter((i) => this.tags[i].unit === unit));
  }

  draw() {
    const data = this.data();
    this.current = data;
    const [min, max] = this.range();
    if (this.plots.length) {
      this.plots.forEach((plot) => plot.batch(() => { plot.setData(pick(data, plot.group), false); plot.setScale("x", { min, max }); }));
    } else {
      const groups = this.groups();
      groups.forEach((group, i) => {
        const place = this.host.appendChild(document.createElement("div"));
        const plot = new uPlot(this.options(group, i === groups.length - 1), pick(data, group), place);
        plot.group = group;
        plot.over.addEventListener("wheel", (event) => this.wheel(event, plot), { passive: false });
        plot.over.addEventListener("dblclick", () => this.back());
        this.plots.push(plot);
      });
    }
    this.bands.paint();
  }

  show() {
    if (!this.plots.length) return;
    if (this.isDirty) {
      this.isDirty = false;
      this.draw();
      return;
    }
    this.rescale(...this.range());
  }

  rescale(min, max) {
    for (const plot of this.plots) plot.setScale("x", { min, max });
    this.bands.paint();
  }

  options(group, isLast) {
    const css = getComputedStyle(this);
    const color = (name) => css.getPropertyValue(name).trim();
    const units = [...new Set(group.map((i) => this.tags[i].unit || "1"))];
    const zone = this.config.zone;
    const [min, max] = this.range();
    const grid = { stroke: color("--line2"), width: 1 };
    const axis = { stroke: color("--mute"), grid, ticks: grid, font: `12px ${color("--font")}` };
    return {
      width: this.host.clientWidth,
      height: (group.length > 3 ? 1.3 : 1) * HEIGHTS[this.config.panes] + (isLast ? 24 : 0),
      padding: [8, 12, 0, 0],
      legend: { show: false },
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), zone),
      scales: { x: { time: true, min, max, auto: false }, ...Object.fromEntries(units.map((unit) => [unit, { auto: true }])) },
      axes: [
        { ...axis, show: isLast, size: 28, values: (plot, splits) => splits.map((s) => tick(s, plot.scales.x.max - plot.scales.x.min, zone)) },
        ...units.map((unit, i) => ({ ...axis, scale: unit, side: i ? 1 : 3, show: i < 2, label: unit === "1" ? "" : unit, labelSize: 16, labelFont: axis.font, size: i ? 56 : GUTTER - 16, grid: i ? { show: false } : grid, values: (_, splits) => splits.map(number) })),
      ],
      series: [{}, ...group.map((i) => ({ scale: this.tags[i].unit || "1", stroke: color(`--series-${(i % 6) + 1}`), width: i < 6 ? 1.4 : 2.2, dash: DASHES[i % 6], points: { show: false } }))],
      cursor: { drag: { x: true, y: false, setScale: false }, sync: { key: "trends", scales: ["x", null] }, points: { size: 6 } },
      hooks: {
        setSelect: [(plot) => this.selected(plot)],
        setCursor: [(plot) => this.pointed(plot)],
        drawClear: [(plot) => paintBehind(plot, this, color)],
        draw: [(plot) => this.markBad(plot, color("--p2"))],
      },
    };
  }

  selected(plot) {
    const { left, width } = plot.select;
    if (width < 4) return;
    const from = plot.posToVal(left, "x");
    const to = plot.posToVal(left + width, "x");
    for (const one of this.plots) one.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    if (to - from >= MIN_SPAN_S && plot.cursor.event) this.go(from, to - from);
  }

  /** The table says what every curve has at the cursor. */
  pointed(plot) {
    const { left } = plot.cursor;
    this.cursorX = left === null || left < 0 ? null : plot.posToVal(left, "x");
    this.pointing ??= requestAnimationFrame(() => { this.pointing = null; this.values(); });
  }

  values() {
    const at = this.cursorX;
    const head = document.querySelector("[data-cursor-time]");
    head.textContent = at === null || at === undefined ? t("At the cursor") : this.clock().format(at * 1000);
    this.tags.forEach((tag, i) => {
      const value = at === null || at === undefined ? null : nearest(this.current[0], this.current[i + 1], at, this.base.reach[i]);
      const text = value === null ? "–" : number(value);
      const cell = (this.cells ??= new Map()).get(tag.id) ?? document.querySelector(`tr[data-tag="${tag.id}"] [data-cursor]`);
      this.cells.set(tag.id, cell);
      if (cell.textContent !== text) cell.textContent = text;
    });
  }

  clock() {
    return (this.format ??= clockFormat(this.config.zone, { month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: this.span < 60 ? 3 : undefined }));
  }

  key(event) {
    const steps = { ArrowLeft: -0.01, ArrowRight: 0.01, Home: -2, End: 2 };
    const step = steps[event.key];
    if (step === undefined || !this.plots.length) return;
    event.preventDefault();
    const plot = this.plots[0];
    const width = plot.over.clientWidth;
    const at = Math.max(0, Math.min(width, (plot.cursor.left >= 0 ? plot.cursor.left : width / 2) + step * width * (event.shiftKey ? 10 : 1)));
    for (const one of this.plots) one.setCursor({ left: at, top: one.over.clientHeight / 2 }, true);
    this.values();
    const words = this.tags.map((tag) => `${tag.label} ${document.querySelector(`tr[data-tag="${tag.id}"] [data-cursor]`).textContent} ${tag.unit}`);
    this.bands.readout.textContent = `${this.clock().format(this.cursorX * 1000)} · ${words.join(" · ")}`;
  }

  /** Ctrl and wheel zooms at the cursor; shift and wheel pans. A plain wheel scrolls the page. */
  wheel(event, plot) {
    if (!event.ctrlKey && !event.shiftKey) return;
    event.preventDefault();
    const [from, to] = this.wheeled ?? this.range();
    if (event.shiftKey) {
      const by = ((event.deltaY || event.deltaX) > 0 ? 0.15 : -0.15) * (to - from);
      this.wheeled = [from + by, to + by];
    } else {
      const at = plot.posToVal(event.offsetX, "x");
      const factor = event.deltaY > 0 ? 1.3 : 1 / 1.3;
      this.wheeled = [at - (at - from) * factor, at + (to - at) * factor];
    }
    this.rescale(...this.wheeled);
    clearTimeout(this.wheeling);
    this.wheeling = setTimeout(() => { const [low, high] = this.wheeled; this.wheeled = null; this.go(low, high - low); }, 150);
  }

  /** Bad quality is a row of ticks at the bottom: it has no trustworthy height. */
  markBad(plot, color) {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.fillStyle = color;
    for (const i of plot.group ?? []) {
      for (const [from, to] of this.bad?.[i] ?? []) {
        const left = Math.max(bbox.left, plot.valToPos(from, "x", true));
        const right = Math.min(bbox.left + bbox.width, plot.valToPos(to, "x", true));
        if (right >= bbox.left && left <= bbox.left + bbox.width) ctx.fillRect(left, bbox.top + bbox.height - 6, Math.max(2, right - left), 6);
      }
    }
    ctx.restore();
  }

  say(sentence) {
    this.note.textContent = sentence;
  }
}

function pick(data, group) {
  return [data[0], ...group.map((i) => data[i + 1])];
}

const least = (values) => values.reduce((a, b) => (b < a ? b : a));
const most = (values) => values.reduce((a, b) => (b > a ? b : a));

function tick(seconds, span, zone) {
  const options = span > 3 * 86400 ? { month: "2-digit", day: "2-digit" } : span > 600 ? { hour: "2-digit", minute: "2-digit" } : { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: span < 5 ? 2 : undefined };
  return clockFormat(zone, options).format(seconds * 1000);
}

/** What an error page says, when it is one of ours. */
async function sentenceOf(answer) {
  try {
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    return page.querySelector("[data-sentence]")?.textContent ?? null;
  } catch {
    return null;
  }
}

customElements.define("y-trends", Trends);
