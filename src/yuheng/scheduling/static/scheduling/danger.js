// Orders in danger beside the alarms: asked for when the loop has news, and now and then; never while somebody is in it.
import { listen } from "../web/live.js";
import { isPast } from "../web/moment.js";

const EVERY_MS = 20_000;
const place = document.querySelector("[data-danger]");
let asking = false;
let again = false;

async function renew() {
  if (isPast()) return place.replaceChildren();
  if (document.hidden) return;
  if (asking) { again = true; return; }
  asking = true;
  try {
    const answer = await fetch(place.dataset.danger, { redirect: "manual" });
    if (!answer.ok) return;
    const text = await answer.text();
    if (text === place.dataset.shown || place.contains(document.activeElement)) return;
    place.dataset.shown = text;
    const isOpen = place.querySelector(".harmless")?.open ?? false;
    place.replaceChildren(...new DOMParser().parseFromString(text, "text/html").body.childNodes);
    const harmless = place.querySelector(".harmless");
    if (harmless) harmless.open = isOpen;
  } finally {
    asking = false;
    if (again) { again = false; renew().catch(() => {}); }
  }
}

if (place) {
  setInterval(() => renew().catch(() => {}), EVERY_MS);
  addEventListener("yuheng:moment", () => renew().catch(() => {}));
  document.addEventListener("visibilitychange", () => renew().catch(() => {}));
  listen([`dispatch:${place.dataset.site}`], () => renew().catch(() => {}));
  renew().catch(() => {});
}
