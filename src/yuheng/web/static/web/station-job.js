/** What the station makes: pieces as the machine counts them; words anew when the job, its state or its troubles change. */
import { number } from "./format.js";
import { listen } from "./live.js";

const EVERY_MS = 15_000;
const SOON_MS = 300;
const root = document.querySelector("[data-station]");
const panel = document.querySelector("[data-job-panel]");
let shown = "";
let timer = 0;

async function renew() {
  const answer = await fetch(panel.dataset.jobPanel, { redirect: "manual" });
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-job-body]");
  const old = panel.querySelector("[data-job-body]");
  if (!fresh || old.innerHTML === fresh.innerHTML) return;
  const focused = old.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  old.replaceChildren(...fresh.childNodes);
  if (focused) old.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus();
}

function soon(delay) {
  clearTimeout(timer);
  timer = setTimeout(() => renew().catch(() => {}).finally(() => soon(EVERY_MS)), delay);
}

function put(selector, text) {
  const node = panel.querySelector(selector);
  if (node && node.textContent !== text) node.textContent = text;
}

function take(message) {
  for (const [unit, job, state, made, scrap, quantity, , isLate, troubles] of message.jobs) {
    if (unit !== Number(root.dataset.station)) continue;
    put("[data-job-made]", number(made));
    put("[data-job-share]", `${Math.round(quantity ? (100 * made) / quantity : 0)} %`);
    const now = [job, state, scrap, isLate, troubles].join();
    if (shown !== now) soon(SOON_MS);
    shown = now;
  }
}

if (panel) {
  listen([`jobs:${root.dataset.site}`], take);
  soon(EVERY_MS);
}
