/** The job: what it is, its steps, drawings and what comes next; the four verbs. */

import { choose, h, openDialog } from "./dom.js";
import { askCheck, askMaterial, askParameters, askPieces } from "./asking.js";
import { INTERRUPTED, RUNNING, isSettingUp, needFor, nextJobs, openSteps, stepsOf } from "./project.js";
import { amount, clock, lasting, limits, named, t } from "./words.js";

const NEXT_SHOWN = 4;
const IMAGE = /^image\//;

export class JobScreen {
  constructor(terminal) {
    this.terminal = terminal;
  }

  draw() {
    const { terminal } = this;
    const job = terminal.shownJob();
    if (!job) return [h("main", { id: "content", class: "plain" }, h("p", { class: "lead" }, t("Nothing is to be done at this station now.")), this.machine(), terminal.outcome()), this.verbs(null)];
    return [h("main", { id: "content", class: "job" }, this.panel(job), this.aside(job)), this.verbs(job)];
  }

  /** When a job is to begin, as the plan has it; without a plan when it is due. */
  whenOf(job) {
    const at = (ms) => clock(ms, this.terminal.zone(), this.terminal.nowMs());
    if (job.planned_ms) return h("small", {}, ` ${t("by plan at %(time)s", { time: at(job.planned_ms) })}`);
    return job.due_ms ? h("small", {}, ` ${t("due %(time)s", { time: at(job.due_ms) })}`) : null;
  }

  // ---- left: the job ------------------------------------------------------------------------------------------------

  panel(job) {
    const { terminal } = this;
    const zone = terminal.zone();
    const facts = [job.order_code || job.request_code, named(job, "customer"), job.due_ms ? t("due %(time)s", { time: clock(job.due_ms, zone, terminal.nowMs()) }) : "",
      job.planned_ms && job.state !== RUNNING && job.state !== INTERRUPTED ? t("by plan at %(time)s", { time: clock(job.planned_ms, zone, terminal.nowMs()) }) : ""].filter(Boolean);
    const state = { [RUNNING]: isSettingUp(job) ? t("Set-up") : t("Running"), [INTERRUPTED]: t("Paused") }[job.state] ?? t("Not started");
    return h("section", { class: "panel job-panel", "aria-labelledby": "yt-job" },
      h("p", { class: "mute" }, facts.join(" · "), job.is_rush ? h("b", { class: "mark" }, ` ▲ ${t("rush")}`) : null, job.is_rework ? h("b", { class: "mark" }, ` ↺ ${t("rework")}`) : null),
      h("h2", { id: "yt-job" }, h("span", { class: "num" }, job.segment_code), ` ${named(job, "segment")}`),
      h("p", { class: "what" }, h("b", {}, job.material_code), ` ${named(job, "material")}`),
      h("p", { class: "progress-line" },
        h("span", { class: `state${job.state === INTERRUPTED ? " is-paused" : ""}` }, job.state === INTERRUPTED ? `▲ ${state}${this.reasonWords(job)}` : state),
        job.since_ms && (job.state === RUNNING || job.state === INTERRUPTED) ? h("span", { class: "num", "data-since-ms": job.since_ms }, lasting(terminal.nowMs() - job.since_ms)) : null,
        h("span", {}, t("planned %(time)s", { time: lasting((job.setup_s + job.run_s) * 1000) })),
        h("label", { class: "count" }, h("b", { class: "num" }, `${amount(job.good)} / ${amount(job.quantity)}`), ` ${t("good")}`, job.scrap ? ` · ${amount(job.scrap)} ${t("scrap")}` : "", typeof job.counted === "number" ? ` · ${t("counted %(n)s", { n: amount(job.counted) })}` : "",
          h("progress", { max: Math.max(job.quantity, 0.001), value: job.good, "aria-label": t("Good pieces") }))),
      this.machine(),
      this.steps(job),
      h("div", { class: "scan", role: "status" }, h("b", {}, t("Just scan: nothing need be pressed.")), h("p", { class: terminal.said.isBad ? "is-bad" : "" }, terminal.said.isBad ? `▲ ${terminal.said.text}` : terminal.said.text)));
  }

  /** What the machine did by itself: nobody at the station should be surprised by a job that began or ended. */
  machine() {
    const { terminal } = this;
    const last = terminal.state.machine?.[0];
    return last ? h("p", { class: "machine", "data-machine": last.id }, terminal.machineWords(last)) : null;
  }

  reasonWords(job) {
    const row = (this.terminal.state.reasons?.pause ?? []).find((one) => one.code === job.reason);
    return job.reason ? `: ${row ? named(row) : named(job, "reason") || job.reason}` : "";
  }

  steps(job) {
    const steps = stepsOf(job);
    const focus = steps.find((step) => !step.isDone);
    const isBegun = job.state === RUNNING || job.state === INTERRUPTED;
    return h("ol", { class: "steps" }, steps.map((step, i) => h("li", {},
      h("button", { type: "button", class: `step${step.isDone ? " is-done" : ""}${step === focus && isBegun ? " is-focus" : ""}${step.isBad ? " is-bad" : ""}`, "data-key": step.key, disabled: !isBegun, "aria-current": step === focus ? "step" : null, onclick: () => this.openStep(job, step) },
        h("span", { class: "n", "aria-hidden": "true" }, step.isBad ? "▲" : step.isDone ? "✓" : String(i + 1)),
        h("span", { class: "name" }, step.kind === "parameters" ? t("Set the parameters") : named(step.of) || step.of.code || step.of.material_code, h("small", {}, this.stepNote(step))),
        h("span", { class: "result num" }, this.stepResult(job, step))))));
  }

  stepNote(step) {
    if (step.kind === "material") return ` ${step.of.material_code} × ${amount(step.of.needed)} ${step.of.unit}`;
    if (step.kind === "parameters") return ` ${step.of.map((one) => `${named(one)} ${one.target ?? ""} ${one.unit}`).join(" · ")}`;
    return limits(step.of);
  }

  stepResult(job, step) {
    if (step.kind === "material") return `${amount(step.of.consumed)} / ${amount(step.of.needed)}`;
    if (step.kind === "parameters") return step.isDone ? t("set") : "";
    const { done } = step.of;
    if (!done) return step.of.is_mandatory ? t("must be done") : "";
    const value = done.value === null ? (done.passed ? t("in order") : t("not in order")) : `${amount(done.value)} ${step.of.unit}${done.passed ? "" : ` ${t("outside")}`}`;
    return `${value} · ${clock(done.at_ms, this.terminal.zone(), this.terminal.nowMs())}`;
  }

  async openStep(job, step) {
    if (step.kind === "material") await this.material(job, { need: step.of, code: "" });
    else if (step.kind === "parameters") await askParameters(this.terminal, job);
    else await askCheck(this.terminal, job, step.of);
  }

  // ---- right: drawings, what comes next -----------------------------------------------------------------------------

  aside(job) {
    const { terminal } = this;
    const next = nextJobs(terminal.state).filter((one) => one.id !== job.id).slice(0, NEXT_SHOWN);
    const isBusy = job.state === RUNNING;
    return h("aside", { class: "panel", "aria-label": t("Drawings and what comes next") },
      h("h2", {}, t("Drawings and what comes next")),
      job.instruction_zh || job.instruction_en ? h("p", { class: "instruction" }, named(job, "instruction")) : null,
      h("div", { class: "drawings" }, job.documents.map((one) => (IMAGE.test(one.media_type)
        ? h("button", { type: "button", class: "drawing", onclick: () => this.enlarge(one) }, h("img", { src: one.url, alt: one.name }), h("small", {}, one.name))
        : h("a", { class: "button", href: one.url, target: "_blank", rel: "noopener" }, one.name)))),
      job.missing.length ? h("ul", { class: "missing" }, job.missing.map((sentence) => h("li", {}, `▲ ${sentence}`))) : null,
      next.length ? h("h3", {}, t("Next")) : null,
      h("ul", { class: "next" }, next.map((one) => h("li", {}, h("button", { type: "button", "data-key": `next:${one.id}`, disabled: isBusy, onclick: () => { terminal.wanted = one.id; terminal.draw(); } },
        h("b", {}, `${one.order_code || one.request_code} / ${one.segment_code}`), h("span", {}, ` ${named(one, "segment")} · ${amount(one.remaining)} ${one.unit}`),
        this.whenOf(one),
        one.waits_at ? h("small", {}, ` · ${t("waits at %(unit)s", { unit: one.waits_at })}`) : null)))));
  }

  enlarge(one) {
    return openDialog(one.name, (body) => body.append(h("img", { class: "enlarged", src: one.url, alt: one.name })), { label: t("Close") });
  }

  // ---- below: the verbs ---------------------------------------------------------------------------------------------

  verbs(job) {
    const { terminal } = this;
    const open = job ? openSteps(job) : [];
    const verb = (key, word, note, act, attributes = {}) => h("button", { type: "button", "data-key": `verb:${key}`, "data-verb": key, onclick: act, ...attributes }, h("b", {}, word), h("small", {}, note));
    const verbs = [];
    if (job?.state === RUNNING) {
      const isBlocked = open.length > 0;
      verbs.push(verb("finish", t("Finish"), isBlocked ? t("%(n)s steps must be done first", { n: open.length }) : t("%(n)s left", { n: amount(job.remaining) }), () => this.finish(job), { class: "primary", disabled: isBlocked }));
      if (isSettingUp(job)) verbs.push(verb("set_up", t("Set-up done"), t("planned %(time)s", { time: lasting(job.setup_s * 1000) }), () => terminal.act("set_up", job)));
      verbs.push(verb("pause", t("Pause"), t("choose why"), () => this.pause(job)));
    } else if (job?.state === INTERRUPTED) {
      verbs.push(verb("resume", t("Go on"), named(job, "segment"), () => terminal.act("resume", job), { class: "primary" }));
      verbs.push(verb("finish", t("Finish"), t("%(n)s left", { n: amount(job.remaining) }), () => this.finish(job), { disabled: open.length > 0 }));
    } else if (job) {
      verbs.push(verb("start", t("Start"), `${job.order_code || job.request_code} / ${job.segment_code}`, () => this.start(job), { class: "primary" }));
    }
    if (job && (job.state === RUNNING || job.state === INTERRUPTED)) verbs.push(verb("pieces", t("Pieces, scrap"), t("how many, and why"), () => this.pieces(job)));
    verbs.push(verb("help", t("Call"), t("lead, repair, material, quality"), () => this.help(job), { class: "call" }));
    return h("nav", { class: "verbs", "aria-label": t("What to do") }, verbs);
  }

  async start(job) {
    const { terminal } = this;
    terminal.wanted = job.id;
    const active = terminal.active();
    const crew = terminal.people().filter((one) => one.session !== active.session).map((one) => one.person_id);
    await terminal.act("start", job, { crew });
  }

  async pause(job) {
    const reason = await choose(t("Why does it stop?"), this.terminal.state.reasons.pause, (row) => named(row), { label: t("Close") });
    if (reason) await this.terminal.act("pause", job, { reason: reason.code });
  }

  async finish(job) {
    const { terminal } = this;
    const payload = job.remaining === 1 && (job.counted ?? 1) === 1 ? { good: "1" } : await askPieces(terminal, job, { isEnd: true });
    if (!payload) return;
    const isTaken = await terminal.act(payload.isReport ? "report" : "finish", job, payload);
    if (isTaken && !payload.isReport) terminal.wanted = null;
  }

  async pieces(job) {
    const payload = await askPieces(this.terminal, job, { isEnd: false });
    if (payload) await this.terminal.act("report", job, payload);
  }

  async help(job) {
    const { terminal } = this;
    const kind = await choose(t("Whom do you need?"), terminal.state.help_kinds, (row) => named(row), { label: t("Close") });
    if (!kind) return;
    if (await terminal.act("help", job, { kind: kind.code })) terminal.say(t("Called: %(who)s.", { who: named(kind) }));
  }

  // ---- scans --------------------------------------------------------------------------------------------------------

  async scanned(code) {
    const { terminal } = this;
    const plain = code.replace(/^J:/, "");
    const job = terminal.state.jobs.find((one) => one.code === plain) ?? nextJobs(terminal.state).find((one) => one.request_code === plain);
    const current = terminal.currentJob();
    if (job) {
      if (current?.state === RUNNING && current.id !== job.id) { terminal.say(t("%(code)s is running: finish or pause it first.", { code: current.code }), true); return; }
      terminal.wanted = job.id;
      terminal.say(t("%(code)s: press Start.", { code: job.code }));
      return;
    }
    if (!current) { terminal.say(t("%(code)s: no job is running that could take it.", { code }), true); return; }
    const { need, isSure } = needFor(current, code);
    if (need && need.tracking === "serial" && (isSure || current.materials.length === 1)) {
      await this.consume(current, need, code, 1);
      return;
    }
    await this.material(current, { need, code });
  }

  async material(job, { need, code }) {
    const { terminal } = this;
    const found = await askMaterial(terminal, job, { need, code });
    if (found) await this.consume(job, found.need, found.code, found.quantity);
  }

  async consume(job, need, code, quantity) {
    const { terminal } = this;
    const isTaken = await terminal.act("consume", job, { lot: code, quantity: String(quantity), requirement: need?.id ?? null });
    if (isTaken) terminal.say(t("%(code)s taken down: %(what)s × %(n)s", { code, what: need ? need.material_code : "", n: amount(quantity) }));
  }
}
