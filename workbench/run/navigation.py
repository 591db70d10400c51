"""Going elsewhere: to any other place of any branch of a run, from the nearest copy of the state and along the timeline."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from workbench.engine.commands import PassGuard
from workbench.engine.events import EpochEnded, Evaluated, StepTaken
from workbench.engine.history import History, columns
from workbench.engine.trainer import Trainer
from workbench.run.environment import ARITHMETIC
from workbench.run.retrace import retrace
from workbench.run.snapshots import Kind
from workbench.run.tree import Tree
from workbench.session.branch import Branch, Place
from workbench.session.branches import is_empty, repeats
from workbench.session.session import Session
from workbench.session.timeline import Script, fork, hyperparameters_at, is_place, leads_to, past

MOST_PENDING = 4096
"""Steps that are held back at most, however seldom somebody wants them."""

Progress = Callable[[int, int], None]
"""Told how many steps of how many have been trained again."""


class Navigation:
    """Puts the trainer to places of the tree, and the tree's current branch with it.

    Attributes:
        journeys: how often the state was put to another place.
        remark: what is to be said of the last journey: a hash that is not the recorded one.
    """

    def __init__(self, tree: Tree, trainer: Trainer, progress: Progress) -> None:
        self._tree, self._trainer, self._progress = tree, trainer, progress
        self.journeys = 0
        self.remark = ""

    @property
    def redo_branch(self) -> str:
        """The branch that was left for this place, as long as nothing was done here; else empty."""
        session = self._tree.session
        return session.branch.parent or "" if is_empty(session, session.current) else ""

    def go_to(self, place: Place) -> None:
        """To a place on the current branch, or, as long as nothing was done on it, on the one that was left for it.

        What lies beyond stays, as the branch it was. Raises `ValueError`.
        """
        if place == self._tree.place:
            return
        source = self._source_of(place)
        if place == source.tip:
            self.switch(source.name)
            return
        if not is_place(source, place):
            raise ValueError(f"step {place.step:,} with {place.edits} edits is not on this branch")
        left = self._tree.park()
        session = self._tree.written
        branch = fork(session, session.named(source.name), place)
        self._tree.take_history(branch.name, self._tree.history_of(source.name).truncated(place.step))
        self._leave(left, dataclasses.replace(session, branches=(*session.branches, branch), current=branch.name))

    def _source_of(self, place: Place) -> Branch:
        """The branch to leave for a place: the first that has it as its own, from the current one towards the root."""
        session = self._tree.session
        source = session.branch
        while source.parent is not None:
            parent = session.named(source.parent)
            shared = is_place(source, place) and leads_to(past(source, place), parent, parent.tip)
            if not shared and not is_empty(session, source.name):
                break
            source = parent
        return source

    def switch(self, name: str) -> None:
        """To the tip of another branch. Raises `LookupError`."""
        self._tree.written.named(name)
        if name != self._tree.written.current:
            left = self._tree.park()
            self._leave(left, dataclasses.replace(self._tree.written, current=name))

    def pass_guard(self) -> None:
        """To where the guard, or early stopping, stopped the run; a `PassGuard` given then lets it go on.

        Raises `ValueError` where the run stands neither there nor where it was put by that.
        """
        session, here = self._tree.session, past(self._tree.session.branch, self._tree.place)
        onward = [each for each in session.branches if self.redo_branch and leads_to(here, each, each.tip)]
        for branch in (session.branch, *reversed(onward)):
            if branch.stops and branch.stops[-1].step == branch.step:
                self.switch(branch.name)
                return
        raise ValueError("nothing has stopped the run here")

    def _leave(self, left: Branch, session: Session) -> None:
        """From a branch, which is forgotten if that loses nothing, to the current one of `session`."""
        before, self._tree.written = self._tree.written, session
        try:
            self.stand(session.branch)
        except BaseException:  # it cannot be followed, or whoever waits for it has gone
            self._tree.written = before
            self.stand(left)
            raise
        if is_empty(self._tree.written, left.name) or repeats(self._tree.written, left.name):
            self._tree.delete(left.name)

    def stand(self, branch: Branch) -> None:
        """Put the state to the tip of the current branch: the nearest copy, then along the timeline. Raises `CannotFollow`."""
        trainer, place = self._trainer, branch.tip
        kept = self._tree.snapshots.nearest(branch, place)
        assert kept is not None  # the start is
        start = Place(kept.past.step, len(kept.past.edits))
        trainer.restore(kept.snapshot, hyperparameters_at(self._tree.written.preset, branch, start))
        history = self._tree.share_history(branch)
        self.journeys += 1
        self.remark = ""
        if start != place:
            # Where it stopped at the tip there is nothing to wait for: it does not go on there.
            before = tuple(stop for stop in branch.stops if stop.step < branch.step)
            self._follow(branch, Script(dataclasses.replace(branch, stops=before), start), history)
        if any(stop.passed and stop.step == place.step for stop in branch.stops):
            trainer.apply(PassGuard())
        self._tree.grow(branch)

    def _follow(self, branch: Branch, script: Script, history: History) -> None:
        """Train along a timeline to its tip. What the curves have not, they take in."""
        trainer, snapshots = self._trainer, self._tree.snapshots
        begun, known = trainer.state.step, history.last
        pending: list[StepTaken] = []
        for event in retrace(trainer, script, branch.step, looking=known < branch.step):
            if isinstance(event, StepTaken):
                self._progress(event.step - begun, branch.step - begun)
                pending += [event] if event.step > known else []
                if len(pending) < MOST_PENDING:
                    continue
            if pending:
                history.record(columns(pending, trainer.state.batches.progress))
                pending.clear()
            if isinstance(event, EpochEnded):
                snapshots.add(past(branch, Place(event.step, script.given)), Kind.PASSED, trainer.state.snapshot())
            if isinstance(event, Evaluated) and (event.step > known or not event.step):
                history.record(event)
        if pending:
            history.record(columns(pending, trainer.state.batches.progress))
        recorded = {mark.step: mark.hash for mark in branch.marks}
        if recorded.get(branch.step, trainer.state.digest()) != trainer.state.digest():
            environment = self._tree.written.environment
            earlier = environment is not None and environment.arithmetic != ARITHMETIC
            who = "an earlier workbench, which began this run, computed" if earlier else "something on this machine computes"
            self.remark = f"the state is not the one that was recorded: {who} otherwise"
