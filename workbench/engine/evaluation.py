"""What an evaluation looks at: scores on a part of the data, and the health of each layer. Changes no state."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.data.dataset import Dataset, Task
from workbench.engine.measurements import BatchNormStatistics, Histogram, LayerStatistics, Score
from workbench.nn.buffer import Array
from workbench.nn.losses import LOSSES, Loss
from workbench.nn.network import Network, Trace

CHUNK = 4096
"""Examples at a time, so that an evaluation's memory does not grow with the data."""
LOOKED_AT = 256
"""Train examples on which distributions and dead units are measured."""
DEAD_SLOPE = 1e-3
SATURATED_SLOPE = 0.05
"""A slope of so much of the greatest is next to flat."""
FLAT_ENDS = {"sigmoid": 0.25, "tanh": 1.0}
"""The functions that saturate at both ends, with their greatest slope."""
TWIN = 1e-4
"""Columns of W that differ by less than so much of their length are copies of each other."""
BINS = 48


def score(network: Network, task: str, part: Dataset, penalty: float) -> Score:
    """Cost and error on a part of the data; the cost is weighted by chunk length and includes the penalty."""
    loss = LOSSES[task](network.dtype)
    cost = mistakes = 0.0
    for start in range(0, part.examples, CHUNK):
        X, Y = part.X[start : start + CHUNK], part.Y[start : start + CHUNK]
        Z = network.infer(X)
        cost += loss.forward(Z, Y) * len(X)
        mistakes += float(loss.mistakes(Z, Y).sum())
    return Score.of(cost / part.examples, loss.error(mistakes / part.examples), penalty)


def best_guess(task: Task, part: Dataset, loss: Loss) -> Score:
    """The best prediction that ignores X: the classes' frequencies, or the mean. A cost or error that is not finite is 0."""
    with np.errstate(all="ignore"):
        mean = part.Y.mean(axis=0, dtype=np.float64)
        p = np.clip(mean, 1e-6, 1 - 1e-6)
        Z = {Task.REGRESSION: mean, Task.BINARY: np.log(p / (1 - p)), Task.CLASSES: np.log(p)}[task]
        guess = np.broadcast_to(Z, part.Y.shape).astype(part.Y.dtype)
        cost = float(loss.forward(guess, part.Y))
        error = loss.error(float(loss.mistakes(guess, part.Y).mean(dtype=np.float64)))
    return Score.of(cost if math.isfinite(cost) else 0.0, error if math.isfinite(error) else 0.0)


@dataclass(frozen=True, slots=True)
class Update:
    """What there is to be known of the last update: the flat parameters before it, and ‖dW‖ of each layer before clipping."""

    parameters: Array
    gradient_norms: tuple[float, ...]

    @classmethod
    def of(cls, network: Network) -> Update:
        """Of the one that comes next: the gradients are there, not yet clipped."""
        dW = network.named(network.gradients)
        return cls(network.parameters.copy(), tuple(_norm(dW[f"W{l}"]) for l in range(1, len(network.layers) + 2)))


def look_at_layers(network: Network, part: Dataset, update: Update | None) -> tuple[LayerStatistics, ...]:
    """Statistics of layers 1 to L. Where nobody has seen an update, there is neither a gradient nor a mini-batch to tell of."""
    W, dW = network.named(network.parameters), network.named(network.gradients)
    W_before = network.named(update.parameters) if update is not None else {}
    running = network.running_statistics()
    found = []
    A = part.X[:LOOKED_AT]
    for l, trace in enumerate(network.trace(A), start=1):
        name = f"W{l}"
        weight_norm = _norm(W[name])
        moved = _norm(W[name] - W_before[name]) if update is not None else math.nan
        hidden = l <= len(network.layers)
        batchnorm = _batchnorm(network, l, running, update is not None) if hidden and running else None
        slope = _slope(network, l, trace) if hidden else None
        found.append(
            LayerStatistics(
                layer=l,
                units=trace.Z.shape[-1],
                gradient_norm=update.gradient_norms[l - 1] if update is not None else math.nan,
                clipped_norm=_norm(dW[name]) if update is not None else math.nan,
                weight_norm=weight_norm,
                update_ratio=moved / weight_norm if weight_norm else 0.0,
                dead=0.0 if slope is None else float((slope < DEAD_SLOPE).all(axis=0).mean()),
                saturated=0.0 if slope is None else _saturated(network.layers[l - 1].activation.name, slope),
                twins=_twins(W[name]),
                z=histogram(trace.Z),
                normalized=None if batchnorm is None else histogram((trace.Y - batchnorm.beta) / batchnorm.gamma),
                y=histogram(trace.Y),
                input_mean=A.mean(axis=0, dtype=np.float64),
                input_std=A.std(axis=0, dtype=np.float64),
                batchnorm=batchnorm,
            )
        )
        A = trace.A
    return tuple(found)


def _norm(W: Array) -> float:
    return float(np.linalg.norm(W.astype(np.float64)))


def _slope(network: Network, l: int, trace: Trace) -> Array:
    """|g'| of each example and unit."""
    activation = network.layers[l - 1].activation
    return np.abs(activation.backward(np.ones_like(trace.Y), trace.Y if activation.keeps_input else trace.A))


def _saturated(activation: str, slope: Array) -> float:
    greatest = FLAT_ENDS.get(activation)
    return 0.0 if greatest is None else float((slope < SATURATED_SLOPE * greatest).mean())


def _twins(W: Array) -> float:
    """The share of columns with a copy; sorted by their sum, copies are neighbours."""
    if W.shape[1] < 2:
        return 0.0
    columns = W.astype(np.float64).T
    columns = columns[np.argsort(columns.sum(axis=1), kind="stable")]
    apart = np.linalg.norm(np.diff(columns, axis=0), axis=1)
    alike = apart <= TWIN * np.linalg.norm(columns, axis=1)[1:]
    return float((np.append(alike, False) | np.append(False, alike)).mean())


def _batchnorm(network: Network, l: int, running: list[tuple[Array, Array]], seen: bool) -> BatchNormStatistics | None:
    norm = network.layers[l - 1].batchnorm
    if norm is None:
        return None
    mean, var = running[l - 1]
    batch = (norm.batch_mean, norm.batch_var) if seen else (np.full_like(mean, np.nan), np.full_like(var, np.nan))
    told = [np.array(row[0]) for row in (*batch, mean, var, norm.gamma, norm.beta)]
    return BatchNormStatistics(told[0], told[1], told[2], told[3], told[4], told[5], norm.epsilon)


def histogram(values: NDArray[np.floating]) -> Histogram:
    """Counts of the finite values in equal bins, four standard deviations to each side; what lies beyond is in the end bins."""
    finite = values[np.isfinite(values)].astype(np.float64)
    if not finite.size:
        return Histogram(0.0, 0.0, np.zeros(BINS, np.int64))
    middle, spread = float(finite.mean()), 4.0 * float(finite.std())
    low, high = max(float(finite.min()), middle - spread), min(float(finite.max()), middle + spread)
    if not high - low > 1e-12 * max(abs(low), abs(high), 1e-300):
        high = low + (abs(low) or 1.0)  # all alike: one full bin at the left
    places = np.clip((finite - low) * (BINS / (high - low)), 0, BINS - 1).astype(np.int64)
    return Histogram(low, high, np.bincount(places, minlength=BINS))
