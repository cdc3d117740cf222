/**
 * The list of stops with the keyboard: arrows go from row to row, the space bar chooses, A chooses all that are alike, Enter
 * opens the stop, a digit gives the reason of that number to what is chosen, or to the row itself, and goes on.
 */
import { t } from "../web/format.js";

const form = document.querySelector("[data-bulk]");
const rows = [...document.querySelectorAll("[data-stop]")];
const quick = [...document.querySelectorAll("[data-quick]")].map((item) => ({ id: item.dataset.quick, name: item.textContent.replace(/^\s*\d+\s*/, "").trim() }));
const box = (row) => row.querySelector("input[name=stop]");

function count() {
  const place = document.querySelector("[data-chosen]");
  if (place) place.textContent = String(rows.filter((row) => box(row).checked).length);
}

async function give(targets, reason, current) {
  const body = new FormData();
  body.set("csrfmiddlewaretoken", form.elements.csrfmiddlewaretoken.value);
  for (const row of targets) body.append("stop", row.dataset.stop);
  body.set("reason", reason.id);
  const answer = await fetch(form.action, { method: "POST", body, headers: { "x-requested-with": "dialog" } });
  for (const row of targets) {
    const place = row.querySelector("[data-said]");
    const chip = document.createElement("span");
    chip.className = "chip strong";
    chip.textContent = answer.ok ? reason.name : t("The reason could not be kept.");
    place.replaceChildren(chip);
    if (answer.ok) { box(row).checked = false; row.dataset.done = ""; }
  }
  count();
  const after = rows.slice(rows.indexOf(current) + 1).find((row) => !("done" in row.dataset));
  if (after) box(after).focus();
}

document.addEventListener("keydown", (event) => {
  const current = event.target.closest?.("[data-stop]");
  if (!current || event.ctrlKey || event.altKey || event.metaKey || !form || box(current).disabled) return;
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step) {
    event.preventDefault();
    const other = rows[rows.indexOf(current) + step];
    if (other) box(other).focus();
  } else if (/^[1-9]$/.test(event.key) && quick[Number(event.key) - 1]) {
    event.preventDefault();
    const chosen = rows.filter((row) => box(row).checked);
    give(chosen.length ? chosen : [current], quick[Number(event.key) - 1], current);
  } else if (event.key === "a" || event.key === "A") {
    event.preventDefault();
    for (const row of rows) if (row.dataset.kind === current.dataset.kind) box(row).checked = true;
    count();
  } else if (event.key === "Enter" && event.target === box(current)) {
    event.preventDefault();
    current.querySelector("a[data-reason]").click();
  }
});
document.addEventListener("change", count);
addEventListener("yuheng:explained", () => location.reload());
count();
