"""A session that is being trained: the trainer, the tree of its branches, and a place to save it.

This is the one place where preset, seed, timeline, snapshots and checkpoints come together; the screen, the command line
and the replay all start here.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from workbench.data.dataset import DataError
from workbench.data.splits import Splits, prepare
from workbench.engine.commands import Command, CommandSource, SetHyperparameter
from workbench.engine.events import Columns, Diverged, EpochEnded, Evaluated, Event, Notable, StepTaken, StoppedEarly
from workbench.engine.history import History, columns, epoch_column
from workbench.engine.trainer import Trainer, Until
from workbench.engine.workload import Workload, workload
from workbench.files.errors import InputError, SaveError
from workbench.hyperparameters.epochs import passage
from workbench.model.trained import TrainedModel
from workbench.run.environment import environment, fix_blas_threads, memory
from workbench.run.navigation import MOST_PENDING, Navigation, Progress
from workbench.run.retrace import CannotFollow as CannotFollow
from workbench.run.saving import Saving, blueprint_of
from workbench.run.snapshots import BUDGET, Kind, Snapshots
from workbench.run.tree import Tree
from workbench.session.branch import Place, Result
from workbench.session.preset import Preset
from workbench.session.session import Session
from workbench.session.timeline import Past, batch_sizes, place_after, place_before

REPEATED = "a repeat with other mini-batches is no run of the session"


def new_trainer(session: Session) -> Trainer:
    """A trainer at the start of the session's run.

    Raises `InputError` where the data cannot be had as the preset asks, or where a step does not fit into memory.
    """
    preset = session.preset
    try:
        splits = prepare(preset.data, session.seed)
        _refuse_what_does_not_fit(preset, splits)
        return Trainer(splits, preset.data, preset.network, preset.training, session.seed, preset.plan)
    except DataError as error:
        raise InputError(f"{preset.name}: {error}") from None
    except MemoryError:
        raise InputError(f"{preset.name}: network.hidden: this network does not fit into memory") from None


def _refuse_what_does_not_fit(preset: Preset, splits: Splits) -> None:
    needed, there = workload(splits, preset.network, preset.training).memory, memory()
    if there is not None and needed > there:
        figures = f"training needs at least {needed / 1e9:,.1f} GB of memory, and this machine has {there / 1e9:,.1f} GB"
        raise InputError(f"{preset.name}: network.hidden, training.batch_size, data.examples: {figures}")


class Run:
    """A session that is being trained: its trainer, its branches, and copies of the state to go back to.

    One branch is current and grows; going back to a place on it makes another, which counts as soon as there is anything on
    it that its parent has not. No branch is ever changed by another.
    """

    def __init__(
        self, session: Session, path: Path | None = None, progress: Progress = lambda done, all: None,
        rebuild: bool = False, budget: int = BUDGET, checkpoint: bytes = b"",
    ) -> None:  # fmt: skip
        """Go on from the checkpoint of the session's current branch, which lies beside `path`, or is `checkpoint`.

        Without one (or with `rebuild`, whatever its state) it is trained to its tip again from the start; `progress` is told.
        Raises `InputError`, `CheckpointError` and `CannotFollow`.
        """
        self.trainer = new_trainer(session)
        fix_blas_threads(session, self.trainer)
        self._tree = Tree(dataclasses.replace(session, environment=environment(session)), self.trainer.state, budget)
        self._navigation = Navigation(self._tree, self.trainer, progress)
        self._saving = Saving(self._tree, self.trainer, path)
        self._pending: list[StepTaken] = []
        self._ended: list[EpochEnded] = []
        self._best: Past | None = None
        self._repeated = False
        if rebuild:
            self._saving.do_without()
        else:
            self._saving.read_back()
        if checkpoint and not rebuild:
            self._saving.take_in(checkpoint)
        self._navigation.stand(self._tree.written.branch)

    # -- training -----------------------------------------------------------------------------------------------------

    def events(self, commands: CommandSource, due: Callable[[], bool], until: Until | None = None) -> Iterator[Notable | Columns]:
        """Train, writing down what happens; suspended where the trainer is.

        Steps and the ends of epochs come as columns instead of one by one: whenever `due` says so, and before any other
        event. After a `Diverged` or a `StoppedEarly` the run has gone back to the last good place, or to the best.
        """
        for event in self.trainer.run(self._watched(commands), until):
            self._tree.record(event)
            if isinstance(event, StepTaken):
                self._pending.append(event)
                self._keep_now_and_then(event.step)
                if not due() and len(self._pending) < MOST_PENDING:
                    continue
            elif isinstance(event, EpochEnded):
                self._ended.append(event)
                continue
            yield from self.flush()
            if not isinstance(event, StepTaken):
                self.history.record(event)
                self._react(event)
                yield event

    def _watched(self, commands: CommandSource) -> CommandSource:
        """The same commands, with a copy of the state kept before each edit."""

        def source(step: int) -> Iterable[Command]:
            given = commands(step)
            return self._kept_before(given) if given else ()

        return source

    def _kept_before(self, commands: Iterable[Command]) -> Iterator[Command]:
        for command in commands:
            if isinstance(command, SetHyperparameter):
                self._tree.keep(Kind.EDIT)
            yield command

    def _keep_now_and_then(self, step: int) -> None:
        # At distances that double, from the start and from the last edit on.
        since = step - self._tree.last_edited
        if since & (since - 1) == 0:
            self._tree.keep(Kind.PASSED)

    def _react(self, event: Event) -> None:
        if isinstance(event, Evaluated):
            is_best = event.dev is not None and self.trainer.state.best.step == event.step
            here = self._tree.keep(Kind.BEST if is_best else Kind.PASSED)
            if is_best:
                if self._best is not None:
                    self._tree.snapshots.demote(self._best)
                self._best = here
        elif isinstance(event, (Diverged, StoppedEarly)):
            if isinstance(event, StoppedEarly) and math.isfinite(event.cost):
                self.go_to(place_before(self._tree.timeline, event.best))
            elif isinstance(event, Diverged) and event.good < self.trainer.state.step:
                self.go_to(place_after(self._tree.timeline, event.good))

    def flush(self) -> tuple[Columns, ...]:
        """The steps and ends of epochs that were not yet given out; they are in the history then."""
        given: tuple[Columns, ...] = ()
        if self._pending:
            steps = columns(self._pending, self.trainer.state.batches.progress)
            self._pending.clear()
            self.history.record(steps)
            given = (steps,)
        if self._ended:
            given = (*given, epoch_column(self._ended))
            self._ended.clear()
        return given

    def result(self) -> Result:
        """Scores now, on train and dev and test."""
        finished = self.trainer.finish()
        return Result(finished.step, finished.epoch, finished.train, finished.dev, finished.test)

    # -- what it is made of -------------------------------------------------------------------------------------------

    @property
    def session(self) -> Session:
        """All branches as they are now."""
        return self._tree.session

    @property
    def place(self) -> Place:
        """Where the run stands on its branch."""
        return self._tree.place

    @property
    def passage(self) -> tuple[tuple[int, float], ...]:
        """Points (steps, epochs done) between which the run came evenly to where it stands."""
        batches = self.trainer.state.batches
        sizes = batch_sizes(self.session.preset, self._tree.timeline, self.place)
        return tuple(passage(batches.examples, self.trainer.architecture.batch_norm, sizes, self.place.step))

    @property
    def history(self) -> History:
        """The curves of the current branch."""
        return self._tree.history

    def history_of(self, name: str) -> History:
        """The curves of a branch, as far as they are known."""
        return self._tree.history_of(name)

    @property
    def snapshots(self) -> Snapshots:
        """Copies of the state to go back to."""
        return self._tree.snapshots

    @property
    def model(self) -> TrainedModel:
        """The trained network as it is now."""
        trainer = self.trainer
        return TrainedModel.of(
            trainer.state.network, blueprint_of(trainer, trainer.hyperparameters), trainer.splits.preprocessing
        )

    @property
    def workload(self) -> Workload:
        """What a step and an evaluation ask of the machine, with what is in force now."""
        return workload(self.trainer.splits, self.trainer.architecture, self.trainer.hyperparameters)

    def rename(self, name: str, to: str) -> None:
        """Give a branch another name. Raises `ValueError` where it is taken or none, and `LookupError`."""
        self._tree.rename(name, to)

    def describe(self, name: str, note: str) -> None:
        """Write something about a branch. Raises `LookupError`."""
        self._tree.describe(name, note)

    def delete(self, name: str) -> None:
        """Forget a branch that is not the current one. Raises `ValueError`, `LookupError`."""
        self._tree.delete(name)

    def annotate(self, step: int, text: str, edit: int = 0) -> None:
        """A note on a step of the current branch, or on its edit of that number (from 1). Raises `ValueError`."""
        self._tree.annotate(step, text, edit)

    # -- going elsewhere ----------------------------------------------------------------------------------------------

    @property
    def journeys(self) -> int:
        """How often the state was put to another place."""
        return self._navigation.journeys

    @property
    def remark(self) -> str:
        """What is to be said of the last journey: a hash that is not the recorded one."""
        return self._navigation.remark

    @property
    def redo_branch(self) -> str:
        """The branch that was left for this place, as long as nothing was done here; else empty."""
        return self._navigation.redo_branch

    def go_to(self, place: Place) -> None:
        """To a place on the current branch, or, as long as nothing was done on it, on the one that was left for it.

        What lies beyond stays, as the branch it was. Raises `ValueError` and `CannotFollow`.
        """
        self._navigation.go_to(place)

    def switch(self, name: str) -> None:
        """To the tip of another branch. Raises `LookupError` and `CannotFollow`."""
        self._navigation.switch(name)

    def pass_guard(self) -> None:
        """To where the guard, or early stopping, stopped the run; a `PassGuard` given then lets it go on.

        Raises `ValueError` where the run stands neither there nor where it was put by that.
        """
        self._navigation.pass_guard()

    def repeat(self, number: int) -> None:
        """From here on, take the mini-batches and dropout masks of repeat `number`, from 1.

        What comes of it is no run of the session, so it can be neither saved nor exported any more. Raises `ValueError`.
        """
        if not 1 <= number < 2**32:
            raise ValueError(f"repeat {number}: expected a number from 1")
        self._repeated = True
        self.trainer.state.repeat(number)

    # -- files --------------------------------------------------------------------------------------------------------

    @property
    def unsaved(self) -> bool:
        """Whether there is anything that the last save has not."""
        return self._saving.unsaved

    def save(self, path: Path, scored: bool = True) -> Session:
        """Write session and checkpoints. Raises `SaveError`; what was there before is still there then.

        With `scored` it is evaluated first; else the scores are those of the last evaluation.
        """
        self.flush()
        if self._repeated:
            raise SaveError(path, REPEATED)
        return self._saving.save(path, self.result() if scored else None)

    def export(self, place: Place) -> tuple[Session, bytes]:
        """The run as it was at a place on the current branch, as a session of its own with one branch, and its checkpoint.

        The checkpoint may be of an earlier step; whoever begins with it trains the rest of the way. Raises `SaveError`.
        """
        if self._repeated:
            raise SaveError("export", REPEATED)
        return self._saving.export(place)
