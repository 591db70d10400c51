"""J of a network on fixed examples, as training computes it, and its gradients. Changes nothing but the network's caches."""

from __future__ import annotations

from functools import partial
from typing import Protocol

import numpy as np

from workbench.hyperparameters import Hyperparameters
from workbench.nn.buffer import Array
from workbench.nn.continuation import absolute
from workbench.nn.network import Network
from workbench.optim.penalties import add_penalty_gradients, penalty

STEP = 1
"""Of which the masks of dropout are: at each call the same."""


class Cost(Protocol):
    """What is needed of a loss."""

    def forward(self, Z: Array, Y: Array, smoothing: float) -> complex:
        """The cost of logits (m, k)."""

    def backward(self) -> Array:
        """Its gradient (m, k), of the last `forward`."""


class Objective:
    """J = cost + penalties, a function of the network's parameters alone. The network may be of complex numbers."""

    def __init__(self, network: Network, loss: Cost, X: Array, Y: Array, h: Hyperparameters) -> None:
        self.network, self._loss, self._X, self._Y, self._h = network, loss, X, Y, h
        of_complex = network.dtype.kind == "c"
        self._penalty = partial(penalty, absolute=absolute, number=complex) if of_complex else penalty

    def __call__(self) -> complex:
        """J now; a float unless the network is of complex numbers."""
        h, logits = self._h, self.network.forward(self._X, STEP)
        cost = self._loss.forward(logits, self._Y, h.label_smoothing)
        return cost + self._penalty(self.network.weights, h.l2, h.l1)

    def gradients(self) -> Array:
        """What backpropagation makes of J now, flat (P,); a copy."""
        self()
        network, h = self.network, self._h
        network.backward(self._loss.backward())
        add_penalty_gradients(network.weight_gradients, network.weights, h.l2, h.l1, np.empty_like(network.weights))
        return network.gradients.copy()
