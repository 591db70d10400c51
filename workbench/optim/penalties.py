"""What acts on the gradients before the optimizer: L2 and L1 on the weights, and clipping by the global norm."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from workbench.nn.buffer import Array


def penalty(
    weights: Array, l2: float, l1: float, absolute: Callable[[Array], Array] = np.abs, number: Callable[[Any], Any] = float
) -> float:
    """(λ/2)·Σ‖W‖² + λ₁·Σ|W|, the part of the cost that the weights themselves have.

    λ is not divided by the number of examples, whatever the batch size: the course's λ is this one times m, and an
    edit of the batch size leaves the regularization as it was. For weights that are complex numbers, `absolute` and `number`
    say what |W| and a number are.
    """
    total = 0.0
    if l2:
        total += 0.5 * l2 * number(np.dot(weights, weights))
    if l1:
        total += l1 * number(np.add.reduce(absolute(weights)))
    return total


def add_penalty_gradients(gradients: Array, weights: Array, l2: float, l1: float, scratch: Array) -> None:
    """dW += λ·W + λ₁·sign(W), in place; the slope of |W| at 0 is taken as 0."""
    if l2:
        np.multiply(weights, l2, out=scratch)
        np.add(gradients, scratch, out=gradients)
    if l1:
        np.sign(weights, out=scratch)
        np.multiply(scratch, l1, out=scratch)
        np.add(gradients, scratch, out=gradients)


def norm(vector: Array) -> float:
    """‖g‖₂ over all layers together; not finite if an element or its square is not."""
    return float(np.sqrt(np.dot(vector, vector)))


def clip(gradients: Array, length: float, limit: float) -> None:
    """Shorten gradients of norm `length` to `limit` in place, if they are longer (Pascanu et al. 2013, algorithm 1)."""
    if length > limit > 0.0:
        np.multiply(gradients, limit / length, out=gradients)
