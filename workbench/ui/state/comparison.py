"""What a what-if has come to: for each fork its curve, its state in words, and how far it is from the parent.

A fold over the reports of the forks; knows no widget.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from workbench.engine.commands import SetHyperparameter
from workbench.engine.events import CommandRejected, Diverged, Finished, StepsTaken, StoppedEarly
from workbench.engine.interval import of_repeats, of_series
from workbench.hyperparameters import Hyperparameters, assign, find, get
from workbench.nn.ewma import smooth
from workbench.protocol.reports import Begun, Refused, Report
from workbench.spec import Applies, InvalidValue, UnknownName, Value

MOST = 8
Changes = tuple[SetHyperparameter, ...]


class CannotFork(ValueError):
    """What was typed is no set of forks; the text says why in one line."""


def parse_forks(text: str, values: Hyperparameters) -> list[Changes]:
    """`learning_rate=/3; learning_rate=x3 l2=1e-4; -` as changes, `-` for none. Raises `CannotFork`."""
    forks = []
    for part in text.split(";"):
        words = part.split()
        if not words:
            continue
        forks.append(tuple(_change(word, values) for word in words if word != "-"))
    if not 1 <= len(forks) <= MOST:
        raise CannotFork(f"{len(forks)} forks: expected 1 to {MOST}, with ; between them")
    if len(set(forks)) < len(forks):
        raise CannotFork("two forks are the same")
    return forks


def _change(word: str, values: Hyperparameters) -> SetHyperparameter:
    name, equals, value = word.partition("=")
    if not equals:
        raise CannotFork(f"{word}: expected NAME=VALUE")
    try:
        spec, layer = find(name)
        if spec.applies is Applies.RESET:
            raise CannotFork(f"{name}: needs a new start, so it cannot be changed in a fork")
        current: Value | None = get(values, spec.name)
        if layer is not None and isinstance(current, tuple):
            current = current[layer - 1] if layer <= len(current) else None
        new = spec.check(spec.parse(value, current))
        assign(values, name, new)  # refuses a layer that this network has not
        return SetHyperparameter(name, new)
    except (UnknownName, InvalidValue) as error:
        raise CannotFork(f"{name}: {str(error).removeprefix(f'{name}: ')}") from None


@dataclass(slots=True)
class Fork:
    """One fork, and what it has come to."""

    changes: Changes
    state: str = "waiting"
    reason: str = ""
    costs: list[NDArray[np.float64]] = field(default_factory=list)
    finished: Finished | None = None

    @property
    def cost(self) -> NDArray[np.float64]:
        """The cost of each mini-batch since the fork, without penalties: forks may differ in these."""
        return np.concatenate(self.costs) if self.costs else np.empty(0)

    @property
    def ended(self) -> bool:
        """Whether nothing more will come, however it went."""
        return self.state not in ("waiting", "training")

    def smoothed(self, beta: float) -> NDArray[np.float64]:
        """The cost, smoothed."""
        return smooth(self.cost, beta)[1]

    def record(self, report: Report) -> None:
        """Fold a report in."""
        match report:
            case Begun():
                self.state = "training"
            case StepsTaken():
                self.costs.append(report.data_cost)
            case CommandRejected(reason=reason):
                self.state, self.reason = "refused", reason
            case Diverged(reason=reason):
                self.state, self.reason = "diverged", reason
            case StoppedEarly():
                self.state = "stopped early"
            case Refused(problems=problems):
                self.state, self.reason = "failed", problems
            case Finished() if self.state == "training":
                self.state, self.finished = "done", report
            case _:
                pass


@dataclass(frozen=True, slots=True)
class Difference:
    """Fork less parent, in data costs; NaN where that cannot be said yet.

    Attributes:
        cost, cost_half: over the last half of the steps both have, and half the width of the 95 % interval.
        dev, dev_half: of the scores on dev at the end; the interval only of several repeats.
        repeats: over how many the mean and the interval are. Those of one are of this run alone: what another order of
            mini-batches would have brought, one trajectory cannot tell.
    """

    cost: float
    cost_half: float
    dev: float
    dev_half: float = math.nan
    repeats: int = 1


def difference(fork: Fork, parent: Fork) -> Difference:
    """How far a fork is from its parent, paired by mini-batch."""
    own, parents = fork.cost, parent.cost
    both = min(len(own), len(parents))
    cost, half = of_series(own[both // 2 : both] - parents[both // 2 : both])
    ends = (fork.finished, parent.finished)
    devs = [end.dev.data_cost for end in ends if end is not None and end.dev is not None]
    return Difference(cost, half, devs[0] - devs[1] if len(devs) == 2 else math.nan)


def over_repeats(differences: Sequence[Difference]) -> Difference:
    """The mean of the differences of independent repeats, and how sure it is."""
    cost, dev = (of_repeats(np.array([getattr(each, name) for each in differences])) for name in ("cost", "dev"))
    return Difference(*cost, *dev, repeats=len(differences))


def gap_curve(fork: Fork, parent: Fork, beta: float) -> NDArray[np.float64]:
    """The paired difference at each step, smoothed."""
    own, parents = fork.cost, parent.cost
    both = min(len(own), len(parents))
    return smooth(own[:both] - parents[:both], beta)[1]
