from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from workbench.data.dataset import DataError, Dataset, Examples, Task
from workbench.data.sources import SOURCES, load, surface
from workbench.data.uses import USES
from workbench.hyperparameters import TABLE, DataSettings

SYNTHETIC = sorted(set(SOURCES) - {"digits"})


def make(source: str, seed: int = 1, **settings: object) -> Examples:
    return load(DataSettings(source=source, **settings), seed)  # type: ignore[arg-type]


def test_the_sources_are_those_that_a_preset_may_name():
    assert tuple(SOURCES) == TABLE["source"].choices == tuple(USES)
    assert all(name == source.name and source.help for name, source in SOURCES.items())


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_uses_exactly_the_settings_it_names(name: str):
    start = DataSettings(source=name, examples=60, classes=3, noise=0.1)
    before = load(start, 1)
    for setting, other in (("classes", 5), ("noise", 0.3)):
        after = load(dataclasses.replace(start, **{setting: other}), 1)
        same = np.array_equal(before.X, after.X) and np.array_equal(before.labels, after.labels)
        assert same == (setting not in SOURCES[name].uses), setting


@pytest.mark.parametrize("name", SOURCES)
def test_the_same_seed_gives_the_same_examples_and_another_seed_others(name: str):
    first, again, other = make(name, 7, examples=90), make(name, 7, examples=90), make(name, 8, examples=90)
    np.testing.assert_array_equal(first.X, again.X)
    np.testing.assert_array_equal(first.labels, again.labels)
    assert not np.array_equal(first.X, other.X)


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("examples", [1, 2, 7, 101])
def test_a_source_makes_as_many_examples_as_asked_for_and_describes_their_columns(name: str, examples: int):
    made = make(name, examples=examples)
    assert made.examples == len(made.X) == len(made.labels) == examples
    assert made.X.shape[1] == len(made.feature_names)
    assert np.isfinite(made.X).all()
    assert made.title
    if made.task is not Task.REGRESSION:
        assert made.labels.min() >= 0
        assert made.labels.max() < len(made.class_names)


@pytest.mark.parametrize(
    ("name", "classes", "task"),
    [
        ("digits", 3, Task.CLASSES),
        ("circles", 3, Task.BINARY),
        ("moons", 3, Task.BINARY),
        ("xor", 3, Task.BINARY),
        ("spiral", 3, Task.CLASSES),
        ("spiral", 2, Task.BINARY),
        ("gaussians", 100, Task.CLASSES),
        ("gaussians", 2, Task.BINARY),
        ("regression", 3, Task.REGRESSION),
    ],
)
def test_the_task_and_its_targets_follow_from_the_source(name: str, classes: int, task: Task):
    made = make(name, classes=classes, examples=200)
    Y = made.targets()
    assert made.task is task
    assert Y.dtype == np.float32
    if task is Task.CLASSES:
        assert Y.shape == (200, len(made.class_names))
        np.testing.assert_array_equal(Y.sum(axis=1), 1)
        np.testing.assert_array_equal(Y.argmax(axis=1), made.labels)
    elif task is Task.BINARY:
        assert len(made.class_names) == 2
        np.testing.assert_array_equal(Y, made.labels[:, None])
        assert set(np.unique(Y)) == {0, 1}
    else:
        assert made.class_names == ()
        np.testing.assert_array_equal(Y, made.labels.astype(np.float32))
        assert Y.shape == (200, 1)


@pytest.mark.parametrize("name", ["spiral", "gaussians", "circles", "moons"])
def test_classes_are_as_even_as_can_be(name: str):
    made = make(name, classes=7, examples=101)
    sizes = np.bincount(made.labels)
    assert len(sizes) == len(made.class_names)
    assert sizes.max() - sizes.min() <= 1


def test_an_unknown_source_is_named_with_the_nearest_that_exists():
    with pytest.raises(DataError, match=r"^data\.source: 'spirals': no such source; did you mean spiral\?$"):
        make("spirals")


# The digits


def test_all_the_digits():
    made = make("digits", examples=1797)
    assert made.X.shape == (1797, 64)
    assert made.X.min() == 0
    assert made.X.max() == 1
    np.testing.assert_array_equal(made.X * 16, np.round(made.X * 16))
    assert np.bincount(made.labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert made.class_names == tuple("0123456789")
    assert made.image_shape == (8, 8)
    assert "Alpaydin" in made.credit
    # The first picture is a zero: ink in a ring, none in the middle.
    ring = made.X[0].reshape(8, 8)
    assert made.labels[0] == 0
    assert ring[3:5, 3:5].max() < 0.1 < ring[3:5, [2, 5]].min()


def test_fewer_digits_are_different_examples_in_proportion_to_the_classes():
    everything, fewer = make("digits", examples=1797), make("digits", examples=500)
    share = np.bincount(everything.labels) * 500 / 1797
    assert np.abs(np.bincount(fewer.labels) - share).max() < 1
    known = {row.tobytes(): label for row, label in zip(everything.X, everything.labels, strict=True)}
    assert len({row.tobytes() for row in fewer.X}) == 500
    assert all(known[row.tobytes()] == label for row, label in zip(fewer.X, fewer.labels, strict=True))


def test_more_digits_than_there_are_is_refused():
    with pytest.raises(DataError, match=r"^data\.examples: 5000: the digits have 1,797 examples$"):
        make("digits", examples=5000)


# The synthetic sets: without noise, every point lies where the definition puts it.


def test_the_arms_of_a_spiral_are_copies_turned_by_an_even_angle():
    made = make("spiral", noise=0.0, classes=5, examples=500)
    radius = np.hypot(*made.X.T)
    angle = np.arctan2(made.X[:, 0], made.X[:, 1])
    for arm in range(5):
        of_arm = made.labels == arm
        np.testing.assert_allclose(radius[of_arm], np.linspace(0, 1, 100), atol=1e-12)
        turned = angle[of_arm] - 4 * radius[of_arm] - 2 * np.pi * arm / 5
        np.testing.assert_allclose(np.exp(1j * turned[1:]), 1, atol=1e-9)


def test_the_noise_of_a_spiral_leaves_the_radius_alone():
    made = make("spiral", noise=0.5, classes=2, examples=100)
    np.testing.assert_allclose(np.hypot(*made.X.T), np.tile(np.linspace(0, 1, 50), 2), atol=1e-12)


def test_the_circles_have_their_radii():
    made = make("circles", noise=0.0, examples=100)
    np.testing.assert_allclose(np.hypot(*made.X.T), np.where(made.labels == 0, 1, 0.5))
    np.testing.assert_allclose(made.X[made.labels == 1].mean(axis=0), 0, atol=1e-12)


def test_the_moons_are_half_circles_that_reach_into_each_other():
    made = make("moons", noise=0.0, examples=101)
    upper, lower = made.X[made.labels == 0], made.X[made.labels == 1]
    np.testing.assert_allclose(np.hypot(*upper.T), 1)
    np.testing.assert_allclose(np.hypot(*(lower - [1, 0.5]).T), 1)
    assert (upper[:, 1] >= 0).all()
    assert (lower[:, 1] <= 0.5).all()
    assert (len(upper), len(lower)) == (50, 51)


def test_xor_is_the_sign_of_the_product_and_noise_moves_points_after_labelling():
    clean, noisy = make("xor", noise=0.0, examples=2000), make("xor", noise=0.5, examples=2000)
    np.testing.assert_array_equal(clean.labels, clean.X.prod(axis=1) > 0)
    np.testing.assert_array_equal(clean.labels, noisy.labels)
    assert np.abs(clean.X).max() <= 1 < np.abs(noisy.X).max()
    assert (noisy.labels != (noisy.X.prod(axis=1) > 0)).any()


def test_the_clouds_lie_on_a_circle_and_noise_is_their_spread():
    points = make("gaussians", noise=0.0, classes=4, examples=8)
    np.testing.assert_allclose(points.X[::2], [[1, 0], [0, 1], [-1, 0], [0, -1]], atol=1e-12)
    clouds = make("gaussians", noise=0.3, classes=4, examples=20_000)
    for label in range(4):
        assert clouds.X[clouds.labels == label].std(axis=0) == pytest.approx([0.3, 0.3], rel=0.05)


def test_a_regression_is_its_surface_plus_noise():
    clean, noisy = make("regression", noise=0.0), make("regression", noise=0.2, examples=20_000)
    np.testing.assert_array_equal(clean.labels, surface(clean.X[:, :1], clean.X[:, 1:]))
    assert (noisy.labels - surface(noisy.X[:, :1], noisy.X[:, 1:])).std() == pytest.approx(0.2, rel=0.05)


@pytest.mark.parametrize("name", SYNTHETIC)
def test_the_loudest_noise_still_gives_finite_float32(name: str):
    assert np.isfinite(make(name, noise=100.0).X.astype(np.float32)).all()


# Datasets


def test_a_dataset_is_float32_contiguous_and_read_only_whatever_it_is_made_from():
    X = np.asfortranarray(np.arange(6.0).reshape(3, 2))
    data = Dataset(X, np.ones((3, 1), dtype=np.float32))  # type: ignore[arg-type]
    for array in (data.X, data.Y):
        assert array.dtype == np.float32
        assert array.flags.c_contiguous
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 5
    assert data.examples == 3


def test_a_dataset_leaves_its_makers_array_writable():
    X = np.zeros((3, 2), dtype=np.float32)
    Dataset(X, np.zeros((3, 1), dtype=np.float32))
    X[0, 0] = 1


@pytest.mark.parametrize(("x", "y"), [((3, 2), (4, 1)), ((0, 2), (0, 1)), ((3,), (3, 1)), ((3, 2), (3,))])
def test_a_dataset_of_unfit_arrays_is_refused(x: tuple[int, ...], y: tuple[int, ...]):
    with pytest.raises(ValueError, match="expected X"):
        Dataset(np.zeros(x, dtype=np.float32), np.zeros(y, dtype=np.float32))
