/**
 * What the tablet keeps: a few facts, the station as the server last told it, and the queue of what people did.
 *
 * The queue only grows at its end. An action is in it, numbered and on disk (durability "strict"), before the screen
 * says so; it leaves when the server's picture of the station includes it.
 */

const NAME = "yuheng-terminal";
const VERSION = 1;

const done = (request) => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});

const finished = (transaction) => new Promise((resolve, reject) => {
  transaction.oncomplete = () => resolve();
  transaction.onabort = transaction.onerror = () => reject(transaction.error ?? new Error("aborted"));
});

/** A random UUID (v4); `crypto.randomUUID` is missing where the page came without TLS. */
export function uuid() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

export class Store {
  static async open(name = NAME) {
    const request = indexedDB.open(name, VERSION);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("facts");
      request.result.createObjectStore("queue", { keyPath: "sequence" });
    };
    const store = new Store();
    store.db = await done(request);
    store.db.onversionchange = () => store.db.close();
    return store;
  }

  write(names) {
    return this.db.transaction(names, "readwrite", { durability: "strict" });
  }

  fact(name) {
    return done(this.db.transaction("facts").objectStore("facts").get(name));
  }

  async setFact(name, value) {
    const change = this.write(["facts"]);
    change.objectStore("facts").put(value, name);
    await finished(change);
  }

  /** The stream that is counted now: its id and the next number. */
  async stream() {
    return (await this.fact("stream")) ?? { id: "", next: 1 };
  }

  /**
   * Put an action at the end of the queue; return it with its number once it is on disk.
   *
   * The number is never one that the queue holds, also when the counter was rolled back (a power cut) and what it gave
   * out has not been let go of yet.
   */
  async append(action) {
    const change = this.write(["facts", "queue"]);
    const written = finished(change); // a failed request aborts the transaction before anybody waits for it
    written.catch(() => {});
    const facts = change.objectStore("facts");
    const queue = change.objectStore("queue");
    const stream = (await done(facts.get("stream"))) ?? { id: uuid(), next: 1 };
    const last = await done(queue.openKeyCursor(null, "prev"));
    const numbered = { ...action, sequence: Math.max(stream.next, (last?.key ?? 0) + 1) };
    queue.add(numbered);
    facts.put({ id: stream.id, next: numbered.sequence + 1 }, "stream");
    await written;
    return numbered;
  }

  /** Everything that the server's picture does not include yet, in order. */
  queue() {
    return done(this.db.transaction("queue").objectStore("queue").getAll());
  }

  /** Note what the server said: `outcome` of each action by id. */
  async note(answers) {
    const byId = new Map(answers.map((answer) => [answer.id, answer]));
    const change = this.write(["queue"]);
    const queue = change.objectStore("queue");
    for (const action of await done(queue.getAll())) {
      const answer = byId.get(action.id);
      if (answer?.outcome) queue.put({ ...action, outcome: answer.outcome, sentence: answer.sentence });
    }
    await finished(change);
  }

  /**
   * Keep a picture of the station and, in the same step, let go of the actions that it includes: those that the server
   * has answered. A number alone says nothing: a store that was rolled back gives numbers twice.
   */
  async keep(picture) {
    const change = this.write(["facts", "queue"]);
    const facts = change.objectStore("facts");
    const stream = await done(facts.get("stream"));
    facts.put(picture, "picture");
    if (stream && picture.stream === stream.id && picture.taken_through > 0) {
      const queue = change.objectStore("queue");
      for (const action of await done(queue.getAll(IDBKeyRange.upperBound(picture.taken_through)))) {
        if (action.outcome) queue.delete(action.sequence);
      }
    }
    await finished(change);
  }

  /** Count the waiting actions anew in a fresh stream: the server has seen numbers that this store forgot. */
  async renumber() {
    const change = this.write(["facts", "queue"]);
    const queue = change.objectStore("queue");
    const waiting = (await done(queue.getAll())).filter((action) => !action.outcome);
    queue.clear();
    waiting.forEach((action, i) => queue.add({ ...action, sequence: i + 1 }));
    change.objectStore("facts").put({ id: uuid(), next: waiting.length + 1 }, "stream");
    await finished(change);
  }
}
