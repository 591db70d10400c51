"""Batch normalization (Ioffe and Szegedy 2015, algorithms 1 and 2).

Training normalizes with the mini-batch's mean and *biased* variance; the running average keeps the *unbiased* one, as
the paper does (PyTorch agrees, Keras averages the biased one). The running statistics are corrected for their start
from zero, so they are right from the first step on; PyTorch and Keras start at 0 and 1 and are not corrected. The
variance is computed in two passes, never as E[z²] - E[z]².
"""

from __future__ import annotations

import numpy as np

from workbench.nn.buffer import Array, Buffer


class BatchNorm:
    """Ẑ = (Z - μ)/√(σ²+ε), then γ·Ẑ + β, over the rows of a mini-batch.

    Args:
        gamma, beta: views of the parameters, (1, n).
        dgamma, dbeta: views of the gradients, (1, n).
        batch_mean, batch_var: where the forward pass writes μ and the unbiased σ² of the mini-batch, (1, n).
    """

    def __init__(
        self, gamma: Array, beta: Array, dgamma: Array, dbeta: Array, batch_mean: Array, batch_var: Array, epsilon: float = 1e-5
    ) -> None:
        self.gamma, self.beta = gamma, beta
        self.dgamma, self.dbeta = dgamma, dbeta
        self.batch_mean, self.batch_var = batch_mean, batch_var
        self.epsilon = epsilon
        self._inverse = np.ones_like(gamma)
        self._Zhat, self._out, self._scratch = (Buffer(gamma.dtype) for _ in range(3))
        self.Zhat: Array = self._Zhat.of((0, gamma.shape[-1]))

    def forward(self, Z: Array) -> Array:
        """Normalize by the mini-batch's own statistics. Z (m, n), m ≥ 2."""
        m = Z.shape[-2]
        Zhat, scratch = self._Zhat.like(Z), self._scratch.like(Z)
        mean, inverse = self.batch_mean, self._inverse
        np.add.reduce(Z, axis=-2, keepdims=True, out=mean)
        np.multiply(mean, 1.0 / m, out=mean)
        np.subtract(Z, mean, out=Zhat)
        np.multiply(Zhat, Zhat, out=scratch)
        squares = np.add.reduce(scratch, axis=-2, keepdims=True)
        np.multiply(squares, 1.0 / (m - 1), out=self.batch_var)
        np.multiply(squares, 1.0 / m, out=inverse)
        np.add(inverse, self.epsilon, out=inverse)
        np.sqrt(inverse, out=inverse)
        np.reciprocal(inverse, out=inverse)
        np.multiply(Zhat, inverse, out=Zhat)
        self.Zhat = Zhat
        out = np.multiply(Zhat, self.gamma, out=self._out.like(Z))
        return np.add(out, self.beta, out=out)

    def backward(self, dY: Array) -> Array:
        """dZ (m, n), written over dY; dγ and dβ are stored. Through μ and σ², which depend on every row."""
        m = dY.shape[-2]
        scratch = self._scratch.like(dY)
        np.add.reduce(dY, axis=-2, keepdims=True, out=self.dbeta)
        np.multiply(dY, self.Zhat, out=scratch)
        np.add.reduce(scratch, axis=-2, keepdims=True, out=self.dgamma)
        np.multiply(self.Zhat, self.dgamma * (1.0 / m), out=scratch)
        np.subtract(dY, scratch, out=dY)
        np.subtract(dY, self.dbeta * (1.0 / m), out=dY)
        return np.multiply(dY, self.gamma * self._inverse, out=dY)

    def infer(self, Z: Array, mean: Array, var: Array) -> Array:
        """Normalize by given statistics (the running ones at test time); a new array."""
        scale = self.gamma / np.sqrt(var + self.epsilon)
        return Z * scale + (self.beta - mean * scale)
