// What is drawn over a picture: the ball and its trail. Colours here are for pictures, which are
// neither light nor dark; style.css has the same ones for the legend.

const COLOURS = { network: "#56b4e9", repaired: "#f0b429", person: "#2fcf9f", nobody: "#ffffff" };
const TRAIL = 14; // frames

export function drawLine(context, from, to) {
  context.beginPath();
  context.moveTo(...from);
  context.lineTo(...to);
  context.stroke();
}

export function drawRing(context, middle, radius) {
  context.beginPath();
  context.arc(...middle, radius, 0, 2 * Math.PI);
  context.stroke();
}

/** `place` turns pixels of the video into pixels of the canvas. */
export function drawTrail(context, video, frame, place) {
  context.lineCap = "round";
  for (let i = Math.max(1, frame - TRAIL); i <= frame; i += 1) {
    const one = video.ball(i - 1), two = video.ball(i);
    if (one.x === null || two.x === null || video.track.cuts?.includes(i)) continue;
    const age = (frame - i) / TRAIL;
    context.globalAlpha = 0.9 * (1 - age);
    context.lineWidth = 3 - 2 * age;
    context.strokeStyle = COLOURS[two.who];
    drawLine(context, place(one.x, one.y), place(two.x, two.y));
  }
  context.globalAlpha = 1;
}

/** A ring around the ball, so that the ball itself stays to be seen; dashed where nobody saw it. */
export function drawBall(context, ball, place, radius = 10) {
  if (ball.x === null) return;
  const [x, y] = place(ball.x, ball.y);
  const unseen = ["repaired", "filled", "hidden"].includes(ball.status);
  for (const [width, style] of [[4.5, "#000a"], [2, COLOURS[ball.who]]]) {
    context.lineWidth = width;
    context.strokeStyle = style;
    context.setLineDash(unseen ? [4, 3] : []);
    drawRing(context, [x, y], radius);
    context.setLineDash([]);
    if (ball.who !== "person") continue;
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      const at = (far) => [x + dx * (radius + far), y + dy * (radius + far)];
      drawLine(context, at(1), at(5));
    }
  }
}

/** A faint cross where the ball should be by the frames beside. */
export function drawGuess(context, [x, y], place) {
  const [left, top] = place(x, y);
  context.strokeStyle = "#ffffff99";
  context.lineWidth = 1;
  context.setLineDash([3, 3]);
  drawLine(context, [left - 12, top], [left + 12, top]);
  drawLine(context, [left, top - 12], [left, top + 12]);
  context.setLineDash([]);
}
