// The library: the folder's videos, their state, and what they are tracked with.
import { ask, attempt, clock, find, make, say } from "./page.js";

const STATES = { new: "not tracked", tracked: "tracked", corrected: "corrected", reviewed: "reviewed",
  damaged: "cannot be read" };

export class Library {
  constructor(jobs) {
    this.jobs = jobs;
    this.videos = [];
    this.weights = [];
    find("settings").addEventListener("submit", (event) => {
      event.preventDefault();
      const fresh = this.videos.filter((video) => video.state === "new");
      this.track(fresh.length ? fresh : this.videos.filter(({ state }) => state !== "damaged"));
    });
    find("weights").addEventListener("change", () => this.#describe());
    for (const name of ["weights", "mode", "threshold"]) {
      find(name).addEventListener("change", () => localStorage.setItem(name, find(name).value));
    }
    find("add-videos").addEventListener("change", (event) => {
      this.add(event.target.files);
      event.target.value = "";
    });
    this.#acceptDrops();
  }

  async load() {
    const [videos, weights] = await Promise.all([ask("/api/videos"), ask("/api/weights")]);
    this.weights = weights.weights;
    this.default = weights.default;
    fillSelect(find("weights"), this.weights.map(({ name }) => name), weights.default);
    fillSelect(find("mode"), weights.modes, weights.mode);
    find("threshold").placeholder = weights.threshold ?? "default";
    for (const name of ["weights", "mode", "threshold"]) {
      const kept = localStorage.getItem(name);
      if (kept !== null && (name === "threshold" || has(find(name), kept))) find(name).value = kept;
    }
    this.#describe();
    this.#show(videos);
  }

  async refresh() {
    const videos = await attempt(() => ask("/api/videos"));
    if (videos) this.#show(videos);
  }

  find(id) { return this.videos.find((video) => String(video.id) === id); }

  #describe() {
    const chosen = this.weights.find(({ name }) => name === find("weights").value);
    find("weights-summary").textContent = chosen ? `${chosen.name}: ${chosen.summary}` : "";
  }

  #show(videos) {
    this.videos = videos;
    find("videos").replaceChildren(...videos.map((video) => this.#drawCard(video)));
    const fresh = videos.filter((video) => video.state === "new").length;
    find("track-all").textContent = fresh || !videos.length ? "Track all" : "Track all again";
    find("track-all").disabled = !videos.length;
  }

  #drawCard(video) {
    if (video.state === "damaged") return this.#drawDamaged(video);
    const place = `#video=${encodeURIComponent(video.id)}`;
    const state = make("span", { className: "state" },
      make("span", { className: `dot ${video.state}` }), make("b", {}, STATES[video.state] ?? video.state));
    const details = [];
    if (video.doubtful !== null && video.doubtful !== undefined && video.state !== "new") {
      details.push(`${Math.round(100 * video.doubtful)} % doubtful`);
    }
    if (video.labelled) details.push(`${video.labelled} corrected`);
    if (details.length) state.append(make("br"), details.join(" · "));
    const thumb = make("div", { className: "thumb" },
      make("img", { src: `/api/videos/${encodeURIComponent(video.id)}/thumbnail`, alt: "", loading: "lazy" }),
      make("span", { className: "length" }, clock(video.seconds)));
    return make("li", { className: "card" },
      make("a", { href: place }, thumb, make("div", { className: "name", title: video.name }, video.name)),
      make("div", { className: "foot" }, state,
        make("button", { onclick: () => this.track([video]), ariaLabel: `Track ${video.name}` }, "Track")));
  }

  #drawDamaged(video) {
    return make("li", { className: "card" }, make("div", { className: "thumb" }),
      make("div", { className: "name", title: video.name }, video.name),
      make("div", { className: "foot" }, make("span", { className: "state" },
        make("span", { className: "dot damaged" }), make("b", {}, STATES.damaged), make("br"), video.error ?? "")));
  }

  track(videos) {
    const threshold = Number(find("threshold").value);
    return this.jobs.start({ kind: "track", videos: videos.map(({ id }) => id),
      weights: find("weights").value, mode: find("mode").value,
      ...(threshold ? { threshold } : {}) });
  }

  async add(files) {
    for (const file of files) {
      say(`Adding ${file.name}…`);
      await attempt(async () => {
        await ask(`/api/videos/${encodeURIComponent(file.name)}`, { method: "PUT", file });
        say(`Added ${file.name}.`);
      });
    }
    await this.refresh();
  }

  #acceptDrops() {
    const isFile = (event) => event.dataTransfer?.types.includes("Files");
    addEventListener("dragover", (event) => {
      if (!isFile(event)) return;
      event.preventDefault();
      document.body.classList.add("dropping");
    });
    addEventListener("dragleave", (event) => {
      if (!event.relatedTarget) document.body.classList.remove("dropping");
    });
    addEventListener("drop", (event) => {
      document.body.classList.remove("dropping");
      if (!isFile(event)) return;
      event.preventDefault();
      this.add([...event.dataTransfer.files]);
    });
  }
}

const has = (select, value) => [...select.options].some((option) => option.value === value);

export function fillSelect(select, values, chosen) {
  const kept = select.value;
  select.replaceChildren(...values.map((value) => make("option", {}, String(value))));
  select.value = has(select, kept) ? kept : chosen;
}
