"""The rows of section `[training]`: everything that may be edited while it trains."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.hyperparameters.rows import choice, integer, real, row
from workbench.spec import Kind, Scale


@dataclass(frozen=True, slots=True, kw_only=True)
class Hyperparameters:
    """Section `[training]` of a preset: everything that may be edited while it trains."""

    optimizer: str = choice(
        "adam",
        "gradient_descent",
        "momentum",
        "nesterov",
        "rmsprop",
        "adamw",
        "adagrad",
        priority=3,
        help="How gradients become updates. Swapped while training, moments of the same meaning are carried over.",
    )
    learning_rate: float = real(
        1e-3,
        symbol="α",
        low=0,
        low_open=True,
        high=1e30,
        scale=Scale.LOG,
        priority=1,
        search=(1e-4, 1),
        help="The base rate α₀; a schedule and the warm-up multiply it. The first thing to tune.",
    )
    beta1: float = real(
        0.9,
        symbol="β₁",
        low=0,
        high=1,
        high_open=True,
        scale=Scale.ONE_MINUS_LOG,
        priority=2,
        search=(0.9, 0.999),
        help="Share of the first moment kept at each step: about the last 1/(1-β₁) gradients. Momentum's β.",
    )
    beta2: float = real(
        0.999,
        symbol="β₂",
        low=0,
        high=1,
        high_open=True,
        scale=Scale.ONE_MINUS_LOG,
        priority=4,
        search=(0.9, 0.9999),
        help="Share of the second moment kept at each step: about the last 1/(1-β₂) squared gradients.",
    )
    epsilon: float = real(
        1e-8,
        symbol="ε",
        low=0,
        low_open=True,
        high=1,
        scale=Scale.LOG,
        priority=4,
        help="Added outside the root, after the bias correction, so that nothing is divided by zero.",
    )
    batch_size: int = integer(
        64,
        symbol="batch",
        low=1,
        high=1_000_000,
        scale=Scale.LOG,
        priority=2,
        search=(16, 512),
        help="Examples per step: 1 is stochastic, all of them is batch gradient descent. May change at any step.",
    )
    l2: float = real(
        0.0,
        symbol="λ",
        low=0,
        high=1e6,
        scale=Scale.LOG,
        increment=1e-5,
        zero_is_off=True,
        priority=3,
        search=(1e-6, 0.1),
        help="L2: adds (λ/2)·Σ‖W‖² to the cost, whatever the batch size. Biases, γ and β are left out.",
    )
    l1: float = real(
        0.0,
        symbol="λ₁",
        low=0,
        high=1e6,
        scale=Scale.LOG,
        increment=1e-6,
        zero_is_off=True,
        priority=3,
        search=(1e-6, 0.01),
        help="L1: adds λ₁·Σ|W| to the cost, which drives weights to zero.",
    )
    weight_decay: float = real(
        0.01,
        low=0,
        high=1e6,
        scale=Scale.LOG,
        increment=1e-5,
        zero_is_off=True,
        priority=3,
        symbol="decay",
        search=(1e-4, 1),
        help="AdamW's decoupled decay: W shrinks by α·decay·W at each step, outside the moments.",
    )
    keep_prob: tuple[float, ...] = row(
        kind=Kind.REAL,
        default=1.0,
        symbol="keep",
        low=0,
        low_open=True,
        high=1,
        increment=0.05,
        per_layer=True,
        priority=3,
        search=(0.5, 1),
        help="Inverted dropout: the chance that a hidden unit is kept; kept ones are divided by it. 1 is no dropout.",
    )
    schedule: str = choice(
        "constant",
        "inverse_time",
        "exponential",
        "inverse_sqrt",
        "staircase",
        "cosine",
        priority=3,
        help="How α falls from its base: α₀/(1+rate·epoch), factor^epoch·α₀, k/√epoch·α₀, steps, or a half cosine.",
    )
    decay_rate: float = real(
        1.0,
        low=0,
        high=1e6,
        scale=Scale.LOG,
        increment=1e-3,
        zero_is_off=True,
        priority=3,
        symbol="rate",
        search=(0.01, 10),
        help="Rate of the inverse-time schedule, α₀/(1 + rate·epoch).",
    )
    decay_factor: float = real(
        0.95,
        low=0,
        low_open=True,
        high=1,
        scale=Scale.ONE_MINUS_LOG,
        priority=3,
        symbol="factor",
        search=(0.5, 0.99),
        help="Factor per epoch of the exponential schedule, or per stair of the staircase.",
    )
    decay_every: int = integer(
        10,
        low=1,
        high=1_000_000,
        priority=3,
        symbol="every",
        search=(1, 30),
        help="Epochs on one stair of the staircase schedule.",
    )
    decay_k: float = real(
        1.0,
        low=0,
        low_open=True,
        high=1e6,
        scale=Scale.LOG,
        priority=3,
        symbol="k",
        search=(0.1, 10),
        help="k of the schedule k/√epoch·α₀.",
    )
    decay_epochs: int = integer(
        50,
        low=1,
        high=1_000_000,
        scale=Scale.LOG,
        priority=3,
        symbol="over",
        search=(10, 200),
        help="Epochs over which the cosine schedule falls.",
    )
    decay_floor: float = real(
        0.0,
        low=0,
        high=1,
        increment=0.05,
        priority=3,
        symbol="floor",
        search=(0, 0.2),
        help="Share of α₀ that the cosine schedule ends at.",
    )
    warmup_steps: int = integer(
        0,
        low=0,
        high=1_000_000,
        increment=10,
        priority=3,
        symbol="warm-up",
        search=(0, 1000),
        help="Steps over which α rises in a straight line from nothing, whatever the schedule. 0 is off.",
    )
    clip_norm: float = real(
        0.0,
        low=0,
        high=1e30,
        scale=Scale.LOG,
        increment=0.01,
        zero_is_off=True,
        priority=3,
        symbol="clip",
        search=(0.1, 10),
        help="Gradients longer than this (all layers together) are shortened to it. 0 is off.",
    )
    label_smoothing: float = real(
        0.0,
        low=0,
        high=1,
        high_open=True,
        increment=0.05,
        priority=3,
        symbol="smooth",
        search=(0, 0.3),
        help="Share of each target spread evenly over the classes while training. Evaluations use the plain labels.",
    )
    batchnorm_beta: float = real(
        0.9,
        symbol="BN β",
        low=0,
        high=1,
        high_open=True,
        scale=Scale.ONE_MINUS_LOG,
        priority=4,
        search=(0.9, 0.999),
        help="Share of the running mean and variance kept at each step (0.9 is PyTorch's momentum 0.1).",
    )
    batchnorm_epsilon: float = real(
        1e-5,
        symbol="BN ε",
        low=0,
        low_open=True,
        high=1,
        scale=Scale.LOG,
        priority=4,
        help="ε in √(σ²+ε) of batch norm.",
    )
    epochs: int = integer(
        30,
        low=1,
        high=1_000_000,
        priority=3,
        increment=10,
        help="Passes through the train set before training stops by itself.",
    )
    evaluate_every: int = integer(
        0,
        low=0,
        high=1_000_000,
        priority=4,
        increment=50,
        symbol="evaluate",
        help="Steps between evaluations on train and dev; 0 evaluates at the end of each epoch.",
    )
    patience: int = integer(
        0,
        low=0,
        high=1_000_000,
        priority=3,
        help="Early stopping: evaluations without a better dev cost before training stops and goes back to the best. 0 is off.",
    )
    guard_factor: float = real(
        10.0,
        low=0,
        high=1e6,
        scale=Scale.LOG,
        increment=1.2,
        zero_is_off=True,
        priority=4,
        symbol="guard k",
        help="The guard stops training where the cost is above k times its average for `guard steps` steps. 0 is off; what is "
        "not finite always stops it.",
    )
    guard_steps: int = integer(
        10,
        low=1,
        high=100_000,
        priority=4,
        symbol="guard n",
        help="How many steps in a row the cost must be that high.",
    )
    bayes_error: float = real(
        0.0,
        low=0,
        high=1.0,
        increment=0.005,
        priority=4,
        symbol="Bayes",
        help="The least error that anybody could reach, people or machines: a share of examples, the RMSE of a regression. The "
        "diagnosis measures bias from there; training does not read it.",
    )
