"""The run as it is written down: its branch, which grows by the events of its trainer (`Branch.after`), with state hashes.

Takes the state's hash where replay will want to compare: at every edit and at the step after it (where a tampered edit
first shows), at every `interval` steps, and at the end. The interval doubles whenever there are more than `MOST` of
the regular ones, so the file of a long run stays readable.
"""

from __future__ import annotations

import dataclasses
import math

from workbench.engine.events import Event, HyperparameterChanged, StepTaken
from workbench.engine.state import State
from workbench.session.branch import Best, Branch, Mark, Place, Result
from workbench.session.timeline import Past, decision, passes

FIRST_INTERVAL = 100
MOST = 64


class Recorder:
    """Builds the branch of a run that is going on."""

    def __init__(self, branch: Branch, state: State) -> None:
        best = state.best  # of all that the state has been through, also where the branch was cut from a longer one
        self._branch = dataclasses.replace(branch, best=Best(best.step, best.cost) if math.isfinite(best.cost) else None)
        self._state = state
        self._marks = {mark.step: mark.hash for mark in branch.marks}
        self._interval = FIRST_INTERVAL
        self._regular = self._count_regular()
        self._decisions = tuple(map(decision, branch.edits))
        self._based = self.place

    @property
    def place(self) -> Place:
        """Where the branch has come to."""
        return Place(self._state.step, len(self._branch.edits))

    @property
    def past(self) -> Past:
        """What was decided before that place. It grows by an edit at a time: gathered anew, many would take long."""
        return Past(self._state.step, self._decisions, passes(self._branch, self._state.step))

    @property
    def last_edited(self) -> int:
        """The step of the last edit, 0 before the first."""
        return self._branch.edits[-1].step if self._branch.edits else 0

    @property
    def timeline(self) -> Branch:
        """The branch as of now, without a mark at its tip."""
        return dataclasses.replace(
            self._branch,
            marks=tuple(Mark(step, self._marks[step]) for step in sorted(self._marks)),
            step=self._state.step,
            checkpoint=self._branch.checkpoint if self.place == self._based else None,
            trained_from=self._branch.trained_from if self.place == self._based else None,
        )

    def branch(self, result: Result | None = None) -> Branch:
        """The branch as of now, with a mark at its tip, and this result instead of the last evaluation's."""
        self.mark()
        self._branch = dataclasses.replace(self._branch, result=result or self._branch.result)
        return self.timeline

    def rebase(self, branch: Branch) -> None:
        """The branch has another name, parent or note, or its checkpoint is of this place."""
        self._branch, self._based = branch, self.place

    def record(self, event: Event) -> None:
        """Write down one event, while the trainer is suspended at it."""
        if isinstance(event, StepTaken):  # its step is that of the state, which is asked when somebody wants to know
            edits = self._branch.edits
            if event.step % self._interval == 0 or (edits and edits[-1].step == event.step - 1):
                self.mark()
            return
        if isinstance(event, HyperparameterChanged):
            self.mark()
        self._branch = self._branch.after(event)
        self._decisions += tuple(map(decision, self._branch.edits[len(self._decisions) :]))

    def annotate(self, step: int, text: str, edit: int = 0) -> None:
        """A note on a step, or on edit number `edit` (from 1) instead; an empty text takes the note away."""
        self._branch = self._branch.annotated(step, text, edit)

    def mark(self) -> str:
        """Take the hash of the state as it is, and return it."""
        step, digest = self._state.step, self._state.digest()
        self._regular += step % self._interval == 0 and step not in self._marks
        self._marks[step] = digest
        if self._regular > MOST:
            self._interval *= 2
            edits = {edit.step + after for edit in self._branch.edits for after in (0, 1)}
            self._marks = {each: known for each, known in self._marks.items() if each % self._interval == 0 or each in edits}
            self._marks[step] = digest
            self._regular = self._count_regular()
        return digest

    def _count_regular(self) -> int:
        return sum(step % self._interval == 0 for step in self._marks)
