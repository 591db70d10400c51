"""What has a corner, for complex numbers: a derivative by the complex step is f(x + ih).imag/h.

That is f'(x) to the last digits (Squire and Trapp 1998), where f does with a complex number what it does with a real one. What is
analytic does so by itself; where numbers are compared, NumPy goes by the real parts, and only if they are equal by the imaginary
ones. So everything in this package is right as it stands but for a corner itself, where the side must be chosen: here it is the
one of the backward pass. Never part of training.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from workbench.nn.activations import LEAK, Activation
from workbench.nn.buffer import Array


def absolute(W: Array) -> Array:
    """|W| with the slope 1, -1, or 0 at 0, a new array; `np.abs` of a complex number would be its modulus."""
    return np.sign(W.real) * W


def continued(activation: Activation) -> Activation:
    """The same function with a forward pass for complex Z; its backward pass is left as it is."""
    forward = _CORNERED.get(activation.name)
    return activation if forward is None else dataclasses.replace(activation, forward=forward)


def _relu(Z: Array, out: Array) -> Array:
    return np.multiply(Z, Z.real > 0.0, out=out)


def _leaky_relu(Z: Array, out: Array) -> Array:
    return np.multiply(Z, np.where(Z.real > 0.0, 1.0, LEAK), out=out)


_CORNERED: Mapping[str, Callable[[Array, Array], Array]] = {"relu": _relu, "leaky_relu": _leaky_relu}
"""The activations whose slope is not the same on both sides of 0."""
