"""What is planted in random runs, and what the diagnosis must then say: a cause, the harm it did, and its names.

A run of `seed` is drawn again and again from one stream of random numbers until it is what was asked for: a healthy run that
ended well, or a run in which the cause was planted and did harm. Neither asks the diagnosis.

The thresholds of the diagnosis are tuned on seeds 0 to 999, and its figures reported from seeds 1,000 to 1,099.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from random_runs import (
    RECTIFIERS,
    Outcome,
    Random,
    Recipe,
    complete,
    draw,
    draw_data,
    draw_network,
    draw_training,
    log_uniform,
    one_of,
    shuffled,
    train,
    uniform,
)

from workbench.data.splits import Splits
from workbench.engine.diagnosis import Finding, Level
from workbench.hyperparameters import Architecture
from workbench.nn.network import Network

MOST_DRAWS = 200
NOT_LEARNED = 0.7
"""Harm: of what there is to be learned, less than this share was."""


@dataclass(frozen=True)
class Cause:
    """Something that goes wrong.

    Attributes:
        draw: a run with the cause in it; None where what was drawn cannot have it.
        harmed: whether it did harm, by how the run ended.
        named: whether one of the findings, all warnings or worse, names the cause.
    """

    name: str
    draw: Callable[[Random], Recipe | None]
    harmed: Callable[[Outcome], bool]
    named: Callable[[Outcome, list[Finding]], bool]


def _not_learned(outcome: Outcome) -> bool:
    return outcome.diverged is not None or not outcome.learned >= NOT_LEARNED


def _says(*kinds: str) -> Callable[[Outcome, list[Finding]], bool]:
    return lambda outcome, findings: any(each.kind in kinds for each in findings)


def _moves_rate(up: bool) -> Callable[[Outcome, list[Finding]], bool]:
    def named(outcome: Outcome, findings: list[Finding]) -> bool:
        now = outcome.facts.hyperparameters.learning_rate
        rates = [each.value for each in findings if each.name == "learning_rate" and isinstance(each.value, float)]
        return any(value > now if up else value < now for value in rates)

    return named


# Learning rates: that of a run which is healthy without


def _healthy_but_for_the_rate(low: float, high: float) -> Callable[[Random], Recipe | None]:
    def drawn(random: Random) -> Recipe | None:
        recipe = draw(random)
        if not train(recipe).healthy:
            return None
        return recipe.trained_with(learning_rate=recipe.training.learning_rate * log_uniform(random, low, high))

    return drawn


# Networks through which little or too much passes


def _deep(
    random: Random, activations: tuple[str, ...], scale: float, initializers: tuple[str, ...] = ("xavier", "glorot")
) -> Recipe:
    data = draw_data(random)
    drawn = draw_network(random, depths=(4, 10), widths=(8, 64))
    network = dataclasses.replace(
        drawn, activation=one_of(random, activations), initializer=one_of(random, initializers), initializer_scale=scale,
        batch_norm=False,
    )  # fmt: skip
    return complete(random, data, network, draw_training(random, data, network))


def _vanishing(random: Random) -> Recipe:
    """Many sigmoids, whose slope is at most 1/4; or other activations with weights that are far too small."""
    if random.random() < 0.5:
        return _deep(random, ("sigmoid",), 1.0)
    return _deep(random, (*RECTIFIERS, "tanh"), uniform(random, 0.1, 0.4))


def _exploding(random: Random) -> Recipe:
    """What passes through all layers grows by a thousand to a million times."""
    recipe = _deep(random, RECTIFIERS, 1.0, ("he",))
    growth = log_uniform(random, 1e3, 1e6) ** (1 / (len(recipe.network.hidden) + 1))
    return dataclasses.replace(recipe, network=dataclasses.replace(recipe.network, initializer_scale=growth))


def _saturated(random: Random) -> Recipe:
    """Sigmoids or tanh with first weights so large that most outputs are at an end."""
    data = draw_data(random)
    drawn = draw_network(random, depths=(1, 6))
    network = dataclasses.replace(
        drawn, activation=one_of(random, ("tanh", "sigmoid")), initializer="xavier", batch_norm=False,
        initializer_scale=log_uniform(random, 10, 100),
    )  # fmt: skip
    return complete(random, data, network, draw_training(random, data, network))


def _zeros(random: Random) -> Recipe:
    data = draw_data(random)
    network = dataclasses.replace(draw_network(random), initializer="zeros")
    return complete(random, data, network, draw_training(random, data, network))


def _dead(random: Random) -> Recipe:
    """ReLUs of one layer that never fire: nearly all, or all of them."""
    data = draw_data(random)
    drawn = draw_network(random, depths=(1, 8), widths=(8, 128))
    network = dataclasses.replace(drawn, activation="relu", initializer="he", batch_norm=False)
    recipe = complete(random, data, network, draw_training(random, data, network))
    layer, share = int(random.integers(1, len(network.hidden) + 1)), uniform(random, 0.7, 1.0)
    unlucky = random.random(network.hidden[0]) < share

    def kill(network: Network, splits: Splits) -> Splits:
        b = network.named(network.parameters)[f"b{layer}"][0]
        b[unlucky] = -1000.0
        return splits

    return dataclasses.replace(recipe, prepare=kill)


# Fit


def _overfitting(random: Random) -> Recipe:
    """Few examples that overlap, and a network that learns them by heart."""
    source = one_of(random, ("moons", "circles", "gaussians", "digits"))
    noise = {"moons": 0.35, "circles": 0.25, "gaussians": 0.6, "digits": 0.0}[source]
    data = dataclasses.replace(draw_data(random), source=source, examples=round(log_uniform(random, 100, 250)), noise=noise)
    network = draw_network(random, depths=(1, 4), widths=(48, 256))
    h = dataclasses.replace(
        draw_training(random, data, network), l2=0.0, keep_prob=(1.0,) * len(network.hidden), label_smoothing=0.0
    )
    return complete(random, data, network, h)


def _underfitting(random: Random) -> Recipe | None:
    """Too small a network, or too much regularization in one that is healthy without."""
    recipe = draw(random)
    kind = int(random.integers(3))
    if kind == 0:
        if recipe.data.source in ("digits", "gaussians", "moons"):
            return None  # two units are enough for those
        small = Architecture(hidden=(2,), activation=recipe.network.activation, initializer=recipe.network.initializer)
        h = dataclasses.replace(recipe.training, keep_prob=(1.0,))
        return complete(random, recipe.data, small, h)
    if not train(recipe).healthy:
        return None
    if kind == 1:
        return recipe.trained_with(l2=log_uniform(random, 0.03, 1.0))
    return recipe.trained_with(keep_prob=(uniform(random, 0.1, 0.4),) * len(recipe.network.hidden))


def _mixed_labels(random: Random) -> Recipe | None:
    """Labels that do not fit the examples, and too many of them to be learned by heart."""
    recipe = draw(random)
    if recipe.data.source == "regression" or not train(recipe).healthy:
        return None
    key = int(random.integers(2**31))
    return dataclasses.replace(recipe, prepare=lambda network, splits: shuffled(splits, np.random.default_rng(key)))


def _overfitted(outcome: Outcome) -> bool:
    """The dev error is far above the train error, and the dev cost is far above its best while the train cost fell on."""
    if outcome.diverged is not None:
        return False
    best = int(np.argmin(outcome.dev_costs))
    risen = np.median(outcome.dev_costs[-3:]) > 1.25 * outcome.dev_costs[best]
    return bool(risen) and outcome.train_costs[-1] < 0.9 * outcome.train_costs[best] and outcome.dev - outcome.train >= 0.08


CAUSES = {
    each.name: each
    for each in (
        Cause("α too high", _healthy_but_for_the_rate(10, 1000), _not_learned, _moves_rate(up=False)),
        Cause("α too low", _healthy_but_for_the_rate(1e-4, 1 / 30), _not_learned, _moves_rate(up=True)),
        Cause("vanishing gradients", _vanishing, _not_learned, _says("vanishing gradients")),
        Cause("exploding gradients", _exploding, _not_learned, _says("exploding gradients")),
        Cause("saturated units", _saturated, _not_learned, _says("saturated units")),
        Cause("identical units", _zeros, _not_learned, _says("identical units")),
        Cause("dead units", _dead, lambda outcome: outcome.diverged is None, _says("dead units")),
        Cause("overfitting", _overfitting, _overfitted, _says("overfitting", "high variance", "both")),
        Cause("underfitting", _underfitting, _not_learned, _says("high bias", "both", "at chance")),
        Cause("mixed labels", _mixed_labels, _not_learned, _says("at chance")),
    )
}
HEALTHY = "healthy"
KINDS = (HEALTHY, *CAUSES)


def outcome_of(kind: str, seed: int) -> tuple[Recipe, Outcome]:
    """A run that is what was asked for. Raises `LookupError` where none was drawn."""
    random = np.random.default_rng([KINDS.index(kind), seed])
    for _ in range(MOST_DRAWS):
        recipe = draw(random) if kind == HEALTHY else CAUSES[kind].draw(random)
        if recipe is None:
            continue
        outcome = train(recipe)
        if outcome.healthy if kind == HEALTHY else _planted(kind, outcome):
            return recipe, outcome
    raise LookupError(f"{kind}, seed {seed}: none of {MOST_DRAWS} draws")


def _planted(kind: str, outcome: Outcome) -> bool:
    return math.isfinite(outcome.chance) and CAUSES[kind].harmed(outcome)


def warnings(findings: tuple[Finding, ...]) -> list[Finding]:
    """Those that are more than a note."""
    return [each for each in findings if each.level >= Level.WARNING]
