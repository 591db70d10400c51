"""What the trainer can be told, in the imperative. The engine, not the sender, gives a command its step."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ClassVar

from workbench.spec import Value


@dataclass(frozen=True, slots=True)
class SetHyperparameter:
    """Set `name` (or `name.LAYER`) to `value` from the next step on; `undoes` is passed on to the event."""

    changes_run: ClassVar[bool] = True
    name: str
    value: Value
    undoes: int = 0


@dataclass(frozen=True, slots=True)
class PassGuard:
    """Take the next step whatever the guard says: a cost that has risen is committed, an update that is not finite left out."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A change that a preset makes by itself after `step` steps, from 1."""

    step: int
    name: str
    value: Value


Command = SetHyperparameter | PassGuard
CommandSource = Callable[[int], Iterable[Command]]
"""Asked between steps, with the number of steps done, for the commands to take now."""


def no_commands(step: int) -> Iterable[Command]:
    """A source that never has any."""
    return ()


def scripted(edits: Iterable[tuple[int, str, object]]) -> CommandSource:
    """A source that gives each (step, name, value) at its step; those of one step in their order."""
    waiting = deque(edits)

    def due(step: int) -> Iterable[Command]:
        while waiting and waiting[0][0] <= step:
            _, name, value = waiting.popleft()
            yield SetHyperparameter(name, value)  # type: ignore[arg-type]

    return due
