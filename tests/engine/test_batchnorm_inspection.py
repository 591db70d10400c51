from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import pytest

from workbench.data.dataset import Dataset, Task
from workbench.data.splits import Splits
from workbench.engine.batchnorm_inspection import (
    DRAWS,
    GAP_EXAMPLES,
    LARGEST,
    NOISE_EXAMPLES,
    drift,
    inspect_batchnorm,
    measure_gap,
    measure_lags,
    measure_noise,
)
from workbench.engine.commands import scripted
from workbench.engine.measurements import BatchNormInspection, Concern
from workbench.engine.trainer import Trainer, Until
from workbench.hyperparameters import Architecture, Hyperparameters
from workbench.nn.losses import LOSSES
from workbench.nn.network import Network

MakeTrainer = Callable[..., Trainer]


def part(examples: int, columns: int = 8, classes: int = 3, seed: int = 0) -> Dataset:
    random = np.random.default_rng(seed)
    X = random.normal(size=(examples, columns)).astype(np.float32)
    return Dataset(X, np.eye(classes, dtype=np.float32)[random.integers(classes, size=examples)])


def splits(train: Dataset, dev: Dataset | None) -> Splits:
    return Splits(
        train=train, dev=dev, test=None, task=Task.CLASSES, class_names=(), image_shape=None, feature_names=(), normalization=None
    )


def network(hidden: tuple[int, ...] = (6, 5), columns: int = 8, batch_norm: bool = True, **settings: Any) -> Network:
    return Network(columns, 3, Architecture(hidden=hidden, batch_norm=batch_norm, **settings), seed=1)


def settings(**changes: Any) -> Hyperparameters:
    return Hyperparameters(**{"keep_prob": (1.0, 1.0), "batch_size": 32, **changes})


def look(net: Network, data: Splits, h: Hyperparameters | None = None, seed: int = 1, step: int = 1) -> BatchNormInspection:
    found = inspect_batchnorm(net, data, data.task, h or settings(), seed, step)
    assert found is not None
    return found


def remember(net: Network, mean: Any, var: Any) -> None:
    """Set the running statistics of a network of one hidden layer, as if many mini-batches had had these."""
    assert net.running is not None
    n = net.sizes[1]
    net.running.value[:n], net.running.value[n:] = mean, var
    net.running.product = 0.0


def of_layer(found: BatchNormInspection, layer: int) -> list[Concern]:
    return [concern for concern in found.concerns if concern.layer == layer]


def test_a_network_without_batch_norm_has_nothing_to_inspect():
    data = splits(part(50), part(20))
    assert inspect_batchnorm(network(batch_norm=False), data, data.task, settings(), 1, 1) is None


# --- the gap


def test_there_is_no_gap_where_the_running_statistics_are_those_of_the_only_mini_batch():
    net, dev = network((6,)), part(200, seed=3)
    Z = net.layers[0].dense.infer(dev.X)
    remember(net, Z.mean(axis=0), Z.var(axis=0))
    gap = measure_gap(net, splits(part(50), dev), Task.CLASSES, batch_size=200)
    assert gap.running_cost == pytest.approx(gap.batch_cost, rel=1e-6)
    assert gap.running_error == gap.batch_error
    assert (gap.part, gap.examples, gap.batch_size) == ("dev", 200, 200)


@pytest.mark.parametrize(
    ("examples", "lengths"),
    [(50, (16, 16, 16, 2)), (49, (16, 16, 17)), (48, (16, 16, 16)), (17, (17,)), (9, (9,))],
)
def test_the_other_scores_are_those_of_training_weighted_by_length(examples: int, lengths: tuple[int, ...]):
    net, dev = network(), part(examples, seed=3)
    gap = measure_gap(net, splits(part(50), dev), Task.CLASSES, batch_size=16)
    loss = LOSSES["classes"](net.dtype)
    cost = wrong = 0.0
    for start, stop in pairwise(np.cumsum((0, *lengths)).tolist()):
        Z = net.forward(dev.X[start:stop], 1)
        cost += loss.forward(Z, dev.Y[start:stop]) * (stop - start)
        wrong += float(loss.mistakes(Z, dev.Y[start:stop]).sum())
    assert gap.batch_cost == pytest.approx(cost / examples, rel=1e-5)
    assert gap.batch_error == pytest.approx(wrong / examples)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("constant", [1e4, -7.3e6])
def test_the_other_scores_of_constant_columns_are_those_of_training(dtype: type[np.floating], constant: float):
    # √ε makes a ẑ of what is off in the mean of a constant column.
    drawn = part(303)
    train = Dataset(np.full_like(drawn.X, constant), drawn.Y)
    net = Network(8, 3, Architecture(hidden=(6, 5), batch_norm=True), 1, dtype)
    expected = LOSSES[Task.CLASSES](net.dtype).forward(net.forward(train.X, 1), train.Y)
    found = measure_gap(net, splits(train, None), Task.CLASSES, 303)
    assert found.batch_cost == pytest.approx(expected, rel=1e-7)


def test_the_gap_is_without_dropout():
    data = splits(part(50), part(60, seed=3))
    net = network()
    plain = measure_gap(net, data, data.task, 16)
    net.configure(settings(keep_prob=(0.5, 0.5)))
    assert measure_gap(net, data, data.task, 16) == plain


def test_train_stands_in_where_there_is_no_dev_set():
    data = splits(part(50), None)
    gap = look(network(), data).gap
    assert (gap.part, gap.examples) == ("train", 50)
    cost = LOSSES["classes"](np.dtype(np.float32)).forward(network().infer(data.train.X), data.train.Y)
    assert gap.running_cost == pytest.approx(cost)


def test_a_single_example_has_no_statistics_of_its_own():
    gap = look(network(), splits(part(50), part(1))).gap
    assert math.isfinite(gap.running_cost)
    assert math.isnan(gap.batch_cost)
    assert math.isnan(gap.batch_error)


def test_no_more_examples_are_looked_at_than_promised():
    found = look(network(), splits(part(NOISE_EXAMPLES + 500), part(GAP_EXAMPLES + 500)))
    assert (found.gap.examples, found.noise.examples) == (GAP_EXAMPLES, NOISE_EXAMPLES)


# --- the noise


def test_the_noise_of_normal_data_is_that_of_theory():
    # Inputs are normal, so z of the first layer is; that of the second, behind a tanh, still has means that err by 1/√m.
    noise = measure_noise(network((40, 40), columns=30, activation="tanh"), part(1000, columns=30), seed=3, step=7)
    assert noise.sizes.tolist() == [2, 4, 8, 16, 32, 64, 128, 256, 512]
    assert noise.mean_theory == pytest.approx([m**-0.5 for m in (2, 4, 8, 16, 32, 64, 128, 256, 512)])
    np.testing.assert_allclose(noise.mean, np.broadcast_to(noise.mean_theory, (2, 9)), rtol=0.06)
    np.testing.assert_allclose(noise.variance[0], np.sqrt(2 / (noise.sizes - 1)), rtol=0.06)


def test_heavy_tails_make_the_variance_noisier_than_that_of_normal_data():
    X = np.random.default_rng(5).laplace(size=(1000, 40))
    net = network((40,), columns=40)
    net.named(net.parameters)["W1"][...] = np.eye(40)
    noise = measure_noise(net, Dataset(X.astype(np.float32), part(1000).Y), seed=1, step=1)
    kurtosis = (((X - X.mean(axis=0)) / X.std(axis=0)) ** 4).mean()
    exact = np.sqrt((kurtosis - 3) / noise.sizes + 2 / (noise.sizes - 1))
    np.testing.assert_allclose(noise.variance[0], exact, rtol=0.06)
    np.testing.assert_allclose(noise.mean[0], noise.mean_theory, rtol=0.06)
    assert (noise.variance[0] > 1.2 * noise.variance_theory).all()


@pytest.mark.parametrize(("examples", "sizes"), [
    (1, []), (2, [2]), (7, [2, 4]), (8, [2, 4, 8]), (5000, [2**k for k in range(1, 10)]),
])  # fmt: skip
def test_sizes_go_up_to_what_there_is(examples: int, sizes: list[int]):
    found = look(network(), splits(part(examples), part(20)))
    assert found.noise.sizes.tolist() == sizes
    assert found.noise.sizes.max(initial=0) <= LARGEST
    assert found.noise.mean.shape == found.noise.variance.shape == (2, len(sizes))


def test_the_same_seed_and_step_draw_the_same_mini_batches_and_others_draw_others():
    net, train = network(), part(100)
    first, again, other_step, other_seed = (measure_noise(net, train, *at).mean for at in ((1, 5), (1, 5), (1, 6), (2, 5)))
    assert first.tobytes() == again.tobytes()
    assert (first != other_step).all()
    assert (first != other_seed).all()


def test_units_that_are_constant_have_no_part_in_the_noise():
    net, train = network((6,)), part(300)
    net.named(net.parameters)["W1"][:, 2] = 0.0
    noise = measure_noise(net, train, 1, 1)
    np.testing.assert_allclose(noise.mean[0], noise.mean_theory, rtol=0.2)
    net.named(net.parameters)["W1"][...] = 0.0
    assert np.isnan(measure_noise(net, train, 1, 1).mean).all()


# --- the lag


def test_the_lag_is_in_running_standard_deviations():
    net = network((3,))
    remember(net, [1.0, -2.0, 0.5], [4.0, 1.0, 0.25])
    net.statistics[:] = [3.0, -2.0, 0.0, 4.0, math.e, 0.25]
    (lag,) = measure_lags(net)
    np.testing.assert_allclose(lag.distance, [1.0, 0.0, 1.0], rtol=1e-4)
    np.testing.assert_allclose(lag.log_ratio, [0.0, -1.0, 0.0], atol=1e-4)
    assert lag.layer == 1


def test_before_the_first_mini_batch_there_is_no_lag_and_nothing_is_stale():
    found = look(network(), splits(part(200), part(100)))
    assert [len(lag.distance) for lag in found.lags] == [6, 5]
    assert all(np.isnan(lag.distance).all() and np.isnan(lag.log_ratio).all() for lag in found.lags)
    assert found.concerns == ()


def test_there_is_no_lag_behind_a_mini_batch_of_another_step(make_trainer: MakeTrainer):
    trainer, other = (make_trainer(batch_norm=True) for _ in range(2))
    list(trainer.run(until=Until(steps=3)))
    early = trainer.state.snapshot()
    other.state.restore(early)  # has seen no mini-batch at all
    list(trainer.run(until=Until(steps=40)))
    trainer.state.restore(early)  # still has the statistics of step 40
    for lag in (*measure_lags(other.state.network), *measure_lags(trainer.state.network, seen=False)):
        assert np.isnan(lag.distance).all()
    data, h = trainer.splits, trainer.hyperparameters
    found = inspect_batchnorm(trainer.state.network, data, data.task, h, 1, 3, seen=False)
    assert found is not None
    assert np.isnan(found.lags[0].distance).all()


def test_after_one_mini_batch_the_average_is_that_mini_batch():
    net, data = network(), splits(part(200), part(100))
    net.forward(data.train.X[:50], 1)
    net.track_statistics()
    for lag in look(net, data).lags:
        np.testing.assert_allclose(lag.distance, 0.0, atol=1e-5)
        np.testing.assert_allclose(lag.log_ratio, 0.0, atol=1e-5)


# --- concerns


@pytest.mark.parametrize(("batch_size", "train", "concerned"), [
    (4, 300, True), (8, 300, True), (15, 300, True), (16, 300, False), (64, 300, False),
    (64, 10, False),  # all examples at once: every mini-batch is the same
    (9, 10, False),  # nearly so
    (7, 9, True),
])  # fmt: skip
def test_small_mini_batches_are_a_concern(batch_size: int, train: int, concerned: bool):
    found = look(network(), splits(part(train), part(100)), settings(batch_size=batch_size)).concerns
    assert [f"mini-batches of {batch_size} " in concern.text for concern in found] == [True] * concerned


def test_the_concern_about_small_mini_batches_has_its_numbers():
    (found,) = look(network(), splits(part(1024), part(100)), settings(batch_size=4)).concerns
    assert (found.layer, found.unit) == (0, -1)
    assert "0.5 σ" in found.text  # 1/√4


def test_running_statistics_are_stale_after_batchnorm_beta_was_edited_close_to_one(make_trainer: MakeTrainer):
    # Averages of the first steps, kept almost for good, while the weights go on.
    edits = [(8, "batchnorm_beta", 0.99999)]
    problem = {"source": "moons", "examples": 400, "noise": 0.2, "hidden": (16, 16), "learning_rate": 0.1, "batch_size": 16}
    stale, fresh = (make_trainer(batch_norm=True, **problem) for _ in range(2))
    for trainer, timeline in ((stale, edits), (fresh, [])):
        list(trainer.run(scripted(timeline), Until(steps=150)))
    found, well = (look(t.state.network, t.splits, t.hyperparameters, step=150) for t in (stale, fresh))
    assert found.gap.running_cost > 1.5 * found.gap.batch_cost
    texts = [concern.text for concern in of_layer(found, 0)]
    assert any("0.99999" in text and "100,000 mini-batches" in text for text in texts)
    assert not any("running" in concern.text for concern in well.concerns)


def test_running_means_far_from_the_last_mini_batch_are_a_concern_of_their_layer():
    net, data = network((3,)), splits(part(200), part(100))
    net.forward(data.train.X[:50], 1)
    remember(net, net.statistics[:3] + [1.5, 1.5, 0.0] * np.sqrt(net.statistics[3:]), net.statistics[3:])
    assert any("1.5 σ" in concern.text for concern in of_layer(look(net, data), 1))
    remember(net, net.statistics[:3] + [1.5, 0.5, 0.0] * np.sqrt(net.statistics[3:]), net.statistics[3:])
    assert not of_layer(look(net, data), 1)


def test_gains_near_zero_are_named_with_their_units():
    net, data = network((6,)), splits(part(200), part(100))
    net.named(net.parameters)["gamma1"][0, [1, 4]] = -0.019, 0.021
    (concern,) = look(net, data).concerns
    assert (concern.layer, concern.unit) == (1, 1)
    assert "-0.019" in concern.text
    net.named(net.parameters)["gamma1"][...] = 0.0
    (concern,) = look(net, data).concerns
    assert (concern.layer, concern.unit) == (1, -1)
    assert "6 units" in concern.text


def test_variances_near_epsilon_are_named_with_their_units():
    net, data = network((6,)), splits(part(200), part(100))
    net.forward(data.train.X, 1)
    var = net.statistics[6:].copy()
    var[2] = 3e-5
    remember(net, net.statistics[:6], var)
    (concern,) = [each for each in look(net, data).concerns if "ε" in each.text]
    assert (concern.layer, concern.unit) == (1, 2)
    assert "0.87" in concern.text  # √(3/4)


# --- state and transport


def frozen(trainer: Trainer) -> list[bytes]:
    """All that training reads or has written, byte by byte."""
    net = trainer.state.network
    arrays = [net.parameters, net.gradients, net.statistics]
    assert net.running is not None
    arrays += [net.running.value, np.array(net.running.product)]
    for layer in net.layers:
        norm = layer.batchnorm
        assert norm is not None
        arrays += [layer.A, layer._cache, layer.dense._X, layer.dense._Z._view]
        arrays += [norm._Zc, norm._root, norm._scale, norm._out._view, layer.dropout._mask._view, layer.dropout._stream._counter]
    return [array.tobytes() for array in [*arrays, net.output._X, net.output._Z._view]] + [trainer.state.digest().encode()]


def test_a_look_changes_nothing_and_training_goes_on_as_without_it(make_trainer: MakeTrainer):
    looked, left_alone = (make_trainer(batch_norm=True, keep_prob=0.8, evaluate_every=3) for _ in range(2))
    for trainer in (looked, left_alone):
        list(trainer.run(until=Until(steps=10)))
    before = frozen(looked)
    np.random.seed(0)  # noqa: NPY002
    global_state = np.random.random(3)  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002
    look(looked.state.network, looked.splits, looked.hyperparameters, step=10)
    assert frozen(looked) == before
    assert (np.random.random(3) == global_state).all()  # noqa: NPY002
    for trainer in (looked, left_alone):
        list(trainer.run(until=Until(steps=20)))
    assert looked.state.digest() == left_alone.state.digest()


def test_what_was_found_is_made_of_small_plain_values():
    net, data = network(), splits(part(300), part(100))
    net.forward(data.train.X[:50], 1)
    net.track_statistics()
    found = look(net, data, settings(batch_size=2))

    def as_list(value: Any) -> Any:
        assert isinstance(value, np.ndarray)
        assert value.ndim in (1, 2)
        assert value.dtype in (np.float64, np.float32, np.int64)
        return value.tolist()

    assert len(msgspec.msgpack.encode(found, enc_hook=as_list)) < 10_000
    assert found.noise.draws == DRAWS


@pytest.mark.parametrize("harm", [np.nan, np.inf, 1e30])
def test_a_network_that_has_diverged_can_still_be_looked_at(harm: float):
    net, data = network(), splits(part(300), part(100))
    net.forward(data.train.X[:50], 1)
    net.track_statistics()
    net.parameters[:20] = harm
    found = look(net, data)
    assert found.noise.mean.shape == (2, 8)


@pytest.mark.parametrize("task", [Task.REGRESSION, Task.BINARY])
def test_other_tasks_have_errors_of_their_own(task: Task):
    random = np.random.default_rng(0)
    X, Y = random.normal(size=(80, 8)), random.integers(2, size=(80, 1))
    data = Dataset(X.astype(np.float32), Y.astype(np.float32))
    net = Network(8, 1, Architecture(hidden=(4,), batch_norm=True), seed=1)
    Z = net.infer(data.X)
    wrong = np.sqrt(np.mean((Z - data.Y) ** 2)) if task is Task.REGRESSION else np.mean((Z > 0) != (data.Y > 0.5))
    assert measure_gap(net, splits(data, None), task, 80).running_error == pytest.approx(float(wrong), rel=1e-5)


# --- the drift


def vectors(*values: float) -> np.ndarray:
    return np.array(values)


@pytest.mark.parametrize(("then", "now", "distance"), [
    ((0.0, 1.0), (0.0, 1.0), 0.0),
    ((0.0, 1.0), (1.0, 1.0), 1.0),
    ((1.0, 1.0), (0.0, 1.0), 1.0),
    ((0.0, 1.0), (0.0, 2.0), 0.5),
    ((0.0, 2.0), (0.0, 1.0), 1.0),
    ((0.0, 2.0), (3.0, 6.0), 5 / 6),
    ((5.0, 0.0), (7.0, 0.0), 0.0),
    ((0.0, 0.0), (1.0, 1.0), math.sqrt(2)),
    ((0.0, 1.0), (0.0, 0.0), math.sqrt(8)),  # in halves of the pooled √½
])  # fmt: skip
def test_the_drift_of_a_unit(then: tuple[float, float], now: tuple[float, float], distance: float):
    assert drift(*map(vectors, then), *map(vectors, now)) == pytest.approx(distance)


def test_the_drift_of_a_layer_is_the_root_mean_square_over_its_units_constant_ones_included():
    ones = np.ones(4)
    assert drift(0 * ones, ones, vectors(2.0, 0, 0, 0), ones) == pytest.approx(1.0)
    assert drift(0 * ones, vectors(1, 0, 0, 0), vectors(1.0, 5, 5, 5), vectors(1, 0, 0, 0)) == pytest.approx(0.5)


def test_the_drift_has_no_unit_of_measure():
    random = np.random.default_rng(0)
    then, now = random.normal(size=(2, 6)), random.normal(size=(2, 6))
    once = drift(then[0], abs(then[1]), now[0], abs(now[1]))
    assert drift(7 * then[0], 7 * abs(then[1]), 7 * now[0], 7 * abs(now[1])) == pytest.approx(once)


def test_a_unit_that_hardly_varies_does_not_drown_the_others():
    # Its mean moves by a thousandth of the layer's σ, which is ten thousand of its own.
    assert drift(vectors(0, 0), vectors(1, 1e-7), vectors(0, 1e-3), vectors(1, 1e-7)) < 0.1
