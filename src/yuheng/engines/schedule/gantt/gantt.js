"use strict";
// One plan on one canvas. Bars are found by bisection, so thirty thousand of them move as easily as thirty.
const plan = JSON.parse(document.getElementById("plan").textContent);
const words = plan.words;
const root = document.documentElement;
const canvas = document.querySelector("canvas");
const pen = canvas.getContext("2d");
const tip = document.querySelector(".tip");
const spoken = document.getElementById("spoken");
const GUTTER = 120, AXIS = 40, ROW = 30, LEAST = 0.5;
const rows = plan.rows.map(() => []);
plan.bars.forEach((bar, k) => rows[bar.row].push(k));
rows.forEach((row) => row.sort((a, b) => plan.bars[a].start - plan.bars[b].start));
const first = plan.bars.reduce((least, bar) => Math.min(least, bar.setup), Math.min(0, plan.now));
const last = plan.bars.reduce((most, bar) => Math.max(most, bar.leave), first + 1);
const longest = plan.bars.reduce((most, bar) => Math.max(most, bar.leave - bar.setup), 1);
let language = plan.language, from = first, scale = 1, top_ = 0, chosen = -1, order = -1, paint = 0, colours = {};

function word(key) { return words[language][key] ?? key; }
function colour(name) { return colours[name]; }
function readColours() {
  const style = getComputedStyle(root);
  for (const name of ["page", "sheet", "ink", "quiet", "line", "grid", "closed", "bar", "bar-ink", "setup", "late", "late-fill", "focus", "now"]) {
    colours[name] = style.getPropertyValue("--" + name).trim();
  }
}

function moment(tick) {
  if (plan.unit !== "minute") return String(tick);
  if (plan.origin) {
    const at = new Date(Date.parse(plan.origin) + tick * 60000 + plan.offset * 60000);
    const two = (n) => String(n).padStart(2, "0");
    return `${at.getUTCFullYear()}-${two(at.getUTCMonth() + 1)}-${two(at.getUTCDate())} ${two(at.getUTCHours())}:${two(at.getUTCMinutes())}`;
  }
  const day = Math.floor(tick / 1440), minute = ((tick % 1440) + 1440) % 1440;
  return `${word("day").replace("{n}", day + 1)} ${String(Math.floor(minute / 60)).padStart(2, "0")}:${String(minute % 60).padStart(2, "0")}`;
}

function amount(ticks) {
  if (plan.unit !== "minute") return `${ticks}`;
  return ticks < 60 ? `${ticks} ${word("min")}` : `${(ticks / 60).toFixed(1)} ${word("h")}`;
}

function width() { return canvas.clientWidth - GUTTER; }
function x(tick) { return GUTTER + (tick - from) * scale; }
function fit() { from = first; scale = Math.max(width(), 10) / (last - first); draw(); }
function least() { return Math.max(width(), 10) / (last - first); }
function clamp() {
  scale = Math.min(Math.max(scale, least()), 40);
  from = Math.min(Math.max(from, first), Math.max(first, last - width() / scale));
  top_ = Math.min(Math.max(top_, 0), Math.max(0, plan.rows.length * ROW + AXIS - canvas.clientHeight));
}
function zoom(factor, at = GUTTER + width() / 2) {
  const tick = from + (at - GUTTER) / scale;
  scale *= factor;
  clamp();
  from = tick - (at - GUTTER) / scale;
  draw();
}
function draw() { if (!paint) paint = requestAnimationFrame(repaint); }

function below(row, tick) { // how many bars of a row start before a tick
  let low = 0, high = row.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (plan.bars[row[middle]].start < tick) low = middle + 1; else high = middle;
  }
  return low;
}

const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 240, 480, 720, 1440, 2880, 10080, 20160, 43200, 100800];
function step() {
  const wanted = 110 / scale;
  if (plan.unit === "minute") { const found = STEPS.find((size) => size >= wanted); if (found) return found; }
  const power = 10 ** Math.floor(Math.log10(wanted));
  return Math.max(1, [1, 2, 5, 10].map((n) => n * power).find((size) => size >= wanted));
}

function repaint() {
  paint = 0;
  const ratio = devicePixelRatio || 1, w = canvas.clientWidth, h = canvas.clientHeight;
  if (canvas.width !== Math.round(w * ratio) || canvas.height !== Math.round(h * ratio)) {
    canvas.width = Math.round(w * ratio);
    canvas.height = Math.round(h * ratio);
  }
  clamp();
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.fillStyle = colour("page");
  pen.fillRect(0, 0, w, h);
  pen.font = "13px system-ui, 'Noto Sans', 'Noto Sans CJK SC', sans-serif";
  pen.textBaseline = "middle";
  const until = from + width() / scale;
  const low = Math.max(0, Math.floor(top_ / ROW)), high = Math.min(plan.rows.length, Math.ceil((top_ + h - AXIS) / ROW));
  pen.save();
  pen.beginPath();
  pen.rect(GUTTER, AXIS, w - GUTTER, h - AXIS);
  pen.clip();
  for (let r = low; r < high; r++) paintClosed(r, until);
  const every = step();
  pen.strokeStyle = colour("grid");
  pen.lineWidth = 1;
  for (let tick = Math.ceil(from / every) * every; tick <= until; tick += every) line(Math.round(x(tick)) + 0.5, AXIS, h);
  for (let r = low; r < high; r++) paintRow(r, until);
  pen.strokeStyle = colour("now");
  pen.setLineDash([6, 4]);
  if (plan.now > 0) line(x(plan.now), AXIS, h);
  pen.setLineDash([]);
  pen.restore();
  paintNames(low, high, w, h);
  paintAxis(every, until, w);
}

function line(at, y1, y2) { pen.beginPath(); pen.moveTo(at, y1); pen.lineTo(at, y2); pen.stroke(); }

function paintClosed(r, until) {
  const closed = plan.closed[plan.rows[r].closed] || [];
  pen.fillStyle = colour("closed");
  let k = 0, high = closed.length;
  while (k < high) { const m = (k + high) >> 1; if (closed[m][1] <= from) k = m + 1; else high = m; }
  let done = -1;
  for (; k < closed.length && closed[k][0] < until; k++) {
    const a = Math.max(x(closed[k][0]), done), b = x(closed[k][1]);
    if (b - a >= LEAST) { pen.fillRect(a, AXIS + r * ROW - top_, b - a, ROW); done = b; }
  }
}

function paintRow(r, until) {
  const row = rows[r], y = AXIS + r * ROW - top_;
  let done = -Infinity;
  for (let i = below(row, from - longest); i < row.length; i++) {
    const k = row[i], bar = plan.bars[k];
    if (bar.setup > until) break;
    if (bar.leave < from) continue;
    const a = x(bar.start), b = Math.max(x(bar.end), a + LEAST);
    if (b < done && k !== chosen && bar.job !== order) continue; // several bars on one pixel: one is enough
    done = b;
    const isLate = plan.jobs[bar.job].late > 0, isOrder = bar.job === order;
    if (bar.setup < bar.start) hatch(x(bar.setup), y + 5, a - x(bar.setup), ROW - 10, colour("setup"));
    if (bar.leave > bar.end) { pen.strokeStyle = colour("setup"); pen.strokeRect(b, y + 8.5, x(bar.leave) - b, ROW - 17); }
    pen.fillStyle = isLate ? colour("late-fill") : colour("bar");
    pen.globalAlpha = order >= 0 && !isOrder ? 0.35 : 1;
    pen.fillRect(a, y + 4, b - a, ROW - 8);
    if (isLate) { pen.fillStyle = colour("late"); pen.fillRect(a, y + ROW - 8, b - a, 4); }
    pen.globalAlpha = 1;
    if (isOrder || k === chosen) {
      pen.strokeStyle = colour("focus");
      pen.lineWidth = k === chosen ? 3 : 2;
      pen.strokeRect(a + 0.5, y + 4.5, Math.max(b - a - 1, 1), ROW - 9);
      pen.lineWidth = 1;
    }
    if (b - a > 34) {
      pen.save();
      pen.beginPath();
      pen.rect(a + 3, y, b - a - 6, ROW);
      pen.clip();
      pen.fillStyle = colour("bar-ink");
      pen.fillText(`${isLate ? "! " : ""}${plan.jobs[bar.job].id} · ${bar.op}`, Math.max(a, GUTTER) + 5, y + ROW / 2);
      pen.restore();
    }
  }
}

function hatch(at, y, w, h, ink) {
  if (w < LEAST) return;
  pen.strokeStyle = ink;
  pen.strokeRect(at + 0.5, y + 0.5, Math.max(w - 1, 0.5), h - 1);
  if (w < 6) return;
  pen.save();
  pen.beginPath();
  pen.rect(at, y, w, h);
  pen.clip();
  pen.beginPath();
  for (let d = -h; d < w; d += 6) { pen.moveTo(at + d, y + h); pen.lineTo(at + d + h, y); }
  pen.stroke();
  pen.restore();
}

function paintNames(low, high, w, h) {
  pen.fillStyle = colour("sheet");
  pen.fillRect(0, 0, GUTTER, h);
  pen.strokeStyle = colour("line");
  line(GUTTER + 0.5, 0, h);
  for (let r = low; r < high; r++) {
    const y = AXIS + r * ROW - top_;
    pen.beginPath(); pen.moveTo(0, y + ROW + 0.5); pen.lineTo(w, y + ROW + 0.5); pen.stroke();
    pen.save();
    pen.beginPath();
    pen.rect(6, Math.max(y, AXIS), GUTTER - 10, ROW);
    pen.clip();
    pen.fillStyle = colour("ink");
    pen.fillText(plan.rows[r].id, 10, y + ROW / 2);
    pen.restore();
  }
}

function paintAxis(every, until, w) {
  pen.fillStyle = colour("sheet");
  pen.fillRect(0, 0, w, AXIS);
  pen.strokeStyle = colour("line");
  pen.beginPath(); pen.moveTo(0, AXIS + 0.5); pen.lineTo(w, AXIS + 0.5); pen.stroke();
  pen.fillStyle = colour("quiet");
  pen.fillText(word("machine"), 10, AXIS / 2);
  let free = GUTTER;
  for (let tick = Math.ceil(from / every) * every; tick <= until; tick += every) {
    const text = plan.unit === "minute" && every >= 1440 ? moment(tick).replace(/ \S+$/, "") : moment(tick), at = x(tick);
    if (at < free) continue;
    pen.fillText(text, at + 4, AXIS / 2);
    free = at + pen.measureText(text).width + 18;
  }
}

function hit(px, py) {
  if (px < GUTTER || py < AXIS) return -1;
  const r = Math.floor((py - AXIS + top_) / ROW);
  if (r >= rows.length) return -1;
  const tick = from + (px - GUTTER) / scale, slack = 2 / scale;
  for (let i = below(rows[r], tick + slack) - 1; i >= 0; i--) {
    const bar = plan.bars[rows[r][i]];
    if (bar.setup - slack <= tick && tick <= bar.leave + slack) return rows[r][i];
    if (bar.start < tick - longest) break;
  }
  const next = rows[r][below(rows[r], tick)];
  return next !== undefined && plan.bars[next].setup <= tick ? next : -1;
}

function lines(k) {
  const bar = plan.bars[k], job = plan.jobs[bar.job];
  const told = [`${plan.rows[bar.row].id} · ${moment(bar.start)} – ${moment(bar.end)} (${amount(bar.end - bar.start)})`];
  if (bar.setup < bar.start) told.push(`${word("set-up")}: ${moment(bar.setup)} – ${moment(bar.start)}`);
  if (bar.leave > bar.end) told.push(`${word("blocks the machine until")} ${moment(bar.leave)}`);
  const why = bar.why >= 0 ? plan.whys[bar.why][language] : "";
  if (why) told.push(`${word("why then")}: ${why}`);
  if (job.due !== null) told.push(`${word("due")}: ${moment(job.due)}`);
  if (job.late > 0) told.push(`${word("late by")} ${amount(job.late)}`);
  return [`${word("order")} ${job.id} · ${word("operation")} ${bar.op}`, told];
}

function show(k, px, py) {
  if (k < 0) { tip.hidden = true; return; }
  const [title, told] = lines(k);
  tip.replaceChildren();
  const head = document.createElement("b");
  head.textContent = title;
  tip.append(head);
  for (const text of told) { const p = document.createElement("div"); p.textContent = text; tip.append(p); }
  tip.hidden = false;
  const room = canvas.getBoundingClientRect();
  const left = Math.min(px + 14, room.width - tip.offsetWidth - 4), up = py + 18 + tip.offsetHeight > room.height;
  tip.style.left = `${Math.max(left, 4)}px`;
  tip.style.top = `${Math.max(up ? py - tip.offsetHeight - 10 : py + 18, 2)}px`;
}

function choose(k) {
  chosen = k;
  if (k < 0) { tip.hidden = true; draw(); return; }
  const bar = plan.bars[k], y = bar.row * ROW;
  if (x(bar.start) < GUTTER || x(bar.end) > canvas.clientWidth) from = bar.start - width() / scale / 3;
  if (y < top_) top_ = y;
  if (y + ROW > top_ + canvas.clientHeight - AXIS) top_ = y + ROW - canvas.clientHeight + AXIS;
  clamp();
  draw();
  show(k, x(bar.start), AXIS + y - top_);
  const [title, told] = lines(k);
  spoken.textContent = [title, ...told].join(". ");
}

function pick(job) {
  order = order === job ? -1 : job;
  document.querySelectorAll("aside button").forEach((b) => b.setAttribute("aria-pressed", String(Number(b.dataset.job) === order)));
  if (order >= 0) {
    const bars = plan.bars.map((bar, k) => [bar, k]).filter(([bar]) => bar.job === job).sort((a, b) => a[0].start - b[0].start);
    if (bars.length) {
      const begin = bars[0][0].setup, end = bars[bars.length - 1][0].leave;
      scale = Math.min(Math.max((width() * 0.9) / Math.max(end - begin, 1), least()), 40);
      from = begin - (width() / scale - (end - begin)) / 2;
      choose(bars[0][1]);
    }
  }
  draw();
}

function step_(change) {
  if (chosen < 0) { const row = rows.find((r) => r.length); if (row) choose(row[0]); return; }
  const row = rows[plan.bars[chosen].row], next = row[row.indexOf(chosen) + change];
  if (next !== undefined) choose(next);
}
function climb(change) {
  if (chosen < 0) { step_(1); return; }
  const bar = plan.bars[chosen];
  for (let r = bar.row + change; r >= 0 && r < rows.length; r += change) {
    if (rows[r].length) { choose(rows[r][Math.max(0, below(rows[r], bar.start + 1) - 1)]); return; }
  }
}

const KEYS = {
  ArrowRight: () => step_(1), ArrowLeft: () => step_(-1), ArrowDown: () => climb(1), ArrowUp: () => climb(-1),
  "+": () => zoom(1.5), "=": () => zoom(1.5), "-": () => zoom(1 / 1.5), 0: fit,
  Enter: () => { if (chosen >= 0) pick(plan.bars[chosen].job); },
  Escape: () => { choose(-1); if (order >= 0) pick(order); },
  PageDown: () => { top_ += canvas.clientHeight / 2; draw(); }, PageUp: () => { top_ -= canvas.clientHeight / 2; draw(); },
};
canvas.addEventListener("keydown", (event) => {
  const act = KEYS[event.key];
  if (act && !event.ctrlKey && !event.metaKey && !event.altKey) { event.preventDefault(); act(); }
});
let held = null;
canvas.addEventListener("pointerdown", (event) => {
  held = { x: event.offsetX, y: event.offsetY, from, top: top_, moved: false };
  canvas.setPointerCapture(event.pointerId);
});
canvas.addEventListener("pointermove", (event) => {
  if (held) {
    held.moved ||= Math.hypot(event.offsetX - held.x, event.offsetY - held.y) > 4;
    if (held.moved) { from = held.from - (event.offsetX - held.x) / scale; top_ = held.top - (event.offsetY - held.y); tip.hidden = true; draw(); }
    return;
  }
  show(hit(event.offsetX, event.offsetY), event.offsetX, event.offsetY);
});
canvas.addEventListener("pointerup", (event) => {
  if (held && !held.moved) choose(hit(event.offsetX, event.offsetY));
  held = null;
});
canvas.addEventListener("pointerleave", () => { if (!held && chosen < 0) tip.hidden = true; });
canvas.addEventListener("dblclick", (event) => { const k = hit(event.offsetX, event.offsetY); if (k >= 0) pick(plan.bars[k].job); });
canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  if (event.shiftKey) { from += event.deltaY / scale; draw(); }
  else if (event.ctrlKey || event.metaKey || event.offsetY < AXIS) zoom(event.deltaY < 0 ? 1.25 : 0.8, Math.max(event.offsetX, GUTTER));
  else if (event.offsetX < GUTTER) { top_ += event.deltaY; draw(); }
  else zoom(event.deltaY < 0 ? 1.25 : 0.8, event.offsetX);
  tip.hidden = true;
}, { passive: false });

function say() { // every word of the page in the chosen language
  root.lang = language === "zh" ? "zh-Hans" : "en";
  document.querySelectorAll("[data-word]").forEach((node) => { node.textContent = word(node.dataset.word); });
  document.querySelectorAll("[data-label]").forEach((node) => node.setAttribute("aria-label", word(node.dataset.label)));
  document.querySelectorAll("[data-hint]").forEach((node) => { node.placeholder = word(node.dataset.hint); });
  document.querySelectorAll("[data-ticks]").forEach((node) => { node.textContent = amount(Number(node.dataset.ticks)); });
  document.getElementById("remarks").replaceChildren(...plan.remarks.map((text) => {
    const p = document.createElement("p");
    p.textContent = text[language];
    return p;
  }));
  const list = document.getElementById("late");
  list.replaceChildren();
  const late = plan.jobs.map((job, k) => [job, k]).filter(([job]) => job.late > 0).sort((a, b) => b[0].late * b[0].weight - a[0].late * a[0].weight);
  document.getElementById("none").hidden = late.length > 0;
  for (const [job, k] of late.slice(0, 200)) {
    const item = document.createElement("li"), button = document.createElement("button");
    button.type = "button";
    button.dataset.job = k;
    button.setAttribute("aria-pressed", String(k === order));
    button.textContent = `${word("order")} ${job.id}: ${word("late by")} ${amount(job.late)}`;
    button.addEventListener("click", () => pick(k));
    item.append(button);
    for (const text of job.chain) { const p = document.createElement("p"); p.textContent = text[language]; item.append(p); }
    list.append(item);
  }
  draw();
}
function theme(name) { root.dataset.theme = name; readColours(); draw(); }

document.getElementById("in").addEventListener("click", () => zoom(1.5));
document.getElementById("out").addEventListener("click", () => zoom(1 / 1.5));
document.getElementById("fit").addEventListener("click", fit);
document.getElementById("language").addEventListener("click", () => { language = language === "zh" ? "en" : "zh"; say(); });
document.getElementById("theme").addEventListener("click", () => theme(root.dataset.theme === "dark" ? "light" : "dark"));
document.getElementById("find").addEventListener("change", (event) => {
  const wanted = event.target.value.trim(), job = plan.jobs.findIndex((row) => String(row.id) === wanted);
  if (job >= 0) { if (order !== job) pick(job); } else spoken.textContent = word("no such order");
});
new ResizeObserver(() => draw()).observe(canvas);
theme(matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
say();
fit();
