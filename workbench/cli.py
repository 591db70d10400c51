"""The command line: the app's door, and the headless twin of everything the app does.

Reads arguments and prints; what a command does is done by the session and the runtime.
"""

from __future__ import annotations

import json
import math
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

import workbench
from workbench.engine.commands import CommandSource, SetHyperparameter
from workbench.engine.events import CommandRejected, Diverged, Evaluated, Event, Finished, HyperparameterChanged
from workbench.engine.history import StepsTaken
from workbench.engine.trainer import Trainer, Until
from workbench.hyperparameters import TABLE, Bites, InvalidValue, UnknownName, Value, find
from workbench.session.errors import InputError
from workbench.session.opening import open_input
from workbench.session.preset import Preset, find_presets, read_preset
from workbench.session.run import Run, scripted
from workbench.session.session import Result, Score, Session
from workbench.session.store import list_sessions, read_session
from workbench.session.text import clean


class _AppByDefault(click.Group):
    """A group in which whatever is not a command is a preset or session to open."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        first = next((i for i, each in enumerate(args) if not each.startswith("-") and (not i or args[i - 1] != "--sessions")), None)
        if (first is None and not {"--help", "--version"} & set(args)) or (first is not None and args[first] not in self.commands):
            args = ["open", *args]
        return super().parse_args(ctx, args)


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
def open_app(name: str | None, folder: Path) -> None:
    """Open the app."""
    opened = open_input(name, folder) if name is not None else None
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise InputError("the app needs a terminal; `workbench train` runs without one")
    from workbench.ui.app import WorkbenchApp

    app = WorkbenchApp(folder, opened)
    app.run()
    sys.exit(app.return_code or 0)


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
    opened = open_input(name, folder)
    session = _session(opened.content, seed, settings)
    wanted = _edits(edits)
    run = Run(session, opened.path)
    state = run.trainer.state
    _try_edits(run.trainer, wanted)
    until = Until(steps, epochs)
    first, started = state.step, time.perf_counter()
    ended, seen = _drive(run, scripted(wanted), until, as_json)
    seconds = time.perf_counter() - started
    result = run.result() if not isinstance(ended, Finished) else Result(ended.step, ended.epoch, ended.train, ended.dev, ended.test)
    if path is not None:
        run.save(path)
    done = state.step - first
    summary = {
        "preset": session.preset.name,
        "seed": session.seed,
        "step": state.step,
        "epoch": state.batches.epoch,
        "train": _score(result.train),
        "dev": _score(result.dev),
        "test": _score(result.test),
        "seconds": round(seconds, 6),
        "steps_per_second": round(done / seconds, 1) if seconds else 0.0,
        "examples_per_second": round(seen / seconds, 1) if seconds else 0.0,
        "state_hash": state.digest(),
        "session": str(path) if path is not None else None,
    }
    if as_json:
        click.echo(json.dumps(summary))
    else:
        _print_result(run, result, summary, path)
    if isinstance(ended, Diverged):
        click.echo(f"workbench: diverged at step {ended.step}: {ended.reason}", err=True)
    late = [f"{step}:{edit}" for step, edit, _ in wanted if step > state.step]
    if late:
        click.echo(f"workbench: --edit {', '.join(late)}: not applied, the run ended at step {state.step}", err=True)
    return 1 if late or isinstance(ended, Diverged) else 0


def _session(content: Preset | Session, seed: int | None, settings: tuple[str, ...]) -> Session:
    if isinstance(content, Session):
        if seed is not None or settings:
            option = "--seed" if seed is not None else "--set"
            raise InputError(f"{option}: {content.preset.name} is a saved session, and this needs a new start; use --edit or a preset")
        return content
    preset = content
    for each in settings:
        name, value = _assignment("--set", each)
        try:
            spec, _ = find(name)
            if name == "seed":
                raise InputError("--set seed: expected --seed N")
            preset = preset.with_value(name, spec.parse(value))
        except (UnknownName, InvalidValue) as error:
            raise InputError(f"--set {name}: {_without(name, error)}") from None
    problems = preset.conflicts()
    if problems:
        raise InputError(*(f"{preset.name}: {key}: {message}" for key, message in problems))
    return Session(preset=preset, seed=1 if seed is None else seed)


def _assignment(option: str, text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise InputError(f"{option} {text}: expected NAME=VALUE")
    return name.strip(), value


def _without(name: str, error: Exception) -> str:
    return str(error).removeprefix(f"{name}: ")


def _edits(texts: tuple[str, ...]) -> list[tuple[int, str, Value]]:
    edits = []
    for text in texts:
        step, colon, rest = text.partition(":")
        if not colon or not re.fullmatch("[0-9]{1,18}", step.strip()):
            raise InputError(f"--edit {text}: expected STEP:NAME=VALUE, with STEP a whole number")
        name, value = _assignment("--edit", rest)
        try:
            spec, _ = find(name)
            if spec.bites is Bites.RESET:
                raise InputError(f"--edit {name}: needs a new start, so it cannot be edited while training; use --set")
            edits.append((int(step), name, spec.check(spec.parse(value))))
        except (UnknownName, InvalidValue) as error:
            raise InputError(f"--edit {name}: {_without(name, error)}") from None
    return sorted(edits, key=lambda edit: edit[0])


def _try_edits(trainer: Trainer, wanted: list[tuple[int, str, Value]]) -> None:
    """Refuse now what would be refused after hours of training."""
    h = trainer.hyperparameters
    for step, name, value in wanted:
        if step < trainer.state.step:
            raise InputError(f"--edit {step}:{name}: the session has done {trainer.state.step} steps already")
        try:
            h = trainer.edited(h, SetHyperparameter(name, value))
        except InvalidValue as error:
            raise InputError(f"--edit {name}: {error}") from None


def _drive(run: Run, commands: CommandSource, until: Until, as_json: bool) -> tuple[Event | None, int]:
    """Train to the end, showing how it goes; returns the last event, and how many examples were trained on."""
    trainer = run.trainer
    batches = trainer.state.batches
    total = until.steps if until.steps is not None else None
    epochs = until.epochs if until.epochs is not None else trainer.hyperparameters.epochs
    begin = _examples_done(batches.epoch, batches.offset, batches.examples)
    event: Event | StepsTaken | None = None
    with _progress(as_json) as show:
        for event in run.events(commands, _every(0.1), until):
            match event:
                case StepsTaken():
                    share = event.step / total if total else batches.progress / trainer.hyperparameters.epochs if until.epochs is None else batches.progress / epochs
                    show(min(share, 1.0), f"step {event.step:,}  cost {event.cost[-1]:.4g}", "")
                case Evaluated():
                    dev = f"  dev cost {event.dev.cost:.4g} error {event.dev.error:.2%}" if event.dev else ""
                    line = f"step {event.step:>7,}  epoch {event.epoch:>4,}  train cost {event.train.cost:.4g}{dev}"
                    show(None, None, line)
                case HyperparameterChanged():
                    effect = f" ({event.effect})" if event.effect else ""
                    show(None, None, f"step {event.step:>7,}  {event.name}: {event.old} → {event.new}{effect}")
                case CommandRejected():
                    raise InputError(f"--edit {event.name}: {event.reason}")
                case _:
                    pass
    done = _examples_done(batches.epoch, batches.offset, batches.examples) - begin
    return event if not isinstance(event, StepsTaken) else None, done


def _examples_done(epoch: int, offset: int, examples: int) -> int:
    return (epoch - 1) * examples + offset


def _every(seconds: float) -> Any:
    last = time.monotonic()

    def due() -> bool:
        nonlocal last
        now = time.monotonic()
        if now - last < seconds:
            return False
        last = now
        return True

    return due


@contextmanager
def _progress(silent: bool) -> Iterator[Any]:
    """A bar on a terminal, plain lines elsewhere (at most one a second of evaluations), nothing with --json."""
    if silent:
        yield lambda share, status, line: None
    elif sys.stdout.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        columns = (TextColumn("training"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn(), TextColumn("{task.fields[status]}"))
        with Progress(*columns, console=Console(highlight=False)) as bar:
            task = bar.add_task("training", total=1.0, status="")

            def show(share: float | None, status: str | None, line: str) -> None:
                if share is not None:
                    bar.update(task, completed=share, status=status)

            yield show
    else:
        due = _every(1.0)
        edits = ("→",)

        def say(share: float | None, status: str | None, line: str) -> None:
            if line and (any(each in line for each in edits) or due()):
                click.echo(line)

        yield say


def _score(score: Score | None) -> dict[str, float | None] | None:
    return None if score is None else {"cost": _number(score.cost), "error": _number(score.error)}


def _number(x: float) -> float | None:
    # JSON has no NaN: null says that there is no number.
    return x if math.isfinite(x) else None


def _print_result(run: Run, result: Result, summary: dict[str, Any], path: Path | None) -> None:
    regression = run.trainer.splits.task == "regression"
    for part in ("train", "dev", "test"):
        score = getattr(result, part)
        if score is not None:
            error = f"RMSE {score.error:.4g}" if regression else f"error {score.error:.2%}"
            click.echo(f"{part:<6} cost {score.cost:.4f}  {error}")
    click.echo(
        f"{summary['step']:,} steps, {summary['epoch']:,} epochs, {summary['seconds']:.1f} s "
        f"({summary['steps_per_second']:,.0f} steps/s), state {summary['state_hash'][:12]}"
    )
    if path is not None:
        click.echo(f"saved  {clean(str(path))}")


@cli.command()
@click.argument("name", metavar="SESSION")
@_json
@_sessions
def replay(name: str, as_json: bool, folder: Path) -> int:
    """Train a session again from its seed and edits, and compare every recorded hash."""
    opened = open_input(name, folder)
    if not isinstance(opened.content, Session):
        raise InputError(f"{name}: a preset, not a saved session: there is nothing to compare with")
    from workbench.session.replay import replay as run_again

    found = run_again(opened.content)
    if as_json:
        figures = {"identical": found.identical, "through_step": found.through_step, "first_difference": found.first_difference}
        click.echo(json.dumps(figures))
        return 0 if found.identical else 1
    if found.identical:
        click.echo(f"bit-identical through step {found.through_step}")
        return 0
    click.echo(f"differs at step {found.first_difference}: {clean(found.reason, 400)} (the same through step {found.through_step})")
    for line in found.other_environment:
        click.echo(f"another environment: {clean(line)}")
    return 1


@cli.command()
@click.argument("name", metavar="PRESET")
@_json
@_sessions
def gradcheck(name: str, as_json: bool, folder: Path) -> int:
    """Compare the gradients of backpropagation with numerical ones, in float64."""
    content = open_input(name, folder).content
    from workbench.session.gradcheck import FINE, check_preset

    preset = content.preset if isinstance(content, Session) else content
    found = check_preset(preset, content.seed if isinstance(content, Session) else 1)
    if as_json:
        tensors = {each.name: _number(each.difference) for each in found.tensors}
        click.echo(json.dumps({"largest": _number(found.largest), "tensors": tensors}))
    else:
        for each in found.tensors:
            click.echo(f"{each.name:<8} {each.difference:.2e}  {'fine' if each.difference <= FINE else 'WRONG'}{each.worst}")
        click.echo(f"largest  {found.largest:.2e}")
    return 0 if found.largest <= FINE else 1


@cli.command()
def presets() -> None:
    """List the shipped presets."""
    for path in find_presets():
        preset = read_preset(path)
        click.echo(f"{preset.name:<22} {clean(preset.title)}")


@cli.command()
@_sessions
def sessions(folder: Path) -> None:
    """List the saved sessions."""
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
    for spec in TABLE.values():
        click.echo(f"{spec.name:<18} {spec.symbol:<8} {spec.expected}; default {spec.default}; bites {spec.bites}. {spec.help}")
