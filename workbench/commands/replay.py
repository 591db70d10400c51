"""`workbench replay`: whether a session can be trained again, bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from workbench.commands.options import json_output, sessions_folder
from workbench.commands.output import print_json, say
from workbench.files.errors import InputError
from workbench.files.text import clean

if TYPE_CHECKING:
    from workbench.run.replay import Replay


@click.command("replay")
@click.argument("name", metavar="SESSION")
@json_output
@sessions_folder
def command(name: str, as_json: bool, folder: Path) -> int:
    """Train a session again from its seed and edits, and compare every recorded hash."""
    from workbench.commands.progress import Again
    from workbench.run.replay import replay
    from workbench.session.opening import open_input
    from workbench.session.session import Session

    opened = open_input(name, folder)
    if not isinstance(opened.content, Session):
        raise InputError(f"{name}: a preset, not a saved session: there is nothing to compare with")
    with Again() as progress:
        branches = replay(opened.content, progress)
    worst = next((each for each in branches if not each.as_recorded), None)
    shown = worst or next(each for each in branches if each.branch == opened.content.current)
    if as_json:
        identical = all(each.identical for each in branches)
        figures: dict[str, object] = {
            "identical": identical, "through_step": shown.through_step, "first_difference": shown.first_difference,
        }  # fmt: skip
        if shown.comparison:
            figures |= {"arithmetic": shown.arithmetic, "largest_gap": shown.largest_gap, "within_tolerance": worst is None}
        each = {one.branch: {"identical": one.identical, "through_step": one.through_step} for one in branches}
        print_json({**figures, "branches": each})
        return 0 if worst is None else 1
    for one in branches:
        _print(one, f"{clean(one.branch)}: " if len(branches) > 1 else "")
    for line in shown.other_environment if worst is not None else ():
        say(clean(f"another environment: {line}", 300))
    return 0 if worst is None else 1


def _print(one: Replay, where: str) -> None:
    if one.identical:
        say(clean(f"{where}bit-identical through step {one.through_step}", 300))
        return
    if one.comparison:
        say(clean(f"{where}{one.comparison}", 700))
        return
    same = f"the same through step {one.through_step}"
    say(clean(f"{where}differs at step {one.first_difference}: {clean(one.reason, 400)} ({same})", 700))
    if one.largest_gap is not None:
        say(clean(f"{where}final costs differ by {one.largest_gap:.2g} of themselves at the most", 300))
