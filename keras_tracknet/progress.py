"""How long work tells of its progress."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Advance(Protocol):
    """Says that `n` more units are done; figures are shown beside the bar."""

    def __call__(self, n: int = 1, **figures: float) -> None:
        """Report progress."""


class Reporter:
    """Takes notes, warnings and progress, and keeps silent about them."""

    def note(self, message: str) -> None:
        """Tell something worth knowing."""

    def warn(self, message: str) -> None:
        """Tell something that wants attention."""

    @contextmanager
    def track(
        self, description: str, total: int | None = None, *, unit: str = "items"
    ) -> Iterator[Advance]:
        """Follow a piece of work through the `with` block.

        Args:
            description: what is being done.
            total: units in all, None when unknown.
            unit: what is counted, in the plural.
        """
        yield self.ignore

    @staticmethod
    def ignore(n: int = 1, **figures: float) -> None:
        """Take progress and do nothing about it."""
