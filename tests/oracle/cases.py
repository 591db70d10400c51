"""The runs that are compared with PyTorch: every optimizer, with and without batch norm, every activation, every task.

Small networks, float64, 30 steps each. What a run is given is made here, for both sides: examples, first weights, settings,
and what our generators decide (the order of an epoch, the masks of dropout). Nothing here computes a step.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.data.dataset import Dataset, Task, one_hot
from workbench.data.splits import Splits
from workbench.hyperparameters import TABLE, Architecture, Hyperparameters
from workbench.randomness import Purpose, Stream, generator

Floats = NDArray[np.float64]

SEED = 7
STEPS = 30
EXAMPLES, BATCH = 25, 8
"""The last mini-batch of an epoch has one example, which batch norm takes into the one before."""
FEATURES, HIDDEN = 2, (4, 3)
OUTPUTS = {Task.CLASSES: 4, Task.BINARY: 1, Task.REGRESSION: 2}
OPTIMIZERS = tuple(map(str, TABLE["optimizer"].choices))
ACTIVATIONS = tuple(map(str, TABLE["activation"].choices))
SCHEDULES = tuple(map(str, TABLE["schedule"].choices))
RATES = {"gradient_descent": 0.1, "momentum": 0.1, "nesterov": 0.1, "adagrad": 0.05}
"""α₀; of the others, which divide the gradient's size out, 0.01."""

OPTIONS: tuple[dict[str, Any], ...] = (
    {},
    {"l2": 0.02, "l1": 0.003, "clip_norm": 0.5, "beta1": 0.8, "beta2": 0.97, "batchnorm_epsilon": 1e-3},
    {
        "l2": 0.01, "l1": 0.002, "clip_norm": 0.4, "label_smoothing": 0.25, "keep_prob": (0.75, 0.6), "warmup_steps": 7,
        "batchnorm_beta": 0.7, "weight_decay": 0.1, "epsilon": 1e-5,
    },
)  # fmt: skip
"""Nothing, the penalties with clipping, and all options at once: every third run each."""


@dataclass(frozen=True)
class Case:
    """One run."""

    optimizer: str
    batch_norm: bool
    activation: str
    task: Task
    options: int
    schedule: str
    label_smoothing: float | None = None
    """Where it is another than the options have."""

    @property
    def name(self) -> str:
        norm = "-batchnorm" if self.batch_norm else ""
        smoothed = "" if self.label_smoothing is None else f"-smoothing{self.label_smoothing:g}"
        return f"{self.optimizer}{norm}-{self.activation}-{self.task}{smoothed}"

    @property
    def architecture(self) -> Architecture:
        return Architecture(hidden=HIDDEN, activation=self.activation, batch_norm=self.batch_norm)

    @property
    def hyperparameters(self) -> Hyperparameters:
        chosen = {"keep_prob": (1.0, 1.0), **OPTIONS[self.options]}
        if self.label_smoothing is not None:
            chosen["label_smoothing"] = self.label_smoothing
        if self.task is Task.REGRESSION:
            chosen.pop("label_smoothing", None)
        if self.batch_norm and self.activation == "linear":
            # The next batch norm takes the first β out: its gradient is 0 but for rounding, which a small ε makes steps of.
            chosen["epsilon"] = 1e-2
        return Hyperparameters(
            optimizer=self.optimizer, learning_rate=RATES.get(self.optimizer, 0.01), batch_size=BATCH, schedule=self.schedule,
            decay_rate=0.3, decay_factor=0.8, decay_every=3, decay_k=0.9, decay_epochs=6, decay_floor=0.1, guard_factor=0.0,
            **chosen,
        )  # fmt: skip


def _grid() -> tuple[Case, ...]:
    found = []
    for o, optimizer in enumerate(OPTIMIZERS):
        for batch_norm in (False, True):
            for a, activation in enumerate(ACTIVATIONS):
                for t, task in enumerate(OUTPUTS):
                    options, schedule = (o + a + t + batch_norm) % len(OPTIONS), SCHEDULES[(o + 2 * a + t) % len(SCHEDULES)]
                    found.append(Case(optimizer, batch_norm, activation, task, options, schedule))
    return tuple(found)


GRID = _grid()
SMOOTHED = tuple(
    Case("adam", batch_norm, "tanh", task, 0, "constant", label_smoothing=0.1)
    for batch_norm in (False, True)
    for task in (Task.CLASSES, Task.BINARY)
)
"""In the grid the smoothing is 1/4, which float32 has exactly; a tenth it has not."""
CASES = (*GRID, *SMOOTHED)


@dataclass(frozen=True, eq=False)
class Trajectory:
    """A run as it went.

    Attributes:
        cost: J of each step, (STEPS,).
        gradient_norm: ‖g‖ of the last step, before clipping.
        parameters: after the last step: W1, W2, W3, then b or γ and β of each layer, flat.
        running: with batch norm the averaged mean and variance of each layer, bias corrected; else empty.
    """

    cost: Floats
    gradient_norm: float
    parameters: Floats
    running: Floats


@cache
def examples(task: Task) -> Splits:
    """EXAMPLES to train on, of which nothing is to be learned, and none to test on."""
    random = np.random.default_rng(list(OUTPUTS).index(task))
    X = random.standard_normal((EXAMPLES, FEATURES)).astype(np.float32)
    Y = {
        Task.CLASSES: one_hot(random.integers(4, size=EXAMPLES), 4),
        Task.BINARY: random.integers(2, size=(EXAMPLES, 1)).astype(np.float32),
        Task.REGRESSION: random.standard_normal((EXAMPLES, 2)).astype(np.float32),
    }[task]
    return Splits(
        train=Dataset(X, Y), dev=None, test=None, task=task, class_names=(), image_shape=None, feature_names=(),
        normalization=None,
    )  # fmt: skip


def first_parameters(case: Case) -> dict[str, Floats]:
    """By name, in flat order: weights of about He's size; shifts near 0 and factors near 1, but neither quite."""
    random = np.random.default_rng(CASES.index(case))
    sizes = (FEATURES, *HIDDEN, OUTPUTS[case.task])
    layers = range(1, len(sizes))
    found: dict[str, Floats] = {}
    for l in layers:
        found[f"W{l}"] = random.standard_normal((sizes[l - 1], sizes[l])) * 0.8
    for l in layers:
        if case.batch_norm and l < layers[-1]:
            found[f"gamma{l}"] = 1 + 0.1 * random.standard_normal((1, sizes[l]))
            found[f"beta{l}"] = 0.1 * random.standard_normal((1, sizes[l]))
        else:
            found[f"b{l}"] = 0.1 * random.standard_normal((1, sizes[l]))
    return found


def order_of(epoch: int) -> NDArray[np.int64]:
    """In which the examples of an epoch come."""
    return generator(SEED, Purpose.SHUFFLE, epoch).permutation(EXAMPLES)


def kept_units(layer: int, step: int, examples: int, keep_prob: float) -> tuple[NDArray[np.bool_], float]:
    """Which outputs of a hidden layer dropout keeps, (m, n), and the chance of that, which is in units of 1/65,536."""
    chance = round(keep_prob * 65536)
    words = Stream(SEED, Purpose.DROPOUT, layer).uint16(step, examples * HIDDEN[layer - 1])
    return (words < chance).reshape(examples, -1), chance / 65536
