/**
 * The service worker of the terminal, after a first line `const SHELL = {…}` that the server writes (terminal/worker.js):
 * the version, the page and the files it needs. The page comes from the cache at once, the whole of one version;
 * a new version is fetched beside it and takes over when it is complete.
 */
/* global SHELL */

const PAGES = `yh-terminal-${SHELL.version}`;
const FILES = "yh-terminal-files";

self.addEventListener("install", (event) => {
  const fetchAll = async () => {
    const cache = await caches.open(PAGES);
    await cache.addAll([SHELL.page, ...SHELL.files].map((address) => new Request(address, { cache: "no-cache", credentials: "same-origin" })));
    await self.skipWaiting();
  };
  event.waitUntil(fetchAll());
});

self.addEventListener("activate", (event) => {
  const tidy = async () => {
    for (const name of await caches.keys()) {
      if (name.startsWith("yh-terminal-") && name !== PAGES && name !== FILES) await caches.delete(name);
    }
    await self.clients.claim();
  };
  event.waitUntil(tidy());
});

const pathOf = (address) => {
  const url = new URL(address, self.location.origin);
  return url.pathname + url.search;
};

async function kept(request, name, key) {
  const cache = await caches.open(name);
  return (await cache.match(key ?? request)) ?? fetch(request);
}

/** Drawings are kept by the page when they are due; who asks for another one gets it from the server and it is kept. */
async function drawing(request) {
  const cache = await caches.open(FILES);
  const found = await cache.match(request);
  if (found) return found;
  const answer = await fetch(request);
  if (answer.ok) await cache.put(request, answer.clone());
  return answer;
}

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const path = pathOf(request.url);
  if (request.method !== "GET" || new URL(request.url).origin !== self.location.origin) return;
  if (request.mode === "navigate" && path.split("?")[0] === SHELL.page) event.respondWith(kept(request, PAGES, SHELL.page));
  else if (SHELL.files.includes(path)) event.respondWith(kept(request, PAGES));
  else if (path.startsWith(SHELL.documents)) event.respondWith(drawing(request));
});
