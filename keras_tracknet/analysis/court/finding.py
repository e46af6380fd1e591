"""Finding a court in a picture by its painted lines, for a person to approve.

Lines that are lighter than the floor on both sides are found by a Hough transform. Two of them
across the court and two along it are taken for every such four of the sport's lines, which gives a
homography each; the one whose court lies on painted lines best is refined on them (Farin et al.
2004, "Robust camera calibration for sport videos using court models").
"""

from __future__ import annotations

from itertools import combinations

import cv2
import numpy as np

from keras_tracknet.analysis.court.calibration import Court, calibrate_court
from keras_tracknet.analysis.court.checks import check_orientation
from keras_tracknet.analysis.court.drawing import stroke_line
from keras_tracknet.analysis.court.marks import LEAST_POINTS, Mark
from keras_tracknet.errors import InputError
from keras_tracknet.sports import Sport, find_sport

FINDABLE = ("badminton", "tennis", "volleyball")  # padel's outer lines are walls
HEIGHT = 720  # pixels; all sizes below are for a picture of this height
WIDTH, CONTRAST = 7, 12  # pixels between a line and the floor beside it; levels that it is lighter
VOTES, LEAST_LENGTH, LONGEST_GAP = 50, 45, 12  # of the Hough transform
FLAT, STEEP = 14.0, 22.0  # degrees from the horizontal: lines across, and lines along the court
SAME_ANGLE, SAME_PLACE = 2.0, 5.0  # degrees and pixels between segments of one line
MOST_LINES = 9  # that are tried, of each direction: those with the most paint
NEAR_LINE = 3  # pixels from a painted line that a court's line may be
DOUBT = 0.55  # share of a line that has to be painted, for it to speak for a court
OUTSIDE = 0.3  # what a line outside the picture speaks against it by, as a share
LIKELY = 0.7  # the same for a court that is found at all
FINALISTS = 40
ROUNDS = 8  # of refinement
SEARCH = (9, 7, 5, 4, 3, 3, 3, 3)  # pixels on either side of a line that paint is looked for


def find_court(picture: np.ndarray, sport: str) -> Court | None:
    """Find a court seen from behind one of its ends; None if no court fits well.

    What is found is a proposal: look at it before it is used (see `draw_court`).

    Args:
        picture: `(height, width, 3)` uint8 RGB.
        sport: one of `FINDABLE`.

    Returns:
        The court, with marks at all landmarks that are in the picture.

    Raises:
        ValueError: courts of that sport cannot be found.
    """
    if sport not in FINDABLE:
        raise ValueError(f"sport must be one of {', '.join(FINDABLE)}. Received: sport={sport!r}")
    rules = find_sport(sport)
    scale = HEIGHT / picture.shape[0]
    size = (round(picture.shape[1] * scale), HEIGHT)
    grey = cv2.cvtColor(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    paint = find_paint(grey)
    across, along = find_lines(paint)
    candidates = _match_lines(across, along, paint, rules)
    best, share = None, LIKELY
    for homography in candidates:
        refined = _refine(homography, paint, rules)
        own = _measure(refined, paint, rules)
        if own > share and _is_seen_from_behind(refined, size):
            best, share = refined, own
    if best is None:
        return None
    return _make_court(np.diag([1 / scale, 1 / scale, 1.0]) @ best, picture.shape[:2], rules)


def find_paint(grey: np.ndarray) -> np.ndarray:
    """Return where a picture is lighter than on both sides: `(height, width)` uint8, 0 or 255."""
    level = cv2.GaussianBlur(grey, (3, 3), 0).astype(np.int16)
    found = np.zeros(grey.shape, bool)
    for dx, dy in ((WIDTH, 0), (0, WIDTH)):
        padded = np.pad(level, ((dy, dy), (dx, dx)), mode="edge")
        height, width = grey.shape
        before, after = padded[:height, :width], padded[2 * dy :, 2 * dx :][:height, :width]
        found |= (level - before > CONTRAST) & (level - after > CONTRAST)
    return found.astype(np.uint8) * 255


def find_lines(paint: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the lines across and along the court: `(lines, 3)` each, ax + by + c = 0.

    Those across are in order from top to bottom, those along from left to right.
    """
    found = cv2.HoughLinesP(
        paint, 1, np.pi / 360, VOTES, minLineLength=LEAST_LENGTH, maxLineGap=LONGEST_GAP
    )
    segments = np.zeros((0, 4)) if found is None else found.reshape(-1, 4).astype(float)
    way = segments[:, 2:] - segments[:, :2]
    slope = np.degrees(np.abs(np.arctan2(way[:, 1], way[:, 0])))
    slope = np.minimum(slope, 180 - slope)
    middle = np.array(paint.shape[::-1]) / 2
    across = _merge_segments(segments[slope < FLAT])
    along = _merge_segments(segments[slope > STEEP])
    down = -(across[:, 0] * middle[0] + across[:, 2]) / across[:, 1]
    right = -(along[:, 1] * 1.3 * middle[1] + along[:, 2]) / along[:, 0]
    return across[down.argsort()], along[right.argsort()]


def _merge_segments(segments: np.ndarray) -> np.ndarray:
    """Lines through segments, those with the most paint first; near ones become one."""
    lengths = np.linalg.norm(segments[:, 2:] - segments[:, :2], axis=1)
    left = segments[lengths.argsort()[::-1]]
    groups: list[tuple[float, np.ndarray]] = []
    while len(left):
        line = _draw_through(left[0, :2], left[0, 2:])
        ends = left.reshape(-1, 2, 2) @ line[:2] + line[2]
        same = np.abs(ends).max(axis=1) < SAME_PLACE
        points = left[same].reshape(-1, 2)
        spread = np.linalg.norm(left[same, 2:] - left[same, :2], axis=1).sum()
        groups.append((float(spread), _fit_line(points) if same.sum() > 1 else line))
        left = left[~same]
    groups.sort(key=lambda group: -group[0])
    return np.array([line for _, line in groups[:MOST_LINES]]).reshape(-1, 3)


def _draw_through(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    normal = np.array([start[1] - end[1], end[0] - start[0]])
    normal = normal / np.linalg.norm(normal)
    return np.append(normal, -normal @ start)


def _fit_line(points: np.ndarray) -> np.ndarray:
    middle = points.mean(axis=0)
    normal = np.linalg.svd(points - middle)[2][1]
    return np.append(normal, -normal @ middle)


def _match_lines(
    across: np.ndarray, along: np.ndarray, paint: np.ndarray, sport: Sport
) -> list[np.ndarray]:
    """Return the most hopeful homographies, from metres to pixels."""
    strokes = [stroke_line(line) for line in sport.lines]
    lying = sorted({round(s[0, 1], 4) for s in strokes if abs(np.ptp(s[:, 1])) < 1e-9})
    standing = sorted({round(s[0, 0], 4) for s in strokes if abs(np.ptp(s[:, 0])) < 1e-9})
    places, ways = _sample_strokes(sport, 0.5)
    # From metres to a square between two lines and two others, where these are at 0 and 1.
    frames = [
        np.linalg.inv([[right - left, 0, left], [0, far - near, near], [0, 0, 1]])
        for near, far in combinations(lying, 2)
        for left, right in combinations(standing, 2)
    ]
    squares = np.array([_project(frame, places) for frame in frames])
    near_paint = cv2.dilate(paint, np.ones((2 * NEAR_LINE + 1, 2 * NEAR_LINE + 1), np.uint8)) > 0
    found: list[tuple[float, np.ndarray]] = []
    for top, bottom in combinations(across, 2):
        for left, right in combinations(along, 2):
            corners = np.array([np.cross(a, b) for a in (bottom, top) for b in (left, right)])
            if (np.abs(corners[:, 2]) < 1e-9).any():
                continue
            pixels = corners[:, :2] / corners[:, 2:]
            if not _is_quadrangle(pixels, paint.shape):
                continue
            unit = np.array([[0, 0], [1, 0], [0, 1], [1, 1]], np.float32)
            square = cv2.getPerspectiveTransform(unit, pixels.astype(np.float32))
            scores = _score(squares, ways, square, near_paint)
            best = scores.argsort()[::-1][:3]
            found += [(float(scores[k]), square @ frames[k]) for k in best]
    found.sort(key=lambda pair: -pair[0])
    return [homography for _, homography in found[:FINALISTS]]


def _is_quadrangle(pixels: np.ndarray, shape: tuple[int, ...]) -> bool:
    """Whether corners, near left and right, far left and right, are those of a court."""
    (a, b), (c, d) = pixels[:2], pixels[2:]
    height, width = shape
    if b[0] - a[0] < 0.05 * width or d[0] - c[0] < 0.02 * width:
        return False
    if min(a[1], b[1]) - max(c[1], d[1]) < 4 or b[0] - a[0] < d[0] - c[0]:
        return False
    return bool((np.abs(pixels - [width / 2, height / 2]) < 2 * np.array([width, height])).all())


def _sample_strokes(sport: Sport, step: float) -> tuple[np.ndarray, np.ndarray]:
    """Places on all lines of a court `(places, 2)`, and the direction of each line there."""
    places, ways = [], []
    for start, end in (stroke_line(line) for line in sport.lines):
        count = max(int(np.linalg.norm(end - start) / step), 2)
        places.append(start + np.linspace(0, 1, count + 1)[:, None] * (end - start))
        ways.append(np.tile((end - start) / np.linalg.norm(end - start), (count + 1, 1)))
    return np.concatenate(places), np.concatenate(ways)


def _score(
    squares: np.ndarray, ways: np.ndarray, square: np.ndarray, near_paint: np.ndarray
) -> np.ndarray:
    """Pixels of line that are painted, less those that should be: `(candidates,)`."""
    seen = squares @ square[:, :2].T + square[:, 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        pixels = seen[..., :2] / seen[..., 2:]
    behind = (seen[..., 2] * np.sign(square[2, 2]) <= 0).any(axis=1)
    height, width = near_paint.shape
    inside = ((pixels > -0.5) & (pixels < [width - 0.5, height - 0.5])).all(axis=-1)
    painted = _look_up(near_paint, pixels)
    steps = np.linalg.norm(np.diff(pixels, axis=1), axis=2)
    lengths = np.concatenate([steps, steps[:, -1:]], axis=1).clip(0, 40)
    lengths[:, 1:] *= (ways[1:] == ways[:-1]).all(axis=1)  # no step from line to line
    gained = np.where(painted, 1 - DOUBT, -DOUBT) * lengths
    gained = np.where(inside, gained, -OUTSIDE * lengths)
    total: np.ndarray = np.where(behind, -np.inf, gained.sum(axis=1))
    return total


def _refine(homography: np.ndarray, paint: np.ndarray, sport: Sport) -> np.ndarray:
    """Move a court onto the painted lines around it."""
    places, ways = _sample_strokes(sport, 0.25)
    best: np.ndarray = homography / np.linalg.norm(homography)
    for reach in SEARCH:
        pixels = _project(best, places)
        normal = _project(best, places + 0.01 * ways) - pixels
        normal = normal[:, ::-1] * [1, -1]
        normal = normal / (np.linalg.norm(normal, axis=1, keepdims=True) + 1e-9)
        offsets = np.arange(-reach, reach + 1)
        spots = pixels[:, None] + offsets[:, None] * normal[:, None]
        light = _look_up(paint, spots)
        count = light.sum(axis=1)
        # A line is a few pixels wide: its middle. Where all is painted, it is no line.
        good = (count > 0) & (count < max(6, reach))
        if good.sum() < 30:
            return best
        away = (light * offsets).sum(axis=1) / np.maximum(count, 1)
        target = pixels + away[:, None] * normal
        moved = _fit_homography(places[good], target[good], normal[good])
        if moved is None:
            return best
        best = moved
    return best


def _fit_homography(
    places: np.ndarray, pixels: np.ndarray, normals: np.ndarray
) -> np.ndarray | None:
    """The homography that puts places on lines through pixels with the given normals."""
    centre, spread = pixels.mean(axis=0), float(pixels.std())
    scaled = (pixels - centre) / spread
    offset = (normals * scaled).sum(axis=1)
    ones = np.column_stack([places / 5, np.ones(len(places))])
    rows = np.hstack([normals[:, :1] * ones, normals[:, 1:] * ones, -offset[:, None] * ones])
    solution = np.linalg.svd(rows, full_matrices=False)[2][-1].reshape(3, 3)
    back = np.array([[spread, 0, centre[0]], [0, spread, centre[1]], [0, 0, 1]])
    found = back @ solution @ np.diag([0.2, 0.2, 1.0])
    if not np.isfinite(found).all() or abs(np.linalg.det(found)) < 1e-12:
        return None
    norm: np.ndarray = found / np.linalg.norm(found)
    return norm


def _measure(homography: np.ndarray, paint: np.ndarray, sport: Sport) -> float:
    """Share of a court's lines in the picture that are painted; 0 if most lines are outside."""
    places, _ = _sample_strokes(sport, 0.25)
    pixels = _project(homography, places)
    height, width = paint.shape
    inside = ((pixels > 0) & (pixels < [width - 1, height - 1])).all(axis=1)
    if inside.mean() < 0.6:
        return 0.0
    near = cv2.dilate(paint, np.ones((3, 3), np.uint8))
    return float(_look_up(near, pixels[inside]).mean())


def _is_seen_from_behind(homography: np.ndarray, size: tuple[int, int]) -> bool:
    """Whether some camera sees a court so, with its far end farther away."""
    court = Court("custom", (size[1], size[0]), (), homography)
    depths = homography[2] @ np.array([[0, 0, 0], [-5, 0, 5], [1, 1, 1]])
    camera = court.camera()
    if not (depths > 0).all() and not (depths < 0).all():
        return False
    return camera is not None and camera[0][2] > 1.0 and abs(depths[2]) > abs(depths[0])


def _make_court(homography: np.ndarray, size: tuple[int, int], sport: Sport) -> Court | None:
    """The court of a homography, with marks where its landmarks are in the picture."""
    marks = []
    for name, place in sport.landmarks.items():
        x, y = _project(homography, np.array([place]))[0].tolist()
        if 0 <= x < size[1] and 0 <= y < size[0] and "net" not in name:
            marks.append(Mark(name, round(x, 2), round(y, 2), *place))
    if len(marks) < LEAST_POINTS:
        return None
    try:
        court = calibrate_court(marks, size, sport.name)
        check_orientation(court)
    except InputError:
        return None
    return court


def _project(homography: np.ndarray, places: np.ndarray) -> np.ndarray:
    seen = places @ homography[:, :2].T + homography[:, 2]
    pixels: np.ndarray = seen[:, :2] / seen[:, 2:]
    return pixels


def _look_up(paint: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """Whether there is paint at `(..., 2)` pixels."""
    height, width = paint.shape
    spots = np.nan_to_num(np.rint(pixels), nan=-1, posinf=-1, neginf=-1).clip(-1, 1e5).astype(int)
    x, y = spots[..., 0], spots[..., 1]
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    found: np.ndarray = inside & (paint[y.clip(0, height - 1), x.clip(0, width - 1)] > 0)
    return found
