/**
 * Shows below the options of a line what can be chosen of its product; a press writes the usual value into the field.
 * Without this the field is the same: `name=value, …`.
 */
const choices = JSON.parse(document.getElementById("option-choices").textContent);

function write(field, name, value) {
  const parts = field.value.split(/[,，]/).map((one) => one.trim()).filter((one) => one && one.split("=")[0].trim() !== name);
  field.value = [...parts, `${name}=${value}`].join(", ");
  field.focus();
}

function show(select, field, hints) {
  const buttons = (choices[select.value] ?? []).map(({ name, words, default: usual, limits }) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "chip option-hint";
    button.textContent = `${words}: ${name}=${usual}${limits ? ` (${limits})` : ""}`;
    button.addEventListener("click", () => write(field, name, usual));
    return button;
  });
  hints.replaceChildren(...buttons);
}

for (const hints of document.querySelectorAll("[data-hints]")) {
  const select = document.querySelector(`select[name="material_${hints.dataset.hints}"]`);
  const field = document.querySelector(`[data-options-of="${hints.dataset.hints}"]`);
  select.addEventListener("change", () => show(select, field, hints));
  show(select, field, hints);
}
