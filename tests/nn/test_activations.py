from __future__ import annotations

import math
from collections.abc import Callable

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


@pytest.mark.parametrize("name", DEFINITIONS)
def test_nan_is_passed_on(name: str) -> None:
    Z = np.array([[np.nan, 1.0]])
    A = ACTIVATIONS[name].forward(Z, np.empty_like(Z))
    assert np.isnan(A).tolist() == [[True, False]]
