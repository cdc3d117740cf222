/** Moves of a board: tried while in hand (one question at a time, the latest wins), done on release, undone and redone. */
import { t } from "../web/format.js";

const QUIET_MS = 120;

export class Moves {
  constructor(board) {
    Object.assign(this, { board, done: [], undone: [], asked: 0, isAsking: false });
  }

  body(hand, number = this.board.data.json.number) {
    const { data } = this.board;
    return { site_id: Number(this.board.dataset.siteId), job_order_id: hand.id, start: new Date(data.ms(hand.start)).toISOString(), work_unit_id: hand.unit >= 0 ? data.units.id[hand.unit] : null, how: this.board.panel.how(), expected: number };
  }

  async post(address, body) {
    const headers = { "Content-Type": "application/json", "X-CSRFToken": this.board.dataset.csrf, accept: "application/json" };
    const answer = await fetch(address, { method: "POST", redirect: "manual", headers, body: JSON.stringify(body) });
    const json = await answer.json().catch(() => ({}));
    if (!answer.ok) throw Object.assign(new Error(json.detail ?? t("The server does not answer as it should.")), { status: answer.status });
    return json;
  }

  /** Ask what the place in hand leads to, once the hand rests; while one answer is awaited only the last wish is kept. */
  tryLater() {
    this.asked++;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.tryNow(), QUIET_MS);
  }

  async tryNow() {
    const { hand } = this.board.scene;
    if (!hand || this.isAsking) return;
    const mine = this.asked;
    this.isAsking = true;
    try {
      const impact = await this.post(this.board.dataset.try, this.body(hand));
      if (mine === this.asked && this.board.scene.hand === hand) this.tell(hand, impact);
    } catch (error) {
      if (mine === this.asked && this.board.scene.hand === hand) { hand.isRefused = true; this.board.panel.refuse(error.message); this.board.ask("moving"); if (error.status === 409) this.board.load(); }
    } finally {
      this.isAsking = false;
      if (mine !== this.asked && this.board.scene.hand) this.tryLater();
    }
  }

  tell(hand, impact) {
    hand.isRefused = !impact.is_feasible;
    this.board.scene.moves = (impact.measures.moves ?? []).filter((move) => move.job_order_id !== hand.id);
    this.board.panel.impact(hand, impact);
    this.board.ask("moving");
  }

  forget() {
    clearTimeout(this.timer);
    this.asked++;
  }

  async drop(hand) {
    if (this.isDropping) return;
    this.isDropping = true;
    this.forget();
    const was = { id: hand.id, unit: hand.from.unit, start: hand.from.start, label: hand.label };
    try {
      const impact = await this.post(this.board.dataset.move, this.body(hand));
      this.done.push({ ...was, to: { unit: hand.unit, start: hand.start }, number: impact.number, hadPlace: hand.i >= 0 });
      this.undone = [];
      this.board.panel.moved(hand, impact);
    } catch (error) {
      this.board.panel.refuse(error.message);
    } finally {
      this.isDropping = false;
      this.board.let_go({ isDone: true });
      this.board.load();
    }
  }

  /** Take the last move back: the plan before it while nobody has published since, else by moving it back. */
  async undo() {
    const last = this.done.pop();
    if (!last) return this.board.panel.say(t("There is nothing of yours to undo."));
    try {
      const { number } = this.board.data.json;
      const site_id = Number(this.board.dataset.siteId);
      if (number === last.number || !last.hadPlace) await this.post(this.board.dataset.undo, { site_id, expected: last.number, reason: "" });
      else await this.post(this.board.dataset.move, this.body({ id: last.id, unit: last.unit, start: last.start }));
      this.undone.push(last);
      this.board.panel.say(t("%(job)s is back where it was.", { job: last.label }));
    } catch (error) { this.done.push(last); this.board.panel.refuse(error.message); }
    this.board.load();
  }

  async redo() {
    const last = this.undone.pop();
    if (!last) return this.board.panel.say(t("There is nothing to do again."));
    await this.board.load();
    try {
      const impact = await this.post(this.board.dataset.move, this.body({ id: last.id, ...last.to }));
      this.done.push({ ...last, number: impact.number });
      this.board.panel.say(t("%(job)s is moved again.", { job: last.label }));
    } catch (error) { this.undone.push(last); this.board.panel.refuse(error.message); }
    this.board.load();
  }
}
