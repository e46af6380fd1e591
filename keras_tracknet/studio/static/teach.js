// Teach: train on corrections, compare before and after on those held back, keep or discard.
import { ask, attempt, colour, find, make, prepare, say } from "./page.js";
import { describe, showProgress } from "./jobs.js";
import { fillSelect } from "./library.js";
import { drawBall } from "./marks.js";

const SCORES = ["accuracy", "precision", "recall", "f1"];
const CROP = 96; // pixels of the video around the ball in a picture

export class Teach {
  constructor(library, jobs) {
    Object.assign(this, { library, jobs, losses: [], id: null });
    find("teach-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.start();
    });
    find("teach-stop").addEventListener("click", () => jobs.stop());
    find("keep").addEventListener("submit", (event) => {
      event.preventDefault();
      this.keep(find("keep-name").value);
    });
    find("discard").addEventListener("click", () => this.discard());
    jobs.addEventListener("job", ({ detail: { job } }) => this.#take(job));
  }

  show() {
    const corrected = this.library.videos.filter(({ labelled, reviewed }) => labelled || reviewed);
    find("teach-videos").replaceChildren(...corrected.map((video) => make("li", {}, make("label", {},
      make("input", { type: "checkbox", value: video.id, checked: true }),
      `${video.name} · ${video.labelled} frames corrected`
        + (video.reviewed ? `, ${Math.round(100 * video.reviewed)} % reviewed` : "")))));
    if (!corrected.length) {
      find("teach-videos").append(make("li", { className: "quiet" }, "Correct some frames of a video first."));
    }
    fillSelect(find("teach-weights"), this.library.weights.map(({ name }) => name), find("weights").value);
    this.#enable();
    this.#drawLoss();
  }

  #enable() {
    find("teach-start").disabled = this.jobs.running || !find("teach-videos").querySelector("input");
  }

  async start() {
    const chosen = new Set([...find("teach-videos").querySelectorAll(":checked")].map(({ value }) => value));
    const videos = this.library.videos.filter(({ id }) => chosen.has(String(id)));
    if (!videos.length) { say("Choose a video with corrections."); return; }
    await this.jobs.start({ kind: "teach", videos: videos.map(({ id }) => id),
      weights: find("teach-weights").value, minutes: Number(find("minutes").value) });
  }

  #take(job) {
    this.#enable();
    if (job?.kind !== "teach") return;
    if (job.id !== this.id) {
      this.id = job.id;
      this.losses = [];
      this.drawn = null;
      find("teach-result").hidden = true;
    }
    find("teach-run").hidden = job.state === "done" || job.kept;
    find("teach-stage").textContent = { failed: "Failed", stopped: "Stopped" }[job.state] ?? describe(job);
    find("teach-stop").hidden = job.state !== "running";
    find("teach-progress").hidden = job.state !== "running";
    showProgress(find("teach-progress"), job);
    if (Number.isFinite(job.loss)) this.losses.push(job.loss);
    const loss = this.losses.length ? `Loss ${this.losses.at(-1).toPrecision(3)}` : "";
    find("teach-text").textContent = [job.message, loss].filter(Boolean).join(" · ");
    this.#drawLoss();
    if (job.state === "done" && job.result && this.drawn !== job.id) {
      this.drawn = job.id;
      this.#drawResult(job.result);
    }
  }

  #drawLoss() {
    const canvas = find("loss");
    canvas.hidden = this.losses.length < 2;
    if (!canvas.clientWidth || canvas.hidden) return;
    const { context, width, height } = prepare(canvas), { losses } = this;
    const most = Math.max(...losses);
    context.strokeStyle = colour("accent");
    context.lineWidth = 2;
    context.beginPath();
    losses.forEach((loss, i) => context.lineTo(
      4 + i / (losses.length - 1) * (width - 8), height - 4 - loss / most * (height - 10)));
    context.stroke();
  }

  #drawResult({ before, after, frames, held_back: held, examples }) {
    find("teach-result").hidden = false;
    const row = (...cells) => make("tr", {}, ...cells);
    const names = SCORES.filter((name) => Number.isFinite(after[name]));
    const show = (value) => (Number.isFinite(value) ? value.toFixed(3) : "–");
    find("result-table").replaceChildren(
      make("thead", {}, row(...["", "before", "after", "change"].map((text) => make("th", {}, text)))),
      make("tbody", {}, ...names.map((name) => {
        const change = after[name] - before[name], same = !(Math.abs(change) >= 5e-4);
        const better = change > 0, sign = better ? "+" : "−";
        const className = same ? "" : better ? "better" : "worse";
        return row(make("th", {}, name === "f1" ? "F1" : name), make("td", {}, show(before[name])),
          make("td", {}, show(after[name])), make("td", { className },
            same ? "–" : `${sign}${show(Math.abs(change))}`));
      })));
    find("result-text").textContent = held
      ? `Taught on ${frames} frames, measured on ${held} that were held back.`
      : `Taught on ${frames} frames. None were held back: correct frames in more places to compare.`;
    find("result-table").hidden = !held;
    find("examples").replaceChildren(...examples.map((example) => this.#drawExample(example)));
  }

  /** A crop around the ball: where it is, where the old and where the new weights see it. */
  #drawExample({ frame, video: name, before, after, truth }) {
    const video = this.library.videos.find((entry) => entry.name === name)?.id ?? name;
    const canvas = make("canvas", { role: "img" });
    const far = (point) => (point && truth ? `${Math.hypot(point[0] - truth[0], point[1] - truth[1]).toFixed(1)} px off`
      : point ? "a ball where none is" : truth ? "not found" : "no ball, rightly");
    const words = `Frame ${frame}: before ${far(before)}, after ${far(after)}`;
    canvas.setAttribute("aria-label", words);
    const picture = new Image();
    picture.src = `/api/videos/${encodeURIComponent(video)}/frames/${frame}`;
    picture.onload = () => {
      const { context, width } = prepare(canvas), scale = width / CROP;
      const [x, y] = truth ?? after ?? before ?? [picture.width / 2, picture.height / 2];
      const place = (left, top) => [width / 2 + (left - x) * scale, width / 2 + (top - y) * scale];
      context.drawImage(picture, ...place(-0.5, -0.5), picture.width * scale, picture.height * scale);
      for (const [point, who, radius] of [[truth, "person", 13], [before, "repaired", 9], [after, "network", 6]]) {
        if (point) drawBall(context, { x: point[0], y: point[1], who }, place, radius);
      }
    };
    return make("li", {}, make("a", { href: `#video=${encodeURIComponent(video)}&frame=${frame}` }, canvas,
      make("div", { className: "quiet" }, `Frame ${frame}`, make("br"), `before: ${far(before)}`, make("br"), `after: ${far(after)}`)));
  }

  async keep(name) {
    const kept = await attempt(() => ask("/api/weights", { method: "POST", body: { job: this.id, name } }));
    if (!kept) return;
    say(`Kept. Track with it here, or with --weights ${name}.`);
    find("teach-result").hidden = true;
    await attempt(() => this.library.load());
    find("weights").value = name;
    find("weights").dispatchEvent(new Event("change"));
    this.show();
  }

  async discard() {
    const gone = await attempt(async () => {
      await ask(`/api/jobs/${encodeURIComponent(this.id)}/weights`, { method: "DELETE" });
      return true;
    });
    if (!gone) return;
    find("teach-result").hidden = true;
    say("Discarded; your corrections are kept.");
  }
}
