"""What happened, in the past tense: small frozen values that may cross a process boundary."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.spec import Value

Vector = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Score:
    """How the network does on one part of the data, without dropout and label smoothing.

    Attributes:
        cost: J, the mean loss plus the penalties.
        error: share of wrong examples; the root mean squared error for a regression.
    """

    cost: float
    error: float


@dataclass(frozen=True, slots=True)
class StepTaken:
    """One mini-batch update was committed.

    Attributes:
        step, epoch: from 1.
        cost: J of the mini-batch before the update, penalties and dropout included; NaN where the mini-batch was left out.
        gradient_norm: ‖g‖ over all layers, before clipping.
        learning_rate: the one in force, schedule and warm-up included.
    """

    step: int
    epoch: int
    cost: float
    gradient_norm: float
    learning_rate: float


@dataclass(frozen=True, slots=True)
class HyperparameterChanged:
    """A hyperparameter was changed after `step` steps; it applies at the next one.

    Attributes:
        effect: says so where it has none for now.
        undoes: the number of the edit that this one takes back, 0 for none.
        planned: the preset's plan did it, not somebody's hand.
    """

    step: int
    name: str
    old: Value
    new: Value
    effect: str = ""
    undoes: int = 0
    planned: bool = False


@dataclass(frozen=True, slots=True)
class GuardPassed:
    """The next step is taken whatever the guard says."""

    step: int


@dataclass(frozen=True, slots=True)
class CommandRejected:
    """An edit was refused; nothing changed."""

    step: int
    name: str
    value: Value
    reason: str


@dataclass(frozen=True, slots=True)
class EpochEnded:
    """A pass through the train set is complete; `cost` is Σ(cost·n)/N over its mini-batches."""

    step: int
    epoch: int
    cost: float


@dataclass(frozen=True, slots=True)
class BatchNormStatistics:
    """One layer's batch norm: mean and variance of the last mini-batch (NaN before the first) and running ones, γ and β.

    Each is (n,).
    """

    batch_mean: Vector
    batch_var: Vector
    running_mean: Vector
    running_var: Vector
    gamma: Vector
    beta: Vector


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts (bins,) in equal bins from `low` to `high`; values beyond are in the end bins."""

    low: float
    high: float
    counts: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class LayerStatistics:
    """One layer, 1 to L, at an evaluation.

    Attributes:
        gradient_norm: ‖dW‖ at the last step, before clipping; NaN where there was none.
        weight_norm: ‖W‖.
        update_ratio: ‖ΔW‖/‖W‖ of the last step; about 1e-3 is healthy; NaN where there was none.
        dead: share of units whose slope g' is below 1e-3 on every example looked at: ReLUs that never fire, sigmoids
            that are saturated throughout. 0 for the output.
        saturated: share of outputs, over units and examples, where a function with two flat ends (sigmoid, tanh) has a slope
            below a twentieth of its greatest; 0 for other functions and for the output.
        twins: share of units whose weights are all but a copy of another unit's.
        z: distribution of Z before batch norm, over examples and units.
        normalized: that of Ẑ, after the normalization and before γ and β; None without batch norm.
        y: that of γẑ+β, which goes into the activation; of Z without batch norm.
        input_mean, input_std: of each unit of the layer's input, over examples, (n_in,).
    """

    layer: int
    units: int
    gradient_norm: float
    weight_norm: float
    update_ratio: float
    dead: float
    saturated: float
    twins: float
    z: Histogram
    normalized: Histogram | None
    y: Histogram
    input_mean: Vector
    input_std: Vector
    batchnorm: BatchNormStatistics | None


@dataclass(frozen=True, slots=True, eq=False)
class Evaluated:
    """Train and dev were evaluated after `step` steps, and the layers looked at."""

    step: int
    epoch: int
    train: Score
    dev: Score | None
    layers: tuple[LayerStatistics, ...]


@dataclass(frozen=True, slots=True)
class Diverged:
    """The guard stopped the run: the update of `step` was not committed, and the state is that after `step` - 1.

    Attributes:
        reason: what is not finite, and in which layer first; or how far the cost has risen.
        rows: the train examples of the rejected mini-batch.
        good: the last step after which all was well: `step` - 1 where only this mini-batch is at fault. A cost is that of the
            weights it was computed with, so where the weights are, the step before the first bad cost did the harm.
    """

    step: int
    reason: str
    rows: tuple[int, ...]
    good: int


@dataclass(frozen=True, slots=True)
class StoppedEarly:
    """The dev cost was not better than `cost`, that after step `best`, for as many evaluations as `patience` says."""

    step: int
    best: int
    cost: float


@dataclass(frozen=True, slots=True)
class Finished:
    """The run came to its end, with scores on all three parts."""

    step: int
    epoch: int
    train: Score
    dev: Score | None
    test: Score | None


Event = (
    StepTaken
    | HyperparameterChanged
    | GuardPassed
    | CommandRejected
    | EpochEnded
    | Evaluated
    | Diverged
    | StoppedEarly
    | Finished
)
