// What a person says of the ball: put, deny, hide, accept, fill; undone without end, saved at once.
import { ask, attempt, find, say } from "./page.js";

const AGAIN = 2000; // milliseconds until a failed save is tried again
const CLICKED = ["visible", "hidden", "accepted"]; // what a fill may start from

export class Corrections {
  /** `finished` is called after a correction of the frame on show. */
  constructor(video, finished) {
    Object.assign(this, { video, finished, stretch: null, unsaved: new Set(), unsavedStretches: false });
    this.memory = `corrections ${video.id}`; // undo outlives a reload
    const kept = JSON.parse(sessionStorage.getItem(this.memory) ?? "null");
    this.done = kept?.done ?? [];
    this.undone = kept?.undone ?? [];
  }

  // The verbs

  put(x, y) {
    this.#one({ status: "visible", visibility: 1, ...inside(this.video, x, y) });
  }

  absent() { this.#each(() => ({ status: "absent", visibility: 0, x: null, y: null })); }

  hidden() {
    this.#each((frame) => {
      const { x, y } = this.video.ball(frame), [guessX, guessY] = this.video.guess(frame);
      return { status: "hidden", visibility: 0, x: x ?? guessX, y: y ?? guessY };
    });
  }

  accept() {
    if (this.stretch !== null) { this.review(...this.#ends()); return; }
    const { x, y, status } = this.video.ball(this.video.frame);
    if (status === "unknown") { say("There is nothing to accept; click the ball, or press x."); return; }
    this.#one({ status: "accepted", visibility: x === null ? 0 : 1, x, y });
  }

  /** Accept everything in a stretch. */
  review(first, last) {
    this.#change(new Map(), join([...this.video.reviewed, [first, last]]));
    this.dropStretch();
    say(`Reviewed: frames ${first} to ${last}.`);
  }

  clear() { this.#each((frame) => (this.video.labels.has(frame) ? null : undefined), false); }

  /** Move the ball by so many pixels; where there is none, from where it should be. */
  nudge(dx, dy) {
    const { x, y } = this.video.ball(this.video.frame);
    const [fromX, fromY] = x === null ? this.video.guess(this.video.frame) : [x, y];
    const label = { status: "visible", visibility: 1, ...inside(this.video, fromX + dx, fromY + dy) };
    this.#change(new Map([[this.video.frame, label]]), undefined, "nudge");
  }

  /** Fill between the two clicked frames around this one, or at the ends of the stretch. */
  async fill() {
    const ends = this.stretch !== null ? this.#ends() : this.#clickedAround();
    if (!ends || !ends.every((frame) => this.#isClicked(frame))) {
      say("Click the ball in the first and in the last frame of the stretch, then fill.");
      return;
    }
    if (ends[1] - ends[0] < 2) { say("There is no frame between these two."); return; }
    await this.save();
    const found = await attempt(() => ask(`${this.video.path}/fill`,
      { method: "POST", body: { first: ends[0], last: ends[1] } }));
    if (!found) return;
    const labels = new Map(Object.entries(found.frames)
      .map(([frame, { x, y }]) => [Number(frame), { status: "filled", visibility: 1, x, y }]));
    this.#change(labels);
    this.dropStretch();
    const law = found.law === "flight" ? "the law of flight" : "a spline";
    say(`Filled ${labels.size} frames between ${ends[0]} and ${ends[1]} by ${law}.`);
  }

  #isClicked(frame) {
    const label = this.video.labels.get(frame);
    return label && CLICKED.includes(label.status) && label.x !== null && label.x !== undefined;
  }

  #clickedAround() {
    const clicked = [...this.video.labels.keys()].filter((frame) => this.#isClicked(frame));
    const here = this.video.frame;
    const least = (frames) => (frames.length ? Math.min(...frames) : undefined);
    const most = (frames) => (frames.length ? Math.max(...frames) : undefined);
    const before = most(clicked.filter((frame) => frame < here));
    const after = least(clicked.filter((frame) => frame > here));
    if (clicked.includes(here)) { // the second click was just made; or the first one
      if (before !== undefined) return [before, here];
      return after === undefined ? null : [here, after];
    }
    return before === undefined || after === undefined ? null : [before, after];
  }

  // Stretches

  toggleStretch() {
    if (this.stretch === null) this.stretch = this.video.frame;
    else this.dropStretch();
    this.video.tell("labels");
  }

  dropStretch() {
    this.stretch = null;
    this.video.tell("labels");
  }

  #ends() { return [this.stretch, this.video.frame].sort((a, b) => a - b); }

  /** Change the frame on show, or every frame of the stretch; undefined leaves a frame alone. */
  #each(label, moves = true) {
    if (this.stretch === null) {
      const made = label(this.video.frame);
      if (made !== undefined) this.#one(made, moves);
      return;
    }
    const [first, last] = this.#ends(), labels = new Map();
    for (let frame = first; frame <= last; frame += 1) {
      const made = label(frame);
      if (made !== undefined) labels.set(frame, made);
    }
    this.#change(labels);
    this.dropStretch();
  }

  #one(label, moves = true) {
    this.#change(new Map([[this.video.frame, label]]));
    if (moves) this.finished();
  }

  // Undo and redo

  /** Lay labels over frames, null taking one away; remember what was there. */
  #change(labels, reviewed, kind) {
    const { video } = this, last = this.done.at(-1);
    const before = [...labels.keys()].map((frame) => [frame, video.labels.get(frame) ?? null]);
    const step = { kind, frame: video.frame, before, after: [...labels] };
    if (reviewed) Object.assign(step, { reviewedBefore: video.reviewed, reviewedAfter: reviewed });
    // Nudges in a row are one step.
    if (kind === "nudge" && last?.kind === "nudge" && last.frame === step.frame) last.after = step.after;
    else this.done.push(step);
    this.undone = [];
    this.#apply(step.after, reviewed);
  }

  undo() {
    const step = this.done.pop();
    if (!step) { say("There is nothing to undo."); return; }
    this.undone.push(step);
    this.#apply(step.before, step.reviewedBefore);
    this.video.go(step.frame);
  }

  redo() {
    const step = this.undone.pop();
    if (!step) { say("There is nothing to redo."); return; }
    this.done.push(step);
    this.#apply(step.after, step.reviewedAfter);
    this.video.go(step.frame);
  }

  #apply(labels, reviewed) {
    for (const [frame, label] of labels) {
      if (label) this.video.labels.set(frame, label); else this.video.labels.delete(frame);
      this.unsaved.add(frame);
    }
    if (reviewed) {
      this.video.reviewed = reviewed;
      this.unsavedStretches = true;
    }
    try {
      sessionStorage.setItem(this.memory, JSON.stringify({ done: this.done, undone: this.undone }));
    } catch { // the browser's room for it is full: undo ends at a reload
      sessionStorage.removeItem(this.memory);
    }
    this.video.tell("labels");
    this.save();
  }

  /** What was opened from a file cannot be undone by what was done before. */
  forget() {
    this.done = [];
    this.undone = [];
    sessionStorage.removeItem(this.memory);
  }

  // Saving

  get isSaved() { return !this.unsaved.size && !this.unsavedStretches; }

  /** Send what is not saved yet, until all of it is. */
  save() {
    this.saving ??= this.#send().finally(() => { this.saving = undefined; });
    return this.saving;
  }

  async #send() {
    while (!this.isSaved) {
      find("saved").textContent = "Saving…";
      const frames = [...this.unsaved], stretches = this.unsavedStretches, body = { set: {}, remove: [] };
      for (const frame of frames) {
        const label = this.video.labels.get(frame);
        if (label) body.set[frame] = label; else body.remove.push(frame);
      }
      if (stretches) body.reviewed = this.video.reviewed;
      this.unsaved.clear();
      this.unsavedStretches = false;
      try {
        await ask(`${this.video.path}/labels`, { method: "PATCH", body });
        find("saved").textContent = "Saved";
      } catch (error) {
        for (const frame of frames) this.unsaved.add(frame);
        this.unsavedStretches ||= stretches;
        find("saved").textContent = "Not saved";
        say(`Not saved: ${error.message} It is tried again.`);
        await new Promise((resolve) => { setTimeout(resolve, AGAIN); });
      }
    }
  }
}

/** A point kept inside the picture, to a hundredth of a pixel. */
function inside(video, x, y) {
  const keep = (value, size) => Math.round(Math.max(0, Math.min(size - 1, value)) * 100) / 100;
  return { x: keep(x, video.width), y: keep(y, video.height) };
}

/** Stretches in order, those that touch made one. */
function join(stretches) {
  const joined = [];
  for (const [first, last] of stretches.toSorted((a, b) => a[0] - b[0])) {
    const before = joined.at(-1);
    if (before && first <= before[1] + 1) before[1] = Math.max(before[1], last);
    else joined.push([first, last]);
  }
  return joined;
}
