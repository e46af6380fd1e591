// The keys: what each does, and the sheet that says so.
import { find, make } from "./page.js";

// [keys as KeyboardEvent.key with modifiers, action, how the sheet shows them, what they do]
const KEYS = [
  [[" "], "play", "space", "play or pause"],
  [["ArrowLeft"], "back", "←", "one frame back"],
  [["ArrowRight"], "forward", "→", "one frame on"],
  [["PageUp"], "secondBack", "PgUp", "one second back"],
  [["PageDown"], "secondForward", "PgDn", "one second on"],
  [["Home"], "home", "Home", "first frame"],
  [["End"], "end", "End", "last frame"],
  [["["], "slower", "[", "play slower"],
  [["]"], "faster", "]", "play faster"],
  [["g"], "goto", "g", "go to a frame or time"],
  [["n"], "nextDoubtful", "n", "next doubtful frame"],
  [["p"], "previousDoubtful", "p", "previous doubtful frame"],
  [["a"], "accept", "a", "accept what is shown"],
  [["x"], "absent", "x", "no ball"],
  [["h"], "hidden", "h", "hidden, but its place is known"],
  [["b"], "guess", "b", "ball where the frames beside suggest"],
  [["i"], "fill", "i", "fill between two clicked frames"],
  [["s"], "stretch", "s", "begin a stretch; then a, x, h, i or Del"],
  [["A", "shift+A"], "acceptMoment", "Shift a", "accept the whole doubtful moment"],
  [["Delete", "Backspace"], "clear", "Del", "remove the correction"],
  [["shift+ArrowLeft"], "nudgeLeft", "Shift ← → ↑ ↓", "move the ball by a pixel"],
  [["shift+ArrowRight"], "nudgeRight"], [["shift+ArrowUp"], "nudgeUp"], [["shift+ArrowDown"], "nudgeDown"],
  [["alt+shift+ArrowLeft"], "fineLeft", "Alt Shift ← → ↑ ↓", "by a quarter of a pixel"],
  [["alt+shift+ArrowRight"], "fineRight"], [["alt+shift+ArrowUp"], "fineUp"], [["alt+shift+ArrowDown"], "fineDown"],
  [["ctrl+shift+ArrowLeft"], "farLeft", "Ctrl Shift ← → ↑ ↓", "by ten pixels"],
  [["ctrl+shift+ArrowRight"], "farRight"], [["ctrl+shift+ArrowUp"], "farUp"], [["ctrl+shift+ArrowDown"], "farDown"],
  [["ArrowUp"], "up"], [["ArrowDown"], "down"], // of the court's marks
  [["u", "ctrl+z"], "undo", "u", "undo, without end"],
  [["r", "ctrl+shift+Z", "ctrl+y"], "redo", "r", "redo"],
  [["t"], "trail", "t", "trail"],
  [["m"], "heatmap", "m", "heatmap of this frame"],
  [["z"], "zoomBall", "z", "zoom in on the ball, and out"],
  [["+", "="], "zoomIn", "+", "zoom in; the wheel zooms too"],
  [["-"], "zoomOut", "−", "zoom out"],
  [["w"], "after", "w", "what comes after a correction"],
  [["Escape"], "leave", "Esc", "leave a stretch"],
];

/** Actions of the keys that move something by so many pixels. */
export function nudges(nudge) {
  return {
    nudgeLeft: () => nudge(-1, 0), nudgeRight: () => nudge(1, 0), nudgeUp: () => nudge(0, -1), nudgeDown: () => nudge(0, 1),
    fineLeft: () => nudge(-0.25, 0), fineRight: () => nudge(0.25, 0), fineUp: () => nudge(0, -0.25), fineDown: () => nudge(0, 0.25),
    farLeft: () => nudge(-10, 0), farRight: () => nudge(10, 0), farUp: () => nudge(0, -10), farDown: () => nudge(0, 10),
  };
}

/** `act(action, event)` does it, and answers whether the view that is shown has such an action. */
export function listenToKeys(act) {
  const table = new Map(KEYS.flatMap(([keys, action]) => keys.map((key) => [key, action])));
  addEventListener("keydown", (event) => {
    if (event.key === "?" && !isTyping(event.target)) {
      toggleSheet();
      event.preventDefault();
      return;
    }
    if (isTyping(event.target) || document.querySelector("dialog[open]")) return;
    const ctrl = event.ctrlKey || event.metaKey, arrow = event.key.startsWith("Arrow");
    const shift = event.shiftKey && (arrow || ctrl || /^[A-Z]$/.test(event.key));
    const key = `${ctrl ? "ctrl+" : ""}${event.altKey ? "alt+" : ""}${shift ? "shift+" : ""}${event.key}`;
    const action = table.get(key);
    // Space and Enter press a button that has the focus; the rest is ours.
    if (!action || (event.key === " " && event.target.closest?.("button, a, select"))) return;
    if (act(action, event)) event.preventDefault();
  });
}

function isTyping(target) {
  return target.matches?.("input:not([type=checkbox]), textarea, select");
}

export function drawSheet() {
  find("keys-list").replaceChildren(...KEYS.filter(([, , shown]) => shown).map(([, , shown, words]) => make("div", {},
    make("span", {}, ...shown.split(" ").flatMap((key) => [make("kbd", {}, key), " "])), make("span", {}, words))));
  find("keys-button").addEventListener("click", toggleSheet);
}

function toggleSheet() {
  const sheet = find("keys");
  if (sheet.open) sheet.close(); else sheet.showModal();
}
