"""The timeline of a branch: what was in force where, what can be undone, and its edits as commands to train by again.

Pure functions of a `Branch`. A place (steps done, edits taken) and what was decided before it determine the state of the
run to the bit, whatever the branch is called.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from workbench.engine.commands import Command, PassGuard, Planned, SetHyperparameter
from workbench.hyperparameters import Hyperparameters, assign
from workbench.session.branch import Branch, Edit, Place, Stop
from workbench.session.preset import Preset
from workbench.session.session import Session

Decision = tuple[int, *tuple[object, ...]]
"""A step, and what was decided after it."""


@dataclass(frozen=True, slots=True)
class Past:
    """All that was decided before a place: with preset and seed, the state is a function of it and of the step."""

    step: int
    edits: tuple[Decision, ...]
    passes: tuple[Decision, ...]

    def __hash__(self) -> int:
        """Of what tells most pasts apart. All of it would be gone through again for each edit of thousands."""
        return hash((self.step, len(self.edits), self.edits[-1:], len(self.passes)))


def past(branch: Branch, place: Place) -> Past:
    """What was decided on a branch before a place on it."""
    return Past(place.step, tuple(map(decision, branch.edits[: place.edits])), passes(branch, place.step))


def decision(edit: Edit) -> Decision:
    """What an edit decided, whatever was in force before it."""
    return edit.step, edit.name, edit.new


def passes(branch: Branch, step: int) -> tuple[Decision, ...]:
    """Where the guard was passed on a branch, as far as that shows after `step` steps."""
    # What was passed at this very step applies at the next, so it belongs to the past of later places only.
    return tuple((stop.step, stop.edits) for stop in branch.stops if stop.passed and stop.step < step)


def leads_to(known: Past, branch: Branch, place: Place) -> bool:
    """Whether training on from `known` along the branch comes to `place`."""
    taken = len(known.edits)
    if known.step > place.step or taken > place.edits:
        return False
    if taken < len(branch.edits) and branch.edits[taken].step < known.step:
        return False
    return known == past(branch, Place(known.step, taken))


def shared_steps(one: Branch, other: Branch) -> int:
    """Up to which step two branches were decided alike, and so went alike."""
    step = min(one.step, other.step)
    first, second = past(one, one.tip), past(other, other.tip)
    for mine, yours in ((first.edits, second.edits), (first.passes, second.passes)):
        unlike = (i for i, (a, b) in enumerate(zip(mine, yours, strict=False)) if a != b)
        alike = next(unlike, min(len(mine), len(yours)))
        step = min([step, *(each[alike][0] for each in (mine, yours) if alike < len(each))])
    return step


def hyperparameters_at(preset: Preset, branch: Branch, place: Place) -> Hyperparameters:
    """What is in force at a place: the preset's, its plan up to there, and the edits taken."""
    training = preset.training
    for _, name, value in _changes(preset, branch, place):
        training = assign(training, name, value)
    return training


def batch_sizes(preset: Preset, branch: Branch, place: Place) -> list[tuple[int, int]]:
    """The batch sizes up to a place, each with the step after which it came into force."""
    sizes = {0: preset.training.batch_size}
    sizes |= {step: value for step, name, value in _changes(preset, branch, place) if name == "batch_size"}
    return list(sizes.items())


def _changes(preset: Preset, branch: Branch, place: Place) -> list[tuple[int, str, Any]]:
    """What the plan and the edits changed up to a place, in order; of one step, the plan comes first."""
    changes = [(each.step, each.name, each.value) for each in preset.plan if each.step <= place.step]
    changes += [(each.step, each.name, each.new) for each in branch.edits[: place.edits]]
    return sorted(changes, key=lambda change: change[0])


def is_place(branch: Branch, place: Place) -> bool:
    """Whether the branch leads through a place."""
    edits = branch.edits
    if not 0 <= place.step <= branch.step or not 0 <= place.edits <= len(edits):
        return False
    taken = not place.edits or edits[place.edits - 1].step <= place.step
    return taken and (place.edits == len(edits) or edits[place.edits].step >= place.step)


def place_before(branch: Branch, step: int) -> Place:
    """Right after `step` was taken, before the edits made there."""
    return Place(step, sum(edit.step < step for edit in branch.edits))


def place_after(branch: Branch, step: int) -> Place:
    """Right after `step` was taken and the edits made there."""
    return Place(step, sum(edit.step <= step for edit in branch.edits))


def cut(branch: Branch, place: Place) -> Branch:
    """The branch as it was at a place on it."""
    step = place.step
    return dataclasses.replace(
        branch,
        edits=branch.edits[: place.edits],
        notes=tuple(each for each in branch.notes if each.step <= step),
        stops=tuple(each for each in branch.stops if each.step < step or (each.step == step and each.edits <= place.edits)),
        marks=tuple(each for each in branch.marks if each.step <= step),
        step=step,
        best=branch.best if branch.best is not None and branch.best.step <= step else None,
        result=branch.result if branch.result is not None and branch.result.step <= step else None,
        checkpoint=None,
        trained_from=None,
    )


def fork(session: Session, parent: Branch, place: Place) -> Branch:
    """A new branch that leaves `parent` at a place on it."""
    name = fresh_branch_name(session)
    # What stopped it here may not be passed again: it will stop it once more.
    stops = tuple(stop for stop in parent.stops if stop.step < place.step)
    return dataclasses.replace(cut(parent, place), name=name, parent=parent.name, fork=place.step, note="", stops=stops)


def fields_of(branch: Branch) -> dict[str, Any]:
    """What `Session.with_branch` takes to put this branch in the place of the current one."""
    return {field.name: getattr(branch, field.name) for field in dataclasses.fields(branch)}


def fresh_branch_name(session: Session) -> str:
    """`main-2`, `main-3` ... whatever branch is left: the names tell the order in which they were made."""
    taken = {branch.name for branch in session.branches}
    return next(name for number in range(2, len(taken) + 3) if (name := f"main-{number}") not in taken)


def has_own(branch: Branch, parent: Branch) -> bool:
    """Whether a branch holds anything that its parent has not."""
    fresh = (branch.edits, parent.edits), (branch.notes, parent.notes), (branch.stops, parent.stops)
    return branch.step > branch.fork or bool(branch.note) or any(mine != theirs[: len(mine)] for mine, theirs in fresh)


def scheduled(session: Session, names: Iterable[str], name: str) -> Preset:
    """A preset that makes by itself the edits of the current branch, of these hyperparameters or (with none given) of all."""
    wanted, preset = frozenset(names), session.preset
    edits = [each for each in session.branch.edits if not wanted or each.name.partition(".")[0] in wanted]
    training = preset.training
    for edit in edits:
        training = assign(training, edit.name, edit.new) if edit.step == 0 else training
    source = f"Its plan makes by itself the edits of a session of {preset.name}."
    plan = [*preset.plan, *(Planned(edit.step, edit.name, edit.new) for edit in edits if edit.step)]
    return dataclasses.replace(
        preset,
        name=name,
        title=f"{preset.title} (scheduled)"[:200],
        description=f"{preset.description.rstrip()}\n\n{source}\n"[-4000:],
        training=training,
        plan=tuple(sorted(plan, key=lambda each: each.step)),
    )


def undoable(edits: tuple[Edit, ...]) -> int:
    """The number (from 1) of the edit that undo would take back, 0 where there is none."""
    undone: set[int] = set()
    for edit in edits:
        if edit.undoes:
            target = edits[edit.undoes - 1]
            if target.undoes:  # a redo
                undone.discard(target.undoes)
            else:
                undone.add(edit.undoes)
    return max((n for n, edit in enumerate(edits, start=1) if not edit.undoes and n not in undone), default=0)


def redoable(edits: tuple[Edit, ...]) -> int:
    """The number (from 1) of the undo that redo would take back, 0 where there is none."""
    taken_back: set[int] = set()
    for number in range(len(edits), 0, -1):
        edit = edits[number - 1]
        if not edit.undoes:
            return 0  # a new edit ends what could be redone
        if edits[edit.undoes - 1].undoes:
            taken_back.add(edit.undoes)
        elif number not in taken_back:
            return number
    return 0


def taking_back(edits: tuple[Edit, ...], number: int) -> SetHyperparameter:
    """The command that undoes edit `number` (from 1), which may itself be an undo."""
    edit = edits[number - 1]
    return SetHyperparameter(edit.name, edit.old, number)


class Script:
    """The timeline of a branch as a source of commands, from a place on it.

    Gives each edit at its step, in order, and goes on where the run went on; after a stop of the run, tell it with
    `stopped`. Edits that were made after a stop are given only then.
    """

    def __init__(self, branch: Branch, start: Place) -> None:
        self._edits, self._at = branch.edits, start.edits
        self._stops = [each for each in branch.stops if (each.step, each.edits) >= (start.step, start.edits)]
        self._pass = any(s.passed and s.step == start.step for s in branch.stops if s not in self._stops)

    def __call__(self, step: int) -> Iterable[Command]:
        """The commands for between steps."""
        return self._due(step) if self._pass or (self._at < len(self._edits) and self._edits[self._at].step <= step) else ()

    def _due(self, step: int) -> Iterator[Command]:
        if self._pass:
            self._pass = False
            yield PassGuard()
        while self._at < len(self._edits) and self._edits[self._at].step <= step:
            if self._stops and self._stops[0].step <= step and self._stops[0].edits <= self._at:
                return
            edit = self._edits[self._at]
            self._at += 1
            yield SetHyperparameter(edit.name, edit.new, edit.undoes)

    def stopped(self, step: int) -> bool:
        """The run has stopped after `step` steps; whether it did so when it was recorded."""
        if not self._stops or (self._stops[0].step, self._stops[0].edits) != (step, self._at):
            return False
        self._pass = self._stops.pop(0).passed
        return True

    @property
    def waiting(self) -> list[Stop]:
        """The stops that were recorded and have not come yet."""
        return self._stops

    @property
    def given(self) -> int:
        """How many of the branch's edits have been given."""
        return self._at
