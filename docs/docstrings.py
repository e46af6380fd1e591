"""Reads the package's docstrings for the reference; an extension of griffe, see mkdocs.yml."""

from __future__ import annotations

import re
from typing import Any

import griffe


class Examples(griffe.Extension):
    """Shows a section called Example as code, which griffe does where it is called Examples."""

    def on_object(self, *, obj: Any, **_kwargs: Any) -> None:
        """Rename the section."""
        if obj.docstring is not None:
            obj.docstring.value = re.sub(
                r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE
            )
