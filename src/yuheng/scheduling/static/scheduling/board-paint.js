/**
 * Paints a board on two canvases: one for what stands still (grid, calendars, bars), painted when the view or the plan
 * changes; one above it for what moves (the bar in hand, selection, links, now-line). `counts` says what was drawn.
 * Detail by size: names on wide bars, none on narrow ones, a row's bars merge into strips where a pixel holds several.
 */
import { clockFormat } from "../web/format.js";
import { FLAG } from "./board-data.js";
import { HEAD } from "./board-view.js";

const STEPS = [5, 10, 15, 30, 60, 120, 240, 480, 720, 1440, 2880, 10080];
const COLOURS = ["panel", "raised", "line", "line2", "edge", "text", "mute", "tile", "tile-run", "tile-line", "bar", "bar-bg", "act", "act-text", "sel", "p1", "p2", "p2t", "hold", "bg"];
const DAY = 1440;

export class Painter {
  constructor(still, moving, host, say) {
    Object.assign(this, { still, moving, host, say, counts: { bars: 0, still: 0, moving: 0 } });
    this.theme();
  }

  theme() {
    const css = getComputedStyle(this.host);
    this.colour = Object.fromEntries(COLOURS.map((name) => [name, css.getPropertyValue(`--${name}`).trim()]));
    const px = Math.round(parseFloat(css.fontSize) * 0.86);
    this.font = `${px}px ${css.getPropertyValue("--font")}`;
    this.bold = `600 ${this.font}`;
    this.em = px;
  }

  zone(name) {
    this.hour = clockFormat(name, { hour: "2-digit", minute: "2-digit" });
    this.day = clockFormat(name, { month: "2-digit", day: "2-digit", weekday: "short" });
    const parts = clockFormat(name, { year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric" });
    this.local = (ms) => {
      const p = Object.fromEntries(parts.formatToParts(ms).map((one) => [one.type, Number(one.value)]));
      return Date.UTC(p.year, p.month - 1, p.day, p.hour, p.minute, p.second);
    };
  }

  fit(view) {
    const ratio = devicePixelRatio || 1;
    for (const canvas of [this.still, this.moving]) {
      canvas.width = Math.round(view.width * ratio);
      canvas.height = Math.round(view.height * ratio);
      canvas.getContext("2d").setTransform(ratio, 0, 0, ratio, 0, 0);
    }
  }

  // ---- what stands still ---------------------------------------------------------------------------------------------

  paintStill(data, view, held) {
    const c = this.still.getContext("2d", { alpha: false });
    const { colour } = this;
    this.counts.still++;
    c.fillStyle = colour.panel;
    c.fillRect(0, 0, view.width, view.height);
    c.font = this.font;
    c.textBaseline = "middle";
    c.save();
    c.beginPath();
    c.rect(view.label, HEAD, view.width - view.label, view.height - HEAD);
    c.clip();
    const ticks = this.ticks(data, view);
    this.grounds(c, data, view, ticks);
    let drawn = 0;
    for (let r = view.firstRow(); r <= view.lastRow(); r++) drawn += this.paintRow(c, data, view, r, held);
    this.counts.bars = drawn;
    for (let r = view.firstRow(); r <= view.lastRow() && data.view === "units"; r++) this.stop(c, data, view, r);
    c.restore();
    this.heads(c, data, view, ticks);
    this.names(c, data, view);
  }

  ticks(data, view) {
    const step = STEPS.find((one) => one * view.scale >= this.em * 5) ?? STEPS.at(-1);
    const first = data.ms(view.start);
    const shift = (this.local(first) - Math.floor(first / 1000) * 1000) / 60e3; // minutes by which the wall is ahead
    const wall = first / 60e3 + shift;
    const found = [];
    for (let at = Math.ceil(wall / step) * step; at - wall < view.span; at += step) {
      const minute = view.start + (at - wall);
      found.push({ minute, isDay: ((at % DAY) + DAY) % DAY === 0, x: Math.round(view.x(minute)) + 0.5 });
    }
    return found;
  }

  grounds(c, data, view, ticks) {
    const { colour } = this;
    const now = data.minute(data.json.now_ms);
    for (let r = view.firstRow(); r <= view.lastRow(); r++) {
      const y = view.y(r);
      if (r % 2) { c.fillStyle = colour.raised; c.fillRect(view.label, y, view.width, view.row_height); }
      const calendar = data.view === "units" ? data.units.calendar[data.rows[r].key] ?? -1 : -1;
      if (calendar >= 0) this.closed(c, data.json.closed[calendar], view, y);
      if (calendar >= 0) this.overtime(c, data.overtime.get(data.rows[r].key), view, y, r);
    }
    c.fillStyle = colour["bar-bg"];
    c.globalAlpha = 0.75;
    const frozen = Math.max(0, data.json.frozen_min) * view.scale;
    c.fillRect(view.x(now), HEAD, frozen, view.height);
    c.globalAlpha = 1;
    for (const tick of ticks) {
      c.strokeStyle = tick.isDay ? colour.edge : colour.line2;
      c.beginPath();
      c.moveTo(tick.x, HEAD);
      c.lineTo(tick.x, view.height);
      c.stroke();
    }
  }

  /** When nobody works: a darker ground, found by halving. */
  closed(c, spans, view, y) {
    c.fillStyle = this.colour["line2"];
    let low = 0;
    let high = spans.length / 2;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (spans[2 * middle + 1] <= view.start) low = middle + 1;
      else high = middle;
    }
    for (let k = low; k < spans.length / 2 && spans[2 * k] < view.end; k++) {
      const x = view.x(spans[2 * k]);
      c.fillRect(x, y, Math.max(1, view.x(spans[2 * k + 1]) - x), view.row_height - 1);
    }
  }

  /** Overtime that the plan was made with: open ground again, between dashed edges. */
  overtime(c, spans, view, y, r) {
    for (const [start, end] of spans ?? []) {
      if (end <= view.start || start >= view.end) continue;
      const x = Math.max(view.label, view.x(start));
      const w = Math.max(1, view.x(end) - x);
      c.fillStyle = r % 2 ? this.colour.raised : this.colour.panel;
      c.fillRect(x, y, w, view.row_height - 1);
      c.strokeStyle = this.colour.edge;
      c.setLineDash([2, 3]);
      c.strokeRect(x + 0.5, y + 0.5, w - 1, view.row_height - 2);
      c.setLineDash([]);
    }
  }

  paintRow(c, data, view, r, held) {
    const row = data.rows[r];
    const y = view.y(r) + 3;
    const h = view.row_height - 6;
    let drawn = 0;
    let edge = -Infinity;
    for (let k = data.first(row, view.start); k < row.bars.length; k++) {
      const i = row.bars[k];
      if (data.setup[i] > view.end) break;
      if (data.end[i] < view.start || i === held) continue;
      const x = view.x(data.start[i]);
      const w = Math.max(1, (data.end[i] - data.start[i]) * view.scale - 1);
      if (w < 3 && x + w < edge + 1 && !data.isLate(i)) continue; // lies on what is painted already
      edge = x + w;
      this.bar(c, data, view, i, x, y, w, h);
      drawn++;
    }
    return drawn;
  }

  bar(c, data, view, i, x, y, w, h) {
    const { colour } = this;
    const flags = data.flags[i];
    const left = Math.max(x, view.label - 4);
    const seen = Math.min(x + w, view.width + 4) - left;
    const setup = (data.start[i] - data.setup[i]) * view.scale;
    if (setup > 1.5) this.setup(c, x - setup, y, setup, h);
    c.fillStyle = flags & FLAG.over ? colour["bar-bg"] : flags & FLAG.runs ? colour["tile-line"] : colour["tile-run"];
    c.fillRect(left, y, seen, h);
    if (w > 5) {
      c.strokeStyle = flags & FLAG.held ? colour.hold : colour["tile-line"];
      c.setLineDash(flags & (FLAG.held | FLAG.paused) ? [4, 3] : []);
      c.strokeRect(left + 0.5, y + 0.5, Math.max(1, seen - 1), h - 1);
      c.setLineDash([]);
    }
    const isLate = data.isLate(i);
    if (isLate) {
      c.fillStyle = colour.p2;
      c.fillRect(x, y, Math.min(5, Math.max(2, w)), h);
      if (w > 8) { c.strokeStyle = colour.text; c.strokeRect(x + 0.5, y + 0.5, 4.5, h - 1); }
    }
    if (w > 34) {
      const mark = (flags & FLAG.runs ? "▪ " : "") + (flags & FLAG.rush ? "‼ " : "") + (isLate ? "▲ " : "");
      const name = data.view === "units" ? data.ofOrder(i) : data.units.code[data.lane[i]] ?? "↗";
      this.text(c, mark + name + (w > 130 ? ` · ${data.nameOf(i)}` : ""), Math.max(left, view.label) + (isLate ? 8 : 5), y + h / 2 + 0.5, Math.min(x + w, view.width) - Math.max(left, view.label) - 10, flags & FLAG.over ? colour.mute : colour.text);
    }
  }

  /** A text that is cut by its own width; most texts are of the same few letters, so one guess is enough. */
  text(c, text, x, y, room, colour) {
    const fits = Math.floor(room / (this.em * 0.6));
    if (fits < 2) return;
    c.fillStyle = colour;
    if (text.length > fits && c.measureText(text).width > room) {
      let n = Math.min(text.length, fits);
      while (n > 1 && c.measureText(`${text.slice(0, n)}…`).width > room) n--;
      c.fillText(`${text.slice(0, n)}…`, x, y);
    } else c.fillText(text, x, y);
  }

  setup(c, x, y, w, h) {
    c.fillStyle = this.colour.panel;
    c.fillRect(x, y + h / 4, w, h / 2);
    c.strokeStyle = this.colour.edge;
    c.setLineDash([2, 2]);
    c.strokeRect(x + 0.5, y + h / 4 + 0.5, Math.max(0.5, w - 1), h / 2 - 1);
    c.setLineDash([]);
  }

  stop(c, data, view, r) {
    const stop = data.stops.get(data.rows[r].key);
    if (!stop || stop.start > view.end || stop.end < view.start) return;
    const y = view.y(r);
    const x = Math.max(view.label, view.x(stop.start));
    const w = view.x(stop.end) - x;
    const h = view.row_height;
    const words = this.say.stop(stop);
    c.save();
    c.beginPath();
    c.rect(x, y, Math.max(2, w), h);
    c.clip();
    c.fillStyle = this.colour.panel;
    c.globalAlpha = 0.7;
    c.fillRect(x, y, w, h);
    c.globalAlpha = 1;
    c.strokeStyle = this.colour.p1;
    c.lineWidth = 1.5;
    c.beginPath();
    for (let at = x - h; at < x + w; at += 7) { c.moveTo(at, y + h); c.lineTo(at + h, y); }
    c.stroke();
    c.strokeRect(x + 1, y + 1, Math.max(1, w - 2), h - 2);
    c.restore();
    c.font = this.bold;
    const width = c.measureText(words).width + 10;
    const at = this.roomForWords(data, view, r, x, w, width, stop);
    c.font = at === null ? this.font : this.bold;
    if (at === null) return; // the name of the lane says it
    c.fillStyle = this.colour.panel;
    c.fillRect(at, y + 3, width, h - 6);
    c.strokeStyle = this.colour.p1;
    c.lineWidth = 1;
    c.strokeRect(at + 0.5, y + 3.5, width - 1, h - 7);
    c.fillStyle = this.colour.text;
    c.fillText(words, at + 5, y + h / 2 + 0.5);
    c.font = this.font;
  }

  /** Where the words of a stop hide no bar: left of it, inside, or in a gap behind it; else nowhere. */
  roomForWords(data, view, r, x, w, width, stop) {
    if (x - width - 4 > view.label) return x - width - 4;
    if (w > width + 6) return x + 3;
    const row = data.rows[r];
    let free = view.width;
    for (let k = data.first(row, stop.end); k < row.bars.length && data.setup[row.bars[k]] < view.end; k++) {
      if (data.end[row.bars[k]] > stop.end) { free = Math.min(free, view.x(data.setup[row.bars[k]])); break; }
    }
    return free - (x + w) > width + 8 ? x + w + 4 : null;
  }

  heads(c, data, view, ticks) {
    const { colour } = this;
    c.fillStyle = colour.panel;
    c.fillRect(0, 0, view.width, HEAD);
    c.save();
    c.beginPath();
    c.rect(view.label, 0, view.width, HEAD);
    c.clip();
    let lastDay = "";
    let free = view.label;
    for (const tick of ticks) {
      const ms = data.ms(tick.minute) + 500;
      const day = this.day.format(ms);
      if (day !== lastDay) {
        const x = lastDay === "" ? Math.max(view.label + 3, tick.isDay ? tick.x + 3 : view.label + 3) : tick.x + 3;
        const width = c.measureText(day).width;
        if (x >= free) { c.fillStyle = colour.text; c.fillText(day, x, 12); free = x + width + 8; }
        lastDay = day;
      }
      if (!(tick.isDay && view.span > 7 * DAY)) { c.fillStyle = colour.mute; c.fillText(this.hour.format(ms), tick.x + 3, 29); }
    }
    c.restore();
    c.strokeStyle = colour.line;
    c.strokeRect(-1, HEAD - 0.5, view.width + 2, 0);
  }

  names(c, data, view) {
    const { colour } = this;
    c.save();
    c.beginPath();
    c.rect(0, HEAD, view.label - 1, view.height);
    c.clip();
    c.fillStyle = colour.panel;
    c.fillRect(0, HEAD, view.label, view.height);
    for (let r = view.firstRow(); r <= view.lastRow(); r++) {
      const row = data.rows[r];
      const y = view.y(r);
      const isDown = data.view === "units" && data.stops.has(row.key);
      const late = data.view === "orders" ? data.late[row.key] : 0;
      if (row.folded) {
        this.text(c, `▸ ${this.say.folded(row.folded)}`, 8, y + view.row_height / 2, view.label - 12, colour.mute);
        continue;
      }
      if (isDown || late) this.mark(c, isDown, y);
      c.font = this.bold;
      this.text(c, row.name, isDown || late ? 24 : 8, y + view.row_height / 2, view.label - 30, colour.text);
      const used = c.measureText(row.name).width + (isDown || late ? 32 : 16);
      c.font = this.font;
      const note = late ? this.say.late(late) : isDown ? this.say.back(data.stops.get(row.key)) : row.note;
      this.text(c, note, used, y + view.row_height / 2, view.label - used - 4, colour.mute);
      c.strokeStyle = colour.line2;
      c.strokeRect(-1, y + view.row_height - 0.5, view.label + 1, 0);
    }
    c.restore();
    c.strokeStyle = colour.line;
    c.strokeRect(view.label - 0.5, HEAD, 0, view.height);
  }

  /** ■ for what stands, ▲ for what is late, as everywhere. */
  mark(c, isDown, y) {
    c.fillStyle = isDown ? this.colour.p1 : this.colour.p2;
    c.strokeStyle = this.colour.text;
    c.beginPath();
    if (isDown) c.rect(7.5, y + 7.5, 11, 11);
    else { c.moveTo(13, y + 6); c.lineTo(19.5, y + 18); c.lineTo(6.5, y + 18); c.closePath(); }
    c.fill();
    c.stroke();
  }

  // ---- what moves ----------------------------------------------------------------------------------------------------

  /** `scene`: {selected, hover, links, hand: {i, row, start, unit, isRefused}, moves, changed: Map bar -> 0..1}. */
  paintMoving(data, view, scene) {
    const c = this.moving.getContext("2d");
    this.counts.moving++;
    c.clearRect(0, 0, view.width, view.height);
    c.save();
    c.beginPath();
    c.rect(view.label, HEAD, view.width - view.label, view.height - HEAD);
    c.clip();
    c.font = this.font;
    c.textBaseline = "middle";
    if (scene.hand && data.view === "units") this.unable(c, data, view, scene.hand);
    if (scene.selected >= 0) this.orderOf(c, data, view, scene);
    for (const [i, share] of scene.changed) this.outline(c, data, view, i, this.colour.act, 1 + 2 * (1 - share));
    for (const move of scene.moves) this.ghost(c, data, view, move);
    if (scene.hover >= 0 && !scene.hand) this.outline(c, data, view, scene.hover, this.colour.text, 1);
    if (scene.hand) this.inHand(c, data, view, scene.hand);
    const x = view.x(data.minute(scene.now));
    c.fillStyle = this.colour.act;
    c.fillRect(x - 1, HEAD, 2, view.height);
    c.restore();
    c.font = this.bold;
    const clock = this.hour.format(scene.now);
    if (x >= view.label && x < view.width) {
      const w = c.measureText(clock).width + 8;
      c.fillStyle = this.colour.act;
      c.fillRect(x - w / 2, HEAD - 17, w, 17);
      c.fillStyle = this.colour["act-text"];
      c.fillText(clock, x - w / 2 + 4, HEAD - 8);
    }
  }

  /** Lanes that cannot take what is in hand fade. */
  unable(c, data, view, hand) {
    c.fillStyle = this.colour.panel;
    c.globalAlpha = 0.62;
    for (let r = view.firstRow(); r <= view.lastRow(); r++) if (!data.rows[r].folded && !data.able_sets[hand.able].has(data.rows[r].key)) c.fillRect(view.label, view.y(r), view.width, view.row_height);
    c.globalAlpha = 1;
  }

  box(data, view, i, row = data.rowOfBar(i), start = data.start[i]) {
    return row < 0 ? null : [view.x(start), view.y(row) + 3, Math.max(2, (data.end[i] - data.start[i]) * view.scale - 1), view.row_height - 6];
  }

  outline(c, data, view, i, colour, width) {
    const box = this.box(data, view, i);
    if (!box) return;
    c.strokeStyle = colour;
    c.lineWidth = width;
    c.strokeRect(box[0] + 0.5, box[1] + 0.5, box[2] - 1, box[3] - 1);
    c.lineWidth = 1;
  }

  orderOf(c, data, view, scene) {
    const order = data.order[scene.selected];
    const hand = scene.hand;
    for (let r = view.firstRow(); r <= view.lastRow(); r++) {
      const row = data.rows[r];
      for (let k = data.first(row, view.start); k < row.bars.length && data.setup[row.bars[k]] <= view.end; k++) {
        const i = row.bars[k];
        if (data.order[i] === order && i !== hand?.i) this.outline(c, data, view, i, this.colour.sel, i === scene.selected ? 3 : 1.5);
      }
    }
    c.strokeStyle = c.fillStyle = this.colour.sel;
    const box = (i) => (hand?.i === i ? this.box(data, view, i, hand.row, hand.start) : this.box(data, view, i));
    for (const [before, after] of scene.links) {
      const a = data.place.get(before);
      const b = data.place.get(after);
      const from = a === undefined ? null : box(a);
      const to = b === undefined ? null : box(b);
      if (from && to) this.arrow(c, from[0] + from[2], from[1] + from[3] / 2, to[0], to[1] + to[3] / 2);
    }
  }

  arrow(c, x1, y1, x2, y2) {
    const bend = Math.max(14, Math.min(120, Math.abs(x2 - x1) / 2.5));
    c.lineWidth = 1.5;
    c.beginPath();
    c.moveTo(x1, y1);
    c.bezierCurveTo(x1 + bend, y1, x2 - bend, y2, x2 - 2, y2);
    c.stroke();
    c.beginPath();
    c.moveTo(x2, y2);
    c.lineTo(x2 - 7, y2 - 4);
    c.lineTo(x2 - 7, y2 + 4);
    c.fill();
    c.lineWidth = 1;
  }

  /** Where another job order goes because of the one in hand. */
  ghost(c, data, view, move) {
    const i = data.place.get(move.job_order_id);
    if (i === undefined) return;
    const unit = data.units.code.indexOf(move.to_unit);
    const row = data.view === "units" ? data.row_of.get(unit) ?? -1 : data.rowOfBar(i);
    const box = this.box(data, view, i, row, data.minute(Date.parse(move.to_start)));
    if (!box) return;
    c.strokeStyle = this.colour.act;
    c.setLineDash([3, 3]);
    c.strokeRect(box[0] + 0.5, box[1] + 0.5, box[2] - 1, box[3] - 1);
    c.setLineDash([]);
  }

  inHand(c, data, view, hand) {
    const { colour } = this;
    const old = hand.i >= 0 ? this.box(data, view, hand.i) : null;
    if (old) {
      c.setLineDash([3, 3]);
      c.strokeStyle = colour.sel;
      c.strokeRect(old[0] + 0.5, old[1] + 0.5, old[2] - 1, old[3] - 1);
      c.setLineDash([]);
    }
    const x = view.x(hand.start);
    const y = view.y(hand.row) + 3;
    const w = Math.max(4, hand.length * view.scale - 1);
    const h = view.row_height - 6;
    c.globalAlpha = 0.92;
    c.fillStyle = hand.isRefused ? colour.panel : colour.act;
    c.fillRect(x, y, w, h);
    c.globalAlpha = 1;
    c.lineWidth = 2;
    c.strokeStyle = hand.isRefused ? colour.p1 : colour.act;
    c.strokeRect(x + 1, y + 1, Math.max(2, w - 2), h - 2);
    c.lineWidth = 1;
    c.font = this.bold;
    const label = `${hand.isRefused ? "✕ " : ""}${hand.label} ${this.hour.format(data.ms(hand.start))}`;
    if (w > 60) this.text(c, label, Math.max(x, view.label) + 6, y + h / 2 + 0.5, w - 8, hand.isRefused ? colour.text : colour["act-text"]);
    c.font = this.font;
  }
}
