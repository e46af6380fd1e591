"""Learns what courts look like, for `keras_tracknet.inference.looks`, and tests it by venue.

    python tests/benchmarks/looks.py badminton=DIR tennis=DIR padel=DIR -o looks.npz

Each folder holds clips by venue: every folder directly below it is one venue. Every venue is left
out once: the table says how many of its pictures are recognised by what the others teach. Rendered
halls are added by themselves.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from keras_tracknet.frames.background import estimate_background
from keras_tracknet.inference.looks import describe_look
from keras_tracknet.synthetic import RallyConfig, simulate_rally
from keras_tracknet.video.folder import list_videos
from keras_tracknet.video.images import list_images
from keras_tracknet.video.reader import sample_frames

FRAMES = 5  # of a clip, whose median is its picture
HALLS = 56  # rendered
RIDGE = 3.0


def read_pictures(folders: dict[str, Path]) -> Iterator[tuple[str, str, np.ndarray]]:
    """Yield sport, venue and picture of every clip, and of rendered halls."""
    for sport, folder in folders.items():
        for venue in sorted(path for path in folder.iterdir() if path.is_dir()):
            clips = sorted({*list_videos(venue), *(p for p in venue.rglob("frames") if p.is_dir())})
            for clip in clips or ([venue] if list_images(venue) else []):
                frames = (frame.image for frame in sample_frames(clip, FRAMES))
                yield sport, f"{sport} {venue.name}", estimate_background(frames)
    for seed in range(HALLS):
        config = RallyConfig(frames=1, size=(288, 512), seed=seed, occlusion=False)
        yield "rendered", f"rendered {seed}", next(iter(simulate_rally(config).frames()))


def learn(
    looks: np.ndarray, kinds: np.ndarray, venues: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and weights of a ridge regression in which venues of a sport count alike."""
    shares = np.zeros(len(looks))
    for kind in range(count):
        names = set(venues[kinds == kind])
        for name in names:
            here = (kinds == kind) & (venues == name)
            shares[here] = 1 / len(names) / here.sum()
    shares /= shares.sum()
    mean = looks.mean(axis=0)
    around = looks - mean
    target = np.eye(count)[kinds] - 1 / count
    kernel = around @ around.T + RIDGE * np.diag(1 / (shares * len(looks)))
    return mean, around.T @ np.linalg.solve(kernel, target)


def main() -> None:
    """Read, measure, learn and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folders", nargs="+", metavar="SPORT=DIR")
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    folders = {name: Path(path) for name, _, path in (f.partition("=") for f in options.folders)}
    sports = [*folders, "rendered"]
    looks, kinds, venues = [], [], []
    for sport, venue, picture in read_pictures(folders):
        for image in (picture, np.ascontiguousarray(picture[:, ::-1])):  # and mirrored
            looks.append(describe_look(image))
            kinds.append(sports.index(sport))
            venues.append(venue)
    x, y, v = np.array(looks), np.array(kinds), np.array(venues)
    for name in sorted(set(v)):
        left = v == name
        mean, weights = learn(x[~left], y[~left], v[~left], len(sports))
        right = ((x[left] - mean) @ weights).argmax(axis=1) == y[left]
        if not name.startswith("rendered") or not right.all():
            print(f"{name}: {right.sum()} of {left.sum()} pictures, mirrored ones included")
    mean, weights = learn(x, y, v, len(sports))
    arrays = {"mean": mean.astype(np.float16), "weights": weights.astype(np.float16)}
    np.savez_compressed(options.output, sports=np.array(sports), **arrays)


if __name__ == "__main__":
    main()
