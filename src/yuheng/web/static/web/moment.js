/**
 * The moment that the page shows: now, or the past one that <body data-at-us> names.
 *
 *   shownNow()        milliseconds; the server's clock, or the moment
 *   isPast()
 *   setMoment(ms)     shows another moment; null: now. "yuheng:moment" is told on the window: {atMs}
 *   withMoment(url)   the address of the same thing at the same moment
 */
import { serverNow } from "./live.js";

const body = document.body;

export function atMs() {
  return body.dataset.atUs ? Number(body.dataset.atUs) / 1000 : null;
}

export function isPast() {
  return Boolean(body.dataset.atUs);
}

export function shownNow() {
  return atMs() ?? serverNow();
}

export function setMoment(ms) {
  if (ms === null) delete body.dataset.atUs;
  else body.dataset.atUs = String(Math.round(ms * 1000));
  body.classList.toggle("is-past", ms !== null);
  dispatchEvent(new CustomEvent("yuheng:moment", { detail: { atMs: ms } }));
}

export function withMoment(address) {
  const url = new URL(address, location.href);
  for (const name of ["at", "as"]) url.searchParams.delete(name);
  if (isPast()) url.searchParams.set("at", body.dataset.atUs);
  if (isPast() && body.dataset.as === "known") url.searchParams.set("as", "known");
  return url.href;
}
