"""A fully connected network over flat buffers: all parameters in one array, all gradients in another.

The flat order is every W first, then b or γ and β layer by layer, so that what acts on weights only (L2, L1, weight
decay) acts on one slice. Layers hold views. `forward`/`backward` train; `infer` computes without touching any cache, so
an evaluation in the middle of training changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from workbench.hyperparameters import Architecture, Hyperparameters
from workbench.nn.activations import ACTIVATIONS
from workbench.nn.batchnorm import BatchNorm
from workbench.nn.buffer import Array
from workbench.nn.ewma import Ewma
from workbench.nn.initializers import INITIALIZERS
from workbench.nn.layers import Dense, Dropout, HiddenLayer
from workbench.randomness import Purpose, generator


@dataclass(frozen=True, slots=True)
class Tensor:
    """One named parameter tensor: its place in the flat buffer and its shape."""

    name: str
    layer: int
    start: int
    shape: tuple[int, int]

    @property
    def stop(self) -> int:
        """One past its last place."""
        return self.start + self.shape[0] * self.shape[1]

    def view(self, flat: Array) -> Array:
        """This tensor's part of a flat buffer, as (rows, columns)."""
        return flat[..., self.start : self.stop].reshape(*flat.shape[:-1], *self.shape)


def layout(sizes: Sequence[int], batch_norm: bool) -> tuple[Tensor, ...]:
    """The tensors of a network with these widths, inputs first, outputs last: W1, W2, ..., then b or γ and β."""
    tensors, start = [], 0
    last = len(sizes) - 1
    weights = [(f"W{l}", l, (sizes[l - 1], sizes[l])) for l in range(1, last + 1)]
    shifts = [
        (f"{kind}{l}", l, (1, sizes[l]))
        for l in range(1, last + 1)
        for kind in (("gamma", "beta") if batch_norm and l < last else ("b",))
    ]
    for name, layer, shape in (*weights, *shifts):
        tensors.append(Tensor(name, layer, start, shape))
        start = tensors[-1].stop
    return tuple(tensors)


class Trace(NamedTuple):
    """What one layer made of its input: Z = A_prev @ W + b, Y after batch norm (Z without it), A = g(Y); all (m, n)."""

    Z: Array
    Y: Array
    A: Array


class Network:
    """Hidden layers and a linear output whose logits go to a loss.

    Attributes:
        parameters, gradients: flat, (P,).
        weights: the part of `parameters` that is W of every layer.
        tensors: names and places, in flat order.
        layers: the hidden layers; `output` is the last, dense one.
        running: the averaged batch-norm statistics, flat: mean and variance of each layer in turn; None without batch norm.
        statistics: the same of the last mini-batch.
    """

    def __init__(self, n_in: int, n_out: int, architecture: Architecture, seed: int, dtype: DTypeLike = np.float32) -> None:
        self.sizes = (n_in, *architecture.hidden, n_out)
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self.tensors = layout(self.sizes, architecture.batch_norm)
        size = self.tensors[-1].stop
        self.parameters: Array = np.zeros(size, self.dtype)
        self.gradients: Array = np.zeros(size, self.dtype)
        weights = [t for t in self.tensors if t.name.startswith("W")]
        self.weights: Array = self.parameters[: weights[-1].stop]
        self.weight_gradients: Array = self.gradients[: weights[-1].stop]
        units = sum(architecture.hidden) if architecture.batch_norm else 0
        self.statistics: Array = np.zeros(2 * units, self.dtype)
        self.running = Ewma(np.zeros(2 * units, self.dtype)) if units else None
        self.batchnorm_beta = 0.9
        named, grads = self.named(self.parameters), self.named(self.gradients)
        self.layers: list[HiddenLayer] = []
        start = 0
        for l in range(1, len(self.sizes)):
            dense = Dense(named[f"W{l}"], grads[f"W{l}"], named.get(f"b{l}"), grads.get(f"b{l}"))
            if l == len(self.sizes) - 1:
                self.output = dense
                break
            norm = None
            if architecture.batch_norm:
                n = self.sizes[l]
                norm = BatchNorm(
                    named[f"gamma{l}"], named[f"beta{l}"], grads[f"gamma{l}"], grads[f"beta{l}"],
                    self.statistics[None, start : start + n], self.statistics[None, start + n : start + 2 * n],
                )  # fmt: skip
                start += 2 * n
            self.layers.append(HiddenLayer(dense, norm, ACTIVATIONS[architecture.activation], Dropout(seed, l, self.dtype)))
        self._initialize(architecture, seed)

    def _initialize(self, architecture: Architecture, seed: int) -> None:
        spread = INITIALIZERS[architecture.initializer]
        for t in self.tensors:
            view = t.view(self.parameters)
            if t.name.startswith("W"):
                # Drawn in float64, so that a float32 and a float64 network start alike.
                drawn = generator(seed, Purpose.INITIALIZATION, layer=t.layer).standard_normal(t.shape)
                view[...] = drawn * (spread(*t.shape) * architecture.initializer_scale)
            elif t.name.startswith("gamma"):
                view[...] = 1.0

    def named(self, flat: Array) -> dict[str, Array]:
        """Views of a flat buffer by tensor name."""
        return {t.name: t.view(flat) for t in self.tensors}

    def configure(self, h: Hyperparameters) -> None:
        """Take over what of the hyperparameters the forward pass reads: keep_prob, and batch norm's β and ε."""
        self.batchnorm_beta = h.batchnorm_beta
        for layer, keep_prob in zip(self.layers, h.keep_prob, strict=True):
            layer.dropout.keep_prob = keep_prob
            if layer.batchnorm is not None:
                layer.batchnorm.epsilon = h.batchnorm_epsilon

    def repeat(self, number: int) -> None:
        """From now on, draw the dropout masks of this repeat."""
        for layer in self.layers:
            layer.dropout.repeat(number)

    def forward(self, X: Array, step: int) -> Array:
        """Logits (m, n_out) in training: mini-batch statistics, and the dropout masks of this step."""
        A = X
        for layer in self.layers:
            A = layer.forward(A, step)
        return self.output.forward(A)

    def backward(self, dZ: Array) -> None:
        """From the logits' gradient (m, n_out) to the gradients of all parameters, in `self.gradients`."""
        below = self.output
        for layer in reversed(self.layers):
            dZ = layer.backward_to_dense(below.backward(dZ))
            below = layer.dense
        below.accumulate(dZ)

    def track_statistics(self) -> None:
        """Let the running statistics take in the last mini-batch's; apart from `forward`, so a rejected step leaves none."""
        if self.running is not None:
            self.running.update(self.statistics, self.batchnorm_beta)

    def running_statistics(self) -> list[tuple[Array, Array]]:
        """Per hidden layer with batch norm: running mean and variance, (1, n) each. Before any step: 0 and 1."""
        if self.running is None:
            return []
        flat = self.running.corrected()
        pairs, start = [], 0
        for n in self.sizes[1:-1]:
            mean, var = flat[None, start : start + n], flat[None, start + n : start + 2 * n]
            pairs.append((mean, var if self.running.product < 1.0 else np.ones_like(var)))
            start += 2 * n
        return pairs

    def trace(self, X: Array) -> Iterator[Trace]:
        """Each layer in turn at test time, the output last: running statistics, no dropout; nothing is kept or changed."""
        running = self.running_statistics()
        A = X
        for l, layer in enumerate(self.layers):
            Z = layer.dense.infer(A)
            Y = Z if layer.batchnorm is None else layer.batchnorm.infer(Z, *running[l])
            A = layer.activation.forward(Y, np.empty_like(Y))
            yield Trace(Z, Y, A)
        Z = self.output.infer(A)
        yield Trace(Z, Z, Z)

    def infer(self, X: Array) -> Array:
        """Logits (m, n_out) at test time."""
        *_, last = self.trace(X)
        return last.Z
