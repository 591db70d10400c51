"""The health of the layers at the last evaluation: gradients, units, and the size of the updates."""

from __future__ import annotations

import math

import numpy as np

from workbench.engine.findings import (
    EARLY,
    HEALTHY,
    PLAIN,
    Facts,
    Finding,
    Level,
    level_of,
    percent,
    suggest,
    suggest_higher_rate,
    suggest_more_regularization,
    suggest_rate,
)
from workbench.engine.measurements import LayerStatistics

VANISHING = (1e-2, 1e-3, 1e-4)
"""‖dW‖ of layer 1 over the greatest of all. In healthy runs of two to four layers it was 0.05 and more."""
EXPLODING = (10.0, 100.0)
"""‖dW‖ over ‖W‖ for a warning, and bad. In healthy runs it was below 0.3, so a step of α = 0.1 would change W by 3 %."""
GROWTH = 1e3
"""‖dW‖ of layer 1 over that of the output, where it is also longer than 1."""
GROWN = 20.0
"""Cost of the first weights over that of a guess, or width of the outputs over that of the inputs. In random runs that ended well
the former was 2.4 at most; where what passes grows a thousand times, 107 at least (tests/oracle, seeds 0 to 59)."""
LOST_BACKWARD, LOST_FORWARD = 5e-2, 5e-3
"""‖dW‖ of layer 1 over the greatest, and ‖dW‖/‖W‖ in the median of the layers, in the median of the evaluations, of a poor fit.

One of the two in 59 of 60 random runs that were held up by sigmoids or first weights too small (tests/oracle, seeds 0 to 59).
"""
LOST_BEFORE = 1e-4
"""‖dW‖/‖W‖ before a layer died, however short that was: outputs so small that a step of any bias puts them out.

Where an α that was too high let a layer die it was 1e-4 and more, or weights had become many times as large; where first weights
that were too small did, 5e-7 at most in six runs of seven (tests/oracle, seeds 0 to 199).
"""
GROWN_WEIGHTS = 2.0
"""‖W‖ over the root of the units, in the median of the layers: Xavier's first weights have about 1, He's 1.4."""
DEAD = (0.25, 0.6, 0.9)
"""A third of the ReLUs may die in a network that reaches an error of 0.1 %."""
SATURATED = (0.5, 0.75, 0.95)
"""A regression with tanh that had settled at the noise had 0.35 in a layer."""
TWINS = (0.25, 0.5, 0.9)
SMALL, LARGE = (1e-4, 1e-5), (3e-2, 3e-1)
"""‖ΔW‖/‖W‖ in the median of the layers, for a note and a warning."""
SMALLER = "start anew with smaller first weights (He's, scale 1) or batch norm"
RECENT = 5
"""Evaluations whose median is taken, because a gradient is that of one mini-batch."""


def gradient_findings(facts: Facts) -> list[Finding]:
    """Identical units, exploding and vanishing gradients: what other trouble comes from."""
    if facts.evaluated is None or not facts.evaluated.layers:
        return []
    if not facts.evaluated.step:
        return _grown_at_start(facts)
    twins = _twins(facts)
    return twins + (_exploding(facts) or _grown_at_start(facts) or ([] if twins else _vanishing(facts)))


def _grown_at_start(facts: Facts) -> list[Finding]:
    """What can be told of the first weights, whatever became of them: a guess costs ln C, and z are about as wide as the inputs.

    It is no fault of a network that fits all the same. An α that is too high is not to blame for what was before any step.
    """
    assert facts.evaluated is not None
    if not facts.fits_badly and not facts.stopped:
        return []
    cost, guess = _first_loss(facts), math.log(max(2, facts.evaluated.layers[-1].units))
    text = ""
    if not facts.is_regression and cost > GROWN * guess:
        text = f"the data cost started at {cost:.3g}, where a guess costs {guess:.3g}: what passes through the layers grows"
    elif facts.evaluated.step < EARLY and (growth := _growth(facts.evaluated.layers)) > GROWN:
        text = f"the outputs are {growth:.2g} times as wide as the inputs: what passes through the layers grows"
    if not text:
        return []
    norms = facts.history.series["gradient_norm"].curve().mean[:RECENT]
    text += f"; ‖g‖ was {np.median(norms):.2g} at first" if len(norms) else ""
    level = Level.BAD if facts.stopped or facts.evaluated.step < EARLY else Level.WARNING
    return [Finding("exploding gradients", level, text, SMALLER)]


def _first_loss(facts: Facts) -> float:
    """The train cost at the very start, without penalties; 0 where it is not known."""
    assert facts.evaluated is not None
    start = facts.history.series["train_data_cost"].curve(0, 1).mean
    return float(start[0]) if len(start) else 0.0 if facts.evaluated.step else facts.evaluated.train.data_cost


def _growth(layers: tuple[LayerStatistics, ...]) -> float:
    """How wide the outputs are beside the inputs."""
    inputs = float(np.sqrt((np.asarray(layers[0].input_std, np.float64) ** 2).mean()))
    return (layers[-1].z.high - layers[-1].z.low) / 8 / inputs if inputs > 0 else 0.0  # a histogram is eight σ wide at most


def _gradient_norms(facts: Facts) -> np.ndarray:
    """‖dW‖ of each layer, in the median of the last evaluations since the last edit."""
    assert facts.evaluated is not None
    norms = []
    for each in facts.evaluated.layers:
        recent = facts.since_edit(f"layer{each.layer}").mean[-RECENT:]
        norms.append(float(np.median(recent)) if len(recent) else each.gradient_norm)
    return np.array(norms)


def _exploding(facts: Facts) -> list[Finding]:
    assert facts.evaluated is not None
    norms = _gradient_norms(facts)
    weights = np.array([max(each.weight_norm, 1.0) for each in facts.evaluated.layers])
    if not np.isfinite(norms).all():
        return []
    relative = norms / weights
    worst, growth = int(relative.argmax()), norms[0] / norms[-1] if norms[-1] > 0 else 0.0
    level = [Level.GOOD, Level.WARNING, Level.BAD][level_of(relative[worst], EXPLODING)]
    text = f"‖dW‖ is {norms[worst]:.2g} in layer {worst + 1}, {relative[worst]:.2g} times its weights"
    if not level and len(norms) > 2 and growth >= GROWTH and norms[0] > 1:
        level = Level.WARNING
        text = f"‖dW‖ grows from {norms[-1]:.2g} in layer {len(norms)} to {norms[0]:.2g} in layer 1, {growth:.2g} times"
    if not level:
        return []
    start = facts.history.series["train_data_cost"].curve(0, 1)
    if len(start.mean) and start.mean[0] > 100:
        text += f"; the data cost started at {start.mean[0]:.3g}"
    if facts.hyperparameters.optimizer not in PLAIN:
        return [Finding("exploding gradients", level, text, SMALLER + "; this optimizer divides the size out and so hides it")]
    clip = facts.hyperparameters.clip_norm
    setting = suggest(facts, "clip_norm", 1.0) if clip == 0 or clip > 1 else suggest_rate(facts, 1 / 3)
    return [Finding("exploding gradients", level, text, "clip them, or " + SMALLER, *setting)]


def _vanishing(facts: Facts) -> list[Finding]:
    assert facts.evaluated is not None
    norms, first = _gradient_norms(facts), facts.evaluated.layers[0]
    if facts.step < EARLY or len(norms) < 3 or not np.isfinite(norms).all():
        return []
    if lost := _lost(facts):
        return lost
    # Where no unit of a layer lets anything through, that is the finding.
    if not norms.max() > 0 or any(each.dead >= DEAD[-1] for each in facts.evaluated.layers):
        return []
    ratio, greatest = norms[0] / norms.max(), int(norms.argmax())
    level = level_of(ratio, VANISHING)
    if not level or greatest == 0:
        return []
    text = f"‖dW‖ falls from {norms[greatest]:.1e} in layer {greatest + 1} to {norms[0]:.1e} in layer 1, to {ratio:.1e} of it"
    if first.update_ratio >= SMALL[0]:
        text += f", yet layer 1 moves by {first.update_ratio:.1e} of its weights a step"
        return [Finding("vanishing gradients", Level.NOTE, text, "watch whether the first layers learn")]
    if not facts.has_room:
        return [Finding("vanishing gradients", Level.NOTE, text, "none, for there is next to nothing left to learn")]
    return [_against_vanishing(facts, level, text)]


def _lost(facts: Facts) -> list[Finding]:
    """A poor fit after a stretch in most of which next to nothing passed through the layers, forward or backward.

    Backward, ‖dW‖ falls towards layer 1; forward, what the layers pass on shrinks, and then all of them get small gradients.
    """
    assert facts.evaluated is not None
    found = [[facts.history.series.get(f"{name}{each.layer}") for each in facts.evaluated.layers] for name in ("layer", "weight")]
    if not facts.fits_badly or any(each is None for series in found for each in series):
        return []
    gradients, weights = ([each.after(facts.since).mean for each in series if each is not None] for series in found)
    count = min(map(len, gradients + weights))
    if not count:
        return []
    dW, W = (np.array([each[-count:] for each in series]) for series in (gradients, weights))
    flowing = np.all(dW > 0, axis=0)  # else a layer is dead, which is another finding
    died = not bool(flowing[-1])
    dW, W, count = dW[:, flowing], W[:, flowing], int(flowing.sum())
    if not count:
        return []
    ratio, relative = _passed(dW, W)
    if died and relative <= LOST_BEFORE and not has_grown(facts.evaluated.layers):
        text = f"‖dW‖ was {relative:.1e} of ‖W‖ in half of the layers, before so small an output let a layer die"
        return [_against_vanishing(facts, Level.BAD, text)]
    if count < RECENT:
        return []
    most = f"in most of {count} evaluations"
    if ratio > LOST_BACKWARD and relative > LOST_FORWARD:  # or so it began, and the steps since were too few to make up for it
        first = max(RECENT, count // 4)
        ratio, relative = _passed(dW[:, :first], W[:, :first])
        most = f"in most of the first {first} evaluations"
    if ratio <= LOST_BACKWARD:
        text = f"{most} ‖dW‖ of layer 1 was {ratio:.1e} of the greatest or less"
    elif relative <= LOST_FORWARD:
        text = f"{most} ‖dW‖ was {relative:.1e} of ‖W‖ or less in half of the layers"
    else:
        return []
    level = max(Level.WARNING, level_of(ratio, VANISHING))
    return [_against_vanishing(facts, level, f"{text}, and the fit is still poor")]


def has_grown(layers: tuple[LayerStatistics, ...]) -> bool:
    """Whether the weights are many times what they begin with: then that little passes is what large steps have done."""
    return float(np.median([each.weight_norm / math.sqrt(each.units) for each in layers])) >= GROWN_WEIGHTS


def _passed(dW: np.ndarray, W: np.ndarray) -> tuple[float, float]:
    """What of a gradient reached layer 1, and what of ‖W‖ the gradients were in the median layer; medians of (L, evaluations)."""
    with np.errstate(all="ignore"):  # of weights that are all 0
        return float(np.median(dW[0] / dW.max(axis=0))), float(np.median(np.median(dW / W, axis=0)))


def _against_vanishing(facts: Facts, level: Level, text: str) -> Finding:
    advice = "start anew with ReLUs, He's weights or batch norm"
    if facts.hyperparameters.optimizer not in PLAIN:
        return Finding("vanishing gradients", level, text, advice)
    # Adam takes steps of about α, however small the gradient: what suits gradient descent would throw it out.
    if facts.hyperparameters.learning_rate > 0.01:
        advice = "set α to 0.003 and then the optimizer to adam, which divides the size out; or " + advice
        return Finding("vanishing gradients", level, text, advice, *suggest(facts, "learning_rate", 0.003))
    advice = "set the optimizer to adam, which divides the size out; or " + advice
    return Finding("vanishing gradients", level, text, advice, *suggest(facts, "optimizer", "adam"))


def _twins(facts: Facts) -> list[Finding]:
    assert facts.evaluated is not None
    hidden = facts.evaluated.layers[:-1]
    if not hidden:
        return []
    worst = max(hidden, key=lambda each: each.twins)
    level = level_of(worst.twins, TWINS)
    if not level:
        return []
    text = f"{percent(worst.twins)} of the {worst.units} units of layer {worst.layer} have the same weights as another"
    advice = "start anew with random first weights (He's or Xavier's): equal units get equal gradients, and stay equal"
    return [Finding("identical units", level, text, advice)]


def unit_findings(facts: Facts) -> list[Finding]:
    """Dead and saturated units."""
    hidden: tuple[LayerStatistics, ...] = facts.evaluated.layers[:-1] if facts.evaluated is not None else ()
    found: list[Finding] = []
    if not hidden:
        return []
    dead = max(hidden, key=lambda each: each.dead)
    if level := _units_level(facts, dead.dead, DEAD):
        text = f"{percent(dead.dead)} of the {dead.units} units of layer {dead.layer} have no slope on any example looked at"
        advice = "a lower α keeps others from dying; start anew with leaky ReLUs or smaller first weights for all of them"
        setting = suggest_rate(facts, 1 / 3) if level > Level.NOTE else ("", None)
        found.append(Finding("dead units", level, text, advice, *setting))
    flat = max(hidden, key=lambda each: each.saturated)
    if level := _units_level(facts, flat.saturated, SATURATED):
        text = f"{percent(flat.saturated)} of the outputs of layer {flat.layer} are on a flat end of its function"
        advice = "L2 keeps weights small; or start anew with smaller first weights"
        advice += "" if facts.batch_norm else " or batch norm"
        setting = suggest_more_regularization(facts) if level > Level.NOTE else ("", None)
        found.append(Finding("saturated units", level, text, advice, *setting))
    return found


def _units_level(facts: Facts, share: float, thresholds: tuple[float, ...]) -> Level:
    """What is but a note in a network that fits is a warning in one that does not."""
    level = level_of(share, thresholds)
    return Level.WARNING if level is Level.NOTE and facts.fits_badly else level


def _greatest_update(facts: Facts) -> tuple[float, int]:
    """The greatest ‖ΔW‖/‖W‖, in the median of the layers, of all evaluations since the last edit, and how many these are.

    A schedule lowers it at the end and a warm-up at the beginning; where it was never usual, α is too low as a whole. It was
    below `HEALTHY` in 24 of 24 random runs with an α of 1/30 to 1/10,000 of what was good for them, and in 1 of 47 that fitted
    badly for other reasons (tests/oracle, seeds 0 to 23).
    """
    assert facts.evaluated is not None
    series = [facts.history.series.get(f"update{each.layer}") for each in facts.evaluated.layers]
    ratios = [each.after(facts.since).mean for each in series if each is not None]
    count = min(map(len, ratios), default=0)
    return (float(np.median([each[-count:] for each in ratios], axis=0).max()), count) if count else (math.nan, 0)


def update_findings(facts: Facts) -> list[Finding]:
    """Updates that are small or large beside the weights."""
    ratio, h = facts.update_ratio, facts.hyperparameters
    if not math.isfinite(ratio) or facts.step - facts.since < EARLY:
        return []
    text = f"‖ΔW‖/‖W‖ was {ratio:.1e} at the last step looked at, in the median of the layers; about {HEALTHY:.0e} is usual"
    # A schedule or a warm-up lowers the rate on purpose, and a network that fits need not move.
    meant = facts.rate < 0.3 * h.learning_rate
    if facts.decayed and facts.has_room and ratio < SMALL[0]:
        text = f"the schedule has lowered α from {h.learning_rate:g} to {facts.rate:.1g}: the weights hardly move any more"
        level, setting = Level.WARNING if facts.fits_badly else Level.NOTE, suggest(facts, "schedule", "constant")
        return [Finding("small updates", level, text, "a schedule that falls more slowly, or none", *setting)]
    small, large = level_of(ratio, SMALL), level_of(ratio, LARGE)
    greatest, count = _greatest_update(facts)
    if facts.fits_badly and count >= RECENT and greatest < HEALTHY:
        text = (
            f"‖ΔW‖/‖W‖ was {greatest:.1e} at most in {count} evaluations, in the median of the layers, and the fit is still poor"
        )
        setting = suggest_higher_rate(facts, greatest)
        return [Finding("small updates", max(small, Level.WARNING), text, "α is probably too low", *setting)]
    if small and facts.has_room and not meant:
        return [Finding("small updates", small, text, "α is probably too low", *suggest_higher_rate(facts))]
    if large:
        advice = "α is probably too high, if it stays like that (small weights early on give large ratios too)"
        return [Finding("large updates", large, text, advice, *suggest_rate(facts, 1 / 3))]
    return []
