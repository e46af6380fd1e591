import errno
import io
import subprocess
import sys
from contextlib import redirect_stderr

import pytest
from keras_tracknet_cli import console
from keras_tracknet_cli.console import ConsoleReporter, Gauge, show_number, show_time

from keras_tracknet.progress import Reporter


class Clock:
    """Stands in for the `time` module; moves when it is told to."""

    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        return self.now


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(console, "time", clock)
    return clock


@pytest.fixture
def terminal(monkeypatch):
    """What a terminal would get; pytest wants stderr back before a test begins."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return Terminal()


def work(reporter, clock, total, steps, seconds=1.0):
    with reporter.track("tracking [a].mp4", total, unit="frames") as advance:
        for step in range(steps):
            clock.now += seconds
            advance(10, loss=1 / (step + 1))


def test_without_a_terminal_a_line_comes_every_few_seconds(clock, capsys):
    work(ConsoleReporter(), clock, total=120, steps=12)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "tracking [a].mp4: 0/120 frames",
        "tracking [a].mp4: 50/120 frames, 10/s, 7.0 s left, loss 0.2",
        "tracking [a].mp4: 100/120 frames, 10/s, 2.0 s left, loss 0.1",
        "tracking [a].mp4: 120 frames in 12 s, 10/s, loss 0.0833",
    ]


@pytest.mark.parametrize("total", [None, 20])  # unknown, too small
def test_a_total_that_does_not_hold_is_left_out(clock, capsys, total):
    work(ConsoleReporter(), clock, total=total, steps=6)
    lines = capsys.readouterr().err.splitlines()
    assert lines[1] == "tracking [a].mp4: 50 frames, 10/s, loss 0.2"
    assert lines[-1].startswith("tracking [a].mp4: 60 frames in 6.0 s")


def test_the_first_rate_is_not_that_of_compiling(clock, capsys):
    with ConsoleReporter().track("tracking", 100, unit="frames") as advance:
        clock.now += 20  # the network is compiled
        for _ in range(10):
            advance(10)
            clock.now += 2
    assert capsys.readouterr().err.splitlines()[:4] == [
        "tracking: 0/100 frames",
        "tracking: 10/100 frames",
        "tracking: 40/100 frames, 5/s, 12 s left",
        "tracking: 70/100 frames, 5/s, 6.0 s left",
    ]


class ClosedTerminal(Terminal):
    """What a terminal is whose window is gone."""

    def write(self, text):
        raise OSError(errno.EIO, "Input/output error")

    def flush(self):
        raise OSError(errno.EIO, "Input/output error")


@pytest.mark.parametrize("term", ["xterm", "dumb"])
def test_a_terminal_that_is_gone_stops_no_work(clock, monkeypatch, term):
    monkeypatch.setenv("TERM", term)
    reporter = ConsoleReporter()
    with redirect_stderr(ClosedTerminal()):
        work(reporter, clock, total=60, steps=6)
        reporter.note("a note")
        reporter.warn("a warning")


def break_off():
    with ConsoleReporter().track("fitting", 9, unit="steps") as advance:
        advance(3)
        raise KeyboardInterrupt


def test_work_that_breaks_off_says_how_far_it_came(clock, capsys):
    with pytest.raises(KeyboardInterrupt):
        break_off()
    assert capsys.readouterr().err.splitlines()[-1] == "fitting: stopped after 3 steps in 0.0 s"


def test_quiet_shows_warnings_only(clock, capsys):
    reporter = ConsoleReporter(quiet=True)
    work(reporter, clock, total=60, steps=6)
    reporter.note("a note")
    reporter.warn("a warning")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "tracknet: warning: a warning\n")


def test_the_silent_reporter_is_silent(clock, capsys):
    reporter = Reporter()
    work(reporter, clock, total=60, steps=6)
    reporter.note("a note")
    reporter.warn("a warning")
    assert capsys.readouterr() == ("", "")


def test_a_terminal_gets_a_bar_with_figures_beside_it(clock, terminal):
    with redirect_stderr(terminal):
        work(ConsoleReporter(), clock, total=60, steps=6)
    drawn = terminal.getvalue()
    assert "tracking [a].mp4" in drawn
    assert "100%" in drawn
    assert "60 frames in 6.0 s, 10/s, loss 0.167" in drawn
    assert "\x1b[?25h" in drawn  # the cursor is back


@pytest.mark.parametrize("total", [None, 20])  # unknown, too small
def test_a_bar_bears_a_total_that_does_not_hold(clock, terminal, total):
    with redirect_stderr(terminal):
        work(ConsoleReporter(), clock, total=total, steps=6)
    assert "60 frames in 6.0 s" in terminal.getvalue()


def test_bars_stand_inside_each_other_with_notes_between(clock, terminal):
    reporter = ConsoleReporter()
    with redirect_stderr(terminal):
        with reporter.track("epochs", 2, unit="epochs") as advance:
            for _ in range(2):
                work(reporter, clock, total=10, steps=1)
                reporter.note("a note")
                advance()
        work(reporter, clock, total=10, steps=1)  # and the next one starts anew
    drawn = terminal.getvalue()
    assert "2 epochs in 2.0 s" in drawn
    assert drawn.count("a note") == 2


def test_a_bar_that_breaks_off_gives_the_terminal_back(clock, terminal):
    with redirect_stderr(terminal), pytest.raises(KeyboardInterrupt):
        break_off()
    assert "3/9 steps" in terminal.getvalue()
    assert terminal.getvalue().rstrip().endswith("\x1b[?25h")


@pytest.mark.parametrize("name", ["dumb", "unknown"])
def test_a_terminal_that_cannot_move_gets_lines(clock, terminal, monkeypatch, name):
    monkeypatch.setenv("TERM", name)
    with redirect_stderr(terminal):
        work(ConsoleReporter(), clock, total=60, steps=6)
    assert terminal.getvalue()
    assert "\x1b" not in terminal.getvalue()


def test_lines_need_no_rich():
    code = (
        "import sys; from keras_tracknet_cli.console import ConsoleReporter\n"
        "with ConsoleReporter().track('x', 2) as advance: advance()\n"
        "print('rich' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout == "False\n"


def test_the_rate_follows_the_last_half_minute(clock):
    gauge = Gauge(10_000, "frames")
    for seconds, frames in ((60, 60), (30, 3000)):  # slow while the network is compiled
        for _ in range(seconds):
            clock.now += 1
            gauge.add(frames // seconds, {})
    assert gauge.describe() == "3,060/10,000 frames, 100/s, 1 min 9 s left"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.012345, "0.0123"), (4.5678, "4.57"), (99.94, "99.9"), (1234.5, "1,234")],
)
def test_numbers_have_three_digits(value, text):
    assert show_number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.6, "1 min 0 s"),
        (125, "2 min 5 s"),
        (4800, "1 h 20 min"),
        (100_000, "27 h 46 min"),
    ],
)
def test_times_read_as_people_say_them(seconds, text):
    assert show_time(seconds) == text
