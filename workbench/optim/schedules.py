"""Learning-rate schedules: pure functions of where training stands, times a base rate that stays editable.

Epochs count from 1, as in the course: α₀/(1 + rate·epoch) with α₀ = 0.2 and rate 1 gives 0.1, 0.0667, 0.05, 0.04. Keras
and PyTorch count from 0 and start from α₀ itself. All but the cosine change at epoch boundaries only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from workbench.hyperparameters import Hyperparameters


@dataclass(frozen=True, slots=True)
class Schedule:
    """A factor on the base rate.

    Attributes:
        factor: (epoch from 1, fractional epochs done, hyperparameters) → factor.
        uses: the hyperparameters it reads.
        formula: α, for people.
    """

    name: str
    formula: str
    uses: frozenset[str]
    factor: Callable[[int, float, Hyperparameters], float]


def _cosine(epoch: int, done: float, h: Hyperparameters) -> float:
    """Half a cosine from 1 to the floor (Loshchilov and Hutter 2017, equation 5, without restarts)."""
    share = min(done / h.decay_epochs, 1.0)
    return h.decay_floor + (1.0 - h.decay_floor) * 0.5 * (1.0 + math.cos(math.pi * share))


SCHEDULES: Mapping[str, Schedule] = {
    each.name: each
    for each in (
        Schedule("constant", "α₀", frozenset(), lambda epoch, done, h: 1.0),
        Schedule(
            "inverse_time", "α₀/(1 + rate·epoch)", frozenset({"decay_rate"}),
            lambda epoch, done, h: 1.0 / (1.0 + h.decay_rate * epoch),
        ),
        Schedule("exponential", "factor^epoch·α₀", frozenset({"decay_factor"}), lambda epoch, done, h: h.decay_factor**epoch),
        Schedule("inverse_sqrt", "k/√epoch·α₀", frozenset({"decay_k"}), lambda epoch, done, h: h.decay_k / math.sqrt(epoch)),
        Schedule(
            "staircase", "factor^⌊(epoch-1)/every⌋·α₀", frozenset({"decay_factor", "decay_every"}),
            lambda epoch, done, h: h.decay_factor ** ((epoch - 1) // h.decay_every),
        ),
        Schedule(
            "cosine", "α₀·(floor + (1-floor)·½(1+cos(π·epochs/over)))", frozenset({"decay_epochs", "decay_floor"}), _cosine,
        ),
    )
}  # fmt: skip


def learning_rate(h: Hyperparameters, step: int, epoch: int, epochs_done: float) -> float:
    """The rate in force at `step` (from 1) in `epoch` (from 1), after `epochs_done` fractional epochs.

    The warm-up is a straight line from α₀/warmup_steps at the first step to the full rate, times the schedule.
    """
    rate = h.learning_rate * SCHEDULES[h.schedule].factor(epoch, epochs_done, h)
    return rate * step / h.warmup_steps if step < h.warmup_steps else rate
