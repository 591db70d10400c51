"""The guard over the cost, early stopping's memory, and going on past either."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workbench.data.dataset import Dataset
from workbench.engine.commands import Command, PassGuard, SetHyperparameter, scripted
from workbench.engine.events import Diverged, Evaluated, Event, Finished, GuardPassed, StepTaken, StoppedEarly
from workbench.engine.guard import BestSoFar, Guard
from workbench.engine.trainer import Trainer, Until
from workbench.hyperparameters import TABLE, Hyperparameters
from workbench.run.run import Run
from workbench.session.preset import Preset, find_presets, load_preset
from workbench.session.session import Session
from workbench.session.store import read_session

MakeTrainer = Callable[..., Trainer]
MakePreset = Callable[..., Preset]
OPTIMIZERS = TABLE["optimizer"].choices
WILD = ("learning_rate", 3000.0)
"""With plain gradient descent and tanh the cost then is large, and finite."""
CALM: dict[str, Any] = {"optimizer": "gradient_descent", "activation": "tanh", "learning_rate": 0.05}


def trained(trainer: Trainer, steps: int, *edits: tuple[int, str, Any]) -> list[Event]:
    return list(trainer.run(scripted(edits), Until(steps=steps)))


def commanded(trainer: Trainer, steps: int, *commands: Command) -> list[Event]:
    waiting = list(commands)

    def source(step: int) -> Iterable[Command]:
        while waiting:
            yield waiting.pop(0)

    return list(trainer.run(source, Until(steps=steps)))


def costs_of(events: list[Event]) -> list[float]:
    return [event.cost for event in events if isinstance(event, StepTaken)]


def dev_costs_of(events: list[Event]) -> list[tuple[int, float]]:
    return [(event.step, event.dev.cost) for event in events if isinstance(event, Evaluated) and event.dev is not None]


def expected_trip(costs: list[float], factor: float, steps: int) -> int:
    """The step (from 1) whose update is not committed, told from the costs alone; 0 for none."""
    value, product, above = 0.0, 1.0, 0
    for step, cost in enumerate(costs, start=1):
        average = value / (1 - product) if step > 1 else math.inf
        if cost > factor * average:
            above += 1
            if above == steps:
                return step
        else:
            above = 0
            value, product = 0.98 * value + 0.02 * cost, 0.98 * product
    return 0


# The cost ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [1.5, 3.0, 10.0])
@pytest.mark.parametrize("steps", [1, 2, 5, 10])
def test_it_stops_before_the_update_whose_cost_is_the_last_of_so_many_too_high(
    make_trainer: MakeTrainer, factor: float, steps: int
):
    free = make_trainer(**CALM, guard_factor=0.0)
    costs = costs_of(trained(free, 60, (20, *WILD)))
    at = expected_trip(costs, factor, steps)
    assert at > 20
    guarded = make_trainer(**CALM, guard_factor=factor, guard_steps=steps)
    events = trained(guarded, 60, (20, *WILD))
    stop = events[-1]
    assert isinstance(stop, Diverged)
    assert (stop.step, stop.good, guarded.state.step) == (at, at - steps - 1, at - 1)
    assert len(stop.rows) in (6, 8)
    assert f"more than {factor:g} times its average" in stop.reason
    before = make_trainer(**CALM, guard_factor=0.0)
    trained(before, at - 1, (20, *WILD))
    assert guarded.state.digest() == before.state.digest()
    # The first high cost is that of the weights that step `good` + 1 made.
    assert all(cost > factor * np.mean(costs[:20]) / 2 for cost in costs[stop.good + 1 : at])


def test_told_to_look_only_for_what_is_not_finite_it_lets_the_cost_rise(make_trainer: MakeTrainer):
    events = trained(make_trainer(**CALM, guard_factor=0.0), 60, (20, *WILD))
    assert isinstance(events[-1], Finished)
    assert max(costs_of(events)) > 20 * np.mean(costs_of(events)[:20])


def test_switched_off_and_on_again_by_edits_it_heeds_them(make_trainer: MakeTrainer):
    off = trained(make_trainer(**CALM, guard_steps=2), 60, (20, *WILD), (20, "guard_factor", 0.0))
    assert isinstance(off[-1], Finished)
    on = trained(make_trainer(**CALM, guard_factor=0.0), 60, (20, "guard_factor", 10.0), (20, "guard_steps", 2), (20, *WILD))
    assert isinstance(on[-1], Diverged)
    assert on[-1].step < 30


def test_a_single_high_cost_is_no_reason_to_stop(make_trainer: MakeTrainer):
    trainer = make_trainer(**CALM, guard_factor=3.0, guard_steps=2)
    events = trained(with_X(trainer, 17, 1e6), 40)
    assert isinstance(events[-1], Finished)


def edits_of_meaning() -> Iterator[tuple[str, Any]]:
    yield from [("l2", 1000.0), ("l1", 1000.0), ("label_smoothing", 0.9)]


@pytest.mark.parametrize(("name", "value"), edits_of_meaning())
def test_where_an_edit_changes_what_the_cost_means_it_is_averaged_anew(make_trainer: MakeTrainer, name: str, value: Any):
    trainer = make_trainer(**{**CALM, "learning_rate": 0.5}, batch_size=54, guard_factor=1.01, guard_steps=1)
    before = max(costs_of(trained(trainer, 60))[30:])
    events = trained(trainer, 61, (60, name, value))
    assert isinstance(events[-1], Finished)
    assert costs_of(events)[0] > 1.01 * before


def test_a_keep_prob_that_is_edited_starts_the_average_anew():
    guard, h = Guard(), Hyperparameters(keep_prob=(1.0, 1.0), guard_factor=2.0, guard_steps=1)
    guard.record(1.0, h, 1.0)
    assert guard.trips(5.0, h, 1.0)
    dropping = dataclasses.replace(h, keep_prob=(0.5, 1.0))
    assert not guard.trips(5.0, dropping, 1.0)
    guard.record(5.0, dropping, 1.0)
    assert guard.average == pytest.approx(5.0)
    assert not guard.trips(9.0, dropping, 1.0)
    assert guard.trips(11.0, dropping, 1.0)


def test_the_first_cost_whatever_it_is_is_no_reason_to_stop():
    guard, h = Guard(), Hyperparameters(keep_prob=(1.0, 1.0), guard_factor=2.0, guard_steps=1)
    assert guard.average == math.inf
    assert not guard.trips(1e30, h, 1.0)


def test_high_costs_are_not_averaged_and_a_low_one_between_them_begins_the_count_anew():
    guard, h = Guard(), Hyperparameters(keep_prob=(1.0, 1.0), guard_factor=2.0, guard_steps=3)
    guard.record(1.0, h, 1.0)
    for _ in range(5):
        for _ in range(2):
            assert not guard.trips(100.0, h, 1.0)
            guard.record(100.0, h, 1.0)
        assert guard.trips(100.0, h, 1.0)
        assert not guard.trips(1.0, h, 1.0)
        guard.record(1.0, h, 1.0)
        assert guard.average == pytest.approx(1.0)
        assert not guard.trips(100.0, h, 1.0)


def test_ten_times_next_to_nothing_is_nothing():
    """A cost of a hundredth of what one has who ignores X is no different from 0."""
    guard, h = Guard(), Hyperparameters(keep_prob=(), guard_factor=10.0, guard_steps=1)
    for _ in range(100):
        guard.record(1e-6, h, 2.0)
    assert not guard.trips(0.199, h, 2.0)
    assert guard.trips(0.201, h, 2.0)
    guard.record(0.199, h, 2.0)
    assert guard.above == 0


# A run that is stopped and goes on ---------------------------------------------------------------------------------


def test_what_the_guard_has_seen_outlives_a_snapshot_at_any_event(make_trainer: MakeTrainer):
    settings = {**CALM, "guard_factor": 3.0, "guard_steps": 6}
    whole = make_trainer(**settings)
    snapshots = []
    for event in whole.run(scripted([(20, *WILD)]), Until(steps=60)):
        snapshots.append((whole.state.snapshot(), whole.hyperparameters))
        stop = event
    assert isinstance(stop, Diverged)
    for snapshot, hyperparameters in snapshots:
        cut = make_trainer(**settings)
        cut.restore(snapshot, hyperparameters)
        rest = [] if hyperparameters.learning_rate == WILD[1] else [(20, *WILD)]
        assert trained(cut, 60, *rest)[-1] == stop


def test_so_it_does_a_file(make_preset: MakePreset, tmp_path: Path):
    preset, path = make_preset(**CALM, guard_factor=3.0, guard_steps=6), tmp_path / "s.toml"
    whole = Run(Session(preset=preset, seed=1))
    events = list(whole.events(scripted([(20, *WILD)]), lambda: False, Until(steps=60)))
    stop = [event for event in events if isinstance(event, Diverged)]
    for step in range(stop[0].step - 7, stop[0].step):
        run = Run(Session(preset=preset, seed=1))
        for _ in run.events(scripted([(20, *WILD)] if step >= 20 else []), lambda: False, Until(steps=step)):
            pass
        run.save(path)
        run = Run(read_session(path), path)
        rest = [(20, *WILD)] if step < 20 else []
        again = [event for event in run.events(scripted(rest), lambda: False, Until(steps=60)) if isinstance(event, Diverged)]
        assert again == stop


# Going on all the same ---------------------------------------------------------------------------------------------


def with_X(trainer: Trainer, row: int, value: float) -> Trainer:
    """The same run, with one feature of one train example replaced."""
    X = trainer.splits.train.X.copy()
    X[row, 0] = value
    splits = dataclasses.replace(trainer.splits, train=Dataset(X, trainer.splits.train.Y))
    return Trainer(splits, trainer.data, trainer.architecture, trainer.hyperparameters, seed=1)


def test_a_cost_that_has_risen_is_committed_when_it_is_passed_and_averaged_anew(make_trainer: MakeTrainer):
    free, guarded = make_trainer(**CALM, guard_factor=0.0), make_trainer(**CALM, guard_factor=10.0, guard_steps=2)
    stop = trained(guarded, 60, (20, *WILD))[-1]
    assert isinstance(stop, Diverged)
    events = commanded(guarded, stop.step, PassGuard())
    assert [type(event) for event in events[:2]] == [GuardPassed, StepTaken]
    trained(free, stop.step, (20, *WILD))
    assert guarded.state.digest() == free.state.digest()
    assert guarded.state.guard.average == pytest.approx(costs_of(events)[0])


@pytest.mark.parametrize("bad", [np.inf, np.nan, 3e38])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_a_mini_batch_that_is_not_finite_is_left_out_when_it_is_passed_and_all_else_goes_on(
    make_trainer: MakeTrainer, bad: float, batch_norm: bool
):
    trainer = with_X(make_trainer(batch_norm=batch_norm), 17, bad)
    passed = []
    while trainer.state.step < 21:
        last = trained(trainer, 21)[-1]
        if isinstance(last, Diverged):
            assert last.good == last.step - 1
            assert 17 in last.rows
            epoch, number = divmod(last.step - 1, 7)
            done = epoch + min(8 * (number + 1), 54) / 54
            parameters = trainer.state.network.parameters.copy()
            moments = [each.value.copy() for each in trainer.state.optimizer.moments.values()]
            (taken,) = (event for event in commanded(trainer, last.step, PassGuard()) if isinstance(event, StepTaken))
            assert math.isnan(taken.cost)
            assert trainer.state.step == last.step
            assert trainer.state.batches.progress == pytest.approx(done)
            np.testing.assert_array_equal(trainer.state.network.parameters, parameters)
            for each, was in zip(trainer.state.optimizer.moments.values(), moments, strict=True):
                np.testing.assert_array_equal(each.value, was)
            passed.append(last.step)
    assert [(step - 1) // 7 for step in passed] == [0, 1, 2]
    assert all(np.isfinite(tensor).all() for name, tensor in trainer.state.snapshot().tensors.items() if name != "epoch_cost")


def test_what_is_passed_holds_for_one_step_only(make_trainer: MakeTrainer):
    trainer = with_X(make_trainer(), 17, np.inf)
    commanded(trainer, 1, PassGuard())
    stops = [event for event in trained(trainer, 40) if isinstance(event, Diverged)]
    assert len(stops) == 1


# What is not finite, layer by layer --------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("tensor", ["W1", "W2", "W3", "b1", "b2", "b3"])
def test_a_weight_that_is_not_finite_is_found_at_once_and_its_layer_named(make_trainer: MakeTrainer, tensor: str, bad: float):
    trainer = make_trainer(hidden=[4, 4], activation="tanh" if np.isnan(bad) else "linear")
    trained(trainer, 3)
    trainer.state.network.named(trainer.state.network.parameters)[tensor].flat[0] = bad
    before = trainer.state.digest()
    stop = trained(trainer, 9)[-1]
    assert isinstance(stop, Diverged)
    assert stop.step == 4
    assert trainer.state.digest() == before
    layer = int(tensor[1])
    expected = f"; layer {layer} is the first whose output is not finite" if layer < 3 else ""
    assert stop.reason.endswith(expected)
    assert stop.reason.startswith(("the cost is nan", "the cost is inf"))


# Rolled back -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("settings", [{}, {"batch_norm": True}], ids=str)
def test_the_largest_rate_is_rolled_back_to_a_good_state(make_preset: MakePreset, optimizer: str, settings: dict[str, Any]):
    run = Run(Session(preset=make_preset(optimizer=optimizer, **settings), seed=1))
    for _ in run.events(scripted([]), lambda: False, Until(steps=20)):
        pass
    good = run.result()
    *_, last = run.events(scripted([(20, "learning_rate", 1e30)]), lambda: False, Until(steps=200))
    now = run.result()
    assert all(np.isfinite(each).all() for each in run.trainer.state.snapshot().tensors.values())
    assert isinstance(last, Diverged)
    assert run.trainer.state.step == last.good <= 20
    assert now.train.cost <= 1.5 * good.train.cost


@pytest.mark.parametrize("name", [path.stem for path in find_presets()])
def test_no_shipped_preset_is_stopped_by_the_guard(name: str):
    run = Run(Session(preset=load_preset(name), seed=1))
    stops = [event for event in run.events(scripted([]), lambda: False, Until(steps=300)) if isinstance(event, Diverged)]
    assert stops == []


# The best so far ---------------------------------------------------------------------------------------------------


def test_the_best_is_the_first_of_the_least_costs_and_nan_never_is():
    best = BestSoFar()
    for step, cost in enumerate([math.nan, 3.0, 2.0, math.nan, 2.0, math.inf]):
        best.record(step, cost)
    assert (best.step, best.cost, best.waited) == (2, 2.0, 3)
    best.record(5, 0.1)  # seen already
    assert (best.step, best.waited) == (2, 3)
    again = BestSoFar()
    again.restore(best.tensor())
    again.record(5, 0.1)
    assert again.tensor().tolist() == best.tensor().tolist()


def test_a_dev_set_with_an_infinite_feature_has_no_best(make_trainer: MakeTrainer):
    trainer = make_trainer(evaluate_every=1, patience=4)
    assert trainer.splits.dev is not None
    X = trainer.splits.dev.X.copy()
    X[0, 0] = np.inf
    splits = dataclasses.replace(trainer.splits, dev=Dataset(X, trainer.splits.dev.Y))
    trainer = Trainer(splits, trainer.data, trainer.architecture, trainer.hyperparameters, seed=1)
    last = trained(trainer, 30)[-1]
    assert isinstance(last, StoppedEarly)
    assert (last.step, last.best) == (3, 0)
    assert trainer.state.best.cost == math.inf


@pytest.mark.parametrize("patience", [1, 3])
def test_early_stopping_comes_after_so_many_evaluations_without_a_better_dev_cost(make_trainer: MakeTrainer, patience: int):
    settings = {"learning_rate": 0.3, "evaluate_every": 2}
    free = make_trainer(**settings)
    devs = dev_costs_of(trained(free, 80))
    best, waited, expected = math.inf, 0, 0
    for step, cost in devs:
        waited = 0 if cost < best else waited + 1
        best = min(best, cost)
        if waited == patience:
            expected = step
            break
    assert expected
    trainer = make_trainer(**settings, patience=patience)
    last = trained(trainer, 80)[-1]
    assert isinstance(last, StoppedEarly)
    assert (last.step, trainer.state.step, last.cost) == (expected, expected, best)
    assert isinstance(trained(trainer, expected)[-1], Finished)
    assert isinstance(commanded(trainer, expected + 1, SetHyperparameter("patience", 0))[-1], Finished)


def test_without_a_dev_set_patience_never_ends(make_trainer: MakeTrainer):
    events = trained(make_trainer(dev_fraction=0.0, patience=1, evaluate_every=1, learning_rate=0.5), 40)
    assert isinstance(events[-1], Finished)
