"""The run as it is written down: a branch grows by the events of its trainer.

Takes the state's hash where replay will want to compare: at every edit and at the step after it (where a tampered edit
first shows), at every `interval` steps, and at the end. The interval doubles whenever there are more than `MOST` of
the regular ones, so the file of a long run stays readable.
"""

from __future__ import annotations

import dataclasses
import math

from workbench.engine.events import (
    CommandRejected,
    Diverged,
    EpochEnded,
    Evaluated,
    Event,
    Finished,
    GuardPassed,
    HyperparameterChanged,
    StepTaken,
    StoppedEarly,
)
from workbench.engine.state import State
from workbench.session.branch import Best, Branch, Edit, Mark, Note, Place, Result, Stop

FIRST_INTERVAL = 100
MOST = 64


class Recorder:
    """Builds the branch of a run that is going on."""

    def __init__(self, branch: Branch, state: State) -> None:
        self._branch, self._state = branch, state
        self._marks = {mark.step: mark.hash for mark in branch.marks}
        self._edits, self._stops, self._notes = list(branch.edits), list(branch.stops), list(branch.notes)
        self._interval = FIRST_INTERVAL
        self._result = branch.result
        self._based = self.place

    @property
    def place(self) -> Place:
        """Where the branch has come to."""
        return Place(self._state.step, len(self._edits))

    @property
    def last_edited(self) -> int:
        """The step of the last edit, 0 before the first."""
        return self._edits[-1].step if self._edits else 0

    @property
    def timeline(self) -> Branch:
        """The branch as of now, without a mark at its tip."""
        best = self._state.best
        return dataclasses.replace(
            self._branch,
            edits=tuple(self._edits),
            notes=tuple(self._notes),
            stops=tuple(self._stops),
            marks=tuple(Mark(step, self._marks[step]) for step in sorted(self._marks)),
            step=self._state.step,
            best=Best(best.step, best.cost) if math.isfinite(best.cost) else None,
            result=self._result,
            checkpoint=self._branch.checkpoint if self.place == self._based else None,
        )

    def branch(self, result: Result | None = None) -> Branch:
        """The branch as of now, with a mark at its tip, and this result instead of the last evaluation's."""
        self.mark()
        self._result = result or self._result
        return self.timeline

    def rebase(self, branch: Branch) -> None:
        """The branch has another name, parent or note, or its checkpoint is of this place."""
        self._branch, self._based = branch, self.place

    def record(self, event: Event) -> None:
        """Write down one event, while the trainer is suspended at it."""
        match event:
            case StepTaken(step=step):
                if step % self._interval == 0 or (self._edits and self._edits[-1].step == step - 1):
                    self.mark()
            case HyperparameterChanged(planned=True):
                self.mark()
            case HyperparameterChanged():
                self.mark()
                self._edits.append(Edit(event.step, event.name, event.old, event.new, undoes=event.undoes))
            case Diverged():
                self._stop(Stop(event.step - 1, len(self._edits), event.reason, event.rows))
            case StoppedEarly():
                reason = f"the dev cost has not been better than {event.cost:.4g}, after step {event.best:,}, for long enough"
                self._stop(Stop(event.step, len(self._edits), reason))
            case GuardPassed():
                if self._stops and self._stops[-1].step == event.step:
                    self._stops[-1] = dataclasses.replace(self._stops[-1], passed=True)
            case Evaluated():
                self._result = Result(event.step, event.epoch, event.train, event.dev)
            case Finished():
                self._result = Result(event.step, event.epoch, event.train, event.dev, event.test)
            case CommandRejected() | EpochEnded():
                pass

    def _stop(self, stop: Stop) -> None:
        last = self._stops[-1] if self._stops else None
        if last is None or (last.step, last.edits, last.passed) != (stop.step, stop.edits, False):
            self._stops.append(stop)  # else it is the same stop once more

    def annotate(self, step: int, text: str, edit: int = 0) -> None:
        """A note on a step, or on edit number `edit` (from 1) instead; an empty text takes the note away."""
        if edit:
            self._edits[edit - 1] = dataclasses.replace(self._edits[edit - 1], note=text)
        else:
            notes = [each for each in self._notes if each.step != step] + ([Note(step, text)] if text else [])
            self._notes = sorted(notes, key=lambda note: note.step)

    def mark(self) -> str:
        """Take the hash of the state as it is, and return it."""
        step = self._state.step
        self._marks[step] = self._state.digest()
        if sum(each % self._interval == 0 for each in self._marks) > MOST:
            self._interval *= 2
            edits = {edit.step + after for edit in self._edits for after in (0, 1)}
            self._marks = {each: digest for each, digest in self._marks.items() if each % self._interval == 0 or each in edits}
            self._marks[step] = self._state.digest()
        return self._marks[step]
