"""Optimizers over flat parameter arrays, in place, and allocation-free.

Hyperparameters are read at every update, so an edit applies at the next one. Moments are `Ewma`s: the bias correction
divides by 1 - Πβ with the product of the β's that were in force. In Adam, AdamW and RMSprop ε is added outside the
root, after the correction.

When the optimizer is swapped, moments of the same meaning are carried over with their products (`m`, the average
gradient: momentum, Nesterov, Adam, AdamW; `s`, the average squared gradient: RMSprop, Adam, AdamW); the rest start at zero.
One exception: momentum's `m` is not carried over to Adam without an `s`. The ratio m̂/√ŝ is bounded only where s has seen
every gradient that m has; else the first steps are thousands of times too long wherever the present gradient is small.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from workbench.hyperparameters import Hyperparameters
from workbench.nn.buffer import Array
from workbench.nn.ewma import Ewma


class Optimizer(ABC):
    """An update rule with its moments.

    Attributes:
        name: what the hyperparameter `optimizer` calls it.
        formula: the update, for people.
        uses: the hyperparameters it reads besides the learning rate.
        moments: the averages it keeps, by name (`m`, `s`).
    """

    name: ClassVar[str]
    formula: ClassVar[str]
    uses: ClassVar[frozenset[str]] = frozenset()
    keeps: ClassVar[tuple[str, ...]] = ()

    def __init__(self, parameters: Array, decayed: int | None = None) -> None:
        """Make moments for `parameters`, which is updated in place; the first `decayed` of them are weights."""
        self.parameters = parameters
        self.decayed = parameters.size if decayed is None else decayed
        self._scratch = np.empty_like(parameters)
        self.moments = {name: Ewma(np.zeros_like(parameters), self._scratch) for name in self.keeps}

    @abstractmethod
    def update(self, gradients: Array, alpha: float, h: Hyperparameters) -> None:
        """One step with learning rate `alpha` (the scheduled one, not the base)."""

    def carry(self, old: Optimizer) -> None:
        """Take over from another optimizer of the same parameters the moments that mean the same here."""
        shared = [name for name in self.moments if name in old.moments and self.meaning(name) == old.meaning(name)]
        if "s" in self.moments and "s" not in shared:
            return
        for name in shared:
            self.moments[name].value[...] = old.moments[name].value
            self.moments[name].product = old.moments[name].product

    @classmethod
    def meaning(cls, moment: str) -> str:
        """What a moment is; only those of equal meaning are carried over."""
        return "average" + moment


class GradientDescent(Optimizer):
    """θ ← θ - α·g."""

    name = "gradient_descent"
    formula = "θ ← θ - αg"

    def update(self, gradients: Array, alpha: float, h: Hyperparameters) -> None:
        np.multiply(gradients, alpha, out=self._scratch)
        np.subtract(self.parameters, self._scratch, out=self.parameters)


class Momentum(Optimizer):
    """v ← β₁v + (1-β₁)g, θ ← θ - αv; no bias correction, as is usual.

    Equals the heavy-ball form v ← βv + g of PyTorch and TensorFlow with the rate α(1-β). With α outside v, an edited α
    applies at once.
    """

    name = "momentum"
    formula = "m ← β₁m + (1-β₁)g,  θ ← θ - αm"
    uses = frozenset({"beta1"})
    keeps = ("m",)

    def update(self, gradients: Array, alpha: float, h: Hyperparameters) -> None:
        m = self.moments["m"]
        m.update(gradients, h.beta1)
        np.multiply(m.value, alpha, out=self._scratch)
        np.subtract(self.parameters, self._scratch, out=self.parameters)


class Nesterov(Optimizer):
    """v ← β₁v + (1-β₁)g, θ ← θ - α(β₁v + (1-β₁)g).

    The look-ahead of Nesterov 1983 in the form of Sutskever et al. 2013, rewritten at the point where the gradient is
    taken; PyTorch's nesterov=True with the rate α(1-β).
    """

    name = "nesterov"
    formula = "m ← β₁m + (1-β₁)g,  θ ← θ - α(β₁m + (1-β₁)g)"
    uses = frozenset({"beta1"})
    keeps = ("m",)

    def update(self, gradients: Array, alpha: float, h: Hyperparameters) -> None:
        m, scratch = self.moments["m"], self._scratch
        m.update(gradients, h.beta1)
        np.multiply(m.value, alpha * h.beta1, out=scratch)
        np.subtract(self.parameters, scratch, out=self.parameters)
        np.multiply(gradients, alpha * (1.0 - h.beta1), out=scratch)
        np.subtract(self.parameters, scratch, out=self.parameters)


class RMSprop(Optimizer):
    """s ← β₂s + (1-β₂)g², θ ← θ - αg/(√s + ε); no bias correction (Hinton, lecture 6e, 2012)."""

    name = "rmsprop"
    formula = "s ← β₂s + (1-β₂)g²,  θ ← θ - αg/(√s+ε)"
    uses = frozenset({"beta2", "epsilon"})
    keeps = ("s",)

    def update(self, gradients: Array, alpha: float, h: Hyperparameters) -> None:
        s, scratch = self.moments["s"], self._scratch
        s.update(np.multiply(gradients, gradients, out=scratch), h.beta2)
        np.sqrt(s.value, out=scratch)
        np.add(scratch, h.epsilon, out=scratch)
        np.divide(gradients, scratch, out=scratch)
        np.multiply(scratch, alpha, out=scratch)
        np.subtract(self.parameters, scratch, out=self.parameters)


class Adam(Optimizer):
    """m̂ = m/(1-Πβ₁), ŝ = s/(1-Πβ₂), θ ← θ - α·m̂/(√ŝ + ε) (Kingma and Ba 2015, algorithm 1)."""

    name = "adam"
    formula = "θ ← θ - α·m̂/(√ŝ+ε),  m̂ = m/(1-Πβ₁),  ŝ = s/(1-Πβ₂)"
    uses = frozenset({"beta1", "beta2", "epsilon"})
    keeps = ("m", "s")

    def update(self, gradients: Array, alpha: float, h: Hyperparameters) -> None:
        m, s, scratch = self.moments["m"], self.moments["s"], self._scratch
        m.update(gradients, h.beta1)
        s.update(np.multiply(gradients, gradients, out=scratch), h.beta2)
        # α·m̂/(√ŝ+ε) with √(s/c) = √s/√c: both corrections go into two scalars, which saves two passes.
        root = math.sqrt(s.correction)
        np.sqrt(s.value, out=scratch)
        np.add(scratch, h.epsilon * root, out=scratch)
        np.divide(m.value, scratch, out=scratch)
        np.multiply(scratch, alpha * root / m.correction, out=scratch)
        np.subtract(self.parameters, scratch, out=self.parameters)


class AdamW(Adam):
    """Adam with decoupled weight decay: W ← W - α·decay·W besides Adam's step (Loshchilov and Hutter 2019, algorithm 2).

    Biases, γ and β do not decay.
    """

    name = "adamw"
    formula = "Adam, and W ← W - α·decay·W"
    uses = frozenset({"beta1", "beta2", "epsilon", "weight_decay"})

    def update(self, gradients: Array, alpha: float, h: Hyperparameters) -> None:
        weights = self.parameters[: self.decayed]
        np.multiply(weights, 1.0 - alpha * h.weight_decay, out=weights)
        super().update(gradients, alpha, h)


class Adagrad(Optimizer):
    """s ← s + g², θ ← θ - αg/(√s + ε) (Duchi et al. 2011). Here s is a sum, not an average, so it is not carried over."""

    name = "adagrad"
    formula = "s ← s + g²,  θ ← θ - αg/(√s+ε)"
    uses = frozenset({"epsilon"})
    keeps = ("s",)

    def update(self, gradients: Array, alpha: float, h: Hyperparameters) -> None:
        total, scratch = self.moments["s"].value, self._scratch
        np.multiply(gradients, gradients, out=scratch)
        np.add(total, scratch, out=total)
        np.sqrt(total, out=scratch)
        np.add(scratch, h.epsilon, out=scratch)
        np.divide(gradients, scratch, out=scratch)
        np.multiply(scratch, alpha, out=scratch)
        np.subtract(self.parameters, scratch, out=self.parameters)

    @classmethod
    def meaning(cls, moment: str) -> str:
        return "sum" + moment


OPTIMIZERS: dict[str, type[Optimizer]] = {
    each.name: each for each in (GradientDescent, Momentum, Nesterov, RMSprop, Adam, AdamW, Adagrad)
}
