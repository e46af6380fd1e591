"""Splits: which clips train and which validate, by match or by clip, never by frame."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence

from keras_tracknet.errors import InputError
from keras_tracknet.io.datasets import Dataset, pick_clips
from keras_tracknet.io.layouts.clip import Clip

HELD_OUT = 0.15  # of the clips, for validation
MOST_HELD_OUT = 0.3  # a match larger than this is not given away whole


def split_clips(
    clips: Dataset | Iterable[Clip], names: Sequence[str] | None = None, *, seed: int = 0
) -> tuple[tuple[Clip, ...], tuple[Clip, ...]]:
    """Split clips for training and validation; whole clips, never frames.

    Clips under a `test` folder never train: they are in neither part, unless `names` picks
    them for validation. Without `names`, a `val` folder is the validation where there is
    one. Else about 15 % of the clips are held out: whole groups where some fit into 30 % of
    the clips, so that no match is on both sides, otherwise single clips. One clip alone is
    both parts, and its figures flatter.

    Args:
        clips: a dataset, or clips of it.
        names: the validation clips, as `pick_clips` takes them.
        seed: chooses among equals; the same seed gives the same split.

    Returns:
        (train, validation), in the order of `clips`.

    Raises:
        InputError: a name fits no clip, or no clip is left to train on.
    """
    every = clips.clips if isinstance(clips, Dataset) else tuple(clips)
    pool = tuple(clip for clip in every if clip.part != "test")
    if names is None and len(pool) == 1:
        return pool, pool
    if names is not None:
        validation = pick_clips(every, names)
    else:
        validation = tuple(clip for clip in pool if clip.part == "val") or _hold_out(pool, seed)
    train = tuple(clip for clip in pool if clip not in validation)
    if not train:
        raise InputError(
            f"no clip is left to train on ({len(every)} found, {len(validation)} for validation,"
            f" {len(every) - len(pool)} under a test folder); add clips or name fewer."
        )
    return train, validation


def _hold_out(clips: tuple[Clip, ...], seed: int) -> tuple[Clip, ...]:
    target = max(1, round(HELD_OUT * len(clips)))
    shuffled = random.Random(seed)
    groups = Counter(clip.group for clip in clips)
    order = sorted(groups)
    shuffled.shuffle(order)
    held: set[str] = set()
    count = 0
    for group in order:
        if count + groups[group] <= target:
            held.add(group)
            count += groups[group]
    smallest = min(order, key=groups.__getitem__, default="")
    if not held and groups[smallest] <= MOST_HELD_OUT * len(clips):
        held.add(smallest)
    if held:
        return tuple(clip for clip in clips if clip.group in held)
    names = set(shuffled.sample([clip.name for clip in clips], min(target, len(clips))))
    return tuple(clip for clip in clips if clip.name in names)
