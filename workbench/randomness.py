"""Random numbers as a function of (seed, purpose, index), never of what was drawn before.

Philox (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3") is counter-based: a step's dropout
mask or an epoch's order can be drawn without drawing the ones before, so a run that resumes, rewinds or forks
sees the same mini-batches and the same masks.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Purpose(IntEnum):
    """What a random number is for; each purpose has streams of its own."""

    DATA = 1
    SPLIT = 2
    INITIALIZATION = 3
    SHUFFLE = 4
    DROPOUT = 5
    GRADIENT_CHECK = 6


def generator(seed: int, purpose: Purpose, index: int = 0, layer: int = 0, repeat: int = 0) -> np.random.Generator:
    """A fresh generator for one purpose at one index (a step or an epoch), and one layer where that matters.

    Another `repeat` draws everything anew.
    """
    return np.random.Generator(np.random.Philox(key=[seed, purpose], counter=[0, layer, index, repeat]))


class Stream:
    """The raw Philox words of one purpose and layer, positioned anew at every index without building a generator."""

    def __init__(self, seed: int, purpose: Purpose, layer: int = 0) -> None:
        self._bits = np.random.Philox(key=[seed, purpose])
        self._start = self._bits.state
        self._counter = self._start["state"]["counter"]
        self._counter[1] = layer

    def repeat(self, number: int) -> None:
        """From now on, draw the words of this repeat; 0 is the first."""
        self._counter[3] = number

    def uint16(self, index: int, size: int) -> np.ndarray:
        """`size` independent uniform 16-bit words, a function of (seed, purpose, layer, index)."""
        self._counter[2] = index
        self._bits.state = self._start
        return self._bits.random_raw((size + 3) // 4).view(np.uint16)[:size]
