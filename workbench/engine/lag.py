"""How far running statistics are from a mini-batch's: one formula for what is measured and for what is shown."""

from __future__ import annotations

import numpy as np

from workbench.arrays import Floats
from workbench.engine.measurements import BatchNormStatistics


def distance(norm: BatchNormStatistics) -> Floats:
    """|running μ - batch μ| in running σ = √(σ²+ε), by which batch norm divides at test time; float64 (n,)."""
    mean, batch_mean = np.asarray(norm.running_mean, np.float64), np.asarray(norm.batch_mean, np.float64)
    with np.errstate(all="ignore"):
        return np.abs(mean - batch_mean) / np.sqrt(np.asarray(norm.running_var, np.float64) + norm.epsilon)


def log_ratio(norm: BatchNormStatistics) -> Floats:
    """ln((running σ²+ε) / (batch σ²+ε)); float64 (n,)."""
    running, batch = (np.asarray(var, np.float64) + norm.epsilon for var in (norm.running_var, norm.batch_var))
    with np.errstate(all="ignore"):
        return np.log(running / batch)
