"""`workbench keys`: the bindings of the app, as the file that changes them."""

from __future__ import annotations

import click

from workbench.commands.output import say
from workbench.files.text import clean, clean_lines


@click.command("keys")
def command() -> None:
    """Print a file of keys to change: every action of the app, with what it does."""
    from workbench.ui.actions import ACTIONS
    from workbench.ui.preferences.keys import example_keys, keys_path

    say(clean(f"# {keys_path()}", 1000))
    say(clean_lines(example_keys({action.id: action.about for action in ACTIONS.values()}).removesuffix("\n"), None))
