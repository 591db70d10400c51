from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from workbench.engine.commands import SetHyperparameter, scripted
from workbench.engine.events import CommandRejected, Diverged, Evaluated, Event, Finished, HyperparameterChanged, StepTaken
from workbench.engine.trainer import Trainer, Until
from workbench.hyperparameters import TABLE, Hyperparameters
from workbench.run.run import new_trainer
from workbench.session.preset import parse_preset
from workbench.session.session import Session
from workbench.spec import Applies, Kind

MakeTrainer = Callable[..., Trainer]

AT = 8
"""The edits come after this many steps, in the second epoch."""

# Name, the settings in which it is used, the edited value.
IN_USE: list[tuple[str, dict[str, Any], Any]] = [
    ("optimizer", {}, "nesterov"),
    ("learning_rate", {}, 0.02),
    ("beta1", {}, 0.5),
    ("beta1", {"optimizer": "momentum"}, 0.5),
    ("beta1", {"optimizer": "nesterov"}, 0.5),
    ("beta2", {}, 0.9),
    ("beta2", {"optimizer": "rmsprop"}, 0.9),
    ("epsilon", {}, 0.01),
    ("epsilon", {"optimizer": "adagrad"}, 0.01),
    ("batch_size", {}, 5),
    ("batch_size", {}, 10_000),
    ("l2", {}, 0.1),
    ("l1", {}, 0.1),
    ("weight_decay", {"optimizer": "adamw"}, 0.5),
    ("keep_prob", {}, 0.5),
    ("keep_prob", {}, (0.5, 1.0)),
    ("keep_prob.1", {}, 0.5),
    ("keep_prob.2", {"keep_prob": 0.9}, 1.0),
    ("schedule", {}, "inverse_time"),
    ("decay_rate", {"schedule": "inverse_time"}, 2.0),
    ("decay_factor", {"schedule": "exponential"}, 0.5),
    ("decay_factor", {"schedule": "staircase", "decay_every": 1}, 0.5),
    ("decay_every", {"schedule": "staircase", "decay_factor": 0.5}, 1),
    ("decay_k", {"schedule": "inverse_sqrt"}, 2.0),
    ("decay_epochs", {"schedule": "cosine"}, 3),
    ("decay_floor", {"schedule": "cosine"}, 0.5),
    ("warmup_steps", {}, 100),
    ("warmup_steps", {"warmup_steps": 100}, 0),
    ("clip_norm", {"optimizer": "gradient_descent"}, 1e-3),
    ("label_smoothing", {}, 0.2),
    ("batchnorm_beta", {"batch_norm": True}, 0.5),
    ("batchnorm_epsilon", {"batch_norm": True}, 0.1),
]
# These decide what is reported and when the run ends or stops, not what is learned.
OF_THE_LOOP: list[tuple[str, dict[str, Any], Any]] = [
    ("epochs", {}, 2), ("evaluate_every", {}, 3), ("patience", {}, 2), ("guard_factor", {}, 5.0), ("guard_factor", {}, 0.0),
    ("guard_steps", {}, 3), ("bayes_error", {}, 0.1),
]  # fmt: skip


def trained(trainer: Trainer, steps: int, *edits: tuple[int, str, object]) -> list[Event]:
    return list(trainer.run(scripted(edits), Until(steps=steps)))


def step_numbers(events: list[Event], kind: type) -> list[int]:
    return [event.step for event in events if isinstance(event, kind)]


def test_every_live_hyperparameter_is_edited_here():
    assert {name.partition(".")[0] for name, _, _ in IN_USE + OF_THE_LOOP} == {
        field.name for field in dataclasses.fields(Hyperparameters)
    }


@pytest.mark.parametrize(("name", "base", "value"), IN_USE + OF_THE_LOOP)
def test_an_edit_leaves_the_state_bit_identical(make_trainer: MakeTrainer, name: str, base: dict[str, Any], value: object):
    trainer = make_trainer(**base)
    events = trainer.run(scripted([(AT, name, value)]), Until(steps=AT + 1))
    before, parameters = "", b""
    for event in events:
        if isinstance(event, HyperparameterChanged):
            break
        if event.step == AT:
            before, parameters = trainer.state.digest(), trainer.state.network.parameters.tobytes()
    else:
        raise AssertionError("the edit was not taken")
    assert (event.step, event.name, event.effect) == (AT, name, "")
    assert trainer.state.digest() == before
    assert trainer.state.network.parameters.tobytes() == parameters
    layer = name.partition(".")[2]
    in_force = getattr(trainer.hyperparameters, event.name.partition(".")[0])
    assert event.new == (in_force[int(layer) - 1] if layer else in_force) != event.old
    assert isinstance(next(events), StepTaken)


@pytest.mark.parametrize(("name", "base", "value"), IN_USE)
def test_an_edit_bites_at_the_very_next_step(make_trainer: MakeTrainer, name: str, base: dict[str, Any], value: object):
    edited, unedited = make_trainer(**base), make_trainer(**base)
    trained(edited, AT, (AT, name, value))
    trained(unedited, AT)
    assert edited.state.digest() == unedited.state.digest()
    trained(edited, AT + 1)
    trained(unedited, AT + 1)
    assert edited.state.digest() != unedited.state.digest()


@pytest.mark.parametrize("name", ["learning_rate", "schedule", "decay_rate", "warmup_steps"])
def test_the_rate_that_is_reported_is_the_one_in_force(make_trainer: MakeTrainer, name: str):
    value = {"learning_rate": 0.02, "schedule": "exponential", "decay_rate": 3.0, "warmup_steps": 10}[name]
    trainer = make_trainer(learning_rate=0.01, schedule="inverse_time", decay_rate=1.0)
    rates = [event.learning_rate for event in trained(trainer, AT + 1, (AT, name, value)) if isinstance(event, StepTaken)]
    # In the second epoch.
    expected = {"learning_rate": 0.02 / 3, "schedule": 0.01 * 0.95**2, "decay_rate": 0.01 / 7, "warmup_steps": 0.9 * 0.01 / 3}
    assert rates[AT - 1] == pytest.approx(0.01 / 3)
    assert rates[AT] == pytest.approx(expected[name])


def test_an_edit_of_batchnorm_beta_shows_in_the_running_statistics_and_nowhere_else(make_trainer: MakeTrainer):
    edited, unedited = make_trainer(batch_norm=True), make_trainer(batch_norm=True)
    trained(edited, AT + 3, (AT, "batchnorm_beta", 0.5))
    trained(unedited, AT + 3)
    np.testing.assert_array_equal(edited.state.network.parameters, unedited.state.network.parameters)
    for mine, others in zip(edited.state.network.running_statistics(), unedited.state.network.running_statistics(), strict=True):
        assert not np.array_equal(mine[0], others[0])
        assert not np.array_equal(mine[1], others[1])


def test_an_edit_of_epochs_moves_the_end_and_nothing_else(make_trainer: MakeTrainer):
    edited, unedited = make_trainer(), make_trainer()
    events = list(edited.run(scripted([(AT, "epochs", 2)])))
    assert isinstance(events[-1], Finished)
    assert (events[-1].step, events[-1].epoch) == (14, 2)
    trained(unedited, 14)
    assert edited.state.digest() == unedited.state.digest()


def test_epochs_edited_below_what_is_done_end_the_run_at_once(make_trainer: MakeTrainer):
    events = list(make_trainer().run(scripted([(10, "epochs", 1)])))
    assert isinstance(events[-1], Finished)
    assert events[-1].step == 10


def test_an_edit_of_evaluate_every_moves_the_evaluations_and_nothing_else(make_trainer: MakeTrainer):
    edited, unedited = make_trainer(), make_trainer()
    assert step_numbers(trained(edited, 16, (AT, "evaluate_every", 3)), Evaluated) == [0, 7, 9, 12, 15]
    assert step_numbers(trained(unedited, 16), Evaluated) == [0, 7, 14]
    assert edited.state.digest() == unedited.state.digest()


def test_edits_of_one_step_are_taken_in_their_order_and_none_before_the_first_step_is_lost(make_trainer: MakeTrainer):
    trainer = make_trainer()
    events = trained(trainer, 2, (0, "learning_rate", 0.5), (0, "learning_rate", 0.25), (2, "l2", 0.1))
    changes = [(event.step, event.old, event.new) for event in events if isinstance(event, HyperparameterChanged)]
    assert changes == [(0, 0.01, 0.5), (0, 0.5, 0.25), (2, 0.0, 0.1)]
    assert [event.learning_rate for event in events if isinstance(event, StepTaken)] == [0.25, 0.25]


# Without effect ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "base", "effect"),
    [
        ("beta2", 0.5, {"optimizer": "momentum"}, "not used by momentum"),
        ("beta1", 0.5, {"optimizer": "rmsprop"}, "not used by rmsprop"),
        ("epsilon", 0.5, {"optimizer": "gradient_descent"}, "not used by gradient_descent"),
        ("weight_decay", 0.5, {"optimizer": "adam"}, "not used by adam"),
        ("decay_rate", 0.5, {}, "not used by the constant schedule"),
        ("decay_factor", 0.5, {"schedule": "cosine"}, "not used by the cosine schedule"),
        ("batchnorm_beta", 0.5, {}, "the network has no batch norm"),
        ("batchnorm_epsilon", 0.5, {}, "the network has no batch norm"),
        ("guard_steps", 3, {"guard_factor": 0.0}, "the guard looks only for what is not finite"),
        ("patience", 3, {"dev_fraction": 0.0}, "there is no dev set"),
    ],
)
def test_an_edit_without_effect_is_taken_and_says_so(
    make_trainer: MakeTrainer, name: str, value: object, base: dict[str, Any], effect: str
):
    edited, unedited = make_trainer(**base), make_trainer(**base)
    events = trained(edited, AT + 8, (AT, name, value))
    trained(unedited, AT + 8)
    assert [event.effect for event in events if isinstance(event, HyperparameterChanged)] == [effect]
    assert edited.state.digest() == unedited.state.digest()


# Refused -----------------------------------------------------------------------------------------------------------


def assert_refused(trainer: Trainer, unedited: Trainer, name: str, value: object) -> str:
    """The reason; nothing is changed by the refusal, then or later."""
    trained(trainer, AT)
    hyperparameters, digest = trainer.hyperparameters, trainer.state.digest()
    event = trainer.apply(SetHyperparameter(name, value))  # type: ignore[arg-type]
    assert isinstance(event, CommandRejected)
    assert (event.step, event.name, event.value) == (AT, name, value)
    assert trainer.hyperparameters is hyperparameters
    assert trainer.state.digest() == digest
    trained(trainer, AT + 8)
    trained(unedited, AT + 8)
    assert trainer.state.digest() == unedited.state.digest()
    return event.reason


@pytest.mark.parametrize("row", [row for row in TABLE.values() if row.applies is Applies.RESET], ids=lambda row: row.name)
def test_what_is_fixed_at_the_start_cannot_be_edited(make_trainer: MakeTrainer, row: Any):
    assert assert_refused(make_trainer(), make_trainer(), row.name, row.default) == f"{row.name} needs a new start"


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("learnig_rate", 0.1, "learnig_rate: no such hyperparameter; did you mean learning_rate?"),
        ("", 0.1, ": no such hyperparameter"),
        ("learning_rate", math.nan, "nan: expected a number above 0 and at most 1e+30"),
        ("learning_rate", math.inf, "inf: expected a number above 0 and at most 1e+30"),
        ("learning_rate", 0.0, "0.0: expected a number above 0 and at most 1e+30"),
        ("learning_rate", "fast", "'fast': expected a number above 0 and at most 1e+30"),
        ("learning_rate", True, "true: expected a number above 0 and at most 1e+30"),
        ("learning_rate.1", 0.1, "learning_rate.1: learning_rate is not per layer"),
        ("beta1", 1.0, "1.0: expected a number at least 0 and below 1"),
        ("guard_factor", 1.0, "expected 0, which is off, or above 1: an average cost is no reason to stop"),
        ("guard_factor", 0.5, "expected 0, which is off, or above 1: an average cost is no reason to stop"),
        ("guard_steps", 0, "0: expected a whole number at least 1 and at most 100,000"),
        ("patience", -1, "-1: expected a whole number at least 0 and at most 1,000,000"),
        ("batch_size", 0, "0: expected a whole number at least 1 and at most 1,000,000"),
        ("batch_size", 2.5, "2.5: expected a whole number at least 1 and at most 1,000,000"),
        ("optimizer", "adan", "'adan': expected one of adam, gradient_descent, momentum, nesterov, rmsprop, adamw, adagrad; "
         "did you mean adam?"),
        ("keep_prob", (0.5,), "1 values: the network has 2 hidden layers"),
        ("keep_prob", 0.0, "0.0: expected a number above 0 and at most 1, or a list of them, one for each hidden layer"),
        ("keep_prob.3", 0.5, "layer 3: the network has 2 hidden layers"),
        ("keep_prob.0", 0.5, "keep_prob.0: expected a layer counted from 1"),
        ("keep_prob.one", 0.5, "keep_prob.one: expected a layer counted from 1"),
        ("keep_prob.1", (0.5, 0.5), "2 values: expected a single one for layer 1"),
        ("keep_prob.1", (), "0 values: expected a single one for layer 1"),
    ],
)  # fmt: skip
def test_an_impossible_edit_is_refused_with_the_reason(make_trainer: MakeTrainer, name: str, value: object, reason: str):
    assert assert_refused(make_trainer(keep_prob=0.9), make_trainer(keep_prob=0.9), name, value) == reason


def test_a_mini_batch_of_one_is_refused_with_batch_norm_only(make_trainer: MakeTrainer):
    reason = assert_refused(make_trainer(batch_norm=True), make_trainer(batch_norm=True), "batch_size", 1)
    assert reason == "1: expected at least 2 with batch norm, because a mini-batch of one has no variance"
    without = make_trainer()
    assert isinstance(without.apply(SetHyperparameter("batch_size", 1)), HyperparameterChanged)
    assert step_numbers(trained(without, 60), Finished) == [60]


def test_label_smoothing_is_refused_in_a_regression():
    table = {"data": {"source": "regression", "examples": 40}, "network": {"hidden": [4]}, "training": {"batch_size": 8}}
    session = Session(preset=parse_preset(table, "r.toml", "r"), seed=1)
    reason = assert_refused(new_trainer(session), new_trainer(session), "label_smoothing", 0.1)
    assert reason == "a regression has no classes to smooth"


# Any edit at all ---------------------------------------------------------------------------------------------------


@st.composite
def any_edit(draw: st.DrawFn) -> tuple[str, object]:
    spec = TABLE[draw(st.sampled_from([field.name for field in dataclasses.fields(Hyperparameters)]))]
    if spec.kind is Kind.CHOICE:
        return spec.name, draw(st.sampled_from(spec.choices))
    if spec.kind is Kind.INTEGER:
        return spec.name, draw(st.integers(int(spec.low), int(spec.high)))
    return spec.name, draw(st.floats(spec.low, spec.high, exclude_min=spec.low_open, exclude_max=spec.high_open))


@hypothesis_settings(max_examples=150)
@given(st.booleans(), st.lists(st.lists(any_edit(), max_size=3), min_size=1, max_size=5))
def test_whatever_is_edited_the_state_stays_finite_and_a_step_is_whole_or_not_taken(
    batch_norm: bool, edits: list[list[tuple[str, object]]]
):
    table = {
        "data": {"source": "moons", "examples": 30},
        "network": {"hidden": [3], "batch_norm": batch_norm},
        "training": {"batch_size": 7},
    }
    trainer = new_trainer(Session(preset=parse_preset(table, "any.toml", "any"), seed=1))
    for several in edits:
        for name, value in several:
            trainer.apply(SetHyperparameter(name, value))  # type: ignore[arg-type]
        for _ in range(8):
            before, step = trainer.state.digest(), trainer.state.step
            for event in after_start(trainer.run(until=Until(steps=step + 1))):
                if isinstance(event, Diverged):
                    assert trainer.state.digest() == before
                    assert event.step == step + 1
                    assert event.rows
        snapshot = trainer.state.snapshot()
        assert all(np.isfinite(tensor).all() for tensor in snapshot.tensors.values())


def after_start(events: Iterator[Event]) -> Iterator[Event]:
    return (event for event in events if not isinstance(event, Evaluated))
