/** What of a board is in sight: minutes <-> pixels, rows <-> pixels, zooming and moving, never out of what there is. */
const LEAST_SPAN = 30;
const MOST_SPAN = 62 * 1440;
export const HEAD = 40;

export class BoardView {
  constructor() {
    Object.assign(this, { start: 0, span: 1440, top: 0, width: 800, height: 400, label: 150, row_height: 26, rows: 0, from: -Infinity, to: Infinity });
  }

  get scale() { return (this.width - this.label) / this.span; }
  get end() { return this.start + this.span; }
  x(minute) { return this.label + (minute - this.start) * this.scale; }
  minute(x) { return this.start + (x - this.label) / this.scale; }
  y(row) { return HEAD + row * this.row_height - this.top; }
  row(y) { return Math.floor((y - HEAD + this.top) / this.row_height); }
  firstRow() { return Math.max(0, this.row(HEAD)); }
  lastRow() { return Math.min(this.rows - 1, this.row(this.height)); }

  zoom(factor, x) {
    const at = this.minute(x);
    const span = Math.min(MOST_SPAN, Math.max(LEAST_SPAN, this.span * factor));
    this.start = at - ((at - this.start) * span) / this.span;
    this.span = span;
    this.keep();
  }

  pan(dx, dy) {
    this.start += dx / this.scale;
    this.top += dy;
    this.keep();
  }

  keep() {
    this.start = Math.min(Math.max(this.start, this.from - this.span * 0.8), this.to - this.span * 0.2);
    this.top = Math.min(Math.max(0, this.top), Math.max(0, this.rows * this.row_height - this.height + HEAD));
  }

  /** Bring a place into sight when it is not. */
  show(row, minute) {
    const y = this.y(row);
    if (y < HEAD) this.top -= HEAD - y;
    else if (y + this.row_height > this.height) this.top += y + this.row_height - this.height;
    if (minute < this.start || minute > this.end - this.span * 0.05) this.start = minute - this.span * 0.25;
    this.keep();
  }
}
