/** Dialogs with a number pad: pieces, a measured value, material, parameters. Each resolves to what was said, or null. */

import { choose, h, openDialog } from "./dom.js";
import { numberPad } from "./number-pad.js";
import { amount, limits, named, t } from "./words.js";

const padWords = () => ({ sign: t("Plus or minus"), back: t("Delete the last digit"), clear: t("Clear") });
const number = (text) => Number(text || 0);

/** What is in the field of good pieces at first: what the machine counted and nobody reported, else what is left. */
function proposed(job, isEnd) {
  if (job.proposal !== null && job.proposal !== undefined) return amount(job.proposal);
  return isEnd ? amount(job.remaining) : "0";
}

/** Good, scrap and rework; a reason for what is not good, and for finishing with fewer than planned. */
export async function askPieces(terminal, job, { isEnd }) {
  let said = null;
  const { reasons } = terminal.state;
  await openDialog(isEnd ? t("Finish: how many?") : t("How many since the last time?"), (body, close) => {
    const fields = [
      { key: "good", label: t("Good"), value: proposed(job, isEnd), isDecimal: true, hasFocus: true },
      { key: "scrap", label: t("Scrap"), value: "0", isDecimal: true },
      { key: "rework", label: t("Rework"), value: "0", isDecimal: true },
    ];
    const note = h("p", { class: "lead", role: "status" });
    const pad = numberPad(fields, { words: padWords(), onChange: (values) => {
      const left = job.remaining - number(values.good) - number(values.scrap) - number(values.rework);
      note.textContent = left < 0 ? `▲ ${t("%(n)s more than planned: the server may refuse it.", { n: amount(-left) })}` : t("%(n)s left after this", { n: amount(left) });
    } });
    const take = (isReport) => { const { good, scrap, rework } = pad.values(); said = { good: good || "0", scrap: scrap || "0", rework: rework || "0", isReport }; close(); };
    const counted = job.counted === null || job.counted === undefined ? null : h("p", { class: "lead" }, t("The machine counted %(n)s.", { n: amount(job.counted) }));
    body.append(...(counted ? [counted] : []), pad.node, note, h("div", { class: "pad-go" },
      isEnd ? h("button", { type: "button", class: "big", onclick: () => take(true) }, t("Report, it goes on")) : null,
      h("button", { type: "button", class: "primary big", onclick: () => take(!isEnd) }, isEnd ? t("Finish") : t("Report"))));
  }, { label: t("Close") });
  if (!said) return null;
  if (number(said.good) + number(said.scrap) + number(said.rework) === 0 && said.isReport) return null;
  const kind = number(said.scrap) > 0 ? "scrap" : number(said.rework) > 0 ? "rework" : "";
  if (kind) {
    const reason = await choose(kind === "scrap" ? t("Why scrap?") : t("Why rework?"), reasons[kind], (row) => named(row), { label: t("Close") });
    if (!reason) return null;
    said.reason = reason.code;
  }
  const left = job.remaining - number(said.good) - number(said.scrap) - number(said.rework);
  if (!said.isReport && left > 0) {
    const reason = await choose(t("%(n)s fewer than planned: why?", { n: amount(left) }), reasons.short, (row) => named(row), { label: t("Close") });
    if (!reason) return null;
    said.is_short = true;
    said.reason ??= reason.code;
    said.note = named(reason);
  }
  return said;
}

export async function askCheck(terminal, job, check) {
  let said = null;
  await openDialog(named(check) || check.code, (body, close) => {
    const take = (found) => { said = found; close(); };
    if (check.kind === "measured") {
      const note = h("p", { class: "lead", role: "status" });
      const isInside = (value) => (check.low === null || value >= check.low) && (check.high === null || value <= check.high);
      const pad = numberPad([{ key: "value", label: `${t("Measured")}${check.unit ? ` (${check.unit})` : ""}`, value: "", isDecimal: true, isSigned: true, hasFocus: true }], { words: padWords(), onChange: ({ value }) => {
        note.textContent = value === "" || value === "-" ? limits(check) : isInside(Number(value)) ? `${t("in order")} (${limits(check).trim()})` : `▲ ${t("outside")} (${limits(check).trim()})`;
      } });
      body.append(pad.node, note, h("button", { type: "button", class: "primary big", onclick: () => { const { value } = pad.values(); if (value !== "" && Number.isFinite(Number(value))) take({ value: Number(value) }); } }, t("Take down")));
    } else {
      body.append(h("p", { class: "lead" }, limits(check)), h("div", { class: "pad-go" },
        h("button", { type: "button", class: "primary big", onclick: () => take({ passed: true }) }, `✓ ${t("in order")}`),
        h("button", { type: "button", class: "big", onclick: () => take({ passed: false }) }, `▲ ${t("not in order")}`)));
    }
    for (const one of job.documents.filter((file) => check.document_ids.includes(file.id))) body.append(h("img", { class: "enlarged", src: one.url, alt: one.name }));
  }, { label: t("Close") });
  if (said) await terminal.act("check", job, { check: check.code, ...said });
}

export async function askMaterial(terminal, job, { need, code }) {
  const wanted = need ?? (job.materials.length > 1 ? await choose(t("What is %(code)s?", { code }), job.materials, (row) => `${row.material_code} ${named(row)}`, { label: t("Close") }) : job.materials[0]);
  if (!wanted) {
    if (!job.materials.length) terminal.say(t("%(code)s: this job needs no material.", { code }), true);
    return null;
  }
  let found = null;
  await openDialog(`${wanted.material_code} ${named(wanted)}`, (body, close) => {
    const field = code ? null : h("input", { id: "yt-lot", autocomplete: "off", maxlength: 80 });
    const left = Math.max(0, wanted.needed - wanted.consumed);
    const pad = numberPad([{ key: "quantity", label: `${t("How much")} (${wanted.unit})`, value: wanted.tracking === "serial" ? "1" : amount(left || 1), isDecimal: true, hasFocus: true }], { words: padWords() });
    if (field) body.append(h("label", { for: "yt-lot" }, t("Lot or serial: scan it, or type it")), field);
    else body.append(h("p", { class: "lead" }, code));
    if (!code && wanted.lots?.length) body.append(h("div", { class: "choices" }, wanted.lots.map((lot) => h("button", { type: "button", onclick: () => { field.value = lot.code; } }, `${lot.code} · ${amount(lot.quantity)} ${wanted.unit}`))));
    const take = () => {
      const lot = code || field.value.trim();
      const { quantity } = pad.values();
      if (lot && number(quantity) > 0) { found = { need: wanted, code: lot, quantity }; close(); }
    };
    const scanned = (event) => { event.preventDefault(); if (field) field.value = event.detail; };
    addEventListener("yuheng:scan", scanned);
    body.closest("dialog").addEventListener("close", () => removeEventListener("yuheng:scan", scanned));
    body.append(pad.node, h("button", { type: "button", class: "primary big", onclick: take }, t("Take down")));
  }, { label: t("Close") });
  return found;
}

export async function askParameters(terminal, job) {
  const values = Object.fromEntries(job.parameters.map((one) => [one.code, job.values?.[one.code] ?? one.target]));
  let isTaken = false;
  await openDialog(t("Set the parameters"), (body, close) => {
    const list = h("div", { class: "choices" });
    const show = () => list.replaceChildren(...job.parameters.map((one) => h("button", { type: "button", onclick: () => change(one) }, named(one) || one.code, h("b", { class: "num" }, ` ${values[one.code] ?? "–"} ${one.unit}`), h("small", {}, limits(one)))));
    const change = (one) => openDialog(named(one) || one.code, (inner, done) => {
      const pad = numberPad([{ key: "value", label: one.unit || t("Value"), value: String(values[one.code] ?? ""), isDecimal: true, isSigned: true, hasFocus: true }], { words: padWords() });
      inner.append(h("p", { class: "lead" }, limits(one)), pad.node, h("button", { type: "button", class: "primary big", onclick: () => { const { value } = pad.values(); if (Number.isFinite(Number(value))) values[one.code] = Number(value); done(); show(); } }, t("Take down")));
    }, { label: t("Close") });
    show();
    body.append(list, h("button", { type: "button", class: "primary big", onclick: () => { isTaken = true; close(); } }, t("It is set as shown")));
  }, { label: t("Close") });
  const known = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null && value !== undefined));
  if (isTaken) await terminal.act("parameters", job, { values: known });
}
