from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest

from workbench.hyperparameters import TABLE, Hyperparameters
from workbench.optim.optimizers import OPTIMIZERS, Optimizer

CURVATURE = np.array([1.0, 10.0, 0.1])
START = np.array([1.0, -2.0, 3.0])

MEANINGS = {
    "gradient_descent": {},
    "momentum": {"m": "average gradient"},
    "nesterov": {"m": "average gradient"},
    "rmsprop": {"s": "average square"},
    "adam": {"m": "average gradient", "s": "average square"},
    "adamw": {"m": "average gradient", "s": "average square"},
    "adagrad": {"s": "sum of squares"},
}


def made(name: str, parameters: np.ndarray, decayed: int | None = None) -> Optimizer:
    return OPTIMIZERS[name](parameters, decayed)


def descended(name: str, steps: int, alpha: float, **settings: Any) -> np.ndarray:
    """f(p) = ½ Σ aᵢ pᵢ² from the start, so many steps on."""
    p = START.copy()
    rule, h = made(name, p), Hyperparameters(**settings)
    for _ in range(steps):
        rule.update(CURVATURE * p, alpha, h)
    return p


def one_step(name: str, gradient: float, alpha: float = 1.0, **settings: Any) -> float:
    """How far the first step goes from 0 against the gradient."""
    p = np.zeros(1)
    made(name, p).update(np.array([gradient]), alpha, Hyperparameters(**settings))
    return -p.item()


def gradients(steps: int, n: int = 4) -> np.ndarray:
    return np.random.default_rng(8).normal(0.5, 2.0, (steps, n))


# Values ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "settings", "steps", "expected"),
    [
        ("gradient_descent", {}, 1, [0.9, 0, 2.97]),
        ("gradient_descent", {}, 5, [0.59049, 0, 2.8529701497]),
        ("rmsprop", {"beta2": 0.99}, 1, [9.9999990000001e-8, -1.000000005, 2.0000003333332224]),
        ("rmsprop", {"beta2": 0.99}, 5, [1.5693541827213037e-15, -0.09831009762342545, 0.602513663618577]),
        ("adam", {}, 1, [0.900000001, -1.90000000005, 2.900000003333333]),
        ("adam", {}, 5, [0.5079636619272194, -1.5029557802566316, 2.5017794724789906]),
        ("adamw", {"weight_decay": 0.1}, 1, [0.890000001, -1.88000000005, 2.8700000033333333]),
        ("adamw", {"weight_decay": 0.1}, 5, [0.4699526596188055, -1.4155664789194442, 2.3652785893106127]),
    ],
)
def test_reference_values(name: str, settings: dict[str, float], steps: int, expected: list[float]) -> None:
    np.testing.assert_allclose(descended(name, steps, 0.1, **settings), expected, rtol=0, atol=1e-12)


def test_defaults_are_those_of_the_course() -> None:
    h = Hyperparameters()
    assert (h.beta1, h.beta2, h.epsilon) == (0.9, 0.999, 1e-8)


def test_there_is_one_for_every_choice_of_the_hyperparameter() -> None:
    assert set(OPTIMIZERS) == set(TABLE["optimizer"].choices) == set(MEANINGS)


def test_thousand_steps_of_gradient_descent_find_the_minimum_of_the_parabola() -> None:
    w = np.zeros(1)
    rule, h = made("gradient_descent", w), Hyperparameters()
    for _ in range(1000):
        rule.update(2 * w - 10, 0.01, h)
    assert f"{w.item():.3f}" == "5.000"


def test_momentum_is_the_heavy_ball_with_alpha_times_one_minus_beta() -> None:
    p, v, q = START.copy(), np.zeros(3), START.copy()
    rule, h = made("momentum", p), Hyperparameters(beta1=0.8)
    for _ in range(30):
        rule.update(CURVATURE * p, 0.1, h)
        v = 0.8 * v + CURVATURE * q
        q = q - 0.1 * (1 - 0.8) * v
        np.testing.assert_allclose(p, q, rtol=1e-12, atol=1e-13)


def test_nesterov_is_the_update_of_pytorch_with_alpha_times_one_minus_beta() -> None:
    p, buffer, q = START.copy(), np.zeros(3), START.copy()
    rule, h = made("nesterov", p), Hyperparameters(beta1=0.8)
    for _ in range(30):
        rule.update(CURVATURE * p, 0.1, h)
        g = CURVATURE * q
        buffer = 0.8 * buffer + g
        q = q - 0.1 * (1 - 0.8) * (g + 0.8 * buffer)
        np.testing.assert_allclose(p, q, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", ["momentum", "nesterov"])
def test_momentum_without_memory_is_gradient_descent(name: str) -> None:
    np.testing.assert_allclose(descended(name, 5, 0.1, beta1=0.0), descended("gradient_descent", 5, 0.1), rtol=1e-14, atol=1e-15)


def test_momentum_has_no_bias_correction() -> None:
    assert one_step("momentum", 1.0, beta1=0.9) == pytest.approx(0.1, rel=1e-14)
    assert one_step("nesterov", 1.0, beta1=0.9) == pytest.approx(0.9 * 0.1 + 0.1, rel=1e-14)


def test_adagrad_worked_by_hand() -> None:
    p = np.array([1.0, 1.0])
    rule, h = made("adagrad", p), Hyperparameters(epsilon=1e-8)
    rule.update(np.array([3.0, -0.5]), 0.1, h)  # s = 9, 0.25: a step of α each
    np.testing.assert_allclose(p, [0.9, 1.1], rtol=0, atol=1e-8)
    rule.update(np.array([4.0, 0.0]), 0.1, h)  # s = 25, 0.25: a step of α·4/5
    np.testing.assert_allclose(p, [0.9 - 0.08, 1.1], rtol=0, atol=1e-8)
    rule.update(np.array([12.0, 1.2]), 0.1, h)  # s = 169, 1.69: α·12/13 and α·1.2/1.3
    np.testing.assert_allclose(p, [0.82 - 1.2 / 13, 1.1 - 1.2 / 13], rtol=0, atol=1e-8)


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_tiny_first_gradient_shows_that_epsilon_comes_after_the_correction(name: str) -> None:
    assert one_step(name, 1e-12, weight_decay=0.0) == pytest.approx(1e-12 / (1e-12 + 1e-8), rel=1e-9)
    assert f"{one_step(name, 1e-12, weight_decay=0.0):.3e}" == "9.999e-05"


def test_rmsprop_of_a_tiny_first_gradient_adds_epsilon_outside_the_root() -> None:
    assert one_step("rmsprop", 1e-12, beta2=0.99) == pytest.approx(1e-12 / (0.1 * 1e-12 + 1e-8), rel=1e-12)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_zero_gradients_from_the_start_move_nothing(name: str) -> None:
    p = START.copy()
    rule, h = made(name, p), Hyperparameters(weight_decay=0.0)
    for _ in range(3):
        rule.update(np.zeros(3), 0.1, h)
    assert np.array_equal(p, START)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_update_is_in_place_and_leaves_the_gradients(name: str, dtype: type[np.floating]) -> None:
    flat = np.arange(8, dtype=dtype)
    p, g = flat[2:6], np.array([1, -2, 0, 0.5], dtype)
    kept = g.copy()
    rule = made(name, p)
    for _ in range(3):
        rule.update(g, 0.1, Hyperparameters())
    assert np.array_equal(g, kept)
    assert rule.parameters is p
    assert flat[[0, 1, 6, 7]].tolist() == [0, 1, 6, 7]
    assert not np.array_equal(flat[2:6], np.arange(2, 6))
    assert all(average.value.dtype == dtype for average in rule.moments.values())


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_descends(name: str) -> None:
    end = descended(name, 200, 0.05)
    assert (CURVATURE * end**2).sum() < 0.5 * (CURVATURE * START**2).sum()


# Weight decay ------------------------------------------------------------------------------------------------------


def test_adamw_decays_only_the_weights() -> None:
    p = np.full(5, 2.0)
    made("adamw", p, decayed=3).update(np.zeros(5), 0.1, Hyperparameters(weight_decay=0.5))
    np.testing.assert_allclose(p, [1.9, 1.9, 1.9, 2.0, 2.0], rtol=1e-15)


def test_decay_stays_outside_of_the_moments() -> None:
    p, q = START.copy(), START.copy()
    decaying, plain = made("adamw", p, decayed=2), made("adam", q)
    for g in gradients(6, 3):
        decaying.update(g, 0.1, Hyperparameters(weight_decay=0.3))
        plain.update(g, 0.1, Hyperparameters(weight_decay=0.3))
    for name, average in plain.moments.items():
        assert np.array_equal(decaying.moments[name].value, average.value)
    assert p[2] == q[2]
    assert (p[:2] != q[:2]).all()


def test_only_adamw_reads_weight_decay() -> None:
    for name in OPTIMIZERS:
        same = np.array_equal(descended(name, 3, 0.1, weight_decay=0.3), descended(name, 3, 0.1, weight_decay=0.0))
        assert same == (name != "adamw")


# Edits -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_what_it_says_it_uses_is_what_changes_the_outcome(name: str) -> None:
    edits = {"beta1": 0.5, "beta2": 0.9, "epsilon": 0.1, "weight_decay": 0.5, "l2": 0.5, "l1": 0.5, "clip_norm": 0.1}
    usual = descended(name, 4, 0.05)
    changed = {key for key, value in edits.items() if not np.array_equal(descended(name, 4, 0.05, **{key: value}), usual)}
    assert changed == OPTIMIZERS[name].uses


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_edited_rate_bites_at_the_next_update_in_full(name: str) -> None:
    steps = []
    for last_alpha in (0.1, 0.2):
        p = START.copy()
        rule, h = made(name, p), Hyperparameters(weight_decay=0.0)
        for _ in range(3):
            rule.update(CURVATURE, 0.1, h)
        before = p.copy()
        rule.update(CURVATURE, last_alpha, h)
        steps.append(p - before)
    np.testing.assert_allclose(steps[1], 2 * steps[0], rtol=1e-10)


def test_adam_after_edits_divides_by_the_product_of_the_betas_in_force() -> None:
    values = [(0.9, 0.999, 1e-8), (0.99, 0.9, 1e-3), (0.5, 0.99, 1e-8)]
    settings = [Hyperparameters(beta1=beta1, beta2=beta2, epsilon=epsilon) for beta1, beta2, epsilon in values]
    p, q = np.zeros(4), np.zeros(4)
    m, s, product1, product2 = np.zeros(4), np.zeros(4), 1.0, 1.0
    rule = made("adam", p)
    for step, g in enumerate(gradients(15)):
        h = settings[step // 5]
        rule.update(g, 0.1, h)
        m, s = h.beta1 * m + (1 - h.beta1) * g, h.beta2 * s + (1 - h.beta2) * g * g
        product1, product2 = product1 * h.beta1, product2 * h.beta2
        q = q - 0.1 * (m / (1 - product1)) / (np.sqrt(s / (1 - product2)) + h.epsilon)
        np.testing.assert_allclose(p, q, rtol=1e-12, atol=1e-14)


def test_adam_on_a_constant_gradient_goes_alpha_a_step_whatever_is_edited() -> None:
    p = np.zeros(1)
    rule = made("adam", p)
    for step in range(1, 41):
        h = Hyperparameters(beta1=0.9 if step <= 10 else 0.99, beta2=0.999 if step <= 20 else 0.9)
        rule.update(np.array([3.0]), 0.1, h)
        assert p.item() == pytest.approx(-0.1 * step, rel=1e-7)


# Swaps -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("old_name", OPTIMIZERS)
@pytest.mark.parametrize("new_name", OPTIMIZERS)
def test_moments_of_the_same_meaning_are_carried_over_and_the_rest_start_at_zero(old_name: str, new_name: str) -> None:
    p = START.copy()
    old = made(old_name, p)
    for g in gradients(4, 3):
        old.update(g, 0.01, Hyperparameters())
    new = made(new_name, p)
    new.carry(old)
    assert set(new.moments) == set(MEANINGS[new_name])
    # m/√s is bounded only where s has seen every gradient that m has.
    alone = "s" in MEANINGS[new_name] and MEANINGS[old_name].get("s") != MEANINGS[new_name]["s"]
    for moment, meaning in MEANINGS[new_name].items():
        average = new.moments[moment]
        if MEANINGS[old_name].get(moment) == meaning and not alone:
            assert average.value.any()
            assert np.array_equal(average.value, old.moments[moment].value)
            assert average.product == old.moments[moment].product
        else:
            assert not average.value.any()
            assert average.product == 1.0


def test_carried_moments_are_copies() -> None:
    p = START.copy()
    old, h = made("adam", p), Hyperparameters()
    old.update(np.ones(3), 0.01, h)
    kept = old.moments["m"].value.copy()
    new = made("adamw", p)
    new.carry(old)
    new.update(np.full(3, 9.0), 0.01, h)
    assert np.array_equal(old.moments["m"].value, kept)


def test_swap_within_the_adam_family_is_seamless() -> None:
    h = Hyperparameters(weight_decay=0.0)
    straight, swapped = START.copy(), START.copy()
    first, second = made("adam", straight), made("adam", swapped)
    for step, g in enumerate(gradients(10, 3)):
        if step == 5:
            old, second = second, made("adamw", swapped)
            second.carry(old)
        first.update(g, 0.1, h)
        second.update(g, 0.1, h)
    assert np.array_equal(straight, swapped)


@pytest.mark.parametrize("name", ["momentum", "nesterov", "rmsprop"])
def test_adam_after_a_swap_corrects_each_moment_by_its_own_age(name: str) -> None:
    p, h = np.zeros(2), Hyperparameters()
    old = made(name, p)
    for _ in range(7):
        old.update(np.array([2.0, -5.0]), 0.01, h)
    adam = made("adam", p)
    adam.carry(old)
    before = p.copy()
    adam.update(np.array([2.0, -5.0]), 0.1, dataclasses.replace(h))
    # A constant gradient: both corrected moments are exact, so the step is α whichever of them is the older.
    np.testing.assert_allclose(p - before, [-0.1, 0.1], rtol=1e-7)


def test_products_shrink_with_every_update() -> None:
    p = START.copy()
    rule = made("adam", p)
    for step in range(1, 4):
        rule.update(np.ones(3), 0.01, Hyperparameters(beta1=0.8, beta2=0.9))
        assert math.isclose(rule.moments["m"].product, 0.8**step)
        assert math.isclose(rule.moments["s"].product, 0.9**step)
