"""Gradient checking: backpropagation in float64 against the complex step, and beside it the course's two-sided differences.

The complex step is the judge: it takes no difference, and is as exact as backpropagation itself (`workbench.engine.slopes`). A
tensor is right where no element is off by more than 1e-12 of the tensor's largest, however small or large that is; or by no more
than rounding may do to it, where that is more (`workbench.engine.rounding`). The two-sided figure is
‖dθ_approx - dθ‖ / (‖dθ_approx‖ + ‖dθ‖), about 1e-7 where all is fine and 1e-3 where something is wrong (the course, after Ng). A
gradient that has vanished or a cost that has exploded makes it large as well, so it decides nothing.

On the first examples, as the network is at the start, with the penalties, and with the masks of dropout of the first step. Never
part of training: every element costs a forward pass. Knows no preset.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike, NDArray

from workbench.data.splits import Splits
from workbench.engine.objective import Objective
from workbench.engine.rounding import rounding_of
from workbench.engine.slopes import ComplexStep, difference_quotient
from workbench.engine.state import State
from workbench.hyperparameters import Architecture, Hyperparameters
from workbench.nn.buffer import Array
from workbench.nn.continuation import continued
from workbench.nn.losses import LOSSES, Loss
from workbench.nn.network import Network, Tensor
from workbench.randomness import Purpose, generator

FINE = 1e-12
"""A figure above this is of a wrong gradient. Correct ones have some 1e-15."""
EXAMPLES = 16
ALL_ELEMENTS = 20_000
"""Networks of up to so many parameters are checked at each of them."""
DRAWN = 200
"""Of a larger network so many elements of each tensor are checked, drawn at random; and of any by differences."""
DIRECTIONS = 20
"""In so many random directions over all parameters a larger network is checked as well."""
_LEAST = 1e-230
"""What is smaller than 1e-12 of this is 0 to the complex step."""


@dataclass(frozen=True, slots=True)
class TensorCheck:
    """What was found of one tensor.

    Attributes:
        difference: the largest, as a share of the tensor's largest element (or of 1e12 times what rounding may do, where that is
            more): right up to `FINE`. NaN where something is not finite.
        elements: how many were checked, of `size`.
        rounding: the share of the largest element up to which rounding may account for a difference; 1 or more where the whole
            gradient is rounding.
        two_sided: the course's figure.
        worst: names the worst element of a wrong tensor.
    """

    name: str
    difference: float
    elements: int
    size: int
    rounding: float
    two_sided: float
    worst: str

    @property
    def right(self) -> bool:
        """Whether backpropagation and the complex step agree; where something is not finite they do not."""
        return self.difference <= FINE


@dataclass(frozen=True, slots=True)
class GradientCheck:
    """All tensors; and where not all elements were checked, the difference in each of the random directions."""

    tensors: tuple[TensorCheck, ...]
    directions: tuple[float, ...]

    @property
    def largest(self) -> float:
        """The largest difference; NaN counts as infinite."""
        return max(_known(each.difference for each in self.tensors), self.largest_along)

    @property
    def largest_along(self) -> float:
        """The largest difference along a direction; 0 where none was needed."""
        return _known(self.directions)

    @property
    def right(self) -> bool:
        """Whether everything that was checked is."""
        return self.largest <= FINE

    @property
    def elements(self) -> int:
        """How many parameters were checked one by one."""
        return sum(each.elements for each in self.tensors)

    @property
    def parameters(self) -> int:
        """How many there are."""
        return sum(each.size for each in self.tensors)


def check_gradients(splits: Splits, architecture: Architecture, hyperparameters: Hyperparameters, seed: int) -> GradientCheck:
    """Check a network as it is at the start, on the first train examples. Raises `DataError` where these are too few."""
    network = State(splits, architecture, hyperparameters.optimizer, seed, np.float64).network
    network.configure(hyperparameters)
    with np.errstate(all="ignore"):  # what is not finite counts as wrong
        return _Check(network, splits, architecture, hyperparameters, seed).made()


def _known(differences: Iterable[float]) -> float:
    return max((math.inf if math.isnan(each) else each for each in differences), default=0.0)


class _Check:
    """One check: the network's own gradients, how far to trust their digits, and the two that they are compared with."""

    def __init__(self, network: Network, splits: Splits, architecture: Architecture, h: Hyperparameters, seed: int) -> None:
        X, Y = splits.train.X[:EXAMPLES].astype(np.float64), splits.train.Y[:EXAMPLES]

        def loss(dtype: DTypeLike = np.float64) -> Loss:
            return LOSSES[splits.task](np.dtype(dtype))

        def another(dtype: DTypeLike = np.float64) -> Network:
            made = Network(splits.n_features, splits.n_outputs, architecture, seed, dtype)
            made.configure(h)
            return made

        self._network, self._seed = network, seed
        self._objective = Objective(network, loss(), X, Y, h)
        self._exact = self._objective.gradients()
        self._rounding = rounding_of(self._exact, another, loss, X, Y, h, seed)
        of_complex = another(np.complex128)
        for layer in of_complex.layers:
            layer.activation = continued(layer.activation)
        self._complex = Objective(of_complex, loss(np.complex128), X, Y, h)

    def made(self) -> GradientCheck:
        """All of it."""
        all_of_them = self._exact.size <= ALL_ELEMENTS
        tensors, scales = [], np.empty_like(self._exact)
        for i, tensor in enumerate(self._network.tensors):
            drawn = self._drawn(tensor, i)
            places = np.arange(tensor.start, tensor.stop) if all_of_them else drawn
            found, scale = self._tensor(tensor, places, drawn)
            tensors.append(found)
            scales[tensor.start : tensor.stop] = scale
        return GradientCheck(tuple(tensors), () if all_of_them else self._directions(scales))

    def _drawn(self, tensor: Tensor, index: int) -> NDArray[np.int64]:
        """Places of some elements, in order: all of a small tensor."""
        random = generator(self._seed, Purpose.GRADIENT_CHECK, index=1, layer=index)
        size = tensor.stop - tensor.start
        return tensor.start + np.sort(random.permutation(size)[:DRAWN])

    def _tensor(self, tensor: Tensor, places: NDArray[np.int64], drawn: NDArray[np.int64]) -> tuple[TensorCheck, float]:
        """What was found, and the size by which differences are divided."""
        own = self._exact[tensor.start : tensor.stop]
        step = ComplexStep(self._complex, _largest(own))
        true = np.array([step.along_element(place) for place in places.tolist()])
        gap = np.abs(true - self._exact[places])
        largest = max(_largest(own), _largest(true))
        rounding = _largest(self._rounding[tensor.start : tensor.stop])
        scale = max(largest, rounding / FINE, _LEAST)
        difference = float(gap.max()) / scale
        quotients = np.array([difference_quotient(self._objective, place) for place in drawn.tolist()])
        found = TensorCheck(
            name=tensor.name,
            difference=difference,
            elements=len(places),
            size=own.size,
            rounding=rounding / largest if largest else 0.0,
            two_sided=_relative(quotients, self._exact[drawn]),
            worst="" if difference <= FINE else _worst(tensor, places, gap, self._exact[places], true),
        )
        return found, scale

    def _directions(self, scales: Array) -> tuple[float, ...]:
        """Differences along v with elements ±1/scale, so that no tensor drowns in another; divided by √P as they add up."""
        top = float(scales.max())
        weights = top / np.maximum(scales, 1e-20 * top)
        step = ComplexStep(self._complex, top)
        random = generator(self._seed, Purpose.GRADIENT_CHECK, index=2)
        found = []
        for _ in range(DIRECTIONS):
            v = weights * (1.0 - 2.0 * random.integers(2, size=weights.size))
            found.append(abs(step.along(v) - float(np.dot(v, self._exact))) / (top * math.sqrt(weights.size)))
        return tuple(found)


def _largest(values: Array) -> float:
    """The largest absolute value of those that are finite."""
    return float(np.abs(values).max(initial=0.0, where=np.isfinite(values)))


def _relative(approximate: Array, exact: Array) -> float:
    scale = float(np.linalg.norm(approximate) + np.linalg.norm(exact))
    return float(np.linalg.norm(approximate - exact)) / scale if scale != 0.0 else 0.0


def _worst(tensor: Tensor, places: NDArray[np.int64], gap: Array, exact: Array, true: Array) -> str:
    i = int(np.argmax(gap))  # the first NaN, where there is one
    row, column = divmod(int(places[i]) - tensor.start, tensor.shape[1])
    return f"worst at [{row}, {column}]: {exact[i]:.6g} by backpropagation, {true[i]:.6g} by the complex step"
