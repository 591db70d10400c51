"""Rows of equal numbers, and sums by them.

NumPy's own way is a multiple slower for the shapes of a mini-batch: a reduction goes row by row where a product with a
vector of ones is one call of the BLAS, and `np.maximum` has a vectorized loop for two arrays but not for an array and a number.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from workbench.nn.buffer import Array


@lru_cache(maxsize=256)
def row(value: float, n: int, dtype: np.dtype[np.floating]) -> Array:
    """(n,) of one number; shared, and therefore read-only."""
    filled: Array = np.full(n, value, dtype)
    filled.flags.writeable = False
    return filled


def sum_over_examples(Z: Array, out: Array) -> Array:
    """Σ over the rows of Z (m, n), as (1, n)."""
    return np.matmul(row(1.0, Z.shape[-2], Z.dtype)[None], Z, out=out)


def sum_over_units(Z: Array) -> Array:
    """Σ over the columns of Z (m, n), as (m,); a new array."""
    return np.matmul(Z, row(1.0, Z.shape[-1], Z.dtype))
