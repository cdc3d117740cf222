// Waits for the first message of a newly connected device and shows it. Looks every two seconds, stops when it came.
const status = document.getElementById("arrivals");
const shown = document.getElementById("arrived");

async function look() {
  try {
    const answer = await fetch(status.dataset.src, { headers: { Accept: "application/json" } });
    const seen = answer.ok ? await answer.json() : { count: 0 };
    if (seen.count > 0) {
      status.textContent = status.dataset.arrived;
      shown.textContent = seen.latest;
      shown.hidden = false;
      return;
    }
  } catch {
    // The server is away for a moment: keep looking.
  }
  setTimeout(look, 2000);
}

look();
