"""A network in plain NumPy, written from the course's formulas: nothing of the engine is used, and nothing is kept.

Parameters are arrays by name (W1, b1 or gamma1 and beta1, ...). Rows are examples. Slow and short, so that it can be read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[Any]
Parameters = Mapping[str, Floats]
Moments = Sequence[tuple[Floats, Floats]]
"""Mean and variance of each hidden layer's z."""

EPSILON = 1e-5


def sigmoid(z: Floats) -> Floats:
    return np.exp(-np.logaddexp(0.0, -z))


FUNCTIONS: dict[str, Callable[[Floats], Floats]] = {
    "tanh": np.tanh,
    "relu": lambda Y: np.where(Y > 0, Y, 0.0),
    "sigmoid": sigmoid,
}
SLOPES: dict[str, Callable[[Floats], Floats]] = {
    "tanh": lambda Y: 1 / np.cosh(Y) ** 2,
    "relu": lambda Y: 1.0 * (Y > 0),
    "sigmoid": lambda Y: sigmoid(Y) * sigmoid(-Y),
}


def softmax(Z: Floats) -> Floats:
    t = np.exp(Z - Z.max(axis=1, keepdims=True))
    return t / t.sum(axis=1, keepdims=True)


@dataclass(frozen=True)
class Layer:
    """What one layer made of its input (m, n_in), masks included; for the output `Y` and `A` are Z."""

    input: Floats
    Z: Floats
    normalized: Floats
    Y: Floats
    A: Floats
    mean: Floats
    biased: Floats


def forward(p: Parameters, activation: str, X: Floats, moments: Moments = (), masks: Sequence[Floats] = ()) -> list[Layer]:
    """All layers. z is normalized by `moments`, or else by its own; outputs are multiplied by `masks`."""
    layers: list[Layer] = []
    last = sum(name.startswith("W") for name in p)
    A: Floats = X.astype(np.float64)
    for l in range(1, last + 1):
        Z = A @ p[f"W{l}"] + p.get(f"b{l}", 0.0)
        mean, biased = moments[l - 1] if l <= len(moments) else (Z.mean(axis=0), Z.var(axis=0))
        normalized = (Z - mean) / np.sqrt(biased + EPSILON)
        Y = p[f"gamma{l}"] * normalized + p[f"beta{l}"] if f"gamma{l}" in p else Z
        out = Z if l == last else FUNCTIONS[activation](Y)
        layers.append(Layer(A, Z, normalized, Y, out, mean, biased))
        A = out * masks[l - 1] if l <= len(masks) else out
    return layers


def losses(task: str, Z: Floats, Y: Floats) -> Floats:
    """Of each example (m,)."""
    if task == "regression":
        return ((Z - Y) ** 2).sum(axis=1) / 2
    if task == "binary":
        return (Y * np.logaddexp(0, -Z) + (1 - Y) * np.logaddexp(0, Z)).sum(axis=1)
    return -(Y * np.log(softmax(Z))).sum(axis=1)


def error(task: str, Z: Floats, Y: Floats) -> float:
    """The share of wrong examples, or the root mean squared error."""
    if task == "regression":
        return float(np.sqrt(((Z - Y) ** 2).mean()))
    wrong = (Z[:, 0] > 0) != (Y[:, 0] == 1) if task == "binary" else Z.argmax(axis=1) != Y.argmax(axis=1)
    return float(wrong.mean())


def smoothed(task: str, Y: Floats, share: float) -> Floats:
    """Targets with a share of each spread over the classes."""
    return Y if task == "regression" else (1 - share) * Y + share / max(2, Y.shape[1])


def penalty(p: Parameters, l2: float, l1: float) -> float:
    return sum(l2 / 2 * float((W**2).sum()) + l1 * float(np.abs(W).sum()) for name, W in p.items() if name.startswith("W"))


def gradients(
    p: Parameters, task: str, activation: str, layers: list[Layer], Y: Floats, masks: Sequence[Floats], l2: float, l1: float
) -> dict[str, Floats]:
    """Of the cost on targets `Y` with its penalties, by name; `layers` were normalized by their own moments."""
    m, g = len(Y), {}
    Z = layers[-1].Z
    dZ = ({"regression": Z, "binary": sigmoid(Z)}[task] if task != "classes" else softmax(Z)) - Y
    dZ = dZ / m
    for l in range(len(layers), 0, -1):
        W = p[f"W{l}"]
        g[f"W{l}"] = layers[l - 1].input.T @ dZ + l2 * W + l1 * np.sign(W)
        if f"b{l}" in p:
            g[f"b{l}"] = dZ.sum(axis=0, keepdims=True)
        if l == 1:
            break
        below = layers[l - 2]
        dY = (dZ @ W.T) * masks[l - 2] * SLOPES[activation](below.Y)
        dZ = dY
        if f"gamma{l - 1}" in p:
            g[f"gamma{l - 1}"] = (dY * below.normalized).sum(axis=0, keepdims=True)
            g[f"beta{l - 1}"] = dY.sum(axis=0, keepdims=True)
            d = dY * p[f"gamma{l - 1}"]
            n = below.normalized
            dZ = (d - d.mean(axis=0) - n * (d * n).mean(axis=0)) / np.sqrt(below.biased + EPSILON)
    return g


def length(arrays: Sequence[Floats]) -> float:
    """‖·‖ of all of them together."""
    return float(np.sqrt(sum(float((each**2).sum()) for each in arrays)))
