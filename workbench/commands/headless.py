"""Training without a screen: the headless twin of the training screen.

Drives a run, saves it on the way and at the end, and ends it between two steps where somebody wants that.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from workbench.commands.arguments import TimedEdit, try_edits
from workbench.commands.output import complain, print_json, say
from workbench.commands.progress import every, reporter_for
from workbench.commands.summary import Summary
from workbench.engine.commands import Command, CommandSource, scripted
from workbench.engine.events import (
    CommandRejected,
    Diverged,
    EpochsEnded,
    Evaluated,
    Event,
    Finished,
    HyperparameterChanged,
    StepsTaken,
    StoppedEarly,
)
from workbench.engine.trainer import Until
from workbench.files.errors import InputError
from workbench.files.text import clean
from workbench.run.autosave import Autosave
from workbench.run.run import Run
from workbench.session.branch import Result

AUTOSAVE_SECONDS = 10.0
"""How often a run that is to be saved is saved on the way."""


@contextmanager
def autosaving(path: Path | None, seconds: float = AUTOSAVE_SECONDS) -> Iterator[Autosave]:
    """Saves a run to `path` every so many seconds, while nobody else may write it; without one, nowhere.

    Raises `InputError` where it is no name for a session, or where somebody else has it.
    """
    if path is not None and path.suffix != ".toml":
        raise InputError(f"--save {path}: expected a name that ends in .toml")
    autosave = Autosave(path, seconds, _Told())
    try:
        if not autosave.hold():
            raise InputError(f"--save {path}: {autosave.obstacle}")
        yield autosave
    finally:
        autosave.release()


class _Told:
    """Says what fails, on standard error."""

    def saved(self, path: str, step: int, asked: bool) -> None:
        pass

    def failed(self, path: str, reason: str, asked: bool) -> None:
        complain(clean(f"{reason}{'' if asked else '; training goes on'}", 700))


def train(run: Run, edits: list[TimedEdit], until: Until, autosave: Autosave, as_json: bool) -> int:
    """Train, save, print how it went, and return the exit status: 1 where something of it failed."""
    state = run.trainer.state
    autosave.keep(run)
    try_edits(run.trainer, edits)
    begin_step, begin_progress, started = state.step, state.batches.progress, time.perf_counter()
    try:
        with _interruptible(scripted(edits)) as commands:
            ended = _drive(run, commands, until, as_json, autosave)
    except Interrupted as interrupted:
        return _end_early(run, interrupted.number, autosave)
    seconds = time.perf_counter() - started
    result = _result_of(ended) if isinstance(ended, Finished) else run.result()
    if not _saved(autosave):
        return 1
    examples = (state.batches.progress - begin_progress) * state.batches.examples
    summary = Summary(
        preset=run.session.preset.name,
        seed=run.session.seed,
        step=state.step,
        epoch=state.batches.epoch,
        train=result.train,
        dev=result.dev,
        test=result.test,
        seconds=round(seconds, 6),
        steps_per_second=round((state.step - begin_step) / seconds, 1),
        examples_per_second=round(examples / seconds, 1),
        state_hash=state.digest(),
        session=str(autosave.target) if autosave.target is not None else None,
    )
    if as_json:
        print_json(summary.figures())
    else:
        for line in summary.lines(run.trainer.splits.task):
            say(line)
        if isinstance(ended, StoppedEarly):
            where = f"back at step {ended.best:,}, where the dev cost was least"
            say(clean(f"stopped early after step {ended.step:,}; {where}"))
    return _status(ended, state.step, edits)


def _status(ended: Event | None, step: int, edits: list[TimedEdit]) -> int:
    """The exit status, and on standard error what is wrong."""
    if isinstance(ended, Diverged):
        back = f"; back at step {step}, the last good one" if step < ended.step - 1 else ""
        complain(clean(f"diverged at step {ended.step}: {ended.reason}{back}", 700))
    late = [f"{at}:{name}" for at, name, _ in edits if at > step]
    if late:
        complain(clean(f"--edit {', '.join(late)}: not applied, the run ended at step {step}", None))
    return 1 if late or isinstance(ended, Diverged) else 0


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


def _saved(autosave: Autosave) -> bool:
    """Whether the run is on disk now, with its scores, if it is to be there at all."""
    return autosave.target is None or autosave.save(autosave.target)


def _end_early(run: Run, number: int, autosave: Autosave) -> int:
    if not _saved(autosave):
        return 1
    saved = f"; saved {clean(str(autosave.target))}" if autosave.target is not None else ""
    complain(clean(f"interrupted after step {run.trainer.state.step:,}{saved}", 300))
    return 128 + number


def _drive(run: Run, commands: CommandSource, until: Until, as_json: bool, autosave: Autosave) -> Event | None:
    """Train to the end, showing how it goes and saving every so often; returns the last event."""
    last = None
    with reporter_for(as_json) as reporter:
        for event in run.events(commands, every(0.1), until):
            match event:
                case StepsTaken():
                    reporter.progress(_share_done(event, until, run.trainer.hyperparameters.epochs), event)
                    autosave.save_if_due()
                    continue
                case EpochsEnded():
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


def _result_of(ended: Finished) -> Result:
    return Result(ended.step, ended.epoch, ended.train, ended.dev, ended.test)
