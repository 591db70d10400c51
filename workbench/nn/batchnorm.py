"""Batch normalization (Ioffe and Szegedy 2015, algorithms 1 and 2).

Training normalizes with the mini-batch's mean and *biased* variance; the running average keeps the *unbiased* one, as
the paper does (PyTorch agrees, Keras averages the biased one). The running statistics are corrected for their start
from zero, so they are right from the first step on; PyTorch and Keras start at 0 and 1 and are not corrected. The
variance is computed in two passes, never as E[z²] - E[z]², and so is the mean: its rounding would be all that is left of a
constant column, which divided by √ε is a ẑ near 1.
"""

from __future__ import annotations

import numpy as np

from workbench.nn.buffer import Array, Buffer
from workbench.nn.sums import mean_over_examples, sum_over_examples


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
        self._root, self._scale, self._rest = np.ones_like(gamma), np.ones_like(gamma), np.zeros_like(gamma)
        self._centered, self._out, self._scratch = (Buffer(gamma.dtype) for _ in range(3))
        self._Zc: Array = self._centered.of((0, gamma.shape[-1]))

    def forward(self, Z: Array) -> Array:
        """Normalize by the mini-batch's own statistics. Z (m, n), m ≥ 2."""
        m, mean, var, root, scale = Z.shape[-2], self.batch_mean, self.batch_var, self._root, self._scale
        self._Zc = Zc = self._centered.like(Z)
        out = self._out.like(Z)
        np.subtract(Z, mean_over_examples(Z, out=mean), out=Zc)
        np.subtract(Zc, mean_over_examples(Zc, out=self._rest), out=Zc)
        np.add(mean, self._rest, out=mean)
        mean_over_examples(np.multiply(Zc, Zc, out=out), out=var)
        np.add(var, self.epsilon, out=root)
        np.sqrt(root, out=root)
        np.multiply(var, m / (m - 1), out=var)
        # Ẑ is never formed: dividing by the root is left to the factors of a column, here and in the backward pass.
        np.divide(self.gamma, root, out=scale)
        np.multiply(Zc, scale, out=out)
        return np.add(out, self.beta, out=out)

    def backward(self, dY: Array) -> Array:
        """dZ (m, n), written over dY; dγ and dβ are stored. Through μ and σ², which depend on every row."""
        m, Zc, root, scratch = dY.shape[-2], self._Zc, self._root, self._scratch.like(dY)
        sum_over_examples(dY, out=self.dbeta)
        sum_over_examples(np.multiply(dY, Zc, out=scratch), out=self.dgamma)
        np.divide(self.dgamma, root, out=self.dgamma)
        np.multiply(Zc, self.dgamma / (m * root), out=scratch)
        np.subtract(dY, scratch, out=dY)
        np.subtract(dY, self.dbeta / m, out=dY)
        return np.multiply(dY, self._scale, out=dY)

    def infer(self, Z: Array, mean: Array, var: Array) -> Array:
        """Normalize by given statistics (the running ones at test time); a new array."""
        scale = self.gamma / np.sqrt(var + self.epsilon)
        return Z * scale + (self.beta - mean * scale)
