// The newest frame of a camera or stream with its track, until q or Escape.

const [picture, state, button] = ["live-picture", "live-state", "live-end"].map((id) =>
  document.getElementById(id),
);
let over = false;

function finish() {
  over = true;
  button.hidden = true;
  state.textContent = "Tracking has ended; you can close this page.";
  window.close(); // works where the page was opened in a window of its own
}

async function end() {
  if (over) return;
  await fetch("/end", { method: "POST" }).catch(() => {});
  finish();
}

async function showPictures() {
  let after = 0;
  while (!over) {
    const answer = await fetch(`/pictures/${after}`).catch(() => null);
    if (over) return;
    if (answer === null || answer.status >= 400) return finish();
    if (answer.status === 204) continue;
    const address = URL.createObjectURL(await answer.blob());
    picture.src = address;
    await picture.decode().catch(() => {});
    URL.revokeObjectURL(address);
    picture.hidden = false;
    const frame = Number(answer.headers.get("frame"));
    state.textContent = `Frame ${frame}`;
    after = frame + 1;
  }
}

button.addEventListener("click", end);
addEventListener("keydown", (event) => {
  if ((event.key === "q" || event.key === "Escape") && !event.ctrlKey && !event.metaKey) end();
});
showPictures();
