// The court: its corners marked in a frame, and the lines that follow from them.
import { ask, attempt, find, make, say } from "./page.js";
import { readArrow } from "./keys.js";
import { drawLine, drawRing } from "./marks.js";
import { Stage } from "./stage.js";

const LEAST = 4; // marks that make a court
const REACH = 14; // CSS pixels from its middle that a mark is taken hold of
const LINE = "#ffd60a", MARK = "#40c4ff", LAST = "#ff4d6d";

export class CourtView extends Stage {
  constructor() {
    super(find("court-picture"));
    Object.assign(this, { marks: new Map(), done: [], undone: [], last: null, court: null });
    const nudge = (event) => this.#nudge(...readArrow(event));
    this.actions = { back: nudge, forward: nudge, move: nudge, nudge,
      undo: () => this.#step(this.done, this.undone), redo: () => this.#step(this.undone, this.done),
      zoomIn: () => this.zoomTo(this.zoom * 1.5), zoomOut: () => this.zoomTo(this.zoom / 1.5),
      whole: () => this.zoomTo(1) };
    find("court-sport").addEventListener("change", () => this.#begin());
    find("court-place").addEventListener("change", () => this.#choose(find("court-place").value));
    find("court-find").addEventListener("click", async () => {
      if (!await this.#find()) say("No court is found; mark its corners.");
    });
    find("court-save").addEventListener("click", () => this.#save());
  }

  get sport() { return find("court-sport").value; }

  /** Show the court of a video: `place` names the video, and may name a frame and a sport. */
  async show(place) {
    const id = encodeURIComponent(place.get("court")), frame = place.get("frame");
    const back = frame === null ? "" : `&frame=${frame}`;
    find("court-back").href = `#video=${id}${back}`;
    Object.assign(this, { path: `/api/videos/${id}/court`, query: `?${back}`, image: null, width: 0 });
    const told = await ask(this.path + this.query);
    this.sports = told.sports;
    this.findable = told.findable;
    find("court-sport").replaceChildren(...Object.keys(told.sports).map((name) => make("option", {}, name)));
    find("court-sport").value = place.get("sport") ?? told.court?.sport ?? told.sport;
    const image = new Image();
    image.src = `${this.path}/picture${this.query}`;
    await image.decode();
    this.image = image;
    this.fit(told.width, told.height);
    await this.#begin(told.court);
  }

  /** Begin with a court that was saved, or as the painted lines show it. */
  async #begin(saved) {
    Object.assign(this, { done: [], undone: [], last: null, court: null });
    this.#drawSketch();
    await this.#take(new Map(saved?.sport === this.sport ? saved.marks : []));
    if (this.marks.size) find("court-save").disabled = true; // it is saved as it is
    else await this.#find();
  }

  /** Take the court that the painted lines show, to be looked at and mended. */
  async #find() {
    if (!this.findable.includes(this.sport)) return false;
    const { image, marks } = this;
    find("court-find").disabled = true;
    this.#tell("Looking for the painted lines…");
    const court = await attempt(() => ask(`${this.path}/found${this.query}&sport=${this.sport}`));
    find("court-find").disabled = !this.findable.includes(this.sport);
    if (this.image !== image || this.marks !== marks) return true; // somebody was faster
    if (!court) {
      await this.#take(marks);
      return false;
    }
    await this.#change(new Map(court.marks));
    this.#tell(`Found by its lines: check them, drag what is off, then save. ${court.message}`, court.warning);
    return true;
  }

  // Marks

  async tap(x, y, held) {
    if (held) { this.last = held.name; this.#choose(held.name); return; }
    const place = this.sport === "custom" ? find("court-position") : find("court-place");
    const name = place.value.trim();
    if (!name) { say("Enter the position in metres first, such as 6.1,0."); return; }
    let point = [x, y];
    if (find("court-snap").checked) {
      const corner = await attempt(() => ask(
        `${this.path}/corner${this.query}&x=${x.toFixed(2)}&y=${y.toFixed(2)}`));
      if (corner) point = [corner.x, corner.y];
    }
    find("court-position").value = "";
    const marks = new Map(this.marks);
    marks.delete(name); // the last mark is the last in the map
    await this.#change(marks.set(name, point));
  }

  grab(x, y) {
    const far = ([left, top]) => Math.hypot(left - x, top - y) * this.scale();
    const [found] = [...this.marks].filter(([, point]) => far(point) < REACH)
      .sort(([, one], [, two]) => far(one) - far(two));
    return found && { name: found[0], from: found[1], marks: this.marks };
  }

  drag({ name, from: [x, y] }, dx, dy) {
    this.last = name;
    this.marks = new Map(this.marks).set(name, [x + dx, y + dy]);
    this.draw();
  }

  drop({ marks }) { this.#change(this.marks, marks); }

  #nudge(dx, dy) {
    if (!this.marks.has(this.last)) return;
    const [x, y] = this.marks.get(this.last);
    this.#change(new Map(this.marks).set(this.last, [x + dx, y + dy]));
  }

  #change(marks, before = this.marks) {
    this.done.push(before);
    this.undone = [];
    return this.#take(marks);
  }

  #step(from, to) {
    if (!from.length) return;
    to.push(this.marks);
    this.last = null;
    this.#take(from.pop());
  }

  /** Show marks, and the court that fits them. */
  async #take(marks) {
    this.marks = marks;
    if (!marks.has(this.last)) this.last = [...marks.keys()].at(-1) ?? null;
    this.#choose(Object.keys(this.sports[this.sport].places).find((name) => !marks.has(name)));
    find("court-save").disabled = true;
    if (marks.size < LEAST) {
      this.court = null;
      this.#tell(`${LEAST - marks.size} more to mark.`);
      return;
    }
    try {
      const court = await this.#send(false);
      if (this.marks !== marks) return; // changed meanwhile
      this.court = court;
      this.#tell(court.message, court.warning);
      find("court-save").disabled = false;
    } catch (error) {
      if (this.marks !== marks) return;
      this.court = null;
      this.#tell(error.message, true);
    }
    this.#choose(find("court-place").value);
  }

  #send(save) {
    return ask(this.path + this.query, { method: "POST", body: { sport: this.sport, marks: [...this.marks], save } });
  }

  async #save() {
    if (!await attempt(() => this.#send(true))) return;
    find("court-save").disabled = true;
    if (document.body.classList.contains("alone")) {
      document.body.replaceChildren(make("p", { className: "drop" }, "Saved. You can close this page."));
    } else say("Saved beside the video; reports use it from now on.");
  }

  // What is shown

  #tell(text, bad = false) {
    find("court-message").textContent = text;
    find("court-message").classList.toggle("bad", bad);
  }

  /** Choose the point that the next click marks, and show what is marked. */
  #choose(chosen) {
    const names = Object.keys(this.sports[this.sport].places), { marks, court } = this;
    find("court-place").replaceChildren(...names.map((name) => {
      const error = marks.size > LEAST ? court?.errors[name] : undefined;
      const off = error === undefined ? "" : ` ${error.toFixed(1)} px off`;
      return make("option", { value: name }, `${spell(name)}${marks.has(name) ? ` ✓${off}` : ""}`);
    }));
    find("court-place").value = names.includes(chosen) ? chosen : names[0];
    if (marks.has(chosen) && !names.length) find("court-position").value = chosen;
    for (const spot of find("court-sketch").querySelectorAll("circle")) {
      spot.classList.toggle("done", marks.has(spot.dataset.name));
      spot.classList.toggle("now", spot.dataset.name === find("court-place").value);
    }
    find("court").querySelector("[data-act=undo]").disabled = !this.done.length;
    find("court").querySelector("[data-act=redo]").disabled = !this.undone.length;
    this.draw();
  }

  /** Draw the court from above in centimetres, the far end up. */
  #drawSketch() {
    const { places, lines } = this.sports[this.sport], sketch = find("court-sketch");
    const custom = !lines.length;
    sketch.toggleAttribute("hidden", custom);
    find("court-name").hidden = custom;
    find("court-metres").hidden = !custom;
    find("court-find").disabled = !this.findable.includes(this.sport);
    if (custom) {
      sketch.replaceChildren();
      return;
    }
    const [wide, long] = [0, 1].map((axis) => 100 * Math.max(...lines.flat().map((end) => end[axis])));
    sketch.setAttribute("viewBox", `${-wide - 120} ${-long - 120} ${2 * wide + 240} ${2 * long + 240}`);
    sketch.replaceChildren(
      ...lines.map(([[x1, y1], [x2, y2]]) => draw("line", { x1: 100 * x1, y1: -100 * y1, x2: 100 * x2, y2: -100 * y2 })),
      draw("line", { class: "net", x1: -wide - 60, x2: wide + 60, y1: 0, y2: 0 }),
      draw("text", { y: -long - 60 }, "far"), draw("text", { y: long + 105 }, "near: the camera"));
    for (const [name, [x, y]] of Object.entries(places)) {
      const spot = draw("circle", { cx: 100 * x, cy: -100 * y, r: 40, "data-name": name });
      spot.addEventListener("click", () => this.#choose(name));
      sketch.append(spot);
      spot.append(draw("title", {}, spell(name)));
    }
  }

  paint() {
    if (!this.image || !this.canvas.clientWidth) return;
    const context = this.lay(this.image);
    context.font = "13px system-ui, sans-serif";
    context.lineWidth = 2;
    context.strokeStyle = LINE;
    for (const [from, to] of this.court?.lines ?? []) drawLine(context, this.place(...from), this.place(...to));
    for (const [name, point] of this.marks) {
      const [left, top] = this.place(...point);
      context.strokeStyle = name === this.last ? LAST : MARK;
      context.lineWidth = 2.5;
      drawRing(context, [left, top], 9);
      context.fillStyle = "#fff";
      context.strokeStyle = "#000a";
      context.lineWidth = 3;
      context.strokeText(spell(name), left + 13, top + 5);
      context.fillText(spell(name), left + 13, top + 5);
    }
  }
}

const spell = (name) => name.replaceAll("_", " ");

/** An element of a drawing. */
function draw(tag, attributes, ...text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...text);
  return made;
}
