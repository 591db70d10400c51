"""Runs at random, on which the diagnosis is tried: what people might train, and what came of it.

A recipe is a function of a generator of random numbers: source of data, depth from 1 to 10, width from 8 to 256, optimizer,
activation, batch norm, and whatever else can be set, with values that are usual for them. Whether a run is healthy is not
decided by how it was drawn, nor by the diagnosis, but by how it ended: `Outcome.healthy`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from workbench.data.dataset import Dataset
from workbench.data.splits import Splits, prepare
from workbench.engine.diagnosis import Facts
from workbench.engine.events import Diverged, Evaluated, StepTaken
from workbench.engine.history import History, columns
from workbench.engine.trainer import Trainer, Until
from workbench.hyperparameters import Architecture, DataSettings, Hyperparameters
from workbench.nn.network import Network

Random = np.random.Generator

SECONDS = 0.3
"""So long a run may take, by estimate, on one core."""
MOST_PARAMETERS = 50_000
RATES = {
    "gradient_descent": (0.03, 0.3), "momentum": (0.03, 0.3), "nesterov": (0.03, 0.3), "rmsprop": (5e-4, 3e-3),
    "adam": (1e-3, 1e-2), "adamw": (1e-3, 1e-2), "adagrad": (0.01, 0.05),
}  # fmt: skip
"""Usual α's."""
RECTIFIERS = ("relu", "leaky_relu", "elu", "gelu", "silu")


@dataclass(frozen=True)
class Recipe:
    """A run before it is trained. `prepare` may change the network and the examples before the first step."""

    seed: int
    steps: int
    data: DataSettings
    network: Architecture
    training: Hyperparameters
    prepare: Callable[[Network, Splits], Splits] = lambda network, splits: splits

    def trained_with(self, **changes: Any) -> Recipe:
        return dataclasses.replace(self, training=dataclasses.replace(self.training, **changes))


@dataclass(frozen=True)
class Outcome:
    """How a run went.

    Attributes:
        facts: what is known of it at the end, as a screen knows it; `halfway` the same after half of the steps.
        diverged: what stopped it, if anything. Then the facts are those of the place that the run goes back to.
        chance: the error of a guess: the share of examples not of the most frequent class, or the standard deviation of
            the targets.
        least: the least error that can be had.
    """

    facts: Facts
    halfway: Facts | None
    diverged: Diverged | None
    chance: float
    least: float
    train: float
    dev: float
    dev_costs: tuple[float, ...]
    train_costs: tuple[float, ...]

    @property
    def learned(self) -> float:
        """Of what there is to be learned, from a guess to the least error, the share that was: 1 is all."""
        return (self.chance - self.train) / (self.chance - self.least)

    @property
    def healthy(self) -> bool:
        """It learned nearly all there is, on train and on dev, and the dev cost is where it was best."""
        if self.diverged is not None:
            return False
        reach = self.chance - self.least
        best = min(self.dev_costs)
        rose = np.median(self.dev_costs[-3:]) > 1.25 * best + 0.02 * self.dev_costs[0]
        return self.learned >= 0.95 and self.dev <= self.train + 0.04 * reach and not rose


def uniform(random: Random, low: float, high: float) -> float:
    return float(random.uniform(low, high))


def log_uniform(random: Random, low: float, high: float) -> float:
    return float(np.exp(random.uniform(math.log(low), math.log(high))))


def one_of(random: Random, choices: Any) -> Any:
    return choices[int(random.integers(len(choices)))]


def draw_data(random: Random) -> DataSettings:
    """A source whose classes overlap by next to nothing, and a regression with some noise."""
    source = one_of(random, ("digits", "spiral", "circles", "moons", "xor", "gaussians", "regression"))
    examples = 1797 if source == "digits" else round(log_uniform(random, 400, 1500))
    classes = int(random.integers(2, 6))
    noise = {
        "spiral": uniform(random, 0.0, 0.15), "circles": uniform(random, 0.02, 0.07), "moons": uniform(random, 0.02, 0.12),
        "xor": 0.0, "gaussians": uniform(random, 0.1, 0.3) * math.sin(math.pi / classes),
        "regression": uniform(random, 0.05, 0.2), "digits": 0.0,
    }[source]  # fmt: skip
    return DataSettings(source=source, examples=examples, classes=classes, noise=noise, dev_fraction=0.25, test_fraction=0.0)


def draw_network(random: Random, depths: tuple[int, int] = (1, 10), widths: tuple[int, int] = (8, 256)) -> Architecture:
    """Any activation with first weights that suit it. Of deep networks those that are narrow enough for their time."""
    depth = round(log_uniform(random, depths[0] - 0.49, depths[1] + 0.49))
    while True:
        width = round(log_uniform(random, *widths))
        if depth * width**2 <= MOST_PARAMETERS or width == widths[0]:
            break
    activation = one_of(random, (*RECTIFIERS, "tanh", "sigmoid"))
    initializer = one_of(random, ("he",) if activation in RECTIFIERS else ("xavier", "glorot"))
    batch_norm = bool(random.random() < 0.5)
    return Architecture(hidden=(width,) * depth, activation=activation, initializer=initializer, batch_norm=batch_norm)


def draw_training(random: Random, data: DataSettings, network: Architecture) -> Hyperparameters:
    """Usual values; λ, dropout, schedules, warm-up and label smoothing now and then."""
    optimizer = one_of(random, tuple(RATES))
    keep = uniform(random, 0.8, 0.95) if random.random() < 0.15 and network.hidden[0] >= 32 else 1.0
    noise = data.noise if data.source == "regression" else 0.0
    return Hyperparameters(
        optimizer=optimizer,
        learning_rate=log_uniform(random, *RATES[optimizer]),
        batch_size=int(one_of(random, (16, 32, 64, 128))),
        l2=log_uniform(random, 1e-6, 1e-3) if random.random() < 0.25 else 0.0,
        keep_prob=(keep,) * len(network.hidden),
        schedule=one_of(random, ("constant", "constant", "constant", "cosine")),
        decay_floor=0.1,
        warmup_steps=50 if random.random() < 0.2 else 0,
        label_smoothing=0.05 if random.random() < 0.1 and data.source != "regression" else 0.0,
        bayes_error=noise if random.random() < 0.5 else 0.0,
    )


def steps_for(data: DataSettings, network: Architecture, h: Hyperparameters) -> int:
    """As many as there is time for, from 300 to 1,500."""
    widths = (64 if data.source == "digits" else 2, *network.hidden, 10)
    weights = sum(a * b for a, b in pairwise(widths))
    seconds = 5e-5 + len(network.hidden) * (2e-5 + 3e-5 * network.batch_norm) + 8 * weights * h.batch_size / 8e9
    return min(max(round(SECONDS / seconds), 300), 1500)


def complete(random: Random, data: DataSettings, network: Architecture, h: Hyperparameters) -> Recipe:
    """With the number of steps, and evaluations at about forty places."""
    steps = steps_for(data, network, h)
    train = data.examples * (1 - data.dev_fraction)
    epochs = max(1, round(steps * h.batch_size / train))
    h = dataclasses.replace(h, evaluate_every=max(5, steps // 40), decay_epochs=epochs, epochs=1_000_000)
    return Recipe(int(random.integers(2**31)), steps, data, network, h)


def draw(random: Random) -> Recipe:
    """A run with nothing wrong in it on purpose; it may well be a bad one."""
    data = draw_data(random)
    network = draw_network(random)
    return complete(random, data, network, draw_training(random, data, network))


def train(recipe: Recipe) -> Outcome:
    """Train it, on one thread."""
    with threadpool_limits(1, user_api="blas"):
        return _train(recipe)


def _train(recipe: Recipe) -> Outcome:
    splits = prepare(recipe.data, recipe.seed)
    trainer = Trainer(splits, recipe.data, recipe.network, recipe.training, recipe.seed)
    splits = recipe.prepare(trainer.state.network, splits)
    if splits is not trainer.splits:
        trainer = Trainer(splits, recipe.data, recipe.network, recipe.training, recipe.seed)
    history, pending, evaluated, halfway, diverged = History(), list[StepTaken](), list[Evaluated](), None, None

    def known(step: int) -> Facts:
        here = [each for each in evaluated if each.step <= step]
        return Facts(
            step, splits.task.value, recipe.training, recipe.network.batch_norm, history, here[-1] if here else None,
            bayes_error=recipe.training.bayes_error, stopped=diverged.reason if diverged is not None else "",
        )  # fmt: skip

    for event in trainer.run(until=Until(steps=recipe.steps)):
        match event:
            case StepTaken():
                pending.append(event)
            case Evaluated() | Diverged():
                if pending:
                    history.record(columns(pending, trainer.state.batches.progress))
                    pending.clear()
                if isinstance(event, Diverged):
                    diverged = event
                    continue
                history.record(event)
                evaluated.append(event)
                if halfway is None and event.step >= recipe.steps // 2:
                    halfway = dataclasses.replace(known(event.step), history=history.truncated(event.step))
    if pending:
        history.record(columns(pending, trainer.state.batches.progress))
    if diverged is not None:
        history = history.truncated(diverged.good)
    last = evaluated[-1]
    assert last.dev is not None
    return Outcome(
        known(diverged.good if diverged is not None else trainer.state.step), halfway, diverged, _guess(splits),
        recipe.data.noise if splits.task == "regression" else 0.0, last.train.error, last.dev.error,
        tuple(each.dev.cost for each in evaluated if each.dev is not None), tuple(each.train.cost for each in evaluated),
    )  # fmt: skip


def _guess(splits: Splits) -> float:
    Y = splits.train.Y
    if splits.task == "regression":
        return float(Y.std())
    share = Y.mean(axis=0)
    return float(1 - max(share.max(), 1 - share.max() if splits.task == "binary" else 0.0))


def shuffled(splits: Splits, random: Random) -> Splits:
    """With labels that have nothing to do with the examples, on train and dev."""

    def mixed(part: Dataset | None) -> Dataset | None:
        return None if part is None else Dataset(part.X, part.Y[random.permutation(part.examples)])

    train = mixed(splits.train)
    assert train is not None
    return dataclasses.replace(splits, train=train, dev=mixed(splits.dev))
