"""`workbench open`: the app. It is what `workbench` does where no other command is named."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from workbench.commands.options import sessions_folder
from workbench.files.errors import InputError


@click.command("open", hidden=True)
@click.argument("name", required=False, metavar="[PRESET|SESSION]")
@sessions_folder
@click.option("--autosave", type=click.FloatRange(0.1, 86400), default=10.0, help="Seconds from one automatic save to the next.")
@click.option("--snapshots", type=click.IntRange(1, 2**20), default=256, help="MiB of memory for going back.")
def command(name: str | None, folder: Path, autosave: float, snapshots: int) -> int:
    """Open the app."""
    opened = None
    if name is not None:
        from workbench.session.opening import open_input

        opened = open_input(name, folder)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise InputError("the app needs a terminal; `workbench train` runs without one")
    from workbench.runtime.shutdown import Shutdown
    from workbench.runtime.terminal import say
    from workbench.ui.app import WorkbenchApp

    shutdown = Shutdown()
    app = WorkbenchApp(folder, opened, shutdown, autosave, snapshots * 2**20)
    try:
        app.run()
    finally:
        shutdown.restore()
    if app.farewell:
        say(2, app.farewell)
    return app.return_code or 0
