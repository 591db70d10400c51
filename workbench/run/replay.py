"""Replay: train every branch again from preset, seed and timeline, and compare every hash on the way."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from workbench.engine.events import CommandRejected, Diverged, HyperparameterChanged, StepTaken, StoppedEarly
from workbench.engine.trainer import Trainer, Until
from workbench.run.environment import ARITHMETIC, environment, fix_blas_threads
from workbench.run.navigation import Progress
from workbench.run.run import new_trainer
from workbench.run.snapshots import Kind, Snapshots
from workbench.session.branch import Branch, Place, Result
from workbench.session.session import Session
from workbench.session.timeline import Script, hyperparameters_at, past

TOLERANCE = 0.5
"""Relative difference of the final costs. In a long run round-off grows until two runs share the level of the cost alone."""


@dataclass(frozen=True, slots=True)
class Replay:
    """What a replay found on a branch.

    Attributes:
        branch: its name.
        identical: every hash is the same, to the last step.
        through_step: the last step that was shown to be the same.
        first_difference: the first step at which something differs, or None.
        reason: what differs there.
        other_environment: what is not as it was when the session was saved. Hashes may differ for this alone, so the
            replay then goes on to the end, and compares the costs.
        largest_gap: in another environment, the largest relative difference of the final costs; None if not compared.
        arithmetic: the version of the arithmetic that the session was trained with.
    """

    branch: str
    identical: bool
    through_step: int
    first_difference: int | None
    reason: str
    other_environment: tuple[str, ...]
    largest_gap: float | None = None
    arithmetic: int = ARITHMETIC

    @property
    def as_recorded(self) -> bool:
        """Identical; or, of another arithmetic, whose bits must differ, the same within `TOLERANCE`."""
        alike = self.largest_gap is not None and self.largest_gap <= TOLERANCE
        return self.identical or (self.arithmetic != ARITHMETIC and alike)

    @property
    def comparison(self) -> str:
        """What is to be said where the arithmetic is another, whose bits cannot be the same; else nothing."""
        if self.arithmetic == ARITHMETIC:
            return ""
        text = f"arithmetic {self.arithmetic}, this is {ARITHMETIC}: compared within a tolerance: "
        if self.largest_gap is None:
            return f"{text}no costs to compare ({self.reason or 'the session has none of its last step'})"
        return f"{text}final costs differ by {self.largest_gap:.2g} of themselves at the most; {TOLERANCE:g} is tolerated"


def replay(session: Session, progress: Progress = lambda step, steps: None) -> tuple[Replay, ...]:
    """Train every branch again, a parent before its children, which go on from where they left it.

    `progress` is told each step that is trained, and at which step its branch ends.
    """
    trainer = new_trainer(session)
    fix_blas_threads(session, trainer)
    other = _other_environment(session)
    known = Snapshots()
    known.add(past(session.branch, Place(0, 0)), Kind.START, trainer.state.snapshot())
    return tuple(_Again(session, branch, trainer, known, other, progress).train() for branch in session.branches)


class _Again:
    """One branch, trained again."""

    def __init__(
        self, session: Session, branch: Branch, trainer: Trainer, known: Snapshots, other: tuple[str, ...],
        progress: Progress,
    ) -> None:  # fmt: skip
        self.branch, self.trainer, self.known, self.other, self.progress = branch, trainer, known, other, progress
        self.marks = {mark.step: mark.hash for mark in branch.marks}
        self.forks = {each.fork for each in session.branches if each.parent == branch.name}
        kept = known.nearest(branch, branch.tip)
        assert kept is not None  # the start is
        self.start = Place(kept.past.step, len(kept.past.edits))
        self.script = Script(branch, self.start)
        trainer.restore(kept.snapshot, hyperparameters_at(session.preset, branch, self.start))
        self.arithmetic = ARITHMETIC if session.environment is None else session.environment.arithmetic
        self.through = 0
        self.first: Replay | None = None

    def train(self) -> Replay:
        branch, state = self.branch, self.trainer.state
        if not self.marks:
            return self.differs(0, "the session has no state hashes to compare with")
        self.compare(self.start.step)
        if self.first is not None and not self.other:
            return self.first
        ended = False
        while not ended:
            # A stop at the very end was come to by trying one step more.
            beyond = any(stop.step == branch.step for stop in self.script.waiting)
            stopped = None
            # Beyond the last hash there is nothing to compare with, however many steps the file speaks of.
            last = min(branch.step, max(self.marks))
            run = self.trainer.run(self.script, Until(steps=last + (beyond and last == branch.step)))
            for event in run:
                match event:
                    case StepTaken(step=step):
                        found = self.step(step)
                        if found is not None:
                            return found
                    case HyperparameterChanged(planned=False):
                        edit = branch.edits[self.script.given - 1]
                        if (event.step, event.name, event.old, event.new) != (edit.step, edit.name, edit.old, edit.new):
                            was = f"recorded was {edit.name} {edit.old} → {edit.new}"
                            return self.differs(event.step, f"the edit here is {event.name} {event.old} → {event.new}, {was}")
                    case CommandRejected():
                        return self.differs(event.step, f"the edit of {event.name} is refused: {event.reason}")
                    case Diverged() | StoppedEarly():
                        stopped = event
                    case _:
                        pass
            ended = stopped is None
            if isinstance(stopped, Diverged | StoppedEarly) and not self.script.stopped(state.step):
                what = f"it diverges: {stopped.reason}" if isinstance(stopped, Diverged) else "it stops early"
                return self.differs(stopped.step, what)
        return self.end()

    def step(self, step: int) -> Replay | None:
        """After each step: what differs, if the replay should end with it."""
        self.progress(step, self.branch.step)
        self.compare(step)
        if step in self.forks:
            self.known.add(past(self.branch, Place(step, self.script.given)), Kind.TIP, self.trainer.state.snapshot())
        waiting = self.script.waiting
        if waiting and waiting[0].step < step:
            return self.differs(step, f"it did not stop after step {waiting[0].step}, as recorded ({waiting[0].reason})")
        return self.first if self.first is not None and not self.other else None

    def compare(self, step: int) -> None:
        if step not in self.marks or self.first is not None or self.arithmetic != ARITHMETIC:
            return
        if self.trainer.state.digest() == self.marks[step]:
            self.through = step
        else:
            where = "at the start" if not step else "after this step"
            self.first = self.differs(step, f"the state {where} is another")

    def differs(self, step: int, reason: str) -> Replay:
        return self.first or Replay(self.branch.name, False, self.through, step, reason, self.other, None, self.arithmetic)

    def end(self) -> Replay:
        branch = self.branch
        if self.script.given < len(branch.edits):
            step = branch.edits[self.script.given].step
            return self.differs(branch.step, f"an edit at step {step} lies beyond the last step")
        if self.arithmetic != ARITHMETIC:
            return dataclasses.replace(self.differs(branch.step, ""), largest_gap=self.largest_gap())
        if self.first is not None:
            return dataclasses.replace(self.first, largest_gap=self.largest_gap())
        if self.through != branch.step or max(self.marks) > branch.step:
            return self.differs(branch.step, "the last step of the session is not the one that its last state hash is of")
        return Replay(branch.name, True, self.through, None, "", self.other)

    def largest_gap(self) -> float | None:
        was, now = self.branch.result, self.trainer.finish()
        if was is None or was.step != now.step:
            return None
        return _largest_gap(was, Result(now.step, now.epoch, now.train, now.dev, now.test))


def _largest_gap(was: Result, now: Result) -> float | None:
    pairs = ((was.train, now.train), (was.dev, now.dev), (was.test, now.test))
    costs = [(then.cost, here.cost) for then, here in pairs if then is not None and here is not None]
    return max((abs(then - here) / max(abs(then), abs(here), 1e-12) for then, here in costs), default=None)


def _other_environment(session: Session) -> tuple[str, ...]:
    was, now = session.environment, environment()
    if was is None:
        return ("the session does not say where it was made",)
    names = ("workbench", "python", "numpy", "blas", "blas_threads", "platform", "arithmetic")
    pairs = {name: (getattr(was, name), getattr(now, name)) for name in names}
    return tuple(f"{name}: {then} then, {here} now" for name, (then, here) in pairs.items() if then != here)
