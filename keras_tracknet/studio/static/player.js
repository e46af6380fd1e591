// The picture: one frame, exactly, with the ball on it; zoomed, panned, clicked and played.
import { find, onceAFrame, pointAt, prepare, say } from "./page.js";
import { Frames } from "./frames.js";
import { drawBall, drawTrail } from "./marks.js";

export const SPEEDS = [0.1, 0.25, 0.5, 1, 1.5, 2];
const MOST = 16; // times
const FAINT = 0.06; // probability that a heatmap does not show
const AHEAD = { step: 8, play: 24 }; // frames

export class Player {
  /** `put(x, y)` is called for a click, in pixels of the video. */
  constructor(video, put) {
    this.video = video;
    this.put = put;
    this.canvas = find("picture");
    this.zoom = 1;
    this.centre = [(video.width - 1) / 2, (video.height - 1) / 2];
    this.speed = 1;
    this.trail = true;
    this.heatmap = null; // or the frame that is shown, and its picture
    this.shown = null; // the frame on the canvas
    this.bitmap = null;
    this.watchers = []; // called when another picture is there
    this.stopped = new AbortController();
    this.draw = onceAFrame(() => this.#draw());
    this.frames = new Frames(video, (number) => { if (number === video.frame) this.#show(); });
    const options = { signal: this.stopped.signal };
    video.addEventListener("frame", () => this.#show(), options);
    video.addEventListener("labels", this.draw, options);
    this.#listen(options);
    this.size = new ResizeObserver(this.draw);
    this.size.observe(this.canvas);
    this.#show();
  }

  close() {
    this.pause();
    this.stopped.abort();
    this.size.disconnect();
    this.frames.close();
  }

  #show() {
    const { frame, direction } = this.video;
    this.frames.want(frame, direction, this.playing ? AHEAD.play : AHEAD.step);
    const bitmap = this.frames.get(frame);
    if (bitmap) {
      this.bitmap = bitmap;
      this.shown = frame;
      if (this.zoom > 1) this.#follow();
      if (this.heatmap && this.heatmap.frame !== frame) this.#fetchHeatmap();
      for (const watch of this.watchers) watch();
    }
    this.draw();
  }

  /** CSS pixels for one pixel of the video. */
  scale() {
    const fit = Math.min(this.canvas.clientWidth / this.video.width,
      this.canvas.clientHeight / this.video.height);
    return fit * this.zoom;
  }

  /** From pixels of the video to CSS pixels, and back. */
  place(x, y) {
    const scale = this.scale();
    return [this.canvas.clientWidth / 2 + (x - this.centre[0]) * scale,
      this.canvas.clientHeight / 2 + (y - this.centre[1]) * scale];
  }

  unplace(left, top) {
    const scale = this.scale();
    return [this.centre[0] + (left - this.canvas.clientWidth / 2) / scale,
      this.centre[1] + (top - this.canvas.clientHeight / 2) / scale];
  }

  #draw() {
    const { context } = prepare(this.canvas);
    const { video } = this;
    const waits = this.heatmap && !this.heatmap.picture && !this.playing ? " · heatmap…" : "";
    find("readout").textContent = `${video.frame} · ${video.describe(video.frame)}${waits}`;
    if (this.shown !== null && this.frames.get(this.shown)) this.bitmap = this.frames.get(this.shown);
    else if (this.shown !== null) return;
    if (!this.bitmap) return;
    const place = (x, y) => this.place(x, y), scale = this.scale();
    // Pixel centres are on whole numbers, so the picture begins half a pixel before 0.
    const [left, top] = place(-0.5, -0.5);
    context.imageSmoothingEnabled = scale < 4;
    context.imageSmoothingQuality = "high";
    context.drawImage(this.bitmap, left, top, video.width * scale, video.height * scale);
    if (this.heatmap?.frame === this.shown && this.heatmap.picture) {
      context.drawImage(this.heatmap.picture, left, top, video.width * scale, video.height * scale);
    }
    if (this.trail) drawTrail(context, video, this.shown, place);
    drawBall(context, video.ball(this.shown), place, Math.max(9, 5 * scale));
    this.canvas.dataset.shown = this.shown;
  }

  // Zoom and pan

  /** Zoom to so many times, with a point of the video staying where it is. */
  zoomTo(zoom, [x, y] = this.centre) {
    const before = this.place(x, y);
    this.zoom = Math.max(1, Math.min(MOST, zoom));
    const scale = this.scale();
    this.centre = [x - (before[0] - this.canvas.clientWidth / 2) / scale,
      y - (before[1] - this.canvas.clientHeight / 2) / scale];
    this.#keepInside();
  }

  zoomAt(x, y, zoom) {
    this.zoom = zoom;
    this.centre = [x, y];
    this.#keepInside();
  }

  /** Bring the ball back into a zoomed picture that it has left. */
  #follow() {
    const { x, y } = this.video.ball(this.shown);
    if (x === null) return;
    const [left, top] = this.place(x, y);
    if (left < 0 || top < 0 || left > this.canvas.clientWidth || top > this.canvas.clientHeight) {
      this.zoomAt(x, y, this.zoom);
    }
  }

  #keepInside() {
    const { width, height } = this.video, scale = this.scale();
    this.centre = [[this.centre[0], width, this.canvas.clientWidth],
      [this.centre[1], height, this.canvas.clientHeight]].map(([at, size, room]) => {
      const half = Math.min(size / 2, room / scale / 2);
      return Math.max(half - 0.5, Math.min(size - 0.5 - half, at));
    });
    this.video.tell("view");
    this.draw();
  }

  #listen(options) {
    const { canvas } = this, down = new Map(); // pointer -> where it went down and where it is
    let moved = false;
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      canvas.setPointerCapture(event.pointerId);
      if (!down.size) moved = false;
      down.set(event.pointerId, pointAt(canvas, event));
      if (down.size > 1) moved = true;
    }, options);
    canvas.addEventListener("pointermove", (event) => {
      const last = down.get(event.pointerId);
      if (!last) return;
      const now = pointAt(canvas, event);
      if (!moved && Math.hypot(now[0] - last[0], now[1] - last[1]) < 6) return;
      moved = true;
      const other = [...down].find(([id]) => id !== event.pointerId)?.[1];
      if (other) { // two fingers
        const spread = (point) => Math.hypot(point[0] - other[0], point[1] - other[1]) || 1;
        const middle = this.unplace((now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
        this.zoomTo(this.zoom * spread(now) / spread(last), middle);
      }
      const scale = this.scale(), share = other ? 0.5 : 1;
      this.centre = [this.centre[0] - share * (now[0] - last[0]) / scale,
        this.centre[1] - share * (now[1] - last[1]) / scale];
      down.set(event.pointerId, now);
      this.#keepInside();
    }, options);
    const up = (event) => {
      if (!down.delete(event.pointerId) || moved || event.type === "pointercancel") return;
      const [x, y] = this.unplace(...pointAt(canvas, event));
      const inside = x >= -0.5 && y >= -0.5 && x <= this.video.width - 0.5 && y <= this.video.height - 0.5;
      // Only on the frame that is asked for: the picture of another one may still stand there.
      if (inside && this.shown === this.video.frame) this.put(x, y);
    };
    canvas.addEventListener("pointerup", up, options);
    canvas.addEventListener("pointercancel", up, options);
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoomTo(this.zoom * 1.0015 ** -event.deltaY, this.unplace(...pointAt(canvas, event)));
    }, { ...options, passive: false });
  }

  // Play

  get playing() { return this.clock !== undefined; }

  play() {
    if (this.playing) return;
    if (this.video.frame >= this.video.count - 1) this.video.go(0);
    let due = this.video.frame, last = performance.now();
    const tick = (now) => {
      due += (now - last) / 1000 * this.video.fps * this.speed;
      last = now;
      // Waits for a picture that is late, and leaves frames out only where the screen is slower.
      let next = Math.min(Math.floor(due), this.video.count - 1);
      while (next > this.video.frame && !this.frames.get(next)) next -= 1;
      if (next < Math.floor(due)) due = Math.min(due, next + 1);
      if (next > this.video.frame) this.video.go(next);
      else this.frames.want(this.video.frame, 1, AHEAD.play);
      if (this.video.frame >= this.video.count - 1) this.pause();
      else this.clock = requestAnimationFrame(tick);
    };
    this.clock = requestAnimationFrame(tick);
    this.#showPlaying();
  }

  pause() {
    if (!this.playing) return;
    cancelAnimationFrame(this.clock);
    this.clock = undefined;
    this.#showPlaying();
    this.#show();
  }

  #showPlaying() {
    const button = find("play");
    button.classList.toggle("playing", this.playing);
    find("readout").ariaLive = this.playing ? "off" : "polite";
    button.setAttribute("aria-label", this.playing ? "Pause" : "Play");
  }

  // Heatmap

  toggleHeatmap() {
    this.heatmap = this.heatmap ? null : {};
    if (this.heatmap) this.#fetchHeatmap();
    this.draw();
  }

  async #fetchHeatmap() {
    if (this.playing) return; // a heatmap takes longer than a frame
    const wanted = { frame: this.shown };
    this.heatmap = wanted;
    const answer = await fetch(`${this.video.path}/heatmaps/${wanted.frame}`).catch(() => null);
    if (this.heatmap !== wanted) return; // another frame was asked for meanwhile
    if (!answer?.ok) {
      const { error } = await answer?.json().catch(() => ({})) ?? {};
      say(error ?? "There is no heatmap of this frame.");
      this.heatmap = null;
      this.video.tell("view");
      this.draw();
      return;
    }
    wanted.picture = await colourHeat(await createImageBitmap(await answer.blob()));
    this.draw();
  }
}

/** Probabilities in grey become yellow to red, clear where there is none. */
async function colourHeat(grey) {
  const canvas = new OffscreenCanvas(grey.width, grey.height), context = canvas.getContext("2d");
  context.drawImage(grey, 0, 0);
  const pixels = context.getImageData(0, 0, grey.width, grey.height), { data } = pixels;
  for (let i = 0; i < data.length; i += 4) {
    const heat = data[i] / 255;
    data.set([255, 230 - 190 * heat, 60 * (1 - heat), 235 * Math.min(1, 3 * (heat - FAINT))], i);
  }
  context.putImageData(pixels, 0, 0);
  return canvas;
}
