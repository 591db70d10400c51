"""Losses from logits, numerically safe, with their gradients.

`loss` is per example, `cost` is the mean over examples. Each class computes both in `forward`, and the gradient of the
cost with respect to the logits in `backward`. Label smoothing (Szegedy et al. 2016, section 7) replaces a target y by
(1 - s)·y + s/C.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

from workbench.nn.activations import ACTIVATIONS
from workbench.nn.buffer import Array, Buffer
from workbench.nn.sums import sum_over_units


class Loss(ABC):
    """A loss on logits Z (m, k) against targets Y (m, k)."""

    error_name = "error"

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self._dZ, self._work, self._columns, self._targets = (Buffer(dtype) for _ in range(4))
        self._number: Callable[[Any], Any] = complex if dtype.kind == "c" else float
        self._each: Array = np.empty((0, 0), dtype)
        self.losses: Array = np.empty(0, dtype)

    def forward(self, Z: Array, Y: Array, smoothing: float = 0.0) -> float:
        """The cost, a mean over examples; `self.losses` (m,) holds the loss of each. A complex number where Z is."""
        if smoothing:
            Y = self._smoothed(Y, smoothing)
        self.losses = self._forward(Z, Y)
        return self._number(np.add.reduce(self.losses, axis=None)) / self.losses.size

    def _smoothed(self, Y: Array, smoothing: float) -> Array:
        targets = self._targets.like(Y)
        # In the network's own type: the targets of the data are float32, in which 0.9 is 0.899999976.
        np.multiply(Y, 1.0 - smoothing, out=targets, dtype=targets.dtype)
        return np.add(targets, smoothing / max(2, Y.shape[-1]), out=targets)

    def backward(self) -> Array:
        """dZ (m, k) of the cost of the last `forward`; once for each, since it is scaled in place."""
        return np.multiply(self._each, 1.0 / self._each.shape[-2], out=self._each)

    @abstractmethod
    def _forward(self, Z: Array, Y: Array) -> Array:
        """Losses (m,); leaves dZ of each example's own loss in `self._each`."""

    @abstractmethod
    def predict(self, Z: Array) -> Array:
        """What the network says: probabilities (m, k), or values for a regression."""

    @abstractmethod
    def mistakes(self, Z: Array, Y: Array) -> Array:
        """Per example (m,), what the error averages. Logits that are not finite never count as right."""

    def error(self, mean_mistake: float) -> float:
        """The error from the mean of the mistakes: the share of examples that are wrong."""
        return mean_mistake


class SoftmaxCrossEntropy(Loss):
    """L = -Σ y·log softmax(z) and dz = softmax(z) - y, from z minus its largest element.

    Subtracting the maximum keeps exp from overflowing; the logarithm is of the sum alone, so a class of vanishing
    probability costs its true amount instead of infinity.
    """

    def _forward(self, Z: Array, Y: Array) -> Array:
        shifted = self._work.like(Z)
        self._each = P = self._dZ.like(Z)
        np.subtract(Z, self._largest(Z), out=shifted)
        np.exp(shifted, out=P)
        total = sum_over_units(P)
        np.divide(P, total, out=P)
        np.subtract(P, Y, out=P)
        losses: Array = np.log(total, out=total)[..., 0]
        return np.subtract(losses, np.vecdot(Y, shifted), out=losses)

    def _largest(self, Z: Array) -> Array:
        """Max z of each example (m, 1), taken with the classes first in memory: along a short last axis it is slow."""
        columns = self._columns.of((*Z.shape[:-2], Z.shape[-1], Z.shape[-2]))
        np.copyto(columns, Z.swapaxes(-1, -2))
        return np.maximum.reduce(columns, axis=-2, keepdims=True).swapaxes(-1, -2)

    def predict(self, Z: Array) -> Array:
        return softmax(Z)

    def mistakes(self, Z: Array, Y: Array) -> Array:
        wrong = np.argmax(Z, axis=-1) != np.argmax(Y, axis=-1)
        return (wrong | ~np.isfinite(Z).all(axis=-1)).astype(Z.dtype)


class SigmoidCrossEntropy(Loss):
    """L = max(z, 0) - z·y + log(1 + e^-|z|) = -(y log a + (1-y) log(1-a)) with a = σ(z); dz = a - y."""

    def _forward(self, Z: Array, Y: Array) -> Array:
        work = self._work.like(Z)
        self._each = dZ = self._dZ.like(Z)
        np.negative(Z, out=work)
        np.minimum(Z, work, out=work)  # -|z|, which has no meaning for a complex number
        np.exp(work, out=work)
        np.log1p(work, out=work)
        np.maximum(Z, 0.0, out=dZ)
        np.add(work, dZ, out=work)
        np.multiply(Z, Y, out=dZ)
        np.subtract(work, dZ, out=work)
        losses = np.add.reduce(work, axis=-1)
        np.subtract(ACTIVATIONS["sigmoid"].forward(Z, dZ), Y, out=dZ)
        return losses

    def predict(self, Z: Array) -> Array:
        return ACTIVATIONS["sigmoid"].forward(Z, np.empty_like(Z))

    def mistakes(self, Z: Array, Y: Array) -> Array:
        wrong = ((Z > 0.0) != (Y > 0.5)) | ~np.isfinite(Z)
        return wrong.any(axis=-1).astype(Z.dtype)


class SquaredError(Loss):
    """L = ½ Σ (z - y)², dz = z - y. PyTorch's MSELoss is twice this, divided by the number of outputs.

    The error is the root of the mean squared error, in the target's own unit.
    """

    error_name = "RMSE"

    def _forward(self, Z: Array, Y: Array) -> Array:
        self._each = dZ = np.subtract(Z, Y, out=self._dZ.like(Z))
        squares = np.multiply(dZ, dZ, out=self._work.like(Z))
        losses = np.add.reduce(squares, axis=-1)
        return np.multiply(losses, 0.5, out=losses)

    def predict(self, Z: Array) -> Array:
        return Z

    def mistakes(self, Z: Array, Y: Array) -> Array:
        return np.square(Z - Y).mean(axis=-1)

    def error(self, mean_mistake: float) -> float:
        return float(np.sqrt(mean_mistake))


LOSSES: dict[str, type[Loss]] = {
    "classes": SoftmaxCrossEntropy,
    "binary": SigmoidCrossEntropy,
    "regression": SquaredError,
}


def softmax(Z: Array) -> Array:
    """T = e^(z - max z), a = t / Σt over the last axis; a new array."""
    t = np.exp(Z - Z.max(axis=-1, keepdims=True))
    return t / t.sum(axis=-1, keepdims=True)
