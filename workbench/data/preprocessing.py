"""What becomes of a row of features before a network sees it: of those it is trained on, and of any that come later.

Owns the figures that are measured on the train set. Must not know where examples come from, nor how they are split.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.data.dataset import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Normalization:
    """μ and σ of each feature of the train set, float32 (n,), read-only. A constant feature has σ = 1."""

    mean: Floats
    std: Floats

    @classmethod
    def of(cls, X: NDArray[np.floating]) -> Normalization:
        """Measure the rows of `X` (m, n), m ≥ 1; σ divides by m."""
        # Equal float32 values add up exactly in float64, so that a constant feature's σ is 0 and not a rounding error.
        X = X.astype(np.float32, copy=False)
        mean = X.mean(axis=0, dtype=np.float64).astype(np.float32)
        std = X.std(axis=0, dtype=np.float64).astype(np.float32)
        std[std == 0] = 1
        mean.flags.writeable = std.flags.writeable = False
        return cls(mean, std)

    def apply(self, X: NDArray[np.floating]) -> Floats:
        """(X - μ) / σ, float32, the shape of `X` (m, n)."""
        return (X.astype(np.float32, copy=False) - self.mean) / self.std


@dataclass(frozen=True, slots=True, eq=False)
class Preprocessing:
    """From raw features to what a network was trained on: float32, and normalized where its train set was."""

    normalization: Normalization | None = None

    def apply(self, X: NDArray[np.floating]) -> Floats:
        """Rows (m, n) as the network reads them, float32 of the same shape."""
        return X.astype(np.float32, copy=False) if self.normalization is None else self.normalization.apply(X)
