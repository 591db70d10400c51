"""What happened, in the past tense: small frozen values that may cross a process boundary."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.arrays import Floats
from workbench.engine.measurements import LayerStatistics, Score
from workbench.spec import Value


@dataclass(frozen=True, slots=True)
class StepTaken:
    """One mini-batch update was committed.

    Attributes:
        step, epoch: from 1.
        cost: J of the mini-batch before the update, penalties and dropout included; NaN where the mini-batch was left out.
        gradient_norm: ‖g‖ over all layers, before clipping.
        learning_rate: the one in force, schedule and warm-up included.
        penalty: the part of the cost that the weights themselves have.
        clipped: whether the gradient was clipped.
    """

    step: int
    epoch: int
    cost: float
    gradient_norm: float
    learning_rate: float
    penalty: float = 0.0
    clipped: bool = False


@dataclass(frozen=True, slots=True)
class StepsTaken:
    """A run of consecutive steps that were committed, ending with `step`.

    Attributes:
        progress: how many epochs are done then, with the fraction of the present one.
        cost, gradient_norm, learning_rate, penalty: of each, as in `StepTaken`; float64 (n,).
        clipped: 1 where it was clipped, else 0; float64 (n,).
    """

    step: int
    epoch: int
    progress: float
    cost: Floats
    gradient_norm: Floats
    learning_rate: Floats
    penalty: Floats
    clipped: Floats

    @property
    def data_cost(self) -> Floats:
        """The cost of each without its penalty."""
        return self.cost - self.penalty


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
class EpochsEnded:
    """Consecutive epochs that are complete, ending with `epoch` after `step` steps: the cost of each, float64 (n,)."""

    step: int
    epoch: int
    cost: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Evaluated:
    """Train and dev were evaluated after `step` steps, and the layers looked at.

    Attributes:
        look: the run was put there, and did not come there by training: then it is no part of its timeline, and its dev cost
            does not count for the best.
        guess: the best answer on train that ignores X, the classes' frequencies or the mean: a regression's error is then σ of
            the targets, which gives an RMSE a scale. None where nobody knows.
    """

    step: int
    epoch: int
    train: Score
    dev: Score | None
    layers: tuple[LayerStatistics, ...]
    look: bool = False
    guess: Score | None = None


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
    """The dev cost was not better than `cost`, that after step `best`, for as many evaluations as `patience` says.

    Neither has penalties in it: what λ adds to the cost is no worse prediction.
    """

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


Notable = HyperparameterChanged | GuardPassed | CommandRejected | Evaluated | Diverged | StoppedEarly | Finished
"""What is told of one by one, even where steps and the ends of epochs are told of as columns."""
Columns = StepsTaken | EpochsEnded
Event = StepTaken | EpochEnded | Notable
