"""Training without a screen: the headless twin of the training screen.

Drives a run, saves it on the way and at the end, and ends it between two steps where somebody wants that.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from workbench.commands.arguments import TimedEdit, try_edits
from workbench.commands.interruption import GRACE_SECONDS, Interrupted, Interruption
from workbench.commands.output import complain, print_json, say
from workbench.commands.progress import every, reporter_for
from workbench.commands.summary import Summary
from workbench.engine.commands import CommandSource, scripted
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
from workbench.engine.workload import Workload
from workbench.files.errors import InputError
from workbench.files.text import SafeText, clean
from workbench.run.autosave import Autosave, remade
from workbench.run.environment import speed
from workbench.run.run import Run
from workbench.session.branch import Result

AUTOSAVE_SECONDS = 10.0
"""How often a run that is to be saved is saved on the way."""
_LONG_SECONDS = 30.0
_WORTH_MEASURING = 1e11
"""So many operations take a second or more on most machines: for fewer its speed is not asked for."""


@contextmanager
def autosaving(path: Path | None, seconds: float = AUTOSAVE_SECONDS) -> Iterator[Autosave]:
    """Saves a run to `path` every so many seconds, while nobody else may write it; without one, nowhere.

    Raises `InputError` where it is no name for a session, or where somebody else has it.
    """
    if path is not None and path.suffix != ".toml":
        raise InputError(f"--save {path}: expected a name that ends in .toml")
    autosave = Autosave(path, seconds, _Failures())
    try:
        if not autosave.hold():
            raise InputError(f"--save {path}: {autosave.obstacle}")
        yield autosave
    finally:
        autosave.release()


class _Failures:
    """Says what fails, on standard error."""

    def saved(self, path: str, step: int, asked: bool) -> None:
        pass

    def remade(self, folder: str, path: str) -> None:
        complain(clean(remade(folder, path), 700))

    def failed(self, path: str, reason: str, asked: bool) -> None:
        complain(clean(f"{reason}{'' if asked else '; training goes on'}", 700))


def train(run: Run, edits: list[TimedEdit], until: Until, autosave: Autosave, as_json: bool) -> int:
    """Train, save, print how it went, and return the exit status: 1 where something of it failed."""
    state = run.trainer.state
    autosave.keep(run)
    try_edits(run.trainer, edits)
    begin_step, begin_progress, started = state.step, state.batches.progress, time.perf_counter()
    interruption = Interruption(lambda: _last_words(autosave))
    with interruption.watching():
        with interruption.saving:
            autosave.begin()
        _warn_of_long_steps(run.workload)
        try:
            ended = _drive(run, interruption.source(scripted(edits)), until, as_json, autosave, interruption.saving)
        except (Interrupted, OSError) as error:  # the output may be gone; what comes of saving is told to the listener
            with interruption.saving:
                if interruption.number:  # and then the output may be gone as well
                    return _end_early(run, "interrupted", 128 + interruption.number, autosave)
                why = "nobody reads the output; ended" if isinstance(error, BrokenPipeError) else "ended"
                _end_early(run, why, 1, autosave)
            raise
        except MemoryError:
            complain(clean(f"there is not enough memory for the next step{_kept(autosave)}", 700))
            return 1
        seconds = time.perf_counter() - started
        result = _result_of(ended) if isinstance(ended, Finished) else run.result()
        with interruption.saving:
            saved = autosave.target is None or autosave.save(autosave.target)
    if not saved:
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
            where = f"back at step {ended.best:,}, where the dev cost without penalties was least"
            say(clean(f"stopped early after step {ended.step:,}; {where}"))
    return _status(ended, state.step, edits)


def _status(ended: Event | None, step: int, edits: list[TimedEdit]) -> int:
    """The exit status, and on standard error what is wrong."""
    if isinstance(ended, Diverged):
        back = f"; back at step {step}, the last good one" if step < ended.step - 1 else ""
        complain(clean(f"diverged at step {ended.step}: {ended.reason}{back}", 700))
    late = [f"{at}:{name}" for at, name, _ in edits if at > step]
    if late:
        complain(clean(f"--edit {', '.join(late)}: not applied, the run ended at step {step}", 700))
    return 1 if late or isinstance(ended, Diverged) else 0


def _warn_of_long_steps(work: Workload) -> None:
    """Say so before a step, or an evaluation, that takes longer than somebody would wait."""
    if max(work.step, work.evaluation) < _WORTH_MEASURING:
        return
    flops = speed()
    times = {"a step": work.step / flops, "an evaluation": work.evaluation / flops}
    if any(seconds > _LONG_SECONDS for seconds in times.values()):
        said = " and ".join(f"{what} about {_duration(seconds)}" for what, seconds in times.items())
        complain(clean(f"this network takes long here: {said}", 700))


def _duration(seconds: float) -> str:
    if seconds >= 5400:
        return f"{seconds / 3600:,.0f} h"
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.1f} s"


def _end_early(run: Run, why: str, status: int, autosave: Autosave) -> int:
    """Save what is done, with the scores that are known: to score a large run may take longer than there is time."""
    if autosave.target is not None and not autosave.save(autosave.target, scored=False):
        return 1
    saved = f"; saved {clean(str(autosave.target))}" if autosave.target is not None else ""
    complain(clean(f"{why} after step {run.trainer.state.step:,}{saved}", 700))
    return status


def _last_words(autosave: Autosave) -> SafeText:
    autosave.release()
    return clean(f"interrupted in the middle of a step or an evaluation, which would not end soon{_kept(autosave)}", 700)


def _kept(autosave: Autosave) -> str:
    if autosave.target is None:
        return "; nothing is kept without --save"
    return f"; {clean(str(autosave.target))} is as of step {autosave.saved_step:,}"


def _drive(
    run: Run, commands: CommandSource, until: Until, as_json: bool, autosave: Autosave, saving: AbstractContextManager[object]
) -> Event | None:
    """Train to the end, showing how it goes and saving every so often; returns the last event."""
    last, began = None, time.monotonic()
    with reporter_for(as_json) as reporter:
        for event in run.events(commands, every(0.1), until):
            match event:
                case StepsTaken():
                    reporter.progress(_share_done(event, until, run.trainer.hyperparameters.epochs), event)
                    with saving:
                        _keep(autosave, time.monotonic() - began)
                    began = time.monotonic()
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


def _keep(autosave: Autosave, seconds: float) -> None:
    """Save when it is time, and after steps that took so long that nobody would be waited for in the next."""
    if seconds >= GRACE_SECONDS:
        autosave.save_if_new()
    else:
        autosave.save_if_due()


def _share_done(steps: StepsTaken, until: Until, epochs: int) -> float:
    if until.steps is not None:
        return min(steps.step / max(until.steps, 1), 1.0)
    return min(steps.progress / max(until.epochs if until.epochs is not None else epochs, 1), 1.0)


def _result_of(ended: Finished) -> Result:
    return Result(ended.step, ended.epoch, ended.train, ended.dev, ended.test)
