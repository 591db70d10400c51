"""The curves of a run, in bounded memory: whatever its length, a series holds at most `CAPACITY` buckets.

A bucket keeps the least and the greatest value, the mean and the number of the values that fell into it, so a spike of
one step is seen however long the run. When a series is full, neighbouring buckets are merged and become twice as wide.
Values that are not finite are counted apart: they are gaps, and do not touch the others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.arrays import Floats
from workbench.engine.events import Columns, EpochEnded, EpochsEnded, Evaluated, Event, StepsTaken, StepTaken
from workbench.engine.measurements import Score

CAPACITY = 1024
_FIELDS = ("low", "high", "total", "steps", "count", "bad")


def columns(steps: Sequence[StepTaken], progress: float) -> StepsTaken:
    """Consecutive steps, at least one, as arrays; `progress` epochs are done after them."""
    table = np.array(
        [(each.cost, each.gradient_norm, each.learning_rate, each.penalty, each.clipped) for each in steps], np.float64
    ).T
    return StepsTaken(steps[-1].step, steps[-1].epoch, progress, *(np.ascontiguousarray(column) for column in table))


def epoch_column(ends: Sequence[EpochEnded]) -> EpochsEnded:
    """Consecutive ends of epochs, at least one, as an array."""
    return EpochsEnded(ends[-1].step, ends[-1].epoch, np.array([each.cost for each in ends], np.float64))


@dataclass(frozen=True, slots=True)
class Curve:
    """A series as it can be drawn, one element per bucket that has values: step (a mean), least, greatest and mean value.

    `count` is how many values a bucket stands for, and `bad` where (steps) there were values that are not finite.
    """

    step: Floats
    low: Floats
    high: Floats
    mean: Floats
    count: NDArray[np.int64]
    bad: Floats


class Series:
    """One quantity over steps."""

    def __init__(self) -> None:
        self._width = 1
        self._data = _empty()

    def extend(self, steps: NDArray[np.int64], values: Floats) -> None:
        """Take values in, each with its step, from 1 (0 goes with 1). Steps must not decrease."""
        if len(steps) == 1:
            self.add(int(steps[0]), float(values[0]))
            return
        if not len(steps):
            return
        while (int(steps.max()) - 1) // self._width >= CAPACITY:
            self._halve()
        bucket = np.maximum(steps - 1, 0) // self._width
        good = np.isfinite(values)
        if not good.all():
            np.add.at(self._data["bad"], bucket[~good], 1.0)
            bucket, steps, values = bucket[good], steps[good], values[good]
            if not len(steps):
                return
        starts = np.concatenate([[0], np.flatnonzero(np.diff(bucket)) + 1])
        at, data = bucket[starts], self._data
        data["low"][at] = np.minimum(data["low"][at], np.minimum.reduceat(values, starts))
        data["high"][at] = np.maximum(data["high"][at], np.maximum.reduceat(values, starts))
        data["total"][at] += np.add.reduceat(values, starts)
        data["steps"][at] += np.add.reduceat(steps.astype(np.float64), starts)
        data["count"][at] += np.diff(np.append(starts, len(steps)))

    def add(self, step: int, value: float) -> None:
        """Take one value in: the same as an array of one, many times as fast."""
        while (step - 1) // self._width >= CAPACITY:
            self._halve()
        at, data = max(step - 1, 0) // self._width, self._data
        if not math.isfinite(value):
            data["bad"][at] += 1.0
            return
        data["low"][at] = min(data["low"][at], value)
        data["high"][at] = max(data["high"][at], value)
        data["total"][at] += value
        data["steps"][at] += step
        data["count"][at] += 1

    def _halve(self) -> None:
        merged = _empty()
        half = CAPACITY // 2
        for name, values in self._data.items():
            pairs = values.reshape(half, 2)
            reduce = np.min if name == "low" else np.max if name == "high" else np.sum
            merged[name][:half] = reduce(pairs, axis=1)
        self._data = merged
        self._width *= 2

    def curve(self, first: int = 0, last: int | None = None, columns: int | None = None) -> Curve:
        """The part from step `first` to `last`, merged to at most `columns` elements."""
        last = last if last is not None else CAPACITY * self._width
        span = slice(max(first - 1, 0) // self._width, max(last - 1, 0) // self._width + 1)
        part = {name: values[span] for name, values in self._data.items()}
        edges = np.arange(len(part["count"]))
        stop = len(edges)
        used = np.flatnonzero(part["count"] + part["bad"])
        if columns and len(used) > columns:
            start, stop = int(used[0]), int(used[-1]) + 1
            edges = np.unique(start + (stop - start) * np.arange(columns) // columns)
            kinds = {"low": np.minimum, "high": np.maximum}
            part = {name: kinds.get(name, np.add).reduceat(values[:stop], edges) for name, values in part.items()}
        has, bad = part["count"] > 0, part["bad"] > 0
        count = part["count"][has]
        middles = (span.start + (edges + np.append(edges[1:], stop)) / 2) * self._width + 0.5
        return Curve(
            part["steps"][has] / count, part["low"][has], part["high"][has], part["total"][has] / count, count.astype(np.int64),
            middles[bad],
        )  # fmt: skip

    def after(self, step: int) -> Curve:
        """What lies wholly in the steps after `step`: no bucket in which values of before were merged with these."""
        return self.curve(-(-step // self._width) * self._width + 1)

    def __len__(self) -> int:
        """How many finite values were taken in."""
        return int(self._data["count"].sum())

    def truncated(self, step: int) -> Series:
        """A copy of what lies wholly in steps up to `step`."""
        kept = Series()
        kept._width = self._width
        end = min(step // self._width, CAPACITY)
        for name, values in self._data.items():
            kept._data[name][:end] = values[:end]
        return kept

    @property
    def last(self) -> int:
        """The last step of the last bucket that anything fell into; 0 where there is none."""
        used = np.flatnonzero(self._data["count"] + self._data["bad"])
        return (int(used[-1]) + 1) * self._width if len(used) else 0

    def tensor(self) -> Floats:
        """The series as one flat array, as long as it has buckets in use, for a checkpoint or the wire."""
        used = np.flatnonzero(self._data["count"] + self._data["bad"])
        end = int(used[-1]) + 1 if len(used) else 0
        return np.concatenate([[float(self._width)], *(self._data[name][:end] for name in _FIELDS)])

    @classmethod
    def from_tensor(cls, tensor: Floats) -> Series:
        """The series that `tensor` came from. Raises `ValueError` if it is none."""
        buckets, rest = divmod(tensor.size - 1, len(_FIELDS))
        if tensor.ndim != 1 or rest or not 0 <= buckets <= CAPACITY or not 1 <= tensor[0] < 2**53:
            raise ValueError(f"not a series: shape {tensor.shape}")
        series = cls()
        series._width = int(tensor[0])
        for name, row in zip(_FIELDS, tensor[1:].reshape(len(_FIELDS), buckets), strict=True):
            series._data[name][:buckets] = row
        return series


class Recent:
    """One quantity of each of the last `RECENT` steps, none merged with another."""

    def __init__(self) -> None:
        self._last, self._values = 0, np.empty(0)

    def extend(self, last: int, values: Floats) -> None:
        """Take in the values of the steps up to `last`."""
        follows = self._last == last - len(values)
        self._values = np.concatenate([self._values if follows else values[:0], values])[-RECENT:]
        self._last = last

    def covers(self, first: int) -> bool:
        """Whether it reaches back to step `first`."""
        return bool(len(self._values)) and first >= self._last - len(self._values)

    def curve(self, first: int, last: int, columns: int) -> Curve:
        """As that of a series."""
        start = self._last - len(self._values) + 1
        steps = np.arange(start, self._last + 1, dtype=np.float64)
        here = (steps >= first) & (steps <= last)
        steps, values = steps[here], self._values[here]
        good = np.isfinite(values)
        column = np.arange(len(steps)) * columns // max(1, len(steps))  # by steps: no column has both sides of a gap
        bad, steps, values, column = steps[~good], steps[good], values[good], column[good]
        if not len(steps):
            return Curve(steps, values, values, values, np.empty(0, np.int64), bad)
        edges = np.concatenate([[0], np.flatnonzero(np.diff(column)) + 1])
        count = np.diff(np.append(edges, len(steps)))
        return Curve(
            np.add.reduceat(steps, edges) / count, np.minimum.reduceat(values, edges), np.maximum.reduceat(values, edges),
            np.add.reduceat(values, edges) / count, count.astype(np.int64), bad,
        )  # fmt: skip


def _empty() -> dict[str, Floats]:
    fills = {"low": np.inf, "high": -np.inf}
    return {name: np.full(CAPACITY, fills.get(name, 0.0)) for name in _FIELDS}


PER_STEP = ("cost", "data_cost", "gradient_norm", "learning_rate", "clipped")
PER_SCORE = ("cost", "data_cost", "error")
PER_EVALUATION = tuple(f"{part}_{name}" for part in ("train", "dev") for name in PER_SCORE)
PER_LAYER = {
    "layer": "gradient_norm",
    "clipped_norm": "clipped_norm",
    "update": "update_ratio",
    "weight": "weight_norm",
    "dead": "dead",
}
"""What is kept of each layer: the series `layer1`, `update1` ... and what an evaluation calls it."""
RECENT = 4096
PREFIX = "history."


class History:
    """The series of a run by name: those of every step, of every evaluation, and of each layer (`layer1`, its ‖dW‖, ...)."""

    def __init__(self) -> None:
        self.series: dict[str, Series] = {name: Series() for name in (*PER_STEP, *PER_EVALUATION)}

    def record(self, event: Event | Columns) -> None:
        """Take in what an event says of the curves."""
        if isinstance(event, StepsTaken):
            steps = np.arange(event.step - len(event.cost) + 1, event.step + 1)
            for name in PER_STEP:
                self.series[name].extend(steps, getattr(event, name))
        elif isinstance(event, Evaluated) and (event.step or not len(self.series["train_cost"])):  # the start is told again
            self._score(event.step, "train", event.train)
            self._score(event.step, "dev", event.dev)
            for layer in event.layers:
                if event.step and math.isfinite(layer.gradient_norm):  # else nobody has seen an update
                    for name, field in PER_LAYER.items():
                        self.series.setdefault(f"{name}{layer.layer}", Series()).add(event.step, getattr(layer, field))

    def _score(self, step: int, part: str, score: Score | None) -> None:
        if score is not None:
            for name in PER_SCORE:
                self.series[f"{part}_{name}"].add(step, getattr(score, name))

    def truncated(self, step: int) -> History:
        """A copy that ends with `step`, or a little earlier where values around it were merged."""
        history = History()
        history.series = {name: series.truncated(step) for name, series in self.series.items()}
        return history

    @property
    def last(self) -> int:
        """The last step of which it has the cost, or a little later where steps were merged."""
        return self.series["cost"].last

    def tensors(self) -> dict[str, Floats]:
        """All series by prefixed name, for a checkpoint."""
        return {PREFIX + name: series.tensor() for name, series in self.series.items()}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray[np.floating]]) -> History:
        """The history among a checkpoint's tensors; a checkpoint without one gives an empty history."""
        history = cls()
        for name, tensor in tensors.items():
            if name.startswith(PREFIX):
                history.series[name.removeprefix(PREFIX)] = Series.from_tensor(tensor.astype(np.float64))
        return history
