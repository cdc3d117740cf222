/** Building the page without markup from strings: what somebody wrote into a name stays text. */

/** `h("button", { class: "big", onclick, "data-x": 1 }, "text", child)`; null and false children are left out. */
export function h(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "textContent") node[name] = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

let count = 0;

/** Open a modal dialog with a title; `fill(body, close)` puts things in. Resolves when it is closed. */
export function openDialog(title, fill, { label = "" } = {}) {
  const id = `yt-dialog-${(count += 1)}`;
  const body = h("div", { class: "dialog-body" });
  const close = () => dialog.close();
  const dialog = h("dialog", { class: "terminal-dialog", "aria-labelledby": id },
    h("header", {}, h("h2", { id }, title), h("button", { type: "button", class: "close", "aria-label": label, onclick: close }, "×")), body);
  document.body.append(dialog);
  fill(body, close);
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => { dialog.remove(); resolve(); });
    dialog.showModal();
    (body.querySelector("[data-focus]") ?? body.querySelector("button"))?.focus();
  });
}

export function closeDialogs() {
  document.querySelectorAll("dialog.terminal-dialog[open]").forEach((dialog) => dialog.close());
}

/** One of many as big buttons; resolves to the chosen row, or null. */
export async function choose(title, rows, nameOf, { label = "", note = "" } = {}) {
  let chosen = null;
  await openDialog(title, (body, close) => {
    if (note) body.append(h("p", { class: "lead" }, note));
    body.append(h("div", { class: "choices" }, rows.map((row) => h("button", { type: "button", onclick: () => { chosen = row; close(); } }, nameOf(row)))));
  }, { label });
  return chosen;
}
