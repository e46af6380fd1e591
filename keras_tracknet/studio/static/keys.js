// The keys: what each does, and the sheet that says so.
import { find, make } from "./page.js";

const around = (modifiers) => ["Left", "Right", "Up", "Down"].map((way) => `${modifiers}Arrow${way}`);

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
  [around("shift+"), "nudge", "Shift ← → ↑ ↓", "move the ball by a pixel"],
  [around("alt+shift+"), "nudge", "Alt Shift ← → ↑ ↓", "by a quarter of a pixel"],
  [around("ctrl+shift+"), "nudge", "Ctrl Shift ← → ↑ ↓", "by ten pixels"],
  [["ArrowUp", "ArrowDown"], "move"], // of the court's marks
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

/** How far an arrow key moves something: pixels to the right and down. */
export function readArrow({ key, altKey, ctrlKey, metaKey }) {
  const far = ctrlKey || metaKey ? 10 : altKey ? 0.25 : 1;
  return { ArrowLeft: [-far, 0], ArrowRight: [far, 0], ArrowUp: [0, -far], ArrowDown: [0, far] }[key];
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
