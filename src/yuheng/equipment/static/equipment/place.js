// Arranging the plant map: tiles follow the pointer, the arrow keys or the numbers; only what was moved is sent.
const map = document.getElementById("place-map");
const form = document.getElementById("place-form");
const save = document.getElementById("place-save");
const boxes = Object.fromEntries(["x", "y", "w", "h"].map((name) => [name, document.getElementById(`place-${name}`)]));
const named = document.getElementById("place-name");
const rows = document.getElementById("place-row");
const tiles = [...map.querySelectorAll("g[data-kind]")];
const nothing = named.textContent;
const STEP = 2;
const chosen = new Set();
const moved = new Set();
let drag = null;

const at = (tile) => Object.fromEntries(["x", "y", "w", "h"].map((name) => [name, Number(tile.dataset[name])]));

function draw(tile) {
  const { x, y, w, h } = at(tile);
  tile.setAttribute("transform", `translate(${x} ${y})`);
  const rect = tile.querySelector("rect");
  rect.setAttribute("width", String(w));
  rect.setAttribute("height", String(h));
}

function put(tile, place) {
  for (const [name, value] of Object.entries(place)) tile.dataset[name] = String(Math.round(value * 10) / 10);
  moved.add(tile);
  draw(tile);
  tell();
}

function move(tile, right, down) {
  const here = at(tile);
  put(tile, { x: here.x + right, y: here.y + down });
  if (tile.dataset.kind === "area") {
    for (const unit of tiles) {
      if (unit.dataset.area === tile.dataset.id && !chosen.has(unit)) put(unit, { x: at(unit).x + right, y: at(unit).y + down });
    }
  }
}

function choose(tile, isMore) {
  if (!isMore) for (const other of chosen) { chosen.delete(other); other.setAttribute("aria-pressed", "false"); }
  if (isMore && chosen.has(tile)) chosen.delete(tile); else chosen.add(tile);
  tile.setAttribute("aria-pressed", String(chosen.has(tile)));
  tell();
}

function tell() {
  const one = chosen.size === 1 ? [...chosen][0] : null;
  for (const [name, box] of Object.entries(boxes)) {
    box.disabled = !one;
    if (document.activeElement !== box) box.value = one ? one.dataset[name] : "";
  }
  named.textContent = chosen.size ? [...chosen].map((tile) => tile.dataset.name).slice(0, 8).join(", ") : nothing;
  rows.disabled = chosen.size < 2;
  save.disabled = moved.size === 0;
  if (moved.size) save.textContent = save.dataset.words.replace("{n}", String(moved.size));
}

function pointIn(event) {
  const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(map.getScreenCTM().inverse());
  return { x: point.x, y: point.y };
}

map.addEventListener("pointerdown", (event) => {
  const tile = event.target.closest("g[data-kind]");
  if (!tile || event.button !== 0) return;
  if (event.shiftKey || !chosen.has(tile)) choose(tile, event.shiftKey);
  drag = pointIn(event);
  map.setPointerCapture(event.pointerId);
});
map.addEventListener("pointermove", (event) => {
  if (!drag) return;
  const now = pointIn(event);
  const right = Math.round((now.x - drag.x) / STEP) * STEP;
  const down = Math.round((now.y - drag.y) / STEP) * STEP;
  if (!right && !down) return;
  for (const tile of chosen) move(tile, right, down);
  drag = { x: drag.x + right, y: drag.y + down };
});
map.addEventListener("pointerup", () => { drag = null; });
map.addEventListener("pointercancel", () => { drag = null; });
map.addEventListener("keydown", (event) => {
  const tile = event.target.closest("g[data-kind]");
  if (!tile) return;
  const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  if (event.key === "Enter" || event.key === " ") choose(tile, event.shiftKey);
  else if (steps[event.key]) {
    if (!chosen.has(tile)) choose(tile, false);
    const far = event.shiftKey ? 10 * STEP : STEP;
    for (const one of chosen) move(one, steps[event.key][0] * far, steps[event.key][1] * far);
  } else return;
  event.preventDefault();
});
for (const [name, box] of Object.entries(boxes)) {
  box.addEventListener("change", () => {
    const value = Number(box.value);
    const [tile] = chosen;
    if (!tile || !Number.isFinite(value) || (["w", "h"].includes(name) && value <= 0)) return;
    put(tile, { [name]: value });
  });
}
rows.addEventListener("click", () => {
  const ordered = tiles.filter((tile) => chosen.has(tile) && tile.dataset.kind === "unit");
  if (ordered.length < 2) return;
  const first = at(ordered[0]);
  const columns = Math.ceil(Math.sqrt(ordered.length * 1.6));
  ordered.forEach((tile, index) => put(tile, {
    x: first.x + (index % columns) * (first.w + 6), y: first.y + Math.floor(index / columns) * (first.h + 6), w: first.w, h: first.h,
  }));
});
form.addEventListener("submit", () => {
  form.elements.namedItem("moves").value = JSON.stringify([...moved].map((tile) => ({ kind: tile.dataset.kind, id: Number(tile.dataset.id), ...at(tile) })));
  moved.clear();
});
window.addEventListener("beforeunload", (event) => { if (moved.size) event.preventDefault(); });
tiles.forEach(draw);
