// Pictures of frames by number: fetched ahead, kept within a fixed amount of memory.

const AT_ONCE = 3; // requests; the browser allows six per server, progress takes one
const MEMORY = 192e6; // bytes of decoded pictures
const PASSING = 1280; // pixels: the widest picture while frames go by
const AGAIN = 1000; // milliseconds until a frame that failed is asked for again
const REST = 180; // milliseconds on a frame before its full size is fetched

export class Frames {
  /** `changed` is called with the number of each frame that arrives. */
  constructor(video, changed) {
    this.video = video;
    this.changed = changed;
    this.kept = new Map(); // frame -> {bitmap, full}, least recently used first
    this.coming = new Map(); // frame -> AbortController
    this.wanted = [];
    this.bytes = 0;
    this.failed = new Set();
  }

  get(frame) {
    const found = this.kept.get(frame);
    if (!found) return undefined;
    this.kept.delete(frame);
    this.kept.set(frame, found);
    return found.bitmap;
  }

  /** Ask for a frame and for those that come after it in a direction. */
  want(frame, direction, ahead) {
    const size = Math.min(this.video.width, PASSING) ** 2 * this.video.height / this.video.width * 4;
    const room = Math.max(2, Math.floor(MEMORY / size) - 4);
    this.wanted = Array.from({ length: Math.min(ahead, room) + 1 }, (_, i) => frame + i * direction)
      .filter((number) => number >= 0 && number < this.video.count);
    for (const [number, control] of this.coming) {
      if (!this.wanted.includes(number)) control.abort();
    }
    this.#fetchNext();
    clearTimeout(this.resting);
    if (this.whole && this.whole.frame !== frame) this.whole.control.abort();
    if (this.video.width > PASSING) {
      this.resting = setTimeout(() => this.#fetch(frame, true), REST);
    }
  }

  #fetchNext() {
    for (const number of this.wanted) {
      if (this.coming.size >= AT_ONCE) return;
      if (!this.kept.has(number) && !this.coming.has(number) && !this.failed.has(number)) {
        this.#fetch(number, false);
      }
    }
  }

  async #fetch(number, full) {
    if (full && this.kept.get(number)?.full) return;
    const control = new AbortController();
    if (full) this.whole = { frame: number, control };
    else this.coming.set(number, control);
    try {
      const size = full ? "" : `?width=${PASSING}`;
      const answer = await fetch(`${this.video.path}/frames/${number}${size}`,
        { signal: control.signal });
      if (!answer.ok) throw new Error(`frame ${number}: ${answer.status}`);
      this.#keep(number, await createImageBitmap(await answer.blob()), full);
      this.changed(number);
    } catch (error) {
      if (error.name !== "AbortError") {
        this.failed.add(number);
        setTimeout(() => { this.failed.delete(number); this.#fetchNext(); }, AGAIN);
      }
    } finally {
      if (this.coming.get(number) === control) this.coming.delete(number);
      this.#fetchNext();
    }
  }

  #keep(number, bitmap, full) {
    const old = this.kept.get(number);
    if (old) this.#drop(number, old);
    const bytes = bitmap.width * bitmap.height * 4;
    for (const [key, held] of this.kept) {
      if (this.bytes + bytes <= MEMORY) break;
      this.#drop(key, held);
    }
    this.kept.set(number, { bitmap, full });
    this.bytes += bytes;
  }

  #drop(number, { bitmap }) {
    this.kept.delete(number);
    this.bytes -= bitmap.width * bitmap.height * 4;
    bitmap.close();
  }

  close() {
    clearTimeout(this.resting);
    this.wanted = [];
    for (const control of this.coming.values()) control.abort();
    for (const [number, held] of this.kept) this.#drop(number, held);
  }
}
