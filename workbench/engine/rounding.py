"""How much of a gradient is rounding: how far it moves where whatever the layers hand on is off by its last digit.

Most gradients move by 1e-15 of themselves. But some are what is left of larger numbers that cancel, as that of a shift which the
next batch norm takes out again, or of a bias where the two classes weigh the same; or hang on the last digit of an A next to 1;
and the signals of a deep network with large weights double an error in every layer. There nobody can ask for more digits, of
backpropagation or of what it is compared with. Computing again with random last digits is the method of Vignes 1993.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from workbench.engine.objective import Objective
from workbench.hyperparameters import Hyperparameters
from workbench.nn.activations import Activation
from workbench.nn.buffer import Array
from workbench.nn.losses import Loss
from workbench.nn.network import Network
from workbench.randomness import Purpose, generator

_ULP = 2.0**-52
_TIMES = 4
_MARGIN = 8.0
"""Of 14,000 tensors of correct gradients none was off by more than twice the largest of four moves."""


def rounding_of(
    gradients: Array, network: Callable[[], Network], loss: Callable[[], Loss], X: Array, Y: Array, h: Hyperparameters, seed: int
) -> Array:
    """By how much each of `gradients` (P,) may be off, though its formula is right: several times as far as it was seen to move.

    `network` and `loss` make new ones of float64, like those that `gradients` are of.
    """
    shaker = _Shaker(seed)
    shaken = network()
    for layer in shaken.layers:
        layer.activation = _shaken(layer.activation, shaker)
    moves = np.zeros_like(gradients)
    for _ in range(_TIMES):
        again = Objective(shaken, _ShakenLoss(loss(), shaker), shaker.relative(X), Y, h).gradients()
        np.fmax(moves, np.abs(again - gradients), out=moves)
    return moves * _MARGIN


class _Shaker:
    """Adds errors in the last digit, of one or two."""

    def __init__(self, seed: int) -> None:
        self._random = generator(seed, Purpose.GRADIENT_CHECK)

    def relative(self, A: Array) -> Array:
        """A, each element off by an ulp or two of its own."""
        return self.absolute(A, np.abs(A))

    def absolute(self, A: Array, size: Array) -> Array:
        """A, off by an ulp or two of `size`: of the numbers of which it is the difference."""
        # Never by nothing: 1 - A² must not stay 0 where A is 1.
        return A + size * self._random.uniform(_ULP, 2.0 * _ULP, A.shape) * self._random.choice((-1.0, 1.0), A.shape)


def _shaken(activation: Activation, shaker: _Shaker) -> Activation:
    def forward(Z: Array, out: Array) -> Array:
        A = activation.forward(Z, out)
        A[...] = shaker.relative(A)
        return A

    def backward(dA: Array, kept: Array) -> Array:
        dA[...] = shaker.relative(dA)
        return activation.backward(dA, kept)

    return dataclasses.replace(activation, forward=forward, backward=backward)


class _ShakenLoss:
    """A loss whose logits are off, and whose gradient is off by an ulp of the prediction and the target of which it is made."""

    def __init__(self, loss: Loss, shaker: _Shaker) -> None:
        self._loss, self._shaker = loss, shaker
        self._size: Array = np.empty((0, 0))

    def forward(self, Z: Array, Y: Array, smoothing: float) -> complex:
        self._size = (np.abs(self._loss.predict(Z)) + np.abs(Y)) / len(Y)
        return self._loss.forward(self._shaker.relative(Z), Y, smoothing)

    def backward(self) -> Array:
        return self._shaker.absolute(self._loss.backward(), self._size)
