/** The operator's terminal: registering, choosing the station, signing in, the job. See terminal.html. */

import { readCode, hasCamera } from "./camera.js";
import { closeDialogs, h, openDialog } from "./dom.js";
import { JobScreen } from "./job-screen.js";
import { numberPad, typeIntoPads } from "./number-pad.js";
import { currentJob, nextJobs, project } from "./project.js";
import { listen } from "./scanner.js";
import { Store, uuid } from "./store.js";
import { Sync } from "./sync.js";
import { openWaiting } from "./waiting.js";
import { clock, isEnglish, lasting, named, setLanguage, t } from "./words.js";

const ACTIVE = "yuheng.terminal.active";
const THEME = "yuheng.terminal.theme";
const FILES = "yh-terminal-files";
const BADGE = "YHB-";
const SECOND_MS = 1000;
const JOBLESS = new Set(["sign_in", "sign_out", "help"]);

/** SHA-256 as hex; only where the page came with TLS or from this machine. */
async function sha256(text) {
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

const badgeText = (scanned) => scanned.normalize("NFKC").trim().toUpperCase();

class Terminal extends HTMLElement {
  async connectedCallback() {
    this.urls = { ...this.dataset };
    this.store = await Store.open();
    this.sync = new Sync(this.store, { snapshot: this.urls.snapshot, merge: this.urls.merge, live: this.urls.live });
    this.state = null;
    this.said = { text: "", isBad: false };
    this.wanted = null;
    this.begun = new Set(); // jobs that were seen begun or over here
    this.isSigningIn = false;
    this.jobScreen = new JobScreen(this);
    setLanguage(isEnglish() ? "en" : "zh");
    this.theme(localStorage.getItem(THEME) ?? document.documentElement.dataset.theme);
    const wedge = listen(window, (code) => this.scanned(code), () => this.say(t("The scan came in pieces. Scan again."), true));
    addEventListener("keydown", (event) => typeIntoPads(event, wedge));
    this.sync.addEventListener("change", () => this.refresh());
    await this.refresh();
    this.sync.start();
    setInterval(() => this.tick(), SECOND_MS);
    this.registerWorker();
  }

  theme(name) {
    document.documentElement.dataset.theme = name === "dark" ? "dark" : "light";
    localStorage.setItem(THEME, document.documentElement.dataset.theme);
  }

  async registerWorker() {
    if (!("serviceWorker" in navigator)) return;
    const hadOne = Boolean(navigator.serviceWorker.controller);
    navigator.serviceWorker.register(this.urls.worker, { scope: this.urls.page }).catch((error) => console.warn("terminal: worker", error));
    const ready = () => { if (navigator.serviceWorker.controller) this.dataset.offlineReady = "true"; }; // survives a reload now
    ready();
    navigator.serviceWorker.addEventListener("controllerchange", () => { ready(); this.isOutdated = hadOne; this.draw(); });
  }

  // ---- what is known ------------------------------------------------------------------------------------------------

  nowMs() {
    return this.sync.nowMs();
  }

  /** Read the store again and draw; one after the other, so that an older reading is never drawn over a newer one. */
  refresh() {
    this.refreshed = (this.refreshed ?? Promise.resolve()).then(() => this.readAndDraw(), () => this.readAndDraw());
    return this.refreshed;
  }

  async readAndDraw() {
    const [picture, queue, stream] = [await this.store.fact("picture"), await this.store.queue(), await this.store.stream()];
    this.queue = queue;
    this.waitingCount = queue.filter((action) => !action.outcome).length;
    this.picture = picture ?? null;
    this.state = picture ? project(picture, queue.map((action) => ({ ...action, stream: stream.id }))) : null;
    if (picture?.documents) this.keepFiles(picture.documents);
    this.tellMachine();
    this.tellPlan();
    this.draw();
  }

  /** Say once that the plan put another job next, or took the next one away; not when the next one was begun. */
  tellPlan() {
    if (!this.state?.station) return;
    const waiting = nextJobs(this.state);
    const next = waiting[0] ?? null;
    const former = this.nextTold;
    for (const job of this.state.jobs) if (!waiting.includes(job)) this.begun.add(job.id);
    this.nextTold = next?.id ?? null;
    if (former === undefined || former === null || former === this.nextTold || this.begun.has(former)) return;
    if (!next) this.said = { text: t("Nothing is next at this station any more."), isBad: false };
    else this.said = { text: t("Next is now %(job)s.", { job: `${next.order_code || next.request_code} / ${next.segment_code}` }), isBad: false };
  }

  /** Say once, to eyes and screen readers, what the machine has begun, stopped or ended since the last picture. */
  tellMachine() {
    const last = this.state?.machine?.[0];
    if (!this.state) return;
    if (last && this.machineTold !== undefined && last.id > this.machineTold) this.said = { text: this.machineWords(last), isBad: false };
    this.machineTold = Math.max(last?.id ?? 0, this.machineTold ?? 0);
  }

  machineWords({ kind, at_ms, job_code, ...row }) {
    const sentences = {
      started: t("%(time)s: the machine started %(job)s by itself", { time: this.timeOf(at_ms), job: job_code }),
      paused: t("%(time)s: the machine stopped %(job)s by itself", { time: this.timeOf(at_ms), job: job_code }),
      resumed: t("%(time)s: the machine went on with %(job)s by itself", { time: this.timeOf(at_ms), job: job_code }),
      finished: t("%(time)s: the machine finished %(job)s by itself", { time: this.timeOf(at_ms), job: job_code }),
    };
    const why = named(row, "reason");
    return `${sentences[kind]}${why ? ` (${why})` : ""}`;
  }

  timeOf(ms) {
    return clock(ms, this.zone(), this.nowMs());
  }

  /** Have the drawings of what comes next before the network can fail. */
  async keepFiles(addresses) {
    if (!("caches" in globalThis) || this.keptFiles === addresses.join()) return;
    this.keptFiles = addresses.join();
    const cache = await caches.open(FILES);
    const have = (await cache.keys()).map((request) => new URL(request.url).pathname + new URL(request.url).search);
    for (const address of have.filter((one) => !addresses.includes(one))) await cache.delete(address);
    for (const address of addresses.filter((one) => !have.includes(one))) await cache.add(address).catch(() => { this.keptFiles = ""; });
  }

  people() {
    return (this.state?.people ?? []).filter((one) => one.expires_ms === undefined || one.expires_ms > this.nowMs());
  }

  /** Who presses the buttons now. */
  active() {
    const people = this.people();
    return people.find((one) => one.session === localStorage.getItem(ACTIVE)) ?? people[0] ?? null;
  }

  currentJob() {
    return this.state && currentJob(this.state, this.wanted);
  }

  /** The job in front of the person: the one at work, else the one chosen, else the next. */
  shownJob() {
    const next = nextJobs(this.state);
    return this.currentJob() ?? next.find((job) => job.id === this.wanted) ?? next[0] ?? null;
  }

  // ---- doing --------------------------------------------------------------------------------------------------------

  /**
   * Put what a person did on disk, show it, send it; return whether it is there. What the tablet cannot write down (its
   * disk is full, the browser lost its store) did not happen, and says so.
   */
  async act(kind, job, payload = {}, more = {}) {
    const who = more.session ?? this.active()?.session;
    if (!who) { this.isSigningIn = true; this.draw(); return false; }
    if (!job && !JOBLESS.has(kind)) return false; // the job went while the button was pressed
    const action = { id: uuid(), kind, at_ms: this.nowMs(), session: who, job: job?.id ?? null, payload, ...more };
    try {
      await this.store.append(action);
    } catch (error) {
      console.warn("terminal: not written", error);
      this.say(t("This tablet could not write that down, so it did not happen: press again. If it stays so, reload the page and tell an engineer."), true);
      return false;
    }
    navigator.vibrate?.(30);
    await this.refresh();
    this.sync.now();
    return true;
  }

  say(text, isBad = false) {
    this.said = { text, isBad };
    this.draw();
  }

  async signInByBadge(scanned) {
    const person = await this.personOfBadge(scanned);
    if (person) return this.becomes(person, await sha256(badgeText(scanned)));
    return this.signIn({ badge: badgeText(scanned) });
  }

  async personOfBadge(scanned) {
    if (!crypto.subtle || !this.picture?.directory) return null;
    const digest = await sha256(this.picture.salt + (await sha256(badgeText(scanned))));
    return this.picture.directory.find((one) => one.digest === digest) ?? null;
  }

  /** Somebody whom this tablet knows: at once, with or without a network. */
  async becomes(person, fingerprint) {
    const before = this.people().find((one) => one.person_id === person.person_id);
    if (before) { await this.switchTo(before.session); return; }
    const session = uuid();
    const { person_id, name_zh, name_en, number } = person;
    localStorage.setItem(ACTIVE, session);
    this.isSigningIn = false;
    if (!(await this.act("sign_in", null, { badge: fingerprint }, { session, person: { person_id, name_zh, name_en, number } }))) return;
    this.say(t("%(name)s is signed in.", { name: named(person) }));
    await this.tellCrew();
  }

  /** Ask the server: a number and a PIN, or a badge that this tablet does not know yet. */
  async signIn(proof) {
    const session = uuid();
    let answer;
    try {
      answer = await this.sync.ask(this.urls.signIn, { session, ...proof });
    } catch (error) {
      this.say(error.refusal ?? t("There is no connection: scan a badge that this tablet knows."), true);
      return;
    }
    if (answer.status !== 200) {
      this.filledBy = ""; // what was wrong is typed again from the beginning
      this.say(answer.body.detail ?? t("This did not work."), true);
      return;
    }
    localStorage.setItem(ACTIVE, session);
    this.isSigningIn = false;
    this.say("");
    await this.sync.now();
    await this.tellCrew();
  }

  async switchTo(session) {
    localStorage.setItem(ACTIVE, session);
    this.isSigningIn = false;
    this.say(t("%(name)s is at work.", { name: named(this.active()) }));
    await this.tellCrew();
  }

  async signOut(person) {
    await this.act("sign_out", null, {}, { session: person.session });
    await this.tellCrew();
  }

  /** The running job goes on with other people: say who. */
  async tellCrew() {
    const job = this.currentJob();
    const active = this.active();
    if (!job || !active) return;
    await this.act("crew", job, { crew: this.people().filter((one) => one.session !== active.session).map((one) => one.person_id) });
  }

  // ---- scans --------------------------------------------------------------------------------------------------------

  async scanned(code) {
    const isBadge = code.toUpperCase().startsWith(BADGE) || this.isSigningIn || (this.state?.station && !this.active()) || Boolean(await this.personOfBadge(code));
    this.lastCode = isBadge ? t("a badge") : code;
    navigator.vibrate?.(50);
    const wasTaken = !dispatchEvent(new CustomEvent("yuheng:scan", { detail: this.lastCode, cancelable: true }));
    if (!this.state?.station) { this.pairWith?.(code); return; }
    if (isBadge) {
      closeDialogs();
      await this.signInByBadge(code);
      return;
    }
    if (!wasTaken) await this.jobScreen.scanned(code); // else a dialog has it
  }

  async openCamera() {
    const stop = new AbortController();
    await openDialog(t("Scan with the camera"), (body, close) => {
      if (!hasCamera()) {
        body.append(h("p", { class: "lead" }, t("This browser cannot read codes with its camera. A scanner that types works everywhere.")));
        return;
      }
      const video = h("video", { class: "camera", muted: true, playsinline: true });
      body.append(video);
      readCode(video, stop.signal).then((code) => { close(); if (code) this.scanned(code); }, (error) => body.append(h("p", { class: "lead" }, t("The camera could not be opened: %(why)s", { why: error.message }))));
    }, { label: t("Close") });
    stop.abort();
  }

  // ---- drawing ------------------------------------------------------------------------------------------------------

  tick() {
    for (const node of this.querySelectorAll("[data-since-ms]")) node.textContent = lasting(this.nowMs() - Number(node.dataset.sinceMs));
    const online = this.querySelector("[data-net]");
    if (online) online.textContent = this.netWords();
    if (this.hadPerson && !this.active()) this.draw();
  }

  netWords() {
    const waiting = this.waitingCount ? ` · ${t("%(n)s waiting", { n: this.waitingCount })}` : "";
    if (this.sync.isOnline === null) return t("Connecting…");
    if (this.sync.isOnline) return t("Online") + waiting;
    return t("Offline since %(time)s", { time: clock(this.sync.offlineSince, this.zone(), Date.now()) }) + waiting;
  }

  zone() {
    return this.picture?.site?.time_zone ?? "UTC";
  }

  draw() {
    const focused = this.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    this.hadPerson = Boolean(this.state && this.active());
    const { filledBy, nodes } = this.screen();
    const header = this.header();
    if (filledBy && filledBy === this.filledBy) { // somebody may be typing: what changed is around the fields
      this.firstElementChild.replaceWith(header);
      this.querySelector(".outcome").replaceWith(this.outcome());
    } else this.replaceChildren(header, ...nodes());
    this.filledBy = filledBy;
    if (focused) this.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
    this.dataset.waiting = String(this.waitingCount ?? 0);
    this.dataset.kept = String(this.queue?.length ?? 0);
    this.dataset.net = this.sync.isOnline === null ? "unknown" : this.sync.isOnline ? "online" : "offline";
  }

  /** What to show: `nodes()` makes it; `filledBy` tells screens with fields apart, which stay while it stays the same. */
  screen() {
    const fields = (...parts) => JSON.stringify([isEnglish(), ...parts]);
    if (this.sync.refusal && !this.picture?.station) return { filledBy: fields("code", this.sync.refusal), nodes: () => [this.registering()] };
    if (!this.state) return { filledBy: "", nodes: () => [this.connecting()] };
    if (!this.state.station) return { filledBy: fields("station", this.state.stations), nodes: () => [this.choosingStation()] };
    if (this.isSigningIn || !this.active()) {
      const people = this.people().map((one) => [one.session, named(one)]);
      return { filledBy: fields("person", people, Boolean(this.active()), this.sync.isOnline === false), nodes: () => [this.signingIn()] };
    }
    return { filledBy: "", nodes: () => this.jobScreen.draw() };
  }

  connecting() {
    const isAway = this.sync.isOnline === false;
    return h("main", { id: "content", class: "plain" },
      h("p", { class: "lead" }, isAway ? t("There is no connection, and this tablet does not know its station yet.") : t("Connecting…")));
  }

  header() {
    const conflicts = this.state?.conflicts?.length ?? 0;
    const isBad = this.sync.isOnline === false || Boolean(this.sync.refusal);
    const active = this.state && this.active();
    const station = this.state?.station;
    return h("header", { class: "terminal-top" },
      h("h1", {}, station ? `${station.code} ${named(station)}` : t("Station terminal")),
      active ? h("button", { type: "button", class: "person", "data-key": "person", onclick: () => this.openPeople() }, h("span", { class: "who" }, named(active)), h("small", {}, t("Change person"))) : null,
      h("span", { class: "spring" }),
      station ? h("button", { type: "button", "data-key": "camera", onclick: () => this.openCamera() }, t("Camera")) : null,
      station || this.queue?.length ? h("button", { type: "button", class: `net${isBad ? " is-away" : ""}${conflicts ? " has-conflicts" : ""}`, "data-key": "net", onclick: () => openWaiting(this) },
        h("span", { "data-net": "", role: "status" }, this.netWords()),
        conflicts ? h("b", {}, `▲ ${t("%(n)s conflicts", { n: conflicts })}`) : null) : null,
      h("button", { type: "button", "data-key": "theme", "aria-label": t("Light or dark"), onclick: () => { this.theme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"); } }, "◐"),
      h("button", { type: "button", "data-key": "language", lang: isEnglish() ? "zh-Hans" : "en", onclick: () => { setLanguage(isEnglish() ? "zh" : "en"); this.draw(); } }, isEnglish() ? "中文" : "EN"),
      this.isOutdated ? h("button", { type: "button", class: "primary", onclick: () => location.reload() }, t("New version: reload")) : null);
  }

  registering() {
    const field = h("input", { id: "yt-code", autocomplete: "off", autocapitalize: "characters", spellcheck: "false", maxlength: 20, class: "code-field" });
    this.pairWith = async (code) => {
      let answer;
      try {
        answer = await this.sync.ask(this.urls.pair, { code });
      } catch (error) {
        this.say(error.refusal ?? t("There is no connection."), true);
        return;
      }
      if (answer.status !== 200) { this.say(answer.body.detail, true); return; }
      this.say("");
      this.sync.now();
    };
    const form = h("form", { onsubmit: (event) => { event.preventDefault(); this.pairWith(field.value); } },
      h("label", { for: "yt-code" }, t("Code from the engineer")), field, h("button", { class: "primary big" }, t("Connect this tablet")));
    return h("main", { id: "content", class: "plain" }, h("h2", {}, t("Register this tablet")), h("p", { class: "lead" }, this.sync.refusal), this.outcome(), form);
  }

  choosingStation() {
    const pick = async (station) => {
      const answer = await this.sync.ask(this.urls.station, { station: station.id }).catch((error) => ({ status: 0, body: { detail: error.refusal ?? t("There is no connection.") } }));
      this.say(answer.status === 200 ? "" : answer.body.detail, answer.status !== 200);
      this.sync.now();
    };
    const list = h("div", { class: "choices" });
    const show = (text) => list.replaceChildren(...this.state.stations
      .filter((one) => `${one.code} ${one.name_zh} ${one.name_en}`.toLowerCase().includes(text.toLowerCase()))
      .map((one) => h("button", { type: "button", onclick: () => pick(one) }, h("b", {}, one.code), ` ${named(one)}`)));
    show("");
    return h("main", { id: "content", class: "plain" }, h("h2", {}, t("At which station does this tablet stand?")), this.outcome(),
      h("label", { for: "yt-find" }, t("Find")), h("input", { id: "yt-find", autocomplete: "off", oninput: (event) => show(event.target.value) }), list);
  }

  signingIn() {
    const people = this.people();
    const pad = numberPad([{ key: "number", label: t("Number"), value: "", hasFocus: true }, { key: "pin", label: t("PIN"), value: "", isSecret: true }], { words: padWords() });
    return h("main", { id: "content", class: "sign-in" },
      h("section", { class: "panel" }, h("h2", {}, t("Scan your badge")), h("p", { class: "lead" }, t("Just scan: nothing need be pressed.")), this.outcome(),
        people.length ? h("div", { class: "choices" }, people.map((one) => h("button", { type: "button", onclick: () => this.switchTo(one.session) }, named(one)))) : null,
        this.active() ? h("button", { type: "button", class: "big", onclick: () => { this.isSigningIn = false; this.say(""); } }, t("Back")) : null),
      h("section", { class: "panel" }, h("h2", {}, t("Or number and PIN")),
        this.sync.isOnline === false ? h("p", { class: "lead" }, t("Without a network only a badge works.")) : null,
        pad.node,
        h("div", { class: "pad-go" },
          h("button", { type: "button", class: "big", onclick: () => pad.focusField("pin") }, t("Next: PIN")),
          h("button", { type: "button", class: "primary big", onclick: () => this.signIn(pad.values()) }, t("Sign in")))));
  }

  outcome() {
    return h("p", { class: `outcome${this.said.isBad ? " is-bad" : ""}`, role: "status" }, this.said.isBad ? `▲ ${this.said.text}` : this.said.text);
  }

  async openPeople() {
    await openDialog(t("Who is here"), (body, close) => {
      const active = this.active();
      for (const one of this.people()) {
        const isActive = one.session === active?.session;
        body.append(h("div", { class: "person-row" },
          h("button", { type: "button", "aria-pressed": String(isActive), onclick: () => { close(); this.switchTo(one.session); } }, named(one), isActive ? h("small", {}, t("at work")) : null),
          h("button", { type: "button", onclick: () => { close(); this.signOut(one); } }, t("Sign out"))));
      }
      body.append(h("button", { type: "button", class: "primary big", onclick: () => { close(); this.isSigningIn = true; this.say(""); } }, t("Another person")));
    }, { label: t("Close") });
  }
}

export const padWords = () => ({ sign: t("Plus or minus"), back: t("Delete the last digit"), clear: t("Clear") });

customElements.define("y-terminal", Terminal);
