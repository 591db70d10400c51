"""Train, dev and test: which example goes where, each part preprocessed by what the train set measures.

Owns the split. Must not know which sources there are beyond asking for examples, nor in what order training sees them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.data.dataset import DataError, Dataset, Examples, Task
from workbench.data.preprocessing import Normalization, Preprocessing
from workbench.data.sources import load
from workbench.data.stratify import shares
from workbench.hyperparameters import DataSettings
from workbench.randomness import Purpose, generator


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Splits:
    """The three parts, normalized alike, and what is known of their columns. A part that was not asked for is None."""

    train: Dataset
    dev: Dataset | None
    test: Dataset | None
    task: Task
    class_names: tuple[str, ...]
    image_shape: tuple[int, int] | None
    feature_names: tuple[str, ...]
    normalization: Normalization | None

    @property
    def n_features(self) -> int:
        """n, the columns of `X`."""
        return int(self.train.X.shape[1])

    @property
    def n_outputs(self) -> int:
        """k, the columns of `Y` and units of the output layer."""
        return int(self.train.Y.shape[1])

    @property
    def preprocessing(self) -> Preprocessing:
        """What the features went through."""
        return Preprocessing(self.normalization)


def prepare(settings: DataSettings, seed: int) -> Splits:
    """Load and split. Raises `DataError`."""
    return split(load(settings, seed), settings, seed)


def split(examples: Examples, settings: DataSettings, seed: int) -> Splits:
    """Part the examples at random, a function of the seed.

    The dev and test sets have round(m · fraction) examples. Of each class every part gets its exact share, rounded up
    or down; a regression is parted without regard to the targets. Each part is in random order. Raises `DataError` where
    nothing would be left to train on, or where a fraction above 0 would give an empty part.
    """
    sizes = _sizes(examples.examples, settings)
    train, dev, test = _parts(examples, sizes, generator(seed, Purpose.SPLIT))
    X, Y = examples.X.astype(np.float32, copy=False), examples.targets()
    normalization = Normalization.of(X[train]) if settings.normalize else None
    preprocessing = Preprocessing(normalization)

    def part(rows: NDArray[np.intp]) -> Dataset | None:
        if not len(rows):
            return None
        return Dataset(preprocessing.apply(X[rows]), Y[rows])

    trained_on = part(train)
    assert trained_on is not None
    return Splits(
        train=trained_on,
        dev=part(dev),
        test=part(test),
        task=examples.task,
        class_names=examples.class_names,
        image_shape=examples.image_shape,
        feature_names=examples.feature_names,
        normalization=normalization,
    )


def _sizes(m: int, settings: DataSettings) -> tuple[int, int, int]:
    """Examples for train, dev and test. Raises `DataError`."""
    held_out = []
    for name, fraction in (("dev", settings.dev_fraction), ("test", settings.test_fraction)):
        held_out.append(round(m * fraction))
        if fraction > 0 and held_out[-1] == 0:
            raise DataError(f"data.{name}_fraction: {fraction:g}: of {m:,} examples none would be left for the {name} set")
    dev, test = held_out
    if m - dev - test < 1:
        raise DataError(f"data.examples: {m}: none would be left to train on, with {dev:,} for dev and {test:,} for test")
    return m - dev - test, dev, test


def _parts(examples: Examples, sizes: tuple[int, int, int], random: np.random.Generator) -> list[NDArray[np.intp]]:
    """Row numbers of train, dev and test, each in the random order of one permutation of all rows."""
    order = random.permutation(examples.examples)
    if examples.task is Task.REGRESSION:
        classes, labels = 1, np.zeros(examples.examples, dtype=np.int64)
    else:
        classes, labels = len(examples.class_names), examples.labels.astype(np.int64)
    counts = shares(np.bincount(labels, minlength=classes), np.array(sizes))
    part = np.empty(len(order), dtype=np.int64)
    # Stable, so that rows of a class stay in the random order; `part` then belongs to positions in `order`.
    by_class = np.argsort(labels[order], kind="stable")
    part[by_class] = np.repeat(np.tile([0, 1, 2], classes), counts.ravel())
    return [order[part == which] for which in range(3)]
