/** What stands in words beside a board: what is chosen and why it is there, what a move leads to, what waits for a place. */
import { clockFormat, duration, t } from "../web/format.js";

export class Panel {
  constructor(board) {
    this.board = board;
    this.part = (name) => board.querySelector(`[data-${name}]`);
    this.part("waiting").addEventListener("click", (event) => this.pickWaiting(event.target.closest("button")));
  }

  clock(minute) { return this.format.format(this.board.data.ms(minute)); }
  how() { return this.part("how")?.value ?? "insert"; }

  /** The other way of moving: insert, or the first gap. */
  turnHow() {
    const choice = this.part("how");
    choice.value = choice.value === "insert" ? "slot" : "insert";
    this.say(choice.selectedOptions[0].textContent);
    this.board.moves.tryLater();
  }
  back(stop) { return t("back %(time)s", { time: this.short.format(this.board.data.ms(stop.end)) }) + (stop.cause ? ` · ${stop.cause}` : ""); }
  stop(stop) { return t("stands, back %(time)s", { time: this.clock(stop.end) }) + (stop.cause ? ` · ${stop.cause}` : ""); }

  node(name, text, kind = "") {
    const made = document.createElement(name);
    made.textContent = text;
    if (kind) made.className = kind;
    return made;
  }

  say(text) { this.part("said").textContent = text; }
  lost(isLost) { this.part("lost").hidden = !isLost; }

  took(data) {
    this.format = clockFormat(data.json.zone, { month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit" });
    this.short = clockFormat(data.json.zone, { hour: "2-digit", minute: "2-digit" });
    this.part("count").textContent = t("%(n)d of %(all)d bars", { n: data.shown, all: data.count });
    const late = new Set();
    for (let i = 0; i < data.count; i++) if (data.isLate(i) && !(data.flags[i] & 4)) late.add(data.order[i]);
    this.part("late").textContent = t("%(n)d orders late", { n: late.size });
    this.part("late").classList.toggle("strong", late.size > 0);
    this.part("stopped").textContent = t("%(n)d stations stand", { n: data.stops.size });
    this.part("stopped").classList.toggle("strong", data.stops.size > 0);
    const { waiting, orders } = data.json;
    const wanted = this.board.filter().order.toLowerCase();
    const places = waiting.id.map((_id, k) => k).filter((k) => orders.code[waiting.order[k]].toLowerCase().includes(wanted));
    const isRush = (k) => (waiting.flags[k] & 16 ? 0 : 1);
    places.sort((a, b) => isRush(a) - isRush(b) || orders.due[waiting.order[a]] - orders.due[waiting.order[b]] || a - b);
    const focused = this.part("waiting").contains(document.activeElement) ? document.activeElement.dataset.job : null;
    const rows = places.map((k) => {
      const li = document.createElement("li");
      const button = this.node("button", `${orders.code[waiting.order[k]]} · ${data.json.names[waiting.name[k]]}`, "waiting-job");
      button.dataset.place = k;
      button.dataset.job = waiting.id[k];
      button.append(this.node("small", t("due %(time)s", { time: this.clock(orders.due[waiting.order[k]]) }) + (waiting.flags[k] & 16 ? ` · ${t("rush")}` : ""), "mute"));
      button.disabled = this.board.dataset.may !== "1" || !data.json.number;
      li.append(button);
      return li;
    });
    this.part("waiting").replaceChildren(...rows.slice(0, 200));
    if (focused) this.part("waiting").querySelector(`[data-job="${focused}"]`)?.focus();
    this.part("waiting-count").textContent = String(rows.length);
  }

  pickWaiting(button) {
    if (!button) return;
    const { data } = this.board;
    const { waiting, orders } = data.json;
    const k = Number(button.dataset.place);
    if (!data.json.able[waiting.able[k]].length) return this.refuse(t("No station can do it."));
    this.board.take_up(-1, { id: waiting.id[k], able: waiting.able[k], work: waiting.work[k], label: orders.code[waiting.order[k]] });
    this.board.stage.focus();
    const hand = this.board.scene.hand;
    this.board.look((view) => view.show(hand.row, hand.start));
    this.board.moves.tryLater();
  }

  point(i) {
    const { data } = this.board;
    this.board.stage.title = i < 0 ? "" : `${data.code[i]} ${data.nameOf(i)}\n${data.ofOrder(i)} ${data.customerOf(i)}\n${this.clock(data.start[i])} – ${this.clock(data.end[i])}`;
  }

  /** The facts of a chosen bar; its reasons and links come from the server. */
  async about(i) {
    const box = this.part("about");
    const { data } = this.board;
    if (i < 0) return box.replaceChildren(this.node("p", t("Choose a bar: press it, or use the arrow keys."), "mute"));
    const order = data.order[i];
    const late = data.late[order];
    const job = this.board.dataset.job.replace("/0", `/${data.id[i]}`);
    const link = Object.assign(this.node("a", `${data.code[i]} ${data.nameOf(i)}`, "code"), { href: job });
    const facts = this.node("p", `${data.ofOrder(i)} ${data.customerOf(i)} · ${data.units.code[data.lane[i]] ?? t("outside")} · ${this.clock(data.start[i])} – ${this.clock(data.end[i])} · ${t("due %(time)s", { time: this.clock(data.json.orders.due[order]) })}`);
    const promise = this.node("p", late ? `▲ ${t("%(time)s late", { time: duration(late * 60) })}` : t("in time"), late ? "is-late" : "mute");
    const reasons = this.node("ul", "", "assumed");
    box.replaceChildren(link, facts, promise, this.node("h3", t("Why not earlier")), reasons);
    if (this.board.dataset.may === "1" && data.mayMove(i)) {
      const form = Object.assign(this.node("a", t("Move it by a form"), "button"), { href: this.board.dataset.form.replace("/0/", `/${data.id[i]}/`) });
      const hand = this.node("button", t("Take in hand"));
      hand.dataset.act = "pick";
      box.append(hand, form);
    }
    this.say(`${facts.textContent} · ${promise.textContent}`);
    const asked = (this.asked = data.id[i]);
    const answer = await fetch(this.board.dataset.why.replace("/0/", `/${asked}/`), { redirect: "manual", headers: { accept: "application/json" } }).catch(() => null);
    const found = answer?.ok ? await answer.json() : { reasons: [t("It cannot be said now.")], links: [] };
    if (asked !== this.asked) return;
    reasons.replaceChildren(...found.reasons.map((one) => this.node("li", one)));
    this.board.scene.links = found.links;
    this.board.ask("moving");
  }

  hand(hand) {
    this.part("deciding").hidden = false;
    this.part("refused").hidden = true;
    this.part("quick").textContent = "";
    this.board.dataset.impact = "";
    this.part("to").textContent = hand.label;
    this.part("figures").replaceChildren();
    this.say(t("%(job)s is in hand: arrow keys move it, Enter drops it, Esc puts it back.", { job: hand.label }));
  }

  put_down() { this.part("deciding").hidden = true; }

  quick(code, hand) {
    const words = { not_able: t("That station cannot do it."), past: t("That is in the past."), frozen: t("Inside the frozen zone."), stands: t("The station stands then."), takes_room: t("Something else is there: it moves behind.") };
    const unit = this.board.data.units.code[hand.unit] ?? "";
    this.part("to").textContent = `${hand.label} → ${unit} ${this.clock(hand.start)}`;
    this.part("quick").textContent = words[code] ?? "";
    this.say(`${unit} ${this.clock(hand.start)} ${words[code] ?? ""}`);
  }

  impact(hand, found) {
    const { measures } = found;
    const was = measures.before ?? {};
    const rows = [[t("Late orders"), was.late_orders, measures.late_orders], [t("Minutes late"), was.late_min, measures.late_min], [t("Set-up minutes"), was.setup_min, measures.setup_min], [t("Moved"), "–", measures.moved], [t("On another machine"), "–", measures.changed_machine]];
    const figures = measures.late_orders === undefined ? [] : rows.map(([name, before, after]) => this.line([name, before ?? "–", after ?? "–", this.change(before, after)]));
    const hit = (measures.late ?? []).filter((row) => row.late_min !== row.before_min).slice(0, 8).map((row) => this.line([row.order || row.request, row.before_min ?? "–", row.late_min, this.change(row.before_min, row.late_min)]));
    this.part("figures").replaceChildren(...figures, ...hit);
    this.part("quick").textContent = found.refusals.join(" ") || (found.starts_at ? t("It starts at %(time)s.", { time: this.format.format(Date.parse(found.starts_at)) }) : "");
    this.part("quick").classList.toggle("is-refused", found.refusals.length > 0);
    this.say(found.is_feasible ? t("Possible: %(n)d late orders, %(m)d moved.", { n: measures.late_orders, m: measures.moved }) : found.refusals.join(" "));
    this.board.dataset.impact = found.is_feasible ? "yes" : "no";
  }

  line(cells) {
    const tr = document.createElement("tr");
    tr.append(...cells.map((cell, k) => { const made = this.node(k ? "td" : "th", String(cell), k ? "num" : ""); if (!k) made.scope = "row"; return made; }));
    return tr;
  }

  change(before, after) {
    const by = Number(after) - Number(before);
    return Number.isFinite(by) && by !== 0 ? `${by > 0 ? "▲" : "▼"} ${Math.abs(by)}` : "–";
  }

  refuse(words) {
    const box = this.part("refused");
    box.textContent = words;
    box.hidden = false;
    this.part("quick").textContent = words;
    this.board.dataset.impact = "no";
  }

  moved(hand, found) {
    this.part("refused").hidden = true;
    this.part("deciding").hidden = true;
    this.say(t("%(job)s is moved. Plan %(number)s holds.", { job: hand.label, number: found.number }));
  }
}
