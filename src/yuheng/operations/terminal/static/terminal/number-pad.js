/** A number pad for gloves. The keyboard's digits work, too. */

import { h } from "./dom.js";
import { GAP_MS } from "./scanner.js";

const LONGEST = 12;

/**
 * `fields`: [{ key, label, value, isSecret, isDecimal, isSigned }]; one is filled at a time, tapping a field goes there.
 * Returns { node, values(), focusField(key) }. `onChange(values)` after each key.
 */
export function numberPad(fields, { words, onChange = () => {} }) {
  const values = Object.fromEntries(fields.map((field) => [field.key, field.value ?? ""]));
  const isFresh = Object.fromEntries(fields.map((field) => [field.key, true])); // the first digit replaces what was proposed
  let current = fields[0].key;
  const shown = {};
  const fieldOf = (key) => fields.find((field) => field.key === key);

  const draw = () => {
    for (const field of fields) {
      const text = field.isSecret ? "•".repeat(values[field.key].length) : values[field.key];
      shown[field.key].querySelector("b").textContent = text || "–";
      shown[field.key].setAttribute("aria-pressed", String(field.key === current));
    }
    extra.decimal.hidden = !fieldOf(current).isDecimal;
    extra.sign.hidden = !fieldOf(current).isSigned;
    onChange({ ...values });
  };

  const press = (key) => {
    const field = fieldOf(current);
    let text = isFresh[current] && key !== "back" && key !== "sign" ? "" : values[current];
    isFresh[current] = false;
    if (key === "back") text = text.slice(0, -1);
    else if (key === "clear") text = "";
    else if (key === "sign") text = text.startsWith("-") ? text.slice(1) : `-${text}`;
    else if (key === ".") text = field.isDecimal && !text.includes(".") ? `${text || "0"}.` : text;
    else if (text.length < LONGEST) text = !field.isSecret && text === "0" ? key : text + key;
    values[current] = text;
    draw();
  };

  const focusField = (key) => { current = key; isFresh[key] = true; draw(); };
  const key = (label, name, attributes = {}) => h("button", { type: "button", "data-pad": name, onclick: () => press(name), ...attributes }, label);
  const extra = { decimal: key(".", "."), sign: key("±", "sign", { "aria-label": words.sign }) };

  for (const field of fields) {
    shown[field.key] = h("button", { type: "button", class: "pad-field", "data-field": field.key, onclick: () => focusField(field.key) }, h("span", {}, field.label), h("b", { class: "num" }));
  }
  const keys = h("div", { class: "pad-keys" },
    "789456123".split("").map((digit) => key(digit, digit)), extra.sign, key("0", "0", { "data-focus": fields[0].hasFocus }), extra.decimal,
    key("⌫", "back", { "aria-label": words.back }), key("C", "clear", { "aria-label": words.clear }));
  const node = h("div", { class: "pad" }, h("div", { class: "pad-fields", role: "group" }, fields.map((field) => shown[field.key])), keys);
  node.addEventListener("yt-key", (event) => press(event.detail));
  draw();
  return { node, values: () => ({ ...values }), focusField };
}

/** Let the keyboard's digits reach the pad of an open dialog or page, unless they were the beginning of a scan. */
export function typeIntoPads(event, wedge) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches?.("input, textarea")) return;
  const name = /^[0-9]$/.test(event.key) ? event.key : { Backspace: "back", Delete: "clear", ".": ".", "-": "sign" }[event.key];
  const pads = document.querySelectorAll("dialog[open] .pad, main .pad");
  if (!name || !pads.length) return;
  event.preventDefault();
  const before = wedge.bursts;
  setTimeout(() => {
    if (wedge.bursts === before) pads[pads.length - 1].dispatchEvent(new CustomEvent("yt-key", { detail: name }));
  }, GAP_MS);
}
