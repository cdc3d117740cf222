/**
 * The alarm list, live: keyed rows, patched at most every PAUSE_MS; the server draws the first picture.
 *
 * Nothing moves under the finger: while somebody's pointer or focus is at work in the list, rows keep their places, new
 * ones are counted on a button, and those that are over are struck through. What the stream does not carry (hidden
 * alarms, everything) is asked of the server again, at most every SERVER_MS.
 */
import { clockFormat, duration, isEnglish } from "../web/format.js";
import { listen, serverNow } from "../web/live.js";
import { Acting } from "./acting.js";

const PAUSE_MS = 300;
const SERVER_MS = 2000;
const HOLD_MS = 8000; // how long after the last move of a pointer or key somebody counts as choosing
const CHATTERING = 4;
const BIT = { enabled: 1, active: 2, acked: 4, confirmed: 8, latched: 16, uncertain: 32 };
const LIVE = new Set(["open", "unacked", "active", "acked", "cleared"]);

const page = JSON.parse(document.getElementById("yh-alarms").textContent);
const root = document.querySelector("[data-alarm-list]");
const body = root.querySelector("[data-rows]");
const blank = document.getElementById("alarm-row").content.querySelector("tr");
const formats = clockFormat(page.zone, { month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" });

/** One of the page's sentences with %(name)s filled in. */
function say(key, values = {}) {
  return (page.words[key] ?? key).replace(/%\((\w+)\)s/g, (_, name) => String(values[name] ?? ""));
}

function wall(us) {
  if (!us) return "";
  const at = Object.fromEntries(formats.formatToParts(us / 1000).map((part) => [part.type, part.value]));
  return `${at.month}-${at.day} ${at.hour}:${at.minute}:${at.second}`;
}

/** Twin of state_key in shown.py; the stream carries nothing hidden. */
function stateKey(bits) {
  if (bits & BIT.active) return bits & BIT.acked ? "acked" : "unacked";
  if (!(bits & BIT.acked)) return "returned";
  if (bits & BIT.latched) return "latched";
  return bits & BIT.confirmed ? "normal" : "unconfirmed";
}

function record([id, unit, definition, priority, bits, at, cleared, count, children, by, value, zh, en]) {
  return { id, unit, definition, priority, bits, at, cleared, count, children, by, value, zh, en };
}

/** Write a text if it differs: each text laid out costs. */
function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

class Row {
  constructor(tr) {
    this.tr = tr;
    this.id = Number(tr.dataset.alarm);
    this.beganUs = Number(tr.dataset.began);
    this.kids = [];
    this.f = Object.fromEntries([...tr.querySelectorAll("[data-f]")].map((node) => [node.dataset.f, node]));
    this.symbols = [...tr.querySelectorAll("[data-symbol]")];
    this.grouped = tr.querySelector("[data-children]");
    this.children = 0;
  }

  static of(alarm) {
    const tr = blank.cloneNode(true);
    tr.dataset.alarm = String(alarm.id);
    tr.querySelector("input").value = String(alarm.id);
    tr.querySelector("[data-f=message]").href = `${root.dataset.url}${alarm.id}`;
    return new Row(tr);
  }

  fill(alarm) {
    const { tr, f } = this;
    const state = stateKey(alarm.bits);
    const unit = page.units[alarm.unit] ?? [String(alarm.unit), "", "", 0, "", ""];
    const message = isEnglish ? alarm.en || alarm.zh : alarm.zh || alarm.en;
    const shown = `alarm is-${state}`;
    if (tr.dataset.shown !== shown) {
      tr.classList.remove(...[...tr.classList].filter((name) => name.startsWith("is-") && name !== "is-chosen" && name !== "is-here"));
      tr.classList.add("alarm", `is-${state}`);
      tr.dataset.shown = shown;
    }
    tr.classList.remove("is-gone");
    if (tr.dataset.priority !== String(alarm.priority) || this.isNew !== false) {
      tr.dataset.priority = String(alarm.priority);
      for (const symbol of this.symbols) symbol.hidden = Number(symbol.dataset.symbol) !== alarm.priority;
    }
    this.isNew = false;
    write(f.priority, page.priority_words[alarm.priority]);
    write(f.state, page.state_words[state]);
    write(f.by, alarm.by && alarm.bits & BIT.acked ? say("acked_by", { who: alarm.by }) : "");
    if (this.beganUs !== alarm.at || !f.at.textContent) write(f.at, wall(alarm.at));
    this.beganUs = alarm.at;
    write(f.unit, unit[0]);
    f.unit.getAttribute("href") === `/work-units/${alarm.unit}` || f.unit.setAttribute("href", `/work-units/${alarm.unit}`);
    write(f.area, isEnglish ? unit[5] || unit[4] : unit[4] || unit[5]);
    write(f.message, message);
    tr.querySelector("input").setAttribute("aria-label", `${unit[0]} ${message}`);
    write(f.value, alarm.value);
    f.mark.hidden = alarm.count < 2;
    write(f.mark, say(alarm.count >= CHATTERING ? "chattering" : "times", { n: alarm.count }));
    f.doubt.hidden = !(alarm.bits & BIT.uncertain);
    this.grouped.hidden = !alarm.children;
    write(this.grouped, say("grouped", { n: alarm.children }));
    if (this.children !== alarm.children) {
      this.children = alarm.children;
      if (this.kids.length) this.grouped.dispatchEvent(new CustomEvent("yuheng:children", { bubbles: true }));
    }
    this.since();
  }

  since() {
    const seconds = this.beganUs ? serverNow() / 1000 - this.beganUs / 1e6 : 0;
    write(this.f.since, this.beganUs ? duration(seconds < 60 ? seconds - (seconds % 10) : seconds) : "");
  }
}

class AlarmList {
  constructor() {
    this.alarms = new Map();
    this.rows = new Map();
    this.changed = new Set();
    this.waiting = new Set();
    this.isLive = LIVE.has(page.shown);
    this.flushedAt = -1e6;
    this.timer = 0;
    this.heardAt = 0;
    this.touchedAt = -1e6;
    this.isPointerIn = false;
    this.isUnordered = false;
    this.heldButton = root.querySelector("[data-held]");
    for (const tr of body.querySelectorAll("tr")) this.adopt(tr);
    root.classList.add("is-live-list");
    this.watchHands();
    this.acting = new Acting(root, body, this, say);
    const live = listen([`alarms:${page.site}`], (message) => this.take(message));
    live.onlink = (state) => this.link(state);
    this.heldButton?.addEventListener("click", () => this.release());
    setInterval(() => this.tick(), 1000);
  }

  adopt(tr) {
    const row = new Row(tr);
    this.rows.set(row.id, row);
    row.since();
    return row;
  }

  // ---- what comes ---------------------------------------------------------------------------------------------------

  take(message) {
    this.heardAt = performance.now();
    this.trouble(message.trouble ? say("trouble") : "");
    this.counts(message.counts);
    if (!this.isLive) return this.askServer();
    if (message.kind === "snapshot") {
      for (const id of [...this.alarms.keys(), ...this.rows.keys()]) this.changed.add(id);
      this.alarms.clear();
    }
    for (const given of message.alarms) {
      const alarm = record(given);
      this.alarms.set(alarm.id, alarm);
      this.changed.add(alarm.id);
    }
    for (const id of message.gone ?? []) {
      this.alarms.delete(id);
      this.changed.add(id);
    }
    if (this.changed.size) this.soon();
  }

  /** After a pause at once; in a stream of changes every PAUSE_MS. */
  soon() {
    if (this.timer) return;
    const wait = PAUSE_MS - (performance.now() - this.flushedAt);
    if (wait <= 0) this.flush();
    else this.timer = setTimeout(() => this.flush(), wait);
  }

  fits(alarm) {
    if (!alarm) return false;
    const { bits } = alarm;
    const isOf = { open: true, unacked: !(bits & BIT.acked), active: bits & BIT.active, acked: bits & BIT.active && bits & BIT.acked, cleared: !(bits & BIT.active) }[page.shown];
    if (!isOf) return false;
    if (page.priorities.length && !page.priorities.includes(alarm.priority)) return false;
    if (page.work_units.length && !page.work_units.includes(alarm.unit)) return false;
    if (page.definitions.length && !page.definitions.includes(alarm.definition)) return false;
    const unit = page.units[alarm.unit] ?? [];
    if (page.areas.length && !page.areas.includes(unit[3])) return false;
    if (!page.text) return true;
    const name = page.names[alarm.definition] ?? [];
    return [alarm.zh, alarm.en, unit[0], unit[1], unit[2], ...name].join("\n").toLowerCase().includes(page.text);
  }

  // ---- what is shown ------------------------------------------------------------------------------------------------

  flush() {
    clearTimeout(this.timer);
    this.timer = 0;
    this.flushedAt = performance.now();
    const isHeld = this.isHeld();
    for (const id of this.changed) {
      const alarm = this.alarms.get(id);
      const row = this.rows.get(id);
      if (!this.fits(alarm)) {
        this.waiting.delete(id);
        if (!row) continue;
        if (isHeld) { row.tr.classList.add("is-gone"); this.isUnordered = true; } else this.drop(row);
      } else if (row) {
        row.fill(alarm);
        this.isUnordered = true;
      } else if (isHeld) {
        this.waiting.add(id);
      } else {
        this.make(alarm);
      }
    }
    this.changed.clear();
    if (!isHeld) this.settle();
    this.tellHeld();
  }

  make(alarm) {
    const row = Row.of(alarm);
    row.fill(alarm);
    this.rows.set(alarm.id, row);
    this.isUnordered = true;
  }

  drop(row) {
    for (const tr of [row.tr, ...row.kids]) tr.remove();
    this.rows.delete(row.id);
  }

  /** Everything to its place: over ones leave, waiting ones come, the most urgent first. */
  settle() {
    for (const row of [...this.rows.values()]) if (row.tr.classList.contains("is-gone") && !this.fits(this.alarms.get(row.id))) this.drop(row);
    for (const id of this.waiting) if (!this.rows.has(id) && this.alarms.has(id)) this.make(this.alarms.get(id));
    this.waiting.clear();
    if (this.isUnordered) this.order();
    this.isUnordered = false;
    this.tellHeld();
  }

  order() {
    const active = document.activeElement;
    const sorted = [...this.rows.keys()].map((id) => this.alarms.get(id)).filter(Boolean).sort(urgency);
    let place = body.firstElementChild;
    sorted.forEach((alarm, i) => {
      const row = this.rows.get(alarm.id);
      if (i >= page.limit) { row.tr.remove(); for (const kid of row.kids) kid.remove(); return; }
      for (const tr of [row.tr, ...row.kids]) {
        if (tr === place) place = place.nextElementSibling;
        else body.insertBefore(tr, place);
      }
    });
    if (active !== document.activeElement && active?.isConnected) active.focus({ preventScroll: true });
    this.more(Math.max(0, sorted.length - page.limit), sorted.length);
  }

  more(hidden, all) {
    const node = root.querySelector("[data-more]");
    node.hidden = !hidden;
    if (hidden) write(node, say("more", { n: hidden }));
    root.querySelector("[data-empty]").hidden = all > 0;
  }

  counts(counts) {
    for (const node of root.querySelectorAll("[data-count]")) write(node, String(counts[node.dataset.count] ?? 0));
  }

  tellHeld() {
    if (!this.heldButton) return;
    const count = [...this.waiting].filter((id) => this.fits(this.alarms.get(id))).length;
    this.heldButton.hidden = !count;
    if (count) write(this.heldButton, say("new", { n: count }));
    root.querySelector("[data-empty]").hidden = this.rows.size > 0;
  }

  // ---- hands --------------------------------------------------------------------------------------------------------

  watchHands() {
    const touch = () => { this.touchedAt = performance.now(); };
    body.addEventListener("pointerenter", () => { this.isPointerIn = true; });
    body.addEventListener("pointermove", () => { this.isPointerIn = true; touch(); });
    body.addEventListener("pointerdown", touch);
    body.addEventListener("pointerleave", () => { this.isPointerIn = false; });
    addEventListener("keydown", touch);
    root.addEventListener("scroll", touch, true);
  }

  isHeld() {
    if (document.querySelector("#alarm-ask[open]")) return true;
    const isAt = this.isPointerIn || body.contains(document.activeElement);
    return isAt && performance.now() - this.touchedAt < HOLD_MS;
  }

  release() {
    this.flush();
    this.settle();
  }

  tick() {
    if (this.isLive && (this.waiting.size || this.isUnordered) && !this.isHeld()) this.settle();
    this.beat = ((this.beat ?? 0) + 1) % 5;
    if (this.beat === 0) for (const row of this.rows.values()) row.since();
  }

  // ---- the server's own picture -------------------------------------------------------------------------------------

  askServer(waitMs = SERVER_MS) {
    this.serverTimer ||= setTimeout(() => { this.serverTimer = 0; this.fromServer().catch(() => {}); }, waitMs);
  }

  /** After an action: the stream tells; if it does not within a moment, ask. */
  acted() {
    const before = this.heardAt;
    setTimeout(() => { if (!this.isLive || this.heardAt === before) this.askServer(0); }, 1200);
  }

  async fromServer() {
    if (this.isHeld() && !this.isLive) return this.askServer();
    const fresh = await rowsOf(root.dataset.rowsUrl);
    if (!fresh) return;
    const named = new Set();
    let place = body.firstElementChild;
    for (const tr of fresh) {
      const id = Number(tr.dataset.alarm);
      named.add(id);
      const old = this.rows.get(id);
      if (old && old.tr.dataset.said === tr.innerHTML) { place = old.tr === place ? place.nextElementSibling : (body.insertBefore(old.tr, place), place); continue; }
      tr.dataset.said = tr.innerHTML;
      tr.querySelector("input").checked = old?.tr.querySelector("input").checked ?? false;
      const hadFocus = old?.tr.contains(document.activeElement);
      if (old) { if (old.tr === place) place = place.nextElementSibling; this.drop(old); }
      body.insertBefore(tr, place);
      this.adopt(tr);
      if (hadFocus) tr.focus({ preventScroll: true });
    }
    for (const row of [...this.rows.values()]) if (!named.has(row.id)) this.drop(row);
    this.more(0, named.size);
  }

  rowsOf(url) {
    return rowsOf(url);
  }

  // ---- trouble ------------------------------------------------------------------------------------------------------

  link(state) {
    this.trouble(state === "lost" ? say("lost") : state === "signed_out" ? say("signed_out") : "");
  }

  trouble(sentence) {
    const node = root.querySelector("[data-trouble]");
    if (node.textContent !== sentence) node.textContent = sentence;
    node.hidden = !sentence;
  }
}

/** Not acknowledged first, then by priority, newest first; as the server orders. */
function urgency(a, b) {
  return (a.bits & BIT.acked) - (b.bits & BIT.acked) || a.priority - b.priority || b.at - a.at || b.id - a.id;
}

/** The rows of a fragment of the server, or null when it cannot be had. */
async function rowsOf(url) {
  const answer = await fetch(url, { redirect: "manual" });
  if (!answer.ok) return null;
  const fresh = new DOMParser().parseFromString(`<table><tbody>${await answer.text()}</tbody></table>`, "text/html");
  return [...fresh.querySelectorAll("tr")];
}

new AlarmList();
