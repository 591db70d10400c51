"""The gradient check: right where backpropagation is, wrong where it is not, whatever the size; and it says where."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import workbench.engine.objective
import workbench.nn.network
from workbench.data.dataset import DataError
from workbench.data.splits import prepare
from workbench.engine.gradcheck import ALL_ELEMENTS, DIRECTIONS, DRAWN, FINE, GradientCheck, check_gradients
from workbench.engine.trainer import Trainer, Until
from workbench.nn.activations import ACTIVATIONS
from workbench.nn.batchnorm import BatchNorm
from workbench.nn.buffer import Array
from workbench.nn.layers import Dense, Dropout
from workbench.nn.losses import LOSSES, Loss
from workbench.optim.penalties import add_penalty_gradients
from workbench.session.preset import Preset

MakePreset = Callable[..., Preset]
MakeTrainer = Callable[..., Trainer]
Plant = Callable[[pytest.MonkeyPatch], None]

TASKS: dict[str, dict[str, object]] = {"classes": {}, "binary": {"classes": 2}, "regression": {"source": "regression"}}


def checked(preset: Preset) -> GradientCheck:
    return check_gradients(prepare(preset.data, 1), preset.network, preset.training, 1)


def wrong_in(found: GradientCheck) -> set[str]:
    return {each.name for each in found.tensors if not each.right}


# What is right -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"classes": 2, "activation": "tanh", "label_smoothing": 0.1},
        {"source": "regression", "l2": 0.1, "l1": 0.01},
        {"batch_norm": True, "keep_prob": 0.5, "activation": "gelu"},
    ],
)
def test_every_tensor_has_a_figure_and_backpropagation_is_right(make_preset: MakePreset, changes: dict[str, object]):
    found = checked(make_preset(**changes))
    shifts = ["gamma1", "beta1", "gamma2", "beta2"] if "batch_norm" in changes else ["b1", "b2"]
    assert [each.name for each in found.tensors] == ["W1", "W2", "W3", *shifts, "b3"]
    assert found.right
    assert 0 < found.largest < 1e-13
    assert found.elements == found.parameters == sum(each.size for each in found.tensors)
    assert found.directions == ()
    assert all(each.worst == "" for each in found.tensors)
    assert max(each.two_sided for each in found.tensors) < 1e-6


@pytest.mark.parametrize("scale", [1e-12, 1e-3, 2.55, 30.0, 1000.0])
@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_right_gradient_is_right_however_the_weights_are_scaled(
    make_preset: MakePreset, activation: str, batch_norm: bool, scale: float
):
    for task in TASKS.values():
        preset = make_preset(**task, activation=activation, batch_norm=batch_norm, initializer_scale=scale, hidden=[4, 4, 4])
        assert wrong_in(checked(preset)) == set()


@pytest.mark.parametrize("task", TASKS)
def test_a_right_gradient_is_right_where_it_has_vanished_or_exploded(
    make_preset: MakePreset, make_trainer: MakeTrainer, task: str
):
    for activation, scale in (("sigmoid", 0.01), ("linear", 30.0)):
        changes = {**TASKS[task], "activation": activation, "initializer_scale": scale, "hidden": [3] * 10}
        size = sizes_of_first_gradients(make_trainer(**changes))["W1"]
        assert 0 < size < 1e-12 or size > 1e12
        assert checked(make_preset(**changes)).right


def sizes_of_first_gradients(trainer: Trainer) -> dict[str, float]:
    """The largest element of each tensor's gradient at the first step."""
    for _ in trainer.run(until=Until(steps=1)):
        pass
    network = trainer.state.network
    return {name: float(np.abs(view).max()) for name, view in network.named(network.gradients).items()}


def test_where_all_is_rounding_it_says_so(make_preset: MakePreset):
    # The next batch norm takes a shift that nothing has bent out again.
    found = checked(make_preset(batch_norm=True, activation="linear"))
    assert found.right
    rounding = {each.name: each.rounding for each in found.tensors}
    assert rounding.pop("beta1") > 1
    assert max(rounding.values()) < FINE


def test_a_corner_has_the_slope_that_backpropagation_gives_it(make_preset: MakePreset):
    # With weights of zero every unit is given exactly 0, and L1 as well; the biases have the gradient of what is above.
    for activation in ACTIVATIONS:
        assert checked(make_preset(activation=activation, initializer="zeros", l1=0.1)).right


def test_the_same_is_found_each_time(make_preset: MakePreset):
    preset = make_preset(batch_norm=True, keep_prob=0.5)
    assert checked(preset) == checked(preset)


# What is wrong -----------------------------------------------------------------------------------------------------


def dense(change: Callable[[Dense], None]) -> Plant:
    """Dense layers whose stored gradients are changed."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        right = Dense.accumulate

        def wrong(self: Dense, dZ: Array) -> None:
            right(self, dZ)
            change(self)

        patch.setattr(Dense, "accumulate", wrong)

    return plant


def double_weights(layer: Dense) -> None:
    layer.dW *= 2


def double_bias(layer: Dense) -> None:
    if layer.db is not None:
        layer.db *= 2


def forget_an_example(layer: Dense) -> None:
    layer.dW -= layer._X[:1].T @ np.ones((1, layer.dW.shape[1])) * 1e-9


def wrong_result(owner: type, name: str, change: Callable[[Any, Array, Array], Array]) -> Plant:
    """A method whose result is changed; the change is given the object, a copy of the argument, and the result."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        right = getattr(owner, name)

        def wrong(self: Any, *given: Array) -> Array:
            kept = given[0].copy() if given else np.empty(0)
            return change(self, kept, right(self, *given))

        patch.setattr(owner, name, wrong)

    return plant


def scaled_parameters_of_norm(attribute: str) -> Callable[[BatchNorm, Array, Array], Array]:
    def change(norm: BatchNorm, dY: Array, dZ: Array) -> Array:
        getattr(norm, attribute)[...] *= 1.001
        return dZ

    return change


def without_variance(norm: BatchNorm, dY: Array, dZ: Array) -> Array:
    return (dY - norm.dbeta / len(dY)) * norm._scale


def without_mean(norm: BatchNorm, dY: Array, dZ: Array) -> Array:
    return dZ + norm.dbeta / len(dY) * norm._scale


def penalties(l2: float, l1: float) -> Plant:
    """Gradients of other penalties than those of the cost."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        def wrong(gradients: Array, weights: Array, true_l2: float, true_l1: float, scratch: Array) -> None:
            add_penalty_gradients(gradients, weights, l2 * true_l2, l1 * true_l1, scratch)

        patch.setattr(workbench.engine.objective, "add_penalty_gradients", wrong)

    return plant


def forget_smoothing(patch: pytest.MonkeyPatch) -> None:
    right = Loss.forward

    def wrong(self: Loss, Z: Array, Y: Array, smoothing: float = 0.0) -> float:
        cost = right(self, Z, Y, smoothing)
        self._each += self._smoothed(Y, smoothing) - Y
        return cost

    patch.setattr(Loss, "forward", wrong)


WEIGHTS = {"W1", "W2", "W3"}
BELOW = {"W1", "W2", "b1", "b2"}
"""What is below the output, from which a wrong hidden layer cannot be seen."""
PLANTED: dict[str, tuple[Plant, dict[str, object], set[str]]] = {
    "dW doubled": (dense(double_weights), {}, WEIGHTS),
    "db doubled": (dense(double_bias), {}, {"b1", "b2", "b3"}),
    "dW a little off": (dense(forget_an_example), {}, WEIGHTS),
    "dX a billionth too large": (wrong_result(Dense, "backward", lambda _, __, dX: dX * (1 + 1e-9)), {}, BELOW),
    "dgamma": (
        wrong_result(BatchNorm, "backward", scaled_parameters_of_norm("dgamma")),
        {"batch_norm": True},
        {"gamma1", "gamma2"},
    ),
    "dbeta": (
        wrong_result(BatchNorm, "backward", scaled_parameters_of_norm("dbeta")),
        {"batch_norm": True},
        {"beta1", "beta2"},
    ),
    "batch norm's variance taken for constant": (
        wrong_result(BatchNorm, "backward", without_variance),
        {"batch_norm": True},
        {"W1", "W2", "gamma1", "beta1"},
    ),
    "batch norm's mean taken for constant": (
        wrong_result(BatchNorm, "backward", without_mean),
        {"batch_norm": True},
        {"W1", "W2", "gamma1", "beta1"},
    ),
    "no mask of dropout": (wrong_result(Dropout, "backward", lambda _, dA, __: dA * 2.0), {"keep_prob": 0.5}, BELOW),
    "no factor of dropout": (wrong_result(Dropout, "backward", lambda _, __, dA: dA * 0.5), {"keep_prob": 0.5}, BELOW),
    "no L2": (penalties(0, 1), {"l2": 0.1, "l1": 0.1}, WEIGHTS),
    "twice the L2": (penalties(2, 1), {"l2": 0.1, "l1": 0.1}, WEIGHTS),
    "no L1": (penalties(1, 0), {"l2": 0.1, "l1": 0.1}, WEIGHTS),
    "L1 the other way": (penalties(1, -1), {"l2": 0.1, "l1": 0.1}, WEIGHTS),
    "smoothed labels": (forget_smoothing, {"label_smoothing": 0.1}, WEIGHTS | {"b1", "b2", "b3"}),
    "smoothed labels of two classes": (
        forget_smoothing,
        {"classes": 2, "label_smoothing": 0.1},
        WEIGHTS | {"b1", "b2"},  # as many examples of one class as of the other: the sum for the last bias is as it was
    ),
    **{
        f"loss of {task}": (
            wrong_result(LOSSES[task], "backward", lambda _, __, dZ: dZ * (1 + 1e-9)),
            changes,
            WEIGHTS | {"b1", "b2", "b3"},
        )
        for task, changes in TASKS.items()
    },
}


@pytest.mark.parametrize("what", PLANTED)
def test_a_wrong_gradient_is_found_in_the_tensors_that_have_it(
    make_preset: MakePreset, monkeypatch: pytest.MonkeyPatch, what: str
):
    plant, changes, expected = PLANTED[what]
    preset = make_preset(activation="tanh", **changes)
    assert checked(preset).right
    plant(monkeypatch)
    found = checked(preset)
    assert not found.right
    assert wrong_in(found) == expected


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_wrong_slope_of_an_activation_is_found(make_preset: MakePreset, monkeypatch: pytest.MonkeyPatch, activation: str):
    right = ACTIVATIONS[activation]

    def wrong(dA: Array, kept: Array) -> Array:
        return right.backward(dA * (1 + 1e-9), kept)

    changed = {**ACTIVATIONS, activation: dataclasses.replace(right, backward=wrong)}
    monkeypatch.setattr(workbench.nn.network, "ACTIVATIONS", changed)
    assert wrong_in(checked(make_preset(activation=activation))) == BELOW


def test_the_other_slope_in_a_corner_is_found(make_preset: MakePreset, monkeypatch: pytest.MonkeyPatch):
    right = ACTIVATIONS["relu"]

    def wrong(dA: Array, A: Array) -> Array:
        return np.multiply(dA, np.greater_equal(A, 0.0), out=dA)

    monkeypatch.setattr(workbench.nn.network, "ACTIVATIONS", {**ACTIVATIONS, "relu": dataclasses.replace(right, backward=wrong)})
    assert wrong_in(checked(make_preset())) == BELOW


@pytest.mark.parametrize("activation", ["sigmoid", "linear"])
def test_a_doubled_gradient_is_found_where_all_of_it_is_below_a_billionth(
    make_preset: MakePreset, make_trainer: MakeTrainer, monkeypatch: pytest.MonkeyPatch, activation: str
):
    changes = {"source": "regression", "noise": 0.0, "activation": activation, "initializer_scale": 1e-3, "hidden": [4] * 5}
    sizes = sizes_of_first_gradients(make_trainer(**changes))
    first = {"W1", "b1"}
    assert all(0 < sizes[name] < 1e-9 for name in first)
    assert checked(make_preset(**changes)).right
    right = Dense.accumulate

    def wrong(self: Dense, dZ: Array) -> None:
        right(self, dZ)
        if self.dW.shape[0] != 4:  # the first layer's: the others have four inputs
            self.dW *= 2
            assert self.db is not None
            self.db *= 2

    monkeypatch.setattr(Dense, "accumulate", wrong)
    found = checked(make_preset(**changes))
    assert wrong_in(found) == first
    assert all(each.difference == pytest.approx(0.5, rel=1e-6) for each in found.tensors if each.name in first)


def test_the_worst_element_of_a_wrong_tensor_is_named(make_preset: MakePreset, monkeypatch: pytest.MonkeyPatch):
    def change(layer: Dense) -> None:
        layer.dW[0, 1] += 0.5

    dense(change)(monkeypatch)
    found = checked(make_preset())
    assert wrong_in(found) == WEIGHTS
    assert all(each.worst.startswith("worst at [0, 1]: ") for each in found.tensors if each.name in WEIGHTS)


# Large networks ----------------------------------------------------------------------------------------------------


def test_of_a_large_network_elements_are_drawn_and_directions_are_taken(make_preset: MakePreset, monkeypatch: pytest.MonkeyPatch):
    preset = make_preset(hidden=[150, 150], activation="tanh", batch_norm=True)
    found = checked(preset)
    assert found.right
    assert found.parameters > ALL_ELEMENTS
    assert [each.elements for each in found.tensors] == [min(DRAWN, each.size) for each in found.tensors]
    assert len(found.directions) == DIRECTIONS
    assert 0 < found.largest_along < 1e-13

    def change(layer: Dense) -> None:
        if layer.dW.shape == (150, 150):
            layer.dW[70, 90] *= 1.01

    # One element of 22,500 that is not among those drawn: only the directions are across it.
    dense(change)(monkeypatch)
    missed = checked(preset)
    assert wrong_in(missed) == set()
    assert missed.largest_along > FINE
    assert not missed.right


def test_data_that_cannot_be_trained_on_is_the_callers_to_tell(make_preset: MakePreset):
    preset = make_preset(batch_norm=True, examples=3, dev_fraction=0.4, test_fraction=0.4)
    with pytest.raises(DataError, match=r"data\.examples: only 1"):
        checked(preset)
