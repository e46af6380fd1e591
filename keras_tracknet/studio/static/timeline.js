// The timeline: the whole video above, the frames around this one below; a click goes there.
import { colour, find, onceAFrame, pointAt, prepare, watchSize } from "./page.js";

const CELL = 7; // CSS pixels a frame takes below
const SHORT = 15; // frames: a gap between two balls that is worth a colour
const RULE = 14; // CSS pixels of the numbers between the two

export class Timeline {
  constructor(video, queue, signal) {
    Object.assign(this, { video, queue, canvas: find("timeline"), stretch: null });
    this.whole = document.createElement("canvas"); // drawn once, copied for every frame
    this.draw = onceAFrame(() => this.#draw());
    this.redraw = () => { this.stale = true; this.draw(); };
    video.addEventListener("frame", this.draw, { signal });
    video.addEventListener("labels", this.redraw, { signal });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", this.redraw, { signal });
    watchSize(this.canvas, this.redraw, signal);
    this.#listen({ signal });
    this.redraw();
  }

  #listen(options) {
    const { canvas, video } = this;
    let lane = null; // the frames that the lane under the pointer spans
    const go = (event) => {
      const share = pointAt(canvas, event)[0] / canvas.clientWidth;
      video.go(Math.floor(lane[0] + share * (lane[1] - lane[0])));
    };
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      const above = pointAt(canvas, event)[1] < canvas.clientHeight / 2;
      lane = above ? [0, video.count] : this.#near();
      go(event);
    }, options);
    canvas.addEventListener("pointermove", (event) => { if (lane) go(event); }, options);
    for (const kind of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(kind, () => { lane = null; }, options);
    }
  }

  /** First frame of the lane below and the one after its last. */
  #near() {
    const room = Math.max(10, Math.floor(this.canvas.clientWidth / CELL));
    const first = this.video.frame - Math.floor(room / 2);
    return [first, first + room];
  }

  #draw() {
    const { context, width, height } = prepare(this.canvas), { video } = this;
    if (!width) return; // another view is shown
    const lane = (height - RULE) / 2;
    this.colours ??= {};
    if (this.stale) {
      for (const name of ["network", "repaired", "person", "alarm", "event", "line", "ink", "quiet", "raised"]) {
        this.colours[name] = colour(name);
      }
      this.#findGaps();
      this.whole.width = this.canvas.width;
      this.whole.height = Math.round(lane * devicePixelRatio);
      const above = this.whole.getContext("2d");
      above.scale(devicePixelRatio, devicePixelRatio);
      this.#drawLane(above, width, lane, 0, video.count);
      this.stale = false;
    }
    context.drawImage(this.whole, 0, 0, width, lane);
    const [first, last] = this.#near();
    const x = (frame) => frame / video.count * width;
    context.fillStyle = this.colours.ink;
    context.globalAlpha = 0.1;
    context.fillRect(x(first), 0, x(last) - x(first), lane);
    context.globalAlpha = 1;
    context.fillRect(x(video.frame) - 1, 0, 2, lane);
    this.#drawStretch(context, x, lane);
    context.save();
    context.translate(0, lane + RULE);
    this.#drawLane(context, width, lane, first, last);
    const cell = width / (last - first);
    this.#drawStretch(context, (frame) => (frame - first) * cell, lane);
    context.strokeStyle = this.colours.ink;
    context.lineWidth = 1.5;
    context.strokeRect((video.frame - first) * cell, 0.75, cell, lane - 1.5);
    context.restore();
    this.#drawRule(context, width, lane, first, last);
    this.canvas.setAttribute("aria-valuemin", 0);
    this.canvas.setAttribute("aria-valuemax", video.count - 1);
    this.canvas.setAttribute("aria-valuenow", video.frame);
    this.canvas.setAttribute("aria-valuetext", `frame ${video.frame}, ${video.describe(video.frame)}`);
  }

  #drawStretch(context, x, height) {
    if (this.stretch === null) return;
    const [first, last] = [this.stretch, this.video.frame].sort((a, b) => a - b);
    context.fillStyle = this.colours.person;
    context.globalAlpha = 0.3;
    context.fillRect(x(first), 0, x(last + 1) - x(first), height);
    context.globalAlpha = 1;
  }

  #drawRule(context, width, top, first, last) {
    context.fillStyle = this.colours.quiet;
    context.font = "10px system-ui, sans-serif";
    context.textAlign = "center";
    for (let i = Math.ceil(Math.max(0, first) / 20) * 20; i < Math.min(last, this.video.count); i += 20) {
      const left = (i + 0.5 - first) / (last - first) * width;
      if (left > 12 && left < width - 12) context.fillText(i, left, top + 10.5);
    }
  }

  /** Find short gaps between balls; again when a label changes. */
  #findGaps() {
    this.gaps = [];
    let last = null;
    for (let i = 0; i < this.video.count; i += 1) {
      if (this.video.ball(i).x === null) continue;
      if (last !== null && i - last > 1 && i - last <= SHORT + 1) this.gaps.push([last + 1, i - 1]);
      last = i;
    }
  }

  /** Frames first..last-1 in a lane: rallies and events above, confidence below, reviewed at the foot. */
  #drawLane(context, width, height, first, last) {
    const { video, colours } = this, { track } = video, cell = width / (last - first);
    const x = (frame) => (frame - first) * cell;
    const band = (from, to, top, tall, style) => {
      if (to < first || from >= last) return;
      context.fillStyle = style;
      context.fillRect(x(from), top, Math.max(1.5, (to - from + 1) * cell), tall);
    };
    const head = 10, foot = 4, floor = height - foot - 1, tall = floor - head - 1;
    context.fillStyle = colours.raised;
    context.fillRect(Math.max(0, x(0)), head, Math.min(width, x(video.count)) - Math.max(0, x(0)), floor - head);
    context.globalAlpha = 0.25;
    for (const { start, end } of track.rallies ?? []) band(start, end, 0, head - 1, colours.event);
    for (const [from, to] of this.gaps) band(from, to, head, tall + 1, colours.alarm);
    context.globalAlpha = 1;
    this.#drawConfidence(context, width, first, last, floor, tall);
    for (const [from, to] of video.reviewed) band(from, to, height - foot, foot, colours.person);
    context.fillStyle = colours.ink;
    for (const cut of track.cuts ?? []) {
      for (let top = 0; top < height; top += 4) context.fillRect(x(cut) - 0.5, top, 1, 2);
    }
    for (const { kind, frame } of track.events ?? []) {
      if (frame >= first && frame < last) drawEvent(context, kind, x(frame) + cell / 2, head / 2, colours.event);
    }
    context.fillStyle = colours.alarm;
    for (const { frame, kind, done } of this.queue.entries) {
      if (done || frame < first || frame >= last) continue;
      const left = x(frame) + cell / 2;
      context.fillRect(left - 1, head, 2, kind === "jump" ? tall : 5);
    }
  }

  #drawConfidence(context, width, first, last, floor, tall) {
    const { video, colours } = this, cell = width / (last - first);
    const gap = cell > 4 ? 1 : 0, step = Math.max(1, 1 / cell);
    for (let at = Math.max(0, first); at < Math.min(last, video.count); at += step) {
      const from = Math.floor(at), to = Math.min(video.count, Math.max(from + 1, Math.floor(at + step)));
      let best = null; // of the frames that share a pixel: a person's word, else the least sure
      for (let i = from; i < to; i += 1) {
        const ball = video.ball(i);
        const seen = ball.x !== null || ball.who === "person";
        const value = ball.who === "person" ? 1 : ball.confidence ?? 0;
        if (!seen) continue;
        if (!best || ball.who === "person" || (best.who !== "person" && value < best.value)) {
          best = { ...ball, value };
        }
      }
      if (!best) continue;
      context.fillStyle = colours[best.who] ?? colours.quiet;
      const high = best.x === null ? 2 : Math.max(3, best.value * tall);
      context.fillRect((from - first) * cell, floor - high, Math.max(1, (to - from) * cell - gap), high);
    }
  }
}

/** Hits point up, bounces are round, landings point down. */
function drawEvent(context, kind, x, y, style) {
  context.fillStyle = style;
  context.beginPath();
  if (kind === "bounce") context.arc(x, y, 3, 0, 2 * Math.PI);
  else {
    const up = kind === "hit" ? 1 : -1;
    context.moveTo(x, y - 4 * up);
    context.lineTo(x + 4, y + 4 * up);
    context.lineTo(x - 4, y + 4 * up);
  }
  context.fill();
}
