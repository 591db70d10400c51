"""A branch as a value: one timeline of a run, what was done on it, what it has come to, and how an event makes it grow.

Marks and result are its proof. Knows neither the session that it belongs to, nor its TOML form, nor its files.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

from workbench.engine.events import (
    Columns,
    CommandRejected,
    Diverged,
    EpochEnded,
    EpochsEnded,
    Evaluated,
    Event,
    Finished,
    GuardPassed,
    HyperparameterChanged,
    StepsTaken,
    StepTaken,
    StoppedEarly,
)
from workbench.engine.measurements import Score
from workbench.spec import Value

MAIN = "main"


@dataclass(frozen=True, slots=True)
class Edit:
    """A hyperparameter changed after `step` steps were done; `name` may be one layer's, as `keep_prob.2`.

    `undoes` is the number (from 1, in its branch) of the edit that this one takes back; 0 for an edit in its own right.
    """

    step: int
    name: str
    old: Value
    new: Value
    note: str = ""
    undoes: int = 0


@dataclass(frozen=True, slots=True)
class Note:
    """What somebody wrote down after `step` steps."""

    step: int
    text: str


@dataclass(frozen=True, slots=True)
class Mark:
    """The state hash (SHA-256, 64 hexadecimal digits) after `step` steps."""

    step: int
    hash: str


@dataclass(frozen=True, slots=True)
class Result:
    """What the run has come to, after `step` steps and in its `epoch`-th pass."""

    step: int
    epoch: int
    train: Score
    dev: Score | None = None
    test: Score | None = None


@dataclass(frozen=True, slots=True)
class Stop:
    """Training stopped by itself after `step` steps and `edits` edits: the guard, or early stopping.

    Attributes:
        reason: what happened, for people.
        rows: the train examples of the mini-batch that was not committed.
        passed: the user went on anyway. What was not finite was left out then, what had risen was committed.
    """

    step: int
    edits: int
    reason: str
    rows: tuple[int, ...] = ()
    passed: bool = False


@dataclass(frozen=True, slots=True)
class Best:
    """The best dev cost so far, without penalties, and after how many steps it was found."""

    step: int
    cost: float


@dataclass(frozen=True, slots=True)
class Place:
    """A point in a branch: so many steps done, so many of its edits taken."""

    step: int
    edits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """One timeline, from step 0 to its tip, whole: what it shares with its parent included.

    Attributes:
        name: its own among the session's branches.
        parent: the branch it left after `fork` steps; None for the first.
        note: what somebody wrote about it.
        edits, notes, stops, marks: in order of their steps.
        step: steps done at its tip.
        best: best dev cost on the way.
        result: scores at the last evaluation.
        checkpoint: bare name of the file beside the session's own with the tensors at the tip.
        trained_from: digest of what these tensors were trained from, as of when they were written.
    """

    name: str = MAIN
    parent: str | None = None
    fork: int = 0
    note: str = ""
    edits: tuple[Edit, ...] = ()
    notes: tuple[Note, ...] = ()
    stops: tuple[Stop, ...] = ()
    marks: tuple[Mark, ...] = ()
    step: int = 0
    best: Best | None = None
    result: Result | None = None
    checkpoint: str | None = None
    trained_from: str | None = None

    @property
    def tip(self) -> Place:
        """Its last place."""
        return Place(self.step, len(self.edits))

    def without_checkpoint(self) -> Branch:
        """The same, to be trained again where its tensors are wanted."""
        return dataclasses.replace(self, checkpoint=None, trained_from=None)

    def after(self, event: Event | Columns) -> Branch:
        """The branch with one more event of its run in it; all but the marks, which need the state.

        Whoever folds the events of a run, in the run itself or on the other side of a wire, comes to the same branch.
        """
        match event:
            case StepTaken() | StepsTaken():
                return dataclasses.replace(self, step=event.step)
            case HyperparameterChanged(planned=False):
                edit = Edit(event.step, event.name, event.old, event.new, undoes=event.undoes)
                return dataclasses.replace(self, edits=(*self.edits, edit))
            case Diverged():
                return self._stopped(Stop(event.step - 1, len(self.edits), event.reason, event.rows))
            case StoppedEarly():
                least = f"{event.cost:.4g}, after step {event.best:,}"
                reason = f"the dev cost without penalties has not been better than {least}, for long enough"
                return self._stopped(Stop(event.step, len(self.edits), reason))
            case GuardPassed() if self.stops and self.stops[-1].step == event.step:
                return dataclasses.replace(self, stops=(*self.stops[:-1], dataclasses.replace(self.stops[-1], passed=True)))
            case Evaluated(look=False):
                result = Result(event.step, event.epoch, event.train, event.dev)
                return dataclasses.replace(self, best=self._best_after(event), result=result)
            case Finished():
                return dataclasses.replace(self, result=Result(event.step, event.epoch, event.train, event.dev, event.test))
            case HyperparameterChanged() | GuardPassed() | Evaluated() | CommandRejected() | EpochEnded() | EpochsEnded():
                return self

    def _stopped(self, stop: Stop) -> Branch:
        last = self.stops[-1] if self.stops else None
        if last is not None and (last.step, last.edits, last.passed) == (stop.step, stop.edits, False):
            return self  # it is the same stop once more
        return dataclasses.replace(self, stops=(*self.stops, stop))

    def _best_after(self, event: Evaluated) -> Best | None:
        """Of each step one evaluation counts, and NaN is never the best."""
        known = self.best or Best(-1, math.inf)
        if event.dev is None or event.step == known.step or not event.dev.data_cost < known.cost:
            return self.best
        return Best(event.step, event.dev.data_cost)

    def annotated(self, step: int, text: str, edit: int = 0) -> Branch:
        """With a note on a step, or on edit number `edit` (from 1) instead; an empty text takes the note away."""
        if edit:
            changed = dataclasses.replace(self.edits[edit - 1], note=text)
            return dataclasses.replace(self, edits=(*self.edits[: edit - 1], changed, *self.edits[edit:]))
        notes = [each for each in self.notes if each.step != step] + ([Note(step, text)] if text else [])
        return dataclasses.replace(self, notes=tuple(sorted(notes, key=lambda note: note.step)))
