// The open video: the network's track, the labels laid over it, and the frame on show.
import { ask } from "./page.js";

export const NEAR = 12; // frames: how far a guess looks for a ball

/**
 * Events: `frame` when another frame is shown, `labels` when a label or the track changes, `view`
 * when the picture is zoomed or moved.
 */
export class Video extends EventTarget {
  static async open(entry) {
    const video = new Video(entry);
    await video.load();
    return video;
  }

  constructor(entry) {
    super();
    Object.assign(this, { id: entry.id, name: entry.name, width: entry.width, height: entry.height,
      fps: entry.fps || 30, count: entry.frames, frame: 0, direction: 1 });
    this.path = `/api/videos/${encodeURIComponent(entry.id)}`;
    this.track = { tracked: false };
    this.labels = new Map();
    this.reviewed = [];
  }

  /** Read track and labels afresh. */
  async load() {
    const [track, labels] = await Promise.all(
      [ask(`${this.path}/track`), ask(`${this.path}/labels`)]);
    this.track = track;
    this.count = track.frames || this.count;
    this.takeLabels(labels);
  }

  takeLabels({ frames, reviewed }) {
    this.labels = new Map(Object.entries(frames).map(([frame, label]) => [Number(frame), label]));
    this.reviewed = reviewed ?? [];
    this.tell("labels");
  }

  tell(kind) { this.dispatchEvent(new Event(kind)); }

  go(frame) {
    const next = Math.max(0, Math.min(this.count - 1, Math.round(frame)));
    if (next === this.frame || Number.isNaN(next)) return;
    this.direction = next > this.frame ? 1 : -1;
    this.frame = next;
    this.tell("frame");
  }

  time(frame) { return this.track.time?.[frame] ?? frame / this.fps; }

  /** The frame at a moment, seconds. */
  at(seconds) {
    const times = this.track.time;
    if (!times?.length) return Math.round(seconds * this.fps);
    let low = 0, high = times.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (times[middle] <= seconds + 1e-6) low = middle; else high = middle - 1;
    }
    return low;
  }

  /** What the network said of a frame. */
  network(frame) {
    const { tracked, x, y, confidence, status } = this.track;
    if (!tracked) return { x: null, y: null, confidence: null, status: "unknown", who: "nobody" };
    return { x: x[frame] ?? null, y: y[frame] ?? null, confidence: confidence[frame] ?? null,
      status: status[frame], who: status[frame] === "repaired" ? "repaired" : "network" };
  }

  /** What holds for a frame: a person's word before the network's. */
  ball(frame) {
    const label = this.labels.get(frame), own = this.network(frame);
    if (!label) return own;
    return { x: label.x ?? null, y: label.y ?? null, confidence: own.confidence,
      status: label.status, who: "person" };
  }

  isReviewed(frame) { return this.reviewed.some(([first, last]) => first <= frame && frame <= last); }

  /** Where the ball should be by the frames beside: for keys, and for the lens. */
  guess(frame) {
    const seek = (step, from) => {
      for (let i = from; Math.abs(i - frame) <= NEAR && i >= 0 && i < this.count; i += step) {
        const ball = this.ball(i);
        if (ball.x !== null) return { ...ball, frame: i };
      }
      return null;
    };
    const before = seek(-1, frame - 1), after = seek(1, frame + 1);
    const [one, two] = before && after ? [before, after]
      : before ? [seek(-1, before.frame - 1), before] : [after, after && seek(1, after.frame + 1)];
    if (!one || !two) {
      const near = one ?? two;
      return near ? [near.x, near.y] : [(this.width - 1) / 2, (this.height - 1) / 2];
    }
    const share = (frame - one.frame) / (two.frame - one.frame);
    const between = (a, b, most) => Math.max(0, Math.min(most, a + (b - a) * share));
    return [between(one.x, two.x, this.width - 1), between(one.y, two.y, this.height - 1)];
  }

  /** In words, for the picture's corner and for screen readers. */
  describe(frame) {
    const { x, y, confidence, status, who } = this.ball(frame);
    const words = { detected: "network", repaired: "repaired", visible: "person", accepted: "accepted",
      hidden: "person, hidden", filled: "person, filled", unknown: "not tracked" };
    const place = x === null ? "" : ` · ${x.toFixed(1)}, ${y.toFixed(1)}`;
    const sure = confidence === null || who === "person" ? "" : ` · ${confidence.toFixed(2)}`;
    const said = x === null && status !== "unknown" ? `no ball (${who})` : words[status] ?? status;
    return `${said}${place}${sure}${this.isReviewed(frame) ? " · reviewed" : ""}`;
  }
}
