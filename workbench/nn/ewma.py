"""The exponentially weighted average, used for moments, running statistics and smoothed curves alike.

v ← β·v + (1 - β)·θ averages about the last 1/(1 - β) observations. It starts from 0 and is therefore biased
towards 0 at first; v / (1 - Πβ) is not (Kingma and Ba 2015, section 3). Textbooks and most libraries write β^t for
the product, which is the same until β is edited, and wrong from then on: a constant signal of 1 with β going from
0.9 to 0.99 after 10 steps stays 1 by the product and reads 6.26 by the power.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from workbench.nn.buffer import Array


class Ewma:
    """An average over arrays, updated in place.

    Attributes:
        value: v, biased towards the zeros it starts from.
        product: the product of all β's so far; 1 before the first observation.
    """

    __slots__ = ("_scratch", "product", "value")

    def __init__(self, value: Array, scratch: Array | None = None) -> None:
        """`value` must be zeros and is owned from now on; `scratch`, of the same shape, may be shared."""
        self.value = value
        self.product = 1.0
        self._scratch = np.empty_like(value) if scratch is None else scratch

    def update(self, observation: Array, beta: float) -> None:
        """Take one observation in. It may be the scratch array itself, whose contents are lost."""
        np.multiply(self.value, beta, out=self.value)
        np.multiply(observation, 1.0 - beta, out=self._scratch)
        np.add(self.value, self._scratch, out=self.value)
        self.product *= beta

    @property
    def correction(self) -> float:
        """1 - Πβ, by which `value` is divided to take the bias out; 0 before the first observation."""
        return 1.0 - self.product

    def corrected(self) -> Array:
        """The unbiased average, a new array. Zeros before the first observation."""
        return self.value / self.correction if self.product < 1.0 else self.value.copy()


def smooth(
    values: NDArray[np.floating], beta: float, counts: NDArray[np.integer] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The average along a curve: (biased, corrected), each with one element per value.

    Where a value stands for the mean of `counts` observations, it weighs as that many equal ones. Values that are not
    finite are left out: the average goes on as if they had not been seen, and one NaN does not poison what follows.
    """
    biased = np.empty(len(values))
    corrected = np.full(len(values), np.nan)
    v, product = 0.0, 1.0
    repeats = [1] * len(values) if counts is None else counts.tolist()
    for i, (theta, repeat) in enumerate(zip(values.tolist(), repeats, strict=True)):
        if theta - theta == 0.0:  # finite
            kept = beta**repeat
            v = kept * v + (1.0 - kept) * theta
            product *= kept
        biased[i] = v
        if product < 1.0:
            corrected[i] = v / (1.0 - product)
    return biased, corrected
