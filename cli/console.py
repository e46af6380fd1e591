"""Progress on stderr: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import click

from keras_tracknet.addresses import mask_addresses
from keras_tracknet.errors import name_bundled
from keras_tracknet.progress import Advance, Reporter

from .arguments import name_options

LINE_EVERY = 5.0  # seconds between two lines without a terminal
DRAW_EVERY = 0.1  # seconds between two updates of a bar
RATE_OVER = 30.0  # seconds over which the rate is measured
RATE_AFTER = 2.0  # seconds after the first unit, which includes compiling the network


class ConsoleReporter(Reporter):
    """Shows notes, warnings and progress on stderr.

    Args:
        quiet: show warnings only.
    """

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self._progress: Any = None  # one for all bars: rich draws a single one at a time
        self._bars = 0
        context = click.get_current_context(silent=True)
        self._command = None if context is None else context.command

    def note(self, message: str) -> None:
        """Print a message unless quiet."""
        if not self.quiet:
            tell(name_options(message, self._command))

    def warn(self, message: str) -> None:
        """Print a warning, even if quiet."""
        tell(f"tracknet: warning: {name_options(message, self._command)}")

    @contextmanager
    def track(
        self, description: str, total: int | None = None, *, unit: str = "items"
    ) -> Iterator[Advance]:
        """Show progress; see `Reporter.track`."""
        description = mask_addresses(description)
        if self.quiet:
            shown = super().track(description, total, unit=unit)
        elif is_terminal():
            shown = self._track_bar(description, total, unit)
        else:
            shown = _track_lines(description, total, unit)
        with shown as advance:
            yield advance

    @contextmanager
    def _track_bar(self, description: str, total: int | None, unit: str) -> Iterator[Advance]:
        gauge = Gauge(total, unit)
        if self._progress is None:
            self._progress = _make_progress()
            self._progress.start()
        bars = self._progress
        bar = bars.add_task(description, total=total, beside=gauge.describe())
        self._bars += 1
        drawn = gauge.began

        def draw() -> None:
            nonlocal drawn
            drawn = time.monotonic()
            # A bar whose total was too small stays full; a bar without a total keeps moving.
            length = None if total is None else max(total, gauge.done)
            bars.update(bar, completed=gauge.done, total=length, beside=gauge.describe())

        def advance(n: int = 1, **figures: float) -> None:
            gauge.add(n, figures)
            if time.monotonic() - drawn >= DRAW_EVERY:
                draw()

        try:
            yield advance
            bars.update(bar, completed=gauge.done, total=gauge.done, beside=gauge.summarise())
        except BaseException:
            draw()
            raise
        finally:
            self._bars -= 1
            if self._bars:
                bars.remove_task(bar)
            else:
                bars.stop()
                self._progress = None


class Gauge:
    """Progress, rate and remaining time of a task.

    Args:
        total: number of units; None if unknown. A total that is too small counts as unknown.
        unit: what is counted, in the plural.
    """

    def __init__(self, total: int | None, unit: str) -> None:
        self.total, self.unit, self.done = total, unit, 0
        self.figures: dict[str, float] = {}
        self.began = time.monotonic()
        self._recent: deque[tuple[float, int]] = deque()

    def add(self, n: int, figures: dict[str, float]) -> None:
        """Count `n` more units and update the figures shown next to them."""
        self.done += n
        self.figures |= figures
        now = time.monotonic()
        if not self._recent or now - self._recent[-1][0] >= DRAW_EVERY:
            self._recent.append((now, self.done))
        while len(self._recent) > 2 and now - self._recent[0][0] > RATE_OVER:
            self._recent.popleft()

    def describe(self) -> str:
        """Describe the state of a running task."""
        known = self.total is not None and self.total >= self.done
        count = f"{self.done:,}/{self.total:,}" if known else f"{self.done:,}"
        parts = [f"{count} {self.unit}"]
        rate = self._measure_rate()
        if rate:
            parts.append(f"{show_number(rate)}/s")
            if known and self.total is not None:
                parts.append(f"{show_time((self.total - self.done) / rate)} left")
        return ", ".join(parts + self._show_figures())

    def summarise(self) -> str:
        """Describe a task that is finished or has stopped."""
        seconds = time.monotonic() - self.began
        parts = [f"{self.done:,} {self.unit} in {show_time(seconds)}"]
        if self.done and seconds > 0:
            parts.append(f"{show_number(self.done / seconds)}/s")
        return ", ".join(parts + self._show_figures())

    def _measure_rate(self) -> float | None:
        """Recent units per second; None until it is meaningful."""
        if not self._recent:
            return None
        (then, before), (now, latest) = self._recent[0], self._recent[-1]
        return (latest - before) / (now - then) if now - then >= RATE_AFTER else None

    def _show_figures(self) -> list[str]:
        return [f"{name} {show_number(value)}" for name, value in self.figures.items()]


def tell(message: str) -> None:
    """Print a line on stderr; a closed terminal does not stop the work."""
    with suppress(OSError):
        click.echo(name_bundled(mask_addresses(message)), err=True)


class QuietStream:
    """A stream that ignores write errors, so that a closed terminal does not stop the work.

    Args:
        stream: the stream to write to.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write the text; ignore errors."""
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush the stream; ignore errors."""
        with suppress(OSError):
            self._stream.flush()


def is_terminal() -> bool:
    """Whether stderr can show a progress bar."""
    return sys.stderr.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")


def show_number(value: float) -> str:
    """Format a number with three significant digits: `0.0123`, `4.56`, `1,234`."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def show_time(seconds: float) -> str:
    """Format a duration: `4.2 s`, `35 s`, `2 min 5 s`, `1 h 20 min`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


@contextmanager
def _track_lines(description: str, total: int | None, unit: str) -> Iterator[Advance]:
    gauge = Gauge(total, unit)
    printed = gauge.began
    tell(f"{description}: {gauge.describe()}")

    def advance(n: int = 1, **figures: float) -> None:
        nonlocal printed
        gauge.add(n, figures)
        if time.monotonic() - printed >= LINE_EVERY:
            printed = time.monotonic()
            tell(f"{description}: {gauge.describe()}")

    ending = "stopped after "
    try:
        yield advance
        ending = ""
    finally:
        tell(f"{description}: {ending}{gauge.summarise()}")


def _make_progress() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
    from rich.table import Column

    # Brackets in names are no markup, and a bar stays on one line.
    return Progress(
        TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
        BarColumn(bar_width=20, table_column=Column(min_width=8)),
        TaskProgressColumn(table_column=Column(no_wrap=True, min_width=4)),
        TextColumn("{task.fields[beside]}", markup=False, table_column=Column(no_wrap=True)),
        console=Console(file=QuietStream(sys.stderr)),  # type: ignore[arg-type]
        # Results printed meanwhile go around the bar on a terminal and untouched to a pipe.
        redirect_stdout=sys.stdout.isatty(),
    )
