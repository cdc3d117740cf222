/** Words and numbers of the islands. Texts come translated from the page; see web/island_strings.py. */

const node = document.getElementById("yh-strings");
const STRINGS = node ? JSON.parse(node.textContent) : {};

/** Translate an English sentence declared in island_strings.py and fill in %(name)s, %(name)d, %(name)02d. */
export function t(sentence, values = {}) {
  return (STRINGS[sentence] ?? sentence).replace(/%\((\w+)\)(0?\d*)[sd]/g, (_, name, pad) =>
    String(values[name] ?? "").padStart(Number(pad) || 0, "0"));
}

/** Seconds as people say them. Twin of web/durations.py. */
export function duration(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) return t("%(s)d s", { s });
  if (s < 3600) return t("%(min)d min", { min: Math.floor(s / 60) });
  if (s < 86400) return t("%(h)d h %(min)02d min", { h: Math.floor(s / 3600), min: Math.floor((s % 3600) / 60) });
  return t("%(d)d d %(h)d h", { d: Math.floor(s / 86400), h: Math.floor((s % 86400) / 3600) });
}

/** How old data is, to a tenth of a second while that means something. */
export function age(seconds) {
  const s = Math.max(0, seconds);
  return s < 10 ? t("%(s)s s", { s: s.toFixed(1) }) : duration(s);
}

const LATIN_EM = 0.52;
const isWide = (char) => char.codePointAt(0) > 0x2e7f;

/** Cut a text to a width in em (a Chinese character is 1 em, others about half). Twin of web/map_drawing.py. */
export function fit(text, em) {
  let width = 0;
  const chars = [...text];
  for (let i = 0; i < chars.length; i++) {
    width += isWide(chars[i]) ? 1 : LATIN_EM;
    if (width > em && !(i === chars.length - 1 && width <= em + 0.3)) return chars.slice(0, Math.max(1, i - 1)).join("") + "…";
  }
  return text;
}

const FONT_EM = 9.5;
const SMALL_EM = 8.2;
const widthOf = (text) => [...text].reduce((sum, char) => sum + (isWide(char) ? 1 : LATIN_EM), 0);

/** Break the words of a tile into lines; the second is empty when one is enough. Twin of two_lines in map_drawing.py. */
export function twoLines(text, tileW) {
  const room = tileW - 8;
  if (widthOf(text) <= room / FONT_EM + 0.3) return [text, ""];
  const em = room / SMALL_EM;
  const words = text.split(" ");
  let first = words[0];
  if (widthOf(first) > em) {
    const chars = [...text];
    let cut = 0;
    for (let width = 0; cut < chars.length; cut++) {
      width += widthOf(chars[cut]);
      if (width > em) break;
    }
    cut = Math.max(1, cut);
    return [chars.slice(0, cut).join(""), fit(chars.slice(cut).join("").trimStart(), em)];
  }
  let taken = 1;
  while (taken < words.length - 1 && widthOf(`${first} ${words[taken]}`) <= em) first += ` ${words[taken++]}`;
  return [first, fit(words.slice(taken).join(" "), em)];
}

/** A number with the digits its size deserves. */
export function number(value) {
  if (value === null || value === undefined) return "–";
  if (typeof value !== "number") return String(value);
  if (Number.isInteger(value)) return value.toLocaleString("en-US", { useGrouping: Math.abs(value) >= 10000 });
  const digits = Math.abs(value) >= 1000 ? 0 : Math.abs(value) >= 100 ? 1 : Math.abs(value) >= 1 ? 2 : 3;
  return value.toFixed(digits);
}

export const isEnglish = document.documentElement.lang === "en";

/** Wall time in the site's time zone. */
export function clockFormat(timeZone, options) {
  return new Intl.DateTimeFormat(isEnglish ? "en-GB" : "zh-CN", { timeZone, hourCycle: "h23", ...options });
}
