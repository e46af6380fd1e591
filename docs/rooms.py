"""Draws the rooms of the package on one line, and which room imports from which.

docs/figures.py writes the picture beside the others. Needs matplotlib.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parents[1] / "keras_tracknet"
GROUND = "ground"
# Folders from left to right, and single files that belong to the room of a folder.
ROOMS = (
    GROUND, "video", "frames", "models", "weights", "tracks", "datasets", "synthetic", "inference",
    "training", "analysis", "evaluation", "studio",
)  # fmt: skip
FILES = {"layers": "models", "losses": "models", "metrics": "models", "presets": "weights"}
INK, PALE, BLUE = "#333333", "#eaf2f8", "#0072b2"


def find_room(module: str) -> str:
    """Return the room of a module, such as `video.reader`."""
    name = module.partition(".")[0]
    return name if name in ROOMS else FILES.get(name, GROUND)


def count_imports() -> Counter[tuple[str, str]]:
    """Count, for each pair of rooms, the modules of the first that import from the second."""
    pairs: Counter[tuple[str, str]] = Counter()
    for path in sorted(PACKAGE.rglob("*.py")):
        module = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        if module != "__init__":  # it leads to every room, when a name is asked for
            here = find_room(module)
            pairs.update({(here, there) for there in find_imports(path) if there != here})
    return pairs


def find_imports(path: Path) -> Iterator[str]:
    """Yield the rooms that a file imports from."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            package, _, module = node.module.partition(".")
            if package == PACKAGE.name:
                yield from (
                    [find_room(module)]
                    if module
                    else (find_room(alias.name) for alias in node.names)
                )


def draw_rooms() -> Any:
    """Draw a box for every room, and an arc for every import from another than the ground."""
    from matplotlib.figure import Figure
    from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

    figure = Figure(figsize=(10.2, 2.4))
    axes = figure.add_axes((0, 0, 1, 1))
    for place, name in enumerate(ROOMS):
        box = FancyBboxPatch(
            *((place - 0.42, -0.22), 0.84, 0.44),
            **{"boxstyle": "round,pad=0,rounding_size=0.08", "facecolor": PALE, "edgecolor": INK},
        )
        axes.add_patch(box)
        axes.text(place, 0, name, ha="center", va="center", color=INK, fontsize=8)
    for (importer, imported), modules in count_imports().items():
        start, end = ROOMS.index(importer), ROOMS.index(imported)
        assert end < start, f"{importer} imports from {imported}"
        if imported == GROUND:  # as every room does
            continue
        arc = FancyArrowPatch(
            *((start, 0.24), (end, 0.24)),
            **{"connectionstyle": "arc3,rad=0.42", "arrowstyle": "-|>", "mutation_scale": 6},
            **{"color": BLUE, "alpha": 0.55, "linewidth": 0.4 + 0.25 * modules**0.5},
        )
        axes.add_patch(arc)
    axes.set(xlim=(-0.6, len(ROOMS) - 0.4), ylim=(-0.3, 1.95))
    axes.axis("off")
    return figure
