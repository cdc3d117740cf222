/** How a person moves over the plant map: the arrow keys from tile to tile, zoom and pan of the drawing. */

/** One tab stop for the map; the arrow keys go from tile to tile by place. */
export function roving(svg) {
  const links = [...svg.querySelectorAll("a.tile")];
  links.forEach((link, i) => link.setAttribute("tabindex", i ? "-1" : "0"));
  svg.addEventListener("keydown", (event) => {
    const direction = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[event.key];
    if (!direction) return;
    event.preventDefault();
    const next = nearest(document.activeElement, links, direction);
    if (!next) return;
    document.activeElement.setAttribute("tabindex", "-1");
    next.setAttribute("tabindex", "0");
    next.focus();
  });
}

function nearest(from, links, [dx, dy]) {
  const at = (link) => { const r = link.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; };
  const [x, y] = at(from);
  let best = null;
  let least = Infinity;
  for (const link of links) {
    const [lx, ly] = at(link);
    const along = (lx - x) * dx + (ly - y) * dy;
    const aside = Math.abs((lx - x) * dy) + Math.abs((ly - y) * dx);
    const cost = along + aside * 3;
    if (along > 1 && cost < least) [best, least] = [link, cost];
  }
  return best;
}

/** Zoom with the buttons in `controls` or Ctrl and wheel, pan by dragging; "whole plant" goes back. `onMove` after each. */
export function zooming(svg, controls, onMove) {
  const full = svg.viewBox.baseVal;
  const home = [full.x, full.y, full.width, full.height];
  let box = [...home];
  const show = () => { svg.setAttribute("viewBox", box.map((v) => v.toFixed(1)).join(" ")); onMove(); };
  const zoom = (factor, fx = 0.5, fy = 0.5) => {
    const w = Math.min(home[2], Math.max(home[2] / 20, box[2] * factor));
    const h = (w * home[3]) / home[2];
    box = [box[0] + (box[2] - w) * fx, box[1] + (box[3] - h) * fy, w, h];
    show();
  };
  controls.querySelector("[data-zoom=in]")?.addEventListener("click", () => zoom(0.7));
  controls.querySelector("[data-zoom=out]")?.addEventListener("click", () => zoom(1 / 0.7));
  controls.querySelector("[data-zoom=all]")?.addEventListener("click", () => { box = [...home]; show(); });
  svg.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    const r = svg.getBoundingClientRect();
    zoom(event.deltaY > 0 ? 1.15 : 1 / 1.15, (event.clientX - r.left) / r.width, (event.clientY - r.top) / r.height);
  }, { passive: false });
  let from = null;
  svg.addEventListener("pointerdown", (event) => { if (event.button === 0) from = { x: event.clientX, y: event.clientY, box: [...box], moved: false }; });
  addEventListener("pointermove", (event) => {
    if (!from || box[2] >= home[2]) return;
    const scale = box[2] / svg.getBoundingClientRect().width;
    from.moved ||= Math.hypot(event.clientX - from.x, event.clientY - from.y) > 4;
    if (from.moved) { box[0] = from.box[0] - (event.clientX - from.x) * scale; box[1] = from.box[1] - (event.clientY - from.y) * scale; show(); }
  });
  addEventListener("pointerup", () => { setTimeout(() => { from = null; }); });
  svg.addEventListener("click", (event) => { if (from?.moved) event.preventDefault(); }, true);
  svg.addEventListener("dragstart", (event) => event.preventDefault());
}
