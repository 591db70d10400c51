"""The command line: which commands and options there are, and the exit status.

What a command does is done by the session, the headless trainer and the app, which are imported when they are needed,
so that a command starts as fast as it can.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

import workbench
from workbench.files.errors import InputError
from workbench.files.text import clean


class _AppByDefault(click.Group):
    """A group in which whatever is not a command is a preset or session to open."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        first = next((each for each in _without_options(args)), None)
        asks = {"-h", "--help", "--version"} & set(args)
        if (first is None and not asks) or (first is not None and first not in self.commands):
            args = ["open", *args]
        return super().parse_args(ctx, args)


def _without_options(args: list[str]) -> list[str]:
    takes_value = {i + 1 for i, each in enumerate(args) if each in ("--sessions", "--autosave", "--snapshots")}
    return [each for i, each in enumerate(args) if not each.startswith("-") and i not in takes_value]


_sessions = click.option(
    "--sessions", "folder", type=click.Path(path_type=Path), default=Path("sessions"), envvar="WORKBENCH_SESSIONS",
    show_default="./sessions", help="The folder of saved sessions.",
)  # fmt: skip
_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object, and nothing else, on standard output.")


@click.group(cls=_AppByDefault, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(workbench.__version__, prog_name="workbench")
def cli() -> None:
    """Train neural networks in the terminal, and edit their hyperparameters while they train.

    `workbench` opens the library, `workbench PRESET` or `workbench SESSION` goes straight to training; `workbench open --help`
    lists the options of the app.
    """


@cli.command("open", hidden=True)
@click.argument("name", required=False, metavar="[PRESET|SESSION]")
@_sessions
@click.option("--autosave", type=click.FloatRange(0.1, 86400), default=10.0, help="Seconds from one automatic save to the next.")
@click.option("--snapshots", type=click.IntRange(1, 2**20), default=256, help="MiB of memory for going back.")
def open_app(name: str | None, folder: Path, autosave: float, snapshots: int) -> int:
    """Open the app."""
    opened = None
    if name is not None:
        from workbench.session.opening import open_input

        opened = open_input(name, folder)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise InputError("the app needs a terminal; `workbench train` runs without one")
    from workbench.runtime.shutdown import Shutdown
    from workbench.ui.app import WorkbenchApp

    app = WorkbenchApp(folder, opened, Shutdown(), autosave, snapshots * 2**20)
    app.run()
    return app.return_code or 0


@cli.command()
@click.argument("name", metavar="PRESET|SESSION")
@click.option("--steps", type=click.IntRange(0), help="Stop after this many steps in total.")
@click.option("--epochs", type=click.IntRange(0), help="Stop after this many epochs in total.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="The seed of a new run (default 1).")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Change a setting of the preset before the start.")
@click.option("--edit", "edits", multiple=True, metavar="STEP:NAME=VALUE", help="Edit a hyperparameter once STEP steps are done.")
@click.option("--branch", help="Of a session: go on with this branch.")
@click.option("--rebuild", is_flag=True, help="Of a session whose checkpoint is lost: train to where it was again first.")
@click.option("--save", "path", type=click.Path(path_type=Path, dir_okay=False), help="Save the session to this TOML file.")
@_json
@_sessions
def train(
    name: str, steps: int | None, epochs: int | None, seed: int | None, settings: tuple[str, ...], edits: tuple[str, ...],
    branch: str | None, rebuild: bool, path: Path | None, as_json: bool, folder: Path,
) -> int:  # fmt: skip
    """Train without a screen, or go on with a session."""
    from workbench.commands import headless
    from workbench.engine.trainer import Until
    from workbench.session.opening import open_input

    opened = open_input(name, folder)
    session = headless.session_from(opened.content, seed, settings, branch)
    run = headless.opened_run(opened, session, rebuild)
    return headless.train(run, headless.edits_from(edits), Until(steps, epochs), path, as_json)


@cli.command()
@click.argument("name", metavar="SESSION")
@_json
@_sessions
def replay(name: str, as_json: bool, folder: Path) -> int:
    """Train a session again from its seed and edits, and compare every recorded hash."""
    from workbench.run.replay import replay as train_again
    from workbench.session.opening import open_input
    from workbench.session.session import Session

    opened = open_input(name, folder)
    if not isinstance(opened.content, Session):
        raise InputError(f"{name}: a preset, not a saved session: there is nothing to compare with")
    branches = train_again(opened.content)
    worst = next((each for each in branches if not each.identical), None)
    shown = worst or next(each for each in branches if each.branch == opened.content.current)
    if as_json:
        figures = {"identical": worst is None, "through_step": shown.through_step, "first_difference": shown.first_difference}
        each = {one.branch: {"identical": one.identical, "through_step": one.through_step} for one in branches}
        click.echo(json.dumps({**figures, "branches": each}))
        return 0 if worst is None else 1
    for one in branches:
        where = f"{clean(one.branch)}: " if len(branches) > 1 else ""
        if one.identical:
            click.echo(f"{where}bit-identical through step {one.through_step}")
            continue
        same = f"the same through step {one.through_step}"
        click.echo(f"{where}differs at step {one.first_difference}: {clean(one.reason, 400)} ({same})")
        if one.largest_gap is not None:
            click.echo(f"{where}final costs differ by {one.largest_gap:.2g} of themselves at the most")
    for line in shown.other_environment if worst is not None else ():
        click.echo(f"another environment: {clean(line)}")
    return 0 if worst is None else 1


@cli.command()
@click.argument("name", metavar="PRESET")
@_json
@_sessions
def gradcheck(name: str, as_json: bool, folder: Path) -> int:
    """Compare the gradients of backpropagation with numerical ones, in float64."""
    from workbench.commands.headless import json_number
    from workbench.data.dataset import DataError
    from workbench.data.splits import prepare
    from workbench.engine.gradcheck import FINE, check_gradients
    from workbench.session.opening import open_input
    from workbench.session.session import Session

    content = open_input(name, folder).content
    preset = content.preset if isinstance(content, Session) else content
    seed = content.seed if isinstance(content, Session) else 1
    try:
        found = check_gradients(prepare(preset.data, seed), preset.network, preset.training, seed)
    except DataError as error:
        raise InputError(f"{preset.name}: {error}") from None
    if as_json:
        tensors = {each.name: json_number(each.difference) for each in found.tensors}
        click.echo(json.dumps({"largest": json_number(found.largest), "tensors": tensors}))
    else:
        for each in found.tensors:
            click.echo(f"{each.name:<8} {each.difference:.2e}  {'fine' if each.difference <= FINE else 'WRONG'}{each.worst}")
        click.echo(f"largest  {found.largest:.2e}")
    return 0 if found.largest <= FINE else 1


@cli.command()
def presets() -> None:
    """List the shipped presets."""
    from workbench.session.preset import find_presets, read_preset

    for path in find_presets():
        preset = read_preset(path)
        click.echo(f"{preset.name:<22} {clean(preset.title)}")


@cli.command()
@_sessions
def sessions(folder: Path) -> None:
    """List the saved sessions."""
    from workbench.session.store import list_sessions, read_session

    for path in list_sessions(folder):
        try:
            session = read_session(path)
        except InputError as error:
            click.echo(f"{clean(path.stem):<22} cannot be read: {error.problems[0]}")
            continue
        branch = session.branch
        dev = f"  dev error {branch.result.dev.error:.2%}" if branch.result and branch.result.dev else ""
        others = f"  {len(session.branches)} branches" if len(session.branches) > 1 else ""
        title = clean(session.preset.title)
        click.echo(f"{clean(path.stem):<22} {title}  step {session.step:,}  {len(branch.edits)} edits{others}{dev}")


@cli.command("keys")
def list_keys() -> None:
    """Print a file of keys to change: every binding of the app, with what it does."""
    from workbench.ui.bindings import described
    from workbench.ui.preferences.settings import example_keys, keys_path

    click.echo(f"# {clean(str(keys_path()))}")
    click.echo(example_keys(described()), nl=False)


@cli.command("hyperparameters")
def list_hyperparameters() -> None:
    """List every hyperparameter: range, default, and what it is for."""
    from workbench.hyperparameters import TABLE

    for spec in TABLE.values():
        click.echo(
            f"{spec.name:<18} {spec.symbol:<8} {spec.expected}; default {spec.default}; applies {spec.applies}. {spec.help}"
        )
