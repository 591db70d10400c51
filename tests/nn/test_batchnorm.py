from __future__ import annotations

import numpy as np
import pytest

from workbench.hyperparameters import Architecture
from workbench.nn.batchnorm import BatchNorm
from workbench.nn.network import Network


def batchnorm(n: int, dtype: type[np.floating] = np.float64, gamma: float = 1.0, beta: float = 0.0) -> BatchNorm:
    shape = (1, n)
    dgamma, dbeta, mean, var = (np.zeros(shape, dtype) for _ in range(4))
    return BatchNorm(np.full(shape, gamma, dtype), np.full(shape, beta, dtype), dgamma, dbeta, mean, var, epsilon=1e-5)


def column(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64)[:, None]


def network(seed: int = 1) -> Network:
    """Two hidden layers with batch norm; its statistics are looked at through its layers."""
    return Network(3, 2, Architecture(hidden=(5, 4), batch_norm=True, activation="tanh"), seed, np.float64)


def inputs(index: int, m: int = 8) -> np.ndarray:
    return np.random.default_rng(index).normal(1.0, 2.0, (m, 3))


def first_layer_statistics(net: Network, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    Z = X @ net.named(net.parameters)["W1"]
    return Z.mean(axis=0), Z.var(axis=0, ddof=1)


def test_worked_example_forward() -> None:
    outer, inner = 1.3416354199689269, 0.447211806656309
    out = batchnorm(1).forward(column(1, 2, 3, 4))
    np.testing.assert_allclose(out, column(-outer, -inner, inner, outer), rtol=0, atol=1e-12)


def test_worked_example_backward() -> None:
    norm = batchnorm(1, gamma=2.0)
    norm.forward(column(1, 2, 3, 4))
    dZ = norm.backward(column(1, 0, 0, 0))
    expected = column(0.5366606077860683, -0.7155367440505952, -0.17888686926202274, 0.3577630055265497)
    np.testing.assert_allclose(dZ, expected, rtol=0, atol=1e-12)
    assert norm.dgamma.item() == pytest.approx(-1.3416354199689269, abs=1e-12)
    assert norm.dbeta.item() == pytest.approx(1.0, abs=1e-12)


def test_output_has_mean_beta_and_standard_deviation_gamma() -> None:
    Z = np.random.default_rng(0).normal(-7.0, 30.0, (200, 6))
    plain = batchnorm(6).forward(Z)
    np.testing.assert_allclose(plain.mean(axis=0), 0.0, atol=1e-13)
    np.testing.assert_allclose(plain.var(axis=0), 1.0, rtol=1e-6)
    scaled = batchnorm(6, gamma=3.0, beta=-2.0).forward(Z)
    np.testing.assert_allclose(scaled.mean(axis=0), -2.0, rtol=1e-12)
    np.testing.assert_allclose(scaled.std(axis=0), 3.0, rtol=1e-6)


def test_statistics_of_the_batch_are_the_mean_and_the_unbiased_variance() -> None:
    norm = batchnorm(1)
    norm.forward(column(1, 2, 3, 4))
    assert norm.batch_mean.item() == 2.5
    assert norm.batch_var.item() == pytest.approx(5 / 3, rel=1e-15)


def test_two_examples_are_enough() -> None:
    norm = batchnorm(1)
    np.testing.assert_allclose(norm.forward(column(5, 9)), column(-1, 1), rtol=2e-6)
    np.testing.assert_allclose(norm.backward(column(1, 0)), 0.0, atol=1e-5)


def test_unit_that_is_constant_over_the_batch_gives_beta_and_no_nan() -> None:
    norm = batchnorm(1, beta=0.5)
    assert norm.forward(column(3, 3, 3)).tolist() == [[0.5]] * 3
    assert np.isfinite(norm.backward(column(1, -1, 0))).all()


def test_backward_is_the_gradient_of_forward() -> None:
    rng = np.random.default_rng(4)
    Z, dY = rng.normal(0, 2, (6, 3)), rng.normal(0, 1, (6, 3))
    norm = batchnorm(3, gamma=1.7, beta=-0.4)
    norm.forward(Z)
    dZ = norm.backward(dY.copy()).copy()
    e = 1e-5
    numeric = np.empty_like(Z)
    for place in np.ndindex(Z.shape):
        up, down = Z.copy(), Z.copy()
        up[place] += e
        down[place] -= e
        numeric[place] = ((norm.forward(up) * dY).sum() - (norm.forward(down) * dY).sum()) / (2 * e)
    np.testing.assert_allclose(dZ, numeric, rtol=0, atol=1e-9)


def test_input_is_left_as_it_was() -> None:
    Z = np.random.default_rng(0).normal(0, 1, (5, 2))
    before = Z.copy()
    norm = batchnorm(2)
    norm.forward(Z)
    norm.infer(Z, np.ones((1, 2)), np.ones((1, 2)))
    assert np.array_equal(Z, before)


def test_variance_is_accurate_where_the_mean_dwarfs_it() -> None:
    # In float32, E[z²] - E[z]² of these numbers has not one correct digit.
    Z = np.random.default_rng(6).normal(1e4, 1.0, (256, 8)).astype(np.float32)
    norm = batchnorm(8, np.float32)
    out = norm.forward(Z)
    exact = Z.astype(np.float64)
    np.testing.assert_allclose(norm.batch_var[0], exact.var(axis=0, ddof=1), rtol=1e-4)
    np.testing.assert_allclose(out, (exact - exact.mean(axis=0)) / exact.std(axis=0), atol=0.02)


@pytest.mark.parametrize(("dtype", "constant"), [(np.float32, 1e4), (np.float32, -7.3e6), (np.float64, 1e13)])
@pytest.mark.parametrize("m", [48, 303, 1000])
def test_a_constant_column_is_normalized_to_zero(dtype: type[np.floating], constant: float, m: int) -> None:
    norm = batchnorm(3, dtype)
    Z = np.random.default_rng(2).normal(0, 1, (m, 3)).astype(dtype)
    Z[:, 1] = constant
    out = norm.forward(Z)
    np.testing.assert_allclose(out[:, 1], 0.0, atol=5e-3)
    assert norm.batch_mean[0, 1] == dtype(constant)
    assert norm.batch_var[0, 1] < 1e-9


def test_the_mean_is_that_of_the_numbers_to_the_last_digits() -> None:
    Z = (1e4 + np.random.default_rng(3).normal(0, 1e-2, (256, 4))).astype(np.float32)
    norm = batchnorm(4, np.float32)
    out = norm.forward(Z)
    exact = Z.astype(np.longdouble)
    centered = exact - exact.mean(axis=0)
    np.testing.assert_allclose(norm.batch_mean[0], exact.mean(axis=0).astype(np.float64), rtol=2**-24)
    expected = centered / np.sqrt((centered**2).mean(axis=0) + 1e-5)
    np.testing.assert_allclose(out, expected.astype(np.float64), rtol=1e-5, atol=1e-5)


def test_epsilon_may_be_edited() -> None:
    norm = batchnorm(1)
    norm.epsilon = 0.75
    np.testing.assert_allclose(norm.forward(column(1, 2, 3, 4)), column(-1.5, -0.5, 0.5, 1.5) / np.sqrt(2), rtol=1e-14)


def test_infer_uses_the_given_statistics_whatever_the_batch() -> None:
    Z = column(1, 2, 3, 4)
    norm = batchnorm(1, gamma=2.0, beta=10.0)
    expected = 2 * (Z - 3) / np.sqrt(4 + 1e-5) + 10
    given_mean, given_var = np.array([[3.0]]), np.array([[4.0]])
    np.testing.assert_allclose(norm.infer(Z, given_mean, given_var), expected, rtol=1e-14)
    np.testing.assert_allclose(norm.infer(Z[:1], given_mean, given_var), expected[:1], rtol=1e-14)


# Running statistics -------------------------------------------------------------------------------------------------


def test_before_any_step_the_running_statistics_are_zero_and_one() -> None:
    net, X = network(), inputs(0)
    for mean, var in net.running_statistics():
        assert not mean.any()
        assert (var == 1).all()
    first = next(net.trace(X))
    np.testing.assert_allclose(first.Y, first.Z / np.sqrt(1 + 1e-5), rtol=1e-14)
    assert np.isfinite(net.infer(X)).all()


def test_forward_alone_leaves_the_running_statistics() -> None:
    net = network()
    before = net.infer(inputs(1))
    net.forward(inputs(0), 1)
    assert np.array_equal(net.infer(inputs(1)), before)
    net.track_statistics()
    assert not np.array_equal(net.infer(inputs(1)), before)


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9, 0.999])
def test_after_one_step_they_are_those_of_the_batch_with_the_unbiased_variance(beta: float) -> None:
    net, X = network(), inputs(0)
    net.batchnorm_beta = beta
    net.forward(X, 1)
    net.track_statistics()
    mean, var = net.running_statistics()[0]
    batch_mean, batch_var = first_layer_statistics(net, X)
    np.testing.assert_allclose(mean[0], batch_mean, rtol=1e-12)
    np.testing.assert_allclose(var[0], batch_var, rtol=1e-12)


def test_they_stay_a_weighted_mean_when_beta_is_edited() -> None:
    net = network()
    betas = [0.9] * 4 + [0.99] * 3 + [0.5] * 2
    seen = []
    for step, beta in enumerate(betas, start=1):
        X = inputs(step, m=6 + step % 3)
        net.batchnorm_beta = beta
        net.forward(X, step)
        net.track_statistics()
        seen.append(first_layer_statistics(net, X))
        weights = [(1 - betas[i]) * np.prod(betas[i + 1 : step]) for i in range(step)]
        mean, var = net.running_statistics()[0]
        np.testing.assert_allclose(mean[0], np.average([each[0] for each in seen], axis=0, weights=weights), rtol=1e-11)
        np.testing.assert_allclose(var[0], np.average([each[1] for each in seen], axis=0, weights=weights), rtol=1e-11)


def test_every_layer_has_its_own() -> None:
    net, X = network(), inputs(0)
    net.forward(X, 1)
    net.track_statistics()
    (mean1, var1), (mean2, var2) = net.running_statistics()
    assert (mean1.shape, var1.shape, mean2.shape, var2.shape) == ((1, 5), (1, 5), (1, 4), (1, 4))
    W = net.named(net.parameters)
    Z1 = X @ W["W1"]
    A1 = np.tanh((Z1 - Z1.mean(axis=0)) / np.sqrt(Z1.var(axis=0) + 1e-5))
    Z2 = A1 @ W["W2"]
    np.testing.assert_allclose(mean2[0], Z2.mean(axis=0), rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(var2[0], Z2.var(axis=0, ddof=1), rtol=1e-10)


def test_at_test_time_an_example_does_not_depend_on_its_neighbours() -> None:
    net = network()
    net.forward(inputs(0), 1)
    net.track_statistics()
    X = inputs(1)
    together = net.infer(X)
    alone = np.vstack([net.infer(X[i : i + 1]) for i in range(len(X))])
    np.testing.assert_allclose(alone, together, rtol=1e-12)
