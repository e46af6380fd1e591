"""`tracknet presets`: list the bundled trackers."""

from __future__ import annotations

import click

from .options import json_option


@click.command()
@json_option
def presets(as_json: bool) -> None:
    """List the bundled trackers, and those taught on this machine, with size, accuracy and speed.

    Use a name with --weights, for example in tracknet predict. The model card says what a tracker
    was trained on, how, and where it fails.
    """
    import json
    from dataclasses import asdict

    from keras_tracknet.presets import DEFAULT, list_own_presets, list_presets

    found = [*list_presets().values(), *list_own_presets().values()]
    if as_json:
        entries = {
            p.name: asdict(p)
            | {"bytes": p.bytes, "card": str(p.card.resolve()), "folder": str(p.card.parent)}
            for p in found
        }
        click.echo(json.dumps(entries))
        return
    for preset in sorted(found, key=lambda p: (p.folder is not None, p.name != DEFAULT, p.name)):
        rate = ""
        if preset.frames_per_second:
            rate = f"  {preset.frames_per_second:.0f} frames per second on {preset.machine}\n"
        mark = " (own)" if preset.folder else " (default)" if preset.name == DEFAULT else ""
        others = [name for name in ("rectifier", "linker") if getattr(preset, name)]
        click.echo(
            f"{preset.name}{mark}: {preset.summary}\n"
            f"  {preset.bytes / 1e6:.1f} MB, {preset.parameters / 1e6:.1f} million parameters"
            f"{', with ' + ' and '.join(others) if others else ''}\n"
            f"  accuracy {preset.accuracy:.3f}, F1 {preset.f1:.3f} on {preset.validation}\n"
            f"{rate}  {preset.card.resolve()}"
        )
