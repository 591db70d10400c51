"""What is wrong with a run, if anything, and what to do about it: findings with the numbers that led to them.

Three sources are read: the errors on train and dev (bias and variance: Ng 2018, "Machine Learning Yearning", chapters 20 to
32), the layers at the last evaluation (health), and the curves (overfitting, plateau, oscillation, slow descent). A finding
is a hint with its evidence, not a proof: thresholds are set so that a healthy run gives notes at most. Looks only at what was
reported of a run; must not know of networks, data, files or the screen.
"""

from __future__ import annotations

import math

from workbench.engine.findings import (
    EARLY,
    GAP,
    HEALTHY,
    Fault,
    Setting,
    level_of,
    percent,
    suggest_higher_rate,
    suggest_less_regularization,
    suggest_more_regularization,
    suggest_rate,
)
from workbench.engine.findings import Facts as Facts
from workbench.engine.findings import Finding as Finding
from workbench.engine.findings import Level as Level
from workbench.engine.health import LARGE, gradient_findings, unit_findings, update_findings
from workbench.engine.trends import Trend, find_oscillation, find_overfitting, find_rest, find_stop, find_thrown, trend_of

STEEP = 0.15
"""Share by which the last half of a run must have lowered the cost for a large bias to be judged later. Random runs that ended
well had 0.23 and more halfway, where they had bias left, the preset moons has 0.17 after 300 steps; networks that were too
small 0.145 at most (tests/oracle, seeds 0 to 59)."""
RATIO = (1.2, 1.5, 2.0)
"""`GAP` where errors are RMSEs, which have no natural scale: as factors."""
OF_START = (0.35, 0.5)
"""An RMSE whose noise is not known, over that at the start, when next to nothing is known: an R² of about 0.88 and 0.75."""


def gaps(train: float, dev: float | None, bayes: float) -> tuple[float, float]:
    """Avoidable bias (train - Bayes) and variance (dev - train), in the unit of the errors.

    The variance is NaN without a dev set.
    """
    return train - bayes, math.nan if dev is None else dev - train


def diagnose(facts: Facts) -> tuple[Finding, ...]:
    """What there is to be said, worst first; at least one finding."""
    evaluated = facts.evaluated
    if evaluated is not None and facts.step and not math.isfinite(evaluated.train.cost):
        text = f"the train cost after step {evaluated.step:,} is {evaluated.train.cost}: some weight is no longer a usable number"
        advice = "go back to an earlier step, and lower α there"
        return (Finding("not finite", Level.BAD, text, advice, *suggest_rate(facts, 0.1)),)
    causes, stop, units = gradient_findings(facts), find_stop(facts), unit_findings(facts)
    if facts.step < EARLY or evaluated is None:
        text = f"step {facts.step:,}: before about {EARLY} steps and an evaluation, errors and curves say little"
        return (*_worst_first(causes + stop + (units if stop else [])), Finding("too early", Level.GOOD, text, "train on"))
    trend, overfitting = trend_of(facts), find_overfitting(facts)
    thrown = find_thrown(facts)
    if thrown:  # weights that were thrown far away let little through, too: that is not where it began
        causes = [each for each in causes if each.kind != "vanishing gradients"]
    dead = any(each.kind == "dead units" and each.level is Level.BAD for each in units)
    structural = dead or any(each.level >= Level.WARNING for each in causes)
    first = Fault.LAYERS if structural else Fault.VARIANCE if overfitting else Fault.NONE
    if first is Fault.NONE and trend is not None and trend.may_fall and _soon_there(facts, trend):
        first = Fault.TIME
    jumping = find_oscillation(facts, trend)
    curves = overfitting + jumping
    if first not in (Fault.LAYERS, Fault.VARIANCE):  # a cost that rests, or steps that are small, are symptoms of those
        curves += find_rest(facts, trend, jumps=bool(jumping)) + update_findings(facts)
    found = causes + stop + thrown + units + curves + _verdict(facts, first)
    return _worst_first(found)


def _worst_first(findings: list[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda each: -each.level))


def _soon_there(facts: Facts, trend: Trend) -> bool:
    """Whether it pays to wait: the cost falls fast, or the bias will be small after as many steps again, which is two halves."""
    left = 1 - trend.fall - trend.off / trend.middle
    return left <= 1 - STEEP or (not facts.is_regression and facts.bias * left**2 < GAP[1])


def _verdict(facts: Facts, first: Fault) -> list[Finding]:
    assert facts.evaluated is not None
    train, dev = facts.evaluated.train.error, facts.evaluated.dev.error if facts.evaluated.dev else None
    found = []
    if dev is None:
        text = f"train {_error(facts, train)}, and no dev set: whether that carries over to new examples is not known"
        found.append(Finding("no dev set", Level.NOTE, text, "start anew with a dev fraction above 0"))
    if guessing := _at_chance(facts, train, first):
        return found + guessing
    gaps_found = (_rmse_gaps if facts.is_regression else _gaps)(facts, train, dev, first)
    return [*found, *_guesses_on_dev(facts, train, dev, first), gaps_found]


def _gaps(facts: Facts, train: float, dev: float | None, first: Fault) -> Finding:
    bias, variance = gaps(train, dev, facts.bayes_error)
    text = f"train {percent(train)}, Bayes {percent(facts.bayes_error)}: avoidable bias {_points(bias)} points"
    if dev is not None:
        text = f"train {percent(train)}, dev {percent(dev)}, Bayes {percent(facts.bayes_error)}: "
        text += f"avoidable bias {_points(bias)}, variance {_points(variance)} points"
    levels = level_of(round(bias, 9), GAP), level_of(round(variance, 9), GAP)
    return _bias_and_variance(facts, text, levels, bias / variance if variance > 0 else math.inf, first)


def _rmse_gaps(facts: Facts, train: float, dev: float | None, first: Fault) -> Finding:
    """RMSEs have no scale of their own: dev is measured by train, train by the noise, or by the start where that is not known."""
    text = f"RMSE: train {train:.3g}" + ("" if dev is None else f", dev {dev:.3g}")
    variance = dev / train if dev is not None and train > 0 else math.nan
    text += "" if math.isnan(variance) else f", {variance:.3g} times as much"
    start = facts.history.series["train_error"].curve(0, 1)
    bias = Level.GOOD
    if facts.bayes_error > 0:
        bias = level_of(train / facts.bayes_error, RATIO)
        text += f"; the noise is {facts.bayes_error:.3g}"
    elif len(start.mean) and start.mean[0] > 0:
        bias = level_of(train / float(start.mean[0]), OF_START)
        text += f"; at the start {start.mean[0]:.3g} (an RMSE is no rate, so bias is measured by that)"
    return _bias_and_variance(facts, text, (bias, level_of(variance, RATIO)), 1.0, first)


def _bias_and_variance(facts: Facts, text: str, levels: tuple[Level, Level], ratio: float, first: Fault) -> Finding:
    """The verdict; of two gaps the lesser counts only where it is at least a quarter of the greater."""
    bias, variance = levels
    if first is Fault.TIME and bias:
        bias = Level.NOTE
        text += ", and the data cost may still be falling"
    if bias and variance and 0.25 <= ratio <= 4:
        advice, setting = _against_both(facts, first)
        return Finding("both", max(bias, variance), text, advice, *setting)
    if bias and (not variance or ratio > 1):
        advice, setting = _against_bias(facts, first)
        return Finding("high bias", bias, text, advice, *setting)
    if variance:
        advice = "more data, regularization (λ, dropout), or another architecture"
        return Finding("high variance", variance, text, advice, *suggest_more_regularization(facts))
    return Finding("neither", Level.GOOD, text, "nothing to mend; the test set, if there is one, has the last word")


def _against_bias(facts: Facts, first: Fault) -> tuple[str, Setting]:
    if first is Fault.LAYERS:
        return "mend the layers first", ("", None)
    if first is Fault.TIME:
        return "train longer before judging", ("", None)
    advice = "a bigger network, longer training, less regularization, or another architecture"
    unknown = "" if facts.bayes_error else "; if nobody can do better on these examples, set the Bayes error"
    return advice + unknown, suggest_less_regularization(facts)


def _against_both(facts: Facts, first: Fault) -> tuple[str, Setting]:
    if first is Fault.VARIANCE:
        return "the dev cost rises: more data or regularization first, then a bigger network", suggest_more_regularization(facts)
    advice, setting = _against_bias(facts, first)
    return f"bias first: {advice}; then more data, or another architecture", setting


def _at_chance(facts: Facts, train: float, first: Fault) -> list[Finding]:
    assert facts.evaluated is not None
    if facts.is_regression or not facts.evaluated.layers:
        return []
    chance = 1 - 1 / max(2, facts.evaluated.layers[-1].units)
    if train < 0.9 * chance or train - facts.bayes_error < GAP[0]:
        return []
    text = f"train {percent(train)} after {facts.step:,} steps; guessing among equally frequent classes gives {percent(chance)}"
    level = Level.NOTE if first is Fault.TIME else Level.BAD if facts.step >= 10 * EARLY else Level.WARNING
    ratio = facts.update_ratio
    advice = "another α, optimizer or initializer; check that the labels fit the examples"
    setting: Setting = "", None
    if first in (Fault.LAYERS, Fault.TIME):
        advice, setting = _against_bias(facts, first)
    elif ratio > LARGE[0]:
        advice, setting = "steps are large: go back to before the harm was done, and lower α there", suggest_rate(facts, 0.1)
    elif ratio < HEALTHY:
        advice, setting = f"steps are small (‖ΔW‖/‖W‖ {ratio:.1e}): a higher α", suggest_higher_rate(facts)
    return [Finding("at chance", level, text, advice, *setting)]


def _guesses_on_dev(facts: Facts, train: float, dev: float | None, first: Fault) -> list[Finding]:
    """A network that learns some of train by heart and guesses on dev: that is more than variance."""
    assert facts.evaluated is not None
    if facts.is_regression or not facts.evaluated.layers or dev is None:
        return []
    chance = 1 - 1 / max(2, facts.evaluated.layers[-1].units)
    if dev < 0.9 * chance or dev - facts.bayes_error < GAP[0]:
        return []
    text = f"dev {percent(dev)}, where guessing among equally frequent classes gives {percent(chance)}: nothing of what "
    text += f"makes train {percent(train)} carries over"
    advice = "check that the labels fit the examples, and that dev and train are alike"
    return [Finding("at chance", Level.NOTE if first is Fault.TIME else Level.WARNING, text, advice)]


def _points(share: float) -> str:
    return f"{round(100 * share, 1):g}"


def _error(facts: Facts, error: float) -> str:
    return f"RMSE {error:.3g}" if facts.is_regression else percent(error)
