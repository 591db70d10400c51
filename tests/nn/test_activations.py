from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal, localcontext

import numpy as np
import pytest

from workbench.hyperparameters import TABLE
from workbench.nn.activations import ACTIVATIONS, Activation

Z_VALUES = np.array([[-30.0, -5.0, -1.5, -1.0, -0.3, 0.2], [0.3, 0.7, 1.0, 2.5, 6.0, 30.0]])


def logistic(z: float) -> float:
    return 1 / (1 + math.exp(-z)) if z > 0 else math.exp(z) / (1 + math.exp(z))


def gelu(z: float) -> float:
    return 0.5 * z * (1 + math.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3)))


DEFINITIONS: dict[str, Callable[[float], float]] = {
    "sigmoid": logistic,
    "tanh": math.tanh,
    "relu": lambda z: max(0.0, z),
    "leaky_relu": lambda z: z if z > 0 else 0.01 * z,
    "elu": lambda z: z if z > 0 else math.expm1(z),
    "silu": lambda z: z * logistic(z),
    "gelu": gelu,
    "linear": lambda z: z,
}


def slopes(activation: Activation, Z: np.ndarray) -> np.ndarray:
    """g'(Z) as the backward pass gives it."""
    A = activation.forward(Z, np.empty_like(Z))
    return activation.backward(np.ones_like(Z), Z if activation.keeps_input else A)


def test_there_is_one_for_every_choice_of_the_hyperparameter() -> None:
    assert set(ACTIVATIONS) == set(TABLE["activation"].choices) == set(DEFINITIONS)


@pytest.mark.parametrize("name", DEFINITIONS)
def test_values_are_those_of_the_definition(name: str) -> None:
    A = ACTIVATIONS[name].forward(Z_VALUES, np.empty_like(Z_VALUES))
    np.testing.assert_allclose(A, [[DEFINITIONS[name](z) for z in row] for row in Z_VALUES], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", DEFINITIONS)
def test_slopes_are_those_of_the_definition(name: str) -> None:
    g, e = DEFINITIONS[name], 1e-5
    numeric = [[(g(z + e) - g(z - e)) / (2 * e) for z in row] for row in Z_VALUES]
    np.testing.assert_allclose(slopes(ACTIVATIONS[name], Z_VALUES), numeric, rtol=1e-7, atol=1e-9)


def test_slopes_read_off_the_output_are_those_of_the_course() -> None:
    Z = np.array([[-2.0, -0.5, 0.5, 2.0]])
    a = 1 / (1 + np.exp(-Z))
    np.testing.assert_allclose(slopes(ACTIVATIONS["sigmoid"], Z), a * (1 - a), rtol=1e-14)
    np.testing.assert_allclose(slopes(ACTIVATIONS["tanh"], Z), 1 - np.tanh(Z) ** 2, rtol=1e-14)
    assert slopes(ACTIVATIONS["relu"], Z).tolist() == [[0, 0, 1, 1]]
    assert slopes(ACTIVATIONS["leaky_relu"], Z).tolist() == [[0.01, 0.01, 1, 1]]


def test_at_zero_relu_is_flat() -> None:
    assert slopes(ACTIVATIONS["relu"], np.zeros((1, 1))).item() == 0


@pytest.mark.parametrize("name", DEFINITIONS)
def test_output_may_overwrite_the_input_unless_it_is_needed_again(name: str) -> None:
    activation = ACTIVATIONS[name]
    if activation.keeps_input:
        Z = Z_VALUES.copy()
        activation.forward(Z, np.empty_like(Z))
        assert np.array_equal(Z, Z_VALUES)
    else:
        Z = Z_VALUES.copy()
        A = activation.forward(Z, Z)
        assert np.shares_memory(A, Z)
        assert np.array_equal(A, activation.forward(Z_VALUES, np.empty_like(Z_VALUES)))


@pytest.mark.parametrize("name", DEFINITIONS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_large_inputs_neither_overflow_nor_lose_their_type(name: str, dtype: type[np.floating]) -> None:
    Z = np.array([[-1e6, -1e3, 0.0, 1e3, 1e6]], dtype)
    with np.errstate(all="raise", under="ignore"):
        A = ACTIVATIONS[name].forward(Z, np.empty_like(Z))
        slope = slopes(ACTIVATIONS[name], Z)
    assert A.dtype == slope.dtype == dtype
    assert np.isfinite(A).all()
    assert np.isfinite(slope).all()
    assert ((slope >= 0) & (slope <= 1)).all()


def logistic_to_60_digits(z: float) -> Decimal:
    with localcontext(prec=60):
        e = Decimal(z).exp()
        return e / (1 + e)


def silu_slope_to_60_digits(z: float) -> Decimal:
    with localcontext(prec=60):
        s = logistic_to_60_digits(z)
        return s * (1 + Decimal(z) * (1 - s))


@pytest.mark.parametrize(("dtype", "lowest"), [(np.float32, -87.0), (np.float64, -700.0)])
def test_sigmoid_and_silu_keep_their_digits_however_small_they_are(dtype: type[np.floating], lowest: float) -> None:
    # Not whole numbers, and as the type has them: of z = -80 an ulp more or less is 40 of eᶻ.
    Z = np.concatenate([np.linspace(lowest, -10.0, 301), np.linspace(-10.0, 60.0, 301)]).astype(dtype)[None, :]
    numbers = [float(z) for z in Z[0]]
    four_ulps = 4 * float(np.finfo(dtype).eps)
    with np.errstate(all="raise", under="ignore"):
        sigmoid = ACTIVATIONS["sigmoid"].forward(Z, np.empty_like(Z))[0]
        silu = ACTIVATIONS["silu"].forward(Z, np.empty_like(Z))[0]
        slope = slopes(ACTIVATIONS["silu"], Z)[0]
        sigmoid_slope = slopes(ACTIVATIONS["sigmoid"], Z)[0]
    s = [logistic_to_60_digits(z) for z in numbers]
    np.testing.assert_allclose(sigmoid, [float(each) for each in s], rtol=four_ulps)
    np.testing.assert_allclose(silu, [z * float(each) for z, each in zip(numbers, s, strict=True)], rtol=four_ulps)
    # Near its zero at z = -1.28 the slope is a difference of two numbers near 1/4.
    away = np.abs(Z[0] + 1.28) > 0.1
    expected = np.array([float(silu_slope_to_60_digits(z)) for z in numbers])
    np.testing.assert_allclose(slope[away], expected[away], rtol=4 * four_ulps)
    below = Z[0] < 0
    np.testing.assert_allclose(sigmoid_slope[below], [float(a * (1 - a)) for a in s][: below.sum()], rtol=2 * four_ulps)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sigmoid_is_one_where_the_type_has_nothing_closer(dtype: type[np.floating]) -> None:
    Z = np.array([[39.9, 40.0, 40.1, 88.0, 1e30, np.inf]], dtype)
    assert (ACTIVATIONS["sigmoid"].forward(Z, np.empty_like(Z)) == 1).all()
    assert ACTIVATIONS["sigmoid"].forward(-Z[:, -2:], np.empty((1, 2), dtype)).tolist() == [[0, 0]]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gelu_has_the_slope_of_a_line_far_out(dtype: type[np.floating]) -> None:
    largest = float(np.finfo(dtype).max)
    Z = np.array([[-largest, -1e30, -1e19, -25.0, 25.0, 1e19, 1e30, largest]], dtype)
    with np.errstate(all="raise", under="ignore", over="ignore"):  # z² may be infinite
        assert slopes_of_gelu(Z).tolist() == [[0] * 4 + [1] * 4]
        assert ACTIVATIONS["gelu"].forward(Z, np.empty_like(Z)).tolist() == [[0] * 4 + Z[0, 4:].tolist()]


@pytest.mark.parametrize(("dtype", "lowest"), [(np.float32, -9.8), (np.float64, -21.0)])
def test_gelu_keeps_its_digits_however_small_they_are(dtype: type[np.floating], lowest: float) -> None:
    Z = np.concatenate([np.linspace(lowest, -2.0, 301), np.linspace(-2.0, 24.0, 301)]).astype(dtype)[None, :]
    values, expected_slopes = [], []
    with localcontext(prec=60):
        a, b = (2 / Decimal("3.14159265358979323846264338327950288419716939937510582097494459")).sqrt(), Decimal("0.044715")
        for z in (Decimal(float(each)) for each in Z[0]):
            e = (2 * a * (z + b * z**3)).exp()
            s = e / (1 + e)
            values.append(float(z * s))
            expected_slopes.append(float(s + z * s * (1 - s) * 2 * a * (1 + 3 * b * z * z)))
    # An ulp in the exponent is as many of its power as the exponent is large: up to 40 in float32, 700 in float64.
    ulps = 2 * abs(lowest) ** 3 * 0.08 * float(np.finfo(dtype).eps)
    np.testing.assert_allclose(ACTIVATIONS["gelu"].forward(Z, np.empty_like(Z))[0], values, rtol=ulps)
    away = np.abs(Z[0] + 0.75) > 0.1  # from the zero of the slope
    np.testing.assert_allclose(slopes_of_gelu(Z)[0][away], np.array(expected_slopes)[away], rtol=ulps)


def slopes_of_gelu(Z: np.ndarray) -> np.ndarray:
    return ACTIVATIONS["gelu"].backward(np.ones_like(Z), Z)


@pytest.mark.parametrize("name", DEFINITIONS)
def test_nan_is_passed_on(name: str) -> None:
    Z = np.array([[np.nan, 1.0]])
    A = ACTIVATIONS[name].forward(Z, np.empty_like(Z))
    assert np.isnan(A).tolist() == [[True, False]]
