"""Functions of complex numbers, from which the complex step reads a slope: of the same function, on the same side of a corner."""

from __future__ import annotations

import numpy as np
import pytest

from workbench.nn.activations import ACTIVATIONS
from workbench.nn.continuation import absolute, continued

H = 1e-60
Z = np.array([[-50.0, -30.0, -5.0, -1.5, -0.3, -1e-9, -0.0], [0.0, 1e-9, 0.2, 0.7, 1.0, 6.0, 30.0]])


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_of_real_numbers_it_is_the_function_itself(name: str) -> None:
    activation = ACTIVATIONS[name]
    A = continued(activation).forward(Z.astype(np.complex128), np.empty(Z.shape, np.complex128))
    assert not A.imag.any()
    np.testing.assert_allclose(A.real, activation.forward(Z, np.empty_like(Z)), rtol=1e-14)


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("side", [H, -H])
def test_its_slope_is_that_of_the_backward_pass_in_a_corner_too(name: str, side: float) -> None:
    activation = ACTIVATIONS[name]
    A = activation.forward(Z, np.empty_like(Z))
    slope = activation.backward(np.ones_like(Z), Z if activation.keeps_input else A)
    by_step = continued(activation).forward(Z + 1j * side, np.empty(Z.shape, np.complex128)).imag / side
    np.testing.assert_allclose(by_step, slope, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_output_may_be_the_input_where_training_lets_it(name: str) -> None:
    activation = continued(ACTIVATIONS[name])
    if not activation.keeps_input:
        given = Z + 1j * H
        expected = activation.forward(given, np.empty_like(given))
        assert np.array_equal(activation.forward(given, given), expected)


@pytest.mark.parametrize("side", [H, -H])
def test_the_magnitude_of_a_weight_has_the_sign_for_a_slope_and_none_at_zero(side: float) -> None:
    W = np.array([-2.0, -1e-9, 0.0, 0.5])
    assert absolute(W).tolist() == np.abs(W).tolist()
    assert (absolute(W + 1j * side).imag / side).round(12).tolist() == [-1, -1, 0, 1]
