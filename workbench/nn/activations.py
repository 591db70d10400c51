"""Activation functions g and their derivatives: A = g(Z), dZ = dA * g'(Z).

Most derivatives are read off the output A, so that A may overwrite Z; `keeps_input` marks the two that need Z itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from workbench.nn.buffer import Array
from workbench.nn.sums import row

LEAK = 0.01


@dataclass(frozen=True, slots=True)
class Activation:
    """A function of each element and its backward pass.

    Attributes:
        formula: g(z), for people.
        slope: g'(z), for people.
        forward: (Z, out) → A, written to `out`, which may be Z unless `keeps_input`.
        backward: (dA, C) → dZ, written over dA, where C is Z if `keeps_input`, else A.
    """

    name: str
    formula: str
    slope: str
    forward: Callable[[Array, Array], Array]
    backward: Callable[[Array, Array], Array]
    keeps_input: bool = False


@lru_cache(maxsize=64)
def _zeros(shape: tuple[int, ...], dtype: np.dtype[np.floating]) -> Array:
    """Zeros to compare with: NumPy has a vectorized maximum of two arrays, but not of an array and a number.

    Since they are never written, the system backs large ones by one page of memory.
    """
    zeros: Array = np.zeros(shape, dtype)
    zeros.flags.writeable = False
    return zeros


_SIGMOID_IS_ONE = 40.0
"""From here on σ is 1 to the last bit, in float64 too: 1 - σ(40) = 4e-18."""


def _sigmoid(Z: Array, out: Array) -> Array:
    # σ(z) = eᶻ/(1+eᶻ): good to the last digits however small it is, which (1 + tanh(z/2))/2 is not. Beyond 40 e stays e⁴⁰.
    e = np.minimum(Z, row(_SIGMOID_IS_ONE, Z.shape[-1], Z.dtype))
    np.exp(e, out=e)
    np.add(e, 1.0, out=out)
    return np.divide(e, out, out=out)


def _sigmoid_backward(dA: Array, A: Array) -> Array:
    np.multiply(dA, A, out=dA)
    return np.multiply(dA, 1.0 - A, out=dA)


def _tanh(Z: Array, out: Array) -> Array:
    return np.tanh(Z, out=out)


def _tanh_backward(dA: Array, A: Array) -> Array:
    slope = A * A
    np.subtract(1.0, slope, out=slope)
    return np.multiply(dA, slope, out=dA)


def _relu(Z: Array, out: Array) -> Array:
    return np.maximum(Z, _zeros(Z.shape, Z.dtype), out=out)


def _relu_backward(dA: Array, A: Array) -> Array:
    return np.multiply(dA, np.greater(A, 0.0), out=dA)


def _leaky_relu(Z: Array, out: Array) -> Array:
    return np.maximum(Z, LEAK * Z, out=out)


def _leaky_relu_backward(dA: Array, A: Array) -> Array:
    return np.multiply(dA, np.where(A > 0.0, A.dtype.type(1.0), A.dtype.type(LEAK)), out=dA)


def _elu(Z: Array, out: Array) -> Array:
    below = np.expm1(np.minimum(Z, 0.0))
    np.maximum(Z, 0.0, out=out)
    return np.add(out, below, out=out)


def _elu_backward(dA: Array, A: Array) -> Array:
    return np.multiply(dA, np.minimum(A, 0.0) + 1.0, out=dA)


def _silu(Z: Array, out: Array) -> Array:
    _sigmoid(Z, out)
    return np.multiply(out, Z, out=out)


def _silu_backward(dA: Array, Z: Array) -> Array:
    s = _sigmoid(Z, np.empty_like(Z))
    return np.multiply(dA, s * (1.0 + Z * (1.0 - s)), out=dA)


_GELU_A = math.sqrt(2.0 / math.pi)
_GELU_B = 0.044715


_GELU_IS_FLAT = 600.0
"""From here on z² makes no difference: the gate is 1 or 0 to the last bit, in float64 too."""


def _gelu_square(Z: Array) -> Array:
    """z², cut where the slope would be ∞·0."""
    square = Z * Z
    return np.minimum(square, row(_GELU_IS_FLAT, Z.shape[-1], Z.dtype), out=square)


def _gelu_gate(Z: Array, square: Array) -> Array:
    """½(1 + tanh u) as σ(2u), which has its digits where tanh u is next to -1; written over the square."""
    square *= 2.0 * _GELU_A * _GELU_B
    square += 2.0 * _GELU_A
    square *= Z
    return _sigmoid(square, square)


def _gelu(Z: Array, out: Array) -> Array:
    return np.multiply(Z, _gelu_gate(Z, _gelu_square(Z)), out=out)


def _gelu_backward(dA: Array, Z: Array) -> Array:
    square = _gelu_square(Z)
    inner_slope = square * (6.0 * _GELU_A * _GELU_B)
    inner_slope += 2.0 * _GELU_A
    gate = _gelu_gate(Z, square)
    # σ + z·σ·(1 - σ)·2u', in an order in which nothing overflows.
    inner_slope *= 1.0 - gate
    inner_slope *= Z * gate
    inner_slope += gate
    return np.multiply(dA, inner_slope, out=dA)


def _linear(Z: Array, out: Array) -> Array:
    if out is not Z:
        np.copyto(out, Z)
    return out


def _linear_backward(dA: Array, A: Array) -> Array:
    return dA


ACTIVATIONS: Mapping[str, Activation] = {
    each.name: each
    for each in (
        Activation("sigmoid", "1/(1+e⁻ᶻ)", "a(1-a)", _sigmoid, _sigmoid_backward),
        Activation("tanh", "tanh z", "1-a²", _tanh, _tanh_backward),
        # The slope at 0 is taken as 0, as PyTorch and TensorFlow do.
        Activation("relu", "max(0, z)", "1 where z>0, else 0", _relu, _relu_backward),
        Activation("leaky_relu", "max(0.01z, z)", "1 where z>0, else 0.01", _leaky_relu, _leaky_relu_backward),
        Activation("elu", "z where z>0, else eᶻ-1", "1 where z>0, else a+1", _elu, _elu_backward),
        # Elfwing et al. 2017; "swish" of Ramachandran et al. 2017.
        Activation("silu", "z·σ(z)", "σ(z)(1+z(1-σ(z)))", _silu, _silu_backward, keeps_input=True),
        # The tanh form of Hendrycks and Gimpel 2016; PyTorch's default is the exact one, within 5e-4 of it.
        Activation("gelu", "½z(1+tanh(√(2/π)(z+0.044715z³)))", "by the product rule", _gelu, _gelu_backward, keeps_input=True),
        Activation("linear", "z", "1", _linear, _linear_backward),
    )
}
