"""Reporting of notes, warnings and progress."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Advance(Protocol):
    """Reports that `n` more units are done; figures are shown next to the bar."""

    def __call__(self, n: int = 1, **figures: float) -> None:
        """Report progress."""


class Reporter:
    """Receives notes, warnings and progress, and shows nothing."""

    def note(self, message: str) -> None:
        """Report something worth knowing."""

    def warn(self, message: str) -> None:
        """Report something that needs attention."""

    @contextmanager
    def track(
        self, description: str, total: int | None = None, *, unit: str = "items"
    ) -> Iterator[Advance]:
        """Track the progress of a task during the `with` block.

        Args:
            description: what is being done.
            total: units in all, None when unknown.
            unit: what is counted, in the plural.
        """
        yield self.ignore

    @staticmethod
    def ignore(n: int = 1, **figures: float) -> None:
        """Ignore progress."""
