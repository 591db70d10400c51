"""Gradient checking: backpropagation against two-sided differences, one figure per parameter tensor.

‖dθ_approx - dθ‖ / (‖dθ_approx‖ + ‖dθ‖), in float64, with the penalties and without dropout. About 1e-7 is fine and 1e-3
is wrong (the course, after Ng). Never part of training: every element costs two forward passes. Knows no preset.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np

from workbench.data.splits import Splits
from workbench.engine.state import State
from workbench.hyperparameters import Architecture, Hyperparameters
from workbench.nn.buffer import Array
from workbench.nn.losses import LOSSES
from workbench.nn.network import Network
from workbench.optim.penalties import add_penalty_gradients, penalty

FINE = 1e-5
"""Above this a tensor counts as wrong; between 1e-7 and this, kinks of the activation may be to blame."""
EPSILONS = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2)
"""Half the width of a difference. Each carries rounding noise of about 1e-16·|J|/ε, which hides a gradient that has vanished or
a cost that has exploded; the next one is tried where a tensor does not come out fine, and the smallest difference counts."""
EXAMPLES = 16
MOST_ELEMENTS = 400
"""Of a larger tensor this many elements are checked, evenly spread."""


@dataclass(frozen=True, slots=True)
class TensorCheck:
    """The relative difference of one tensor; `worst` names its worst element where the figure is large."""

    name: str
    difference: float
    worst: str


@dataclass(frozen=True, slots=True)
class GradientCheck:
    """All tensors, and the largest difference among them."""

    tensors: tuple[TensorCheck, ...]

    @property
    def largest(self) -> float:
        """The largest difference; NaN counts as infinite."""
        return max((each.difference if each.difference == each.difference else float("inf")) for each in self.tensors)


def check_gradients(splits: Splits, architecture: Architecture, hyperparameters: Hyperparameters, seed: int) -> GradientCheck:
    """Check a network as it is at the start, on the first train examples. Raises `DataError` where these are too few."""
    h = dataclasses.replace(hyperparameters, keep_prob=(1.0,) * len(architecture.hidden))
    network = State(splits, architecture, h.optimizer, seed, np.float64).network
    network.configure(h)
    with np.errstate(all="ignore"):  # what is not finite counts as wrong
        return check(network, _Cost(network, splits, h.l2, h.l1, h.label_smoothing))


class _Cost:
    """J of a network on fixed examples."""

    def __init__(self, network: Network, splits: Splits, l2: float, l1: float, smoothing: float) -> None:
        self._network, self._l2, self._l1, self._smoothing = network, l2, l1, smoothing
        self._X = splits.train.X[:EXAMPLES].astype(np.float64)
        self._Y = splits.train.Y[:EXAMPLES].astype(np.float64)
        self._loss = LOSSES[splits.task](network.dtype)

    def __call__(self) -> float:
        logits = self._network.forward(self._X, step=1)
        return self._loss.forward(logits, self._Y, self._smoothing) + penalty(self._network.weights, self._l2, self._l1)

    def gradients(self) -> Array:
        self()
        self._network.backward(self._loss.backward())
        weights = self._network.weights
        add_penalty_gradients(self._network.weight_gradients, weights, self._l2, self._l1, np.empty_like(weights))
        return self._network.gradients.copy()


def check(network: Network, cost: _Cost) -> GradientCheck:
    """Compare every tensor's gradients with differences of the cost."""
    analytic = network.named(cost.gradients())
    return GradientCheck(
        tuple(_check_tensor(name, view, analytic[name], cost) for name, view in network.named(network.parameters).items())
    )


def _check_tensor(name: str, view: Array, gradient: Array, cost: _Cost) -> TensorCheck:
    places = np.unique(np.linspace(0, view.size - 1, min(view.size, MOST_ELEMENTS)).astype(int))
    exact = gradient.ravel()[places]
    checks = []
    for epsilon in EPSILONS:
        numerical = np.array([_slope(view, place, cost, epsilon) for place in places])
        scale = float(np.linalg.norm(numerical) + np.linalg.norm(exact))
        gap = np.abs(numerical - exact)
        # Where there is no gradient at all (zero weights below), there is nothing relative to compare.
        difference = 0.0 if scale <= 1e-9 else float(np.linalg.norm(gap)) / scale  # NaN stays NaN
        worst = "" if difference <= FINE else _worst(places, gap, exact, numerical, view.shape)
        checks.append(TensorCheck(name, difference, worst))
        if difference <= FINE:
            break
    return min(checks, key=lambda each: math.inf if math.isnan(each.difference) else each.difference)


def _slope(view: Array, place: int, cost: _Cost, epsilon: float) -> float:
    row, column = divmod(int(place), view.shape[1])
    kept = float(view[row, column])
    view[row, column] = kept + epsilon
    above = cost()
    view[row, column] = kept - epsilon
    below = cost()
    view[row, column] = kept
    return (above - below) / (2.0 * epsilon)


def _worst(places: Array, gap: Array, exact: Array, numerical: Array, shape: tuple[int, ...]) -> str:
    i = int(np.argmax(gap))
    row, column = divmod(int(places[i]), shape[1])
    return f"  worst at [{row}, {column}]: {exact[i]:.6g} by backpropagation, {numerical[i]:.6g} numerically"
