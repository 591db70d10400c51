"""Slopes of J that owe nothing to backpropagation: the complex step, and the difference quotient of the course."""

from __future__ import annotations

from workbench.engine.objective import Objective
from workbench.nn.buffer import Array

_STEP = 1e-60
"""Its square vanishes beside 1, also where a layer magnifies it by 1e50; and a slope of 1e-240 times it is no denormal number."""
_WIDTH = 1e-7
"""Half the width of a difference, the course's ε. Rounding is then some 1e-9·|J| of each quotient."""


class ComplexStep:
    """J(θ + ih·v).imag/h = v·∇J (Squire and Trapp 1998): no difference is taken, so h may be so small that only rounding is left.

    Args:
        objective: J of a network of complex numbers.
        size: about how large its slopes are; above 1 the step is as much smaller, but never so small that it is denormal.
    """

    def __init__(self, objective: Objective, size: float = 1.0) -> None:
        self._objective = objective
        self._h = _STEP / min(max(1.0, size), 1e200)

    def along_element(self, place: int) -> float:
        """∂J/∂θ of one parameter, by its place in the flat buffer."""
        parameters = self._objective.network.parameters
        kept = parameters[place]
        parameters[place] = kept + 1j * self._h
        slope = self._objective().imag / self._h
        parameters[place] = kept
        return slope

    def along(self, direction: Array) -> float:
        """v·∇J for a direction v (P,)."""
        parameters = self._objective.network.parameters
        kept = parameters.copy()
        parameters += 1j * self._h * direction
        slope = self._objective().imag / self._h
        parameters[...] = kept
        return slope


def difference_quotient(objective: Objective, place: int) -> float:
    """(J(θ + ε) - J(θ - ε)) / 2ε of one parameter."""
    parameters = objective.network.parameters
    kept = parameters[place]
    parameters[place] = kept + _WIDTH
    above = objective().real
    parameters[place] = kept - _WIDTH
    below = objective().real
    parameters[place] = kept
    return (above - below) / (2.0 * _WIDTH)
