from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

import pytest

from workbench.engine.commands import scripted
from workbench.engine.events import Evaluated, Event, Finished, HyperparameterChanged, StepTaken
from workbench.engine.trainer import Trainer, Until
from workbench.hyperparameters import TABLE

MakeTrainer = Callable[..., Trainer]
OPTIMIZERS = TABLE["optimizer"].choices
# A rate that suits each on the small problem.
RATES = {"gradient_descent": 0.5, "momentum": 0.5, "nesterov": 0.5, "rmsprop": 0.01, "adam": 0.02, "adamw": 0.02, "adagrad": 0.1}


def test_every_optimizer_is_here():
    assert set(RATES) == set(OPTIMIZERS)


def learned(events: list[Event]) -> None:
    """The clouds are told apart, the cost is a tenth of what it was at the start, and was never far above that."""
    first, last = events[0], events[-1]
    assert isinstance(first, Evaluated)
    assert isinstance(last, Finished)
    assert max(event.cost for event in events if isinstance(event, StepTaken)) < 10 * first.train.cost
    assert last.train.cost < first.train.cost / 10
    assert last.train.error <= 0.02


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("factor", [0.3, 2.0])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_each_optimizer_converges_through_an_edit_of_its_rate(
    make_trainer: MakeTrainer, optimizer: str, factor: float, batch_norm: bool
):
    trainer = make_trainer(optimizer=optimizer, learning_rate=RATES[optimizer], noise=0.2, batch_norm=batch_norm)
    learned(list(trainer.run(scripted([(80, "learning_rate", RATES[optimizer] * factor)]), Until(steps=240))))


@pytest.mark.parametrize(("old", "new"), permutations(OPTIMIZERS, 2))
def test_each_optimizer_converges_when_swapped_for_each_other_in_the_middle(make_trainer: MakeTrainer, old: str, new: str):
    trainer = make_trainer(optimizer=old, learning_rate=RATES[old], noise=0.2)
    edits = [(60, "optimizer", new), (60, "learning_rate", RATES[new])]
    events = list(trainer.run(scripted(edits), Until(steps=240)))
    assert [(event.step, event.old, event.new) for event in events if isinstance(event, HyperparameterChanged)] == [
        (60, old, new), (60, RATES[old], RATES[new]),
    ]  # fmt: skip
    assert trainer.state.optimizer.name == new
    learned(events)
