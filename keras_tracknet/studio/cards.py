"""Cards of taught weights: what they were taught, and what that changed."""

from __future__ import annotations

from typing import Any

MODEL, RESULT = "taught.keras", "result.json"  # files of weights that were taught


def write_card(name: str, result: dict[str, Any], sport: str) -> str:
    """Return the model card of taught weights, Markdown.

    Args:
        name: of the weights.
        result: of `teach`.
        sport: what they track; empty for several sports.
    """
    before, after = result["before"], result["after"]
    lines = [
        f"# {name}",
        "",
        f"Taught on this machine from `{result['weights']}` on {result['frames']} corrected frames,"
        f" mixed with {result['others']}, in {result['minutes']:.1f} minutes and"
        f" {result['steps']} steps.{f' Sport: {sport}.' if sport else ''}",
        "",
        f"On {result['held_back']} corrected frames that were held back, tolerance"
        f" {result['tolerance']:g} pixels at the model's size:",
        "",
        "| | Accuracy | F1 |",
        "|---|---|---|",
        f"| before | {_show(before, 'accuracy')} | {_show(before, 'f1')} |",
        f"| after | {_show(after, 'accuracy')} | {_show(after, 'f1')} |",
        "",
    ]
    return "\n".join(lines)


def describe_lesson(result: dict[str, Any], sport: str) -> dict[str, Any]:
    """Return the facts that `keep_weights` takes, of the result of `teach`."""
    return {
        "summary": f"taught from {result['weights']} on {result['frames']} corrected frames",
        "parameters": result["parameters"],
        "accuracy": result["after"].get("accuracy") or 0.0,
        "f1": result["after"].get("f1") or 0.0,
        "validation": f"{result['held_back']} corrected frames held back",
        "frames_per_second": 0,
        "machine": "",
        "sport": sport,
    }


def _show(scores: dict[str, Any], key: str) -> str:
    return "-" if scores.get(key) is None else f"{scores[key]:.3f}"
