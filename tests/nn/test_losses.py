from __future__ import annotations

import math

import numpy as np
import pytest

from workbench.nn.losses import LOSSES, Loss, softmax

FLOAT64 = np.dtype(np.float64)
FLOAT32 = np.dtype(np.float32)
OUTPUTS = {"classes": 4, "binary": 1, "regression": 3}


def loss(task: str, dtype: np.dtype[np.floating] = FLOAT64) -> Loss:
    return LOSSES[task](dtype)


def drawn(task: str, m: int = 9, spread: float = 3.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng([seed, len(task)])
    k = OUTPUTS[task]
    Z = rng.normal(0.0, spread, (m, k))
    if task == "classes":
        return Z, np.eye(k)[rng.integers(k, size=m)]
    return Z, (rng.random((m, k)) < 0.5).astype(float) if task == "binary" else rng.normal(0.0, 2.0, (m, k))


def exact_loss(task: str, z: np.ndarray, y: np.ndarray) -> float:
    """One example's loss by the textbook formula, in extended precision."""
    zs, ys = z.astype(np.longdouble), y.astype(np.longdouble)
    if task == "classes":
        return float(-(ys * (zs - np.log(np.exp(zs).sum()))).sum())
    if task == "binary":
        a = 1 / (1 + np.exp(-zs))
        return float(-(ys * np.log(a) + (1 - ys) * np.log(1 - a)).sum())
    return 0.5 * math.fsum(float(each) ** 2 for each in zs - ys)


def exact_cost(task: str, Z: np.ndarray, Y: np.ndarray) -> float:
    return math.fsum(exact_loss(task, z, y) for z, y in zip(Z, Y, strict=True)) / len(Z)


@pytest.mark.parametrize("task", OUTPUTS)
@pytest.mark.parametrize("spread", [0.01, 1.0, 10.0])
def test_cost_is_the_mean_of_the_textbook_loss(task: str, spread: float) -> None:
    Z, Y = drawn(task, spread=spread)
    subject = loss(task)
    cost = subject.forward(Z, Y)
    assert cost == pytest.approx(exact_cost(task, Z, Y), rel=1e-12)
    expected = [exact_loss(task, z, y) for z, y in zip(Z, Y, strict=True)]
    np.testing.assert_allclose(subject.losses, expected, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize(
    ("task", "smoothing"), [("classes", 0.0), ("classes", 0.1), ("binary", 0.0), ("binary", 0.1), ("regression", 0.0)]
)
def test_gradient_is_that_of_the_cost(task: str, smoothing: float) -> None:
    Z, Y = drawn(task)
    subject = loss(task)
    subject.forward(Z, Y, smoothing)
    dZ = subject.backward().copy()
    e = 1e-6
    for place in np.ndindex(Z.shape):
        up, down = Z.copy(), Z.copy()
        up[place] += e
        down[place] -= e
        numeric = (subject.forward(up, Y, smoothing) - subject.forward(down, Y, smoothing)) / (2 * e)
        assert dZ[place] == pytest.approx(numeric, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("task", OUTPUTS)
def test_inputs_are_left_as_they_were(task: str) -> None:
    Z, Y = drawn(task)
    Z_before, Y_before = Z.copy(), Y.copy()
    Y.flags.writeable = False
    subject = loss(task)
    subject.forward(Z, Y, 0.0 if task == "regression" else 0.2)
    subject.backward()
    subject.mistakes(Z, Y)
    subject.predict(Z)
    assert np.array_equal(Z, Z_before)
    assert np.array_equal(Y, Y_before)


@pytest.mark.parametrize("task", OUTPUTS)
def test_a_batch_of_another_size_leaves_nothing_of_the_last(task: str) -> None:
    used = loss(task)
    for m in (9, 3, 12, 1):
        Z, Y = drawn(task, m=m, seed=m)
        fresh = loss(task)
        assert used.forward(Z, Y) == fresh.forward(Z, Y)
        assert used.losses.shape == (m,)
        assert np.array_equal(used.backward(), fresh.backward())


# Softmax -----------------------------------------------------------------------------------------------------------


def test_softmax_of_large_logits() -> None:
    expected = [0.09003057317038046, 0.24472847105479764, 0.6652409557748219]
    np.testing.assert_allclose(softmax(np.array([1000.0, 1001.0, 1002.0])), expected, rtol=0, atol=1e-12)


def test_softmax_of_the_course_example() -> None:
    assert softmax(np.array([5.0, 2.0, -1.0, 3.0])).round(3).tolist() == [0.842, 0.042, 0.002, 0.114]


def test_softmax_of_two_classes_is_the_sigmoid_of_the_difference() -> None:
    Z = np.random.default_rng(1).normal(0, 5, (20, 2))
    a = loss("binary").predict(Z[:, :1] - Z[:, 1:])
    np.testing.assert_allclose(softmax(Z)[:, :1], a, rtol=1e-12, atol=1e-15)


def test_cross_entropy_of_two_classes_is_that_of_logistic_regression() -> None:
    rng = np.random.default_rng(2)
    Z, labels = rng.normal(0, 3, (20, 2)), rng.integers(2, size=20)
    two = loss("classes").forward(Z, np.eye(2)[labels])
    one = loss("binary").forward(Z[:, 1:] - Z[:, :1], labels[:, None].astype(float))
    assert two == pytest.approx(one, rel=1e-13)


def test_cross_entropy_gradient_of_the_worked_example() -> None:
    subject = loss("classes")
    subject.forward(np.array([[2.0, 1.0, 0.0]]), np.array([[1.0, 0.0, 0.0]]))
    expected = [[-0.3347590442251781, 0.24472847105479764, 0.09003057317038046]]
    np.testing.assert_allclose(subject.backward(), expected, rtol=0, atol=1e-12)


def test_equal_huge_logits_cost_the_logarithm_of_two() -> None:
    cost = loss("classes", FLOAT32).forward(np.full((1, 2), 1e8, np.float32), np.array([[1, 0]], np.float32))
    assert f"{cost:.7f}" == "0.6931472"


def test_class_of_vanishing_probability_costs_its_true_amount() -> None:
    assert loss("classes").forward(np.array([[0.0, -5000.0]]), np.array([[0.0, 1.0]])) == 5000


def test_predicted_probabilities_sum_to_one() -> None:
    Z, _ = drawn("classes", spread=50.0)
    P = loss("classes").predict(Z)
    np.testing.assert_allclose(P.sum(axis=1), 1.0, rtol=1e-14)
    assert np.array_equal(P.argmax(axis=1), Z.argmax(axis=1))


# Binary and squared error ------------------------------------------------------------------------------------------


def test_binary_cross_entropy_of_a_hopeless_logit() -> None:
    for z, y in ((-1000.0, 1.0), (1000.0, 0.0)):
        subject = loss("binary")
        assert subject.forward(np.array([[z]]), np.array([[y]])) == pytest.approx(1000.0, abs=1e-12)
        assert subject.backward().item() == pytest.approx(math.copysign(1.0, z), abs=1e-12)


def test_binary_gradient_is_a_minus_y() -> None:
    Z, Y = drawn("binary")
    subject = loss("binary")
    subject.forward(Z, Y)
    np.testing.assert_allclose(subject.backward(), (1 / (1 + np.exp(-Z)) - Y) / len(Z), rtol=1e-12, atol=1e-16)


def test_regression_cost_and_error_of_a_worked_example() -> None:
    Z, Y = np.array([[1.0, 2.0], [0.0, 0.0]]), np.array([[1.0, 0.0], [3.0, 3.0]])
    subject = loss("regression")
    assert subject.forward(Z, Y) == (0.5 * 4 + 0.5 * 18) / 2
    assert subject.backward().tolist() == [[0.0, 1.0], [-1.5, -1.5]]
    # Squared differences 0, 4, 9, 9: their mean is 5.5.
    assert subject.error(float(subject.mistakes(Z, Y).mean())) == pytest.approx(math.sqrt(5.5), rel=1e-15)
    assert subject.error_name == "RMSE"


# Label smoothing ---------------------------------------------------------------------------------------------------


def test_smoothing_spreads_a_share_evenly_over_the_classes() -> None:
    Z, Y = drawn("classes")
    smoothed = 0.8 * Y + 0.2 / 4
    assert loss("classes").forward(Z, Y, 0.2) == pytest.approx(exact_cost("classes", Z, smoothed), rel=1e-12)


def test_smoothing_of_a_binary_target_keeps_half_of_the_share_for_each_class() -> None:
    Z, Y = drawn("binary")
    assert loss("binary").forward(Z, Y, 0.2) == pytest.approx(exact_cost("binary", Z, 0.8 * Y + 0.1), rel=1e-12)


def test_smoothing_means_the_same_for_two_classes_whichever_the_output_layer() -> None:
    rng = np.random.default_rng(3)
    Z, labels = rng.normal(0, 3, (20, 2)), rng.integers(2, size=20)
    two = loss("classes").forward(Z, np.eye(2)[labels], 0.3)
    one = loss("binary").forward(Z[:, 1:] - Z[:, :1], labels[:, None].astype(float), 0.3)
    assert two == pytest.approx(one, rel=1e-13)


@pytest.mark.parametrize("task", ["classes", "binary"])
def test_targets_of_the_data_are_smoothed_in_the_type_of_the_network(task: str) -> None:
    Z, Y = drawn(task)
    as_data, exact = loss(task), loss(task)
    assert as_data.forward(Z, Y.astype(np.float32), 0.1) == exact.forward(Z, Y, 0.1)
    assert np.array_equal(as_data.backward(), exact.backward())


# Extremes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", ["classes", "binary"])
@pytest.mark.parametrize(("dtype", "size"), [(FLOAT32, 1e30), (FLOAT64, 1e300), (FLOAT32, 1e-30), (FLOAT64, 1e-300)])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_extreme_logits_have_a_finite_cost_and_gradient(
    task: str, dtype: np.dtype[np.floating], size: float, smoothing: float
) -> None:
    Z, Y = drawn(task, m=16, spread=1.0)
    subject = loss(task, dtype)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        cost = subject.forward((np.sign(Z) * size).astype(dtype), Y.astype(dtype), smoothing)
        dZ = subject.backward()
    assert math.isfinite(cost)
    assert cost >= 0
    assert dZ.dtype == dtype
    assert (np.abs(dZ) <= 1 / 16 + 1e-7).all()


@pytest.mark.parametrize("task", OUTPUTS)
def test_nan_logits_make_the_cost_nan(task: str) -> None:
    Z, Y = drawn(task)
    Z[2, 0] = np.nan
    assert math.isnan(loss(task).forward(Z, Y))


# Mistakes ----------------------------------------------------------------------------------------------------------


def test_mistakes_of_classes_are_where_the_largest_logit_is_not_the_label() -> None:
    Z = np.array([[3.0, 1.0, 2.0], [0.0, 5.0, 1.0], [0.0, 0.0, 9.0]])
    Y = np.eye(3)[[0, 2, 2]]
    assert loss("classes").mistakes(Z, Y).tolist() == [0, 1, 0]


def test_mistakes_of_binary_logits_are_where_the_sign_is_wrong() -> None:
    Z = np.array([[2.0], [-2.0], [2.0], [-2.0]])
    Y = np.array([[1.0], [0.0], [0.0], [1.0]])
    assert loss("binary").mistakes(Z, Y).tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", [0, 1, 2])
def test_logits_that_are_not_finite_never_count_as_right(bad: float, where: int) -> None:
    # NaN compares false with everything, and the argmax of a row with NaN is its place: either could pass for an answer.
    Y = np.eye(3)
    Z = 5.0 * Y
    Z[:, where] = bad
    assert loss("classes").mistakes(Z, Y).tolist() == [1, 1, 1]
    assert loss("classes").mistakes(np.full((3, 3), bad), Y).tolist() == [1, 1, 1]
    for y in (0.0, 1.0):
        assert loss("binary").mistakes(np.array([[bad]]), np.array([[y]])).tolist() == [1]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_regression_that_is_not_finite_has_no_finite_error(bad: float) -> None:
    subject = loss("regression")
    mistakes = subject.mistakes(np.array([[bad], [1.0]]), np.array([[1.0], [1.0]]))
    assert not math.isfinite(subject.error(float(mistakes.mean())))
