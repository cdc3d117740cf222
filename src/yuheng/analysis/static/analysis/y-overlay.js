/**
 * <y-overlay data-src>: slices laid over each other from their start. The band reaches from the least to the most of all but
 * the current one, the dashed line is their median, thin lines are the single ones; the thick line is the current one.
 */
import uPlot from "../vendor/uplot/uPlot.min.js";
import { duration, number, t } from "../web/format.js";

const HEIGHT = 260;
const RIGHT = 12;

class Overlay extends HTMLElement {
  async connectedCallback() {
    this.tags = new Map(JSON.parse(document.getElementById("yh-trends").textContent).tags.map((tag, i) => [tag.id, { ...tag, place: i }]));
    this.host = this.querySelector("[data-overlay-host]");
    this.note = this.querySelector("[data-overlay-note]");
    this.plots = [];
    this.observer = new ResizeObserver(() => this.plots.forEach((plot) => plot.setSize({ width: this.host.clientWidth, height: HEIGHT })));
    this.observer.observe(this.host);
    this.note.textContent = t("Reading the history…");
    try {
      const answer = await fetch(this.dataset.src, { redirect: "manual", headers: { accept: "application/json" } });
      if (!answer.ok) throw new Error(String(answer.status));
      this.take(await answer.json());
    } catch (error) {
      console.warn("overlay", error);
      this.note.textContent = t("The history could not be read now.");
    }
  }

  disconnectedCallback() {
    this.observer.disconnect();
    for (const plot of this.plots) plot.destroy();
  }

  take(body) {
    this.note.textContent = t("%(n)s slices, each from its own start", { n: body.capsules.length });
    body.tags.forEach((id, place) => this.draw(body, id, place));
    this.dataset.drawn = "";
  }

  draw(body, id, place) {
    const width = Math.ceil(body.longest_us / body.step_us) + 1;
    const xs = Array.from({ length: width }, (_, i) => (i * body.step_us) / 1e6);
    const lines = body.curves.map((curves) => onGrid(curves[place], width));
    const others = lines.slice(0, -1);
    const { least, most, median } = envelope(others, width);
    const css = getComputedStyle(this);
    const color = (name) => css.getPropertyValue(name).trim();
    const tag = this.tags.get(id);
    const grid = { stroke: color("--line2"), width: 1 };
    const axis = { stroke: color("--mute"), grid, ticks: grid, font: `12px ${color("--font")}` };
    const plain = { scale: "y", points: { show: false }, spanGaps: true };
    const series = [
      {},
      { ...plain, stroke: "transparent" },
      { ...plain, stroke: "transparent" },
      ...others.map(() => ({ ...plain, stroke: color("--tile-line"), width: 0.7 })),
      { ...plain, stroke: color("--mute"), width: 1.6, dash: [6, 4] },
      { ...plain, stroke: color("--series-2"), width: 2.6 },
    ];
    const head = this.host.appendChild(document.createElement("h3"));
    head.textContent = `${tag.label} ${tag.unit}`;
    const box = this.host.appendChild(document.createElement("div"));
    const readout = this.host.appendChild(document.createElement("p"));
    readout.className = "lane-readout";
    const plot = new uPlot({
      width: this.host.clientWidth,
      height: HEIGHT,
      padding: [8, RIGHT, 0, 0],
      legend: { show: false },
      scales: { x: { time: false, range: [0, body.longest_us / 1e6] }, y: {} },
      axes: [{ ...axis, values: (_, splits) => splits.map((s) => duration(s)) }, { ...axis, scale: "y", size: 64, values: (_, splits) => splits.map(number) }],
      series,
      bands: [{ series: [2, 1], fill: color("--tile-run") }],
      cursor: { drag: { x: false, y: false }, sync: { key: "overlay", scales: ["x", null] }, points: { show: false } },
      hooks: { setCursor: [(one) => { readout.textContent = this.sentence(one, lines.at(-1), median, least, most, xs); }] },
    }, [xs, least, most, ...others, median, lines.at(-1)], box);
    this.plots.push(plot);
  }

  sentence(plot, current, median, least, most, xs) {
    const at = plot.cursor.idx;
    if (at === null || at === undefined || plot.cursor.left < 0) return "";
    const facts = { time: duration(xs[at]), current: number(current[at] ?? null), median: number(median[at]), least: number(least[at]), most: number(most[at]) };
    return t("after %(time)s: current %(current)s, median %(median)s, from %(least)s to %(most)s", facts);
  }
}

/** One value a pixel: the mean of first and last; pixels without data take the value before them, within the slice. */
function onGrid(curve, width) {
  const line = new Array(width).fill(null);
  let last = -1;
  for (let k = 0; k < curve.pixel.length; k++) {
    const at = curve.pixel[k];
    if (at >= width) break;
    for (let i = last + 1; last >= 0 && i < at; i++) line[i] = line[last];
    line[at] = curve.count[k] === 1 ? curve.last[k] : (curve.min[k] + curve.max[k]) / 2;
    last = at;
  }
  return line;
}

function envelope(lines, width) {
  const least = new Array(width).fill(null);
  const most = new Array(width).fill(null);
  const median = new Array(width).fill(null);
  for (let i = 0; i < width; i++) {
    const values = lines.map((line) => line[i]).filter((value) => value !== null).sort((a, b) => a - b);
    if (!values.length) continue;
    least[i] = values[0];
    most[i] = values.at(-1);
    const middle = values.length >> 1;
    median[i] = values.length % 2 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
  }
  return { least, most, median };
}

customElements.define("y-overlay", Overlay);
