"""Training without a screen: the headless twin of the training screen.

Reads the options of `workbench train`, drives a run, and says how it goes and how it went.
"""

from __future__ import annotations

import dataclasses
import json
import math
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import click

from workbench.engine.commands import Command, CommandSource, SetHyperparameter, scripted
from workbench.engine.events import (
    CommandRejected,
    Diverged,
    Evaluated,
    Event,
    Finished,
    HyperparameterChanged,
    StoppedEarly,
)
from workbench.engine.history import StepsTaken
from workbench.engine.trainer import Trainer, Until
from workbench.files.errors import CheckpointError, InputError, SaveError, suggestion
from workbench.files.lock import SessionLock
from workbench.files.text import clean
from workbench.hyperparameters import Applies, InvalidValue, UnknownName, Value, find
from workbench.run.run import CannotFollow, Run
from workbench.session.opening import Opened
from workbench.session.preset import Preset
from workbench.session.session import Result, Score, Session
from workbench.session.store import remove_leftovers

AUTOSAVE_SECONDS = 10.0
"""How often a run that is to be saved is saved on the way."""
TimedEdit = tuple[int, str, Value]


def session_from(content: Preset | Session, seed: int | None, settings: Sequence[str], branch: str | None = None) -> Session:
    """The session to train: a saved one, on one of its branches, or a new one from a preset with `--set` and `--seed`.

    Raises `InputError`.
    """
    if isinstance(content, Session):
        if seed is not None or settings:
            option = "--seed" if seed is not None else "--set"
            name = content.preset.name
            raise InputError(f"{option}: {name} is a saved session, and this needs a new start; use --edit or a preset")
        names = [each.name for each in content.branches]
        if branch is not None and branch not in names:
            raise InputError(f"--branch {branch}: no such branch{suggestion(branch, names)}; there are {', '.join(names)}")
        return content if branch is None else dataclasses.replace(content, current=branch)
    if branch is not None:
        raise InputError(f"--branch {branch}: {content.name} is a preset, and has no branches yet")
    preset = content
    for each in settings:
        name, value = _assignment("--set", each)
        try:
            spec, _ = find(name)
            if name == "seed":
                raise InputError("--set seed: expected --seed N")
            preset = preset.with_value(name, spec.parse(value))
        except (UnknownName, InvalidValue) as error:
            raise _about("--set", name, error) from None
    problems = preset.conflicts()
    if problems:
        raise InputError(*(f"{preset.name}: {key}: {message}" for key, message in problems))
    return Session(preset=preset, seed=1 if seed is None else seed)


def edits_from(texts: Sequence[str]) -> list[TimedEdit]:
    """`--edit STEP:NAME=VALUE` as (step, name, value), in the order of their steps. Raises `InputError`."""
    edits = []
    for text in texts:
        step, colon, rest = text.partition(":")
        if not colon or not (step.strip().isascii() and step.strip().isdigit()) or len(step) > 18:
            raise InputError(f"--edit {text}: expected STEP:NAME=VALUE, with STEP a whole number")
        name, value = _assignment("--edit", rest)
        try:
            spec, _ = find(name)
            if spec.applies is Applies.RESET:
                raise InputError(f"--edit {name}: needs a new start, so it cannot be edited while training; use --set")
            edits.append((int(step), name, spec.check(spec.parse(value))))
        except (UnknownName, InvalidValue) as error:
            raise _about("--edit", name, error) from None
    return sorted(edits, key=lambda edit: edit[0])


def _assignment(option: str, text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise InputError(f"{option} {text}: expected NAME=VALUE")
    return name.strip(), value


def _about(option: str, name: str, error: Exception) -> InputError:
    return InputError(f"{option} {name}: {str(error).removeprefix(f'{name}: ')}")


def opened_run(opened: Opened, session: Session, rebuild: bool) -> Run:
    """The run of what was opened. Raises `InputError` and `CheckpointError`."""
    path = opened.path if isinstance(opened.content, Session) else None
    try:
        return Run(session, path, rebuild=rebuild)
    except CheckpointError as error:
        again = "--rebuild trains it again from its seed and edits"
        raise InputError(f"{error}; {again}") from None
    except CannotFollow as error:
        raise InputError(str(error)) from None


def train(run: Run, edits: list[TimedEdit], until: Until, save_to: Path | None, as_json: bool) -> int:
    """Train, print how it went, and return the exit status: 1 where it diverged or an edit came too late."""
    with _writing(save_to):
        return _train(run, edits, until, save_to, as_json)


@contextmanager
def _writing(path: Path | None) -> Iterator[None]:
    """The right to write a session, from before the first step. Raises `InputError` where somebody else has it."""
    if path is None:
        yield
        return
    if path.suffix != ".toml":
        raise InputError(f"--save {path}: expected a name that ends in .toml")
    lock = SessionLock(path)
    if not lock.acquire():
        raise InputError(f"--save {path}: another workbench has this session open")
    try:
        remove_leftovers(path)
        yield
    finally:
        lock.release()


def _train(run: Run, edits: list[TimedEdit], until: Until, save_to: Path | None, as_json: bool) -> int:
    session, state = run.session, run.trainer.state
    _try_edits(run.trainer, edits)
    begin_step, begin_progress, started = state.step, state.batches.progress, time.perf_counter()
    try:
        with _interruptible(scripted(edits)) as commands:
            ended = _drive(run, commands, until, as_json, save_to)
    except Interrupted as interrupted:
        return _end_early(run, interrupted.number, save_to)
    seconds = time.perf_counter() - started
    result = _result_of(ended) if isinstance(ended, Finished) else run.result()
    if save_to is not None:
        run.save(save_to)
    examples = (state.batches.progress - begin_progress) * state.batches.examples
    summary = {
        "preset": session.preset.name,
        "seed": session.seed,
        "step": state.step,
        "epoch": state.batches.epoch,
        "train": _figures(result.train),
        "dev": _figures(result.dev),
        "test": _figures(result.test),
        "seconds": round(seconds, 6),
        "steps_per_second": round((state.step - begin_step) / seconds, 1),
        "examples_per_second": round(examples / seconds, 1),
        "state_hash": state.digest(),
        "session": str(save_to) if save_to is not None else None,
    }
    if as_json:
        click.echo(json.dumps(summary))
    else:
        _print_summary(run, result, summary)
    if isinstance(ended, Diverged):
        back = f"; back at step {state.step}, the last good one" if state.step < ended.step - 1 else ""
        click.echo(f"workbench: diverged at step {ended.step}: {ended.reason}{back}", err=True)
    if isinstance(ended, StoppedEarly) and not as_json:
        click.echo(f"stopped early after step {ended.step:,}; back at step {ended.best:,}, where the dev cost was least")
    late = [f"{step}:{name}" for step, name, _ in edits if step > state.step]
    if late:
        click.echo(f"workbench: --edit {', '.join(late)}: not applied, the run ended at step {state.step}", err=True)
    return 1 if late or isinstance(ended, Diverged) else 0


def _try_edits(trainer: Trainer, edits: list[TimedEdit]) -> None:
    """Refuse now what would be refused after hours of training. Raises `InputError`."""
    h = trainer.hyperparameters
    for step, name, value in edits:
        if step < trainer.state.step:
            raise InputError(f"--edit {step}:{name}: the session has done {trainer.state.step} steps already")
        try:
            h = trainer.edited(h, SetHyperparameter(name, value))
        except InvalidValue as error:
            raise _about("--edit", name, error) from None


class Interrupted(Exception):
    """A signal came; the run stands between two steps."""

    def __init__(self, number: int) -> None:
        """`number` is the signal's."""
        self.number = number


@contextmanager
def _interruptible(commands: CommandSource) -> Iterator[CommandSource]:
    """The same commands; Ctrl+C or SIGTERM raise `Interrupted` from there, and the second time end the process."""
    told: list[int] = []

    def tell(number: int, frame: object) -> None:
        told.append(number)
        signal.signal(number, before[number])

    def source(step: int) -> Iterable[Command]:
        if told:
            raise Interrupted(told[0])
        return commands(step)

    before: dict[int, Any] = {number: signal.signal(number, tell) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield source
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end_early(run: Run, number: int, save_to: Path | None) -> int:
    saved = ""
    if save_to is not None:
        run.save(save_to)
        saved = f"; saved {clean(str(save_to))}"
    click.echo(f"workbench: interrupted after step {run.trainer.state.step:,}{saved}", err=True)
    return 128 + number


def _save_on_the_way(run: Run, path: Path, failed: str) -> str:
    """Save; what fails does no harm, and is said once. Returns how it failed."""
    try:
        run.save(path, scored=False)
    except SaveError as error:
        if str(error) != failed:
            click.echo(f"workbench: {error}; training goes on", err=True)
        return str(error)
    return ""


def _drive(run: Run, commands: CommandSource, until: Until, silent: bool, save_to: Path | None) -> Event | None:
    """Train to the end, showing how it goes and saving every so often; returns the last event."""
    trainer, last, due, failed = run.trainer, None, every(AUTOSAVE_SECONDS), ""
    with _reporter(silent) as reporter:
        for event in run.events(commands, every(0.1), until):
            match event:
                case StepsTaken():
                    reporter.progress(_share_done(event, until, trainer.hyperparameters.epochs), event)
                    if save_to is not None and due():
                        failed = _save_on_the_way(run, save_to, failed)
                    continue
                case Evaluated():
                    reporter.evaluated(event)
                case HyperparameterChanged():
                    reporter.edited(event)
                case CommandRejected():
                    raise InputError(f"the edit of {event.name} at step {event.step}: {event.reason}")
                case _:
                    pass
            last = event
    return last


def _share_done(steps: StepsTaken, until: Until, epochs: int) -> float:
    if until.steps is not None:
        return min(steps.step / max(until.steps, 1), 1.0)
    return min(steps.progress / max(until.epochs if until.epochs is not None else epochs, 1), 1.0)


def every(seconds: float) -> Callable[[], bool]:
    """A function that says yes when so many seconds have passed since it last did."""
    last = time.monotonic()

    def due() -> bool:
        nonlocal last
        now = time.monotonic()
        if now - last < seconds:
            return False
        last = now
        return True

    return due


class _Reporter(Protocol):
    """What is said while it trains."""

    def progress(self, share: float, steps: StepsTaken) -> None: ...
    def evaluated(self, event: Evaluated) -> None: ...
    def edited(self, event: HyperparameterChanged) -> None: ...


class _Silent:
    """Nothing: with --json only the result is printed."""

    def progress(self, share: float, steps: StepsTaken) -> None:
        pass

    def evaluated(self, event: Evaluated) -> None:
        pass

    def edited(self, event: HyperparameterChanged) -> None:
        pass


class _Lines(_Silent):
    """Plain lines: every edit, and at most one evaluation a second."""

    def __init__(self) -> None:
        self._due = every(1.0)

    def evaluated(self, event: Evaluated) -> None:
        if self._due():
            dev = f"  dev cost {event.dev.cost:.4g}" if event.dev else ""
            click.echo(f"step {event.step:>7,}  epoch {event.epoch:>4,}  train cost {event.train.cost:.4g}{dev}")

    def edited(self, event: HyperparameterChanged) -> None:
        effect = f" ({event.effect})" if event.effect else ""
        click.echo(f"step {event.step:>7,}  {event.name}: {event.old} → {event.new}{effect}")


class _Bar(_Lines):
    """A progress bar, with the edits above it."""

    def __init__(self, bar: object) -> None:
        from rich.progress import Progress

        super().__init__()
        assert isinstance(bar, Progress)
        self._bar, self._task = bar, bar.add_task("training", total=1.0, status="")

    def progress(self, share: float, steps: StepsTaken) -> None:
        self._bar.update(self._task, completed=share, status=f"step {steps.step:,}  cost {steps.cost[-1]:.4g}")

    def evaluated(self, event: Evaluated) -> None:
        pass


@contextmanager
def _reporter(silent: bool) -> Iterator[_Reporter]:
    if silent:
        yield _Silent()
    elif sys.stdout.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        status = TextColumn("{task.fields[status]}")
        console = Console(highlight=False, markup=False)
        columns = (TextColumn("training"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn(), status)
        with Progress(*columns, console=console) as bar:
            yield _Bar(bar)
    else:
        yield _Lines()


def _result_of(ended: Finished) -> Result:
    return Result(ended.step, ended.epoch, ended.train, ended.dev, ended.test)


def json_number(x: float) -> float | None:
    """JSON has no NaN and no infinity: null says that there is no number."""
    return x if math.isfinite(x) else None


def _figures(score: Score | None) -> dict[str, float | None] | None:
    return None if score is None else {"cost": json_number(score.cost), "error": json_number(score.error)}


def _print_summary(run: Run, result: Result, summary: dict[str, object]) -> None:
    regression = run.trainer.splits.task == "regression"
    for part in ("train", "dev", "test"):
        score = getattr(result, part)
        if score is not None:
            error = f"RMSE {score.error:.4g}" if regression else f"error {score.error:.2%}"
            click.echo(f"{part:<6} cost {score.cost:.4f}  {error}")
    click.echo(
        f"{summary['step']:,} steps, {summary['epoch']:,} epochs, {summary['seconds']:.1f} s "
        f"({summary['steps_per_second']:,.0f} steps/s), state {run.trainer.state.digest()[:12]}"
    )
    if summary["session"] is not None:
        click.echo(f"saved  {clean(str(summary['session']))}")
