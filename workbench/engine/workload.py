"""What training a network asks of a machine, told from its shapes before anything of it is made."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workbench.data.splits import Splits
from workbench.hyperparameters import Architecture, Hyperparameters
from workbench.nn.activations import ACTIVATIONS
from workbench.nn.network import layout
from workbench.optim.optimizers import OPTIMIZERS

_FLOAT = np.dtype(np.float32).itemsize


@dataclass(frozen=True, slots=True)
class Workload:
    """Memory and arithmetic of a run.

    Attributes:
        memory: bytes without which no step can be taken: examples, parameters, moments, a copy of the start, and what a
            mini-batch leaves in each layer for the backward pass.
        step: floating-point operations of a step, as far as they are products of matrices.
        evaluation: those of an evaluation on train and dev.
    """

    memory: int
    step: float
    evaluation: float


def workload(splits: Splits, architecture: Architecture, h: Hyperparameters) -> Workload:
    """The workload of a run on these examples.

    A product (m, n)·(n, k) takes 2mnk operations; a step makes one of each layer forward and two backward.
    """
    hidden = architecture.hidden
    tensors = layout((splits.n_features, *hidden, splits.n_outputs), architecture.batch_norm)
    parameters = tensors[-1].stop
    weights = sum(each.shape[0] * each.shape[1] for each in tensors if each.name.startswith("W"))
    moments = len(OPTIMIZERS[h.optimizer].keeps)
    # Parameters and gradients, room for the loop and the optimizer to work in, the moments; and the copy of the start.
    kept = 3 * parameters + weights + moments * parameters + (1 + moments) * parameters
    rows = min(h.batch_size, splits.train.examples)
    # Z, over which A is written, and its gradient; then what some layers need beside that.
    arrays = 2 + ACTIVATIONS[architecture.activation].keeps_input + 3 * architecture.batch_norm
    dropped = sum(n for n, keep_prob in zip(hidden, h.keep_prob, strict=True) if keep_prob < 1.0)
    columns = splits.n_features + splits.n_outputs
    parts = [part.examples for part in (splits.train, splits.dev, splits.test) if part is not None]
    activations = rows * (arrays * sum(hidden) + dropped + columns)
    evaluated = sum(parts[:2]) if splits.dev is not None else splits.train.examples
    return Workload(
        memory=_FLOAT * (kept + activations + sum(parts) * columns),
        step=6.0 * weights * rows,
        evaluation=2.0 * weights * evaluated,
    )
