"""Runs with all options on at once, watched: what was told and shown, and the weights that each of it was told of.

A screen's monitor listens, as it does in the app. Nothing here says what the figures ought to be.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from by_hand import Floats

from workbench.data.splits import Splits, prepare
from workbench.engine.batchnorm_inspection import inspect_batchnorm
from workbench.engine.events import EpochEnded, Evaluated, Finished, StepTaken
from workbench.engine.history import columns
from workbench.engine.measurements import BatchNormInspection, Predictions
from workbench.engine.predictions import predictions_of
from workbench.engine.trainer import Trainer, Until
from workbench.hyperparameters import Architecture, DataSettings, Hyperparameters
from workbench.protocol.reports import Begun
from workbench.ui.state.monitor import Monitor

SEED, STEPS = 11, 57
HIDDEN = (6, 5)
MAP = (12, 7)
"""Columns and rows of a boundary."""
ALL: dict[str, Any] = {
    "l2": 0.01, "l1": 0.002, "keep_prob": (0.8, 0.7), "warmup_steps": 10, "batchnorm_beta": 0.8,
    "weight_decay": 0.1, "evaluate_every": 6, "batch_size": 8, "decay_epochs": 4, "decay_floor": 0.1, "decay_factor": 0.7,
    "guard_factor": 0.0,
}  # fmt: skip
RUNS: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "classes": (
        {"source": "gaussians", "classes": 4, "noise": 0.4},
        {"activation": "tanh", "batch_norm": True, "initializer_scale": 2.0},
        {"optimizer": "adamw", "learning_rate": 0.02, "schedule": "cosine", "clip_norm": 0.6, "label_smoothing": 0.25},
    ),
    "binary": (
        {"source": "moons", "noise": 0.3},
        {"activation": "relu", "batch_norm": False},
        {"optimizer": "nesterov", "learning_rate": 0.2, "schedule": "inverse_time", "clip_norm": 0.2, "label_smoothing": 0.25},
    ),
    "regression": (
        {"source": "regression", "noise": 0.1},
        {"activation": "sigmoid", "batch_norm": True, "initializer_scale": 3.0},
        {"optimizer": "rmsprop", "learning_rate": 0.01, "schedule": "exponential", "clip_norm": 0.6},
    ),
}
"""Data, network and what is particular in training. The smoothing is one that float32 has exactly, as the targets are."""


@dataclass(frozen=True)
class Watched:
    """A run as it went.

    Attributes:
        weights: the parameters by name after each step, the first ones at 0.
        evaluated: by step; ended: the cost of each epoch, with its last step.
    """

    task: str
    activation: str
    batch_norm: bool
    h: Hyperparameters
    splits: Splits
    weights: list[dict[str, Floats]]
    taken: list[StepTaken]
    ended: list[EpochEnded]
    evaluated: dict[int, Evaluated]
    finished: Finished
    predictions: Predictions
    inspection: BatchNormInspection | None
    monitor: Monitor


@cache
def watched(task: str) -> Watched:
    """Train it once."""
    data, network, training = RUNS[task]
    settings = DataSettings(examples=121, dev_fraction=0.2, test_fraction=0.2, **data)
    architecture = Architecture(hidden=HIDDEN, **network)
    h = Hyperparameters(**ALL, **training)
    splits = prepare(settings, SEED)
    trainer = Trainer(splits, settings, architecture, h, SEED, dtype=np.float64)
    net, monitor = trainer.state.network, Monitor(hyperparameters=h)
    tensors = net.named(net.parameters)
    if not architecture.batch_norm:
        tensors["b1"][0, 2] = -50.0  # a unit that is dead
    tensors["W2"][:, 3] = tensors["W2"][:, 1]  # and one that is another's twin at the start
    sizes = [0 if part is None else part.examples for part in (splits.train, splits.dev, splits.test)]
    monitor.record(
        Begun(
            0,
            1,
            ((0, 0.0),),
            h,
            {},
            net.sizes,
            architecture.batch_norm,
            net.parameters.size,
            tuple(sizes),
            str(splits.task),
            1,
            (),
        ),
        0.0,
    )
    weights = [{name: view.copy() for name, view in tensors.items()}]
    taken, ended, evaluated, finished = [], [], {}, None
    for event in trainer.run(until=Until(steps=STEPS)):
        match event:
            case StepTaken():
                taken.append(event)
                weights.append({name: view.copy() for name, view in tensors.items()})
                monitor.record(columns([event], trainer.state.batches.progress), float(event.step))
            case EpochEnded():
                ended.append(event)
            case Evaluated():
                evaluated[event.step] = event
                monitor.record(event, float(event.step))
            case Finished():
                finished = event
                monitor.record(event, float(event.step))
    assert finished is not None
    return Watched(
        str(splits.task), architecture.activation, architecture.batch_norm, h, splits, weights, taken, ended, evaluated, finished,
        predictions_of(net, splits, *MAP), inspect_batchnorm(net, splits, splits.task, h, SEED, STEPS), monitor,
    )  # fmt: skip
