"""What watches over a run: the guard over the cost of mini-batches, and the best dev cost with the patience for it.

Both are part of the state, because whether a run stops must depend on nothing but its preset, seed and timeline.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from workbench.hyperparameters import Hyperparameters

Floats = NDArray[np.float64]

BETA = 0.98
"""The cost is compared with its average over about the last 50 steps."""
NOTHING = 1e-2


class Guard:
    """The exponentially weighted average of the cost, and for how many steps the cost has been far above it.

    It watches even where it is told not to stop the run. A cost above the limit is not averaged: the average is that of the
    good steps. Where penalties, label smoothing or dropout were edited the cost means something else, and is averaged anew.
    """

    __slots__ = ("_meaning", "_seen", "above", "product", "value")

    def __init__(self) -> None:
        self._meaning: tuple[float, ...] = ()
        self._seen: Hyperparameters | None = None
        self.restart()

    def restart(self) -> None:
        """Forget what was seen."""
        self.value, self.product, self.above = 0.0, 1.0, 0

    @property
    def average(self) -> float:
        """The average, its bias corrected; infinite before the first cost."""
        return self.value / (1.0 - self.product) if self.product < 1.0 else math.inf

    def usual(self, h: Hyperparameters, chance: float) -> float:
        """What a cost is compared with: the average of costs that mean the same, but not next to nothing.

        That is a hundredth of `chance`, the cost of a prediction that ignores X: below it, ten times as much is nothing
        either. Infinite where there is no average yet.
        """
        return max(self.average, NOTHING * chance) if _meaning(h) == self._meaning else math.inf

    def trips(self, cost: float, h: Hyperparameters, chance: float) -> bool:
        """Whether this cost would be the last of `guard_steps` in a row above `guard_factor` times the usual."""
        return self.above + 1 >= h.guard_steps and 0.0 < h.guard_factor * self.usual(h, chance) < cost

    def record(self, cost: float, h: Hyperparameters, chance: float) -> None:
        """Take the cost of a committed step in."""
        if h is not self._seen:
            self._seen, meaning = h, _meaning(h)
            if meaning != self._meaning:
                self.restart()
                self._meaning = meaning
        if 0.0 < h.guard_factor * max(self.average, NOTHING * chance) < cost:
            self.above += 1
        else:
            self.value = BETA * self.value + (1.0 - BETA) * cost
            self.product *= BETA
            self.above = 0

    def tensor(self) -> Floats:
        """All of it, for a snapshot."""
        return np.array([self.value, self.product, self.above, *self._meaning], np.float64)

    def restore(self, tensor: Floats) -> None:
        """Take over what `tensor` gave."""
        self.value, self.product, self.above = float(tensor[0]), float(tensor[1]), int(tensor[2])
        self._meaning = tuple(tensor[3:].tolist())


def _meaning(h: Hyperparameters) -> tuple[float, ...]:
    return (h.l1, h.l2, h.label_smoothing, *h.keep_prob)


class BestSoFar:
    """The least dev cost of all evaluations, penalties left out, when it was, and how many evaluations ago."""

    __slots__ = ("_seen", "cost", "step", "waited")

    def __init__(self) -> None:
        self.step, self.cost, self.waited, self._seen = 0, math.inf, 0, -1

    def record(self, step: int, cost: float) -> None:
        """Take an evaluation's dev cost in; of each step once. NaN is never the best."""
        if step == self._seen:
            return
        self._seen = step
        if cost < self.cost:
            self.step, self.cost, self.waited = step, cost, 0
        else:
            self.waited += 1

    def gives_up(self, step: int, patience: int) -> bool:
        """Whether `step` was just evaluated, as the last of `patience` without a better cost. A patience of 0 is endless."""
        return 0 < patience <= self.waited and self._seen == step

    def tensor(self) -> Floats:
        """All of it, for a snapshot."""
        return np.array([self.step, self.cost, self.waited, self._seen], np.float64)

    def restore(self, tensor: Floats) -> None:
        """Take over what `tensor` gave."""
        self.step, self.cost = int(tensor[0]), float(tensor[1])
        self.waited, self._seen = int(tensor[2]), int(tensor[3])
