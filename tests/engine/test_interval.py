"""A ± covers as often as it says, also of values that depend on each other."""

from __future__ import annotations

import math

import numpy as np
import pytest

from workbench.engine.interval import FEWEST, of_repeats, of_series

RUNS = 400


def autoregressive(rng: np.random.Generator, phi: float, n: int) -> np.ndarray:
    """x_t = φ·x_{t-1} + e_t around 0, after it has forgotten its start."""
    noise, x = rng.standard_normal(n + 500), 0.0
    values = np.empty(n + 500)
    for t, each in enumerate(noise):
        x = phi * x + each
        values[t] = x
    return values[500:]


@pytest.mark.parametrize(
    ("phi", "n", "least"),
    [
        (0.0, 100, 0.92),
        (-0.5, 100, 0.92),
        (0.5, 100, 0.90),
        (0.8, 100, 0.88),
        (0.9, 100, 0.85),
        (0.9, 500, 0.90),
        (0.95, 500, 0.88),
    ],
)
def test_the_mean_lies_within_as_often_as_it_says(phi: float, n: int, least: float):
    """95 % of independent values; of 100 that depend on each other strongly somewhat less, as all such estimates."""
    rng = np.random.default_rng(7)
    covered = np.mean([abs(mean) <= half for mean, half in (of_series(autoregressive(rng, phi, n)) for _ in range(RUNS))])
    assert least <= covered <= 0.99


def test_taking_dependent_values_as_independent_would_cover_half_as_often():
    rng = np.random.default_rng(7)
    series = [autoregressive(rng, 0.8, 100) for _ in range(RUNS)]
    naive = np.mean([abs(x.mean()) <= 1.96 * x.std(ddof=1) / math.sqrt(len(x)) for x in series])
    assert naive < 0.6


def test_of_a_smooth_curve_it_is_as_wide_as_the_curve_is_long():
    """On the full batch a difference has no noise: it drifts, and its mean says little of where it goes."""
    curve = np.linspace(0.0, 1.0, 100)
    mean, half = of_series(curve)
    assert mean == pytest.approx(0.5)
    assert half > 5 * 1.96 * curve.std() / 10


def test_repeats_are_independent():
    rng = np.random.default_rng(3)
    for n in (2, 5, 12, 40):
        draws = rng.standard_normal((2000, n))
        covered = np.mean([abs(mean) <= half for mean, half in map(of_repeats, draws)])
        assert 0.93 <= covered <= 0.97


def test_what_cannot_be_said_is_not_said():
    assert all(map(math.isnan, of_series(np.array([]))))
    mean, half = of_series(np.ones(FEWEST - 1))
    assert (mean, math.isnan(half)) == (1.0, True)
    assert of_series(np.ones(FEWEST)) == (1.0, 0.0)
    assert of_series(np.append(np.ones(FEWEST), np.nan)) == (1.0, 0.0)
    mean, half = of_repeats(np.array([0.5, np.nan]))
    assert (mean, math.isnan(half)) == (0.5, True)
