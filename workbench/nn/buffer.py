"""Memory that is kept between steps, so that a step allocates nothing."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array = NDArray[Any]


class Buffer:
    """A contiguous array of whatever shape is asked for, over one piece of memory that only grows."""

    __slots__ = ("_memory", "_view")

    def __init__(self, dtype: DTypeLike) -> None:
        self._memory: Array = np.empty(0, dtype)
        self._view = self._memory

    def like(self, array: Array) -> Array:
        """Uninitialized memory of the same shape as `array`; overwritten by the next request."""
        return self.of(array.shape)

    def of(self, shape: tuple[int, ...]) -> Array:
        """Uninitialized memory of this shape; overwritten by the next request."""
        if self._view.shape != shape:
            size = math.prod(shape)
            if size > self._memory.size:
                self._memory = np.empty(size, self._memory.dtype)
            self._view = self._memory[:size].reshape(shape)
        return self._view
