"""The nouns of the data: the task, the examples before the split, and a dataset that training reads.

Must not know where examples come from, how they are split, or what learns from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


class DataError(ValueError):
    """Data that cannot be had as asked for; the message starts with the key that is to blame: `data.KEY: `."""


class Task(StrEnum):
    """What is learned, which decides the output layer and its loss."""

    CLASSES = "classes"
    """One of C ≥ 3 classes: softmax, cross-entropy."""
    BINARY = "binary"
    """One of two classes: a single sigmoid unit, binary cross-entropy."""
    REGRESSION = "regression"
    """Real targets: linear outputs, squared error."""


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """One part of the split, in the form that training reads.

    `X` (m, n) and `Y` (m, k) are float32, C-contiguous and read-only. `Y` is one-hot for `CLASSES`, a column of 0 and 1
    for `BINARY`, the targets for `REGRESSION`. Arrays of another dtype or layout are converted. Raises `ValueError`
    where the two are not matrices with the same number of rows, at least one.
    """

    X: Floats
    Y: Floats

    def __post_init__(self) -> None:
        for name in ("X", "Y"):
            object.__setattr__(self, name, _frozen(getattr(self, name)))
        if self.X.ndim != 2 or self.Y.ndim != 2 or len(self.X) != len(self.Y) or not len(self.X):
            raise ValueError(f"expected X (m, n) and Y (m, k) with m at least 1, got {self.X.shape} and {self.Y.shape}")

    @property
    def examples(self) -> int:
        """m, the number of rows."""
        return len(self.X)


@dataclass(frozen=True, eq=False, kw_only=True)
class Examples:
    """All examples of a source, before the split.

    `X` (m, n) is float32 or float64. `labels` are whole numbers (m,), indices into `class_names`; for a regression they
    are real targets (m, k), and there are no class names. `image_shape` is (height, width) where a row of `X` is an image.
    """

    X: NDArray[np.floating]
    labels: NDArray[np.int64] | NDArray[np.float64]
    task: Task
    feature_names: tuple[str, ...]
    class_names: tuple[str, ...] = ()
    image_shape: tuple[int, int] | None = None
    title: str = ""
    credit: str = ""

    @property
    def examples(self) -> int:
        """m, the number of rows."""
        return len(self.X)

    def targets(self) -> Floats:
        """`Y` (m, k) as a `Dataset` has it."""
        if self.task is Task.CLASSES:
            return one_hot(self.labels.astype(np.int64), len(self.class_names))
        return self.labels.astype(np.float32).reshape(self.examples, -1)


def one_hot(labels: NDArray[np.int64], classes: int) -> Floats:
    """Whole numbers 0 … C-1 (m,) as rows with a single 1, float32 (m, C)."""
    rows = np.zeros((len(labels), classes), dtype=np.float32)
    rows[np.arange(len(labels)), labels] = 1
    return rows


def _frozen(array: NDArray[np.floating]) -> Floats:
    # A view, so that the caller's own array stays as writable as it was.
    view = np.ascontiguousarray(array, dtype=np.float32).view()
    view.flags.writeable = False
    return view
