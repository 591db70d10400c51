"""What the curves tell: overfitting, oscillation, a plateau, a slow descent."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from workbench.engine.findings import (
    EARLY,
    GAP,
    HEALTHY,
    Facts,
    Finding,
    Level,
    Setting,
    level_of,
    strong_regularization,
    suggest,
    suggest_higher_rate,
    suggest_less_regularization,
    suggest_more_regularization,
    suggest_rate,
)
from workbench.engine.health import SMALL
from workbench.engine.history import Curve

TREND = 100
"""Steps that a curve must have to be called flat, falling or jumping: the halves are compared, and each has noise."""
STILL_FALLING = 0.10
"""Share of the cost by which the last half of the run must have lowered it to say: train longer, and judge later."""
FLAT = 0.03
"""A cost that fell by less than this share in the last half of the run rests."""
RISE = (1.1, 1.5, 2.0)
"""Dev cost over its best."""
THROWN = 2.0
"""Cost at its highest, in the mean of five steps, over that at the start. Of 60 random runs that ended well one had more than
1.25; of 24 with an α of 10 to 1,000 times what was good for them, 17 had more than 4 (tests/oracle, seeds 0 to 59)."""
WIDENED = 10.0
"""So much wider outputs are as bad as first weights so much too large. Usual dropout (0.8, in ten layers) makes them 3 times."""
NOISE = 0.5
"""Scatter of the cost from step to step over its level, where it does not fall; small mini-batches often give 0.2 to 0.5."""


@dataclass(frozen=True, slots=True)
class Trend:
    """Mean cost at the beginning, in the middle and at the end of a stretch; its scatter from step to step.

    Plain means of 15 % of the steps each: an exponentially weighted average would lag, and show a fall that is over.
    `off` is the standard deviation of a difference of two of them.
    """

    first: int
    start: float
    middle: float
    end: float
    noise: float
    off: float

    @property
    def fall(self) -> float:
        """Share by which the cost fell in the last half; negative where it rose."""
        return (self.middle - self.end) / self.middle if self.middle > 0 else 0.0

    @property
    def may_fall(self) -> bool:
        """Whether the cost may still be falling noticeably, as far as its noise lets one tell."""
        return self.left <= 1 - STILL_FALLING

    @property
    def left(self) -> float:
        """What the last half left of the cost, at the least that its noise allows; 1 where there was none."""
        return 1 - self.fall - self.off / self.middle if self.middle > 0 else 1.0


# Mean range of 2, 4, ... 1024 normal values in standard deviations (Tippett 1925): the scatter within a bucket.
_RANGE = (1.13, 2.06, 2.85, 3.53, 4.14, 4.70, 5.20, 5.67, 6.10, 6.50)


def trend_of(facts: Facts) -> Trend | None:
    """The course of the data cost since the last edit, or None where it is too short.

    Without the penalty, which goes its own way: it may grow or shrink for long, and hide that the network learns, or does not.
    """
    return _trend(facts.since_edit("data_cost")) if facts.step - facts.since >= TREND else None


def fit_trend_of(facts: Facts) -> Trend | None:
    """The same of the data cost on all of train, as it was evaluated: without dropout."""
    return _trend(facts.since_edit("train_data_cost")) if facts.step - facts.since >= TREND else None


def _trend(curve: Curve) -> Trend | None:
    if len(curve.step) < 20:
        return None
    first, last = curve.step[0], curve.step[-1]
    means: list[float] = []
    for low, high in ((0.05, 0.2), (0.425, 0.575), (0.85, 1.0)):
        part = (curve.step >= first + low * (last - first)) & (curve.step <= first + high * (last - first))
        if not part.any():
            return None
        means.append(float(np.average(curve.mean[part], weights=curve.count[part])))
    noise = _noise(curve)
    start, middle, end = means
    off = noise * math.sqrt(2 / (0.15 * float(curve.count.sum())))
    return Trend(int(first), start, middle, end, noise, off)


def _noise(curve: Curve) -> float:
    """Standard deviation from step to step in the last half: mean range over the range of one normal deviation."""
    half = len(curve.mean) // 2
    low, high, count = curve.low[half:], curve.high[half:], curve.count[half:]
    if count.max() == 1:
        return float(np.abs(np.diff(curve.mean[half:])).mean()) / _RANGE[0]
    many = count > 1
    return float(((high - low)[many] / np.interp(np.log2(count[many]), range(1, 11), _RANGE)).mean())


def _scores(facts: Facts, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Steps and values of an evaluated series since the last edit, each value the median of three neighbours."""
    curve = facts.since_edit(name)
    values = curve.mean
    if len(values) < 5:
        return curve.step[:0], values[:0]
    padded = np.concatenate([values[:1], values, values[-1:]])
    return curve.step, np.median(np.stack([padded[:-2], padded[1:-1], padded[2:]]), axis=0)


def find_overfitting(facts: Facts) -> list[Finding]:
    """A dev cost that rises from its best while the train cost falls; both are of the data alone."""
    steps, dev = _scores(facts, "dev_data_cost")
    _, train = _scores(facts, "train_data_cost")
    if len(dev) < 5 or len(dev) != len(train):
        return []
    best, now, first = int(dev.argmin()), float(np.median(dev[-3:])), facts.history.series["dev_data_cost"].curve().mean[0]
    level = level_of(now / dev[best], RISE) if dev[best] > 0 else Level.GOOD
    # A rise that is next to nothing beside what was learned, or that train shares, is a jump of a step.
    if not level or best >= 0.8 * (len(dev) - 1) or now - dev[best] < 0.005 * first or not train[-1] < 0.98 * train[best]:
        return []
    text = f"the dev data cost was best near step {steps[best]:,.0f} with {dev[best]:.3g} and is {now:.3g} now, "
    text += f"while the train data cost fell from {train[best]:.3g} to {train[-1]:.3g}"
    advice = "stop early and go back to the best (patience), or regularize: λ, dropout"
    setting = suggest(facts, "patience", 10) if facts.hyperparameters.patience == 0 else suggest_more_regularization(facts)
    return [Finding("overfitting", level, text, advice, *setting)]


def find_stop(facts: Facts) -> list[Finding]:
    """The guard has stopped the run. Where that was early on, no α near this one will do."""
    if not facts.stopped:
        return []
    early = facts.step - facts.since < EARLY
    text, keep = f"the guard stopped the run: {facts.stopped}", facts.hyperparameters.keep_prob
    if (wider := _widening(keep)) >= WIDENED:
        text += f"; dropout makes what passes through the layers {wider:.2g} times as wide"
        setting = suggest(facts, "keep_prob", (1.0,) * len(keep))
        return [Finding("stopped", Level.BAD, text, "higher keep probabilities first", *setting)]
    return [Finding("stopped", Level.BAD, text, "α is probably too high", *suggest_rate(facts, 0.1 if early else 1 / 3))]


def _widening(keep_prob: tuple[float, ...]) -> float:
    """By how much dropout widens outputs: an a that is kept becomes a/p, so the mean square a² becomes a²/p in each layer."""
    return math.prod(each**-0.5 for each in keep_prob)


def find_thrown(facts: Facts) -> list[Finding]:
    """First steps so large that the cost rose far above that of the first weights, and did not come back to a good fit.

    Where units are dropped, the first weights may cost as much before any step: that is in the first mini-batch's cost.
    """
    start = facts.history.series["train_data_cost"].curve(0, 1).mean
    cost = facts.history.series["data_cost"].curve().mean
    if facts.since or len(cost) < 5 or not len(start) or not facts.fits_badly:
        return []
    highest = float(np.convolve(cost, np.full(5, 0.2), "valid").max())
    first = max(float(start[-1]), float(cost[0])) if facts.drops else float(start[-1])
    if not highest > THROWN * first > 0:
        return []
    text = f"the data cost rose from {first:.3g} to {highest:.3g}, and the train error is still high"
    advice = "α was probably too high for the first steps: start anew with a lower one, or with a warm-up"
    return [Finding("thrown", Level.WARNING, text, advice, *suggest_rate(facts, 0.1))]


def find_oscillation(facts: Facts, trend: Trend | None) -> list[Finding]:
    """A cost that scatters widely and does not fall. Where a schedule has all but ended the run, no α is to blame for that."""
    if facts.decayed or trend is None or trend.end <= 0 or trend.fall >= STILL_FALLING or trend.noise < NOISE * trend.end:
        return []
    _, errors = _scores(facts, "train_error")
    worse = len(errors) > 0 and errors[-1] > errors.min() + GAP[0] and not facts.is_regression
    level = Level.BAD if worse and trend.end > 1.5 * trend.start else Level.WARNING if worse or facts.fits_badly else Level.NOTE
    going = "rose" if trend.fall < -FLAT else "went"
    text = f"the data cost scatters by {trend.noise:.2g} from step to step, and its average {going} from {trend.middle:.3g} to "
    text += f"{trend.end:.3g} in the last half"
    advice = "α is probably too high; a larger batch size or a schedule calms it too"
    return [Finding("oscillation", level, text, advice, *suggest_rate(facts, 1 / 3))]


def find_rest(facts: Facts, trend: Trend | None, jumps: bool) -> list[Finding]:
    """A plateau, or a descent so slow and straight that larger steps would do."""
    if trend is None or jumps or facts.decayed or not facts.has_room:
        return []
    ratio, late, early = facts.update_ratio, trend.middle - trend.end, trend.start - trend.middle
    text = (
        f"the average data cost went from {trend.start:.3g} over {trend.middle:.3g} to {trend.end:.3g} since step {trend.first:,}"
    )
    if late > 3 * trend.off and late >= 0.5 * early > 0 and ratio < HEALTHY:
        text += f", nearly straight, in steps of {ratio:.1e} of the weights"
        level = Level.WARNING if ratio < SMALL[0] else Level.NOTE
        return [Finding("slow descent", level, text, "α is probably too low", *suggest_higher_rate(facts))]
    if trend.fall >= FLAT or trend.may_fall:
        return []
    setting: Setting = "", None
    advice = "a bigger network or another architecture; or a schedule, to settle"
    if strong := strong_regularization(facts.hyperparameters):
        advice, setting = f"less regularization than {strong}", suggest_less_regularization(facts)
    elif ratio < HEALTHY:
        advice, setting = "a higher α may leave it, if it is a shelf", suggest_higher_rate(facts)
    elif suggest_less_regularization(facts)[0]:
        advice, setting = "less regularization", suggest_less_regularization(facts)
    elif ratio > 10 * HEALTHY:
        advice, setting = "a lower α may let it settle", suggest_rate(facts, 1 / 3)
    text += f": in the last half it fell by {100 * max(trend.fall, 0):.1f} %, which is next to nothing"
    return [Finding("plateau", Level.WARNING, text, advice, *setting)]
