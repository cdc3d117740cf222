/**
 * A board's columns as typed arrays with an index per lane: bars by start, so that painting and hitting touch only what is
 * in sight. Lanes are work units (`view` "units") or orders ("orders"); filters take bars and lanes out, the data stays.
 * Lanes of work units stand in the order of what needs the eye: those that stand, those with late orders, those with work;
 * what has no work folds into one line (`lanes` "all": every one, by work center). Where a bar in hand could go
 * (`unfolded`) there is always a lane, with all that is on it, whatever is filtered.
 */
export const FOLD = -2; // key of the line of idle stations
export const FLAG = { runs: 1, paused: 2, over: 4, held: 8, rush: 16, away: 32 };
const FIXED = FLAG.runs | FLAG.over | FLAG.away;

export class BoardData {
  constructor(json) {
    this.json = json;
    const { jobs, orders, units } = json;
    this.count = jobs.id.length;
    this.id = Float64Array.from(jobs.id);
    for (const name of ["lane", "setup", "start", "end", "order", "name", "flags", "able"]) this[name] = Int32Array.from(jobs[name]);
    this.code = jobs.code;
    this.late = Int32Array.from(orders.late);
    this.place = new Map(jobs.id.map((id, i) => [id, i]));
    this.able_sets = json.able.map((lanes) => new Set(lanes));
    this.stops = new Map(json.stops.map((stop) => [stop.lane, stop]));
    this.units = units;
    this.overtime = new Map();
    for (const [lane, start, end] of json.overtime ?? []) this.overtime.set(lane, [...(this.overtime.get(lane) ?? []), [start, end]]);
  }

  ofOrder(i) { return this.json.orders.code[this.order[i]]; }
  customerOf(i) { return this.json.customers[this.json.orders.customer[this.order[i]]] ?? ""; }
  nameOf(i) { return this.json.names[this.name[i]]; }
  isLate(i) { return this.late[this.order[i]] > 0; }
  mayMove(i) { return i >= 0 && !(this.flags[i] & FIXED); }
  isAble(i, unit) { return this.able_sets[this.able[i]].has(unit); }
  ms(minute) { return this.json.origin_ms + minute * 60e3; }
  minute(ms) { return (ms - this.json.origin_ms) / 60e3; }

  /** Lay the bars that pass on lanes. Twin of `BoardFilter.shows` in selectors/board.py. */
  lay(view, filter, unfolded = null) {
    const { orders, customers } = this.json;
    const low = (text) => (text ?? "").toLowerCase();
    const order = low(filter.order);
    const customer = low(filter.customer);
    const passes = orders.code.map((code, k) => low(code).includes(order) && low(customers[orders.customer[k]]).includes(customer) && (!filter.late || orders.late[k] > 0));
    const isUnitShown = this.units.code.map((code, k) => unfolded?.has(k) || ((!filter.unit || code === filter.unit) && (!filter.center || this.units.center[k] === filter.center)));
    const byUnits = view !== "orders";
    const narrowed = Boolean(order || customer || filter.late);
    this.rows = []; // {name, note, key, bars, longest}
    const rowOf = new Map();
    const row = (key, name, note) => {
      if (!rowOf.has(key)) { rowOf.set(key, this.rows.length); this.rows.push({ key, name, note, bars: [], longest: 0 }); }
      return this.rows[rowOf.get(key)];
    };
    if (byUnits) for (const k of this.inOrder(filter, isUnitShown, passes, unfolded)) row(k, this.units.code[k], this.units.name[k]);
    else orders.code.forEach((code, k) => passes[k] && row(k, code, customers[orders.customer[k]] ?? ""));
    for (let i = 0; i < this.count; i++) {
      const unit = this.lane[i];
      if ((!passes[this.order[i]] && !(byUnits && unfolded?.has(unit))) || (unit >= 0 ? !isUnitShown[unit] : filter.unit || filter.center)) continue;
      const to = byUnits ? row(unit, unit < 0 ? "↗" : this.units.code[unit], "") : row(this.order[i]);
      to.bars.push(i);
      to.longest = Math.max(to.longest, this.end[i] - this.setup[i]);
    }
    if (narrowed || !byUnits) this.rows = this.rows.filter((one) => one.bars.length || (byUnits && unfolded?.has(one.key)));
    if (byUnits && this.folded && !narrowed) row(FOLD, "", "").folded = this.folded;
    for (const one of this.rows) one.bars = Int32Array.from(one.bars.sort((a, b) => this.setup[a] - this.setup[b]));
    this.row_of = new Map(this.rows.map((one, r) => [one.key, r]));
    this.view = byUnits ? "units" : "orders";
    this.shown = this.rows.reduce((sum, one) => sum + one.bars.length, 0);
    return this;
  }

  /** Stations that get a lane, in their order; `folded` is how many of the rest there are. */
  inOrder(filter, isUnitShown, passes, unfolded) {
    const tier = this.units.code.map((_code, k) => (this.stops.has(k) ? 0 : 3));
    for (let i = 0; i < this.count; i++) {
      const k = this.lane[i];
      if (k >= 0 && tier[k] && passes[this.order[i]]) tier[k] = Math.min(tier[k], this.isLate(i) && !(this.flags[i] & FLAG.over) ? 1 : 2);
    }
    const shown = tier.map((_tier, k) => k).filter((k) => isUnitShown[k]);
    this.folded = 0;
    if (filter.lanes === "all" || filter.unit) return shown; // whoever names a station wants its lane
    const lanes = shown.filter((k) => tier[k] < 3 || unfolded?.has(k));
    this.folded = shown.length - lanes.length;
    return lanes.sort((a, b) => tier[a] - tier[b] || a - b);
  }

  rowOfBar(i) { return this.row_of.get(this.view === "units" ? this.lane[i] : this.order[i]) ?? -1; }

  /** Place in a row's bars of the first that may still last at `minute`. */
  first(row, minute) {
    const { bars, longest } = row;
    let low = 0;
    let high = bars.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.setup[bars[middle]] < minute - longest) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  at(r, minute) {
    const row = this.rows[r];
    if (!row) return -1;
    for (let k = this.first(row, minute); k < row.bars.length && this.setup[row.bars[k]] <= minute; k++) if (this.end[row.bars[k]] >= minute) return row.bars[k];
    return -1;
  }

  /** What can be said of a place at once, before the server has: a code of `WORDS` in board-moves.js, or "". */
  quick(i, unit, start) {
    const end = start + this.end[i] - this.start[i];
    const now = this.minute(this.json.now_ms);
    if (unit >= 0 && !this.isAble(i, unit)) return "not_able";
    if (start < now) return "past";
    if (start < now + this.json.frozen_min) return "frozen";
    const stop = this.stops.get(unit);
    if (stop && start < stop.end) return "stands";
    const row = this.rows[this.row_of.get(unit)];
    if (this.view === "units" && row) {
      for (let k = this.first(row, start); k < row.bars.length && this.setup[row.bars[k]] < end; k++) if (row.bars[k] !== i && this.end[row.bars[k]] > start) return "takes_room";
    }
    return "";
  }

  /** The edge of a neighbour that is near, so that a bar snaps to it; else the next step. */
  snap(i, unit, start, step, reach) {
    const row = this.view === "units" ? this.rows[this.row_of.get(unit)] : null;
    let best = Math.round(start / step) * step;
    let least = reach;
    if (row) {
      for (let k = this.first(row, start - reach); k < row.bars.length && this.setup[row.bars[k]] < start + reach; k++) {
        const gap = Math.abs(this.end[row.bars[k]] - start);
        if (row.bars[k] !== i && gap < least) { least = gap; best = this.end[row.bars[k]]; }
      }
    }
    return best;
  }
}
