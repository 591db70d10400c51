"""Sums and means over one axis of a matrix, as products with a row of equal numbers.

For the shapes of a mini-batch one call of the BLAS takes a half to a quarter of the time of a NumPy reduction.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from workbench.nn.buffer import Array


@lru_cache(maxsize=256)
def row(value: float, n: int, dtype: np.dtype[np.floating]) -> Array:
    """(1, n) of one number; shared, and therefore read-only."""
    filled: Array = np.full((1, n), value, dtype)
    filled.flags.writeable = False
    return filled


def sum_over_examples(Z: Array, out: Array) -> Array:
    """Σ over the rows of Z (m, n), written to `out` (1, n)."""
    return np.matmul(row(1.0, Z.shape[-2], Z.dtype), Z, out=out)


def mean_over_examples(Z: Array, out: Array) -> Array:
    """The mean of the rows of Z (m, n), written to `out` (1, n)."""
    m = Z.shape[-2]
    return np.matmul(row(1.0 / m, m, Z.dtype), Z, out=out)


def sum_over_units(Z: Array) -> Array:
    """Σ over the columns of Z (m, n), a new array (m, 1)."""
    return np.matmul(Z, row(1.0, Z.shape[-1], Z.dtype).T)
