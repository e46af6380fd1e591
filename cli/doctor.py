"""`tracknet doctor`: show what is installed and what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def doctor(as_json: bool) -> None:
    """Show what is installed on this machine for tracking and what is missing.

    Exits with code 1 if tracking is not possible.
    """
    import json

    from keras_tracknet.evaluation.doctor import examine

    report = examine()
    if as_json:
        click.echo(json.dumps(report, indent=2))
    else:
        _print_report(report)
    if not report["ok"]:
        raise SystemExit(1)


def _print_report(report: dict[str, Any]) -> None:
    width = max(len(name) for name, _ in _rows(report))
    for name, value in _rows(report):
        click.echo(f"{name:<{width}}  {value}")
    if report["problems"]:
        click.echo("\nPlease check:")
    for problem in report["problems"]:
        click.echo(f"- {problem['what']}; {problem['next']}.")
    click.echo("\nReady to track." if report["ok"] else "\nNot ready: see above.")


def _rows(report: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, version in report["versions"].items():
        yield name, version or "-"
    cpu, memory, cache = report["cpu"], report["memory"], report["cache"]
    yield "backend", report["backend"] or "none"
    yield "devices", ", ".join(report["devices"]) or "none"
    yield "precision", report["precision"] or "-"
    bf16 = "with bfloat16" if cpu["bf16"] else "without bfloat16"
    yield "CPU", f"{cpu['model'] or 'unknown'}, {cpu['cores']} cores, {bf16}"
    yield "memory", f"{_show_bytes(memory['total'])}, {_show_bytes(memory['available'])} available"
    codecs = [name for name, there in report["codecs"].items() if there]
    yield "codecs", ", ".join(codecs) or "none"
    place = f"{cache['folder'] or 'none'} (TRACKNET_CACHE moves it)"
    yield "cache", f"{place}, {_show_bytes(cache['free'])} free"
    yield "weights", ", ".join(report["weights"]) or "none"


def _show_bytes(count: int | None) -> str:
    return "unknown" if count is None else f"{count / 1e9:.1f} GB"
