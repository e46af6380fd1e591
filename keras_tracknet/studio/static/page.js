// Small helpers for the document: find, make, say, ask the server.

export const find = (id) => document.getElementById(id);

export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

let hiding;
export function say(text) {
  const place = find("message");
  place.textContent = text;
  place.hidden = false;
  clearTimeout(hiding);
  hiding = setTimeout(() => { place.hidden = true; }, 2500 + 40 * text.length);
}

/** Ask the server; return its JSON. What goes wrong is an Error with one line for the user. */
export async function ask(path, { method = "GET", body, file } = {}) {
  const request = { method };
  if (body !== undefined) {
    request.body = JSON.stringify(body);
    request.headers = { "Content-Type": "application/json" };
  }
  if (file) {
    request.body = file;
    request.headers = { "Content-Type": "application/octet-stream" };
  }
  let answer;
  try {
    answer = await fetch(path, request);
  } catch {
    throw new Error("The studio does not answer; is it still running in the terminal?");
  }
  const text = await answer.text();
  let found = null;
  try { found = text ? JSON.parse(text) : null; } catch { /* not JSON: the status says enough */ }
  if (!answer.ok) throw new Error(found?.error ?? `The studio answered ${answer.status}.`);
  return found;
}

/** Run something that may fail because of the user, the network or the server; say why. */
export async function attempt(action) {
  try {
    return await action();
  } catch (error) {
    say(error.message);
    return undefined;
  }
}

/** Seconds as m:ss.ss, or h:mm:ss for long videos' lengths. */
export function clock(seconds, digits = 0) {
  if (!Number.isFinite(seconds)) return "";
  const unit = 10 ** digits;
  const whole = Math.round(seconds * unit) / unit;
  const hours = Math.floor(whole / 3600), minutes = Math.floor(whole / 60) % 60;
  const rest = (whole % 60).toFixed(digits).padStart(digits ? 3 + digits : 2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

/** Size a canvas to its place on the screen; return its context in CSS pixels, cleared. */
export function prepare(canvas) {
  const ratio = devicePixelRatio, width = canvas.clientWidth, height = canvas.clientHeight;
  const real = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== real[0] || canvas.height !== real[1]) [canvas.width, canvas.height] = real;
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

/** Call a drawing function once before the next repaint, however often it is asked for. */
export function onceAFrame(draw) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; draw(); });
  };
}

/** Draw anew when an element gets another size, until a signal. */
export function watchSize(element, draw, signal) {
  const observer = new ResizeObserver(draw);
  observer.observe(element);
  signal?.addEventListener("abort", () => observer.disconnect());
}

/** A colour of the style sheet, as it is in the light or in the dark. */
export function colour(name) {
  const probe = find("message");
  const kept = probe.style.color;
  probe.style.color = `var(--${name})`;
  const found = getComputedStyle(probe).color;
  probe.style.color = kept;
  return found;
}

/** Where a pointer is on an element, in CSS pixels. */
export function pointAt(element, event) {
  const box = element.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}
