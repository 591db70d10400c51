"""The same runs by PyTorch: its autograd, its activations, losses, batch norm and optimizers, and no part of our engine.

Where its conventions differ from ours they are translated here, and that is all that is ours:

    momentum, nesterov   velocities are sums there, averages here: the rate is α(1-β₁)
    batch norm           its momentum is 1-β; running statistics start from 0 and are divided by 1-Πβ at the end
    squared error        the mean over outputs and examples there, half the sum over outputs here
    clipping             it divides by ‖g‖ + 1e-6 there, so it is written out
    weight decay         by parameter groups, for the weights only
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from cases import BATCH, EXAMPLES, HIDDEN, STEPS, Case, Trajectory, examples, first_parameters, kept_units, order_of
from torch.nn import functional as F

from workbench.data.dataset import Task
from workbench.hyperparameters import Hyperparameters

torch.set_num_threads(1)  # more only get into each other's way
ACTIVATIONS: dict[str, Any] = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": F.relu,
    "leaky_relu": lambda Z: F.leaky_relu(Z, 0.01),
    "elu": F.elu,
    "silu": F.silu,
    "gelu": lambda Z: F.gelu(Z, approximate="tanh"),
    "linear": lambda Z: Z,
}


def trajectory(case: Case) -> Trajectory:
    """Train by PyTorch in float64."""
    h, splits = case.hyperparameters, examples(case.task)
    X, Y = (torch.tensor(each, dtype=torch.float64) for each in (splits.train.X, splits.train.Y))
    parameters = {name: torch.tensor(value, requires_grad=True) for name, value in first_parameters(case).items()}
    weights = [each for name, each in parameters.items() if name.startswith("W")]
    running = [(torch.zeros(n, dtype=torch.float64), torch.zeros(n, dtype=torch.float64)) for n in HIDDEN]
    optimizer = _optimizer(h, parameters)
    costs = []
    norm = math.nan
    for step, (epoch, done, rows) in zip(range(1, STEPS + 1), _mini_batches(case.batch_norm), strict=False):
        chosen = torch.tensor(rows)
        Z = _forward(case, h, parameters, X[chosen], step, running)
        cost = _cost(case.task, Z, Y[chosen], h.label_smoothing)
        cost = cost + sum(h.l2 / 2 * (W**2).sum() + h.l1 * W.abs().sum() for W in weights)
        optimizer.zero_grad()
        cost.backward()
        norm = float(torch.sqrt(sum((each.grad**2).sum() for each in parameters.values())))
        if 0 < h.clip_norm < norm:
            for each in parameters.values():
                each.grad *= h.clip_norm / norm
        alpha = h.learning_rate * _schedule(h, epoch, done) * min(step / max(h.warmup_steps, 1), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = alpha * (1 - h.beta1) if h.optimizer in ("momentum", "nesterov") else alpha
        optimizer.step()
        costs.append(cost.item())
    averages = [each / (1 - h.batchnorm_beta**STEPS) for pair in running for each in pair] if case.batch_norm else []
    return Trajectory(
        np.array(costs), norm,
        np.concatenate([each.detach().numpy().ravel() for each in parameters.values()]),
        np.concatenate([np.empty(0), *(each.numpy() for each in averages)]),
    )  # fmt: skip


def _mini_batches(merge_single: bool) -> Iterator[tuple[int, float, list[int]]]:
    """Epoch, epochs done before, and rows."""
    epoch = 1
    while True:
        order = order_of(epoch).tolist()
        starts = list(range(0, EXAMPLES, BATCH))
        if merge_single and EXAMPLES - starts[-1] == 1:
            starts.pop()
        for start, stop in zip(starts, [*starts[1:], EXAMPLES], strict=True):
            yield epoch, epoch - 1 + start / EXAMPLES, order[start:stop]
        epoch += 1


def _forward(case: Case, h: Hyperparameters, parameters: dict[str, Any], X: Any, step: int, running: list[Any]) -> Any:
    A = X
    for l, (mean, var) in enumerate(running, start=1):
        Z = A @ parameters[f"W{l}"]
        if case.batch_norm:
            gamma, beta = parameters[f"gamma{l}"][0], parameters[f"beta{l}"][0]
            Z = F.batch_norm(Z, mean, var, gamma, beta, True, 1 - h.batchnorm_beta, h.batchnorm_epsilon)
        else:
            Z = Z + parameters[f"b{l}"]
        A = ACTIVATIONS[case.activation](Z)
        if h.keep_prob[l - 1] < 1:
            kept, chance = kept_units(l, step, len(X), h.keep_prob[l - 1])
            A = A * torch.tensor(kept) / chance
    last = len(running) + 1
    return A @ parameters[f"W{last}"] + parameters[f"b{last}"]


def _cost(task: Task, Z: Any, Y: Any, smoothing: float) -> Any:
    if task is Task.CLASSES:
        return F.cross_entropy(Z, Y.argmax(dim=1), label_smoothing=smoothing)
    if task is Task.BINARY:
        return F.binary_cross_entropy_with_logits(Z, Y * (1 - smoothing) + smoothing / 2)
    return F.mse_loss(Z, Y) * Z.shape[1] / 2


def _optimizer(h: Hyperparameters, parameters: dict[str, Any]) -> Any:
    everything = list(parameters.values())
    if h.optimizer == "gradient_descent":
        return torch.optim.SGD(everything, lr=0.1)
    if h.optimizer in ("momentum", "nesterov"):
        return torch.optim.SGD(everything, lr=0.1, momentum=h.beta1, nesterov=h.optimizer == "nesterov")
    if h.optimizer == "rmsprop":
        return torch.optim.RMSprop(everything, alpha=h.beta2, eps=h.epsilon)
    if h.optimizer == "adagrad":
        return torch.optim.Adagrad(everything, eps=h.epsilon)
    betas = h.beta1, h.beta2
    if h.optimizer == "adam":
        return torch.optim.Adam(everything, betas=betas, eps=h.epsilon)
    assert h.optimizer == "adamw"
    decaying = [each for name, each in parameters.items() if name.startswith("W")]
    others = [each for name, each in parameters.items() if not name.startswith("W")]
    groups = [{"params": decaying, "weight_decay": h.weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, betas=betas, eps=h.epsilon)


def _schedule(h: Hyperparameters, epoch: int, done: float) -> float:
    """The factor on α₀, as the course has it: epochs count from 1; only the cosine knows parts of them."""
    return {
        "constant": 1.0,
        "inverse_time": 1 / (1 + h.decay_rate * epoch),
        "exponential": h.decay_factor**epoch,
        "inverse_sqrt": h.decay_k / math.sqrt(epoch),
        "staircase": h.decay_factor ** ((epoch - 1) // h.decay_every),
        "cosine": h.decay_floor + (1 - h.decay_floor) * (1 + math.cos(math.pi * min(done / h.decay_epochs, 1.0))) / 2,
    }[h.schedule]
