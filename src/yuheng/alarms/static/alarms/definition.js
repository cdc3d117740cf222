/** The form of an alarm: says while somebody types what could not be accepted, and how its messages would read. */

const PAUSE_MS = 350;
const form = document.querySelector("[data-definition]");
const condition = form.querySelector("[name=when]");
let timer = 0;
let asked = 0;

async function check() {
  const mine = ++asked;
  const body = new FormData(form);
  const answer = await fetch(form.dataset.check, { method: "POST", body, headers: { accept: "application/json" } });
  if (!answer.ok || mine !== asked) return;
  const { errors, examples } = await answer.json();
  const ofLimits = Object.keys(errors).filter((name) => name.startsWith("parameters"));
  for (const node of form.querySelectorAll("[data-error]")) {
    const name = node.dataset.error;
    const text = name === "parameters" ? ofLimits.map((key) => errors[key]).join(" ") : errors[name] ?? "";
    const field = form.querySelector(`[name="${name}"]`);
    const isUntouched = field && !field.value && !field.dataset.touched;
    node.textContent = isUntouched ? "" : text;
    if (field && text && !isUntouched) field.setAttribute("aria-invalid", "true");
    else field?.removeAttribute("aria-invalid");
  }
  for (const node of form.querySelectorAll("[data-example]")) node.textContent = examples[node.dataset.example];
}

form.addEventListener("input", (event) => {
  event.target.dataset.touched = "yes";
  clearTimeout(timer);
  timer = setTimeout(() => check().catch(() => {}), PAUSE_MS);
});

for (const button of form.querySelectorAll("[data-insert]")) {
  button.addEventListener("click", () => {
    condition.setRangeText(button.dataset.insert, condition.selectionStart, condition.selectionEnd, "end");
    condition.focus();
    condition.dispatchEvent(new Event("input", { bubbles: true }));
  });
}

document.querySelector(".error-summary")?.focus();
