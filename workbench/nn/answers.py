"""What the logits say: probabilities, and the class that is decided for.

Where a logit is not finite there is no answer: the class is -1, never a confident class 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from workbench.nn.buffer import Array
from workbench.nn.losses import LOSSES


def answers(task: str, Z: Array) -> NDArray[np.float64]:
    """Probabilities (m, C) from logits (m, k), of both classes for a binary task; of a regression the values (m, k)."""
    P = LOSSES[task](Z.dtype).predict(Z).astype(np.float64)
    return np.concatenate([1 - P, P], axis=1) if task == "binary" else P


def decided(P: NDArray[np.float64], Z: Array) -> NDArray[np.int64]:
    """The most probable class of each example (m,); -1 where a logit or a probability is not finite."""
    good: NDArray[np.bool_] = np.isfinite(np.concatenate([P, Z], axis=1)).all(axis=1)
    return np.where(good, np.where(good[:, None], P, 0.0).argmax(axis=1), -1).astype(np.int64)
