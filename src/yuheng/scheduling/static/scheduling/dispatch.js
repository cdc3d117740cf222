// What happened and what was asked for: asked for when the loop has news; never while somebody is in it.
import { listen } from "../web/live.js";

const EVERY_MS = 2000; // a plan that is being made says how far it is
const news = document.getElementById("news");

async function renew() {
  if (document.hidden || news.contains(document.activeElement) || news.querySelector("details[open]")) return;
  const answer = await fetch(news.dataset.news, { headers: { "X-Requested-With": "fetch" } });
  if (!answer.ok || answer.redirected) return;
  const text = await answer.text();
  if (text === news.dataset.shown || news.contains(document.activeElement)) return;
  news.dataset.shown = text;
  const parsed = new DOMParser().parseFromString(text, "text/html");
  news.replaceChildren(...parsed.body.childNodes);
}

if (news?.dataset.site) listen([`dispatch:${news.dataset.site}`], () => renew().catch(() => {}));
if (news) setInterval(() => renew().catch(() => {}), EVERY_MS); // a server that is away is asked again
