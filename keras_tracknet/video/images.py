"""Folders of images, read as if they were the frames of a video."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np

from keras_tracknet.errors import InputError
from keras_tracknet.files import replace_file
from keras_tracknet.video.damage import Damage

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")


def list_images(folder: Path) -> list[Path]:
    """List the images of a folder in the order of the numbers in their names.

    Raises:
        InputError: the folder cannot be read, or there is no image in it.
    """
    try:
        names = sorted(os.listdir(folder), key=_natural_key)
    except OSError as error:
        raise InputError(
            f"{folder}: folder cannot be read ({error.strerror}); check its permissions."
        ) from error
    files = [
        folder / name
        for name in names
        if name.lower().endswith(IMAGE_SUFFIXES) and not name.startswith(".")
    ]
    if not files:
        raise InputError(
            f"{folder}: folder contains no images; add {', '.join(IMAGE_SUFFIXES)} files."
        )
    for file in files:
        _refuse_irregular(file)
    return files


def _refuse_irregular(file: Path) -> None:
    # Reading a pipe may never end. A link that leads nowhere is an image that is missing.
    if os.path.exists(file) and not os.path.isfile(file):
        raise InputError(f"{file}: is a folder, a pipe or a device, not an image; remove it.")


def _natural_key(name: str) -> list[tuple[int, str]]:
    return [
        (int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)
    ]


def read_images(files: Iterable[Path], damage: Damage | None = None) -> Iterator[np.ndarray]:
    """Yield images of one size, each `(height, width, 3)` uint8 RGB.

    Args:
        files: the images.
        damage: where damaged images are noted by their number; then the picture of the nearest
            readable image before, else behind, stands in their place. None raises an error.

    Raises:
        InputError: an image cannot be read, or has another size than the first.
    """
    good: np.ndarray | None = None
    waiting = 0  # damaged images before the first good one
    for number, file in enumerate(files):
        try:
            image = read_image(file)
        except InputError as error:
            if damage is None:
                raise
            damage.note(str(error), number)
            last = error
            if good is None:
                waiting += 1
            else:
                yield good
            continue
        if good is not None and image.shape != good.shape:
            raise InputError(
                f"{file}: image size is {show_size(image.shape)}, but the others are"
                f" {show_size(good.shape)}; use images of one size."
            )
        good = image
        yield from [good] * (waiting + 1)
        waiting = 0
    if waiting:
        raise last


def read_image(file: Path) -> np.ndarray:
    """Read one image as it is shown, turned as its EXIF says, `(height, width, 3)` uint8 RGB.

    Raises:
        InputError: the file cannot be read, or is no image.
    """
    _refuse_irregular(file)
    try:
        data = np.fromfile(file, np.uint8)
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror}); check the file.") from error
    try:
        image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    except (cv2.error, MemoryError) as error:
        raise InputError(f"{file}: image is too large; make it smaller or remove it.") from error
    if image is None:
        raise InputError(f"{file}: image cannot be decoded; remove or replace it.")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def write_image(image: np.ndarray, path: Path) -> None:
    """Write one image as PNG; see `replace_file`.

    Args:
        image: `(height, width, 3)` uint8 RGB.
        path: file to write.

    Raises:
        InputError: the file cannot be written.
    """
    encoded = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1]
    with replace_file(path) as partial:
        partial.write_bytes(encoded.tobytes())


def show_size(shape: tuple[int, ...]) -> str:
    """Width and height as people write them: `1280 x 720`."""
    return f"{shape[1]} x {shape[0]}"


def embed_image(image: np.ndarray, *, quality: int = 80) -> str:
    """An RGB picture as a JPEG that stands in the address itself."""
    _, data = cv2.imencode(
        ".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )
    return f"data:image/jpeg;base64,{base64.b64encode(data.tobytes()).decode()}"
