"""A session that is being trained: where it stands, and how it gets to any other place of any of its branches.

This is the one place where preset, seed, timeline, snapshots and checkpoints come together; the screen, the command line
and the replay all start here.
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from workbench.data.dataset import DataError
from workbench.data.splits import prepare
from workbench.engine.commands import Command, CommandSource, PassGuard, SetHyperparameter
from workbench.engine.events import Diverged, EpochEnded, Evaluated, Event, StepsTaken, StepTaken, StoppedEarly
from workbench.engine.history import PREFIX, History
from workbench.engine.state import Snapshot, SnapshotMismatch
from workbench.engine.trainer import Trainer, Until
from workbench.files.errors import CheckpointError, InputError
from workbench.run.environment import environment, fix_blas_threads
from workbench.run.recorder import Recorder
from workbench.run.retrace import CannotFollow as CannotFollow
from workbench.run.retrace import along
from workbench.run.snapshots import BUDGET, Kind, Snapshots
from workbench.session.branch import Branch, Place, Result
from workbench.session.branches import described, is_empty, renamed, repeats, without
from workbench.session.checkpoint import checkpoint_bytes, parse_checkpoint
from workbench.session.session import Session
from workbench.session.store import load_branch, save
from workbench.session.timeline import (
    Past,
    Script,
    cut,
    fields_of,
    fork,
    hyperparameters_at,
    is_place,
    leads_to,
    past,
    place_after,
    place_before,
    shared_steps,
)

GIVEN = "the checkpoint that came with the session"
MOST_PENDING = 4096
"""Steps that are held back at most, however seldom somebody wants them."""


def new_trainer(session: Session) -> Trainer:
    """A trainer at the start of the session's run. Raises `InputError` where the data cannot be had as the preset asks."""
    preset = session.preset
    try:
        splits = prepare(preset.data, session.seed)
        return Trainer(splits, preset.data, preset.network, preset.training, session.seed, preset.plan)
    except DataError as error:
        raise InputError(f"{preset.name}: {error}") from None
    except MemoryError:
        raise InputError(f"{preset.name}: network.hidden: this network does not fit into memory") from None


Progress = Callable[[int, int], None]
"""Told how many steps of how many have been trained again."""


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
        Raises `InputError` and `CheckpointError`.
        """
        self.trainer = new_trainer(session)
        fix_blas_threads(session, self.trainer)
        self._session = dataclasses.replace(session, environment=environment())
        self._path, self._progress = path, progress
        self.snapshots = Snapshots(budget)
        self.snapshots.add(past(session.branch, Place(0, 0)), Kind.START, self.trainer.state.snapshot())
        self._histories: dict[str, History] = {}
        self._pending: list[StepTaken] = []
        self._best: Past | None = None
        self.journeys = 0
        """How often the state was put to another place."""
        self.remark = ""
        """What is to be said of the last journey: a hash that is not the recorded one."""
        if path is not None and not rebuild:
            self._session = dataclasses.replace(self._session, branches=tuple(map(self._load, session.branches)))
        else:
            self._session = dataclasses.replace(
                self._session, branches=tuple(dataclasses.replace(each, checkpoint=None) for each in session.branches)
            )
        if checkpoint and not rebuild:
            self._remember(self._session.branch, *parse_checkpoint(checkpoint, GIVEN), GIVEN)
        self._stand(self._session.branch)
        self._saved = self._content() if self._session.branch.checkpoint is not None else None

    def _load(self, branch: Branch) -> Branch:
        """Take in what the branch's checkpoint holds. One that is behind the branch is not its checkpoint any more.

        Only the current branch must have a good one; others can be trained again.
        """
        assert self._path is not None
        if branch.checkpoint is None:
            return branch
        try:
            tensors, facts = load_branch(self._session, branch.name, self._path)
            place = self._remember(branch, tensors, facts, self._path.with_name(branch.checkpoint))
        except CheckpointError:
            if branch.name == self._session.current:
                raise
            place = None
        return branch if place == branch.tip else dataclasses.replace(branch, checkpoint=None)

    def _remember(self, branch: Branch, tensors: Mapping[str, Any], facts: Mapping[str, str], where: str | Path) -> Place:
        snapshot = Snapshot({name: each for name, each in tensors.items() if not name.startswith(PREFIX)}, facts)
        try:
            self.trainer.state.restore(snapshot)
            place = Place(self.trainer.state.step, int(facts["edits"]))
            if not is_place(branch, place):
                raise ValueError(f"of step {place.step:,}, and the session of step {branch.step:,}")
            self._histories[branch.name] = History.from_tensors(tensors)
        except (SnapshotMismatch, ValueError, KeyError) as error:
            raise CheckpointError(where, f"not of this session: {error}") from None
        self.snapshots.add(past(branch, place), Kind.TIP, snapshot)
        return place

    # -- training -----------------------------------------------------------------------------------------------------

    def events(
        self, commands: CommandSource, due: Callable[[], bool], until: Until | None = None
    ) -> Iterator[Event | StepsTaken]:
        """Train, writing down what happens; suspended where the trainer is.

        Steps come as columns (`StepsTaken`) instead of one by one: whenever `due` says so, and before any other event. After
        a `Diverged` or a `StoppedEarly` the run has gone back to the last good place, or to the best.
        """
        for event in self.trainer.run(self._watched(commands), until):
            self._recorder.record(event)
            if isinstance(event, StepTaken):
                self._pending.append(event)
                self._keep_now_and_then(event.step)
                if not due() and len(self._pending) < MOST_PENDING:
                    continue
            steps = self.flush()
            if steps is not None:
                yield steps
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
                self._keep(Kind.EDIT)
            yield command

    def _keep_now_and_then(self, step: int) -> None:
        # At distances that double, from the start and from the last edit on.
        since = step - self._recorder.last_edited
        if since & (since - 1) == 0:
            self._keep(Kind.PASSED)

    def _keep(self, kind: Kind) -> Past:
        here = past(self._recorder.timeline, self.place)
        if here not in self.snapshots:
            self.snapshots.add(here, kind, self.trainer.state.snapshot())
        self.snapshots.raise_to(here, kind)
        return here

    def _react(self, event: Event) -> None:
        if isinstance(event, Evaluated):
            is_best = event.dev is not None and self.trainer.state.best.step == event.step
            here = self._keep(Kind.BEST if is_best else Kind.PASSED)
            if is_best:
                if self._best is not None:
                    self.snapshots.demote(self._best)
                self._best = here
        elif isinstance(event, (Diverged, StoppedEarly)):
            if isinstance(event, StoppedEarly) and math.isfinite(event.cost):
                self.go_to(place_before(self._recorder.timeline, event.best))
            elif isinstance(event, Diverged) and event.good < self.trainer.state.step:
                self.go_to(place_after(self._recorder.timeline, event.good))

    def flush(self) -> StepsTaken | None:
        """The steps that were not yet given out, if any; they are in the history then."""
        if not self._pending:
            return None
        steps = columns(self._pending, self.trainer.state.batches.progress)
        self._pending.clear()
        self.history.record(steps)
        return steps

    def result(self) -> Result:
        """Scores now, on train and dev and test."""
        finished = self.trainer.finish()
        return Result(finished.step, finished.epoch, finished.train, finished.dev, finished.test)

    # -- going elsewhere ----------------------------------------------------------------------------------------------

    @property
    def place(self) -> Place:
        """Where the run stands on its branch."""
        return self._recorder.place

    @property
    def session(self) -> Session:
        """All branches as they are now."""
        return self._session.with_branch(**fields_of(self._recorder.timeline))

    @property
    def history(self) -> History:
        """The curves of the current branch."""
        return self._histories[self._session.current]

    def history_of(self, name: str) -> History:
        """The curves of a branch, as far as they are known."""
        return self._histories.get(name) or History()

    def go_to(self, place: Place) -> None:
        """To a place on the current branch, or, as long as nothing was done on it, on the one that was left for it.

        What lies beyond stays, as the branch it was. Raises `ValueError`.
        """
        if place == self.place:
            return
        session = self.session
        source = session.branch
        while source.parent is not None:
            parent = session.named(source.parent)
            shared = is_place(source, place) and leads_to(past(source, place), parent, parent.tip)
            if not shared and not is_empty(session, source.name):
                break
            source = parent
        if place == source.tip:
            self.switch(source.name)
            return
        if not is_place(source, place):
            raise ValueError(f"step {place.step:,} with {place.edits} edits is not on this branch")
        left = self._park()
        branch = fork(self._session, self._session.named(source.name), place)
        self._histories[branch.name] = self.history_of(source.name).truncated(place.step)
        self._leave(left, dataclasses.replace(self._session, branches=(*self._session.branches, branch), current=branch.name))

    def switch(self, name: str) -> None:
        """To the tip of another branch. Raises `LookupError`."""
        self._session.named(name)
        if name != self._session.current:
            self._leave(self._park(), dataclasses.replace(self._session, current=name))

    @property
    def redo_branch(self) -> str:
        """The branch that was left for this place, as long as nothing was done here; else empty."""
        session = self.session
        return session.branch.parent or "" if is_empty(session, session.current) else ""

    def pass_guard(self) -> None:
        """To where the guard, or early stopping, stopped the run; a `PassGuard` given then lets it go on.

        Raises `ValueError` where the run stands neither there nor where it was put by that.
        """
        session, here = self.session, past(self.session.branch, self.place)
        onward = [each for each in session.branches if self.redo_branch and leads_to(here, each, each.tip)]
        for branch in (session.branch, *reversed(onward)):
            if branch.stops and branch.stops[-1].step == branch.step:
                self.switch(branch.name)
                return
        raise ValueError("nothing has stopped the run here")

    def _park(self) -> Branch:
        """Write down the current branch, and keep the state at its tip."""
        branch = self._recorder.branch()
        self._session = self._session.with_branch(**fields_of(branch))
        self.snapshots.add(past(branch, branch.tip), Kind.TIP, self.trainer.state.snapshot())
        return branch

    def _leave(self, left: Branch, session: Session) -> None:
        """From a branch, which is forgotten if that loses nothing, to the current one of `session`."""
        before, self._session = self._session, session
        try:
            self._stand(session.branch)
        except BaseException:  # it cannot be followed, or whoever waits for it has gone
            self._session = before
            self._stand(left)
            raise
        if is_empty(self._session, left.name) or repeats(self._session, left.name):
            self.delete(left.name)

    def _stand(self, branch: Branch) -> None:
        """Put the state to the tip of a branch: the nearest copy, then along the timeline."""
        trainer, place = self.trainer, branch.tip
        kept = self.snapshots.nearest(branch, place)
        assert kept is not None  # the start is
        start = Place(kept.past.step, len(kept.past.edits))
        trainer.state.restore(kept.snapshot)
        trainer.stand(hyperparameters_at(self._session.preset, branch, start))
        if branch.name not in self._histories:
            self._histories[branch.name] = self._shared_history(branch)
        self.journeys += 1
        self.remark = ""
        if start != place:
            # Where it stopped at the tip there is nothing to wait for: it does not go on there.
            before = tuple(stop for stop in branch.stops if stop.step < branch.step)
            self._follow(branch, Script(dataclasses.replace(branch, stops=before), start))
        if any(stop.passed and stop.step == place.step for stop in branch.stops):
            trainer.apply(PassGuard())
        self._recorder = Recorder(branch, trainer.state)

    def _shared_history(self, branch: Branch) -> History:
        """The curves as far as another branch has them too."""
        known = [each for each in self._session.branches if each.name in self._histories]
        shared = {each.name: shared_steps(branch, each) for each in known}
        nearest = max(shared, key=shared.__getitem__, default="")
        return self.history_of(nearest).truncated(shared.get(nearest, 0))

    def _follow(self, branch: Branch, script: Script) -> None:
        """Train along a timeline to its tip. What the curves have not, they take in."""
        trainer, history = self.trainer, self._histories[branch.name]
        begun, known = trainer.state.step, history.last
        pending: list[StepTaken] = []
        for event in along(trainer, script, branch.step, looking=known < branch.step):
            if isinstance(event, StepTaken):
                self._progress(event.step - begun, branch.step - begun)
                pending += [event] if event.step > known else []
                if len(pending) < MOST_PENDING:
                    continue
            if pending:
                history.record(columns(pending, trainer.state.batches.progress))
                pending.clear()
            if isinstance(event, EpochEnded):
                self.snapshots.add(past(branch, Place(event.step, script.given)), Kind.PASSED, trainer.state.snapshot())
            if isinstance(event, Evaluated) and (event.step > known or not event.step):
                history.record(event)
        if pending:
            history.record(columns(pending, trainer.state.batches.progress))
        recorded = {mark.step: mark.hash for mark in branch.marks}
        if recorded.get(branch.step, trainer.state.digest()) != trainer.state.digest():
            self.remark = "the state is not the one that was recorded: something on this machine computes otherwise"

    # -- branches -----------------------------------------------------------------------------------------------------

    def rename(self, name: str, to: str) -> None:
        """Give a branch another name. Raises `ValueError` where it is taken or none, and `LookupError`."""
        self._take_over(renamed(self.session, name, to))
        self._histories = {to if each == name else each: history for each, history in self._histories.items()}

    def describe(self, name: str, note: str) -> None:
        """Write something about a branch. Raises `LookupError`."""
        self._take_over(described(self.session, name, note))

    def delete(self, name: str) -> None:
        """Forget a branch that is not the current one. Raises `ValueError`, `LookupError`."""
        self._take_over(without(self.session, name))
        self._histories.pop(name, None)

    def _take_over(self, session: Session) -> None:
        self._session = session
        self._recorder.rebase(session.branch)

    def annotate(self, step: int, text: str, edit: int = 0) -> None:
        """A note on a step of the current branch, or on its edit of that number (from 1). Raises `ValueError`."""
        place = self.place
        if not 0 <= step <= place.step:
            raise ValueError(f"step {step:,}: expected one from 0 to {place.step:,}")
        if not 0 <= edit <= place.edits:
            raise ValueError(f"edit {edit}: the branch has {place.edits} edits")
        self._recorder.annotate(step, text, edit)

    # -- files --------------------------------------------------------------------------------------------------------

    @property
    def unsaved(self) -> bool:
        """Whether there is anything that the last save has not."""
        return self._content() != self._saved

    def _content(self) -> Session:
        session = self.session
        branches = (dataclasses.replace(each, marks=(), best=None, result=None, checkpoint=None) for each in session.branches)
        return dataclasses.replace(session, branches=tuple(branches))

    def save(self, path: Path, scored: bool = True) -> Session:
        """Write session and checkpoints. Raises `SaveError`; what was there before is still there then.

        With `scored` it is evaluated first; else the scores are those of the last evaluation.
        """
        self.flush()
        branch = self._recorder.branch(self.result() if scored else None)
        session = self._session.with_branch(**fields_of(branch))
        states, branches = {}, []
        for each in session.branches:
            if each.name == session.current:
                states[each.name] = self._checkpoint(each, self.trainer.state.snapshot())
            elif not self._is_at(path, each):
                snapshot = self.snapshots.exactly(each, each.tip) or self._from_disk(each)
                if snapshot is None:
                    each = dataclasses.replace(each, checkpoint=None)  # it can be trained again
                else:
                    states[each.name] = self._checkpoint(each, snapshot)
            branches.append(each)
        session = save(dataclasses.replace(session, branches=tuple(branches)), states, path)
        self._session, self._path = session, path
        self._recorder.rebase(session.branch)
        self._saved = self._content()
        return session

    def _is_at(self, path: Path, branch: Branch) -> bool:
        """Whether the branch's checkpoint lies beside `path` already."""
        if self._path is None or branch.checkpoint is None or os.path.realpath(self._path) != os.path.realpath(path):
            return False
        return Path(os.path.realpath(path)).with_name(branch.checkpoint).is_file()

    def _checkpoint(self, branch: Branch, snapshot: Snapshot) -> tuple[dict[str, Any], dict[str, str]]:
        facts = {**snapshot.facts, "edits": str(len(branch.edits))}
        return {**snapshot.tensors, **self.history_of(branch.name).tensors()}, facts

    def _from_disk(self, branch: Branch) -> Snapshot | None:
        """The tip of a branch whose copy had to go, from where it was saved last."""
        if self._path is None or branch.checkpoint is None:
            return None
        try:
            tensors, facts = load_branch(self._session, branch.name, self._path)
        except CheckpointError:
            return None
        return Snapshot({name: each for name, each in tensors.items() if not name.startswith(PREFIX)}, facts)

    def export(self, place: Place) -> tuple[Session, bytes]:
        """The run as it was at a place on the current branch, as a session of its own with one branch, and its checkpoint.

        The checkpoint may be of an earlier step; whoever begins with it trains the rest of the way. Raises `SaveError`.
        """
        branch = cut(self._recorder.timeline, place)
        kept = self.snapshots.nearest(branch, place)
        assert kept is not None
        if place == self.place:
            known, snapshot = past(branch, place), self.trainer.state.snapshot()
        else:
            known, snapshot = kept.past, kept.snapshot
        alone = dataclasses.replace(branch, parent=None, fork=0)
        session = dataclasses.replace(self._session, branches=(alone,), current=alone.name)
        return session, checkpoint_bytes(snapshot.tensors, {**snapshot.facts, "edits": str(len(known.edits))})


def columns(steps: list[StepTaken], progress: float) -> StepsTaken:
    """Consecutive steps as arrays, after which `progress` epochs are done."""
    table = np.array([(each.cost, each.gradient_norm, each.learning_rate) for each in steps], np.float64).T
    return StepsTaken(steps[-1].step, steps[-1].epoch, progress, *(np.ascontiguousarray(column) for column in table))


def scripted(edits: Iterable[tuple[int, str, object]]) -> CommandSource:
    """A source that gives each (step, name, value) at its step; those of one step in their order."""
    waiting = deque(edits)

    def due(step: int) -> Iterable[Command]:
        while waiting and waiting[0][0] <= step:
            _, name, value = waiting.popleft()
            yield SetHyperparameter(name, value)  # type: ignore[arg-type]

    return due
