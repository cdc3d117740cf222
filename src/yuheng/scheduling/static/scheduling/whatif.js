// Lists that change while something is being made; and only those fields of a lever that it needs.
const EVERY_S = 2;

async function renew(place) {
  if (document.hidden || place.contains(document.activeElement) || place.querySelector("input:checked, details[open]")) return;
  const answer = await fetch(place.dataset.renew, { headers: { "X-Requested-With": "fetch" } });
  if (!answer.ok || answer.redirected) return;
  const text = await answer.text();
  if (text === place.dataset.shown || place.contains(document.activeElement)) return;
  place.dataset.shown = text;
  const parsed = new DOMParser().parseFromString(text, "text/html");
  place.replaceChildren(...parsed.body.childNodes);
}

for (const place of document.querySelectorAll("[data-renew]")) {
  const again = () => renew(place).catch(() => {}); // a server that is away is asked again
  setInterval(again, 1000 * Number(place.dataset.every || EVERY_S));
  if (!place.firstElementChild) again();
}

for (const lever of document.querySelectorAll("[data-lever]")) {
  const choice = lever.querySelector("select");
  const show = () => {
    for (const field of lever.querySelectorAll("[data-for]")) {
      field.classList.toggle("is-unused", !field.dataset.for.split(" ").includes(choice.value));
    }
  };
  choice.addEventListener("change", show);
  show();
}
