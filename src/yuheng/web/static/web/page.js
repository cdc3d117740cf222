/** Small things of plant pages: the clock, relative times, the parts of the page that the server renews. */
import { clockFormat, duration } from "./format.js";
import { isPast, shownNow, withMoment } from "./moment.js";

const RENEW_MS = 5000;
const SLOW_MS = 15_000;
const PAST_MS = 1000; // between two renewals while the past is played
const FULL = { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" };

function clock() {
  for (const node of document.querySelectorAll("[data-clock]")) {
    const zone = node.dataset.clock;
    const parts = clockFormat(zone, { month: "2-digit", day: "2-digit", weekday: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" });
    node.textContent = isPast() ? clockFormat(zone, FULL).format(shownNow()) : parts.format(shownNow());
  }
  for (const node of document.querySelectorAll("[data-until]")) node.textContent = duration((Number(node.dataset.until) - shownNow()) / 1000);
  for (const node of document.querySelectorAll("[data-since]:not(.tile)")) {
    const since = Number(node.dataset.since);
    if (since) node.textContent = duration(shownNow() / 1000 - since / 1e6);
  }
}

/** Replace a part of the page by the server's newer version; keep focus and scroll. */
async function renew(part) {
  const asked = withMoment(part.dataset.renew);
  const answer = await fetch(asked, { redirect: "manual" });
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (asked !== withMoment(part.dataset.renew) && isPast() !== asked.includes("at=")) return; // another time is shown by now
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
    timer = setTimeout(() => { last = Date.now(); renew(part).catch(() => {}).finally(() => isPast() || soon(SLOW_MS)); }, delay);
  };
  addEventListener("yuheng:changed", (event) => !isPast() && event.detail.needsPerson && soon(Math.max(300, last + RENEW_MS - Date.now())));
  addEventListener("yuheng:moment", () => soon(Math.max(150, last + PAST_MS - Date.now())));
  soon(SLOW_MS);
}

/** Buttons that open a dialog; without scripts they are links to a page with the same rows. */
function dialogs() {
  addEventListener("click", async (event) => {
    const link = event.target.closest?.("a[data-dialog]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const dialog = document.getElementById("yh-dialog");
    const answer = await fetch(withMoment(link.href), { redirect: "manual" });
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
