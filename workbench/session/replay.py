"""Replay: train again from preset, seed and timeline, and compare every hash on the way."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

from workbench.engine.events import CommandRejected, Diverged, Finished, HyperparameterChanged, StepTaken
from workbench.engine.trainer import Until
from workbench.session.run import environment, fix_blas_threads, new_trainer, scripted
from workbench.session.session import Result, Session


@dataclass(frozen=True, slots=True)
class Replay:
    """What a replay found.

    Attributes:
        identical: every hash is the same, to the last step.
        through_step: the last step that was shown to be the same.
        first_difference: the first step at which something differs, or None.
        reason: what differs there.
        other_environment: what is not as it was when the session was saved. Hashes may differ for this alone, so the
            replay then goes on to the end, and compares the costs.
        largest_gap: in another environment, the largest relative difference of the final costs; None if not compared.
    """

    identical: bool
    through_step: int
    first_difference: int | None
    reason: str
    other_environment: tuple[str, ...]
    largest_gap: float | None = None


def replay(session: Session, progress: Callable[[int], None] = lambda step: None) -> Replay:
    """Train the session again. `progress` is told each step."""
    marks = {mark.step: mark.hash for mark in session.marks}
    recorded = [(edit.step, edit.name, edit.old, edit.new) for edit in session.edits]
    diverged = {each.step for each in session.divergences}
    trainer = new_trainer(session)
    fix_blas_threads(session, trainer)
    other = _other_environment(session)
    edits = scripted(session.edits)
    through = 0
    first: Replay | None = None

    def differs(step: int, reason: str) -> Replay:
        return first or Replay(False, through, step, reason, other)

    if not marks:
        return differs(0, "the session has no state hashes to compare with")
    if 0 in marks and trainer.state.digest() != marks[0]:
        return differs(0, "the state at the start is another")
    while True:  # once more after each divergence that was recorded
        for event in trainer.run(edits, Until(steps=session.step)):
            match event:
                case StepTaken(step=step):
                    progress(step)
                    if step in marks and first is None:
                        if trainer.state.digest() == marks[step]:
                            through = step
                            continue
                        first = differs(step, "the state after this step is another")
                        if not other:
                            return first
                case HyperparameterChanged():
                    expected = recorded.pop(0)
                    if (event.step, event.name, event.old, event.new) != expected:
                        was = f"{expected[1]} {expected[2]} → {expected[3]}"
                        return differs(event.step, f"the edit here is {event.name} {event.old} → {event.new}, recorded was {was}")
                case CommandRejected():
                    return differs(event.step, f"the edit of {event.name} is refused: {event.reason}")
                case Diverged():
                    if event.step - 1 not in diverged:
                        return differs(event.step, f"it diverges: {event.reason}")
                    diverged.discard(event.step - 1)
                case Finished() if recorded:
                    return differs(session.step, f"an edit at step {recorded[0][0]} lies beyond the last step")
                case Finished() if first is not None:
                    return dataclasses.replace(first, largest_gap=_largest_gap(session.result, event))
                case Finished() if through != session.step or max(marks) > session.step:
                    return differs(session.step, "the last step of the session is not the one that its last state hash is of")
                case Finished():
                    return Replay(True, through, None, "", other)


def _largest_gap(was: Result | None, now: Finished) -> float | None:
    pairs = [(was.train, now.train), (was.dev, now.dev), (was.test, now.test)] if was is not None else []
    costs = [(then.cost, here.cost) for then, here in pairs if then is not None and here is not None]
    return max((abs(then - here) / max(abs(then), abs(here), 1e-12) for then, here in costs), default=None)


def _other_environment(session: Session) -> tuple[str, ...]:
    was, now = session.environment, environment()
    if was is None:
        return ("the session does not say where it was made",)
    names = ("workbench", "python", "numpy", "blas", "blas_threads", "platform")
    pairs = {name: (getattr(was, name), getattr(now, name)) for name in names}
    return tuple(f"{name}: {then} then, {here} now" for name, (then, here) in pairs.items() if then != here)
