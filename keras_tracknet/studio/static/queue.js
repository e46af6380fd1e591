// The queue of doubtful frames, most useful first, with the reason in words.
import { ask, attempt, find, make } from "./page.js";

export class Queue {
  /** `track` tracks the video. */
  constructor(video, track, signal) {
    Object.assign(this, { video, track, entries: [], current: -1, list: find("queue") });
    video.addEventListener("labels", () => this.update(), { signal });
    video.addEventListener("frame", () => this.#point(), { signal });
  }

  async load() {
    this.entries = await attempt(() => ask(`${this.video.path}/doubtful`)) ?? [];
    this.current = -1;
    this.list.replaceChildren(...this.entries.map((entry, index) => this.#draw(entry, index)));
    if (!this.entries.length) {
      this.list.replaceChildren(this.video.track.tracked
        ? make("li", { className: "empty" }, "Nothing is doubtful.")
        : make("li", { className: "empty" }, make("p", {}, "Not tracked yet. Track it, or click the ball frame by frame."),
          make("button", { className: "primary", onclick: this.track }, "Track")));
    }
    this.video.tell("labels");
  }

  #draw(entry, index) {
    entry.button = make("button", { className: "entry", onclick: () => this.go(index) },
      make("span", { className: "number" }, String(entry.frame)), make("span", {}, entry.reason));
    return make("li", {}, entry.button);
  }

  /** An entry is done when a person spoke of one of its frames. */
  update() {
    for (const entry of this.entries) {
      entry.done = this.video.isReviewed(entry.frame);
      for (let i = entry.first; i <= entry.last && !entry.done; i += 1) {
        entry.done = this.video.labels.has(i);
      }
      entry.button.classList.toggle("done", entry.done);
    }
    const left = this.entries.filter((entry) => !entry.done).length;
    find("queue-count").textContent = this.entries.length ? `${left} of ${this.entries.length} left` : "";
  }

  #point() {
    const here = this.entries[this.current];
    if (here && (this.video.frame < here.first || this.video.frame > here.last)) this.#mark(-1);
  }

  #mark(index) {
    this.list.querySelector("[aria-current]")?.removeAttribute("aria-current");
    if (index >= 0) this.place = index;
    this.current = index;
    const button = this.entries[index]?.button;
    button?.setAttribute("aria-current", "true");
    button?.scrollIntoView({ block: "nearest" });
  }

  go(index) {
    this.video.go(this.entries[index].frame);
    this.#mark(index);
  }

  /** Go to the next entry that is not done, or to the one before. */
  move(step) {
    const count = this.entries.length, from = this.place ?? (step > 0 ? -1 : count);
    for (let i = 1; i <= count; i += 1) {
      const index = (((from + step * i) % count) + count) % count;
      if (!this.entries[index].done) { this.go(index); return true; }
    }
    return false;
  }
}
