"""Hand-made reports of an engine: the same numbers on every machine, because no linear algebra made them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from workbench.engine.events import Evaluated, StepsTaken
from workbench.engine.history import History
from workbench.engine.measurements import BatchNormStatistics, Histogram, LayerStatistics, Score
from workbench.hyperparameters import Hyperparameters, assign
from workbench.optim.usage import unused_because
from workbench.protocol.reports import Begun, SeriesSent
from workbench.spec import Value
from workbench.ui.state.monitor import Monitor

TRAIN_EXAMPLES = 1280
STEPS_PER_EPOCH = 20  # with the default mini-batches of 64
BINS = 40


def hyperparameters(hidden: int = 2, **changes: Value) -> Hyperparameters:
    """Every live hyperparameter, as `Begun` has them; `changes` may be for one layer, as `keep_prob.2`."""
    h = dataclasses.replace(Hyperparameters(), keep_prob=(1.0,) * hidden)
    for name, value in changes.items():
        h = assign(h, name, value)
    return h


def unused_rows(h: Hyperparameters, batch_norm: bool) -> dict[str, str]:
    """What an engine says of hyperparameters that have no effect now."""
    reasons = {field.name: unused_because(field.name, h, batch_norm) for field in dataclasses.fields(h)}
    return {name: reason for name, reason in reasons.items() if reason}


def begun(
    hidden: int = 2, step: int = 0, task: str = "classes", history: History | None = None, batch_norm: bool = True,
    **changes: Value,
) -> Begun:  # fmt: skip
    h = hyperparameters(hidden, **changes)
    sent = () if history is None else tuple(SeriesSent(name, each.tensor()) for name, each in history.series.items() if len(each))
    return Begun(
        step=step, epoch=1 + step // STEPS_PER_EPOCH, passage=((0, 0.0), (step, step / STEPS_PER_EPOCH)), hyperparameters=h,
        sizes=(8, *(6,) * hidden, 3), parameters=123, examples=(TRAIN_EXAMPLES, 400, 400), task=task, blas_threads=1,
        history=sent, batch_norm=batch_norm, unused=unused_rows(h, batch_norm),
    )  # fmt: skip


def cost_at(step: int) -> float:
    """A curve that falls from 2.4 to 0.05, with the noise of mini-batches."""
    return 2.35 * math.exp(-step / 120) + 0.05 + 0.3 * math.exp(-step / 200) * ((step * 7919) % 101 / 101 - 0.5)


def steps(first: int, last: int, cost: Callable[[int], float] = cost_at, rate: float = 1e-3) -> StepsTaken:
    """The steps from `first` to `last` as one report."""
    numbers = range(first, last + 1)
    return StepsTaken(
        step=last, epoch=1 + (last - 1) // STEPS_PER_EPOCH, progress=last / STEPS_PER_EPOCH,
        cost=np.array([cost(each) for each in numbers]),
        gradient_norm=np.array([0.02 + math.exp(-each / 150) for each in numbers]),
        learning_rate=np.full(len(numbers), rate),
        penalty=np.zeros(len(numbers)),
        clipped=np.zeros(len(numbers)),
    )  # fmt: skip


def bell(middle: float, low: float = -4.0, high: float = 4.0) -> Histogram:
    """1,000 times the bell curve around `middle`, which is from 0 to 1 along the axis."""
    counts = [round(1000 * math.exp(-(((i + 0.5) / BINS - middle) ** 2) / 0.02)) for i in range(BINS)]
    return Histogram(low, high, np.array(counts))


def layer(number: int, last: int, step: int, batch_norm: bool) -> LayerStatistics:
    spread = np.array([-0.5, 0.1, 0.75]) * number
    norm = BatchNormStatistics(spread, spread**2 + 1, spread * 0.9, spread**2 + 0.9, np.ones(3), np.zeros(3), 1e-5)
    output = number == last
    return LayerStatistics(
        layer=number, units=3 if output else 6, gradient_norm=math.exp(-step / 300) / number,
        clipped_norm=math.exp(-step / 300) / number, weight_norm=2.0,
        update_ratio=1e-3 / number, dead=0.0 if output else min(0.25 * (number - 1), 1.0), saturated=0.0, twins=0.0,
        z=bell(number / (last + 1)), normalized=bell(0.5, -3.0, 3.0) if batch_norm and not output else None,
        y=bell(0.5, -2.0, 2.0), input_mean=np.full(3, 0.5 + 1e-3 * step), input_std=np.ones(3),
        batchnorm=norm if batch_norm and not output else None,
    )  # fmt: skip


def evaluated(step: int, hidden: int = 2, batch_norm: bool = True, dev: bool = True, look: bool = False) -> Evaluated:
    cost = cost_at(step)
    return Evaluated(
        step=step, epoch=max(1, step // STEPS_PER_EPOCH), train=Score.of(cost, 0.7 * math.exp(-step / 90)),
        dev=Score.of(cost + 0.12, 0.7 * math.exp(-step / 90) + 0.025) if dev else None,
        layers=tuple(layer(l, hidden + 1, step, batch_norm) for l in range(1, hidden + 2)), look=look,
    )  # fmt: skip


def trained(last: int = 400, hidden: int = 2, batch_norm: bool = True, **changes: Any) -> Monitor:
    """A monitor of a run that is in the middle of training after `last` steps: 200 a second, evaluated at each epoch."""
    monitor = Monitor()
    monitor.record(begun(hidden, batch_norm=batch_norm, **changes), 0.0)
    monitor.record(evaluated(0, hidden, batch_norm), 0.0)
    for end in range(STEPS_PER_EPOCH, last + 1, STEPS_PER_EPOCH):
        monitor.record(steps(end - STEPS_PER_EPOCH + 1, end), end / 200)
        monitor.record(evaluated(end, hidden, batch_norm), end / 200)
    return monitor
