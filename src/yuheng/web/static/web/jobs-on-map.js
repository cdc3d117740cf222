/** Keeps what the tiles say of their job orders up to date; the server has drawn it once. Not while the past is shown. */
import { isPast } from "./moment.js";

const EVERY_MS = 20_000;
const map = document.querySelector("y-live-map[data-jobs-url]");

function show(tile, job) {
  const [share, text] = job ?? [0, ""];
  const bar = tile.querySelector(".tile-job");
  const title = tile.querySelector("title");
  const width = Number(tile.querySelector("rect").getAttribute("width"));
  bar?.setAttribute("width", String(job ? Math.max(1, share * width) : 0));
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
  for (const tile of map.querySelectorAll(".tile[data-unit]")) show(tile, jobs.get(tile.dataset.unit));
}

if (map) setInterval(() => renew().catch(() => {}), EVERY_MS);
