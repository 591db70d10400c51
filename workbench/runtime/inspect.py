"""Looks into a run that stands between two steps: what only the panels in sight need."""

from __future__ import annotations

import numpy as np

from workbench.engine.batchnorm_inspection import inspect_batchnorm
from workbench.engine.predictions import predictions_of
from workbench.protocol.reports import Inspected
from workbench.protocol.requests import BATCHNORM, MODEL, Inspect
from workbench.run.run import Run

COLUMNS, ROWS = 96, 64
"""Of the map of a decision boundary; a panel thins it to its own size."""


def inspect(request: Inspect, run: Run) -> Inspected:
    """Measure what was asked for; the run is as it was."""
    trainer = run.trainer
    network, splits, step = trainer.state.network, trainer.splits, trainer.state.step
    batchnorm = predictions = None
    with np.errstate(all="ignore"):  # a network that has diverged may be looked at, too
        if BATCHNORM in request.at:
            h, seed = trainer.hyperparameters, run.session.seed
            batchnorm = inspect_batchnorm(network, splits, splits.task, h, seed, step, seen=trainer.stepped)
        if MODEL in request.at:
            predictions = predictions_of(network, splits, COLUMNS, ROWS)
    return Inspected(step, batchnorm, predictions)
