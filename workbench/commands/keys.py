"""`workbench keys`: the bindings of the app, as the file that changes them."""

from __future__ import annotations

import click

from workbench.files.text import clean


@click.command("keys")
def command() -> None:
    """Print a file of keys to change: every binding of the app, with what it does."""
    from workbench.ui.bindings import described
    from workbench.ui.preferences.settings import example_keys, keys_path

    click.echo(f"# {clean(str(keys_path()))}")
    click.echo(example_keys(described()), nl=False)
