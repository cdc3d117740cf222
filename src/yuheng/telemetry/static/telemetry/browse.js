// Opens folders in place, so that what was picked in one stays picked while another is opened. Without it, links do.
const tree = document.querySelector("[data-tree]");
const picked = document.querySelector("[data-picked]");
const INDENT_PX = 18;

function indent(rows) {
  for (const row of rows) {
    const head = row.querySelector("th") ?? row.children[1];
    if (head) head.style.paddingLeft = `${12 + INDENT_PX * Number(row.dataset.level)}px`;
  }
}

async function rowsOf(link, level) {
  const query = new URLSearchParams(new URL(link.href).search);
  query.set("rows", "1");
  query.set("level", String(level));
  const answer = await fetch(`?${query}`, { headers: { Accept: "text/html" } });
  if (!answer.ok) throw new Error(String(answer.status));
  const holder = document.createElement("template");
  holder.innerHTML = await answer.text();
  const rows = [...holder.content.querySelectorAll("tr")];
  indent(rows);
  return rows;
}

function below(row) {
  const found = [];
  for (let next = row.nextElementSibling; next && Number(next.dataset.level) > Number(row.dataset.level); next = next.nextElementSibling) found.push(next);
  return found;
}

function turn(link, isOpen) {
  link.setAttribute("aria-expanded", String(isOpen));
  link.textContent = link.textContent.replace(isOpen ? "▸" : "▾", isOpen ? "▾" : "▸");
}

async function open(link) {
  const row = link.closest("tr");
  const isOpen = link.getAttribute("aria-expanded") === "true";
  if (isOpen || link.dataset.loaded) {
    for (const each of below(row)) each.hidden = isOpen;
    if (!isOpen) for (const inner of below(row)) inner.querySelector("[data-open][data-loaded]") && turn(inner.querySelector("[data-open]"), true);
    turn(link, !isOpen);
    return;
  }
  link.setAttribute("aria-busy", "true");
  try {
    row.after(...(await rowsOf(link, Number(row.dataset.level) + 1)));
    link.dataset.loaded = "1";
    turn(link, true);
  } catch {
    location.assign(link.href);
  } finally {
    link.removeAttribute("aria-busy");
  }
}

function count() {
  const n = tree.querySelectorAll('input[name="pick"]:checked').length;
  picked.textContent = n ? picked.dataset.some.replace("{n}", String(n)) : picked.dataset.none;
}

tree.addEventListener("click", async (event) => {
  const link = event.target.closest("a[data-open], a[data-more]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  if (link.matches("[data-open]")) return open(link);
  const row = link.closest("tr");
  row.replaceWith(...(await rowsOf(link, Number(row.dataset.level))));
});
tree.addEventListener("change", count);
document.querySelector("[data-all]").addEventListener("click", () => {
  for (const box of tree.querySelectorAll('tr:not([hidden]) input[name="pick"]')) box.checked = true;
  count();
});
for (const link of tree.querySelectorAll("a[data-open]")) link.setAttribute("aria-expanded", "false");
indent(tree.querySelectorAll("tr"));
count();
