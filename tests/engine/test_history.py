from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.engine.events import Evaluated, StepsTaken
from workbench.engine.history import CAPACITY, PREFIX, Curve, History, Series
from workbench.engine.measurements import Score

MILLION = 1_000_000


def series_of(values: np.ndarray, first: int = 1, chunk: int = 4096) -> Series:
    series = Series()
    for start in range(0, len(values), chunk):
        part = values[start : start + chunk]
        series.extend(np.arange(first + start, first + start + len(part)), part.astype(np.float64))
    return series


@pytest.fixture(scope="module")
def spiked() -> Series:
    """A million quiet steps, with one of 50 and one of -50."""
    values = np.sin(np.arange(MILLION) / 1000)
    values[777_776], values[123_455] = 50.0, -50.0
    return series_of(values)


@pytest.mark.parametrize("columns", [None, 1024, 200, 80, 7, 2, 1])
@pytest.mark.parametrize(("first", "last"), [(0, None), (1, MILLION), (100_000, 800_000), (770_000, 780_000), (777_777, 777_777)])
def test_a_spike_of_one_step_is_seen_at_every_zoom(spiked: Series, first: int, last: int | None, columns: int | None):
    curve = spiked.curve(first, last, columns)
    assert curve.high.max() == 50.0
    if first <= 123_456:
        assert curve.low.min() == -50.0
    if columns:
        assert len(curve.step) <= columns


@pytest.mark.parametrize("columns", [None, 100, 3, 1])
def test_no_value_is_lost_or_counted_twice_however_few_the_columns(spiked: Series, columns: int | None):
    curve = spiked.curve(columns=columns)
    assert curve.count.sum() == len(spiked) == MILLION
    exact = np.sin(np.arange(MILLION) / 1000).sum() + 100 - 100
    assert (curve.mean * curve.count).sum() == pytest.approx(exact, abs=2.0)
    assert (curve.step * curve.count).sum() == pytest.approx(MILLION * (MILLION + 1) / 2)
    assert (np.diff(curve.step) > 0).all()


def test_memory_does_not_grow_with_the_run(spiked: Series):
    assert spiked.tensor().nbytes < 64 * 1024
    assert len(spiked.curve().step) <= CAPACITY


def test_a_run_that_fits_is_kept_value_by_value():
    values = np.random.default_rng(1).standard_normal(CAPACITY)
    curve = series_of(values, chunk=100).curve()
    np.testing.assert_array_equal(curve.step, np.arange(1, CAPACITY + 1))
    for part in (curve.low, curve.high, curve.mean):
        np.testing.assert_array_equal(part, values)


@given(
    st.lists(st.one_of(st.floats(-1e100, 1e100), st.just(np.nan)), max_size=60), st.integers(1, 5000), st.integers(1, 300),
    st.sampled_from([None, 1, 2, 3, 10]),
)  # fmt: skip
def test_whatever_is_taken_in_ends_and_numbers_are_right(values: list[float], first: int, apart: int, columns: int | None):
    series = Series()
    for number, value in enumerate(values):
        series.add(first + number * apart, value)
    good = [value for value in values if np.isfinite(value)]
    curve = series.curve(columns=columns)
    assert len(series) == curve.count.sum() == len(good)
    assert len(curve.step) <= len(good)
    if columns:
        assert len(curve.step) + len(curve.bad) <= 2 * columns
    if good:
        assert (curve.low.min(), curve.high.max()) == (min(good), max(good))
        assert curve.step.min() >= first
        assert curve.step.max() <= first + (len(values) - 1) * apart
    assert bool(len(curve.bad)) == (len(good) < len(values))


def test_values_come_in_any_portions_to_the_same_curve():
    values = np.random.default_rng(1).standard_normal(5000)
    same(series_of(values, chunk=5000).curve(), series_of(values, chunk=7).curve())


def same(mine: Curve, other: Curve) -> None:
    for name in ("step", "low", "high", "mean", "count", "bad"):
        np.testing.assert_allclose(getattr(mine, name), getattr(other, name), rtol=1e-12, err_msg=name)


def test_a_value_that_is_not_finite_is_a_gap_where_it_was_and_touches_no_other():
    series = series_of(np.array([1.0, 2.0, np.nan, 4.0, np.inf, -np.inf, 7.0, np.nan]))
    curve = series.curve()
    np.testing.assert_array_equal(curve.step, [1, 2, 4, 7])
    np.testing.assert_array_equal(curve.mean, [1, 2, 4, 7])
    np.testing.assert_array_equal(curve.bad, [3, 5, 6, 8])


def test_a_series_of_gaps_alone_says_where_they_are():
    series = series_of(np.array([np.nan, np.nan]), first=500)
    assert len(series) == len(series.curve().step) == 0
    np.testing.assert_array_equal(series.curve().bad, [500, 501])


def test_a_gap_is_seen_at_every_zoom():
    values = np.ones(100_000)
    values[44_443] = np.nan
    series = series_of(values)
    for columns in (None, 300, 10, 1):
        curve = series.curve(columns=columns)
        assert len(curve.bad) == 1
        assert abs(curve.bad[0] - 44_444) <= (100_000 / (columns or CAPACITY / 2))
        assert curve.count.sum() == 99_999


def test_an_empty_series_gives_an_empty_curve():
    some = series_of(np.ones(10))
    for curve in (Series().curve(), Series().curve(10, 20, 5), some.curve(500, 600), some.curve(8, 3)):
        assert len(curve.step) == len(curve.bad) == 0


def test_a_sparse_series_stands_at_its_steps():
    series = Series()
    for step in range(0, 900_001, 10_000):
        series.add(step, float(step))
    curve = series.curve()
    np.testing.assert_array_equal(curve.step, np.arange(0, 900_001, 10_000))
    np.testing.assert_array_equal(curve.step, curve.mean)
    fewer = series.curve(columns=10)
    assert len(fewer.step) <= 10
    assert fewer.count.sum() == 91


def test_a_part_starts_and_ends_at_the_bucket_of_its_ends():
    curve = series_of(np.arange(1.0, 1001.0)).curve(first=100, last=200)
    np.testing.assert_array_equal(curve.step, np.arange(100, 201))


def test_a_series_survives_its_tensor_and_goes_on_from_there():
    values = np.random.default_rng(1).standard_normal(9000)
    values[50] = np.nan
    half = Series.from_tensor(series_of(values[:4000]).tensor())
    half.extend(np.arange(4001, 9001), values[4000:])
    same(half.curve(), series_of(values).curve())


def test_a_tensor_that_is_no_series_is_refused():
    good = Series().tensor()
    wrong = [good[:-1], good.reshape(1, -1), np.zeros_like(good), np.full_like(good, np.nan), np.array([])]
    for tensor in wrong:
        with pytest.raises(ValueError, match="not a series"):
            Series.from_tensor(tensor)


def test_a_series_of_its_own_is_not_tied_to_the_tensor_it_came_from():
    tensor = series_of(np.ones(3)).tensor()
    series = Series.from_tensor(tensor)
    series.add(4, 1.0)
    assert len(series) == 4
    assert len(Series.from_tensor(tensor)) == 3


# The history -------------------------------------------------------------------------------------------------------


def steps_taken(last: int, costs: list[float]) -> StepsTaken:
    return StepsTaken(
        last, 1, 0.5, np.array(costs), np.full(len(costs), 2.0), np.full(len(costs), 0.1), *np.zeros((2, len(costs)))
    )


def test_steps_are_counted_back_from_the_last_one():
    history = History()
    history.record(steps_taken(3, [3.0, 2.0, 1.0]))
    history.record(steps_taken(5, [0.5, 0.25]))
    curve = history.series["cost"].curve()
    np.testing.assert_array_equal(curve.step, [1, 2, 3, 4, 5])
    np.testing.assert_array_equal(curve.mean, [3.0, 2.0, 1.0, 0.5, 0.25])
    assert history.series["gradient_norm"].curve().mean.tolist() == [2.0] * 5


def test_evaluations_without_a_dev_set_leave_its_curves_empty():
    history = History()
    history.record(Evaluated(10, 1, Score.of(0.5, 0.1), None, ()))
    assert history.series["train_cost"].curve().mean.tolist() == [0.5]
    assert history.series["train_error"].curve().step.tolist() == [10.0]
    assert len(history.series["dev_cost"]) == 0


def test_a_history_survives_its_tensors_among_others():
    history = History()
    history.record(steps_taken(2, [1.0, 2.0]))
    tensors = {"W1": np.ones((2, 2)), **history.tensors()}
    assert all(name == "W1" or name.startswith(PREFIX) for name in tensors)
    back = History.from_tensors(tensors)
    assert back.series.keys() == history.series.keys()
    for name, series in history.series.items():
        np.testing.assert_array_equal(back.series[name].tensor(), series.tensor())
    assert len(History.from_tensors({"W1": np.ones(1)}).series["cost"]) == 0
