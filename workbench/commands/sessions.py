"""`workbench sessions`: what was trained and kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from workbench.commands.options import sessions_folder
from workbench.commands.output import say
from workbench.files.errors import InputError
from workbench.files.text import clean

if TYPE_CHECKING:
    from workbench.session.session import Session


@click.command("sessions")
@sessions_folder
def command(folder: Path) -> None:
    """List the saved sessions."""
    from workbench.session.store import list_sessions, read_session

    for path in list_sessions(folder):
        try:
            line = _described(read_session(path))
        except InputError as error:
            line = f"cannot be read: {error.problems[0]}"
        say(clean(f"{clean(path.stem):<22} {line}", 1000))


def _described(session: Session) -> str:
    branch = session.branch
    dev = f"  dev error {branch.result.dev.error:.2%}" if branch.result and branch.result.dev else ""
    others = f"  {len(session.branches)} branches" if len(session.branches) > 1 else ""
    return f"{clean(session.preset.title)}  step {session.step:,}  {len(branch.edits)} edits{others}{dev}"
