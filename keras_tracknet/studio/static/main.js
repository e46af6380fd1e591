// The studio: which view is shown, which video is open, and what each action does.
import { ask, attempt, clock, find, make, say } from "./page.js";
import { Corrections } from "./corrections.js";
import { CourtView } from "./court.js";
import { Jobs } from "./jobs.js";
import { drawSheet, listenToKeys, readArrow } from "./keys.js";
import { Lens } from "./lens.js";
import { Library } from "./library.js";
import { Player, SPEEDS } from "./player.js";
import { Queue } from "./queue.js";
import { Teach } from "./teach.js";
import { Timeline } from "./timeline.js";
import { Video } from "./video.js";

const jobs = new Jobs(), library = new Library(jobs), teach = new Teach(library, jobs);
const court = new CourtView();
// `tracknet court` shows the court without the rest of the studio.
const alone = new URLSearchParams(location.hash.slice(1)).has("alone");
let open = null; // {video, player, timeline, queue, corrections, closing} of the video that is open

// Views

async function show(event) {
  // Not `location`: the frame before may have written its own address there meanwhile.
  const address = new URL(event?.newURL ?? location.href);
  const place = new URLSearchParams(address.hash.slice(1)), id = place.get("video");
  const view = id !== null ? "player" : ["court", "teach"].find((name) => place.has(name)) ?? "library";
  for (const main of document.querySelectorAll("main")) main.hidden = main.id !== view;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.view === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (view !== "player") {
    open?.player.pause();
    await open?.corrections.save();
    if (!alone) await library.refresh();
    if (view === "teach") teach.show();
    if (view === "court") await attempt(() => court.show(place));
    return;
  }
  if (String(open?.video.id) !== id) await attempt(() => openVideo(id));
  if (open && place.has("frame")) open.video.go(Number(place.get("frame")));
}

async function openVideo(id) {
  const entry = library.find(id);
  if (!entry || entry.state === "damaged") {
    location.hash = "library";
    throw new Error("This video is not in the folder, or cannot be read.");
  }
  const video = await Video.open(entry);
  open?.closing.abort();
  const closing = new AbortController(), { signal } = closing;
  const corrections = new Corrections(video, () => afterCorrection());
  const put = (x, y) => corrections.put(x, y);
  const player = new Player(video, put, signal);
  const queue = new Queue(video, () => library.track([entry]), signal);
  new Lens(video, player, put, signal);
  open = { video, corrections, player, queue, closing, timeline: new Timeline(video, queue, signal) };
  video.addEventListener("frame", showPlace);
  video.addEventListener("labels", showButtons);
  video.addEventListener("view", showButtons);
  const link = find("player-link"), path = encodeURIComponent(id);
  link.hidden = false;
  link.textContent = link.title = video.name;
  link.href = `#video=${path}`;
  find("report-link").href = `/report/${path}`;
  player.speed = Number(find("speed").value);
  player.trail = button("trail").ariaPressed === "true";
  showPlace();
  await queue.load();
}

let settling;
function showPlace() {
  const { video } = open;
  find("place").textContent = `${clock(video.time(video.frame), 2)} / ${clock(video.time(video.count - 1))}`;
  find("court-link").href = `#court=${encodeURIComponent(video.id)}&frame=${video.frame}`;
  clearTimeout(settling); // the address follows, so that a reload comes back to this frame
  settling = setTimeout(() => {
    if (location.hash.startsWith("#video=")) {
      history.replaceState(null, "", `#video=${encodeURIComponent(video.id)}&frame=${video.frame}`);
    }
  }, 250);
}

const button = (name) => find("player").querySelector(`[data-act=${name}]`);

function showButtons() {
  const { corrections, timeline, player } = open;
  const press = (name, on) => button(name).setAttribute("aria-pressed", on);
  press("stretch", corrections.stretch !== null);
  press("trail", player.trail);
  press("heatmap", player.heatmap !== null);
  press("zoomBall", player.zoom > 1);
  button("undo").disabled = !corrections.done.length;
  button("redo").disabled = !corrections.undone.length;
  timeline.stretch = corrections.stretch;
}

function afterCorrection() {
  const next = find("after").value;
  if (next === "frame") open.video.go(open.video.frame + 1);
  if (next === "doubtful" && !open.queue.move(1)) say("Nothing doubtful is left.");
}

// Actions of keys and buttons

const step = (frames) => () => { open.player.pause(); open.video.go(open.video.frame + frames); };
const second = () => Math.round(open.video.fps);

const actions = {
  play: () => (open.player.playing ? open.player.pause() : open.player.play()),
  back: step(-1), forward: step(1),
  secondBack: () => step(-second())(), secondForward: () => step(second())(),
  home: () => step(-open.video.count)(), end: () => step(open.video.count)(),
  slower: () => setSpeed(-1), faster: () => setSpeed(1),
  goto: () => { find("goto").focus(); find("goto").select(); },
  nextDoubtful: () => moveInQueue(1), previousDoubtful: () => moveInQueue(-1),
  accept: () => open.corrections.accept(), absent: () => open.corrections.absent(),
  hidden: () => open.corrections.hidden(), clear: () => open.corrections.clear(),
  guess: () => open.corrections.put(...open.video.guess(open.video.frame)),
  fill: () => open.corrections.fill(), stretch: () => open.corrections.toggleStretch(),
  acceptMoment: () => acceptMoment(),
  nudge: (event) => open.corrections.nudge(...readArrow(event)),
  undo: () => open.corrections.undo(), redo: () => open.corrections.redo(),
  trail: () => { open.player.trail = !open.player.trail; open.player.draw(); },
  heatmap: () => open.player.toggleHeatmap(),
  zoomIn: () => open.player.zoomTo(open.player.zoom * 1.5),
  zoomOut: () => open.player.zoomTo(open.player.zoom / 1.5),
  zoomBall: () => zoomBall(),
  after: () => { find("after").selectedIndex = (find("after").selectedIndex + 1) % 3; },
  leave: () => { if (open.corrections.stretch !== null) open.corrections.dropStretch(); },
};

/** Do what a key or a button of the view that is shown asks for; false where it has no such action. */
function act(name, event) {
  if (!find("court").hidden && court.actions[name]) court.actions[name](event);
  else if (!find("player").hidden && open && actions[name]) {
    actions[name](event);
    showButtons();
  } else return false;
  return true;
}

function moveInQueue(way) {
  open.player.pause();
  if (!open.queue.move(way)) say("Nothing doubtful is left.");
}

function acceptMoment() {
  const entry = open.queue.entries[open.queue.current];
  if (!entry) { say("Go to a doubtful frame first (n)."); return; }
  open.corrections.review(entry.first, entry.last);
  afterCorrection();
}

function zoomBall() {
  const { player, video } = open, { x, y } = video.ball(video.frame);
  if (player.zoom > 1) player.zoomTo(1);
  else player.zoomAt(...(x === null ? video.guess(video.frame) : [x, y]), 4);
}

function setSpeed(way) {
  const index = SPEEDS.indexOf(open.player.speed) + way;
  open.player.speed = SPEEDS[Math.max(0, Math.min(SPEEDS.length - 1, index))];
  find("speed").value = String(open.player.speed);
}

/** A frame's number, a time as 1:23.4, or seconds as 83.4s. */
function goTo(text) {
  const time = text.match(/^(?:(\d+):)?(\d+):(\d+(?:\.\d+)?)$/), { video } = open;
  if (/^\d+$/.test(text)) video.go(Number(text));
  else if (time) video.go(video.at(3600 * (time[1] ?? 0) + 60 * time[2] + Number(time[3])));
  else if (/^\d+(\.\d+)?s?$/.test(text)) video.go(video.at(Number.parseFloat(text)));
  else say("Enter a frame's number, a time like 1:23.4, or seconds like 83.4s.");
}

// Labels in files

async function showFiles() {
  const formats = await attempt(() => ask("/api/formats"));
  if (!formats) return;
  await open.corrections.save();
  find("formats").replaceChildren(...formats.map(({ name, summary }) => make("li", {},
    make("a", { href: `${open.video.path}/export?format=${encodeURIComponent(name)}`, download: "" }, name),
    ` · ${summary}`)));
  find("files").showModal();
}

async function importFile(file) {
  const labels = await attempt(() => ask(`${open.video.path}/import`, { method: "POST", file }));
  if (!labels) return;
  open.corrections.forget();
  open.video.takeLabels(labels);
  find("files").close();
  say(`Opened ${open.video.labels.size} labels.`);
}

// Start

function start() {
  find("speed").append(...SPEEDS.map((speed) => make("option", { value: speed }, `${speed}×`)));
  find("speed").value = "1";
  find("speed").addEventListener("change", () => { open.player.speed = Number(find("speed").value); find("speed").blur(); });
  find("after").addEventListener("change", () => find("after").blur());
  find("goto").addEventListener("keydown", (event) => {
    if (event.key === "Enter") { goTo(event.target.value.trim()); event.target.value = ""; }
    if (event.key === "Enter" || event.key === "Escape") event.target.blur();
  });
  addEventListener("click", (event) => {
    const pressed = event.target.closest("[data-act]");
    if (!pressed || !act(pressed.dataset.act, event)) return;
    if (event.detail) pressed.blur(); // clicked, not pressed by key: space is for play again
  });
  find("report-link").addEventListener("click", (event) => {
    if (open.video.track.tracked) return;
    event.preventDefault();
    say("Track the video first; the report is made of its track.");
  });
  find("open-files").addEventListener("click", showFiles);
  find("import-file").addEventListener("change", (event) => {
    if (event.target.files[0]) importFile(event.target.files[0]);
    event.target.value = "";
  });
  drawSheet();
  listenToKeys(act);
  addEventListener("hashchange", show);
  addEventListener("beforeunload", (event) => { if (open && !open.corrections.isSaved) event.preventDefault(); });
  jobs.addEventListener("job", async ({ detail: { job, ended } }) => {
    if (!ended) return;
    await library.refresh();
    if (!find("teach").hidden) teach.show();
    if (job.kind === "track" && open) {
      await attempt(() => open.video.load());
      await open.queue.load();
    }
  });
}

start();
document.body.classList.toggle("alone", alone);
await attempt(async () => {
  if (!alone) {
    await library.load();
    jobs.listen();
  }
  await show();
});
document.body.dataset.ready = "true";
