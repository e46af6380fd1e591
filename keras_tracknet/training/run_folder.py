"""The run folder: models, history, curves and log of a training run."""

from __future__ import annotations

import importlib.util
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import keras

from keras_tracknet.errors import InputError
from keras_tracknet.files import replace_file, write_table
from keras_tracknet.progress import Advance, Reporter
from keras_tracknet.tracks.plots import draw_curves
from keras_tracknet.training.device.clock import DeviceClock
from keras_tracknet.training.run_state import (
    RunState,
    is_best,
    is_lost,
    read_metrics,
    write_metrics,
)
from keras_tracknet.weights.model_file import save_model
from keras_tracknet.weights.spec import ModelSpec

SAVE_EVERY = 300.0  # seconds between saves within an epoch
STOPPING = [n for n in signal.Signals if n.name in ("SIGINT", "SIGTERM", "SIGHUP")]
BLIND_EPOCHS = 3  # epochs without a single detection before a warning


class Recorder(keras.callbacks.Callback):  # type: ignore[misc]
    """Saves models, history, curves and log; reports progress; warns of a blind model.

    Args:
        folder: the run folder.
        spec: of the network, saved with it.
        epochs: of the whole run.
        validation_steps: batches of validation data.
        state: what the run goes on from.
        reporter: where notes go.
        clock: of a GPU, which figures are then read by; None to read them after every step.

    Attributes:
        advance: called after each batch.
        validating: closes the report on validation, also where that is interrupted.
        between_steps: whether the network's state is whole, so that it can be saved.
    """

    def __init__(
        self,
        folder: Path,
        spec: ModelSpec,
        epochs: int,
        validation_steps: int,
        state: RunState,
        reporter: Reporter,
        clock: DeviceClock | None = None,
    ) -> None:
        super().__init__()
        self._clock = clock
        self.folder, self.spec, self.epochs = folder, spec, epochs
        self.history, self.reporter = list(state.history), reporter
        self._state, self._steps, self._data = state, state.steps, state.data
        self._figures: dict[str, Any] = state.figures
        self._diverged = False  # whether the loss of this epoch is known to be no number
        self.advance: Advance = Reporter.ignore
        self.validation_steps = validation_steps
        self._advance_validation: Advance = Reporter.ignore
        self.validating = ExitStack()
        self.between_steps = True
        self._interrupted = 0  # number of the signal
        self._handlers: dict[int, Callable[..., Any]] = {}
        self._log: Any = None
        self._saved_at = time.monotonic()
        self._epoch_began = self._saved_at - state.seconds

    @property
    def measure(self) -> str:
        """The figure by which one epoch is better than another."""
        # Most windows of a classifier are of one class, so its accuracy says little.
        return "val_f1" if self.spec.classes else "val_accuracy"

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Let Ctrl-C take effect after the step in the `with` block, a second one at once.

        In the middle of a step Keras may swallow it, and with JAX the weights are elsewhere.
        Other signals that somebody has made to act as Ctrl-C does take effect after the step too.
        """
        ours = threading.current_thread() is threading.main_thread()
        before = {number: signal.getsignal(number) for number in STOPPING if ours}
        self._handlers = {n: handler for n, handler in before.items() if callable(handler)}

        def interrupt(number: int, _frame: Any) -> None:
            self._interrupted = number
            if number == signal.SIGINT:
                signal.signal(number, self._handlers[number])

        for number in self._handlers:
            signal.signal(number, interrupt)
        try:
            yield
        finally:
            for number, handler in self._handlers.items():
                signal.signal(number, handler)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Open the TensorBoard log, and say what will be missing."""
        wanted = {"matplotlib": "curves.png", "tensorboard": "TensorBoard log"}
        missing = {name: what for name, what in wanted.items() if not _installed(name)}
        if missing:
            self.reporter.note(
                f"no {' and no '.join(missing.values())}; to get them, run: pip install"
                " 'keras_tracknet[plots]'"
            )
        if _installed("tensorflow") and _installed("tensorboard"):
            import tensorflow as tf

            self._log = tf.summary.create_file_writer(str(self.folder / "tensorboard"))

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Close the TensorBoard log."""
        if self._log is not None:
            self._log.close()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Note the time; where the epoch was begun before, go on with its figures."""
        state, self._state = self._state, RunState()
        self._figures, self._diverged = {}, False
        if self._clock is not None:
            self._clock.begin_epoch()
        self._epoch_began = time.monotonic() - (state.seconds if state.figures else 0.0)
        if state.figures and not write_metrics(self.model, state.metrics):
            self.reporter.warn(f"epoch {epoch + 1}: metrics cover only the steps after resuming.")

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Note that a step has begun."""
        self.between_steps = False

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Report progress, and save the state now and then."""
        self._steps += 1
        self._figures = logs or {}
        figures = self._read_figures(last=batch + 1 == self.params.get("steps"))
        self._end_step()
        self.advance(1, **figures)
        if not self._diverged and not _is_finite(figures):
            self._diverged = True  # with float16 a step may be left out, and all is well
            if is_lost(self.model):
                raise self._explain_loss(len(self.history))
        if time.monotonic() - self._saved_at > SAVE_EVERY:
            self.save_state()

    def _read_figures(self, last: bool) -> dict[str, float]:
        """Return loss and F1 of the epoch so far; on a GPU only now and then, and its pace too."""
        if self._clock is not None and not self._clock.step(last):
            return {}
        figures = {k: float(v) for k, v in self._figures.items() if k in ("loss", "f1")}
        if self._clock is not None:
            self._clock.look()
            if self._clock.rate is not None:
                figures["windows/s"] = self._clock.rate
        return figures

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Start to report on validation, which takes its time, too."""
        self._advance_validation = self.validating.enter_context(
            self.reporter.track("validating", self.validation_steps, unit="steps")
        )

    def on_test_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Note that a step has begun."""
        self.between_steps = False

    def on_test_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Report progress."""
        self._end_step()
        self._advance_validation(1)

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """End the report on validation."""
        self.validating.close()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Save the state, the model if it is the best so far, history, curves and log."""
        row: dict[str, Any] = {"epoch": epoch + 1}
        row |= {name: float(value) for name, value in (logs or {}).items()}
        self._figures, self._state = {}, RunState()
        row["seconds"] = round(time.monotonic() - self._epoch_began, 1)
        if self._clock is not None and self._clock.rate is not None:
            row["windows_per_second"] = round(self._clock.rate, 1)
        row["learning_rate"] = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        better = is_best(row, self.history, self.measure)
        self.history.append(row)
        lost = not _is_finite(row) and is_lost(self.model)
        if better:
            self._save("best.keras")
        if not lost:
            self.save_state()
        self._write_history()
        self._write_log(row)
        title = "Validation" if self.spec.classes else "Validation (tolerance 4 pixels)"
        if _installed("matplotlib"):
            with replace_file(self.folder / "curves.png") as partial:
                draw_curves(self.history, title).savefig(partial, dpi=120)
        self.reporter.note(_describe(row, self.epochs, better))
        self._warn_if_blind()
        if lost:
            raise self._explain_loss(epoch)

    def _end_step(self) -> None:
        self.between_steps = True
        number, self._interrupted = self._interrupted, 0
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        if number:
            self._handlers[number](number, None)

    def save_state(self) -> None:
        """Save what `fit` needs to go on from here."""
        self._save("last.keras")

    def save_interrupted(self) -> None:
        """Save it where the run is being stopped, whatever signals come meanwhile."""
        for number in self._handlers:  # which `interruptible` puts back
            signal.signal(number, signal.SIG_IGN)
        if self.between_steps:
            self.save_state()

    def _save(self, name: str) -> None:
        state = RunState(
            self._steps,
            tuple(self.history),
            self._data,
            {figure: float(value) for figure, value in self._figures.items()},
            tuple(read_metrics(self.model)) if self._figures else (),
            round(time.monotonic() - self._epoch_began, 1) if self._figures else 0.0,
        )
        save_model(self.model, self.spec, self.folder / name, training=state.as_dict())
        self._saved_at = time.monotonic()

    def _explain_loss(self, epoch: int) -> InputError:
        best = self.folder / "best.keras"
        start = f', from `init="{best}"`' if best.is_file() else ""
        return InputError(
            f"{self.folder}: weights are NaN or infinite since epoch {epoch + 1}; start a new run"
            f" with a lower `learning_rate`{start}."
        )

    def _write_history(self) -> None:
        names = list(dict.fromkeys(name for row in self.history for name in row))
        rows = ([row.get(name, "") for name in names] for row in self.history)
        write_table(names, rows, self.folder / "history.csv")

    def _write_log(self, row: dict[str, Any]) -> None:
        if self._log is None:
            return
        import tensorflow as tf

        with self._log.as_default():
            for name, value in row.items():
                tf.summary.scalar(name, value, step=row["epoch"])
        self._log.flush()

    def _warn_if_blind(self) -> None:
        recent = [row.get("val_f1") for row in self.history[-BLIND_EPOCHS:]]
        if len(self.history) == BLIND_EPOCHS and not any(recent) and None not in recent:
            self.reporter.warn(
                f"after {BLIND_EPOCHS} epochs the model finds no ball in validation. Common"
                " causes: labels that do not match the frames (run tracknet data check), too few"
                " epochs or windows, a learning rate that is too high; V1 may need dozens of"
                " epochs."
            )


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def _is_finite(figures: dict[str, Any]) -> bool:
    return all(math.isfinite(value) for value in figures.values())


def _describe(row: dict[str, Any], epochs: int, better: bool) -> str:
    names = ("loss", "val_loss", "val_accuracy", "val_f1")
    figures = "  ".join(f"{name} {row[name]:.4g}" for name in names if name in row)
    pace = f"  {row['windows_per_second']:.0f} windows/s" if "windows_per_second" in row else ""
    return f"epoch {row['epoch']}/{epochs}: {figures}  {row['seconds']:.0f} s{pace}" + (
        "  (best so far)" if better else ""
    )
