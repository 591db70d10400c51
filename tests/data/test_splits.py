from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.data.dataset import DataError, Examples, Task
from workbench.data.preprocessing import Normalization
from workbench.data.sources import load
from workbench.data.splits import Splits, prepare, split
from workbench.data.stratify import shares
from workbench.hyperparameters import SOURCES, DataSettings


def numbered(class_sizes: list[int]) -> Examples:
    """Examples whose only feature is their row number, so that they can be told apart after the split."""
    labels = np.repeat(np.arange(len(class_sizes)), class_sizes)
    m = len(labels)
    return Examples(
        X=np.arange(m, dtype=np.float64)[:, None],
        labels=labels,
        task=Task.CLASSES,
        class_names=tuple(map(str, range(len(class_sizes)))),
        feature_names=("row",),
    )


def parts(splits: Splits) -> list[np.ndarray]:
    return [np.empty(0, int) if part is None else part.X[:, 0].astype(int) for part in (splits.train, splits.dev, splits.test)]


def settings(dev: float, test: float, normalize: bool = False) -> DataSettings:
    return DataSettings(dev_fraction=dev, test_fraction=test, normalize=normalize)


fractions = st.one_of(st.just(0.0), st.floats(0.05, 0.45))
sizes = st.lists(st.integers(0, 40), min_size=3, max_size=12).filter(lambda each: sum(each) >= 20)


@given(sizes, fractions, fractions, st.integers(0, 2**63 - 1))
def test_every_example_is_in_exactly_one_part_with_its_own_label(class_sizes: list[int], dev: float, test: float, seed: int):
    examples = numbered(class_sizes)
    splits = split(examples, settings(dev, test), seed)
    rows = np.concatenate(parts(splits))
    assert sorted(rows) == list(range(examples.examples))
    for part in (splits.train, splits.dev, splits.test):
        if part is not None:
            np.testing.assert_array_equal(part.Y.argmax(axis=1), examples.labels[part.X[:, 0].astype(int)])


@given(sizes, fractions, fractions, st.integers(0, 2**63 - 1))
def test_parts_have_their_size_and_every_class_its_share(class_sizes: list[int], dev: float, test: float, seed: int):
    examples = numbered(class_sizes)
    m = examples.examples
    rows = parts(split(examples, settings(dev, test), seed))
    wanted = [m - round(m * dev) - round(m * test), round(m * dev), round(m * test)]
    assert [len(part) for part in rows] == wanted
    for part in rows:
        counts = np.bincount(examples.labels[part], minlength=len(class_sizes))
        assert (np.abs(counts - np.array(class_sizes) * len(part) / m) < 1).all()


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=100).filter(any), st.data())
def test_shares_add_up_both_ways_and_are_exact_shares_rounded(class_sizes: list[int], data: st.DataObject):
    m = sum(class_sizes)
    cuts = sorted(data.draw(st.lists(st.integers(0, m), min_size=1, max_size=3)))
    part_sizes = np.diff([0, *cuts, m])
    counts = shares(np.array(class_sizes), part_sizes)
    np.testing.assert_array_equal(counts.sum(axis=1), class_sizes)
    np.testing.assert_array_equal(counts.sum(axis=0), part_sizes)
    exact = np.outer(class_sizes, part_sizes)
    assert (counts >= exact // m).all()
    assert (counts <= -(-exact // m)).all()


def test_the_larger_remainder_is_rounded_up():
    # Shares of the first part: 1.2, 2.9 and 0.9 of 5.
    assert shares(np.array([12, 29, 9]), np.array([5, 45]))[:, 0].tolist() == [1, 3, 1]


@pytest.mark.parametrize("name", SOURCES)
def test_the_split_is_a_function_of_the_seed(name: str):
    chosen = DataSettings(source=name, examples=120)
    examples = load(chosen, 1)
    first, again, other = (split(examples, chosen, seed) for seed in (3, 3, 4))
    for part in ("train", "dev", "test"):
        np.testing.assert_array_equal(getattr(first, part).X, getattr(again, part).X)
        np.testing.assert_array_equal(getattr(first, part).Y, getattr(again, part).Y)
        assert not np.array_equal(getattr(first, part).X, getattr(other, part).X)


def test_the_parts_are_in_random_order():
    for part in parts(split(numbered([100, 100, 100]), settings(0.3, 0.3), 1)):
        labels = part // 100
        # In the order of the classes there would be 2 changes; at random about two thirds of the neighbours differ.
        assert (np.diff(labels) != 0).mean() == pytest.approx(2 / 3, abs=0.15)
        assert 0.3 < (np.diff(part) > 0).mean() < 0.7


def test_a_regression_is_split_without_classes():
    splits = prepare(DataSettings(source="regression", examples=1000, dev_fraction=0.1, test_fraction=0.25), 1)
    assert splits.dev is not None
    assert splits.test is not None
    assert (splits.train.examples, splits.dev.examples, splits.test.examples) == (650, 100, 250)
    assert len(np.unique(np.concatenate([splits.train.Y, splits.dev.Y, splits.test.Y]))) == 1000
    assert (splits.n_features, splits.n_outputs, splits.task) == (2, 1, Task.REGRESSION)


@pytest.mark.parametrize(
    ("source", "classes", "outputs", "features"),
    [("digits", 3, 10, 64), ("spiral", 5, 5, 2), ("spiral", 2, 1, 2), ("moons", 3, 1, 2)],
)
def test_splits_know_their_columns(source: str, classes: int, outputs: int, features: int):
    splits = prepare(DataSettings(source=source, classes=classes, examples=200), 1)
    assert (splits.n_features, splits.n_outputs) == (features, outputs)
    assert len(splits.feature_names) == features
    assert len(splits.class_names) == max(outputs, 2)
    assert splits.image_shape == ((8, 8) if source == "digits" else None)


def test_parts_are_read_only():
    splits = prepare(DataSettings(), 1)
    for part in (splits.train, splits.dev, splits.test):
        assert part is not None
        for array in (part.X, part.Y):
            assert array.dtype == np.float32
            assert array.flags.c_contiguous
            assert not array.flags.writeable


def test_no_test_set_is_allowed_and_no_dev_set_either():
    splits = prepare(DataSettings(dev_fraction=0.0, test_fraction=0.0, examples=50), 1)
    assert (splits.train.examples, splits.dev, splits.test) == (50, None, None)


# What cannot be had


def test_nothing_left_to_train_on_is_refused():
    with pytest.raises(DataError, match=r"^data\.examples: 3: none would be left to train on, with 2 for dev and 1 for test$"):
        prepare(DataSettings(source="moons", examples=3, dev_fraction=0.6, test_fraction=0.3), 1)


@pytest.mark.parametrize("part", ["dev", "test"])
def test_a_part_that_was_asked_for_and_would_be_empty_is_refused(part: str):
    chosen = {"dev_fraction": 0.0, "test_fraction": 0.0, f"{part}_fraction": 0.001}
    expected = rf"^data\.{part}_fraction: 0\.001: of 100 examples none would be left for the {part} set$"
    with pytest.raises(DataError, match=expected):
        prepare(DataSettings(source="moons", examples=100, **chosen), 1)  # type: ignore[arg-type]


def test_a_single_example_can_be_trained_on():
    splits = prepare(DataSettings(source="digits", examples=1, dev_fraction=0.0, test_fraction=0.0), 1)
    assert splits.train.examples == 1
    assert np.isfinite(splits.train.X).all()


# Normalization


@pytest.mark.parametrize("name", SOURCES)
def test_the_train_set_is_normalized_and_the_others_by_its_numbers(name: str):
    examples = load(DataSettings(source=name), 1)
    raw = split(examples, DataSettings(source=name, normalize=False), 1)
    done = split(examples, DataSettings(source=name, normalize=True), 1)
    assert raw.normalization is None
    assert done.normalization is not None
    mean = raw.train.X.mean(axis=0, dtype=np.float64)
    std = raw.train.X.std(axis=0, dtype=np.float64)
    for part in ("train", "dev", "test"):
        expected = (getattr(raw, part).X - mean) / np.where(std == 0, 1, std)
        np.testing.assert_allclose(getattr(done, part).X, expected, rtol=1e-3, atol=1e-4)
    varying = std > 0
    np.testing.assert_allclose(done.train.X.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(done.train.X[:, varying].std(axis=0), 1, atol=1e-3)
    assert not done.train.X[:, ~varying].any()


def test_dev_and_test_never_influence_the_normalization():
    examples = numbered([50, 50, 50])
    plain = split(examples, settings(0.2, 0.2, normalize=True), 1)
    _, dev, test = parts(split(examples, settings(0.2, 0.2), 1))
    examples.X[np.concatenate([dev, test])] *= 1000
    moved = split(examples, settings(0.2, 0.2, normalize=True), 1)
    assert plain.normalization is not None
    assert moved.normalization is not None
    np.testing.assert_array_equal(plain.normalization.mean, moved.normalization.mean)
    np.testing.assert_array_equal(plain.normalization.std, moved.normalization.std)
    np.testing.assert_array_equal(plain.train.X, moved.train.X)
    assert plain.dev is not None
    assert moved.dev is not None
    assert moved.dev.X.max() > 100 * plain.dev.X.max()


@pytest.mark.parametrize("constant", [0.0, 0.1, -7.3e6, 1e-30])
def test_a_constant_feature_becomes_zero_and_not_its_rounding_error(constant: float):
    X = np.column_stack([np.full(1001, constant), np.arange(1001)])
    normalization = Normalization.of(X)
    assert normalization.std[0] == 1
    assert not normalization.apply(X)[:, 0].any()


def test_normalization_does_not_change_what_it_is_applied_to():
    X = np.arange(6, dtype=np.float32).reshape(3, 2)
    normalization = Normalization.of(X)
    result = normalization.apply(X)
    assert X.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert result.dtype == np.float32
    np.testing.assert_allclose(result[:, 0], np.sqrt([1.5, 0, 1.5]) * [-1, 0, 1], rtol=1e-6)
    assert not normalization.mean.flags.writeable
    assert not normalization.std.flags.writeable
