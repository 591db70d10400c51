"""Dense layers and dropout, each with its backward pass beside its forward pass."""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.nn.activations import Activation
from workbench.nn.batchnorm import BatchNorm
from workbench.nn.buffer import Array, Buffer
from workbench.nn.sums import sum_over_examples
from workbench.randomness import Purpose, Stream


class Dense:
    """Z = A_prev @ W + b, with views of the network's flat parameters and gradients.

    Args:
        W, dW: (n_in, n_out).
        b, db: (1, n_out), or None under batch norm, whose mean takes b out and whose β takes its place.
    """

    def __init__(self, W: Array, dW: Array, b: Array | None, db: Array | None) -> None:
        self.W, self.dW, self.b, self.db = W, dW, b, db
        self._Z, self._dX = Buffer(W.dtype), Buffer(W.dtype)
        self._X: Array = np.empty((0, W.shape[-2]), W.dtype)

    def forward(self, X: Array) -> Array:
        """Z (m, n_out); X is kept by reference for the backward pass."""
        self._X = X
        Z = self._Z.of((*X.shape[:-1], self.W.shape[-1]))
        np.matmul(X, self.W, out=Z)
        return Z if self.b is None else np.add(Z, self.b, out=Z)

    def accumulate(self, dZ: Array) -> None:
        """Store dW = A_prevᵀ @ dZ and db; enough for the first layer, whose input needs no gradient."""
        np.matmul(self._X.swapaxes(-1, -2), dZ, out=self.dW)
        if self.db is not None:
            sum_over_examples(dZ, out=self.db)

    def backward(self, dZ: Array) -> Array:
        """dA_prev (m, n_in) = dZ @ Wᵀ; dW and db are stored."""
        self.accumulate(dZ)
        return np.matmul(dZ, self.W.swapaxes(-1, -2), out=self._dX.like(self._X))

    def infer(self, X: Array) -> Array:
        """Z (m, n_out), a new array; nothing is kept."""
        Z = np.matmul(X, self.W)
        return Z if self.b is None else np.add(Z, self.b, out=Z)


class Dropout:
    """Inverted dropout (Srivastava et al. 2014): units are kept with a probability and divided by it.

    The mask of a step is a function of (seed, layer, step). It is drawn in steps of 1/65,536, and kept units are divided
    by the chance so rounded, so the expectation is exact. Nothing is dropped at test time.
    """

    def __init__(self, seed: int, layer: int, dtype: np.dtype[Any]) -> None:
        self.keep_prob = 1.0
        self._stream = Stream(seed, Purpose.DROPOUT, layer)
        self._out, self._mask = Buffer(dtype), Buffer(np.bool_)

    @property
    def _threshold(self) -> int:
        return max(1, round(self.keep_prob * 65536))

    def repeat(self, number: int) -> None:
        """From now on, draw other masks: those of this repeat."""
        self._stream.repeat(number)

    def forward(self, A: Array, step: int) -> Array:
        """A with units dropped, in memory of its own (A is needed for the activation's derivative)."""
        if self.keep_prob == 1.0:
            return A
        words = self._stream.uint16(step, A.size).reshape(A.shape)
        mask = np.less(words, self._threshold, out=self._mask.like(A))
        out = np.multiply(A, mask, out=self._out.like(A))
        return np.multiply(out, 65536 / self._threshold, out=out)

    def backward(self, dA: Array) -> Array:
        """The same mask on the gradient, written over it."""
        if self.keep_prob == 1.0:
            return dA
        np.multiply(dA, self._mask.like(dA), out=dA)
        return np.multiply(dA, 65536 / self._threshold, out=dA)


class HiddenLayer:
    """Dense, then batch norm where wanted, then the activation, then dropout."""

    def __init__(self, dense: Dense, batchnorm: BatchNorm | None, activation: Activation, dropout: Dropout) -> None:
        self.dense, self.batchnorm, self.activation, self.dropout = dense, batchnorm, activation, dropout
        self._A = Buffer(dense.W.dtype)
        self._cache: Array = np.empty(0, dense.W.dtype)
        self.A: Array = self._cache

    def forward(self, X: Array, step: int) -> Array:
        """A (m, n) in training; caches what the backward pass needs."""
        Z = self.dense.forward(X)
        if self.batchnorm is not None:
            Z = self.batchnorm.forward(Z)
        A = self.activation.forward(Z, self._A.like(Z) if self.activation.keeps_input else Z)
        self._cache = Z if self.activation.keeps_input else A
        self.A = A
        return self.dropout.forward(A, step)

    def backward_to_dense(self, dA: Array) -> Array:
        """From the layer's output back to dZ, the gradient of the dense part's output, written over dA."""
        dZ = self.activation.backward(self.dropout.backward(dA), self._cache)
        return dZ if self.batchnorm is None else self.batchnorm.backward(dZ)
