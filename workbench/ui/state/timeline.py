"""The timeline as it is looked at: what happened on a branch, in the order in which it happened, each in its own type."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from workbench.engine.commands import Planned
from workbench.session.branch import Branch, Edit, Note, Stop


@dataclass(frozen=True, slots=True)
class Made:
    """An edit that was made: which of the branch's, from 1, and why it has no effect for now, where it has none."""

    edit: Edit
    number: int
    effect: str = ""

    @property
    def step(self) -> int:
        """After which it was taken."""
        return self.edit.step


Happening = Made | Stop | Note | Planned


def happenings(branch: Branch, plan: Iterable[Planned], effects: dict[int, str]) -> list[Happening]:
    """Edits, stops, notes, and the changes of the plan so far, by their steps.

    Of one step the plan's come first, then edits and stops as they followed each other, then notes. `effects` has what is to
    be said of an edit's effect by its number.
    """
    order: list[tuple[tuple[int, float], Happening]] = []
    order += [((each.step, -1.0), each) for each in plan if each.step <= branch.step]
    for number, edit in enumerate(branch.edits, start=1):
        order.append(((edit.step, float(number)), Made(edit, number, effects.get(number, ""))))
    order += [((stop.step, stop.edits + 0.5), stop) for stop in branch.stops]
    order += [((note.step, float("inf")), note) for note in branch.notes]
    return [each for _, each in sorted(order, key=lambda pair: pair[0])]
