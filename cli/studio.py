"""`tracknet studio`: look at tracks, correct them and teach, in a browser."""

from __future__ import annotations

from pathlib import Path

import click

from .options import NumberType


@click.command()
@click.argument("path", metavar="PATH", type=click.Path(path_type=Path))
@click.option(
    "--port",
    type=NumberType(int, 0, 65535),
    help="Port to listen on; 0 for any free one. [default: 8017, or any free one if it is taken]",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on. Any other address lets other machines in.",
)
@click.option("--no-open", is_flag=True, help="Do not open the page in the browser.")
def studio(path: Path, port: int | None, host: str, no_open: bool) -> None:
    """Track, correct and label the videos in PATH in a browser, and teach weights on the result.

    PATH is a folder of videos or one video. Labels are saved beside each video as
    <video>_ball.csv; the studio keeps everything else in the hidden folder .tracknet there.
    Nothing leaves this machine. Ctrl-C ends it; nothing is lost.

    \b
    tracknet studio match.mp4
    tracknet studio matches --port 9000 --no-open
    """
    import webbrowser

    from keras_tracknet.studio.server import serve_studio

    from .console import ConsoleReporter

    serve_studio(
        path,
        port=port,
        host=host,
        announce=lambda address: click.echo(address),
        warn=ConsoleReporter().warn,
        started=None if no_open else webbrowser.open,
    )
