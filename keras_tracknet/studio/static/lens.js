// The lens: the ball at four times its size, or the place where it should be.
import { find, onceAFrame, pointAt, prepare, watchSize } from "./page.js";
import { drawBall, drawGuess } from "./marks.js";

const TIMES = 4;

export class Lens {
  constructor(video, player, put, signal) {
    Object.assign(this, { video, player, put, canvas: find("lens"), dragged: null });
    this.draw = onceAFrame(() => this.#draw());
    player.watchers.push(this.draw);
    video.addEventListener("labels", this.draw, { signal });
    watchSize(this.canvas, this.draw, signal);
    this.#listen({ signal });
  }

  #centre() {
    const { x, y } = this.video.ball(this.player.shown);
    return x === null ? this.video.guess(this.player.shown) : [x, y];
  }

  #listen(options) {
    const { canvas } = this;
    const spot = (event) => {
      const [left, top] = pointAt(canvas, event), [x, y] = this.centre;
      return [x + (left - canvas.clientWidth / 2) / TIMES, y + (top - canvas.clientHeight / 2) / TIMES];
    };
    canvas.addEventListener("pointerdown", (event) => {
      if (this.player.shown !== this.video.frame) return;
      canvas.setPointerCapture(event.pointerId);
      this.centre = this.#centre(); // stands still while it is dragged over
      this.dragged = spot(event);
      this.draw();
    }, options);
    canvas.addEventListener("pointermove", (event) => {
      if (!this.dragged) return;
      this.dragged = spot(event);
      this.draw();
    }, options);
    canvas.addEventListener("pointerup", (event) => {
      if (!this.dragged) return;
      const [x, y] = spot(event);
      this.dragged = null;
      this.put(x, y);
    }, options);
    canvas.addEventListener("pointercancel", () => { this.dragged = null; this.draw(); }, options);
  }

  #draw() {
    const { context, width, height } = prepare(this.canvas), { video, player } = this;
    const bitmap = player.shown === null ? null : player.frames.get(player.shown);
    if (!bitmap) return;
    const centre = this.dragged ? this.centre : this.#centre();
    const place = (x, y) => [width / 2 + (x - centre[0]) * TIMES, height / 2 + (y - centre[1]) * TIMES];
    context.imageSmoothingEnabled = false;
    context.drawImage(bitmap, ...place(-0.5, -0.5), video.width * TIMES, video.height * TIMES);
    const ball = video.ball(player.shown);
    if (this.dragged) {
      drawBall(context, { x: this.dragged[0], y: this.dragged[1], who: "person" }, place, 14);
    } else if (ball.x === null) drawGuess(context, centre, place);
    else drawBall(context, ball, place, 20);
  }
}
