// The player: one frame, exactly, with the ball on it; clicked and played.
import { find, say } from "./page.js";
import { Frames } from "./frames.js";
import { drawBall, drawTrail } from "./marks.js";
import { Stage } from "./stage.js";

export const SPEEDS = [0.1, 0.25, 0.5, 1, 1.5, 2];
const FAINT = 0.06; // probability that a heatmap does not show
const AHEAD = { step: 8, play: 24 }; // frames

export class Player extends Stage {
  /** `put(x, y)` is called for a click, in pixels of the video. */
  constructor(video, put, signal) {
    super(find("picture"), signal);
    this.fit(video.width, video.height);
    this.lay(); // nothing, in place of the video before
    delete this.canvas.dataset.shown;
    this.video = video;
    this.put = put;
    this.speed = 1;
    this.trail = true;
    this.heatmap = null; // or the frame that is shown, and its picture
    this.shown = null; // the frame on the canvas
    this.watchers = []; // called when another picture is there
    this.frames = new Frames(video, (number) => { if (number === video.frame) this.#show(); });
    video.addEventListener("frame", () => this.#show(), { signal });
    video.addEventListener("labels", this.draw, { signal });
    signal.addEventListener("abort", () => { this.pause(); this.frames.close(); });
    this.#show();
  }

  #show() {
    const { frame, direction } = this.video;
    this.frames.want(frame, direction, this.playing ? AHEAD.play : AHEAD.step);
    if (this.frames.get(frame)) {
      this.shown = frame;
      if (this.zoom > 1) this.#follow();
      if (this.heatmap && this.heatmap.frame !== frame) this.#fetchHeatmap();
      for (const watch of this.watchers) watch();
    }
    this.draw();
  }

  paint() {
    const { video } = this;
    const waits = this.heatmap && !this.heatmap.picture && !this.playing ? " · heatmap…" : "";
    find("readout").textContent = `${video.frame} · ${video.describe(video.frame)}${waits}`;
    const bitmap = this.shown === null ? undefined : this.frames.get(this.shown);
    if (!bitmap) return;
    const heat = this.heatmap?.frame === this.shown && this.heatmap.picture;
    const context = this.lay(bitmap, ...(heat ? [heat] : []));
    const place = (x, y) => this.place(x, y);
    if (this.trail) drawTrail(context, video, this.shown, place);
    drawBall(context, video.ball(this.shown), place, Math.max(9, 5 * this.scale()));
    this.canvas.dataset.shown = this.shown;
  }

  moved() { this.video.tell("view"); }

  tap(x, y) {
    const inside = x >= -0.5 && y >= -0.5 && x <= this.width - 0.5 && y <= this.height - 0.5;
    // Only on the frame that is asked for: the picture of another one may still stand there.
    if (inside && this.shown === this.video.frame) this.put(x, y);
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
