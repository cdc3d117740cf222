/** Words of the terminal in both languages: they come with the page, so the language changes without a network, too. */

const STRINGS = JSON.parse(document.getElementById("yt-strings").textContent);
const KEY = "yuheng.terminal.language";

let language = localStorage.getItem(KEY) ?? (document.documentElement.lang === "en" ? "en" : "zh");

export const isEnglish = () => language === "en";

export function setLanguage(wanted) {
  language = wanted;
  localStorage.setItem(KEY, wanted);
  document.documentElement.lang = wanted === "en" ? "en" : "zh-Hans";
  document.cookie = `django_language=${wanted === "en" ? "en" : "zh-hans"}; path=/; max-age=31536000; SameSite=Lax`; // so the server's sentences are in it, too
}

/** Translate an English sentence declared in terminal/strings.py and fill in %(name)s. */
export function t(sentence, values = {}) {
  return (STRINGS[language][sentence] ?? sentence).replace(/%\((\w+)\)s/g, (_, name) => String(values[name] ?? ""));
}

/** A thing's name in the reader's language: `prefix` "segment" reads segment_zh, segment_en. */
export function named(row, prefix = "name") {
  const [first, second] = isEnglish() ? ["en", "zh"] : ["zh", "en"];
  return row?.[`${prefix}_${first}`] || row?.[`${prefix}_${second}`] || "";
}

/** A quantity with the digits it has, no more than three. */
export const amount = (value) => String(Math.round(Number(value) * 1000) / 1000);

export function clock(ms, zone, now = ms) {
  const format = (options) => new Intl.DateTimeFormat(isEnglish() ? "en-GB" : "zh-CN", { timeZone: zone, hourCycle: "h23", ...options }).format(ms);
  const day = { year: "numeric", month: "2-digit", day: "2-digit" };
  const isToday = new Intl.DateTimeFormat("en-GB", { timeZone: zone, ...day }).format(ms) === new Intl.DateTimeFormat("en-GB", { timeZone: zone, ...day }).format(now);
  return isToday ? format({ hour: "2-digit", minute: "2-digit" }) : format({ month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit" });
}

/** How long, in minutes and hours. */
export function lasting(ms) {
  const minutes = Math.max(0, Math.round(ms / 60_000));
  if (minutes < 60) return t("%(n)s min", { n: minutes });
  return t("%(h)s h %(n)s min", { h: Math.floor(minutes / 60), n: minutes % 60 });
}

/** What a measured value must be, in words. */
export function limits(check) {
  const unit = check.unit ? ` ${check.unit}` : "";
  if (check.low !== null && check.high !== null) return ` ${amount(check.low)} – ${amount(check.high)}${unit}`;
  if (check.low !== null) return ` ≥ ${amount(check.low)}${unit}`;
  if (check.high !== null) return ` ≤ ${amount(check.high)}${unit}`;
  return "";
}
