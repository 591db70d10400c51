"""Looks into a run that stands between two steps: what only the panels in sight need."""

from __future__ import annotations

import numpy as np

from workbench.engine.batchnorm_inspection import inspect
from workbench.engine.predictions import see
from workbench.protocol.reports import Looked
from workbench.protocol.requests import MODEL, NORMALIZATION, Look
from workbench.run.run import Run

COLUMNS, ROWS = 96, 64
"""Of the map of a decision boundary; a panel thins it to its own size."""


def look(order: Look, run: Run) -> Looked:
    """Measure what was asked for; the run is as it was."""
    trainer = run.trainer
    network, splits, step = trainer.state.network, trainer.splits, trainer.state.step
    normalization = seen = None
    with np.errstate(all="ignore"):  # a network that has diverged may be looked at, too
        if NORMALIZATION in order.at:
            h, seed = trainer.hyperparameters, run.session.seed
            normalization = inspect(network, splits, splits.task, h, seed, step, seen=trainer.stepped)
        if MODEL in order.at:
            seen = see(network, splits, COLUMNS, ROWS)
    return Looked(step, normalization, seen)
