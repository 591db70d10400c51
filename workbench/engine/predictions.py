"""What a trained network sees: its borders, its mistakes, its first weights. Pure functions that change no state.

Where a logit is not finite there is no prediction: the class is -1 and the confidence NaN, never a confident class 0.
"""

from __future__ import annotations

import numpy as np

from workbench.arrays import Floats, Ints
from workbench.data.dataset import Task
from workbench.data.splits import Splits
from workbench.engine.measurements import Boundary, Confusion, Fit, Predictions, ShownExamples
from workbench.nn.answers import answers, decided
from workbench.nn.buffer import Array
from workbench.nn.network import Network

POINTS = 400
MARGIN = 0.08
"""The map of a boundary goes beyond the examples by this share of their spread."""
SHOWN = 24
"""Examples of each kind."""
FILTERS = 64
LOOKED_AT = 4096


def predictions_of(network: Network, splits: Splits, columns: int, rows: int) -> Predictions:
    """Look at everything that applies, a boundary in `rows` times `columns` places."""
    name, part = ("dev", splits.dev) if splits.dev is not None else ("train", splits.train)
    X, Y = part.X[:LOOKED_AT], part.Y[:LOOKED_AT]
    classified = splits.task is not Task.REGRESSION
    predicted, confidence = _predictions(network, splits.task, X) if classified else (np.zeros(0, np.int64), np.zeros(0))
    truth = _labels(splits.task, Y) if classified else predicted
    shape = splits.image_shape

    def shown(rows: Ints) -> ShownExamples:
        return ShownExamples(_raw(splits, X[rows]), truth[rows], predicted[rows], confidence[rows])

    return Predictions(
        part=name,
        class_names=splits.class_names,
        image=shape or (),
        boundary=boundary_of(network, splits, columns, rows) if classified and splits.n_features == 2 else None,
        fit=None if classified else fit_of(network, X, Y),
        confusion=_confusion(truth, predicted, len(splits.class_names)) if classified else None,
        examples=shown(np.arange(min(SHOWN, len(X)))) if classified else None,
        worst=shown(_worst(truth, predicted, confidence)) if classified else None,
        filters=None if shape is None else _filters(network, shape),
    )


def boundary_of(network: Network, splits: Splits, columns: int, rows: int) -> Boundary:
    """The predicted class over the plane of a problem with two inputs."""
    X = splits.train.X.astype(np.float64)
    spread = X.max(axis=0) - X.min(axis=0)
    low, high = X.min(axis=0) - MARGIN * spread, X.max(axis=0) + MARGIN * spread
    across, down = np.linspace(low[0], high[0], columns), np.linspace(high[1], low[1], rows)
    plane = np.stack(np.meshgrid(across, down), axis=-1).reshape(-1, 2)
    classes, confidence = _predictions(network, splits.task, plane.astype(network.dtype))
    some = np.unique(np.linspace(0, len(X) - 1, min(POINTS, len(X))).astype(int))
    labels = _labels(splits.task, splits.train.Y[some])
    return Boundary(low, high, classes.reshape(rows, columns), confidence.reshape(rows, columns), X[some], labels)


def fit_of(network: Network, X: Array, Y: Array) -> Fit:
    """The first output of a regression."""
    truth, predicted = Y[:, 0].astype(np.float64), network.infer(X)[:, 0].astype(np.float64)
    wrong = float(((predicted - truth) ** 2).mean())
    spread = float(((truth - truth.mean()) ** 2).mean())
    some = slice(0, POINTS)
    return Fit(truth[some], predicted[some], wrong**0.5, 1 - wrong / spread if spread else float("nan"))


def _predictions(network: Network, task: Task, X: Array) -> tuple[Ints, Floats]:
    """Class and probability of it for each row; -1 and NaN where a logit is not finite."""
    Z = network.infer(X)
    P = answers(task, Z)
    classes = decided(P, Z)
    return classes, np.where(classes >= 0, P.max(axis=1, initial=0.0), np.nan)


def _labels(task: Task, Y: Array) -> Ints:
    return (Y[:, 0] > 0.5).astype(np.int64) if task is Task.BINARY else Y.argmax(axis=1).astype(np.int64)


def _confusion(truth: Ints, predicted: Ints, classes: int) -> Confusion:
    known = predicted >= 0
    counts = np.bincount(truth[known] * classes + predicted[known], minlength=classes**2).reshape(classes, classes)
    return Confusion(counts.astype(np.int64), int((~known).sum()))


def recall(confusion: Confusion) -> Floats:
    """Of each true class the share that was found, (C,); NaN of a class without examples."""
    with np.errstate(all="ignore"):
        return np.asarray(np.diag(confusion.counts) / confusion.counts.sum(axis=1))


def precision(confusion: Confusion) -> Floats:
    """Of each predicted class the share that is right, (C,); NaN of one that is never predicted."""
    with np.errstate(all="ignore"):
        return np.asarray(np.diag(confusion.counts) / confusion.counts.sum(axis=0))


def _worst(truth: Ints, predicted: Ints, confidence: Floats) -> Ints:
    """Rows of the wrong ones, the surest first; before them those without a prediction."""
    wrong = np.flatnonzero(truth != predicted)
    order = np.argsort(-np.nan_to_num(confidence[wrong], nan=2.0), kind="stable")
    return wrong[order][:SHOWN].astype(np.int64)


def _raw(splits: Splits, X: Array) -> Floats:
    norm = splits.normalization
    raw = X.astype(np.float64)
    return raw if norm is None else raw * norm.std + norm.mean


def _filters(network: Network, shape: tuple[int, int]) -> Floats:
    W = network.named(network.parameters)["W1"].astype(np.float64)[:, :FILTERS]
    return np.ascontiguousarray(W.T).reshape(-1, *shape)
