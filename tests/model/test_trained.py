"""A trained network as a value: it answers as the network did, on raw features, and keeps nothing else of the training."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest

from workbench.data.dataset import Task
from workbench.data.preprocessing import Normalization, Preprocessing
from workbench.model.blueprint import Blueprint, NoModel
from workbench.model.trained import TrainedModel, WrongColumns, beside_the_state
from workbench.nn.losses import LOSSES
from workbench.nn.network import Network

TASKS = {"classes": (Task.CLASSES, 3, 3), "binary": (Task.BINARY, 1, 2), "regression": (Task.REGRESSION, 2, 0)}


def blueprint_of(task: str = "classes", **changes: Any) -> Blueprint:
    kind, outputs, classes = TASKS[task]
    names = tuple(f"class {number}" for number in range(classes))
    plain = Blueprint(
        sizes=(4, 5, 3, outputs), activation="tanh", batch_norm=False, batchnorm_epsilon=1e-3, task=kind, class_names=names,
        feature_names=("a", "b", "c", "d"),
    )  # fmt: skip
    return dataclasses.replace(plain, **changes)


def trained(blueprint: Blueprint, random: np.random.Generator, steps: int = 3) -> Network:
    """A network of this shape with random weights, that has seen some mini-batches."""
    network = blueprint.network()
    network.parameters[...] = random.standard_normal(network.parameters.size)
    for step in range(steps):
        network.forward(random.standard_normal((8, blueprint.sizes[0])).astype(np.float32), step)
        network.track_statistics()
    return network


def normalization(random: np.random.Generator) -> Normalization:
    return Normalization.of(random.standard_normal((50, 4)) * 3 + 7)


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(3)


@pytest.mark.parametrize("steps", [0, 1, 3])
@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("normalized", [False, True])
@pytest.mark.parametrize("task", TASKS)
def test_it_answers_as_the_network_to_the_bit(
    random: np.random.Generator, task: str, normalized: bool, batch_norm: bool, steps: int
):
    blueprint = blueprint_of(task, batch_norm=batch_norm)
    network, norm = trained(blueprint, random, steps), normalization(random)
    preprocessing = Preprocessing(norm if normalized else None)
    model = TrainedModel.of(network, blueprint, preprocessing)
    raw = random.standard_normal((20, 4)) * 3 + 7  # float64, as a file gives it
    Z = network.infer(norm.apply(raw) if normalized else raw.astype(np.float32))
    assert model.logits(raw).dtype == np.float32
    np.testing.assert_array_equal(model.logits(raw), Z)
    P = LOSSES[task](Z.dtype).predict(Z)
    np.testing.assert_array_equal(model.predict(raw)[:, -1:], P[:, -1:])
    if task == "regression":
        np.testing.assert_array_equal(model.predict(raw), Z)
    else:
        assert model.predict(raw).shape == (20, len(blueprint.class_names))
        np.testing.assert_allclose(model.predict(raw).sum(axis=1), 1, atol=1e-6)
        expected = Z.argmax(axis=1) if task == "classes" else (P[:, 0] > 0.5).astype(int)
        np.testing.assert_array_equal(model.classes(raw), expected)


def test_it_stays_as_it_is_when_training_goes_on(random: np.random.Generator):
    blueprint = blueprint_of(batch_norm=True)
    network = trained(blueprint, random)
    model, raw = TrainedModel.of(network, blueprint, Preprocessing()), random.standard_normal((6, 4))
    before = model.logits(raw)
    network.parameters += 1
    network.forward(raw.astype(np.float32), 4)
    network.track_statistics()
    np.testing.assert_array_equal(model.logits(raw), before)
    for array in (*model.tensors.values(), model.running[0].mean, model.running[1].var):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


def test_its_parts_are_what_a_forward_pass_by_hand_needs(random: np.random.Generator):
    blueprint, norm = blueprint_of(batch_norm=True), normalization(random)
    model = TrainedModel.of(trained(blueprint, random), blueprint, Preprocessing(norm))
    assert list(model.tensors) == ["W1", "W2", "W3", "gamma1", "beta1", "gamma2", "beta2", "b3"]
    raw = random.standard_normal((6, 4))
    A, T = (raw - norm.mean) / norm.std, model.tensors
    for l, running in enumerate(model.running, start=1):
        Z = A @ T[f"W{l}"].astype(np.float64)
        Z = (Z - running.mean) / np.sqrt(running.var + blueprint.batchnorm_epsilon)
        A = np.tanh(T[f"gamma{l}"] * Z + T[f"beta{l}"])
    np.testing.assert_allclose(model.logits(raw), A @ T["W3"] + T["b3"], atol=1e-4)


@pytest.mark.parametrize("task", ["classes", "binary"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_where_a_logit_is_not_finite_there_is_no_class(random: np.random.Generator, task: str, bad: float):
    blueprint = blueprint_of(task, activation="linear")
    model = TrainedModel.of(trained(blueprint, random), blueprint, Preprocessing())
    raw = random.standard_normal((5, 4))
    raw[2, 0] = bad
    assert model.classes(raw)[2] == -1
    assert (model.classes(raw)[[0, 1, 3, 4]] >= 0).all()


def test_a_regression_has_no_classes(random: np.random.Generator):
    blueprint = blueprint_of("regression")
    with pytest.raises(ValueError, match="no classes"):
        TrainedModel.of(trained(blueprint, random), blueprint, Preprocessing()).classes(np.zeros((1, 4)))


@pytest.mark.parametrize("shape", [(4,), (2, 3), (2, 5), (2, 4, 1), (0, 3)])
@pytest.mark.parametrize("method", ["logits", "predict", "classes"])
def test_rows_of_another_width_are_refused(random: np.random.Generator, method: str, shape: tuple[int, ...]):
    blueprint = blueprint_of()
    model = TrainedModel.of(trained(blueprint, random), blueprint, Preprocessing())
    with pytest.raises(WrongColumns, match="expected rows of 4 features"):
        getattr(model, method)(np.zeros(shape))


def test_no_rows_give_no_answers(random: np.random.Generator):
    blueprint = blueprint_of()
    model = TrainedModel.of(trained(blueprint, random), blueprint, Preprocessing())
    assert model.predict(np.zeros((0, 4))).shape == (0, 3)
    assert model.classes(np.zeros((0, 4))).shape == (0,)


# In a checkpoint ---------------------------------------------------------------------------------------------------


def kept(blueprint: Blueprint, network: Network, preprocessing: Preprocessing) -> tuple[dict[str, Any], dict[str, str]]:
    """What a checkpoint holds: of the state only what a network has."""
    state = {name: view.copy() for name, view in network.named(network.parameters).items()}
    if network.running is not None:
        state |= {"running": network.running.value.copy(), "running.product": np.array([network.running.product])}
    tensors, facts = beside_the_state(blueprint, preprocessing)
    assert not set(state) & set(tensors)
    return state | tensors, facts


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("normalized", [False, True])
@pytest.mark.parametrize("hidden", [(), (5, 3)])
def test_from_a_checkpoint_it_is_the_same(
    random: np.random.Generator, hidden: tuple[int, ...], normalized: bool, batch_norm: bool
):
    blueprint = blueprint_of(batch_norm=batch_norm, sizes=(4, *hidden, 3), image_shape=(2, 2))
    preprocessing = Preprocessing(normalization(random) if normalized else None)
    network = trained(blueprint, random)
    model = TrainedModel.of(network, blueprint, preprocessing)
    again = TrainedModel.from_checkpoint(*kept(blueprint, network, preprocessing))
    assert again.blueprint == blueprint
    raw = random.standard_normal((9, 4))
    np.testing.assert_array_equal(again.logits(raw), model.logits(raw))


@pytest.mark.parametrize("name", ["", "\ud800", "a\udfff b", "\x00\n", '"\\', "größer ≥ 1", "[bold]x", "\U0001f40d", "x" * 5000])
def test_odd_names_survive_in_plain_ascii(random: np.random.Generator, name: str):
    blueprint = blueprint_of(class_names=("a", name, "c"), feature_names=(name, name, "c", "d"))
    facts = blueprint.facts()
    assert all(text.isascii() for text in facts.values())
    assert Blueprint.from_facts(facts) == blueprint


def test_without_the_fact_it_says_what_to_do():
    with pytest.raises(NoModel, match=r"saved by an earlier workbench.*open the session and save it once"):
        Blueprint.from_facts({"step": "3"})


@pytest.mark.parametrize(
    "damage",
    [
        {"format": 2},
        {"sizes": [4]},
        {"sizes": [4, 0, 3]},
        {"sizes": "4, 3"},
        {"sizes": [4, 5, 3, 4]},
        {"sizes": [4, 10**12, 3]},
        {"activation": "magic"},
        {"task": "clustering"},
        {"task": "binary"},
        {"class_names": ["a"]},
        {"class_names": [1, 2, 3]},
        {"feature_names": ["a"]},
        {"image_shape": [3, 3]},
        {"batchnorm_epsilon": "small"},
        {"batch_norm": True},
    ],
)
def test_what_does_not_belong_together_is_refused(random: np.random.Generator, damage: dict[str, Any]):
    blueprint = blueprint_of()
    tensors, facts = kept(blueprint, trained(blueprint, random), Preprocessing())
    facts["model"] = json.dumps({**json.loads(facts["model"]), **damage})
    with pytest.raises(NoModel):
        TrainedModel.from_checkpoint(tensors, facts)


@pytest.mark.parametrize("text", ["", "[]", "3", "null", "{}", '{"format": 1}', "[" * 100_000, '{"format": ' + "9" * 5000 + "}"])
def test_a_fact_that_is_none_is_refused(text: str):
    with pytest.raises(NoModel, match="cannot be read"):
        Blueprint.from_facts({"model": text})


@pytest.mark.parametrize("name", ["W1", "b3", "gamma2", "running", "running.product", "preprocessing.mean", "preprocessing.std"])
def test_a_tensor_that_is_missing_or_of_another_shape_is_named(random: np.random.Generator, name: str):
    blueprint = blueprint_of(batch_norm=True)
    tensors, facts = kept(blueprint, trained(blueprint, random), Preprocessing(normalization(random)))
    with pytest.raises(NoModel, match=f"tensor {name}: expected"):
        TrainedModel.from_checkpoint({each: tensor for each, tensor in tensors.items() if each != name}, facts)
    with pytest.raises(NoModel, match=f"tensor {name}: expected"):
        TrainedModel.from_checkpoint({**tensors, name: np.zeros((7, 7), np.float32)}, facts)
