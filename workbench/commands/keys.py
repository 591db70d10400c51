"""`workbench keys`: the bindings of the app, as the file that changes them."""

from __future__ import annotations

import click

from workbench.files.text import clean


@click.command("keys")
def command() -> None:
    """Print a file of keys to change: every action of the app, with what it does."""
    from workbench.ui.actions import ACTIONS
    from workbench.ui.preferences.keys import example_keys, keys_path

    click.echo(f"# {clean(str(keys_path()))}")
    click.echo(example_keys({action.id: action.about for action in ACTIONS.values()}), nl=False)
