// While a command waits for its outcome, shows the list anew each second.
const list = document.getElementById("commands");

async function look() {
  if (!list.querySelector("[data-open]")) return;
  try {
    const answer = await fetch(list.dataset.src, { headers: { Accept: "text/html" } });
    if (answer.ok) list.innerHTML = await answer.text();
  } catch {
    // The server is away for a moment: keep looking.
  }
  setTimeout(look, 1000);
}

setTimeout(look, 500);
