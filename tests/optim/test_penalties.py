from __future__ import annotations

import math

import numpy as np
import pytest

from workbench.hyperparameters import Architecture
from workbench.nn.network import Network
from workbench.optim.penalties import add_penalty_gradients, clip, norm, penalty

WEIGHTS = np.array([1.0, -2.0, 0.0, 0.5])


def test_l2_is_half_lambda_times_the_squared_norm() -> None:
    assert penalty(WEIGHTS, 0.2, 0.0) == pytest.approx(0.5 * 0.2 * 5.25, rel=1e-15)


def test_l1_is_lambda_times_the_sum_of_magnitudes() -> None:
    assert penalty(WEIGHTS, 0.0, 0.2) == pytest.approx(0.2 * 3.5, rel=1e-15)


def test_both_add_up_and_none_is_nothing() -> None:
    assert penalty(WEIGHTS, 0.2, 0.3) == pytest.approx(0.525 + 1.05, rel=1e-15)
    assert penalty(WEIGHTS, 0.0, 0.0) == 0.0


@pytest.mark.parametrize(("l2", "l1"), [(0.3, 0.0), (0.0, 0.07), (0.3, 0.07)])
def test_gradient_is_that_of_the_penalty_on_top_of_what_is_there(l2: float, l1: float) -> None:
    rng = np.random.default_rng(0)
    weights, present = rng.normal(0, 1, 12), rng.normal(0, 1, 12)
    gradients = present.copy()
    add_penalty_gradients(gradients, weights, l2, l1, np.empty(12))
    e = 1e-6
    numeric = [(penalty(weights + e * unit, l2, l1) - penalty(weights - e * unit, l2, l1)) / (2 * e) for unit in np.eye(12)]
    np.testing.assert_allclose(gradients - present, numeric, rtol=1e-8, atol=1e-9)


def test_weight_at_zero_is_left_there_by_l1() -> None:
    gradients = np.zeros(4)
    add_penalty_gradients(gradients, WEIGHTS, 0.0, 0.2, np.empty(4))
    assert gradients.tolist() == [0.2, -0.2, 0.0, 0.2]


def test_without_penalty_the_gradients_keep_every_bit_and_the_weights_too() -> None:
    gradients, weights = np.array([0.1, -0.0, 3.0, 1e-300]), WEIGHTS.copy()
    before = gradients.tobytes()
    add_penalty_gradients(gradients, weights, 0.0, 0.0, np.empty(4))
    assert gradients.tobytes() == before
    add_penalty_gradients(gradients, weights, 0.5, 0.5, np.empty(4))
    assert np.array_equal(weights, WEIGHTS)


def test_biases_gamma_and_beta_are_left_out() -> None:
    net = Network(3, 2, Architecture(hidden=(4,), batch_norm=True), 1, np.float64)
    cost = penalty(net.weights, 0.1, 0.1)
    for name, view in net.named(net.parameters).items():
        if not name.startswith("W"):
            view += 100
    assert penalty(net.weights, 0.1, 0.1) == cost
    add_penalty_gradients(net.weight_gradients, net.weights, 0.1, 0.1, np.empty_like(net.weights))
    for name, view in net.named(net.gradients).items():
        assert view.any() == name.startswith("W")


def test_norm_is_over_all_elements_together() -> None:
    assert norm(np.array([3.0, 0.0, -4.0])) == 5.0
    assert norm(np.zeros(3)) == 0.0


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_norm_is_not_finite_if_an_element_is_not(bad: float) -> None:
    assert not math.isfinite(norm(np.array([1.0, bad, 2.0])))


def test_clip_shortens_to_the_limit_and_keeps_the_direction() -> None:
    gradients = np.array([3.0, 0.0, -4.0])
    clip(gradients, norm(gradients), 1.0)
    np.testing.assert_allclose(gradients, [0.6, 0.0, -0.8], rtol=1e-15)


@pytest.mark.parametrize("limit", [0.0, 5.0, 6.0])
def test_clip_leaves_shorter_gradients_and_zero_is_off(limit: float) -> None:
    gradients = np.array([3.0, 0.0, -4.0])
    clip(gradients, norm(gradients), limit)
    assert gradients.tolist() == [3.0, 0.0, -4.0]
