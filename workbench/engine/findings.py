"""What a diagnosis is made of: facts, findings, and which value to suggest. Must not know how faults are found."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum, IntEnum

import numpy as np

from workbench.engine.events import Evaluated
from workbench.engine.history import Curve, History, Series
from workbench.hyperparameters import TABLE, Hyperparameters, get
from workbench.spec import InvalidValue, Value

EARLY = 50
"""Steps before which error rates and curves say nothing yet."""
GAP = (0.02, 0.05, 0.10)
"""Bias or variance as shares for a note, a warning, and bad. The course calls gaps of 10 points high, and half a point not."""
UNEXPLAINED = (0.05, 0.10, 0.25)
"""The same for a regression, as shares of the targets' variance: so much is R² below what can be had, or dev's below train's.

Random runs that ended well lacked 0.04 at most, those that had learned less than 70 % lacked 0.15 and more (tests/oracle, seeds
0 to 199).
"""
HEALTHY = 1e-3
"""‖ΔW‖/‖W‖ of a step, as a rule of thumb (Karpathy, CS231n)."""
DECAYED = 0.01
"""Share of α₀ below which a schedule has all but ended a run."""
STRONG_L2, STRONG_DROPOUT = 0.03, 0.5
"""A λ from here, or a keep probability below, is the first thing to doubt in a network that does not fit, as a rule of thumb."""
PLAIN = ("gradient_descent", "momentum", "nesterov")
"""Optimizers whose steps are as long as the gradient; the others divide its size out."""

Setting = tuple[str, Value | None]


class Level(IntEnum):
    """How bad it is."""

    GOOD = 0
    NOTE = 1
    WARNING = 2
    BAD = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is to be said of a run.

    Attributes:
        kind: a short name that stays the same.
        text: one sentence with the numbers that led to it.
        advice: the next step in words.
        name: the hyperparameter to edit, as in the table; empty where no edit helps.
        value: the value suggested for it, which is in its range and not the present one; None where `name` is empty.
    """

    kind: str
    level: Level
    text: str
    advice: str
    name: str = ""
    value: Value | None = None


class Fault(Enum):
    """What is to be mended before bias is fought."""

    NONE = "none"
    LAYERS = "gradients or units"
    VARIANCE = "the dev cost rises"
    RATE = "steps are too small"
    TIME = "the cost still falls, and the bias will soon be small"
    PACE = "the cost still falls, and the bias will stay large for long"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a run.

    Attributes:
        task: "classes", "binary" or "regression".
        hyperparameters: all live ones as they are now.
        bayes_error: the least error that can be had, in the unit of the errors: a share, or an RMSE for a regression.
        since: the step of the last edit: curves are judged from there on, because they bend at an edit.
        stopped: why the guard stopped the run, as long as it stands where that put it; empty elsewhere.
    """

    step: int
    task: str
    hyperparameters: Hyperparameters
    batch_norm: bool
    history: History
    evaluated: Evaluated | None
    bayes_error: float = 0.0
    since: int = 0
    stopped: str = ""

    def since_edit(self, name: str) -> Curve:
        """A series since the last edit; no element where there is none of that name."""
        series = self.history.series.get(name)
        return (series if series is not None else Series()).after(self.since)

    @property
    def is_regression(self) -> bool:
        """Whether errors are RMSEs, not shares of wrong examples."""
        return self.task == "regression"

    @property
    def scale(self) -> tuple[float, float, float]:
        """Bias or variance, in the unit of `share`, for a note, a warning, and bad."""
        return UNEXPLAINED if self.is_regression else GAP

    @property
    def spread(self) -> float:
        """σ of a regression's targets, which is the RMSE of their mean; NaN where it is not known, or 0."""
        guess = self.evaluated.guess if self.evaluated else None
        return guess.error if guess is not None and guess.error > 0 else math.nan

    def share(self, error: float) -> float:
        """An error as a share: of the examples, or for a regression of the targets' variance, which is 1 - R²."""
        return (error / self.spread) ** 2 if self.is_regression else error

    @property
    def bias(self) -> float:
        """Train error above the Bayes error, as shares; infinite before the first evaluation, NaN where it has no scale."""
        return self.share(self.evaluated.train.error) - self.share(self.bayes_error) if self.evaluated else math.inf

    @property
    def has_room(self) -> bool:
        """Whether the train error is far enough above the Bayes error for a better fit to be worth anything."""
        return self.bias >= self.scale[0]

    @property
    def fits_badly(self) -> bool:
        """Whether the train error is far from what can be had."""
        return self.bias >= self.scale[1]

    @property
    def drops(self) -> bool:
        """Whether units are dropped: then the cost of a mini-batch is that of another network than the one evaluated."""
        return min(self.hyperparameters.keep_prob, default=1.0) < 1

    @property
    def rate(self) -> float:
        """The α in force at the last step, schedule and warm-up included; α₀ where there was no step since the last edit."""
        rates = self.since_edit("learning_rate").mean
        return float(rates[-1]) if len(rates) else self.hyperparameters.learning_rate

    @property
    def decayed(self) -> bool:
        """Whether a schedule has lowered α to next to nothing."""
        h = self.hyperparameters
        return h.schedule != "constant" and self.step >= h.warmup_steps and self.rate < DECAYED * h.learning_rate

    @property
    def update_ratio(self) -> float:
        """‖ΔW‖/‖W‖ of the last step, in the median of the layers; NaN where there was none."""
        layers = self.evaluated.layers if self.evaluated else ()
        ratios = [each.update_ratio for each in layers if math.isfinite(each.update_ratio)]
        return float(np.median(ratios)) if ratios else math.nan


def level_of(value: float, thresholds: tuple[float, ...]) -> Level:
    """How many of the thresholds, which rise or fall, are reached."""
    rising = thresholds[-1] > thresholds[0]
    return Level(sum(value >= each if rising else value <= each for each in thresholds))


def suggest(facts: Facts, name: str, value: Value) -> Setting:
    """Name and value, or neither where that is no value of it, or the one it has."""
    try:
        checked = TABLE[name].check(value)
    except InvalidValue:
        return "", None
    return ("", None) if checked == get(facts.hyperparameters, name) else (name, checked)


def one_digit(value: float) -> float:
    """Rounded to one digit: a number that people write."""
    return float(f"{value:.0e}")


def suggest_rate(facts: Facts, factor: float) -> Setting:
    """The present α times a factor, to one digit."""
    return suggest(facts, "learning_rate", one_digit(facts.hyperparameters.learning_rate * factor))


def suggest_higher_rate(facts: Facts, ratio: float | None = None) -> Setting:
    """A higher α: thrice the present one, or such that updates come to a thousandth of the weights.

    The latter only where they are in proportion to α: on a shelf they are small because the gradient is, and grow beyond it.
    `ratio` is ‖ΔW‖/‖W‖ under the full α, where that is not the last one.
    """
    ratio = facts.update_ratio if ratio is None else ratio
    plain = facts.hyperparameters.optimizer in PLAIN
    return suggest_rate(facts, min(max(HEALTHY / ratio, 3.0), 3.0 if plain else 1000.0)) if ratio > 0 else ("", None)


def suggest_more_regularization(facts: Facts) -> Setting:
    """λ, and where that is high already, dropout."""
    l2, keep = facts.hyperparameters.l2, facts.hyperparameters.keep_prob
    if l2 < 0.01:
        return suggest(facts, "l2", 0.003 if l2 == 0 else one_digit(l2 * 3))
    if keep and min(keep) > 0.5:
        return suggest(facts, "keep_prob", tuple(max(0.5, round(each - 0.2, 2)) for each in keep))
    return "", None


def strong_regularization(h: Hyperparameters) -> str:
    """The λ or the dropout that alone may keep a network from fitting, in words; empty where neither is so strong."""
    if max(h.l2, h.l1) >= STRONG_L2:
        return f"λ = {h.l2:g}" if h.l2 >= h.l1 else f"λ₁ = {h.l1:g}"
    if min(h.keep_prob, default=1.0) < STRONG_DROPOUT:
        return f"a keep probability of {min(h.keep_prob):.2g}"
    return ""


def suggest_less_regularization(facts: Facts) -> Setting:
    """A tenth of a penalty that is high, or no dropout; nothing where there is neither. What is strong comes first."""
    keep = facts.hyperparameters.keep_prob
    if max(facts.hyperparameters.l2, facts.hyperparameters.l1) < STRONG_L2 and min(keep, default=1.0) < STRONG_DROPOUT:
        return suggest(facts, "keep_prob", (1.0,) * len(keep))
    for name, penalty in (("l2", facts.hyperparameters.l2), ("l1", facts.hyperparameters.l1)):
        if penalty >= 0.003:
            return suggest(facts, name, one_digit(penalty * 0.1))
    if keep and min(keep) < 1:
        return suggest(facts, "keep_prob", (1.0,) * len(keep))
    return "", None


def percent(share: float) -> str:
    """For people."""
    return f"{100 * share:.3g} %"
