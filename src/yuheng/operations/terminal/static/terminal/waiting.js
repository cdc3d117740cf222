/** What waits to be sent and what the server could not accept, in the order in which it was done. */

import { h, openDialog } from "./dom.js";
import { clock, named, t } from "./words.js";

/** Words for what people do; the keys are `rules.Kind`. */
export function kindWord(kind) {
  const words = {
    sign_in: t("Signed in"), sign_out: t("Signed out"), start: t("Started"), set_up: t("Set-up done"), pause: t("Paused"), resume: t("Resumed"),
    report: t("Pieces reported"), finish: t("Finished"), consume: t("Material scanned"), check: t("Step checked"), parameters: t("Parameters set"),
    crew: t("Crew changed"), note: t("Note"), help: t("Called for help"), unreadable: t("Something unreadable"),
  };
  return words[kind] ?? kind;
}

export function openWaiting(terminal) {
  return openDialog(t("Connection and reports"), (body) => {
    const { sync, state, queue } = terminal;
    const jobs = new Map((state?.jobs ?? []).map((job) => [job.id, job.code]));
    const people = new Map((state?.people ?? []).map((one) => [one.session, named(one)]));
    const waiting = queue.filter((action) => !action.outcome);
    const conflicts = state?.conflicts ?? [];
    body.append(h("p", { class: "lead" }, sync.refusal ?? terminal.netWords()));
    if (!window.isSecureContext) body.append(h("p", { class: "lead" }, `▲ ${t("This page came without TLS: it does not survive a reload without a network.")}`));
    body.append(h("button", { type: "button", class: "big", onclick: () => sync.now() }, t("Try now")));
    body.append(h("h3", {}, t("In conflict: a supervisor decides"), " ", h("b", { class: "num" }, conflicts.length)));
    body.append(h("ul", { class: "reports", "data-conflicts": "" }, conflicts.map((one) => h("li", {},
      h("b", {}, `${one.outcome === "held" ? "…" : "▲"} ${clock(one.at_ms, terminal.zone(), terminal.nowMs())} ${kindWord(one.kind)} ${one.job_code}`), h("span", {}, ` ${named(one, "person")}`), h("p", {}, one.sentence)))));
    body.append(h("h3", {}, t("Waiting to be sent"), " ", h("b", { class: "num" }, waiting.length)));
    body.append(h("ul", { class: "reports", "data-waiting": "" }, waiting.map((action) => h("li", {},
      h("b", {}, `${clock(action.at_ms, terminal.zone(), terminal.nowMs())} ${kindWord(action.kind)} ${jobs.get(action.job) ?? ""}`), ` ${people.get(action.session) ?? ""}`))));
    body.append(h("h3", {}, t("Test the scanner")), h("p", { class: "lead", "data-last-code": "", role: "status" }, terminal.lastCode ? t("Last read: %(code)s", { code: terminal.lastCode }) : t("Scan anything.")));
    const show = (event) => { event.preventDefault(); body.querySelector("[data-last-code]").textContent = t("Last read: %(code)s", { code: event.detail }); };
    addEventListener("yuheng:scan", show);
    body.closest("dialog").addEventListener("close", () => removeEventListener("yuheng:scan", show));
  }, { label: t("Close") });
}
