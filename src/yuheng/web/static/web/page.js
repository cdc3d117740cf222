/** Small things of plant pages: the clock, relative times, the parts of the page that the server renews. */
import { clockFormat, duration } from "./format.js";
import { serverNow } from "./live.js";

const RENEW_MS = 5000;
const SLOW_MS = 15_000;

function clock() {
  for (const node of document.querySelectorAll("[data-clock]")) {
    const zone = node.dataset.clock;
    const parts = clockFormat(zone, { month: "2-digit", day: "2-digit", weekday: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" });
    node.textContent = parts.format(serverNow());
  }
  for (const node of document.querySelectorAll("[data-until]")) node.textContent = duration((Number(node.dataset.until) - serverNow()) / 1000);
  for (const node of document.querySelectorAll("[data-since]:not(.tile)")) {
    const since = Number(node.dataset.since);
    if (since) node.textContent = duration(serverNow() / 1000 - since / 1e6);
  }
}

/** Replace a part of the page by the server's newer version; keep focus and scroll. */
async function renew(part) {
  const answer = await fetch(part.dataset.renew, { redirect: "manual" });
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const piece of fresh.querySelectorAll("[data-part]")) {
    const old = document.querySelector(`[data-part="${piece.dataset.part}"]`);
    if (!old || old.innerHTML === piece.innerHTML) continue;
    const focused = old.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    const isOpen = [...old.querySelectorAll("details")].map((details) => details.open);
    old.replaceChildren(...piece.childNodes);
    old.querySelectorAll("details").forEach((details, i) => { details.open = isOpen[i] ?? false; });
    if (focused) old.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus();
  }
  clock();
}

function renewing() {
  const part = document.querySelector("[data-renew]");
  if (!part) return;
  let last = Date.now();
  let timer = 0;
  const soon = (delay) => {
    clearTimeout(timer);
    timer = setTimeout(() => { last = Date.now(); renew(part).catch(() => {}).finally(() => soon(SLOW_MS)); }, delay);
  };
  addEventListener("yuheng:changed", (event) => event.detail.needsPerson && soon(Math.max(300, last + RENEW_MS - Date.now())));
  soon(SLOW_MS);
}

/** Buttons that open a dialog; without scripts they are links to a page with the same rows. */
function dialogs() {
  addEventListener("click", async (event) => {
    const link = event.target.closest?.("a[data-dialog]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const dialog = document.getElementById("yh-dialog");
    const answer = await fetch(link.href, { redirect: "manual" });
    if (!answer.ok) { location.href = link.href; return; }
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    dialog.querySelector("[data-dialog-body]").replaceChildren(...fresh.querySelector("[data-dialog-content]").childNodes);
    dialog.showModal();
  });
}

setInterval(() => { clock(); dispatchEvent(new CustomEvent("yuheng:second")); }, 1000);
clock();
renewing();
dialogs();
