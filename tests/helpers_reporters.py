"""A reporter that tests can ask what it was told."""

from __future__ import annotations

from keras_tracknet.progress import Reporter


class Notebook(Reporter):
    """Remembers notes and warnings."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.warnings: list[str] = []

    def note(self, message: str) -> None:
        self.notes.append(message)

    def warn(self, message: str) -> None:
        self.warnings.append(message)
