/**
 * A page on a wall (?wall=1): scaled from its fixed size to the screen, 16:9 or 32:9 by its shape; goes through the pages
 * of `cycle=map,alarms` every `every=30` seconds; keeps the screen awake where the browser can; comes back by itself after
 * the server was away, and starts anew twice a day so that weeks do not add up. Nothing is drawn here: the pages are live.
 */
import { t } from "./format.js";

const WIDE_FROM = 2.6; // width : height
const LEAST_EVERY_S = 5;
const LOOK_MS = 15_000;
const ANEW_MS = 12 * 3600_000;
const root = document.documentElement;
const query = new URLSearchParams(location.search);
const pages = JSON.parse(document.getElementById("yh-wall").textContent);
const cycle = (query.get("cycle") ?? "").split(",").filter((name) => pages[name]);
const everyMs = Math.max(LEAST_EVERY_S, Number(query.get("every")) || 30) * 1000;
const openedAt = Date.now();
let isAway = false;

function scale() {
  const isWide = innerWidth / innerHeight > WIDE_FROM;
  root.dataset.wall = isWide ? "wide" : "";
  const factor = Math.min(innerWidth / (isWide ? 3840 : 1920), innerHeight / 1080);
  document.body.style.transform = `scale(${factor})`;
}

/** The same query on another page, so that the wall stays a wall. */
function address(path) {
  const url = new URL(path, location.href);
  for (const [name, value] of query) url.searchParams.set(name, value);
  return url.href;
}

function next() {
  const at = cycle.findIndex((name) => new URL(pages[name], location.href).pathname === location.pathname);
  return address(pages[cycle[(at + 1) % cycle.length]]);
}

/** Go there if the server answers with a page; stay with what is known otherwise. */
async function go(url) {
  try {
    const answer = await fetch(url, { redirect: "manual" });
    if (answer.ok) location.replace(url);
    else say(answer.type === "opaqueredirect" ? t("You are signed out: what you see is old. Sign in again.") : t("The server does not answer as it should."));
  } catch {
    say(t("No connection to the server."));
  }
}

function say(sentence) {
  isAway = true;
  const line = document.querySelector(".wall-trouble") ?? document.body.appendChild(Object.assign(document.createElement("p"), { className: "wall-trouble" }));
  line.setAttribute("role", "alert");
  line.textContent = sentence;
}

async function look() {
  try {
    const answer = await fetch(location.href, { redirect: "manual" });
    if (answer.type === "opaqueredirect") return say(t("You are signed out: what you see is old. Sign in again."));
    if (!answer.ok) return say(t("The server does not answer as it should."));
    if (isAway || Date.now() - openedAt > ANEW_MS) location.reload();
  } catch {
    say(t("No connection to the server."));
  }
}

async function stayAwake() {
  try {
    await navigator.wakeLock?.request("screen");
  } catch {
    // a screen that may sleep is the administrator's to set
  }
}

addEventListener("resize", scale);
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && stayAwake());
scale();
stayAwake();
setInterval(look, LOOK_MS);
if (cycle.length > 1 || (cycle.length === 1 && !location.pathname.startsWith(new URL(pages[cycle[0]], location.href).pathname))) setInterval(() => go(next()), everyMs);
