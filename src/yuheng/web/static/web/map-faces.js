/**
 * The faces of the tiles of a big plant, painted on a canvas that lies under the SVG.
 *
 * A browser paints an SVG as a whole: 200 changes a second among 2,000 tiles cost a tenth of a core. On the canvas only
 * what changed is painted. The SVG stays what it was: links, names for screen readers, focus and hover, the tab order and
 * the print-out; only its letters and fills are hidden on screen (map.css, .has-faces). Colours, weights and places of
 * the letters are read from the SVG and the style sheet, so that there is one definition of how a tile looks.
 */

const EDGE = 2; // how far an outline or the alarm mark reaches beyond its tile, map pixels
const MARK = 4; // which of a tile's texts is the alarm mark
const BAR = 2; // height of the share that is made, as in map_drawing.py
const MAX_PIXELS = 16e6; // of the canvas; a sharper one is not made

export class Faces {
  /** `tiles` and `areas` as in y-live-map.js. Returns null where the browser gives no canvas. */
  static over(svg, tiles, areas) {
    const canvas = document.createElement("canvas");
    canvas.className = "tile-faces no-print";
    canvas.setAttribute("aria-hidden", "true");
    const pen = canvas.getContext("2d");
    return pen && new Faces(svg, tiles, areas, canvas, pen);
  }

  constructor(svg, tiles, areas, canvas, pen) {
    Object.assign(this, { svg, tiles, areas, canvas, pen, looks: new Map(), frame: 0 });
    this.family = getComputedStyle(svg.querySelector("text")).fontFamily;
    for (const tile of tiles) {
      tile.box = boxOf(tile.node.querySelector("rect"));
      tile.badge = boxOf(tile.node.querySelector(".alarm-box"));
    }
    for (const area of areas) {
      const text = area.counts;
      area.place = { x: Number(text.getAttribute("x")), y: Number(text.getAttribute("y")), left: boxOf(text.parentNode.querySelector("rect")).x };
    }
    svg.before(canvas);
    svg.closest("y-live-map").classList.add("has-faces");
    this.sizes = new ResizeObserver(() => this.moved());
    this.sizes.observe(svg);
  }

  close() {
    this.sizes.disconnect();
    cancelAnimationFrame(this.frame);
    this.svg.closest("y-live-map").classList.remove("has-faces");
    this.canvas.remove();
  }

  /** The drawing was zoomed, panned or resized: place the canvas anew and paint everything in the next frame. */
  moved() {
    this.frame ||= requestAnimationFrame(() => { this.frame = 0; this.place(); this.paint(this.tiles, this.areas, true); });
  }

  /** Lay the canvas exactly over the SVG's box, with as many pixels as the screen has. */
  place() {
    const { svg, canvas } = this;
    const frame = canvas.offsetParent.getBoundingClientRect();
    const box = svg.getBoundingClientRect();
    const scroll = canvas.offsetParent;
    const sharp = Math.min(devicePixelRatio || 1, Math.sqrt(MAX_PIXELS / Math.max(1, box.width * box.height)));
    canvas.style.left = `${box.left - frame.left + scroll.scrollLeft - scroll.clientLeft}px`;
    canvas.style.top = `${box.top - frame.top + scroll.scrollTop - scroll.clientTop}px`;
    canvas.style.width = `${box.width}px`;
    canvas.style.height = `${box.height}px`;
    canvas.width = Math.max(1, Math.round(box.width * sharp));
    canvas.height = Math.max(1, Math.round(box.height * sharp));
    const m = svg.getScreenCTM();
    this.pen.setTransform(m.a * sharp, 0, 0, m.d * sharp, (m.e - box.left) * sharp, (m.f - box.top) * sharp);
    const view = this.pen.getTransform().inverse();
    const [a, b] = [view.transformPoint({ x: 0, y: 0 }), view.transformPoint({ x: canvas.width, y: canvas.height })];
    this.window = { x: a.x, y: a.y, w: b.x - a.x, h: b.y - a.y };
    this.isPlaced = true;
  }

  /** Paint these tiles and head lines of areas. `isBlank`: the canvas is empty, nothing has to be wiped first. */
  paint(tiles, areas, isBlank = false) {
    if (!this.isPlaced) return; // the first sizing paints everything
    const { pen, window: seen } = this;
    for (const tile of tiles) {
      const { x, y, w, h } = tile.box;
      if (x + w < seen.x || y + h < seen.y || x > seen.x + seen.w || y > seen.y + seen.h) continue;
      if (!isBlank) pen.clearRect(x - EDGE, y - EDGE, w + 2 * EDGE, h + 2 * EDGE);
      this.face(tile, this.look(tile));
    }
    for (const area of areas) this.counts(area, isBlank);
  }

  face(tile, look) {
    const { pen } = this;
    const { x, y, w, h } = tile.box;
    pen.beginPath();
    pen.roundRect(x, y, w, h, 2);
    if (look.fill) { pen.fillStyle = look.fill; pen.fill(); }
    if (look.stroke) {
      pen.setLineDash(look.dashes);
      pen.lineWidth = look.strokeWidth;
      pen.strokeStyle = look.stroke;
      pen.stroke();
    }
    const done = tile.made.bar.value;
    if (done > 0) { pen.fillStyle = look.bar; pen.fillRect(x, y + h - BAR, done, BAR); }
    if (tile.made.text.data) {
      pen.font = look.made.font;
      pen.fillStyle = look.made.fill;
      pen.textAlign = "right";
      pen.fillText(tile.made.text.data, look.made.x + x, tile.made.y);
      pen.textAlign = "left";
    }
    const hasMark = look.badge && tile.texts[MARK].data;
    if (hasMark) this.badge(tile.badge, look.badge);
    for (const [i, text] of tile.texts.entries()) {
      const letters = text.data;
      if (!letters || (i === MARK && !hasMark)) continue;
      const style = look.texts[i];
      pen.font = style.font;
      pen.fillStyle = style.fill;
      pen.fillText(letters, style.x + x, style.y + tile.lines[i]);
    }
  }

  badge({ x, y, w, h }, look) {
    const { pen } = this;
    pen.beginPath();
    pen.roundRect(x, y, w, h, 2);
    pen.fillStyle = look.fill;
    pen.fill();
    pen.setLineDash([]);
    pen.lineWidth = look.strokeWidth;
    pen.strokeStyle = look.stroke;
    pen.stroke();
  }

  counts(area, isBlank) {
    const { pen } = this;
    const { x, y, left } = area.place;
    const text = area.text.data;
    this.countStyle ??= letters(getComputedStyle(area.counts), this.family);
    pen.font = this.countStyle.font;
    const width = pen.measureText(text).width;
    if (!isBlank) {
      const wipe = Math.min(x - left, Math.max(width, area.wide ?? 0) + 4);
      pen.clearRect(x - wipe, y - 12, wipe + 2, 16);
    }
    area.wide = width;
    pen.fillStyle = this.countStyle.fill;
    pen.fillText(text, x - width, y);
  }

  /** How a tile of this class is drawn: asked of the style sheet once, on a copy of the tile that nobody sees. */
  look(tile) {
    const key = `${tile.node.getAttribute("class")} ${tile.node.dataset.tight ?? "-"}`;
    let look = this.looks.get(key);
    if (!look) {
      const probe = tile.node.cloneNode(true);
      probe.classList.add("probe");
      probe.removeAttribute("tabindex");
      this.svg.append(probe);
      const edge = getComputedStyle(probe.querySelector("rect"));
      const box = getComputedStyle(probe.querySelector(".alarm-box"));
      look = {
        fill: paintOf(edge.fill),
        stroke: paintOf(edge.stroke),
        strokeWidth: parseFloat(edge.strokeWidth),
        badge: box.display === "none" ? null : { fill: box.fill, stroke: box.stroke, strokeWidth: parseFloat(box.strokeWidth) },
        dashes: edge.strokeDasharray === "none" ? [] : edge.strokeDasharray.split(/[ ,]+/).map(parseFloat),
        bar: getComputedStyle(probe.querySelector(".tile-job")).fill,
        made: madeLook(probe.querySelector(".tile-made"), tile, this.family),
        texts: [...probe.querySelectorAll("text:not(.tile-made)")].map((text) => {
          const style = getComputedStyle(text);
          const shift = style.transform === "none" ? 0 : new DOMMatrix(style.transform).f;
          return { ...letters(style, this.family), x: Number(text.getAttribute("x")) - tile.box.x, y: shift };
        }),
      };
      probe.remove();
      this.looks.set(key, look);
    }
    return look;
  }
}

const letters = (style, family) => ({ font: `${style.fontWeight} ${style.fontSize} ${family}`, fill: style.fill });
const madeLook = (text, tile, family) => ({ ...letters(getComputedStyle(text), family), x: Number(text.getAttribute("x")) - tile.box.x });
const paintOf = (paint) => (paint === "none" ? "" : paint);

function boxOf(rect) {
  const [x, y, w, h] = ["x", "y", "width", "height"].map((name) => rect[name].baseVal.value);
  return { x, y, w, h };
}
