"""`workbench presets`: what can be trained without writing anything first."""

from __future__ import annotations

import click

from workbench.commands.output import say
from workbench.files.text import clean


@click.command("presets")
def command() -> None:
    """List the shipped presets."""
    from workbench.session.preset import find_presets, read_preset

    for path in find_presets():
        preset = read_preset(path)
        say(clean(f"{clean(preset.name):<22} {preset.title}", 500))
