from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from workbench.data.dataset import Dataset
from workbench.engine.commands import SetHyperparameter, scripted
from workbench.engine.events import CommandRejected, Diverged, EpochEnded, Event, Finished, StepTaken
from workbench.engine.trainer import Trainer, Until
from workbench.hyperparameters import TABLE

MakeTrainer = Callable[..., Trainer]
OPTIMIZERS = TABLE["optimizer"].choices


def until_diverged(trainer: Trainer, steps: int = 500, edits: Any = ()) -> tuple[Diverged, str]:
    """The divergence, and the state's hash before the step that was rejected."""
    digest = trainer.state.digest()
    for event in trainer.run(scripted(edits), Until(steps=steps)):
        if isinstance(event, Diverged):
            return event, digest
        digest = trainer.state.digest()
    raise AssertionError("it did not diverge")


def with_X(trainer: Trainer, row: int, value: float) -> Trainer:
    """The same run, with one feature of one train example replaced."""
    X = trainer.splits.train.X.copy()
    X[row, 0] = value
    splits = dataclasses.replace(trainer.splits, train=Dataset(X, trainer.splits.train.Y))
    return Trainer(splits, trainer.data, trainer.architecture, trainer.hyperparameters, seed=1)


def steps_of(events: list[Event]) -> list[int]:
    return [event.step for event in events if isinstance(event, StepTaken)]


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan, 3e38])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_what_is_not_finite_in_the_data_is_found_before_it_reaches_the_weights(
    make_trainer: MakeTrainer, bad: float, batch_norm: bool
):
    trainer = with_X(make_trainer(batch_norm=batch_norm), 17, bad)
    event, before = until_diverged(trainer, 7)
    assert 17 in event.rows
    assert len(event.rows) <= 8
    assert event.step == trainer.state.step + 1
    assert trainer.state.digest() == before
    assert np.isfinite(trainer.state.network.parameters).all()


def test_the_rows_are_those_of_the_rejected_mini_batch_and_of_no_other(make_trainer: MakeTrainer):
    seen = set()
    for row in range(54):
        event, _ = until_diverged(with_X(make_trainer(), row, np.inf), 7)
        assert row in event.rows
        seen.add(event.rows)
    assert len(seen) == 7
    assert sorted(row for rows in seen for row in rows) == list(range(54))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("base", [{}, {"batch_norm": True}, {"hidden": []}, {"clip_norm": 1.0}], ids=str)
def test_the_largest_learning_rate_does_not_get_infinity_into_the_state(
    make_trainer: MakeTrainer, optimizer: str, base: dict[str, Any]
):
    trainer = make_trainer(optimizer=optimizer, learning_rate=1e30, **base)
    digest = trainer.state.digest()
    for event in trainer.run(until=Until(steps=30)):
        if isinstance(event, Diverged):
            assert trainer.state.digest() == digest
            assert event.rows
        digest = trainer.state.digest()
    for name, tensor in trainer.state.snapshot().tensors.items():
        assert np.isfinite(tensor).all(), name


@pytest.mark.parametrize(
    ("wrong", "right"),
    [(("learning_rate", 1e30), ("learning_rate", 0.01)), (("clip_norm", 1e30), ("clip_norm", 1.0))],
    ids=["the update overflows", "the gradient explodes"],
)
def test_a_run_goes_on_after_an_edit_that_rescues_it(
    make_trainer: MakeTrainer, wrong: tuple[str, float], right: tuple[str, float]
):
    """Just before the mini-batch with a huge feature the edit is made that this one does not stand."""
    size = 1e12 if wrong[0] == "learning_rate" else 1e30
    first = with_X(make_trainer(hidden=[], optimizer="gradient_descent", learning_rate=1e-12), 17, size)
    reference, other = first, with_X(make_trainer(hidden=[], optimizer="gradient_descent", learning_rate=1e-12), 17, size)
    at = 0
    for event in reference.run(until=Until(steps=7)):
        if isinstance(event, Diverged) or 17 in reference.state.batches.last_indices:
            at = event.step - 1
            break
    list(other.run(until=Until(steps=at)))
    other.apply(SetHyperparameter(*wrong))
    event, before = until_diverged(other)
    assert event.step == at + 1
    assert other.state.digest() == before
    other.apply(SetHyperparameter(*right))
    events = list(other.run(until=Until(steps=at + 20)))
    assert steps_of(events) == list(range(at + 1, at + 21))
    assert isinstance(events[-1], Finished)


def test_a_rejected_mini_batch_is_taken_again_so_each_example_still_comes_once_an_epoch(make_trainer: MakeTrainer):
    trainer, smooth = make_trainer(optimizer="gradient_descent"), make_trainer(optimizer="gradient_descent")
    list(trainer.run(until=Until(steps=3)))
    trainer.apply(SetHyperparameter("learning_rate", 1e30))
    event, _ = until_diverged(trainer)
    again, _ = until_diverged(trainer)
    assert (event.step, event.rows) == (again.step, again.rows)
    trainer.apply(SetHyperparameter("learning_rate", 0.01))
    if event.step == 4:
        list(trainer.run(until=Until(steps=12)))
        list(smooth.run(until=Until(steps=12)))
        assert trainer.state.digest() == smooth.state.digest()


@pytest.mark.parametrize("alpha", [0.01, 1e3, 1e30], ids=["found in the gradient", "with a snapshot", "far too large"])
def test_a_rejected_step_does_not_swap_the_optimizer(make_trainer: MakeTrainer, alpha: float):
    """Swapped for the step that diverged, and back again: the moments are those of before."""
    trainer = with_X(make_trainer(), 17, np.inf)
    event, before = until_diverged(trainer)
    trainer.apply(SetHyperparameter("optimizer", "adagrad"))
    trainer.apply(SetHyperparameter("learning_rate", alpha))
    again, _ = until_diverged(trainer)
    assert again.step == event.step
    assert trainer.state.digest() == before
    assert trainer.state.optimizer.name == "adam"


def test_the_layer_whose_output_is_not_finite_first_is_named(make_trainer: MakeTrainer):
    trainer = make_trainer(hidden=[4, 4, 4], activation="linear")
    trainer.state.network.named(trainer.state.network.parameters)["W2"][...] = np.nan
    event, _ = until_diverged(trainer)
    assert event.step == 1
    assert event.reason == "the cost is nan; layer 2 is the first whose output is not finite"


def test_the_tensors_whose_gradient_is_not_finite_are_named(make_trainer: MakeTrainer):
    """Units whose activation is 0, with outgoing weights so large that the slopes below them overflow."""
    trainer = make_trainer(hidden=[4, 4], activation="linear", batch_size=1)
    tensors = trainer.state.network.named(trainer.state.network.parameters)
    tensors["W2"][...] = 0.0
    tensors["W3"][...] = 3e38
    tensors["W3"][:, 0] = -3e38
    event, before = until_diverged(trainer, 54)
    assert event.reason == "the gradient of W1, W2, b1, b2 is not finite"
    assert trainer.state.digest() == before


def test_a_gradient_too_long_for_the_squares_in_the_optimizer_is_rejected_whatever_the_clipping(make_trainer: MakeTrainer):
    for clip_norm in (0.0, 1e25):
        trainer = make_trainer(hidden=[], activation="linear", clip_norm=clip_norm)
        trainer = with_X(trainer, 3, 1e25)
        event, before = until_diverged(trainer)
        assert 3 in event.rows
        assert event.reason.startswith("the gradient has exploded: its norm is ")
        assert trainer.state.digest() == before
    clipped = with_X(make_trainer(hidden=[], clip_norm=1.0), 3, 1e25)
    assert steps_of(list(clipped.run(until=Until(epochs=1)))) == [1, 2, 3, 4, 5, 6, 7]


def test_weights_that_grow_by_decaying_more_than_all_of_themselves_do_not_become_infinite(make_trainer: MakeTrainer):
    trainer = make_trainer(hidden=[], optimizer="adamw", learning_rate=1e3, weight_decay=1e6)
    _, before = until_diverged(trainer)
    assert trainer.state.digest() == before
    assert np.isfinite(trainer.state.network.parameters).all()


def test_nothing_is_learned_from_a_step_that_diverged(make_trainer: MakeTrainer):
    """Neither the running statistics of batch norm nor the cost of the epoch take it in."""
    trainer = with_X(make_trainer(batch_norm=True), 17, np.inf)
    until_diverged(trainer)
    snapshot = trainer.state.snapshot()
    until_diverged(trainer)
    again = trainer.state.snapshot()
    assert snapshot.facts == again.facts
    for name, tensor in snapshot.tensors.items():
        np.testing.assert_array_equal(tensor, again.tensors[name])


def test_an_edit_is_judged_between_steps_even_after_a_divergence(make_trainer: MakeTrainer):
    trainer = make_trainer(optimizer="gradient_descent", learning_rate=1e30)
    _, before = until_diverged(trainer)
    assert isinstance(trainer.apply(SetHyperparameter("learning_rate", -1.0)), CommandRejected)
    assert trainer.state.digest() == before


@pytest.mark.parametrize("batch_size", [1, 8, 20, 53, 54, 1000])
def test_the_cost_of_an_epoch_is_weighted_by_the_lengths_of_its_mini_batches(make_trainer: MakeTrainer, batch_size: int):
    # With a rate this small, all mini-batches of the epoch are judged by the same weights.
    trainer = make_trainer(optimizer="gradient_descent", learning_rate=1e-30, batch_size=batch_size)
    events = list(trainer.run(until=Until(epochs=2)))
    epochs = [event for event in events if isinstance(event, EpochEnded)]
    finished = events[-1]
    assert isinstance(finished, Finished)
    assert [event.epoch for event in epochs] == [1, 2]
    for event in epochs:
        assert event.cost == pytest.approx(finished.train.cost, rel=1e-5)
