/** What a person does in the alarm list: moves with keys, chooses, acts, opens what is grouped, reads what to do. */

const GUIDE_MS = 150;
const OUTCOME_MS = 6000;
const NEEDS_WORDS = new Set(["comment", "shelve", "suppress", "remove_from_service", "disable"]);
const KEY_ACTIONS = { KeyA: "acknowledge", KeyC: "comment", KeyF: "confirm", KeyS: "shelve", KeyU: "unshelve", KeyR: "reset" };
const KEYS_OFF = "yuheng.alarms.keys";

export class Acting {
  /** `list`: has rows, release(), acted(); `say`: the page's sentences. */
  constructor(root, body, list, say) {
    Object.assign(this, { root, body, list, say, here: null, guideTimer: 0 });
    this.form = root.querySelector("[data-alarm-form]");
    this.ask = document.getElementById("alarm-ask");
    this.help = document.getElementById("alarm-help");
    this.outcome = document.querySelector("[data-outcome]");
    this.reachable();
    this.form.addEventListener("submit", (event) => this.submitted(event));
    this.form.addEventListener("change", () => this.tellChosen());
    root.querySelector("[data-act-all]")?.addEventListener("click", () => this.all());
    root.querySelector("[data-help]").addEventListener("click", () => this.help.showModal());
    body.addEventListener("click", (event) => this.clicked(event));
    body.addEventListener("focusin", (event) => this.at(event.target.closest("tr.alarm")));
    body.addEventListener("yuheng:children", (event) => this.renewChildren(event.target.closest("tr.alarm")));
    this.ask.querySelector("[data-ask]").addEventListener("submit", (event) => this.asked(event));
    const keys = this.help.querySelector("[data-keys]");
    keys.checked = localStorage.getItem(KEYS_OFF) === null;
    keys.addEventListener("change", () => (keys.checked ? localStorage.removeItem(KEYS_OFF) : localStorage.setItem(KEYS_OFF, "off")));
    addEventListener("keydown", (event) => this.pressed(event));
    this.tellChosen();
  }

  // ---- moving -------------------------------------------------------------------------------------------------------

  lines() {
    return [...this.body.querySelectorAll("tr.alarm")];
  }

  /** One tab stop for the list. */
  reachable() {
    const lines = this.lines();
    if (lines.length && !lines.some((tr) => tr.tabIndex === 0)) lines[0].tabIndex = 0;
  }

  at(tr) {
    if (!tr || tr === this.here) return;
    this.here?.classList.remove("is-here");
    this.here?.setAttribute("tabindex", "-1");
    this.here = tr;
    tr.classList.add("is-here");
    tr.tabIndex = 0;
    clearTimeout(this.guideTimer);
    this.guideTimer = setTimeout(() => this.guide(tr.dataset.alarm), GUIDE_MS);
    this.tellChosen();
  }

  step(by) {
    const lines = this.lines();
    if (!lines.length) return;
    const place = this.here?.isConnected ? lines.indexOf(this.here) : by > 0 ? -1 : lines.length;
    lines[Math.min(lines.length - 1, Math.max(0, place + by))].focus();
  }

  pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (document.querySelector("dialog[open]")) return;
    const target = event.target;
    const isWriting = target.matches?.("input:not([type=checkbox]), select, textarea");
    if (isWriting || localStorage.getItem(KEYS_OFF) !== null) return;
    if (this.key(event)) event.preventDefault();
  }

  /** Do what a key says; return whether it says anything. By place on the keyboard, so that an input method is no hindrance. */
  key(event) {
    const { code, shiftKey, key } = event;
    const isOnRow = event.target.matches?.("tr.alarm");
    if (key === "?" || (code === "Slash" && shiftKey)) this.help.showModal();
    else if (code === "KeyJ" || (isOnRow && code === "ArrowDown")) this.step(1);
    else if (code === "KeyK" || (isOnRow && code === "ArrowUp")) this.step(-1);
    else if (code === "KeyX" || (isOnRow && code === "Space")) this.toggle();
    else if (code === "KeyA" && shiftKey) this.all();
    else if (code === "KeyE") this.expand(this.here);
    else if (code === "KeyO" || (isOnRow && code === "Enter")) { if (this.here) location.href = this.here.querySelector(".message").href; }
    else if (code === "KeyN") this.list.release();
    else if (code === "Slash") this.root.querySelector("[data-find]").focus();
    else if (KEY_ACTIONS[code] && !shiftKey) this.start(KEY_ACTIONS[code]);
    else return false;
    return true;
  }

  toggle() {
    const box = this.here?.querySelector("input");
    if (!box) return;
    box.checked = !box.checked;
    this.tellChosen();
  }

  clicked(event) {
    const tr = event.target.closest("tr.alarm");
    if (!tr) return;
    if (event.target.closest("[data-children]")) return void this.expand(tr);
    if (event.target.closest("a, input, button")) return;
    tr.focus({ preventScroll: true });
  }

  // ---- choosing -----------------------------------------------------------------------------------------------------

  chosen() {
    const boxes = [...this.body.querySelectorAll("input[name=alarm]:checked")];
    if (boxes.length) return boxes.map((box) => box.value);
    return this.here?.isConnected ? [this.here.dataset.alarm] : [];
  }

  tellChosen() {
    for (const tr of this.lines()) tr.classList.toggle("is-chosen", tr.querySelector("input").checked);
    const node = this.root.querySelector("[data-chosen]");
    if (node) node.textContent = this.say("chosen", { n: this.chosen().length });
  }

  // ---- acting -------------------------------------------------------------------------------------------------------

  submitted(event) {
    const action = event.submitter?.dataset.act;
    if (!action) return;
    event.preventDefault();
    event.submitter.closest("details")?.removeAttribute("open");
    this.start(action);
  }

  /** Begin an action on what is chosen; only what the page offers to this person. */
  start(action) {
    const button = this.form.querySelector(`[data-act="${action}"]`);
    if (!button) return;
    const ids = this.chosen();
    if (!ids.length) return this.tell(this.say("none_chosen"));
    const title = button.firstChild.textContent.trim();
    if (NEEDS_WORDS.has(action)) this.open(action, ids, title);
    else this.send(action, ids);
  }

  all() {
    if (!this.root.querySelector("[data-act-all]")) return;
    const ids = this.lines().filter((tr) => !tr.classList.contains("is-child")).map((tr) => tr.dataset.alarm);
    if (ids.length) this.open("acknowledge", ids, this.say("confirm_all", { n: ids.length }), false);
  }

  open(action, ids, title, needsWords = true) {
    this.wish = { action, ids, needsWords, back: document.activeElement };
    document.getElementById("alarm-ask-title").textContent = title;
    this.ask.querySelector("[data-ask-what]").textContent = this.say("chosen", { n: ids.length });
    this.ask.querySelector("[data-ask-duration]").hidden = action !== "shelve";
    this.ask.querySelector("[data-ask-go]").textContent = title;
    this.ask.querySelector("[data-ask-error]").textContent = "";
    const words = document.getElementById("ask-comment");
    words.value = "";
    this.ask.showModal();
    (needsWords ? words : this.ask.querySelector("[data-ask-go]")).focus();
  }

  async asked(event) {
    event.preventDefault();
    const { action, ids, needsWords, back } = this.wish;
    const comment = document.getElementById("ask-comment").value.trim();
    if (needsWords && !comment) {
      this.ask.querySelector("[data-ask-error]").textContent = this.say("needs_reason");
      return document.getElementById("ask-comment").focus();
    }
    this.ask.close();
    back?.focus?.({ preventScroll: true });
    await this.send(action, ids, comment, document.getElementById("ask-duration").value);
  }

  async send(action, ids, comment = "", duration = "") {
    const body = new FormData();
    body.set("csrfmiddlewaretoken", this.form.querySelector("[name=csrfmiddlewaretoken]").value);
    body.set("action", action);
    body.set("comment", comment);
    body.set("duration", duration);
    for (const id of ids) body.append("alarm", id);
    let answer;
    try {
      answer = await (await fetch(this.root.dataset.actUrl, { method: "POST", body, headers: { accept: "application/json" } })).json();
    } catch {
      return this.tell(this.say("failed"));
    }
    const refused = new Set(answer.refused.map((one) => String(one.id)));
    for (const id of ids) if (!refused.has(id)) this.unchoose(id);
    this.tellChosen();
    const lines = answer.refused.map((one) => `${one.name}: ${one.sentence}`);
    const done = answer.done ? [this.say("done", { n: answer.done })] : [];
    const head = lines.length ? [this.say("refused", { n: lines.length })] : [];
    this.tell([...done, ...(answer.sentence ? [answer.sentence] : []), ...head, ...lines.slice(0, 20)].join("\n"), lines.length ? 4 : 1);
    this.list.acted();
  }

  unchoose(id) {
    const box = this.body.querySelector(`tr[data-alarm="${id}"] input`);
    if (box) box.checked = false;
  }

  /** Say what became of it, in the corner, for a while. */
  tell(text, times = 1) {
    clearTimeout(this.outcomeTimer);
    this.outcome.replaceChildren(...text.split("\n").map((line) => Object.assign(document.createElement("p"), { textContent: line })));
    this.outcome.hidden = false;
    this.outcomeTimer = setTimeout(() => { this.outcome.hidden = true; }, OUTCOME_MS * times);
  }

  // ---- below and beside ---------------------------------------------------------------------------------------------

  async expand(tr) {
    const row = tr && this.list.rows.get(Number(tr.dataset.alarm));
    const button = tr?.querySelector("[data-children]");
    if (!row || !button || button.hidden) return;
    const isOpen = button.getAttribute("aria-expanded") === "true";
    button.setAttribute("aria-expanded", String(!isOpen));
    for (const kid of row.kids) kid.remove();
    row.kids = [];
    if (!isOpen) await this.fetchChildren(row);
  }

  async fetchChildren(row) {
    const fresh = await this.list.rowsOf(`${this.root.dataset.url}${row.id}/children`);
    if (!fresh || row.tr.querySelector("[data-children]").getAttribute("aria-expanded") !== "true") return;
    for (const kid of row.kids) kid.remove();
    row.kids = fresh;
    row.tr.after(...fresh);
  }

  renewChildren(tr) {
    const row = this.list.rows.get(Number(tr.dataset.alarm));
    if (!row || row.renewing) return;
    row.renewing = setTimeout(() => { row.renewing = 0; this.fetchChildren(row).catch(() => {}); }, 1000);
  }

  async guide(id) {
    const answer = await fetch(`${this.root.dataset.url}${id}/guidance`, { redirect: "manual" });
    if (!answer.ok || this.here?.dataset.alarm !== id) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    this.root.querySelector("[data-guide]").replaceChildren(...fresh.body.childNodes);
  }
}
