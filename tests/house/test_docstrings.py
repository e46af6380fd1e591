"""Every example of a docstring runs, and gives what it says.

`python -m pytest --doctest-modules keras_tracknet` runs them too, with files in `runs`.
"""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

import keras_tracknet

ROOT = Path(keras_tracknet.__file__).parent
MODULES = [
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted(ROOT.rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]
# What an example needs beside the package itself.
EXTRAS = {"to_pandas": "pandas", "to_supervision": "supervision"}


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_a_module_run(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    module = import_module(name)
    runner = doctest.DocTestRunner()
    for case in doctest.DocTestFinder(exclude_empty=True).find(module):
        for call, extra in EXTRAS.items():
            if any(call in example.source for example in case.examples):
                pytest.importorskip(extra)
        runner.run(case)
    assert runner.tries > 0
    assert runner.failures == 0, capsys.readouterr().out


def test_no_example_is_skipped():
    for path in ROOT.rglob("*.py"):
        assert "doctest: +SKIP" not in path.read_text(encoding="utf-8"), path
