"""What is told of costs and gradients means what it says: data and penalty apart, norms before and after clipping."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from workbench.engine.commands import SetHyperparameter, scripted
from workbench.engine.events import Evaluated, Event, StepTaken, StoppedEarly
from workbench.engine.trainer import Trainer, Until
from workbench.optim.penalties import penalty

Trainers = Callable[..., Trainer]


def of(events: list[Event], kind: type) -> list[Event]:
    return [event for event in events if isinstance(event, kind)]


@pytest.mark.parametrize("optimizer", ["gradient_descent", "adam"])
def test_the_norms_of_the_layers_are_told_before_and_after_clipping(make_trainer: Trainers, optimizer: str):
    trainer = make_trainer(optimizer=optimizer, clip_norm=0.01, l2=0.1, evaluate_every=1)
    events = list(trainer.run(until=Until(steps=5)))
    steps = [event for event in events if isinstance(event, StepTaken)]
    looks = [event for event in events if isinstance(event, Evaluated) and event.step]
    for step, look in zip(steps, looks, strict=True):
        assert step.clipped
        before = math.hypot(*(layer.gradient_norm for layer in look.layers))
        after = math.hypot(*(layer.clipped_norm for layer in look.layers))
        assert 0.5 * step.gradient_norm < before <= step.gradient_norm * (1 + 1e-6)  # biases and batch norm have the rest
        assert after <= 0.01 * (1 + 1e-6)
        assert after / before == pytest.approx(0.01 / step.gradient_norm, rel=1e-5)


def test_without_clipping_the_norms_are_one(make_trainer: Trainers):
    events = list(make_trainer(clip_norm=1e6, evaluate_every=1).run(until=Until(steps=3)))
    for look in (event for event in events if isinstance(event, Evaluated) and event.step):
        assert [layer.gradient_norm for layer in look.layers] == [layer.clipped_norm for layer in look.layers]
    assert not any(step.clipped for step in events if isinstance(step, StepTaken))


def test_the_penalty_is_told_apart_from_the_cost(make_trainer: Trainers):
    trainer = make_trainer(l2=0.05, l1=0.01, evaluate_every=1)
    weights = [trainer.state.network.weights.copy()]
    for event in trainer.run(until=Until(steps=10)):
        if isinstance(event, StepTaken):
            assert event.penalty == penalty(weights[-1], 0.05, 0.01) > 0
            weights.append(trainer.state.network.weights.copy())
        elif isinstance(event, Evaluated):
            expected = penalty(trainer.state.network.weights, 0.05, 0.01)
            for score in (event.train, event.dev):
                assert score is not None
                assert score.penalty == expected
                assert score.cost == score.data_cost + expected


@pytest.mark.parametrize(("name", "value"), [("l2", 0.5), ("l1", 0.1), ("l2", 0.0)])
def test_an_edit_of_a_penalty_makes_no_prediction_worse(make_trainer: Trainers, name: str, value: float):
    """Best and patience go by the data: the penalty jumps at the edit, and what the network predicts does not."""
    trainer = make_trainer(l2=0.2, evaluate_every=1, patience=1000)
    events = list(trainer.run(scripted([(10, name, value)]), Until(steps=40)))
    looks = [event for event in events if isinstance(event, Evaluated)]
    costs = [event.dev.data_cost for event in looks if event.dev is not None]
    best = trainer.state.best
    assert best.cost == min(costs)
    assert best.step == looks[int(np.argmin(costs))].step
    assert best.waited == len(costs) - 1 - int(np.argmin(costs))


def test_patience_does_not_run_out_because_of_a_penalty(make_trainer: Trainers):
    """λ from 0 to 1 after step 20: J stays far above what it was, while the network goes on to predict better."""
    trainer = make_trainer(evaluate_every=1, learning_rate=0.003, patience=8)
    events = list(trainer.run(scripted([(20, "l2", 1.0)]), Until(steps=60)))
    after = [event for event in events if isinstance(event, Evaluated) and event.step >= 20 and event.dev is not None]
    j = [event.dev.cost for event in after if event.dev]
    data = [event.dev.data_cost for event in after if event.dev]
    assert min(j[1:]) > j[0]
    assert np.argmin(data) > 0
    stops = [event for event in events if isinstance(event, StoppedEarly)]
    assert not stops or stops[0].step >= after[int(np.argmin(data))].step + 8


def test_a_command_applied_is_told_with_the_penalty_in_force(make_trainer: Trainers):
    trainer = make_trainer()
    trainer.apply(SetHyperparameter("l2", 0.3))
    (step,) = [event for event in trainer.run(until=Until(steps=1)) if isinstance(event, StepTaken)]
    assert step.penalty > 0
