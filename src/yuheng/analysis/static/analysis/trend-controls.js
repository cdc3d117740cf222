/** The controls around the curves: signals, range, pictures, bands, the part below, export. */
const LOOK_MS = 200;

export function controls(trends) {
  const root = document.querySelector("[data-trends]");
  const { config } = trends;
  const all = (selector, type, act) => { for (const node of root.querySelectorAll(selector)) node.addEventListener(type, act); };

  /** Load the page with some names of its address changed. */
  const visit = (changes) => {
    const query = trends.query();
    for (const [name, value] of Object.entries(changes)) (value === "" ? query.delete(name) : query.set(name, value));
    location.search = `?${query}`;
  };
  const ids = () => config.tags.map((tag) => tag.id);

  root.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-remove]");
    if (button) visit({ tags: ids().filter((id) => id !== Number(button.dataset.remove)).join(".") });
  });
  all("[data-unit]", "change", () => visit({ units: [...root.querySelectorAll("select[data-unit]")].map((node) => `${node.dataset.unit}:${node.value}`).join(";") }));
  all("[data-panes]", "change", (event) => visit({ panes: event.target.value }));

  // ---- range
  const press = () => {
    for (const button of root.querySelectorAll("[data-span]")) button.setAttribute("aria-pressed", String(trends.from === null && config.spans[button.dataset.span] === trends.span));
    root.querySelector("[data-pan=live]").setAttribute("aria-pressed", String(trends.from === null));
    const [from, to] = trends.range();
    const form = root.querySelector("[data-range]");
    form.elements.from.value = wall(from, config.zone);
    form.elements.to.value = wall(to, config.zone);
  };
  const move = (part) => { const [from, to] = trends.range(); trends.go(from + part * (to - from), to - from); };
  const zoom = (factor) => { const [from, to] = trends.range(); const middle = (from + to) / 2; trends.go(middle - ((to - from) * factor) / 2, (to - from) * factor); };
  const pans = { back: () => move(-0.5), forward: () => move(0.5), in: () => zoom(0.5), out: () => zoom(2), live: () => trends.go(null, Object.values(config.spans).includes(trends.span) ? trends.span : config.spans["8h"]) };
  all("[data-span]", "click", (event) => trends.go(null, config.spans[event.currentTarget.dataset.span]));
  all("[data-pan]", "click", (event) => pans[event.currentTarget.dataset.pan]());
  all("[data-range]", "submit", (event) => {
    event.preventDefault();
    const from = instant(event.target.elements.from.value, config.zone);
    const to = instant(event.target.elements.to.value, config.zone);
    if (from !== null && to !== null && to > from) trends.go(from, to - from);
  });
  addEventListener("yuheng:range", press);

  // ---- bands
  all("[data-band]", "change", () => {
    const query = new URLSearchParams(location.search);
    query.set("bands", [...root.querySelectorAll("[data-band]:checked")].map((box) => box.dataset.band).join(".") || "none");
    history.replaceState(null, "", `?${query}`);
    trends.load({ part: false });
  });

  // ---- the part below the curves
  const host = root.querySelector("[data-part-host]");
  const renew = async () => {
    const address = `${config.part_url}?${trends.query({ fixed: true })}`;
    host.dataset.asked = address;
    host.setAttribute("aria-busy", "true");
    const answer = await fetch(address, { redirect: "manual" });
    if (host.dataset.asked !== address || !answer.ok) return;
    host.innerHTML = await answer.text();
    host.removeAttribute("aria-busy");
  };
  let waiting = 0;
  addEventListener("yuheng:part", () => { clearTimeout(waiting); waiting = setTimeout(renew, LOOK_MS); });
  const show = (changes) => {
    const query = trends.query();
    for (const [name, value] of changes) (value === "" ? query.delete(name) : query.set(name, value));
    history.replaceState(null, "", `?${query}`);
    for (const tab of root.querySelectorAll("[data-tab]")) {
      if (tab.dataset.tab === (query.get("tab") ?? "statistics")) tab.setAttribute("aria-current", "page");
      else tab.removeAttribute("aria-current");
    }
    renew();
    trends.load({ part: false });
  };
  all("[data-tab]", "click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    show([["tab", event.currentTarget.dataset.tab], ["after", ""]]);
  });
  host.addEventListener("submit", (event) => {
    const form = event.target.closest("[data-part-form]");
    if (!form) return;
    event.preventDefault();
    const given = new FormData(form);
    const names = new Set([...given.keys()].filter((name) => !["from", "to", "span"].includes(name)));
    if (form.querySelector("[name=picked]")) names.add("picked");
    show([...names].map((name) => [name, given.getAll(name).join(".")]));
  });

  host.addEventListener("change", (event) => { if (event.target.matches("select[name=kind]")) event.target.form.requestSubmit(); });

  // ---- export: the range that is shown
  all("[data-export]", "submit", (event) => {
    const place = event.target.querySelector("[data-export-fields]");
    place.replaceChildren(...[...trends.query({ fixed: true })].filter(([name]) => !["format", "bucket"].includes(name)).map(([name, value]) => {
      const field = document.createElement("input");
      Object.assign(field, { type: "hidden", name, value });
      return field;
    }));
  });
}

const SECONDS = { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };

/** A moment as the site's wall clock writes it, for an input. */
function wall(seconds, timeZone) {
  return new Intl.DateTimeFormat("sv-SE", { timeZone, ...SECONDS }).format(seconds * 1000).replace(" ", "T");
}

/** What the site's wall clock shows, as seconds since 1970: guessed with the offset of that time. */
function instant(text, timeZone) {
  if (!text) return null;
  const asIf = Date.parse(text.length === 16 ? `${text}:00Z` : `${text}Z`) / 1000;
  const ahead = (guess) => Date.parse(`${wall(guess, timeZone)}Z`) / 1000 - guess;
  return asIf - ahead(asIf - ahead(asIf));
}
