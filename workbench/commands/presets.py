"""`workbench presets`: what can be trained without writing anything first."""

from __future__ import annotations

import click

from workbench.files.text import clean


@click.command("presets")
def command() -> None:
    """List the shipped presets."""
    from workbench.session.preset import find_presets, read_preset

    for path in find_presets():
        preset = read_preset(path)
        click.echo(f"{preset.name:<22} {clean(preset.title)}")
