"""What the trainer can be told, in the imperative. The engine, not the sender, gives a command its step."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from workbench.hyperparameters import Value


@dataclass(frozen=True, slots=True)
class SetHyperparameter:
    """Set `name` (or `name.LAYER`) to `value` from the next step on."""

    name: str
    value: Value


Command = SetHyperparameter
CommandSource = Callable[[int], Iterable[Command]]
"""Asked between steps, with the number of steps done, for the commands to take now."""


def no_commands(step: int) -> Iterable[Command]:
    """A source that never has any."""
    return ()
