from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from workbench.hyperparameters import Architecture, Hyperparameters
from workbench.nn.activations import ACTIVATIONS
from workbench.nn.losses import LOSSES
from workbench.nn.network import Network
from workbench.optim.penalties import add_penalty_gradients, penalty

OUTPUTS = {"classes": 3, "binary": 1, "regression": 2}
KINKED = ("relu", "leaky_relu", "elu")
FIGURE = 1e-7
"""Largest relative difference between a numeric and a computed gradient."""


@dataclass
class Case:
    """A network with every parameter away from its first value, a mini-batch, and the penalties."""

    activation: str
    task: str
    batch_norm: bool
    l2: float
    seed: int
    l1: float = 0.0
    smoothing: float = 0.0
    keep_prob: float = 1.0
    hidden: tuple[int, ...] = (4, 3)
    step: int = 5

    def __post_init__(self) -> None:
        architecture = Architecture(
            hidden=self.hidden, activation=self.activation, batch_norm=self.batch_norm, initializer="xavier"
        )
        self.network = Network(3, OUTPUTS[self.task], architecture, self.seed, np.float64)
        self.network.configure(Hyperparameters(keep_prob=(self.keep_prob,) * len(self.hidden)))
        self.loss = LOSSES[self.task](self.network.dtype)
        rng = np.random.default_rng(self.seed)
        for _ in range(1000):
            self._draw(rng)
            if self.activation not in KINKED or self._nearest_kink() > 1e-4:
                return
        raise AssertionError("no draw is away from the kinks")

    def _draw(self, rng: np.random.Generator) -> None:
        m, k = 10, OUTPUTS[self.task]
        self.network.parameters[:] = self.network.parameters + rng.normal(0.0, 0.3, self.network.parameters.size)
        # |W| has a kink at 0.
        self.network.weights[np.abs(self.network.weights) < 1e-3] = 0.1
        self.X = rng.normal(0.3, 1.0, (m, 3))
        if self.task == "classes":
            self.Y = np.eye(k)[rng.integers(k, size=m)]
        else:
            self.Y = (rng.random((m, k)) < 0.5).astype(float) if self.task == "binary" else rng.normal(0, 1, (m, k))

    def _nearest_kink(self) -> float:
        """The smallest |z| that any activation is given, computed apart from the code under test."""
        named, A, nearest = self.network.named(self.network.parameters), self.X, np.inf
        for layer in range(1, len(self.hidden) + 1):
            Z = A @ named[f"W{layer}"]
            if self.batch_norm:
                Z = named[f"gamma{layer}"] * (Z - Z.mean(axis=0)) / np.sqrt(Z.var(axis=0) + 1e-5) + named[f"beta{layer}"]
            else:
                Z = Z + named[f"b{layer}"]
            nearest = min(nearest, float(np.abs(Z).min()))
            A = {"relu": np.maximum(Z, 0), "leaky_relu": np.where(Z > 0, Z, 0.01 * Z)}.get(
                self.activation, np.where(Z > 0, Z, np.expm1(np.minimum(Z, 0)))
            )
        return nearest

    def cost(self) -> float:
        cost = self.loss.forward(self.network.forward(self.X, self.step), self.Y, self.smoothing)
        return cost + penalty(self.network.weights, self.l2, self.l1)

    def computed(self) -> np.ndarray:
        net = self.network
        net.gradients[:] = np.nan
        self.cost()
        net.backward(self.loss.backward())
        add_penalty_gradients(net.weight_gradients, net.weights, self.l2, self.l1, np.empty_like(net.weights))
        return net.gradients.copy()

    def numeric(self, epsilon: float = 1e-6) -> np.ndarray:
        parameters, slopes = self.network.parameters, np.full_like(self.network.parameters, np.nan)
        for i, value in enumerate(parameters.copy()):
            parameters[i] = value + epsilon
            up = self.cost()
            parameters[i] = value - epsilon
            slopes[i] = (up - self.cost()) / (2 * epsilon)
            parameters[i] = value
        return slopes


def differences(case: Case, wrong: Callable[[np.ndarray], None] | None = None) -> dict[str, float]:
    """‖numeric - computed‖ / (‖numeric‖ + ‖computed‖) of every parameter tensor."""
    gradients = case.computed()
    if wrong is not None:
        wrong(gradients)
    numeric, computed = case.network.named(case.numeric()), case.network.named(gradients)
    figures = {}
    for name in computed:
        size = np.linalg.norm(numeric[name]) + np.linalg.norm(computed[name])
        # Where the cost does not depend on a tensor, both are rounding errors.
        figures[name] = float(np.linalg.norm(numeric[name] - computed[name]) / size) if size > 1e-8 else 0.0
    return figures


def without_effect(case: Case) -> set[str]:
    """Tensors whose gradient is zero: a shift that goes, unbent, into the next batch norm, which takes it out again."""
    return {name for name, view in case.network.named(case.computed()).items() if np.linalg.norm(view) < 1e-8}


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("l2", [0.0, 0.3])
@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("task", OUTPUTS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_gradient_is_that_of_the_cost(activation: str, task: str, batch_norm: bool, l2: float, seed: int) -> None:
    case = Case(activation, task, batch_norm, l2, seed)
    figures = differences(case)
    assert max(figures.values()) <= FIGURE, figures
    assert without_effect(case) == ({"beta1"} if batch_norm and activation == "linear" else set())


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("task", OUTPUTS)
@pytest.mark.parametrize("activation", ["tanh", "gelu"])
def test_gradients_through_the_dropout_of_one_step(activation: str, task: str, batch_norm: bool) -> None:
    case = Case(activation, task, batch_norm, 0.1, seed=4, keep_prob=0.7)
    assert max(differences(case).values()) <= FIGURE
    dropped = case.computed()
    case.step += 1
    assert not np.allclose(case.computed(), dropped)
    assert max(differences(case).values()) <= FIGURE


@pytest.mark.parametrize("task", OUTPUTS)
@pytest.mark.parametrize("hidden", [(), (5,), (4, 4, 4, 4)])
def test_gradients_at_any_depth(task: str, hidden: tuple[int, ...]) -> None:
    assert max(differences(Case("tanh", task, False, 0.1, seed=5, hidden=hidden)).values()) <= FIGURE


@pytest.mark.parametrize("task", ["classes", "binary"])
def test_gradients_with_label_smoothing_and_l1(task: str) -> None:
    assert max(differences(Case("silu", task, True, 0.1, seed=6, l1=0.05, smoothing=0.2)).values()) <= FIGURE


@pytest.mark.parametrize("tensor", ["W1", "W3", "gamma2", "beta1", "b3"])
def test_one_wrong_element_is_found(tensor: str) -> None:
    case = Case("tanh", "classes", True, 0.1, seed=7)

    def wrong(gradients: np.ndarray) -> None:
        case.network.named(gradients)[tensor].flat[-1] *= 1.001

    figures = differences(case, wrong)
    assert figures.pop(tensor) > 1e-5
    assert max(figures.values()) <= FIGURE
