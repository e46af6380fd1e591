"""Splits: which clips train and which validate, by match or by clip, never by frame."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from keras_tracknet.datasets.clip import Clip
from keras_tracknet.datasets.dataset import Dataset, pick_clips
from keras_tracknet.datasets.formats.json_file import parse_json
from keras_tracknet.errors import InputError
from keras_tracknet.files import write_json

HELD_OUT = 0.15  # of the clips, for validation
MOST_HELD_OUT = 0.3  # a match larger than this is not given away whole
PARTS = ("train", "validation", "test")
BY = ("match", "clip")


@dataclass(frozen=True)
class Split:
    """Which clips of a dataset do what, by name; a clip is in one part at most.

    Attributes:
        data: the dataset's folder.
        train, validation, test: names of clips; those of `test` are for neither of the others.
    """

    data: str
    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...] = ()


def split_dataset(
    dataset: Dataset,
    names: Sequence[str] | None = None,
    *,
    by: str | None = None,
    share: float = HELD_OUT,
    seed: int = 0,
) -> Split:
    """Split a dataset as `split_clips` does, with the rest as its test part.

    Raises:
        InputError: as of `split_clips`.
    """
    train, validation = split_clips(dataset, names, by=by, share=share, seed=seed)
    used = {clip.name for clip in (*train, *validation)}
    return Split(
        data=str(dataset.root.resolve()),
        train=tuple(clip.name for clip in train),
        validation=tuple(clip.name for clip in validation),
        test=tuple(clip.name for clip in dataset.clips if clip.name not in used),
    )


def write_split(split: Split, path: Path) -> None:
    """Write a split as JSON.

    Raises:
        InputError: the file cannot be written.
    """
    write_json(asdict(split), path)


def read_split(path: Path) -> Split:
    """Read a split that `write_split` wrote, or that somebody wrote like it.

    Raises:
        InputError: the file cannot be read, is no split, or has a clip twice.
    """
    try:
        parts = parse_json(path.read_text(encoding="utf-8-sig"))
        lists = {part: _read_names(part, parts.get(part, [])) for part in PARTS}
        if not lists["train"] or not lists["validation"]:
            raise ValueError("train and validation must list clips")
        if not isinstance(parts["data"], str):
            raise ValueError("data must be the dataset folder")
        split = Split(data=parts["data"], **lists)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path}: not a split file ({error}); write one with tracknet data split."
        ) from error
    counts = Counter(name for part in PARTS for name in lists[part])
    twice = [name for name, count in counts.items() if count > 1]
    if twice and len(counts) > 1:  # a single clip is validated on what it trains
        raise InputError(
            f"{path}: {twice[0]} appears twice; keep it in either training or validation."
        )
    return split


def _read_names(part: str, names: Any) -> tuple[str, ...]:
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"{part} must be a list of clip names")
    return tuple(names)


def split_clips(
    clips: Dataset | Iterable[Clip],
    names: Sequence[str] | None = None,
    *,
    train: Sequence[str] | None = None,
    by: str | None = None,
    share: float = HELD_OUT,
    seed: int = 0,
) -> tuple[tuple[Clip, ...], tuple[Clip, ...]]:
    """Split clips for training and validation; whole clips, never frames.

    Clips under a `test` folder never train: they are in neither part, unless named. Without
    `names`, a `val` folder is the validation where there is one. Else about `share` of the
    clips are held out: whole groups where some fit into 30 % of the clips, so that no match is
    on both sides, otherwise single clips. One clip alone is both parts, and its figures
    flatter.

    Args:
        clips: a dataset, or clips of it.
        names: the validation clips, as `pick_clips` takes them.
        train: the clips that train; all the others when omitted.
        by: `match` to hold out whole groups however large, `clip` to hold out single clips;
            the dataset's own `val` folder is passed over then.
        share: of the clips to hold out, 0 to 1.
        seed: chooses among equals; the same seed gives the same split.

    Returns:
        (train, validation), in the order of `clips`.

    Raises:
        InputError: a name fits no clip, or no clip is left to train on.
        ValueError: an unknown `by`, or a share outside 0 to 1.
    """
    if by not in (None, *BY):
        raise ValueError(f"`by` must be one of {', '.join(BY)}. Received: by={by!r}")
    if not 0 < share < 1:
        raise ValueError(f"`share` must be above 0 and below 1. Received: share={share}")
    every = clips.clips if isinstance(clips, Dataset) else tuple(clips)
    pool = tuple(clip for clip in every if clip.part != "test")
    if names is None and len(pool) == 1:
        return pool, pool
    if names is not None:
        validation = pick_clips(every, names)
    else:
        own = tuple(clip for clip in pool if clip.part == "val" and by is None)
        validation = own or _hold_out(pool, by, share, seed)
    if train is None:
        training = tuple(clip for clip in pool if clip not in validation)
    else:
        named = pick_clips(every, train)
        training = tuple(clip for clip in named if clip not in validation) or named
    if not training:
        raise InputError(
            f"no clip is left for training ({len(every)} found, {len(validation)} for validation,"
            f" {len(every) - len(pool)} in a test folder); add clips or hold out fewer."
        )
    return training, validation


def _hold_out(clips: tuple[Clip, ...], by: str | None, share: float, seed: int) -> tuple[Clip, ...]:
    target = max(1, round(share * len(clips)))
    shuffled = random.Random(seed)
    groups = Counter(clip.group for clip in clips)
    order = sorted(groups)
    shuffled.shuffle(order)
    if by == "match" and len(order) < 2:
        raise InputError(f'all clips belong to one match, {order[0]}; use `by="clip"`.')
    held: set[str] = set()
    count = 0
    for group in order:
        if count + groups[group] <= target and by != "clip":
            held.add(group)
            count += groups[group]
    smallest = min(order, key=groups.__getitem__, default="")
    most = 1.0 if by == "match" else MOST_HELD_OUT
    if not held and by != "clip" and groups[smallest] <= most * len(clips):
        held.add(smallest)
    if held:
        return tuple(clip for clip in clips if clip.group in held)
    names = set(shuffled.sample([clip.name for clip in clips], min(target, len(clips))))
    return tuple(clip for clip in clips if clip.name in names)
