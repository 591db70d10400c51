"""The run as it is written down: a session grows by the events of its trainer.

Takes the state's hash where replay will want to compare: at every edit and at the step after it (where a tampered edit
first shows), at every `interval` steps, and at the end. The interval doubles whenever there are more than `MOST` of
the regular ones, so the notebook of a long run stays readable.
"""

from __future__ import annotations

import dataclasses

from workbench.engine.events import (
    CommandRejected,
    Diverged,
    EpochEnded,
    Evaluated,
    Event,
    Finished,
    HyperparameterChanged,
    StepTaken,
)
from workbench.engine.state import State
from workbench.session.session import Divergence, Edit, Mark, Result, Session

FIRST_INTERVAL = 100
MOST = 64


class Recorder:
    """Builds the session of a run that is going on."""

    def __init__(self, session: Session, state: State) -> None:
        self._session, self._state = session, state
        self._marks = {mark.step: mark.hash for mark in session.marks}
        self._edits, self._divergences = list(session.edits), list(session.divergences)
        self._interval = FIRST_INTERVAL
        self._result = session.result

    def take(self, event: Event) -> None:
        """Write down one event, while the trainer is suspended at it."""
        match event:
            case StepTaken(step=step):
                if step % self._interval == 0 or (self._edits and self._edits[-1].step == step - 1):
                    self.mark()
            case HyperparameterChanged():
                self.mark()
                self._edits.append(Edit(event.step, event.name, event.old, event.new))
            case Diverged():
                self._divergences.append(Divergence(event.step - 1, event.reason))
            case Evaluated():
                self._result = Result(event.step, event.epoch, event.train, event.dev)
            case Finished():
                self._result = Result(event.step, event.epoch, event.train, event.dev, event.test)
            case CommandRejected() | EpochEnded():
                pass

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

    def session(self, result: Result) -> Session:
        """The session as of now, with a mark at its last step and this result."""
        self.mark()
        return dataclasses.replace(
            self._session,
            edits=tuple(self._edits),
            marks=tuple(Mark(step, self._marks[step]) for step in sorted(self._marks)),
            divergences=tuple(self._divergences),
            result=result,
        )
