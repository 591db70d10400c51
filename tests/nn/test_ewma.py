from __future__ import annotations

import numpy as np
import pytest

from workbench.nn.ewma import Ewma, smooth

CURVE = np.random.default_rng(5).normal(2.0, 1.0, 60)


def weighted_means(values: np.ndarray, betas: np.ndarray) -> np.ndarray:
    """Corrected averages from the definition: observation i weighs (1 - β_i) times all later β's."""
    means = []
    for t in range(1, len(values) + 1):
        weights = [(1 - betas[i]) * np.prod(betas[i + 1 : t]) for i in range(t)]
        means.append(np.dot(weights, values[:t]) / np.sum(weights))
    return np.array(means)


def test_constant_signal_stays_what_it_is_when_beta_is_edited() -> None:
    average = Ewma(np.zeros(2))
    for beta in [0.9] * 10 + [0.99] * 200 + [0.5] + [0.999] * 50:
        average.update(np.ones(2), beta)
        np.testing.assert_allclose(average.corrected(), 1.0, rtol=0, atol=1e-13)


def test_power_of_beta_would_read_6_26_where_the_product_reads_1() -> None:
    average = Ewma(np.zeros(1))
    for beta in [0.9] * 10 + [0.99]:
        average.update(np.ones(1), beta)
    assert average.product == pytest.approx(0.9**10 * 0.99, rel=1e-14)
    assert (average.value / (1 - 0.99**11)).item() == pytest.approx(6.26, abs=0.005)
    assert average.corrected().item() == pytest.approx(1.0, abs=1e-14)


def test_edited_betas_weigh_as_the_definition_says() -> None:
    betas = np.where(np.arange(len(CURVE)) % 7 < 3, 0.95, 0.6)
    average, seen = Ewma(np.zeros(1)), []
    for value, beta in zip(CURVE, betas, strict=True):
        average.update(np.array([value]), float(beta))
        seen.append(average.corrected().item())
    np.testing.assert_allclose(seen, weighted_means(CURVE, betas), rtol=1e-12)


def test_nothing_seen_yet_is_zero_and_not_nan() -> None:
    average = Ewma(np.zeros(3))
    assert average.correction == 0
    assert average.corrected().tolist() == [0, 0, 0]


def test_beta_zero_remembers_the_last_observation_only() -> None:
    average = Ewma(np.zeros(1))
    for value in (5.0, -3.0):
        average.update(np.array([value]), 0.0)
        assert average.corrected().item() == value


def test_observation_may_be_the_shared_scratch_memory() -> None:
    scratch = np.array([2.0, 4.0])
    average = Ewma(np.zeros(2), scratch)
    average.update(scratch, 0.75)
    assert average.value.tolist() == [0.5, 1.0]


def test_corrected_is_a_copy() -> None:
    average = Ewma(np.zeros(1))
    average.corrected()[:] = 7
    average.update(np.ones(1), 0.5)
    average.corrected()[:] = 7
    assert average.value.item() == 0.5


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9, 0.98])
def test_smooth_is_the_definition(beta: float) -> None:
    biased, corrected = smooth(CURVE, beta)
    expected = weighted_means(CURVE, np.full(len(CURVE), beta))
    shares = 1 - beta ** np.arange(1, len(CURVE) + 1)
    np.testing.assert_allclose(corrected, expected, rtol=1e-12)
    np.testing.assert_allclose(biased, expected * shares, rtol=1e-12)


def test_smooth_without_bias_correction_starts_low() -> None:
    biased, corrected = smooth(np.ones(3), 0.9)
    np.testing.assert_allclose(biased, [0.1, 0.19, 0.271], rtol=1e-14)
    np.testing.assert_allclose(corrected, 1.0, rtol=1e-14)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_one_value_that_is_not_finite_does_not_poison_the_rest(bad: float) -> None:
    dirty = CURVE.copy()
    dirty[[10, 11, 30]] = bad
    kept = np.isfinite(dirty)
    for dirty_curve, clean_curve in zip(smooth(dirty, 0.9), smooth(dirty[kept], 0.9), strict=True):
        assert np.isfinite(dirty_curve).all()
        assert np.array_equal(dirty_curve[kept], clean_curve)
        assert dirty_curve[10] == dirty_curve[11] == dirty_curve[9]


def test_curve_that_starts_with_nan_has_no_average_until_there_is_a_value() -> None:
    biased, corrected = smooth(np.array([np.nan, np.nan, 4.0, 4.0]), 0.9)
    assert np.isnan(corrected).tolist() == [True, True, False, False]
    np.testing.assert_allclose(corrected[2:], 4.0, rtol=1e-14)
    assert np.isfinite(biased).all()


def test_bucket_of_n_values_weighs_as_n_equal_ones() -> None:
    counts = np.array([1, 3, 1, 10, 2, 25])
    values = CURVE[: len(counts)]
    ends = np.cumsum(counts) - 1
    each = smooth(np.repeat(values, counts), 0.9)
    bucketed = smooth(values, 0.9, counts)
    for long, short in zip(each, bucketed, strict=True):
        np.testing.assert_allclose(short, long[ends], rtol=1e-12)


def test_smooth_of_nothing_is_nothing() -> None:
    biased, corrected = smooth(np.empty(0), 0.9)
    assert biased.size == corrected.size == 0
