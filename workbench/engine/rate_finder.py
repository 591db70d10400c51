"""The learning-rate range test: α rises exponentially from step to step until the cost runs away.

Smith 2017, "Cyclical learning rates for training neural networks", section 3.3. A rate is paired with the cost of the
mini-batch it was used for, as is usual; that cost is computed before the update, so the effect of a rate shows at the next.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from workbench.engine.commands import no_commands
from workbench.engine.events import StepTaken
from workbench.engine.trainer import Trainer, Until
from workbench.nn.ewma import smooth

BETA = 0.9
"""The costs are smoothed over about ten mini-batches."""
RUNAWAY = 4.0
"""Where the smoothed cost is so many times its least, larger rates tell nothing more."""


def try_rates(trainer: Trainer, low: float, high: float, steps: int) -> Iterator[tuple[float, float]]:
    """Train on with each rate in turn, and yield it with its cost; the trainer is as it was afterwards."""
    hyperparameters, snapshot, passes = trainer.hyperparameters, trainer.state.snapshot(), trainer.passes_guard
    try:
        yield from _tried(trainer, np.geomspace(low, high, steps).tolist())
    finally:
        trainer.restore(snapshot, hyperparameters, passes)


def _tried(trainer: Trainer, rates: list[float]) -> Iterator[tuple[float, float]]:
    plain = dataclasses.replace(
        trainer.hyperparameters, schedule="constant", warmup_steps=0, guard_factor=0.0, patience=0, evaluate_every=10**6
    )
    least, value, product = math.inf, 0.0, 1.0
    for alpha in rates:
        trainer.stand(dataclasses.replace(plain, learning_rate=alpha))
        cost = math.nan
        for event in trainer.train(no_commands, Until(steps=trainer.state.step + 1)):
            if isinstance(event, StepTaken):
                cost = event.cost
        if not math.isfinite(cost):
            return
        yield alpha, cost
        value, product = BETA * value + (1 - BETA) * cost, product * BETA
        smoothed = value / (1 - product)
        least = min(least, smoothed)
        if smoothed > RUNAWAY * least:
            return


def steepest(rates: NDArray[np.float64], costs: NDArray[np.float64]) -> float:
    """The rate at which the smoothed cost falls fastest with log α; NaN where it falls by less than a twentieth of itself.

    What comes after the least cost is left out, and so are the first rates, whose average is of few mini-batches.
    """
    _, smoothed = smooth(costs, BETA)
    first, last = round(1 / (1 - BETA)), int(np.argmin(smoothed)) + 1 if len(smoothed) else 0
    if last - first < 2 or not smoothed[last - 1] < 0.95 * smoothed[first]:
        return math.nan
    slope = np.gradient(smoothed[first:last], np.log10(rates[first:last]))
    return float(rates[first + int(np.argmin(slope))])
