// A stage: a picture that is zoomed, moved and tapped, with a mouse, a pen, or one or two fingers.
import { onceAFrame, pointAt, prepare, watchSize } from "./page.js";

const MOST = 30; // times
const STILL = 6; // CSS pixels that a pointer may move in a tap
const SHARP = 4; // CSS pixels for one of the picture, from which single pixels are shown

/**
 * Who extends it has `paint()`, and may have `tap(x, y, held)`, `moved()` when another part is
 * shown, and `grab(x, y)`, which returns what is held from there on for `drag(held, dx, dy)` and
 * `drop(held)`. All positions are in pixels of the picture.
 */
export class Stage {
  constructor(canvas, signal) {
    this.canvas = canvas;
    this.draw = onceAFrame(() => this.paint());
    watchSize(canvas, this.draw, signal);
    this.#listen({ signal });
  }

  /** Show the whole of a picture of another size. */
  fit(width, height) {
    Object.assign(this, { width, height, zoom: 1, centre: [(width - 1) / 2, (height - 1) / 2] });
  }

  /** CSS pixels for one pixel of the picture. */
  scale() {
    return this.zoom * Math.min(this.canvas.clientWidth / this.width, this.canvas.clientHeight / this.height);
  }

  /** From pixels of the picture to CSS pixels, and back. */
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

  /** Clear the canvas and lay pictures over it, each as large as the whole; return the context. */
  lay(...pictures) {
    const { context } = prepare(this.canvas), scale = this.scale();
    context.imageSmoothingEnabled = scale < SHARP;
    context.imageSmoothingQuality = "high";
    // Pixel centres are on whole numbers, so the picture begins half a pixel before 0.
    const [left, top] = this.place(-0.5, -0.5);
    for (const picture of pictures) {
      context.drawImage(picture, left, top, this.width * scale, this.height * scale);
    }
    return context;
  }

  /** Zoom to so many times, with a point of the picture staying where it is. */
  zoomTo(zoom, [x, y] = this.centre) {
    const before = this.place(x, y);
    this.zoom = Math.max(1, Math.min(MOST, zoom));
    const scale = this.scale();
    this.#show([x - (before[0] - this.canvas.clientWidth / 2) / scale,
      y - (before[1] - this.canvas.clientHeight / 2) / scale]);
  }

  zoomAt(x, y, zoom) {
    this.zoom = zoom;
    this.#show([x, y]);
  }

  /** Show the part around a point, as far as the picture reaches. */
  #show(centre) {
    const { width, height } = this, scale = this.scale();
    this.centre = [[centre[0], width, this.canvas.clientWidth],
      [centre[1], height, this.canvas.clientHeight]].map(([at, size, room]) => {
      const half = Math.min(size / 2, room / scale / 2);
      return Math.max(half - 0.5, Math.min(size - 0.5 - half, at));
    });
    this.moved?.();
    this.draw();
  }

  #listen(options) {
    const { canvas } = this, down = new Map(); // pointer -> where it is
    let still, held, start;
    const listen = (name, act) => canvas.addEventListener(name, (event) => {
      if (this.width) act(event, pointAt(canvas, event)); // else there is no picture yet
    }, options);
    listen("pointerdown", (event, now) => {
      if (event.button !== 0) return;
      canvas.setPointerCapture(event.pointerId);
      if (held && !still) this.drop(held); // another finger takes part
      still = !down.size;
      start = this.unplace(...now);
      held = still ? this.grab?.(...start) : null;
      down.set(event.pointerId, now);
    });
    listen("pointermove", (event, now) => {
      const last = down.get(event.pointerId);
      if (!last || (still && Math.hypot(now[0] - last[0], now[1] - last[1]) < STILL)) return;
      still = false;
      down.set(event.pointerId, now);
      const [x, y] = this.unplace(...now);
      if (held) { this.drag(held, x - start[0], y - start[1]); return; }
      const other = [...down].find(([id]) => id !== event.pointerId)?.[1], share = other ? 0.5 : 1;
      if (other) { // two fingers
        const spread = (point) => Math.hypot(point[0] - other[0], point[1] - other[1]) || 1;
        const middle = this.unplace((now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
        this.zoomTo(this.zoom * spread(now) / spread(last), middle);
      }
      const scale = this.scale() / share;
      this.#show([this.centre[0] - (now[0] - last[0]) / scale, this.centre[1] - (now[1] - last[1]) / scale]);
    });
    const up = (event, now) => {
      if (!down.delete(event.pointerId)) return;
      if (!still) { if (held) this.drop(held); }
      else if (event.type === "pointerup") this.tap?.(...this.unplace(...now), held);
      held = null;
    };
    listen("pointerup", up);
    listen("pointercancel", up);
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      if (this.width) this.zoomTo(this.zoom * 1.0015 ** -event.deltaY, this.unplace(...pointAt(canvas, event)));
    }, { ...options, passive: false });
  }
}
