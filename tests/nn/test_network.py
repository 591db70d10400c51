from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from workbench.hyperparameters import TABLE, Architecture, Hyperparameters
from workbench.nn.initializers import INITIALIZERS
from workbench.nn.losses import LOSSES
from workbench.nn.network import Network, layout
from workbench.optim.optimizers import OPTIMIZERS

FLOAT64 = np.dtype(np.float64)
NORMED = Architecture(hidden=(5, 4), batch_norm=True, activation="tanh")
PLAIN = Architecture(hidden=(5, 4), activation="tanh")


def network(architecture: Architecture = PLAIN, seed: int = 1, dtype: type = np.float64) -> Network:
    return Network(3, 2, architecture, seed, dtype)


def batch(index: int, m: int = 8) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(index)
    return rng.normal(0, 1, (m, 3)), np.eye(2)[rng.integers(2, size=m)]


def train(net: Network, steps: int, optimizer: str = "adam", h: Hyperparameters | None = None) -> None:
    h = h or Hyperparameters()
    rule, loss = OPTIMIZERS[optimizer](net.parameters, net.weights.size), LOSSES["classes"](net.dtype)
    for step in range(1, steps + 1):
        X, Y = batch(step)
        loss.forward(net.forward(X.astype(net.dtype), step), Y.astype(net.dtype))
        net.backward(loss.backward())
        rule.update(net.gradients, 0.05, h)
        net.track_statistics()


# Layout ------------------------------------------------------------------------------------------------------------


def test_weights_come_first_then_the_biases() -> None:
    tensors = layout((3, 5, 4, 2), batch_norm=False)
    assert [(t.name, t.shape) for t in tensors] == [
        ("W1", (3, 5)), ("W2", (5, 4)), ("W3", (4, 2)), ("b1", (1, 5)), ("b2", (1, 4)), ("b3", (1, 2)),
    ]  # fmt: skip


def test_under_batch_norm_gamma_and_beta_take_the_place_of_b_except_at_the_output() -> None:
    tensors = layout((3, 5, 2), batch_norm=True)
    assert [(t.name, t.shape) for t in tensors] == [
        ("W1", (3, 5)), ("W2", (5, 2)), ("gamma1", (1, 5)), ("beta1", (1, 5)), ("b2", (1, 2)),
    ]  # fmt: skip


@pytest.mark.parametrize("batch_norm", [False, True])
def test_tensors_tile_the_buffer_without_gap_or_overlap(batch_norm: bool) -> None:
    net = network(dataclasses.replace(PLAIN, batch_norm=batch_norm))
    for i, view in enumerate(net.named(net.parameters).values(), start=1):
        view[...] = i
    ends = [0, *(t.stop for t in net.tensors)]
    assert [t.start for t in net.tensors] == ends[:-1]
    assert ends[-1] == net.parameters.size == net.gradients.size
    assert (np.diff(net.parameters) >= 0).all()
    assert net.parameters.min() == 1


@pytest.mark.parametrize("architecture", [PLAIN, NORMED, Architecture(hidden=())])
def test_weights_are_a_view_of_every_W_and_nothing_else(architecture: Architecture) -> None:
    net = network(architecture)
    for flat, part in ((net.parameters, net.weights), (net.gradients, net.weight_gradients)):
        assert np.shares_memory(flat, part)
        for name, view in net.named(flat).items():
            assert np.shares_memory(view, flat)
            assert np.shares_memory(view, part) == name.startswith("W")


def test_layers_see_an_edit_of_the_flat_buffer_and_write_their_gradients_to_one() -> None:
    net = network()
    X, Y = batch(0)
    before = net.forward(X, 1).copy()
    net.parameters *= 2
    after = net.forward(X, 1)
    assert not np.allclose(before, after)
    loss = LOSSES["classes"](FLOAT64)
    loss.forward(after, Y)
    net.gradients[:] = np.nan
    net.backward(loss.backward())
    assert np.isfinite(net.gradients).all()


def test_tensor_view_of_a_buffer_with_a_leading_axis_is_a_view_too() -> None:
    flat = np.arange(2 * 12.0).reshape(2, 12)
    W1, b1 = layout((2, 4), batch_norm=False)
    assert W1.view(flat).shape == (2, 2, 4)
    assert np.shares_memory(W1.view(flat), flat)
    assert b1.view(flat)[1].tolist() == [[20, 21, 22, 23]]


def test_network_without_hidden_layer_is_logistic_regression() -> None:
    net = Network(3, 1, Architecture(hidden=()), 1, np.float64)
    X, labels = batch(0)
    y = labels[:, :1]
    named, grads = net.named(net.parameters), net.named(net.gradients)
    named["b1"][...] = 0.3
    loss = LOSSES["binary"](FLOAT64)
    Z = net.forward(X, 1)
    a = 1 / (1 + np.exp(-(X @ named["W1"] + 0.3)))
    loss.forward(Z, y)
    net.backward(loss.backward())
    np.testing.assert_allclose(grads["W1"], X.T @ (a - y) / len(X), rtol=1e-12)
    np.testing.assert_allclose(grads["b1"].item(), (a - y).mean(), rtol=1e-12)


# Initialization ----------------------------------------------------------------------------------------------------


def test_there_is_an_initializer_for_every_choice() -> None:
    assert set(INITIALIZERS) == set(TABLE["initializer"].choices)


@pytest.mark.parametrize("scale", [1.0, 1.5])
@pytest.mark.parametrize(
    ("initializer", "spread"),
    [("he", np.sqrt(2 / 300)), ("xavier", np.sqrt(1 / 300)), ("glorot", np.sqrt(2 / 500)), ("normal", 0.01), ("zeros", 0.0)],
)
def test_spread_of_the_first_weights(initializer: str, spread: float, scale: float) -> None:
    net = Network(300, 5, Architecture(hidden=(200,), initializer=initializer, initializer_scale=scale), 3)
    W = net.named(net.parameters)["W1"].astype(np.float64)
    assert W.std() == pytest.approx(spread * scale, rel=0.05)
    assert abs(W.mean()) <= 0.02 * spread * scale


def test_first_shifts_are_zero_and_gammas_one() -> None:
    for name, view in network(NORMED).named(network(NORMED).parameters).items():
        if not name.startswith("W"):
            assert (view == (1 if name.startswith("gamma") else 0)).all()


def test_first_weights_depend_on_seed_and_layer_only() -> None:
    square = Architecture(hidden=(3, 3, 3))
    first = network(square).named(network(square).parameters)
    assert np.array_equal(first["W2"], network(square).named(network(square).parameters)["W2"])
    assert not np.array_equal(first["W2"], first["W3"])
    assert not np.array_equal(first["W2"], network(square, seed=2).named(network(square, seed=2).parameters)["W2"])
    normed = network(dataclasses.replace(square, batch_norm=True, activation="tanh"))
    assert np.array_equal(first["W2"], normed.named(normed.parameters)["W2"])


def test_float32_and_float64_start_alike() -> None:
    single, double = network(dtype=np.float32), network(dtype=np.float64)
    assert single.parameters.dtype == np.float32
    assert np.array_equal(double.parameters.astype(np.float32), single.parameters)


@pytest.mark.parametrize("architecture", [PLAIN, NORMED])
def test_float32_training_stays_float32_and_near_float64(architecture: Architecture) -> None:
    single, double = network(architecture, dtype=np.float32), network(architecture, dtype=np.float64)
    for net in (single, double):
        train(net, 5, "momentum")
    X = batch(99)[0]
    assert single.infer(X.astype(np.float32)).dtype == np.float32
    np.testing.assert_allclose(single.infer(X.astype(np.float32)), double.infer(X), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
def test_zero_initialization_leaves_the_units_of_a_layer_identical(optimizer: str, activation: str) -> None:
    net = network(Architecture(hidden=(5, 4), initializer="zeros", activation=activation))
    train(net, 10, optimizer)
    named = net.named(net.parameters)
    assert net.parameters.any()
    for name in ("W1", "W2", "b1", "b2"):
        assert np.ptp(named[name], axis=1) == pytest.approx(0, abs=1e-12)
    assert np.ptp(named["W3"], axis=0) == pytest.approx(0, abs=1e-12)


def test_random_initialization_tells_the_units_apart() -> None:
    net = network(Architecture(hidden=(5, 4), activation="sigmoid"))
    train(net, 10)
    assert (np.ptp(net.named(net.parameters)["W1"], axis=1) > 0.01).all()


# Inference ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", [PLAIN, NORMED, dataclasses.replace(PLAIN, activation="gelu"), Architecture(hidden=())])
@pytest.mark.parametrize("keep_prob", [1.0, 0.6])
def test_inference_between_forward_and_backward_changes_nothing(architecture: Architecture, keep_prob: float) -> None:
    nets = [network(architecture) for _ in range(2)]
    gradients = []
    for peek, net in enumerate(nets):
        net.configure(Hyperparameters(keep_prob=(keep_prob,) * len(architecture.hidden)))
        train(net, 3)
        before = [each.copy() for each in (net.parameters, net.gradients, net.statistics)]
        X, Y = batch(50)
        loss = LOSSES["classes"](FLOAT64)
        loss.forward(net.forward(X, 4), Y)
        statistics = net.statistics.copy()
        if peek:
            for m in (8, 3, 20):
                net.infer(batch(60, m)[0])
                list(net.trace(batch(61, m)[0]))
            assert np.array_equal(net.parameters, before[0])
            assert np.array_equal(net.gradients, before[1])
            assert np.array_equal(net.statistics, statistics)
        net.backward(loss.backward())
        net.track_statistics()
        gradients.append(net.gradients.copy())
    assert np.array_equal(gradients[0], gradients[1])
    for unseen, seen in zip(nets[0].running_statistics(), nets[1].running_statistics(), strict=True):
        assert np.array_equal(unseen, seen)


def test_inference_does_not_touch_its_input_and_gives_new_memory() -> None:
    net = network(dataclasses.replace(PLAIN, activation="linear"))
    X = batch(0)[0]
    X_before = X.copy()
    first = net.infer(X)
    kept = first.copy()
    net.infer(batch(1)[0])
    assert np.array_equal(first, kept)
    assert np.array_equal(X, X_before)


def test_nothing_is_dropped_at_test_time() -> None:
    net = network()
    X = batch(0)[0]
    whole = net.forward(X, 1).copy()
    net.configure(Hyperparameters(keep_prob=(0.5, 0.5)))
    assert np.array_equal(net.infer(X), network().infer(X))
    np.testing.assert_allclose(net.infer(X), whole, rtol=1e-13)
    assert not np.allclose(net.forward(X, 1), whole)


def test_dropout_masks_are_a_function_of_the_step() -> None:
    net = network()
    net.configure(Hyperparameters(keep_prob=(0.5, 0.5)))
    X = batch(0)[0]
    first = net.forward(X, 7).copy()
    assert not np.array_equal(net.forward(X, 8), first)
    assert np.array_equal(net.forward(X, 7), first)


def test_keep_prob_is_per_layer() -> None:
    net = network()
    net.configure(Hyperparameters(keep_prob=(1.0, 0.5)))
    net.forward(batch(0)[0], 1)
    assert [layer.dropout.keep_prob for layer in net.layers] == [1.0, 0.5]
    with pytest.raises(ValueError, match="zip"):
        net.configure(Hyperparameters(keep_prob=(1.0,)))


@pytest.mark.parametrize("architecture", [PLAIN, NORMED, Architecture(hidden=())])
def test_trace_shows_every_layer_and_ends_at_the_logits(architecture: Architecture) -> None:
    net = network(architecture)
    train(net, 2)
    X = batch(0)[0]
    traces = list(net.trace(X))
    assert [each.Z.shape for each in traces] == [(8, n) for n in net.sizes[1:]]
    named, A = net.named(net.parameters), X
    for layer, each in enumerate(traces, start=1):
        np.testing.assert_allclose(each.Z, A @ named[f"W{layer}"] + named.get(f"b{layer}", 0), rtol=1e-12, atol=1e-14)
        if layer < len(traces):
            np.testing.assert_allclose(each.A, np.tanh(each.Y) if architecture.hidden else each.Y, rtol=1e-12)
        A = each.A
    assert np.array_equal(traces[-1].A, net.infer(X))
