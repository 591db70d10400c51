"""`workbench train`: training without a screen."""

from __future__ import annotations

from pathlib import Path

import click

from workbench.commands.options import json_output, sessions_folder


@click.command("train")
@click.argument("name", metavar="PRESET|SESSION")
@click.option("--steps", type=click.IntRange(0), help="Stop after this many steps in total.")
@click.option("--epochs", type=click.IntRange(0), help="Stop after this many epochs in total.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="The seed of a new run (default 1).")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Change a setting of the preset before the start.")
@click.option("--edit", "edits", multiple=True, metavar="STEP:NAME=VALUE", help="Edit a hyperparameter once STEP steps are done.")
@click.option("--branch", help="Of a session: go on with this branch.")
@click.option("--rebuild", is_flag=True, help="Of a session whose checkpoint is lost: train to where it was again first.")
@click.option("--save", "path", type=click.Path(path_type=Path, dir_okay=False), help="Save the session to this TOML file.")
@json_output
@sessions_folder
def command(
    name: str, steps: int | None, epochs: int | None, seed: int | None, settings: tuple[str, ...], edits: tuple[str, ...],
    branch: str | None, rebuild: bool, path: Path | None, as_json: bool, folder: Path,
) -> int:  # fmt: skip
    """Train without a screen, or go on with a session."""
    from workbench.commands import arguments, headless
    from workbench.commands.progress import Again
    from workbench.engine.trainer import Until
    from workbench.session.opening import open_input

    opened = open_input(name, folder)
    session = arguments.session_from(opened.content, seed, settings, branch)
    with Again() as progress:
        run = arguments.run_of(opened, session, rebuild, progress)
    timed = arguments.edits_from(edits)
    with headless.autosaving(path) as autosave:
        return headless.train(run, timed, Until(steps, epochs), autosave, as_json)
