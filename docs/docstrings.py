"""Reads the package's docstrings for the reference; an extension of griffe, see mkdocs.yml."""

from __future__ import annotations

import re
from typing import Any

import griffe

GROUP = re.compile(r"^( +)(\w+(?:, \w+)+):(\s.*(?:\n\1 +.*)*)", re.MULTILINE)


class Docstrings(griffe.Extension):
    """Brings docstrings to the form that griffe knows."""

    def on_object(self, *, obj: Any, **_kwargs: Any) -> None:
        """Call examples what griffe shows as code, and give each argument of a group its line."""
        if obj.docstring is not None:
            text = re.sub(r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE)
            obj.docstring.value = GROUP.sub(_split_group, text)


def _split_group(group: re.Match[str]) -> str:
    indent, names, text = group.groups()
    return "\n".join(f"{indent}{name}:{text}" for name in names.split(", "))
