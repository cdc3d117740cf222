/**
 * Parts of a page that follow the plan: [data-follow=site] with [data-follows] inside, each with an id. When the plan or
 * what machines make changes, the page is asked for again and those parts are laid in; never while somebody is in one.
 */
import { listen } from "../web/live.js";

const SOON_MS = 400;
const EVERY_MS = 15_000; // what nobody told
const page = document.querySelector("[data-follow]");
let timer = 0;

const isInUse = (part) => part.contains(document.activeElement) || part.querySelector("input:checked, details[open]");

async function follow() {
  soon(EVERY_MS);
  if (document.hidden) return;
  const answer = await fetch(location.href, { redirect: "manual", cache: "no-store" });
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of page.querySelectorAll("[data-follows]")) {
    const newer = fresh.getElementById(part.id);
    if (newer && newer.innerHTML !== part.innerHTML && !isInUse(part)) part.replaceChildren(...newer.childNodes);
  }
}

function soon(delay) {
  clearTimeout(timer);
  timer = setTimeout(() => follow().catch(() => {}), delay);
}

if (page) {
  listen([`dispatch:${page.dataset.follow}`, `jobs:${page.dataset.follow}`], () => soon(SOON_MS));
  document.addEventListener("visibilitychange", () => document.hidden || soon(SOON_MS));
  soon(EVERY_MS);
}
