"""Silences the log output of frameworks while they load."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

from .failures import debugging

QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "GRPC_VERBOSITY": "ERROR"}
# The two formats of TensorFlow's C++ log, and the line that Abseil prints before the first.
LOG_LINE = re.compile(
    rb"^(WARNING: All log messages before absl::InitializeLog"
    rb"|[IWE]\d{4} \d\d:\d\d:"
    rb"|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: [IWE] ).*\n?",
    re.MULTILINE,
)


def silence_frameworks() -> None:
    """Silence framework logs unless the user has configured them.

    With TRACKNET_DEBUG=1 nothing is silenced.
    """
    if debugging() or "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        return
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    if "tensorflow" not in sys.modules:
        sys.meta_path.insert(0, _TensorFlowFinder())


class _TensorFlowFinder(MetaPathFinder):
    """Imports TensorFlow with its log switched off.

    TensorFlow 2.21 logs while its libraries are loaded, before it reads TF_CPP_MIN_LOG_LEVEL, so
    the file descriptor itself must be filtered.
    """

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if fullname != "tensorflow":
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def load_quietly(module: ModuleType) -> None:
                with _filtered_stderr():
                    load(module)

            spec.loader.exec_module = load_quietly  # type: ignore[method-assign]
        return spec


@contextlib.contextmanager
def _filtered_stderr() -> Iterator[None]:
    """Collect what is written to file descriptor 2, then write it without the log lines."""
    with tempfile.TemporaryFile() as held:
        kept = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            held.seek(0)
            os.write(2, LOG_LINE.sub(b"", held.read()))
