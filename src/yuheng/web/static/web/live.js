/**
 * One live stream a browser. The tab that holds a Web Lock listens to the server and tells the others over a
 * BroadcastChannel; when it closes, another takes over. Over plain http on a foreign host there are no locks: then each
 * tab listens for itself.
 *
 *   const live = listen(["site:1"], (message) => …)     message: {kind: "snapshot" | "delta", topic, now_us, …}
 *   live.onlink = (state) => …                           "open", "lost" or "signed_out"
 *   serverNow()                                          the server's clock, milliseconds
 */

const FORGET_MS = 150_000; // browsers wake background tabs once a minute
const SILENT_MS = 20_000;
const me = Array.from(crypto.getRandomValues(new Uint32Array(2))).join("-");
const channel = "BroadcastChannel" in window ? new BroadcastChannel("yuheng-live") : null;
const wants = new Map(); // tab -> {topics, at}; complete in the leader only
const listeners = new Map(); // topic -> callbacks in this tab
const links = new Set();
const offsets = [];

let isLeader = false;
let source = null;
let opened = "";
let lastHeard = 0;
let retryMs = 1000;
let reopenTimer = 0;

/** The server's clock in ms. The least delayed of the last messages gives the best estimate. */
export function serverNow() {
  return Date.now() + (offsets.length ? Math.max(...offsets) : 0);
}

export function listen(topics, onMessage) {
  const live = { onlink: null };
  for (const topic of topics) listeners.set(topic, [...(listeners.get(topic) ?? []), onMessage]);
  links.add(live);
  announce();
  if (links.size === 1) start();
  return live;
}

function start() {
  if (channel) channel.onmessage = ({ data }) => onPeer(data);
  addEventListener("pagehide", () => channel?.postMessage({ type: "bye", tab: me }));
  addEventListener("pageshow", (event) => event.persisted && announce());
  setInterval(announce, 30_000);
  setInterval(watchdog, 5_000);
  if (navigator.locks && channel) {
    navigator.locks.request("yuheng-live", () => { lead(); return new Promise(() => {}); });
  } else {
    lead();
  }
}

function lead() {
  isLeader = true;
  channel?.postMessage({ type: "leader" });
  reopen();
}

function announce() {
  const want = { type: "want", tab: me, topics: [...listeners.keys()] };
  wants.set(me, { topics: want.topics, at: Date.now() });
  channel?.postMessage(want);
  if (isLeader) reopen();
}

function onPeer(data) {
  if (data.type === "want") {
    const isNew = !wants.has(data.tab);
    wants.set(data.tab, { topics: data.topics, at: Date.now() });
    if (isLeader) reopen(isNew); // a new tab needs a snapshot, even of topics that are open already
  } else if (data.type === "bye") {
    wants.delete(data.tab);
  } else if (data.type === "leader") {
    isLeader || announce();
  } else if (data.type === "message" && !isLeader) {
    deliver(data.message);
  } else if (data.type === "link" && !isLeader) {
    tellLink(data.state);
  }
}

function union() {
  const now = Date.now();
  for (const [tab, want] of wants) if (tab !== me && now - want.at > FORGET_MS) wants.delete(tab);
  return [...new Set([...wants.values()].flatMap((want) => want.topics))].sort().join(",");
}

function reopen(always = false) {
  if (!always && source && union() === opened) return;
  clearTimeout(reopenTimer);
  reopenTimer = setTimeout(open, 50);
}

async function open() {
  close();
  const topics = union();
  if (!topics) return;
  try {
    const answer = await fetch("/live/token", { redirect: "manual", headers: { accept: "application/json" } });
    if (answer.type === "opaqueredirect" || answer.status === 401 || answer.status === 403) return link("signed_out");
    if (!answer.ok) throw new Error(String(answer.status));
    const { token } = await answer.json();
    connect(topics, token);
  } catch {
    again();
  }
}

function connect(topics, token) {
  opened = topics;
  lastHeard = Date.now();
  source = new EventSource(`/live?topics=${encodeURIComponent(topics)}&token=${encodeURIComponent(token)}`);
  source.onopen = () => { retryMs = 1000; link("open"); };
  source.onerror = () => { again(); };
  for (const kind of ["snapshot", "delta"]) {
    source.addEventListener(kind, (event) => {
      const message = { kind, received: Date.now(), ...JSON.parse(event.data) };
      channel?.postMessage({ type: "message", message });
      deliver(message);
    });
  }
}

/** The stream ended (server gone, token expired): ask for a new token and come back, more slowly each time. */
function again() {
  close();
  link("lost");
  clearTimeout(reopenTimer);
  reopenTimer = setTimeout(open, retryMs * (0.5 + Math.random() / 2));
  retryMs = Math.min(10_000, retryMs * 2);
}

function close() {
  source?.close();
  source = null;
}

function watchdog() {
  if (isLeader && source && Date.now() - lastHeard > SILENT_MS) again();
}

function deliver(message) {
  lastHeard = Date.now();
  offsets.push(message.now_us / 1000 - message.received);
  if (offsets.length > 30) offsets.shift();
  for (const callback of listeners.get(message.topic) ?? []) callback(message);
}

function link(state) {
  channel?.postMessage({ type: "link", state });
  tellLink(state);
}

function tellLink(state) {
  for (const live of links) live.onlink?.(state);
}
