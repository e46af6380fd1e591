// The court: its corners clicked in a frame, and the lines that follow from them.
import { ask, attempt, find, make, onceAFrame, pointAt, prepare, say } from "./page.js";

const TIMES = 4; // of the lens
const LEAST = 4; // marks that make a court
const LINE = "#ffd60a", MARK = "#40c4ff";

export class CourtView {
  constructor() {
    this.canvas = find("court-picture");
    this.draw = onceAFrame(() => this.#draw());
    new ResizeObserver(this.draw).observe(this.canvas);
    this.canvas.addEventListener("pointerup", (event) => { if (this.image) this.#mark(event); });
    this.canvas.addEventListener("pointermove", (event) => {
      this.pointer = this.#unplace(pointAt(this.canvas, event));
      this.draw();
    });
    find("court-undo").addEventListener("click", () => this.undo());
    find("court-find").addEventListener("click", () => this.findLines());
    find("court-save").addEventListener("click", () => this.save());
    find("court-sport").addEventListener("change", () => {
      this.steps = [];
      this.#take(new Map());
    });
  }

  /** Show the court of a video in a frame. */
  async show(entry, frame) {
    this.video = entry;
    this.frame = frame;
    this.path = `/api/videos/${encodeURIComponent(entry.id)}`;
    Object.assign(this, { steps: [], marks: new Map(), fit: null, pointer: null, image: null });
    find("court-back").href = `#video=${encodeURIComponent(entry.id)}&frame=${frame}`;
    const { court, sport, sports, findable } = await ask(`${this.path}/court`);
    this.sports = sports;
    find("court-sport").replaceChildren(...Object.keys(sports).map((name) => make("option", {}, name)));
    find("court-sport").value = court?.sport ?? sport;
    this.findable = findable;
    const image = new Image();
    image.src = `${this.path}/frames/${frame}`;
    await image.decode();
    this.image = image;
    this.saved = court !== null;
    await this.#take(new Map(court?.marks ?? []));
  }

  #scale() {
    return Math.min(this.canvas.clientWidth / this.video.width, this.canvas.clientHeight / this.video.height);
  }

  #place([x, y]) {
    const scale = this.#scale();
    return [this.canvas.clientWidth / 2 + (x - (this.video.width - 1) / 2) * scale,
      this.canvas.clientHeight / 2 + (y - (this.video.height - 1) / 2) * scale];
  }

  #unplace([left, top]) {
    if (!this.video) return null;
    const scale = this.#scale();
    return [(left - this.canvas.clientWidth / 2) / scale + (this.video.width - 1) / 2,
      (top - this.canvas.clientHeight / 2) / scale + (this.video.height - 1) / 2];
  }

  async #mark(event) {
    const custom = find("court-sport").value === "custom";
    const name = custom ? find("court-place").value.trim() : this.chosen;
    if (!name) { say(custom ? "Enter the position in metres first, such as 6.1,0." : "Choose a point first."); return; }
    let [x, y] = this.#unplace(pointAt(this.canvas, event));
    if (find("court-snap").checked) {
      const corner = await attempt(() => ask(
        `${this.path}/court/corner?frame=${this.frame}&x=${x.toFixed(2)}&y=${y.toFixed(2)}`));
      if (corner) ({ x, y } = corner);
    }
    this.steps.push(new Map(this.marks));
    this.saved = false;
    const marks = new Map(this.marks);
    marks.delete(name);
    if (custom) find("court-place").value = "";
    await this.#take(marks.set(name, [x, y]));
  }

  /** Take the court that the painted lines suggest, to be looked at and mended. */
  async findLines() {
    find("court-find").disabled = true;
    const court = await attempt(() => ask(
      `${this.path}/court/found?frame=${this.frame}&sport=${find("court-sport").value}`));
    this.#list();
    if (!court) return;
    this.steps.push(new Map(this.marks));
    this.saved = false;
    await this.#take(new Map(court.marks));
    say("Found. Look whether the lines lie on the court, move what is off, then save.");
  }

  async undo() {
    const marks = this.steps.pop();
    if (!marks) { say("There is nothing to undo."); return; }
    this.saved = false;
    await this.#take(marks);
  }

  /** Show marks, and the court that fits them. */
  async #take(marks) {
    this.marks = marks;
    this.fit = null;
    const names = this.sports[find("court-sport").value];
    if (!names.includes(this.chosen) || marks.has(this.chosen)) {
      this.chosen = names.find((name) => !marks.has(name)) ?? names[0];
    }
    this.#list();
    find("court-fit").textContent = `${marks.size} of at least ${LEAST} points`;
    if (marks.size >= LEAST) {
      try {
        const fit = await this.#send(false);
        if (this.marks === marks) this.fit = fit;
        find("court-fit").textContent = fit.fit;
      } catch (error) {
        find("court-fit").textContent = error.message;
      }
    }
    this.#list();
    this.draw();
  }

  #send(save) {
    return ask(`${this.path}/court`, { method: "POST",
      body: { sport: find("court-sport").value, marks: [...this.marks], save } });
  }

  async save() {
    const fit = await attempt(() => this.#send(true));
    if (!fit) return;
    this.saved = true;
    this.#list();
    say("Saved beside the video; reports use it from now on.");
  }

  #list() {
    const custom = find("court-sport").value === "custom";
    find("court-place").hidden = !custom;
    const names = custom ? [...this.marks.keys()] : this.sports[find("court-sport").value];
    find("court-places").replaceChildren(...names.map((name) => {
      const button = make("button", { className: "entry", onclick: () => {
        this.chosen = name;
        if (custom) find("court-place").value = name;
        this.#list();
      } }, name.replaceAll("_", " "));
      if (name === this.chosen) button.setAttribute("aria-current", "true");
      const error = this.fit?.errors[name];
      if (this.marks.has(name)) {
        button.append(make("span", { className: "off" },
          error === undefined || this.marks.size === LEAST ? "✓" : `✓ ${error.toFixed(1)} px off`));
      }
      return make("li", {}, button);
    }));
    find("court-find").disabled = !this.findable.includes(find("court-sport").value);
    find("court-undo").disabled = !this.steps.length;
    find("court-save").disabled = !this.fit || this.saved;
  }

  #draw() {
    if (!this.image || !this.canvas.clientWidth) return;
    const { context } = prepare(this.canvas), scale = this.#scale(), { width, height } = this.video;
    context.drawImage(this.image, ...this.#place([-0.5, -0.5]), width * scale, height * scale);
    this.#drawMarks(context, (point) => this.#place(point), true);
    const lens = prepare(find("court-lens"));
    const [x, y] = this.pointer ?? [(width - 1) / 2, (height - 1) / 2];
    const place = ([left, top]) => [lens.width / 2 + (left - x) * TIMES, lens.height / 2 + (top - y) * TIMES];
    lens.context.imageSmoothingEnabled = false;
    lens.context.drawImage(this.image, ...place([-0.5, -0.5]), width * TIMES, height * TIMES);
    this.#drawMarks(lens.context, place, false);
    lens.context.strokeStyle = "#ffffffaa";
    lens.context.strokeRect(lens.width / 2 - 4, lens.height / 2 - 4, 8, 8);
  }

  #drawMarks(context, place, named) {
    context.lineWidth = 1.5;
    context.strokeStyle = LINE;
    for (const [from, to] of this.fit?.lines ?? []) {
      context.beginPath();
      context.moveTo(...place(from));
      context.lineTo(...place(to));
      context.stroke();
    }
    context.font = "12px system-ui, sans-serif";
    for (const [name, point] of this.marks) {
      const [left, top] = place(point);
      context.strokeStyle = MARK;
      context.lineWidth = 2;
      context.beginPath();
      context.arc(left, top, 7, 0, 2 * Math.PI);
      context.stroke();
      if (!named) continue;
      context.fillStyle = "#fff";
      context.strokeStyle = "#000a";
      context.lineWidth = 3;
      context.strokeText(name.replaceAll("_", " "), left + 11, top + 4);
      context.fillText(name.replaceAll("_", " "), left + 11, top + 4);
    }
  }
}
