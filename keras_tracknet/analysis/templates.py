"""Templates: pages of HTML that are filled in with values, all of them escaped."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

PAGES = Environment(
    loader=PackageLoader("keras_tracknet", "analysis"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


def fill_template(name: str, **values: Any) -> str:
    """Return a page with values in the places that its template has for them.

    Args:
        name: path of the template below this folder, such as `report/page.html.j2`.
        values: what the template names; text in them is shown as it is, whatever it holds.
    """
    return PAGES.get_template(name).render(values)
