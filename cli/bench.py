"""`tracknet bench`: measure tracking speed on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import json_option, quiet_option, tracking_precision_option

if TYPE_CHECKING:
    from keras_tracknet.evaluation.benchmark import Measurement

RENDERED_FRAMES = 300


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
    per second by this machine's matrix-multiplication speed, so that machines can be compared.

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
    path = find_weights(weights or DEFAULT).tracker
    with TemporaryDirectory() as folder:
        if video is None:
            from keras_tracknet.synthetic import write_rallies

            reporter.note("rendering a rally for the benchmark")
            (rendered,) = write_rallies(Path(folder), 1, frames=RENDERED_FRAMES)
            video = rendered.with_suffix(".mp4")
        probe_video(video)
        found = measure_engines(
            video, path, names, mode=mode, precision=precision, reporter=reporter
        )
    if as_json:
        click.echo(json.dumps([asdict(one) for one in found]))
    else:
        click.echo(_format_table(found))


def _format_table(found: list[Measurement]) -> str:
    heads = ("engine", "precision", "frames/s", "network frames/s", "share",
             "decoder frames/s", "start-up (s)", "memory (MB)", "frames/GFLOP")  # fmt: skip
    rows = [heads]
    for one in found:
        share = one.frames_per_second / one.network_frames_per_second
        rows.append((
            one.engine, one.precision, f"{one.frames_per_second:.1f}",
            f"{one.network_frames_per_second:.1f}", f"{share:.0%}",
            f"{one.decode_frames_per_second:.0f}", f"{one.start_seconds:.1f}",
            f"{one.peak_memory / 1e6:.0f}", f"{one.frames_per_gflop:.3f}",
        ))  # fmt: skip
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) for row in rows]
    stages = [
        f"{one.engine}: " + ", ".join(f"{k} {v:.2f}" for k, v in one.milliseconds.items())
        for one in found
    ]
    return "\n".join(
        [*(line.rstrip() for line in lines), "", "busy time in ms per frame:", *stages]
    )
