"""What is wrong with a run, if anything, and what to do about it: findings with the numbers that led to them.

Three sources are read: the errors on train and dev (bias and variance: Ng 2018, "Machine Learning Yearning", chapters 20 to
32), the layers at the last evaluation (health), and the curves (overfitting, plateau, oscillation, slow descent). A finding
is a hint with its evidence, not a proof: thresholds are set so that a healthy run gives notes at most. Looks only at what was
reported of a run; must not know of networks, data, files or the screen.
"""

from __future__ import annotations

import dataclasses
import math

from workbench.engine.findings import (
    EARLY,
    GAP,
    HEALTHY,
    Fault,
    Setting,
    level_of,
    percent,
    strong_regularization,
    suggest_higher_rate,
    suggest_less_regularization,
    suggest_more_regularization,
    suggest_rate,
)
from workbench.engine.findings import Facts as Facts
from workbench.engine.findings import Finding as Finding
from workbench.engine.findings import Level as Level
from workbench.engine.health import LARGE, gradient_findings, has_grown, unit_findings, update_findings
from workbench.engine.trends import (
    Trend,
    find_oscillation,
    find_overfitting,
    find_rest,
    find_stop,
    find_thrown,
    fit_trend_of,
    trend_of,
)

SOON = 0.1
"""A bias of less than this after as many steps again is worth waiting for: 10 points, or so much of R².

Of 37 networks too small or too much regularized whose cost still fell none had less ahead of it; of 13 random runs that ended
well and had some bias left halfway 10 had (tests/oracle, seeds 0 to 229, and 0 to 399).
"""
YOUNG = 10 * EARLY
"""Steps since the last edit before which a cost that falls may have only just begun to."""
NARROW = 4
"""Units of a layer that are soon too few: a plane is cut by so many lines."""
NEAR, DEAR = 0.8, 0.95
"""Error and data cost over those of a guess. A network that has begun to learn by heart what cannot be learned errs a little less
than a guess, at nearly the same cost: in random runs with mixed labels, 0.98 in the median of the costs, and of no healthy run
more than 0.5 (tests/oracle, seeds 0 to 199)."""
SLOW = ("small updates", "slow descent")
"""Findings that say that a higher α is the first thing to try."""
POOR_FIT = ("at chance", "high bias", "both")
"""Verdicts that something is to blame for."""


def gaps(train: float, dev: float | None, bayes: float) -> tuple[float, float]:
    """Avoidable bias (train - Bayes) and variance (dev - train), in the unit of the errors or of shares.

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
        advice = "mend first what stopped it" if stop else "train on"
        return (*_worst_first(causes + stop + (units if stop else [])), Finding("too early", Level.GOOD, text, advice))
    trend, overfitting = trend_of(facts), find_overfitting(facts)
    thrown = find_thrown(facts)
    if thrown and has_grown(evaluated.layers):  # weights that were thrown far away let little through, too
        causes = [each for each in causes if each.kind != "vanishing gradients"]
    dead = any(each.kind == "dead units" and each.level is Level.BAD for each in units)
    structural = dead or any(each.level >= Level.WARNING for each in causes)
    first = Fault.LAYERS if structural else Fault.VARIANCE if overfitting else Fault.NONE
    ahead = _bias_ahead(facts, trend)
    if first is Fault.NONE and not math.isnan(ahead):
        young = facts.step - facts.since < YOUNG and not strong_regularization(facts.hyperparameters)
        first = Fault.TIME if ahead < SOON or young else Fault.PACE
    jumping = find_oscillation(facts, trend)
    rest, updates = find_rest(facts, trend, jumps=bool(jumping)), update_findings(facts)
    if first in (Fault.LAYERS, Fault.VARIANCE):  # a cost that rests, or steps that are small, are symptoms of those
        rest = updates = []
    slow = [each for each in updates + rest if each.kind in SLOW and each.level >= Level.WARNING]
    if slow and first in (Fault.NONE, Fault.PACE):
        first = Fault.RATE
    verdict = _verdict(facts, first)
    blamed = _as_bad_as(verdict, causes + stop + thrown + units + jumping + slow)
    return _worst_first([*blamed, *(each for each in updates + rest if each not in slow), *overfitting, *verdict])


def _as_bad_as(verdict: list[Finding], causes: list[Finding]) -> list[Finding]:
    """Causes, of which each that is more than a note is as bad as the poor fit that came of it, so that it is tried first."""
    worst = max((each.level for each in verdict if each.kind in POOR_FIT), default=Level.GOOD)
    return [dataclasses.replace(each, level=max(each.level, worst)) if each.level >= Level.WARNING else each for each in causes]


def _worst_first(findings: list[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda each: -each.level))


def _bias_ahead(facts: Facts, trend: Trend | None) -> float:
    """What will be left of the bias after as many steps again, if the cost goes on falling; NaN where it does not fall.

    Learning curves are power laws, about (Hestness et al. 2017): each doubling of the steps leaves the same share of the cost.
    Where units are dropped, the cost of mini-batches may fall for long while that of the network as it is evaluated rests; then
    this is looked at.
    """
    pace = (fit_trend_of(facts) or trend) if facts.drops else trend
    return facts.bias * pace.left if pace is not None and pace.may_fall else math.nan


def _verdict(facts: Facts, first: Fault) -> list[Finding]:
    assert facts.evaluated is not None
    train, dev = facts.evaluated.train.error, facts.evaluated.dev.error if facts.evaluated.dev else None
    found = []
    if dev is None:
        text = f"train {_error(facts, train)}, and no dev set: whether that carries over to new examples is not known"
        found.append(Finding("no dev set", Level.NOTE, text, "start anew with a dev fraction above 0"))
    if guessing := _at_chance(facts, train, first):
        return found + guessing
    return [*found, *_guesses_on_dev(facts, train, dev, first), _gaps(facts, train, dev, first)]


def _gaps(facts: Facts, train: float, dev: float | None, first: Fault) -> Finding:
    bias, variance = gaps(facts.share(train), None if dev is None else facts.share(dev), facts.share(facts.bayes_error))
    text = (_rmse_text if facts.is_regression else _rates_text)(facts, train, dev)
    levels = level_of(round(bias, 9), facts.scale), level_of(round(variance, 9), facts.scale)
    return _bias_and_variance(facts, text, levels, bias / variance if variance > 0 else math.inf, first)


def _rates_text(facts: Facts, train: float, dev: float | None) -> str:
    bias, variance = gaps(train, dev, facts.bayes_error)
    if dev is None:
        return f"train {percent(train)}, Bayes {percent(facts.bayes_error)}: avoidable bias {_points(bias)} points"
    text = f"train {percent(train)}, dev {percent(dev)}, Bayes {percent(facts.bayes_error)}: "
    return text + f"avoidable bias {_points(bias)}, variance {_points(variance)} points"


def _rmse_text(facts: Facts, train: float, dev: float | None) -> str:
    """RMSEs have no scale of their own: they are told beside σ of the targets."""
    errors = [train] if dev is None else [train, dev]
    text = f"RMSE: train {train:.3g}" + ("" if dev is None else f", dev {dev:.3g}")
    if math.isnan(facts.spread):
        return text
    text += f", where the mean has {facts.spread:.3g}: R² " + " and ".join(_r2(facts, each) for each in errors)
    return text + (f"; the noise of {facts.bayes_error:.3g} allows {_r2(facts, facts.bayes_error)}" if facts.bayes_error else "")


def _r2(facts: Facts, error: float) -> str:
    return f"{1 - facts.share(error):.3g}"


def _bias_and_variance(facts: Facts, text: str, levels: tuple[Level, Level], ratio: float, first: Fault) -> Finding:
    """The verdict; of two gaps the lesser counts only where it is at least a quarter of the greater."""
    bias, variance = levels
    if first in (Fault.TIME, Fault.PACE) and bias:
        bias = min(bias, Level.NOTE if first is Fault.TIME else Level.WARNING)
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
    if first is Fault.RATE:
        return "larger steps first; what is left of the bias then is the network's", ("", None)
    far = "train far longer; or " if first is Fault.PACE else ""
    advice = f"{far}a bigger network, less regularization, or another architecture"
    if strong := strong_regularization(facts.hyperparameters):
        advice = f"less regularization first: {strong} may be all that keeps it from fitting; then a bigger network"
    elif narrow := _narrow(facts):
        advice = f"{far}a bigger network: {narrow}; or another architecture"
    unknown = "" if facts.bayes_error else "; if nobody can do better on these examples, set the Bayes error"
    return advice + unknown, suggest_less_regularization(facts)


def _narrow(facts: Facts) -> str:
    """Which layer is the bottleneck, where a handful of units is all there is in it."""
    assert facts.evaluated is not None
    hidden = facts.evaluated.layers[:-1]
    least = min(hidden, key=lambda each: each.units, default=None)
    return "" if least is None or least.units > NARROW else f"layer {least.layer} has no more than {least.units} units"


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
    cost, guess = facts.evaluated.train.data_cost, facts.evaluated.guess
    as_dear = guess is not None and cost > DEAR * guess.cost
    if train < (NEAR if as_dear else 0.9) * chance or train - facts.bayes_error < GAP[0]:
        return []
    text = f"train {percent(train)} after {facts.step:,} steps; guessing among equally frequent classes gives {percent(chance)}"
    text += f", and its data cost of {cost:.3g} is no better than {guess.cost:.3g}" if as_dear and guess is not None else ""
    level = Level.BAD if facts.step >= YOUNG and first is not Fault.PACE else Level.WARNING
    level = Level.NOTE if first is Fault.TIME else level
    ratio = facts.update_ratio
    advice = "another α, optimizer or initializer; check that the labels fit the examples"
    setting: Setting = "", None
    if first in (Fault.LAYERS, Fault.RATE, Fault.TIME):
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
