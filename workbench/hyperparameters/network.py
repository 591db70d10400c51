"""The rows of section `[network]`."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.hyperparameters.rows import choice, real, row
from workbench.spec import Applies, Kind, Scale


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """Section `[network]` of a preset: what is fixed when training starts."""

    hidden: tuple[int, ...] = row(
        kind=Kind.INTEGER,
        default=(64, 32),
        symbol="n[l]",
        low=1,
        high=8192,
        scale=Scale.LOG,
        per_layer=True,
        priority=2,
        applies=Applies.RESET,
        # The course draws 50 to 100 units evenly. Over six doublings, half of such draws would be above 260.
        search=(8, 512),
        help="Units of each hidden layer; [] is logistic or softmax regression.",
    )
    activation: str = choice(
        "relu",
        "leaky_relu",
        "tanh",
        "sigmoid",
        "gelu",
        "silu",
        "elu",
        "linear",
        symbol="g",
        priority=3,
        applies=Applies.RESET,
        help="g of the hidden layers, A = g(Z). The output's is chosen by the data: softmax, sigmoid or linear.",
    )
    batch_norm: bool = row(
        kind=Kind.FLAG,
        default=False,
        priority=3,
        applies=Applies.RESET,
        help="Normalize Z of every hidden layer over the mini-batch, then scale by γ and shift by β; b drops out.",
    )
    initializer: str = choice(
        "he",
        "xavier",
        "glorot",
        "normal",
        "zeros",
        priority=3,
        applies=Applies.RESET,
        help="Spread of the first weights: He √(2/n_in), Xavier √(1/n_in), Glorot √(2/(n_in+n_out)), normal 0.01, or zeros.",
    )
    initializer_scale: float = real(
        1.0,
        low=0,
        low_open=True,
        high=1000,
        scale=Scale.LOG,
        priority=3,
        applies=Applies.RESET,
        search=(0.5, 2),
        help="Factor on the initializer's spread. 1.5 over 30 layers explodes, 0.5 vanishes.",
    )
