/**
 * Giving the reason of a stop in a dialog, wherever a link with `data-reason` or the event "yuheng:reason" asks for it; without
 * scripts the link is a page. Letters find a reason, Enter gives it; digits 1–9 choose one of those shown first.
 */
import { t } from "../web/format.js";

const dialog = document.getElementById("yh-reason");

async function open(address) {
  const answer = await fetch(address, { redirect: "manual", headers: { "x-requested-with": "dialog" } });
  if (!answer.ok) { location.href = address; return; }
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const body = page.querySelector("[data-reason-body]");
  if (!body) { location.href = address; return; }
  dialog.replaceChildren(body);
  if (!dialog.open) dialog.showModal();
  prepare(body);
}

function prepare(body) {
  const search = body.querySelector("[data-reason-search]");
  const items = [...body.querySelectorAll("[data-reason-item]")];
  const seen = () => items.filter((item) => !item.hidden);
  const number = () => {
    seen().forEach((item, i) => { item.querySelector("[data-digit]").textContent = i < 9 ? String(i + 1) : ""; });
  };
  search?.addEventListener("input", () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const item of items) item.hidden = !words.every((word) => item.dataset.reasonItem.includes(word));
    for (const group of body.querySelectorAll("[data-reason-group]")) group.hidden = ![...group.querySelectorAll("[data-reason-item]")].some((item) => !item.hidden);
    number();
  });
  body.addEventListener("keydown", (event) => {
    if (event.target.matches("textarea, input:not([data-reason-search])")) return;
    if (/^[1-9]$/.test(event.key) && !event.ctrlKey && !event.altKey) {
      const item = seen()[Number(event.key) - 1];
      if (item) { event.preventDefault(); item.querySelector("button").click(); }
    }
    if (event.key === "Enter" && event.target === search) {
      event.preventDefault();
      if (search.value) seen()[0]?.querySelector("button").click();
    }
  });
  number();
  search?.focus();
}

dialog?.addEventListener("submit", async (event) => {
  const form = event.target;
  if (form.method === "dialog") return;
  event.preventDefault();
  const body = new FormData(form);
  if (event.submitter?.name) body.set(event.submitter.name, event.submitter.value);
  const answer = await fetch(form.action, { method: "POST", body, headers: { "x-requested-with": "dialog" } });
  if (answer.ok) {
    dialog.close();
    dispatchEvent(new CustomEvent("yuheng:explained"));
    return;
  }
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const place = dialog.querySelector("[data-reason-error]");
  place.textContent = page.querySelector("[data-sentence]")?.textContent ?? t("The reason could not be kept.");
  place.hidden = false;
});

dialog?.addEventListener("click", (event) => { if (event.target.closest("[data-close]")) dialog.close(); });
addEventListener("yuheng:reason", (event) => open(event.detail.address));
addEventListener("click", (event) => {
  const link = event.target.closest?.("a[data-reason]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  open(link.href);
});
