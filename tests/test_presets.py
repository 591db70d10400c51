"""The shipped presets: each can be read, trained and checked, and shows what its description promises."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import tomli
from threadpoolctl import threadpool_limits

from workbench.data.splits import prepare
from workbench.engine.commands import scripted
from workbench.engine.events import Diverged, EpochsEnded, Evaluated, Event, Finished, StepsTaken
from workbench.engine.gradcheck import FINE, check_gradients
from workbench.engine.measurements import BatchNormStatistics, Score
from workbench.engine.state import State
from workbench.engine.trainer import Until
from workbench.optim.usage import unused_because
from workbench.run.run import Run
from workbench.session.preset import Preset, find_presets, load_preset, read_preset
from workbench.session.session import Session

PROMISED = (
    "batchnorm-sigmoid", "circles", "digits", "digits-panda", "exploding-gradients", "logistic-regression", "moons", "overfit",
    "plain-sigmoid", "regression", "shallow-tanh", "spiral", "underfit", "vanishing-gradients", "xor", "zero-init",
)  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """These networks are small: more threads only get into each other's way."""
    with threadpool_limits(1, user_api="blas"):
        yield


@dataclass(frozen=True)
class Trained:
    """A run as it went: `cost` and `gradient_norm` per step, evaluations by step, the last event and the state."""

    cost: np.ndarray
    gradient_norm: np.ndarray
    evaluated: dict[int, Evaluated]
    end: Finished | Diverged
    state: State

    @property
    def train(self) -> Score:
        """At the end."""
        assert isinstance(self.end, Finished)
        return self.end.train

    @property
    def dev(self) -> Score:
        """At the end."""
        assert isinstance(self.end, Finished)
        assert self.end.dev is not None
        return self.end.dev

    def dev_at(self, step: int) -> Score:
        score = self.evaluated[step].dev
        assert score is not None
        return score

    def devs(self, first: int, last: int) -> list[Score]:
        """Of the evaluations after these steps."""
        return [self.dev_at(step) for step in self.evaluated if first <= step <= last]


def train(preset: str | Preset, steps: int, edits: list[tuple[int, str, Any]] | None = None, **changes: Any) -> Trained:
    chosen = load_preset(preset) if isinstance(preset, str) else preset
    for name, value in changes.items():
        chosen = chosen.with_value(name, value)
    run = Run(Session(preset=chosen, seed=1))
    columns: list[StepsTaken] = []
    others: list[Event] = []
    for event in run.events(scripted(edits or []), lambda: False, Until(steps=steps)):
        if isinstance(event, StepsTaken):
            columns.append(event)
        elif not isinstance(event, EpochsEnded):
            others.append(event)
    end = others[-1]
    assert isinstance(end, (Finished, Diverged))
    return Trained(
        cost=np.concatenate([each.cost for each in columns]),
        gradient_norm=np.concatenate([each.gradient_norm for each in columns]),
        evaluated={each.step: each for each in others if isinstance(each, Evaluated)},
        end=end,
        state=run.trainer.state,
    )


# All of them


def test_the_promised_presets_are_shipped():
    assert sorted(path.stem for path in find_presets()) == sorted(PROMISED)


@pytest.mark.parametrize("name", PROMISED)
def test_it_is_read_strictly_and_says_what_to_look_for(name: str):
    preset = load_preset(name)
    assert preset.conflicts() == []
    assert 0 < len(preset.title) <= 60
    lines = preset.description.strip().splitlines()
    assert 2 <= len(lines) <= 5
    assert max(map(len, lines)) <= 130


@pytest.mark.parametrize("name", PROMISED)
def test_no_setting_in_it_is_without_effect(name: str):
    preset = load_preset(name)
    (path,) = (path for path in find_presets() if path.stem == name)
    given = tomli.loads(path.read_text(encoding="utf-8"))["training"]
    assert [key for key in given if unused_because(key, preset.training, preset.network.batch_norm)] == []
    assert preset.training.batch_size <= len(Run(Session(preset=preset, seed=1)).trainer.splits.train.X)


@pytest.mark.parametrize("name", PROMISED)
def test_it_trains_and_is_evaluated_on_the_way(name: str):
    preset = load_preset(name)
    trained = train(preset, 30)
    assert isinstance(trained.end, Finished)
    assert np.isfinite(trained.cost).all()
    assert trained.end.test is not None
    # Often enough to see the curve bend, seldom enough for the training to go on.
    per_epoch = math.ceil(trained.state.batches.examples / preset.training.batch_size)
    assert 10 <= (preset.training.evaluate_every or per_epoch) <= 200
    assert 1000 <= preset.training.epochs * per_epoch <= 400_000


def largest_difference(preset: Preset) -> float:
    return check_gradients(prepare(preset.data, seed=1), preset.network, preset.training, seed=1).largest


@pytest.mark.parametrize("name", PROMISED)
def test_its_gradients_are_right(name: str):
    assert largest_difference(load_preset(name)) <= FINE


def test_the_gradient_check_of_zero_init_is_of_a_first_layer_without_gradient():
    network = train("zero-init", 1).state.network
    gradients = network.named(network.gradients)
    assert not gradients["W1"].any()
    assert gradients["W2"].any()
    assert largest_difference(load_preset("zero-init").with_value("initializer", "xavier")) <= FINE


# What each is there to show


def test_digits_reaches_three_percent_within_its_epochs():
    preset = load_preset("digits")
    run = Run(Session(preset=preset, seed=1))
    for event in run.events(scripted([]), lambda: False):
        if isinstance(event, Evaluated) and event.dev is not None and event.dev.error <= 0.03:
            break
    assert isinstance(event, (Evaluated, Finished))
    assert event.dev is not None
    assert event.dev.error <= 0.03
    assert event.epoch <= preset.training.epochs


def test_digits_inspects_batch_norm():
    trained = train("digits", 1400, [(700, "batch_size", 4)])

    def scatter(norm: BatchNormStatistics) -> float:
        return float(np.sqrt(np.mean((norm.batch_mean - norm.running_mean) ** 2 / norm.running_var)))

    def scatters(first: int, last: int) -> list[float]:
        found = [each.layers for step, each in trained.evaluated.items() if first <= step <= last]
        return [scatter(layer.batchnorm) for layers in found for layer in layers if layer.batchnorm is not None]

    assert np.mean(scatters(701, 1400)) > 1.5 * np.mean(scatters(350, 700))
    norm = trained.evaluated[max(trained.evaluated)].layers[0].batchnorm
    assert norm is not None
    assert np.ptp(norm.gamma) > 0.2
    assert np.ptp(norm.beta) > 0.2


def test_digits_panda_crawls_until_it_is_rescued():
    crawling = train("digits-panda", 2000)
    rescued = train("digits-panda", 2000, [(1000, "learning_rate", 0.003)])
    assert crawling.dev.error > 0.7
    assert rescued.dev.error < 0.06
    assert crawling.cost[-100:].mean() > 0.85 * crawling.cost[100:200].mean()


def test_digits_panda_is_not_mended_by_going_back_from_a_rate_of_one():
    trained = train("digits-panda", 2000, [(500, "learning_rate", 1.0), (1000, "learning_rate", 0.003)], guard_factor=0.0)
    assert trained.cost[500:600].max() > 10 * trained.cost[400:500].max()
    assert trained.dev.error > 0.5


def test_digits_panda_is_stopped_by_the_guard_soon_after_a_rate_of_one():
    trained = train("digits-panda", 2000, [(500, "learning_rate", 1.0)])
    assert isinstance(trained.end, Diverged)
    assert 500 <= trained.end.good < trained.end.step <= 530
    assert trained.state.step == trained.end.good


def test_logistic_regression_is_as_good_as_can_be_long_before_its_cost_is():
    slow = train("logistic-regression", 2000)
    fast = train("logistic-regression", 2000, [(1000, "learning_rate", 1.0)])
    for step in (100, 2000):
        assert slow.dev_at(step).error == pytest.approx(0.077, abs=0.01)
    assert slow.dev.cost > 0.35
    assert fast.dev.cost == pytest.approx(0.19, abs=0.02)
    assert fast.dev.error == pytest.approx(slow.dev.error, abs=0.003)


def test_shallow_tanh_rests_on_a_shelf_that_a_larger_rate_leaves():
    trained = train("shallow-tanh", 1400, [(400, "learning_rate", 1.0)])
    on_the_shelf = trained.evaluated[400]
    assert on_the_shelf.train.cost == pytest.approx(0.28, abs=0.03)
    assert on_the_shelf.train.error == pytest.approx(0.12, abs=0.02)
    assert trained.cost[-1] < 0.05
    assert train("shallow-tanh", 2000).cost[-1] > 0.1


def test_zero_init_keeps_the_units_copies_of_one_another():
    trained = train("zero-init", 1500)
    network = trained.state.network
    named = network.named(network.parameters)
    for name, axis in (("W1", 1), ("gamma1", 1), ("beta1", 1), ("W2", 0)):
        assert np.abs(named[name]).max() > 0.05, "it has learned something"
        assert np.ptp(named[name], axis=axis).max() <= 1e-5 * np.abs(named[name]).max()
    assert trained.dev.error == pytest.approx(0.12, abs=0.03)


def test_zero_init_started_from_other_weights_does_better():
    assert train("zero-init", 18_000, initializer="xavier", evaluate_every=6000).dev.error < 0.03


def test_spiral_jumps_until_the_rate_is_lowered():
    trained = train("spiral", 12_000, [(8000, "learning_rate", 0.002)])
    assert min(each.error for each in trained.devs(1, 1000)) < 0.03
    assert trained.cost[1000:8000].max() > 1
    assert trained.cost[9000:].max() < 1
    assert trained.cost[9000:].mean() < trained.cost[1000:8000].mean() / 3


def test_circles_costs_less_noise_with_larger_batches():
    trained = train("circles", 4000, [(2000, "batch_size", 512), (3000, "batch_size", 3000)])
    small, medium, full = (trained.cost[first : first + 500].std() for first in (1500, 2500, 3500))
    assert small > 4 * medium > 12 * full
    assert trained.dev_at(2000).error <= 0.015


def test_xor_rests_on_a_saddle_that_adam_leaves():
    resting = train("xor", 3000)
    assert np.abs(resting.cost - np.log(2)).max() < 0.002
    assert resting.gradient_norm[:1000].max() < 0.01
    assert train("xor", 1200, [(1000, "optimizer", "adam"), (1000, "learning_rate", 0.01)]).cost[-1] < 0.4


def test_moons_overfits_until_the_weights_are_penalized():
    alone = train("moons", 12_000)
    assert alone.evaluated[12_000].train.error < 0.05
    assert alone.dev.error > 0.08
    assert alone.dev.cost > 2 * min(each.cost for each in alone.devs(1, 12_000))
    penalized = train("moons", 14_000, [(10_000, "l2", 0.003)])
    before = penalized.dev_at(10_000).cost
    assert penalized.dev_at(10_100).cost > before
    assert max(each.cost for each in penalized.devs(13_000, 14_000)) < before


def test_regression_settles_at_the_noise_once_the_rate_falls():
    trained = train("regression", 9000, [(4000, "schedule", "inverse_time")])
    jumping, settled = ([each.error for each in trained.devs(*steps)] for steps in ((1000, 4000), (7000, 9000)))
    assert settled == pytest.approx([0.1] * len(settled), abs=0.01)
    assert max(settled) < np.mean(jumping)
    assert np.ptp(settled) < np.ptp(jumping) / 4


def test_exploding_gradients_are_the_factor_to_the_power_of_the_layers():
    exploding = train("exploding-gradients", 1, evaluate_every=1)
    plain = train("exploding-gradients", 1, evaluate_every=1, initializer_scale=1.0)
    expected = 1.5**30
    assert exploding.cost[0] > 10_000 * plain.cost[0]
    assert plain.cost[0] == pytest.approx(np.log(3), abs=0.3)
    assert exploding.gradient_norm[0] > 100_000
    assert plain.gradient_norm[0] < 10
    for large, small in zip(exploding.evaluated[1].layers, plain.evaluated[1].layers, strict=True):
        assert expected / 10 < large.gradient_norm / small.gradient_norm < expected * 10


def test_exploding_gradients_diverge_without_adam_and_are_stopped_before_the_bad_update():
    trained = train("exploding-gradients", 200, [(100, "optimizer", "gradient_descent")])
    assert isinstance(trained.end, Diverged)
    assert trained.end.step <= 110
    assert np.isfinite(trained.state.network.parameters).all()


def test_vanishing_gradients_span_five_decades_and_adam_trains_through_them():
    trained = train("vanishing-gradients", 4000, [(1000, "optimizer", "adam"), (1000, "learning_rate", 0.003)])
    for step in (100, 500):
        norms = [layer.gradient_norm for layer in trained.evaluated[step].layers]
        assert norms[::2] == sorted(norms[::2])
        assert norms[-1] > 1e5 * norms[0]
    assert {each.error for each in trained.devs(1, 1000)} == {0.5}
    assert trained.dev.error < 0.05


def test_batch_norm_is_far_ahead_of_plain_sigmoids_and_nothing_else_differs():
    normalized, plain = (read_preset(path) for path in find_presets() if path.stem.endswith("-sigmoid"))
    assert plain.with_value("batch_norm", True).network == normalized.network
    assert (plain.data, plain.training) == (normalized.data, normalized.training)
    assert train(normalized, 108).dev.error < 0.1
    slow = train(plain, 1300)
    assert min(each.error for each in slow.devs(1, 1300)) > 0.1
    assert slow.cost[:250] == pytest.approx(np.full(250, np.log(10)), abs=0.2)


def test_plain_sigmoids_hurry_with_a_larger_rate():
    trained = train("plain-sigmoid", 700, [(54, "learning_rate", 0.5)])
    assert min(each.error for each in trained.devs(1, 700)) < 0.1


def test_batch_norm_bears_a_larger_rate():
    large, small = (train("batchnorm-sigmoid", 360, [(54, "learning_rate", rate)]) for rate in (1.0, 0.1))
    assert large.train.cost < small.train.cost / 2
