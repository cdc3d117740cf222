// How far a file is, asked once a second; the page is loaded anew when it is done.
const place = document.getElementById("progress");

async function ask() {
  try {
    const answer = await fetch(place.dataset.url, { headers: { Accept: "application/json" } });
    if (answer.ok) {
      const { is_moving: isMoving, done, total } = await answer.json();
      if (!isMoving) { location.reload(); return; }
      place.querySelector("[data-done]").textContent = String(done);
      const bar = place.querySelector("progress");
      if (total) { bar.max = total; bar.value = done; }
    }
  } catch {
    // the server is away for a moment: the next question finds it again
  }
  setTimeout(ask, 1000);
}

ask();
