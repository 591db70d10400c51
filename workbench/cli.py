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
from workbench.session.errors import InputError
from workbench.session.text import clean


class _AppByDefault(click.Group):
    """A group in which whatever is not a command is a preset or session to open."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        first = next((each for each in _without_options(args)), None)
        asks = {"-h", "--help", "--version"} & set(args)
        if (first is None and not asks) or (first is not None and first not in self.commands):
            args = ["open", *args]
        return super().parse_args(ctx, args)


def _without_options(args: list[str]) -> list[str]:
    takes_value = {i + 1 for i, each in enumerate(args) if each == "--sessions"}
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

    `workbench` opens the library, `workbench PRESET` or `workbench SESSION` goes straight to training.
    """


@cli.command("open", hidden=True)
@click.argument("name", required=False, metavar="[PRESET|SESSION]")
@_sessions
def open_app(name: str | None, folder: Path) -> int:
    """Open the app."""
    opened = None
    if name is not None:
        from workbench.session.opening import open_input

        opened = open_input(name, folder)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise InputError("the app needs a terminal; `workbench train` runs without one")
    from workbench.ui.app import WorkbenchApp

    app = WorkbenchApp(folder, opened)
    app.run()
    return app.return_code or 0


@cli.command()
@click.argument("name", metavar="PRESET|SESSION")
@click.option("--steps", type=click.IntRange(0), help="Stop after this many steps in total.")
@click.option("--epochs", type=click.IntRange(0), help="Stop after this many epochs in total.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="The seed of a new run (default 1).")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Change a setting of the preset before the start.")
@click.option("--edit", "edits", multiple=True, metavar="STEP:NAME=VALUE", help="Edit a hyperparameter once STEP steps are done.")
@click.option("--save", "path", type=click.Path(path_type=Path, dir_okay=False), help="Save the session to this TOML file.")
@_json
@_sessions
def train(
    name: str, steps: int | None, epochs: int | None, seed: int | None, settings: tuple[str, ...], edits: tuple[str, ...],
    path: Path | None, as_json: bool, folder: Path,
) -> int:  # fmt: skip
    """Train without a screen, or go on with a session."""
    from workbench import headless
    from workbench.engine.trainer import Until
    from workbench.session.opening import open_input

    opened = open_input(name, folder)
    session = headless.session_from(opened.content, seed, settings)
    return headless.train(opened, session, headless.edits_from(edits), Until(steps, epochs), path, as_json)


@cli.command()
@click.argument("name", metavar="SESSION")
@_json
@_sessions
def replay(name: str, as_json: bool, folder: Path) -> int:
    """Train a session again from its seed and edits, and compare every recorded hash."""
    from workbench.session.opening import open_input
    from workbench.session.replay import replay as train_again
    from workbench.session.session import Session

    opened = open_input(name, folder)
    if not isinstance(opened.content, Session):
        raise InputError(f"{name}: a preset, not a saved session: there is nothing to compare with")
    found = train_again(opened.content)
    if as_json:
        figures = {"identical": found.identical, "through_step": found.through_step, "first_difference": found.first_difference}
        click.echo(json.dumps(figures))
        return 0 if found.identical else 1
    if found.identical:
        click.echo(f"bit-identical through step {found.through_step}")
        return 0
    same = f"the same through step {found.through_step}"
    click.echo(f"differs at step {found.first_difference}: {clean(found.reason, 400)} ({same})")
    if found.largest_gap is not None:
        click.echo(f"final costs differ by {found.largest_gap:.2g} of themselves at the most")
    for line in found.other_environment:
        click.echo(f"another environment: {clean(line)}")
    return 1


@cli.command()
@click.argument("name", metavar="PRESET")
@_json
@_sessions
def gradcheck(name: str, as_json: bool, folder: Path) -> int:
    """Compare the gradients of backpropagation with numerical ones, in float64."""
    from workbench.headless import json_number
    from workbench.session.gradcheck import FINE, check_preset
    from workbench.session.opening import open_input
    from workbench.session.session import Session

    content = open_input(name, folder).content
    preset = content.preset if isinstance(content, Session) else content
    found = check_preset(preset, content.seed if isinstance(content, Session) else 1)
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
        dev = f"  dev error {session.result.dev.error:.2%}" if session.result and session.result.dev else ""
        click.echo(
            f"{clean(path.stem):<22} {clean(session.preset.title)}  step {session.step:,}  {len(session.edits)} edits{dev}"
        )


@cli.command("hyperparameters")
def list_hyperparameters() -> None:
    """List every hyperparameter: range, default, and what it is for."""
    from workbench.hyperparameters import TABLE

    for spec in TABLE.values():
        click.echo(f"{spec.name:<18} {spec.symbol:<8} {spec.expected}; default {spec.default}; bites {spec.bites}. {spec.help}")
