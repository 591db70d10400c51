"""The order in which training sees the examples, and the mini-batches taken from it.

Owns the position in the data, which is (epoch, offset) and nothing else: the order of an epoch is a function of (seed,
epoch), so a run can be resumed, rewound or forked anywhere. Must not know of networks or of what a batch is used for.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from workbench.data.dataset import DataError, Dataset, Floats
from workbench.randomness import Purpose, generator

_NONE = np.empty(0, dtype=np.intp)
_NONE.flags.writeable = False


class MiniBatches:
    """Mini-batches of a dataset, epoch after epoch, each example once per epoch.

    `epoch` counts from 1; `offset` is how many examples of it were taken. Right after the last batch of an epoch
    `epoch_done` is true and `epoch` is still the finished one; the next `take` begins the next.

    With `merge_single` (for batch norm, where one example has no variance) a last mini-batch of one example is merged
    into the one before. Raises `DataError` where the dataset itself has only one.
    """

    __slots__ = (
        "_X", "_X_batch", "_X_buffer", "_Y", "_Y_batch", "_Y_buffer", "_epoch", "_examples", "_last", "_merge_single",
        "_offset", "_order", "_order_epoch", "_previous", "_repeat", "_seed",
    )  # fmt: skip

    def __init__(self, dataset: Dataset, seed: int, merge_single: bool) -> None:
        if merge_single and dataset.examples == 1:
            raise DataError("data.examples: only 1 to train on: expected at least 2 with batch norm, because one has no variance")
        self._X, self._Y = dataset.X, dataset.Y
        self._examples: int = dataset.examples
        self._seed, self._repeat = seed, 0
        self._merge_single = merge_single
        self._order, self._order_epoch = _NONE, 0
        self._X_batch = self._X_buffer = np.empty((0, dataset.X.shape[1]), dtype=np.float32)
        self._Y_batch = self._Y_buffer = np.empty((0, dataset.Y.shape[1]), dtype=np.float32)
        self._epoch, self._offset = 1, 0
        self._previous: tuple[int, int] | None = None
        self._last = _NONE

    @property
    def epoch(self) -> int:
        """The epoch that the last batch belonged to, or the first batch will, from 1."""
        return self._epoch

    @property
    def offset(self) -> int:
        """Examples of this epoch already taken."""
        return self._offset

    @property
    def examples(self) -> int:
        """m, the examples of an epoch."""
        return self._examples

    @property
    def epoch_done(self) -> bool:
        """Whether every example of this epoch was taken."""
        return self._offset == self._examples

    @property
    def progress(self) -> float:
        """Epochs done, with the fraction of the present one."""
        return self._epoch - 1 + self._offset / self._examples

    @property
    def last_indices(self) -> NDArray[np.intp]:
        """Row numbers in the dataset of the last batch taken, read-only; `put_back` keeps them, `seek` empties them."""
        return self._last

    def next_batch(self, batch_size: int) -> tuple[Floats, Floats]:
        """The next mini-batch, X (b, n) and Y (b, k): `batch_size` examples or as many as the epoch still has.

        With `merge_single` it is one more where exactly one would be left. The arrays may be written to; they are valid
        until the next take. Raises `ValueError` where `batch_size` is below 1.
        """
        if batch_size < 1:
            raise ValueError(f"batch_size: {batch_size}: expected at least 1")
        previous = epoch, offset = self._epoch, self._offset
        examples = self._examples
        if offset == examples:
            epoch, offset = epoch + 1, 0
        if epoch != self._order_epoch:
            self._shuffle(epoch)
        end = offset + batch_size
        if end > examples or (self._merge_single and end == examples - 1):
            end = examples
        rows = self._order[offset:end]
        X, Y = self._X_batch, self._Y_batch
        if len(X) != end - offset:
            X, Y = self._resize(end - offset)
        # mode="clip" writes straight into `out`; the default goes through a copy. The rows are all in range.
        self._X.take(rows, 0, X, "clip")
        self._Y.take(rows, 0, Y, "clip")
        self._epoch, self._offset, self._previous, self._last = epoch, end, previous, rows
        return X, Y

    def put_back(self) -> None:
        """Go back to where the last take began, so that the next gives the same examples again.

        Raises `RuntimeError` where there is no take to go back over: at the start, after `seek`, or a second time in a row.
        """
        if self._previous is None:
            raise RuntimeError("there is no mini-batch to put back")
        (self._epoch, self._offset), self._previous = self._previous, None

    def seek(self, epoch: int, offset: int) -> None:
        """Go to a position that `epoch` and `offset` once had. Raises `ValueError` where there is no such position."""
        if epoch < 1 or not 0 <= offset <= self._examples:
            raise ValueError(f"epoch {epoch}, offset {offset}: expected an epoch from 1 and an offset from 0 to {self._examples}")
        self._epoch, self._offset = epoch, offset
        self._previous, self._last = None, _NONE

    def repeat(self, number: int) -> None:
        """From now on, take the examples in the order of this repeat; 0 is the first. The position stays."""
        self._repeat, self._order_epoch = number, 0

    def _shuffle(self, epoch: int) -> None:
        self._order = (
            generator(self._seed, Purpose.SHUFFLE, epoch, repeat=self._repeat)
            .permutation(self._examples)
            .astype(np.intp, copy=False)
        )
        self._order.flags.writeable = False
        self._order_epoch = epoch

    def _resize(self, rows: int) -> tuple[Floats, Floats]:
        if rows > len(self._X_buffer):
            self._X_buffer = np.empty((rows, self._X.shape[1]), dtype=np.float32)
            self._Y_buffer = np.empty((rows, self._Y.shape[1]), dtype=np.float32)
        self._X_batch, self._Y_batch = self._X_buffer[:rows], self._Y_buffer[:rows]
        return self._X_batch, self._Y_batch
