"""`tracknet bench`: measure tracking speed on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import json_option, quiet_option, tracking_precision_option

if TYPE_CHECKING:
    from keras_tracknet.evaluation.benchmark import Measurement

RENDERED_FRAMES = 300
STAGES = {
    "decode": "decode and resize",
    "background": "background",
    "prepare": "stack windows",
    "network": "network",
    "decode_heatmaps": "find the ball",
    "link": "choose among peaks",
    "draw": "draw overlay",
    "encode": "encode overlay",
    "write": "write track",
}


@click.command()
@click.argument("video", required=False, type=click.Path(path_type=Path))
@click.option(
    "--weights",
    help="Name of a bundled tracker (see tracknet presets), a .keras file, a run folder of tracknet"
    " fit, or a file written by tracknet export. [default: badminton-v3]",
)
@click.option(
    "--engines",
    default="auto",
    show_default=True,
    help="Engines to measure, separated by commas: keras, openvino, litert, onnx, saved-model; auto"
    " for the fastest, all for every installed engine.",
)
@click.option(
    "--mode",
    type=click.Choice(["fast", "balanced", "accurate"]),
    default="fast",
    show_default=True,
    help="Window overlap: every frame is seen once (fast), twice (balanced) or at every position in"
    " the window (accurate).",
)
@tracking_precision_option
@json_option
@quiet_option
def bench(
    video: Path | None,
    weights: str | None,
    engines: str,
    mode: str,
    precision: str,
    as_json: bool,
    quiet: bool,
) -> None:
    """Measure how fast VIDEO is tracked, from decoding to the written track.

    Without VIDEO, a rendered rally of 1280x720 pixels is tracked. The last column divides frames
    per second by this machine's matrix rate, so that machines can be compared. Below the table
    stand the slowest stage and how close tracking and the network come to their limits.

    \b
    tracknet bench
    tracknet bench match.mp4 --weights runs/fit/v3 --engines all --json
    """
    import json
    from dataclasses import asdict
    from tempfile import TemporaryDirectory

    from keras_tracknet.evaluation.benchmark import measure_engines, read_engines
    from keras_tracknet.presets import DEFAULT, find_weights
    from keras_tracknet.video.reader import probe_video

    from .console import ConsoleReporter

    try:
        names = read_engines(engines)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--engines") from error
    reporter = ConsoleReporter(quiet=quiet)
    paths = find_weights(weights or DEFAULT)
    with TemporaryDirectory() as folder:
        if video is None:
            from keras_tracknet.synthetic import write_rallies

            reporter.note("rendering a rally for the benchmark")
            (rendered,) = write_rallies(Path(folder), 1, frames=RENDERED_FRAMES)
            video = rendered.with_suffix(".mp4")
        probe_video(video)
        found = measure_engines(
            video,
            paths.tracker,
            names,
            linker=paths.linker,
            mode=mode,
            precision=precision,
            reporter=reporter,
        )
    if as_json:
        click.echo(json.dumps([asdict(one) for one in found]))
    else:
        click.echo(_format_table(found))


def _format_table(found: list[Measurement]) -> str:
    heads = ("engine", "precision", "frames/s", "network alone", "decoder alone",
             "with overlay", "first row (s)", "memory (MB)", "frames/GFLOP")  # fmt: skip
    rows = [heads]
    for one in found:
        comparable = "-" if one.frames_per_gflop is None else f"{one.frames_per_gflop:.3f}"
        rows.append((
            one.engine, one.precision, f"{one.frames_per_second:.1f}",
            f"{one.network_frames_per_second:.1f}", f"{one.decode_frames_per_second:.0f}",
            f"{one.overlay_frames_per_second:.1f}", f"{one.start_seconds:.1f}",
            f"{one.peak_memory / 1e6:.0f}", comparable,
        ))  # fmt: skip
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) for row in rows]
    details = [line for one in found for line in ("", *_describe(one))]
    return "\n".join([*(line.rstrip() for line in lines), *details])


def _describe(one: Measurement) -> list[str]:
    """Return what a measurement says of the machine, in lines."""
    lines = [
        f"{one.engine}, {one.precision}:",
        f"  Tracking reaches {one.network_share:.0%} of the speed of the network alone.",
    ]
    if one.matrix_share is not None:
        lines.append(
            f"  The network reaches {one.matrix_share:.0%} of this machine's matrix rate:"
            f" {one.network_gflops:.0f} of {one.matrix_gflops:.0f} GFLOP/s."
        )
    lines.append(f"  With an overlay video, tracking keeps {one.overlay_share:.0%} of its speed.")
    cores = f"{_count(one.cores, 'physical core')}"
    if one.streams is not None:
        cores = f"{_count(one.streams, 'stream')}, {_count(one.threads, 'thread')}, {cores}"
    return [
        *lines,
        f"  {cores}.",
        f"  Slowest stage: {STAGES[one.slowest_stage]}.",
        f"  Tracking, ms per frame: {_list_stages(one.milliseconds)}.",
        f"  Overlay, ms per frame: {_list_stages(one.overlay_milliseconds, decode='decode')}.",
    ]


def _count(number: int | None, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _list_stages(milliseconds: dict[str, float], **others: str) -> str:
    names = STAGES | others
    return ", ".join(f"{names[stage]} {ms:.2f}" for stage, ms in milliseconds.items())
