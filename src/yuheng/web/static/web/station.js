/** The station page: state in the head, values of its signals at up to 10 Hz, their age each second. */
import { age, number, t } from "./format.js";
import { listen } from "./live.js";
import { isPast, shownNow } from "./moment.js";

const root = document.querySelector("[data-station]");
const unitId = Number(root.dataset.station);
const json = (id) => JSON.parse(document.getElementById(id).textContent);
const looks = json("yh-looks");
const causes = json("yh-causes");
const tags = json("yh-tags");
const rows = new Map();
for (const row of document.querySelectorAll("tr[data-tag]")) {
  rows.set(Number(row.dataset.tag), { row, value: row.querySelector("[data-value]"), quality: row.querySelector("[data-quality]"), age: row.querySelector("[data-age]"), timeUs: Number(row.dataset.time) });
}
const heardUs = new Map(Object.values(tags).map((tag) => [tag.source, tag.heard_us])); // source -> known to be there until
let dataUs = Number(root.dataset.dataUs);
let shown = root.dataset.state + root.dataset.cause + root.dataset.began;

function qualityWord(quality) {
  return quality >= 0x80 ? t("bad") : quality >= 0x40 ? t("uncertain") : t("good");
}

function takeValues(message) {
  for (const [source, until] of Object.entries(message.heard ?? {})) heardUs.set(Number(source), until);
  for (const [tag, timeUs, value, quality] of message.values) {
    const entry = rows.get(tag);
    if (!entry) continue;
    const isBool = tags[tag].type === "bool" && typeof value === "number";
    const shownValue = typeof value === "number" ? value * tags[tag].factor : value;
    const text = isBool ? (value ? t("on") : t("off")) : number(shownValue);
    if (entry.value.textContent !== text) entry.value.textContent = text;
    const word = qualityWord(quality);
    if (entry.quality.textContent !== word) entry.quality.textContent = word;
    entry.row.classList.toggle("is-bad", quality >= 0x40);
    entry.timeUs = timeUs;
  }
}

function takeStates(message) {
  dataUs = message.data_us;
  for (const [id, state, cause, sinceUs] of message.units) {
    if (id !== unitId || shown === state + cause + sinceUs) continue;
    shown = state + cause + sinceUs;
    const look = looks[state] ?? looks[1];
    const head = document.querySelector("[data-state-head]");
    head.querySelector("[data-state-word]").textContent = look.word;
    head.querySelector("[data-state-cause]").textContent = causes[cause] ?? cause;
    head.querySelector("[data-since]").dataset.since = String(sinceUs);
    for (const symbol of head.querySelectorAll("[data-symbol]")) symbol.hidden = Number(symbol.dataset.symbol) !== state;
    head.className = `state state-head is-${look.name}`;
    dispatchEvent(new CustomEvent("yuheng:unit"));
  }
}

function tick() {
  const now = shownNow() * 1000;
  for (const [tag, entry] of rows) {
    const seconds = entry.timeUs ? (now - entry.timeUs) / 1e6 : null;
    // Twin of is_silent in web/freshness.py: old is who has not been heard, not what has not changed.
    const patienceUs = tags[tag].stale_after_s * 1e6;
    const isSilent = seconds !== null && now - (heardUs.get(tags[tag].source) ?? 0) > patienceUs;
    const isUnchanged = !isSilent && seconds !== null && seconds * 1e6 > patienceUs;
    const text = seconds === null ? "–" : isUnchanged ? t("unchanged for %(age)s", { age: age(seconds) }) : age(seconds);
    if (entry.age.textContent !== text) entry.age.textContent = text;
    entry.row.classList.toggle("is-old", isSilent);
  }
  const siteAge = dataUs ? age((now - dataUs) / 1e6) : t("none");
  for (const node of document.querySelectorAll("[data-live=age]")) node.textContent = siteAge;
}

if (!isPast()) {
  /** The alarms of this unit changed: the page asks for their lines anew (page.js). */
const alarms = new Set();
function takeAlarms(message) {
  const mine = message.alarms.filter((alarm) => alarm[1] === unitId);
  const gone = message.gone.filter((id) => alarms.delete(id));
  for (const [id] of mine) alarms.add(id);
  if (mine.length || gone.length) dispatchEvent(new CustomEvent("yuheng:changed", { detail: { needsPerson: true } }));
}

if (document.querySelector("[data-alarms]")) listen([`alarms:${root.dataset.site}`], takeAlarms);
listen([`unit:${unitId}`], takeValues);
  listen([`site:${root.dataset.site}`], takeStates);
  setInterval(() => isPast() || tick(), 1000);
  tick();
}
