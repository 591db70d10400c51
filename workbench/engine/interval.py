"""How sure a mean is, of values that depend on each other as those of successive steps do."""

from __future__ import annotations

import math

import numpy as np

from workbench.arrays import Floats

MOST_DEPENDENT = 0.985
"""The greatest correlation of neighbours that is reckoned with: above it a mean over these steps says next to nothing."""
FEWEST = 20
"""With fewer values nothing is said."""
BATCHES = 6
_NORMAL = 1.96
# Student's t at 97.5 %, for 1, 2, ... degrees of freedom.
_STUDENT = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.20, 2.18, 2.16, 2.14, 2.13, 2.12, 2.11, 2.10, 2.09)


def of_series(values: Floats) -> tuple[float, float]:
    """The mean of a series (n,) and half the width of its 95 % interval; NaN where that cannot be said.

    The variance of a mean of dependent values by Newey and West (1987), Bartlett weights over 4·(n/100)^(2/9) lags, after the
    series was made nearly independent by its own first autocorrelation φ (Andrews and Monahan 1992), whose bias -(1+3φ)/n is
    mended (Kendall 1954); but at least what the means of `BATCHES` stretches say (Schmeiser 1982), which see a drift that has
    no noise. Holds for the run that the values are of: another order of mini-batches is another run.
    """
    values = values[np.isfinite(values)]
    n = len(values)
    if not n:
        return math.nan, math.nan
    mean = float(values.mean())
    if n < FEWEST:
        return mean, math.nan
    stretches = values[n % BATCHES :].reshape(BATCHES, -1).mean(axis=1)
    return mean, max(of_repeats(stretches)[1], _prewhitened(values - mean))


def _prewhitened(gaps: Floats) -> float:
    """Half the width of the 95 % interval of the mean of values that depend on each other like an autoregressive series."""
    n = len(gaps)
    power = float(gaps[:-1] @ gaps[:-1])
    if not power > 0.0:
        return 0.0
    phi = float(gaps[1:] @ gaps[:-1]) / power
    phi = min(phi + (1.0 + 3.0 * phi) / n, MOST_DEPENDENT)
    rest = gaps[1:] - phi * gaps[:-1]
    rest -= rest.mean()
    lags = int(4.0 * (n / 100.0) ** (2.0 / 9.0))
    variance = float(rest @ rest) + 2.0 * sum(
        (1.0 - lag / (lags + 1.0)) * float(rest[lag:] @ rest[:-lag]) for lag in range(1, lags + 1)
    )
    return _NORMAL * math.sqrt(max(variance, 0.0)) / (n * (1.0 - phi))


def of_repeats(values: Floats) -> tuple[float, float]:
    """The mean of independent repeats (n,) and half the width of its 95 % interval (Student 1908); NaN for a single one."""
    values = values[np.isfinite(values)]
    if not len(values):
        return math.nan, math.nan
    if len(values) < 2:
        return float(values[0]), math.nan
    t = _STUDENT[len(values) - 2] if len(values) - 2 < len(_STUDENT) else _NORMAL * (1 + 1.2 / len(values))
    return float(values.mean()), t * float(values.std(ddof=1)) / math.sqrt(len(values))
