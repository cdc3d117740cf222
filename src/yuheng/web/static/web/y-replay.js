/**
 * <y-replay data-kind="map|page|reload" …>: looks back. Dragging, stepping or playing shows another moment; the address keeps it.
 *
 * On the map the board of the moment is asked for once; playing folds the recorded changes into it, fetched in stretches
 * ahead of need. Any other page is asked from the server as it was, at most once every two seconds while playing; pages
 * with much of their own (alarms, trends) are opened anew where a drag ends.
 */
import { clockFormat, t } from "./format.js";
import { serverNow } from "./live.js";
import { atMs, isPast, setMoment, shownNow, withMoment } from "./moment.js";

const TICK_MS = 200;
const PAGE_MS = 2000; // between two whole pages while playing
const REST_MS = 500; // a drag has ended
const LEAST_AHEAD_MS = 60_000;
const MOST_AHEAD_MS = 1_800_000;
const AHEAD_S = 20; // seconds of playing that are fetched at once
const SVG = "http://www.w3.org/2000/svg";
const KEPT = /^\/(sites|work-units|alarms|analysis|trends)(\/|$)/; // pages that know moments

class Replay extends HTMLElement {
  connectedCallback() {
    this.map = this.dataset.kind === "map" ? document.querySelector("y-live-map") : null;
    const day = { month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" };
    this.clock = clockFormat(this.dataset.zone, { year: "numeric", ...day });
    this.short = clockFormat(this.dataset.zone, { month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit" });
    this.board = new Map(); // work unit id -> [id, state, cause, since_us] at this.at
    this.frames = [];
    this.at = atMs();
    this.slider = this.part("slider");
    this.controls();
    addEventListener("keydown", (this.onKey = (event) => this.key(event)));
    addEventListener("click", (this.onClick = (event) => this.keepMoment(event)), true);
    if (this.at !== null) {
      this.open();
      if (this.dataset.kind !== "reload") this.load(this.at);
      this.freeze();
    }
  }

  disconnectedCallback() {
    removeEventListener("keydown", this.onKey);
    removeEventListener("click", this.onClick, true);
    this.pause();
  }

  part(name) {
    return this.querySelector(`[data-replay=${name}]`);
  }

  // ---- controls -----------------------------------------------------------------------------------------------------

  controls() {
    this.part("open").addEventListener("click", () => this.open());
    this.part("close").addEventListener("click", () => (isPast() ? this.now() : this.close()));
    this.part("play").addEventListener("click", () => this.toggle());
    this.part("speed").addEventListener("change", () => { this.frames.length = 0; this.horizon = this.at; });
    this.part("span").addEventListener("change", () => this.window(shownNow()));
    this.part("known").addEventListener("change", () => { document.body.dataset.as = this.part("known").checked ? "known" : "shown"; if (isPast()) this.go(this.at); });
    for (const link of this.querySelectorAll("[data-replay=now]")) link.addEventListener("click", (event) => { event.preventDefault(); this.now(); });
    for (const button of this.querySelectorAll("[data-step]")) button.addEventListener("click", () => this.go(shownNow() + Number(button.dataset.step) * 1000));
    for (const button of this.querySelectorAll("[data-span-move]")) button.addEventListener("click", () => this.window(this.to + Number(button.dataset.spanMove) * 0.5 * this.spanMs()));
    this.slider.addEventListener("input", () => { this.pause(); this.go(Number(this.slider.value) * 1000); });
    this.querySelector("form").addEventListener("submit", (event) => {
      const ms = this.wallMs(this.part("at").value);
      if (ms === null) return;
      event.preventDefault();
      this.go(ms);
      this.window(ms + this.spanMs() / 2);
    });
  }

  key(event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input:not([type=range]), textarea, select, [contenteditable]")) return;
    if (event.key === "r" || event.key === "R") this.isOpen() ? this.close() : this.open();
    else if (event.key === " " && this.isOpen() && !event.target.closest?.("button, a, summary")) this.toggle();
    else return;
    event.preventDefault();
  }

  isOpen() {
    return !this.querySelector(".replay-bar").hidden;
  }

  reveal() {
    this.querySelector(".replay-bar").hidden = false;
    this.part("open").setAttribute("aria-expanded", "true");
  }

  open() {
    this.reveal();
    this.window(Math.min(serverNow(), shownNow() + (isPast() ? this.spanMs() / 2 : 0)));
    this.slider.focus();
  }

  close() {
    this.pause();
    this.querySelector(".replay-bar").hidden = true;
    this.part("open").setAttribute("aria-expanded", "false");
    this.part("open").focus();
  }

  spanMs() {
    return Number(this.part("span").value) * 1000;
  }

  /** Show a stretch of time that ends at ``to`` on the slider, with what happened in it. */
  async window(to) {
    this.to = Math.min(serverNow(), to);
    this.from = this.to - this.spanMs();
    Object.assign(this.slider, { min: Math.floor(this.from / 1000), max: Math.ceil(this.to / 1000), step: Math.max(1, Math.round(this.spanMs() / 1000 / 480)) });
    this.slide();
    this.querySelector("[data-from]").textContent = this.short.format(this.from);
    this.querySelector("[data-to]").textContent = this.short.format(this.to);
    const asked = (this.askedWindow = `${this.dataset.activity}?from_us=${Math.round(this.from * 1000)}&to_us=${Math.round(this.to * 1000)}`);
    const found = await this.ask(asked);
    if (found && asked === this.askedWindow) this.density(found.bins);
  }

  density(bins) {
    const most = Math.max(1, ...bins.map(([begun]) => begun));
    const bars = bins.flatMap(([begun, stops], at) => [begun && bar("begun", at, 14 * begun / most, 20), stops && bar("stops", at, 6, 6)]);
    this.querySelector("[data-density]").replaceChildren(...bars.filter(Boolean));
  }

  // ---- moments ------------------------------------------------------------------------------------------------------

  /** Show another moment. */
  go(ms) {
    this.at = ms = Math.min(ms, serverNow());
    this.frames.length = 0;
    this.horizon = null;
    this.announce();
    if (ms < this.from || ms > this.to) this.window(ms + this.spanMs() / 2);
    this.load(ms);
  }

  /** Tell everybody which moment is shown: banner, clock, slider, address, figures. */
  announce() {
    setMoment(this.at);
    if (!this.isOpen()) this.reveal();
    this.querySelector(".past-banner").hidden = false;
    this.querySelector("[data-past-clock]").textContent = this.clock.format(this.at);
    this.slide();
    if (document.activeElement !== this.part("at")) this.part("at").value = this.wall(this.at);
    clearTimeout(this.addressing);
    this.addressing = setTimeout(() => isPast() && history.replaceState(null, "", withMoment(location.href)), 400);
  }

  slide() {
    this.slider.value = Math.round(shownNow() / 1000);
    this.slider.setAttribute("aria-valuetext", this.clock.format(shownNow()));
  }

  /** The board of a moment: one question at a time, and the last moment wanted is always asked for. */
  async load(ms) {
    if (this.dataset.kind === "reload") return this.openAnew();
    if (!this.map) return this.loadPage();
    if (this.isAsking) return;
    this.isAsking = true;
    const found = await this.ask(withMoment(this.dataset.board));
    this.isAsking = false;
    if (ms !== this.at && this.at !== null && this.horizon === null) this.load(this.at);
    if (!found || !isPast() || (ms !== this.at && this.horizon !== null)) return;
    this.board = new Map(found.units.map((unit) => [unit[0], unit]));
    if (ms === this.at) this.horizon = ms;
    this.map.showAt(found.units, ms * 1000);
    this.dataset.shownUs = String(found.at_us);
    this.note(found);
    this.freeze();
  }

  openAnew() {
    clearTimeout(this.opening);
    this.opening = setTimeout(() => location.assign(withMoment(location.href)), REST_MS);
  }

  note(found) {
    const isUnrecorded = found.as === "known" && document.body.dataset.as !== "known";
    const sentence = found.trouble ? t("The history was not being watched at that moment.") : isUnrecorded ? t("What was shown then is not recorded: this is what is known now.") : found.as === "known" ? t("as it is known now") : t("as it was shown then");
    this.querySelector("[data-past-note]").textContent = sentence;
  }

  /** Any other page: as the server draws it at that moment. One at a time. */
  async loadPage() {
    if (this.isLoading) { this.isWanted = true; return; }
    this.isLoading = true;
    try {
      const answer = await fetch(withMoment(location.href), { redirect: "manual" });
      if (!answer.ok) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (!isPast()) return;
      for (const script of fresh.querySelectorAll("script[type='application/json'][id]")) document.getElementById(script.id)?.replaceWith(script);
      document.querySelector("main").replaceChildren(...fresh.querySelector("main").childNodes);
      document.querySelector("header .status")?.replaceChildren(...fresh.querySelector("header .status").childNodes);
      this.dataset.shownUs = fresh.body.dataset.atUs;
      this.freeze();
    } finally {
      this.isLoading = false;
      this.pageAt = performance.now();
      if (this.isWanted) { this.isWanted = false; this.loadPage(); }
    }
  }

  /** Nothing of the past can be changed. */
  freeze() {
    for (const form of document.querySelectorAll("main form[method=post]:not([data-keeps-reading])")) form.inert = isPast();
  }

  now() {
    this.pause();
    clearTimeout(this.addressing);
    if (!this.map || !document.body.dataset.atUs) { setMoment(null); location.assign(withMoment(location.href)); return; }
    setMoment(null);
    this.at = null;
    this.querySelector(".past-banner").hidden = true;
    history.replaceState(null, "", withMoment(location.href));
    this.map.showLive();
    this.freeze();
    this.window(serverNow());
  }

  // ---- playing ------------------------------------------------------------------------------------------------------

  toggle() {
    this.timer ? this.pause() : this.play();
  }

  play() {
    if (this.at === null) this.go(serverNow() - 600_000);
    this.lastTick = performance.now();
    this.timer = setInterval(() => this.tick(), TICK_MS);
    this.sayPlaying(true);
  }

  pause() {
    clearInterval(this.timer);
    this.timer = 0;
    this.sayPlaying(false);
  }

  sayPlaying(isPlaying) {
    const button = this.part("play");
    button.setAttribute("aria-pressed", String(isPlaying));
    button.querySelector("[data-play-mark]").textContent = isPlaying ? "❚❚" : "▶";
    button.querySelector("[data-play-word]").textContent = isPlaying ? t("Pause") : t("Play");
  }

  speed() {
    return Number(this.part("speed").value);
  }

  tick() {
    const now = performance.now();
    let next = this.at + (now - this.lastTick) * this.speed();
    this.lastTick = now;
    if (next >= serverNow() - 1500) return this.now();
    if (this.map) {
      if (this.horizon === null) return; // the board of the start is still on its way
      this.fetchAhead(next);
      next = Math.min(next, this.horizon);
    }
    if (next === this.at) return;
    this.at = next;
    this.announce();
    if (this.map) this.fold();
    else if (this.dataset.kind === "page" && !this.isLoading && now - (this.pageAt ?? 0) > PAGE_MS) this.loadPage();
  }

  /** Put in what changed up to the moment. */
  fold() {
    while (this.frames.length && this.frames[0][0] <= this.at * 1000) {
      const [, isWhole, units] = this.frames.shift();
      if (isWhole) this.board = new Map();
      for (const unit of units) this.board.set(unit[0], unit);
    }
    this.map.showAt([...this.board.values()], this.at * 1000);
  }

  /** One question at a time for a stretch ahead; longer ones for faster playing. */
  async fetchAhead(next) {
    const ahead = Math.min(MOST_AHEAD_MS, Math.max(LEAST_AHEAD_MS, AHEAD_S * 1000 * this.speed()));
    if (this.isFetching || this.horizon - next > ahead / 2) return;
    this.isFetching = true;
    const from = this.horizon;
    const to = Math.min(from + ahead, serverNow() - 1000);
    try {
      const found = to > from ? await this.ask(`${this.dataset.changes}?from_us=${Math.round(from * 1000)}&to_us=${Math.round(to * 1000)}`) : null;
      if (!found || from !== this.horizon) return; // somebody went elsewhere meanwhile
      this.frames.push(...found.frames);
      this.horizon = found.until_us / 1000;
    } finally {
      this.isFetching = false;
    }
  }

  async ask(address) {
    try {
      const answer = await fetch(address, { redirect: "manual", headers: { accept: "application/json" } });
      if (answer.ok) return await answer.json();
    } catch (error) {
      console.warn("replay", error);
    }
    this.querySelector("[data-past-note]").textContent = t("The history could not be read now.");
    return null;
  }

  // ---- addresses and wall time --------------------------------------------------------------------------------------

  /** Links inside the past stay there. */
  keepMoment(event) {
    const link = event.target.closest?.("a[href]");
    if (!link || !isPast() || link.dataset.replay || link.dataset.dialog !== undefined) return;
    const href = link instanceof SVGElement ? link.href.baseVal : link.getAttribute("href");
    const url = new URL(href, location.href);
    if (url.origin !== location.origin || !KEPT.test(url.pathname) || href.startsWith("#")) return;
    event.preventDefault();
    location.assign(withMoment(url.href));
  }

  /** Milliseconds as wall time of the site, for <input type=datetime-local>. */
  wall(ms) {
    const parts = Object.fromEntries(this.parts().formatToParts(ms).map(({ type, value }) => [type, value]));
    return `${parts.year}-${parts.month}-${parts.day}T${parts.hour}:${parts.minute}:${parts.second}`;
  }

  wallMs(text) {
    const asUtc = Date.parse(`${text.length === 16 ? `${text}:00` : text}Z`);
    if (Number.isNaN(asUtc)) return null;
    const offset = (ms) => Date.parse(`${this.wall(ms)}Z`) - Math.floor(ms / 1000) * 1000;
    return asUtc - offset(asUtc - offset(asUtc)); // twice: the first guess may lie on the other side of a change of clocks
  }

  parts() {
    return (this.format ??= new Intl.DateTimeFormat("en-CA", { timeZone: this.dataset.zone, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" }));
  }
}

function bar(name, at, height, base) {
  const rect = document.createElementNS(SVG, "rect");
  for (const [key, value] of Object.entries({ class: name, x: at, width: 1, y: base - height, height })) rect.setAttribute(key, value);
  return rect;
}

customElements.define("y-replay", Replay);
