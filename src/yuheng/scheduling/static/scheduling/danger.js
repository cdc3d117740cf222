// Orders in danger beside the alarms: asked for when the loop has news, and now and then; never while somebody is in it.
import { listen } from "../web/live.js";
import { isPast } from "../web/moment.js";

const EVERY_MS = 20_000;
const RETRY_MS = 1_000; // a request that was lost or refused for the moment: not twenty seconds without the news
const place = document.querySelector("[data-danger]");
let asking = false;
let again = false;
let retry = 0;

async function renew() {
  if (isPast()) return place.replaceChildren();
  if (document.hidden) return;
  if (asking) { again = true; return; }
  asking = true;
  clearTimeout(retry);
  try {
    const answer = await fetch(place.dataset.danger, { redirect: "manual" });
    if (answer.status >= 500 || answer.status === 429) throw new Error(`${answer.status}`);
    if (!answer.ok) return; // signed out, or not for this reader: asking faster helps nobody
    const text = await answer.text();
    if (text === place.dataset.shown || place.contains(document.activeElement)) return;
    place.dataset.shown = text;
    const isOpen = place.querySelector(".harmless")?.open ?? false;
    place.replaceChildren(...new DOMParser().parseFromString(text, "text/html").body.childNodes);
    const harmless = place.querySelector(".harmless");
    if (harmless) harmless.open = isOpen;
  } catch {
    retry = setTimeout(renew, RETRY_MS);
  } finally {
    asking = false;
    if (again) { again = false; renew(); }
  }
}

if (place) {
  setInterval(() => renew(), EVERY_MS);
  addEventListener("yuheng:moment", () => renew());
  document.addEventListener("visibilitychange", () => renew());
  listen([`dispatch:${place.dataset.site}`], () => renew());
  renew();
}
