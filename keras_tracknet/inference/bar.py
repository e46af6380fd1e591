"""The bar that shows progress in a notebook or on a terminal."""

from __future__ import annotations

from collections.abc import Callable


def show_bar(total: int | None, also: Callable[..., None] | None = None) -> Callable[..., None]:
    """Return a function that moves a bar on by a number of frames.

    The bar is that of Keras, as `model.fit` shows it.

    Args:
        total: frames; None if unknown.
        also: called with the same number.
    """
    from keras.utils import Progbar

    bar = Progbar(total, unit_name="frame", interval=0.2)

    def advance(count: int = 1, **figures: float) -> None:
        bar.add(count)
        if also is not None:
            also(count, **figures)

    return advance
