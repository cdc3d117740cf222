/** The search for signals: lists what matches while somebody writes, adds what is pressed. */
const WAIT_MS = 180;
const form = document.querySelector("[data-picker]");
const host = document.querySelector("[data-picked]");
let timer = 0;

async function look() {
  const query = new URLSearchParams(new FormData(form));
  if (!query.get("q") && !query.get("area")) return;
  const address = `${form.getAttribute("action")}?${query}`;
  host.dataset.asked = address;
  const answer = await fetch(address, { redirect: "manual" });
  if (answer.ok && host.dataset.asked === address) host.innerHTML = await answer.text();
}

form.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(look, WAIT_MS); });
form.addEventListener("submit", (event) => { event.preventDefault(); look(); });
host.addEventListener("click", (event) => {
  const button = event.target.closest("[data-add]");
  if (!button) return;
  const query = new URLSearchParams(location.search);
  const shown = JSON.parse(document.getElementById("yh-trends").textContent).tags.map((tag) => tag.id);
  const id = Number(button.dataset.add);
  if (shown.includes(id)) return;
  for (const name of ["view", "of"]) query.delete(name);
  query.set("tags", [...shown, id].join("."));
  location.href = `${form.dataset.page}?${query}`;
});
