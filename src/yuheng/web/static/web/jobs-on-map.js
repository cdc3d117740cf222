/**
 * Keeps what the tiles say of their job orders up to date; the server has drawn it once. Pieces come live; words (another
 * job, another operator) are asked for when a job changed, and now and then. Not while the past is shown.
 */
import { listen } from "./live.js";
import { isPast } from "./moment.js";

const EVERY_MS = 20_000;
const SOON_MS = 400;
const WIDE = 62; // twin of MADE_W in map_drawing.py
const map = document.querySelector("y-live-map[data-jobs-url]");
const jobOf = new Map(); // unit -> job order shown
let asked = 0;

/** Twin of made_of in orders_now.py. */
function made(pieces, quantity, isLate) {
  return `${isLate ? "▲" : ""}${Math.round(pieces)}/${Math.round(quantity)}`;
}

function put(tile, share, text) {
  const width = Number(tile.querySelector("rect").getAttribute("width"));
  const bar = tile.querySelector(".tile-job");
  const wide = String(share === null ? 0 : Math.max(1, share * width));
  const node = tile.querySelector(".tile-made");
  const shown = width >= WIDE ? text : "";
  if (bar.getAttribute("width") === wide && node.textContent === shown) return;
  bar.setAttribute("width", wide);
  if (node.firstChild) node.firstChild.data = shown; // the text node stays: the canvas reads it
  else node.append(shown);
  map.madeChanged?.(tile.dataset.unit);
}

function show(tile, job) {
  const [share, text, pieces] = job ?? [null, "", ""];
  put(tile, share, pieces);
  const title = tile.querySelector("title");
  if (!title) return;
  const [name, ...rest] = title.textContent.split(title.dataset.name);
  const base = title.dataset.base ?? title.dataset.name;
  const wanted = text ? `${base} · ${text}` : base;
  if (title.dataset.name === wanted) return;
  title.dataset.name = wanted;
  title.textContent = name + wanted + rest.join("");
}

async function renew() {
  if (isPast() || document.visibilityState !== "visible") return;
  const answer = await fetch(map.dataset.jobsUrl, { redirect: "manual" });
  if (!answer.ok) return;
  const jobs = new Map((await answer.json()).jobs.map(([unit, ...job]) => [String(unit), job]));
  for (const tile of map.querySelectorAll(".tile[data-unit]")) {
    const job = jobs.get(tile.dataset.unit);
    jobOf.set(tile.dataset.unit, job?.[3] ?? 0);
    show(tile, job);
  }
}

function take(message) {
  if (isPast()) return;
  for (const [unit, job, , pieces, , quantity, , isLate] of message.jobs) {
    const tile = map.querySelector(`.tile[data-unit="${unit}"]`);
    if (!tile) continue;
    put(tile, job ? Math.min(1, quantity ? pieces / quantity : 0) : null, job ? made(pieces, quantity, isLate) : "");
    if (jobOf.get(String(unit)) !== job) {
      jobOf.set(String(unit), job);
      clearTimeout(asked);
      asked = setTimeout(() => renew().catch(() => {}), SOON_MS);
    }
  }
}

if (map) {
  setInterval(() => renew().catch(() => {}), EVERY_MS);
  if (map.dataset.jobs !== undefined) listen([`jobs:${map.dataset.site}`], take);
}
