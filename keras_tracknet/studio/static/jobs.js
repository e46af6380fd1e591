// The one job that may run: tracking or teaching. Its progress survives a reload of the page.
import { ask, attempt, clock, find, say } from "./page.js";

const KINDS = { track: "Tracking", teach: "Teaching" };

/** Event: `job`, with the state of the job as its detail. */
export class Jobs extends EventTarget {
  constructor() {
    super();
    this.job = null;
    find("job-stop").addEventListener("click", () => this.stop());
  }

  listen() {
    const events = new EventSource("/api/events");
    events.addEventListener("job", (event) => this.#take(JSON.parse(event.data)));
  }

  get running() { return this.job?.state === "running"; }

  async start(body) {
    const job = await attempt(() => ask("/api/jobs", { method: "POST", body }));
    // Progress may have come before this answer.
    if (job && job.id !== this.job?.id) this.#take(job);
    return job;
  }

  stop() { return attempt(() => ask("/api/jobs/current", { method: "DELETE" })); }

  #take(job) {
    const before = this.job;
    this.job = job;
    const ended = before?.id === job?.id && before?.state === "running" && job.state !== "running";
    find("job").hidden = !this.running;
    if (this.running) {
      find("job-text").textContent = describe(job);
      showProgress(find("job-progress"), job);
    }
    if (ended && job.state === "failed") say(job.message || `${KINDS[job.kind]} failed.`);
    if (ended && job.state === "done") say(`${KINDS[job.kind]} is done.`);
    if (ended && job.state === "stopped") say(`${KINDS[job.kind]} was stopped.`);
    this.dispatchEvent(new CustomEvent("job", { detail: { job, ended } }));
  }
}

export function describe(job) {
  const left = Number.isFinite(job.seconds_left) ? `, ${clock(job.seconds_left)} left` : "";
  const stage = job.stage || KINDS[job.kind];
  return `${stage[0].toUpperCase()}${stage.slice(1)}${left}`;
}

export function showProgress(bar, { done, total }) {
  if (total) bar.value = done / total; else bar.removeAttribute("value");
}
