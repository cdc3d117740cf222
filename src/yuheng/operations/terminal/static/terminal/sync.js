/**
 * Sends what waits and fetches the station's picture; says whether the server is there.
 *
 * One tab at a time does this (Web Locks). Failing is normal: it is tried again, sooner after a change of the network.
 */

const POLL_MS = 15_000;
const RETRY_MS = [1000, 2000, 4000, 8000, 15_000];
const TIMEOUT_MS = 10_000;
const BATCH = 50;
const SOON_MS = 800; // a plan is told to all tablets of a site at once: they do not ask in the same moment
const LOCK = "yuheng-terminal-sync";

/** The server does not answer, or not as itself: keep everything, try again. */
class Away extends Error {}

/** Run alone among the tabs of this browser; without Web Locks (no TLS) there is one tab. */
const alone = (work) => (navigator.locks ? navigator.locks.request(LOCK, work) : work());

export const csrf = () => document.cookie.match(/(?:^|; )csrftoken=([^;]+)/)?.[1] ?? "";

export class Sync extends EventTarget {
  /** `urls`: snapshot, merge, live. */
  constructor(store, urls) {
    super();
    Object.assign(this, { store, urls, failures: 0, timer: 0, isOnline: null, offlineSince: 0, refusal: null, running: null, again: false, told: null, plan: 0 });
  }

  async start() {
    const link = await this.store.fact("link");
    this.offlineSince = link?.offlineSince ?? 0;
    this.clockOffset = (await this.store.fact("clock")) ?? 0;
    addEventListener("online", () => this.now());
    addEventListener("visibilitychange", () => document.visibilityState === "visible" && this.now());
    return this.now();
  }

  /** The server's clock, as well as we know it. */
  nowMs() {
    return Date.now() + this.clockOffset;
  }

  /** Try at once; when a try is under way, once more after it. */
  now() {
    clearTimeout(this.timer);
    if (this.running) {
      this.again = true;
      return this.running;
    }
    this.running = alone(() => this.attempt()).finally(() => {
      this.running = null;
      const delay = this.again ? 0 : this.isOnline ? POLL_MS : RETRY_MS[Math.min(this.failures, RETRY_MS.length) - 1] ?? POLL_MS;
      this.again = false;
      this.timer = setTimeout(() => this.now(), delay);
    });
    return this.running;
  }

  async attempt() {
    try {
      if (!csrf()) await this.fetchPicture(); // brings the cookie that the server wants back with what is sent
      if ((await this.store.fact("picture"))?.station) await this.flush();
      await this.fetchPicture();
      this.failures = 0;
      await this.tell(true, null);
      this.listen().catch(() => {});
    } catch (error) {
      if (error.refusal) {
        await this.tell(true, error.refusal);
        return;
      }
      this.failures += 1;
      await this.tell(false, null);
      if (!(error instanceof Away)) console.warn("terminal:", error);
    }
  }

  /**
   * Hear at once that another plan holds. It is only a hint: the picture is asked for as ever, and without a stream it
   * still comes every POLL_MS. A stream that ends is opened again after the next picture.
   */
  async listen() {
    if (this.told || !this.urls.live || !(await this.store.fact("picture"))?.station) return;
    this.told = {};
    try {
      const answer = await this.ask(this.urls.live);
      if (answer.status !== 200) throw new Away(`live: ${answer.status}`);
      const source = (this.told = new EventSource(`/live?topics=${encodeURIComponent(answer.body.topics)}&token=${encodeURIComponent(answer.body.token)}`));
      const hear = ({ data }) => {
        const { plan_id } = JSON.parse(data);
        if (!plan_id || plan_id === this.plan) return;
        this.plan = plan_id;
        setTimeout(() => this.now(), Math.random() * SOON_MS);
      };
      source.addEventListener("snapshot", hear);
      source.addEventListener("delta", hear);
      source.onerror = () => { source.close(); this.told = null; };
    } catch (error) {
      this.told = null;
      throw error;
    }
  }

  async tell(isOnline, refusal) {
    if (!isOnline && this.isOnline !== false && !this.offlineSince) this.offlineSince = Date.now();
    if (isOnline) this.offlineSince = 0;
    Object.assign(this, { isOnline, refusal });
    await this.store.setFact("link", { offlineSince: this.offlineSince });
    this.dispatchEvent(new Event("change"));
  }

  /** Send what waits, oldest first, until nothing does. */
  async flush() {
    for (;;) {
      const waiting = (await this.store.queue()).filter((action) => !action.outcome);
      if (!waiting.length) return;
      const stream = await this.store.stream();
      const batch = waiting.slice(0, BATCH);
      const actions = batch.map(({ id, sequence, kind, at_ms, session, job, payload }) => ({ id, sequence, kind, at_ms, session, job, payload }));
      const answer = await this.ask(this.urls.merge, { stream: stream.id, actions });
      if (answer.status === 409 && answer.body.title === "StreamCollides") {
        await this.store.renumber();
        continue;
      }
      if (answer.status !== 200) throw new Away(`merge: ${answer.status}`);
      await this.store.note(answer.body.answers);
      this.dispatchEvent(new Event("change"));
      if (!answer.body.answers.some((one) => one.outcome)) {
        await this.store.renumber(); // the server misses what this store no longer has: it cannot wait for it
      }
    }
  }

  async fetchPicture() {
    const stream = await this.store.stream();
    const address = `${this.urls.snapshot}?stream=${encodeURIComponent(stream.id)}`;
    const began = Date.now();
    const answer = await this.ask(address);
    if (answer.status !== 200) throw new Away(`snapshot: ${answer.status}`);
    const ended = Date.now();
    this.clockOffset = Math.round(answer.body.server_ms - (began + ended) / 2);
    await this.store.setFact("clock", this.clockOffset);
    await this.store.keep(answer.body);
  }

  /** Ask the server as this terminal; throw Away when it is not there, or `{refusal}` when it turns the tablet away. */
  async ask(address, body) {
    const options = { cache: "no-store", redirect: "error", signal: AbortSignal.timeout(TIMEOUT_MS), headers: { Accept: "application/json" } };
    if (body !== undefined) {
      options.method = "POST";
      options.body = JSON.stringify(body);
      Object.assign(options.headers, { "Content-Type": "application/json", "X-CSRFToken": csrf() });
    }
    let answer, content;
    try {
      answer = await fetch(address, options);
      content = await answer.json();
    } catch (error) {
      throw new Away(String(error));
    }
    if (answer.status === 403 && content.title === "DeviceUnknown") throw Object.assign(new Error(content.detail), { refusal: content.detail });
    return { status: answer.status, body: content };
  }
}
