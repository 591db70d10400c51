"""A saved session can be trained again to the same bits, and whatever was tampered with shows at the right step."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from workbench.engine.events import Diverged, HyperparameterChanged, StepTaken
from workbench.engine.trainer import Until
from workbench.session.notebook import parse_session, session_to_toml
from workbench.session.preset import Preset
from workbench.session.recorder import FIRST_INTERVAL, MOST, Recorder
from workbench.session.replay import replay
from workbench.session.run import Run, new_trainer, scripted
from workbench.session.session import Divergence, Edit, Mark, Session
from workbench.session.store import read_session

MakeSession = Callable[..., Session]
MakePreset = Callable[..., Preset]

EDITS = [
    (0, "learning_rate", 0.02),
    (4, "optimizer", "momentum"),
    (4, "learning_rate", 0.1),
    (9, "batch_size", 5),
    (9, "keep_prob.1", 0.5),
    (15, "optimizer", "adamw"),
    (15, "learning_rate", 0.005),
    (21, "schedule", "exponential"),
    (21, "epochs", 7),
    (30, "keep_prob", 1.0),
]


@pytest.fixture
def session(make_session: MakeSession) -> Session:
    """30 steps with ten edits, the last of them after the last step."""
    return make_session(30, EDITS)


def edited(session: Session, number: int, **changes: Any) -> Session:
    edits = list(session.edits)
    edits[number] = dataclasses.replace(edits[number], **changes)
    return dataclasses.replace(session, edits=tuple(edits))


def assert_differs(session: Session, first: int, through: int, reason: str) -> None:
    found = replay(session)
    assert not found.identical
    assert (found.first_difference, found.through_step) == (first, through)
    assert reason in found.reason


def test_a_run_with_many_edits_is_identical(session: Session):
    seen: list[int] = []
    found = replay(session, seen.append)
    assert (found.identical, found.through_step, found.first_difference, found.other_environment) == (True, 30, None, ())
    assert seen == list(range(1, 31))


def test_so_it_is_when_read_back_from_its_file(session: Session, tmp_path: Path):
    assert replay(read_session(tmp_path / "recorded.toml")).identical
    assert replay(parse_session(session_to_toml(session), "again")).identical


@pytest.mark.parametrize("settings", [{"batch_norm": True}, {"keep_prob": 0.6}, {"hidden": []}, {"source": "moons"}], ids=str)
def test_so_it_is_for_other_networks_and_data(make_session: MakeSession, settings: dict[str, Any]):
    assert replay(make_session(12, [(3, "optimizer", "rmsprop"), (7, "l1", 0.01)], seed=5, **settings)).identical


def test_a_session_of_no_steps_is_identical(make_session: MakeSession):
    found = replay(make_session(0))
    assert (found.identical, found.through_step) == (True, 0)


# Tampered with -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "value", "first"),
    [
        (0, 0.021, 1), (1, "nesterov", 5), (2, 0.1001, 5), (3, 6, 10), (4, 0.4, 10), (5, "adam", 16), (6, 0.0051, 16),
        (7, "cosine", 22),
    ],
)  # fmt: skip
def test_another_value_shows_at_the_step_after_the_edit(session: Session, number: int, value: object, first: int):
    assert_differs(edited(session, number, new=value), first, first - 1, "the state after this step is another")


def test_a_difference_of_a_millionth_shows(session: Session):
    assert_differs(edited(session, 2, new=0.1000001), 5, 4, "the state after this step is another")


@pytest.mark.parametrize(
    ("number", "step", "first", "through"), [(3, 8, 9, 5), (3, 5, 9, 5), (7, 19, 21, 16), (4, 12, 10, 9), (6, 18, 16, 15)]
)
def test_an_edit_moved_to_another_step_shows(session: Session, number: int, step: int, first: int, through: int):
    moved = edited(session, number, step=step)
    moved = dataclasses.replace(moved, edits=tuple(sorted(moved.edits, key=lambda edit: edit.step)))
    assert_differs(moved, first, through, "the state after this step is another")


def test_an_edit_of_another_hyperparameter_shows_where_it_was_made(session: Session):
    assert_differs(edited(session, 2, name="epsilon", new=0.1), 4, 4, "the edit here is epsilon")


def test_another_value_before_an_edit_shows_where_it_was_made(session: Session):
    assert_differs(edited(session, 2, old=0.5), 4, 4, "learning_rate 0.02 → 0.1, recorded was learning_rate 0.5 → 0.1")


def test_an_edit_that_is_impossible_shows_where_it_was_made(session: Session):
    assert_differs(edited(session, 4, name="keep_prob.9"), 9, 9, "the edit of keep_prob.9 is refused")


def test_an_edit_taken_away_shows_at_the_step_after_it(session: Session):
    less = dataclasses.replace(session, edits=(*session.edits[:3], *session.edits[4:]))
    assert_differs(less, 10, 9, "the state after this step is another")


def test_an_edit_added_shows(session: Session):
    more = dataclasses.replace(session, edits=(*session.edits[:3], Edit(6, "l2", 0.0, 0.1), *session.edits[3:]))
    assert_differs(more, 9, 5, "the state after this step is another")


def test_edits_in_another_order_show(session: Session):
    edits = session.edits
    swapped = dataclasses.replace(session, edits=(edits[0], edits[2], edits[1], *edits[3:]))
    # What is in force then is the same, so this is the same run.
    assert replay(swapped).identical
    twice = dataclasses.replace(session, edits=(*edits, Edit(30, "keep_prob.1", 1.0, 0.5), Edit(30, "keep_prob.1", 1.0, 0.5)))
    assert_differs(twice, 30, 30, "keep_prob.1 0.5 → 0.5, recorded was keep_prob.1 1.0 → 0.5")


def test_an_edit_beyond_the_end_shows(session: Session):
    beyond = dataclasses.replace(session, edits=(*session.edits, Edit(31, "l2", 0.0, 0.1)))
    assert_differs(beyond, 30, 30, "an edit at step 31 lies beyond the last step")


@pytest.mark.parametrize("number", range(0, 12, 3))
def test_another_hash_shows_at_its_step(session: Session, number: int):
    marks = list(session.marks)
    marks[number] = Mark(marks[number].step, "0" * 64)
    through = marks[number - 1].step if number else 0
    found = replay(dataclasses.replace(session, marks=tuple(marks)))
    assert (found.identical, found.first_difference, found.through_step) == (False, marks[number].step, through)


def test_another_seed_shows_at_the_start(session: Session):
    assert_differs(dataclasses.replace(session, seed=2), 0, 0, "the state at the start is another")


@pytest.mark.parametrize(("name", "value", "first"), [("noise", 0.31, 1), ("beta1", 0.91, 1), ("hidden", [6, 6], 0)])
def test_another_preset_shows(session: Session, name: str, value: object, first: int):
    changed = dataclasses.replace(session, preset=session.preset.with_value(name, value))
    found = replay(changed)
    assert (found.identical, found.first_difference) == (False, first)


def test_a_session_without_hashes_proves_nothing(session: Session):
    assert_differs(dataclasses.replace(session, marks=()), 0, 0, "no state hashes")


def test_hashes_that_do_not_reach_the_last_step_prove_nothing(session: Session):
    assert_differs(dataclasses.replace(session, marks=session.marks[:-1]), 30, 22, "the last step")


def test_a_last_step_before_the_last_hash_shows(session: Session):
    assert session.result is not None
    shorter = dataclasses.replace(session, result=dataclasses.replace(session.result, step=22), edits=session.edits[:-1])
    assert_differs(shorter, 22, 22, "the last step")


def test_what_is_another_in_the_environment_is_said(session: Session):
    assert session.environment is not None
    elsewhere = dataclasses.replace(session, environment=dataclasses.replace(session.environment, numpy="1.0", platform="Plan 9"))
    found = replay(elsewhere)
    assert found.identical
    assert [line.partition(":")[0] for line in found.other_environment] == ["numpy", "platform"]
    assert len(replay(dataclasses.replace(session, environment=None)).other_environment) == 1


def test_in_another_environment_a_difference_is_followed_to_the_end_and_measured(session: Session):
    assert session.environment is not None
    elsewhere = dataclasses.replace(session, environment=dataclasses.replace(session.environment, blas="another"))
    rounded = [Mark(mark.step, "0" * 64) if mark.step > 8 else mark for mark in session.marks]
    found = replay(dataclasses.replace(elsewhere, marks=tuple(rounded)))
    assert (found.identical, found.first_difference, found.through_step, found.largest_gap) == (False, 9, 5, 0.0)
    found = replay(edited(elsewhere, 7, new="cosine"))
    assert (found.identical, found.first_difference, found.through_step) == (False, 22, 21)
    assert found.largest_gap is not None
    assert 0 < found.largest_gap < 1
    # The next edit of the rate shows another value before it; what came first is what is said.
    assert_differs(edited(elsewhere, 2, new=0.2), 5, 4, "the state after this step is another")
    assert replay(edited(session, 7, new="cosine")).largest_gap is None


# Divergences -------------------------------------------------------------------------------------------------------


@pytest.fixture
def rescued(make_preset: MakePreset, tmp_path: Path) -> Session:
    """A rate so large that the update overflows, seen, turned down again, and the optimizer swapped meanwhile."""
    run = Run(Session(preset=make_preset(hidden=[], l2=1e6), seed=1))
    go(run, 5)
    diverged = go(run, 20, [(5, "optimizer", "gradient_descent"), (5, "learning_rate", 1e30), (5, "l2", 1e6)])
    tried = 0
    while diverged is None and tried < 20:
        diverged, tried = go(run, 20), tried + 1
    assert diverged is not None
    step = run.trainer.state.step
    go(run, step + 10, [(step, "optimizer", "adam"), (step, "learning_rate", 0.001), (step, "l2", 0.0)])
    return run.save(tmp_path / "rescued.toml")


def go(run: Run, steps: int, edits: list[tuple[int, str, object]] | None = None) -> Diverged | None:
    last = None
    for event in run.events(scripted(edits or []), lambda: False, Until(steps=steps)):
        last = event
    return last if isinstance(last, Diverged) else None


def test_a_divergence_that_was_rescued_by_an_edit_replays(rescued: Session):
    (divergence,) = rescued.divergences
    assert rescued.step == divergence.step + 10
    found = replay(rescued)
    assert (found.identical, found.through_step) == (True, rescued.step)


def test_a_rescue_taken_away_shows_at_the_step_that_diverges_then(rescued: Session):
    lost = dataclasses.replace(rescued, edits=rescued.edits[:3])
    found = replay(lost)
    assert (found.identical, found.first_difference) == (False, rescued.divergences[0].step + 1)
    assert "it diverges" in found.reason
    unknown = replay(dataclasses.replace(lost, divergences=()))
    assert (unknown.identical, unknown.first_difference) == (False, rescued.divergences[0].step + 1)


def test_a_session_that_ended_with_a_divergence_replays(make_preset: MakePreset, tmp_path: Path):
    run = Run(Session(preset=make_preset(optimizer="gradient_descent", learning_rate=1e30), seed=1))
    assert go(run, 100) is not None
    session = run.save(tmp_path / "diverged.toml")
    assert session.divergences == (Divergence(session.step, session.divergences[0].reason),)
    assert replay(read_session(tmp_path / "diverged.toml")).identical


# What is recorded --------------------------------------------------------------------------------------------------


def test_hashes_are_taken_at_edits_after_them_and_at_the_end(session: Session):
    assert [mark.step for mark in session.marks] == [0, 1, 4, 5, 9, 10, 15, 16, 21, 22, 30]
    assert [(edit.step, edit.name, edit.new) for edit in session.edits] == [
        (step, name, (1.0, 1.0) if name == "keep_prob" else value) for step, name, value in EDITS
    ]


def test_the_values_before_each_edit_are_recorded(session: Session):
    assert [edit.old for edit in session.edits] == [0.01, "adam", 0.02, 64 // 8, 1.0, "momentum", 0.1, "constant", 30, (0.5, 1.0)]


class AnyState:
    """Only what a recorder asks of a state, so that a million steps take no training."""

    def __init__(self) -> None:
        self.step = 0

    def digest(self) -> str:
        return f"{self.step:064x}"


def test_a_million_steps_leave_a_notebook_that_can_be_read(make_preset: MakePreset):
    state = AnyState()
    recorder = Recorder(Session(preset=make_preset(), seed=1), state)  # type: ignore[arg-type]
    most = 0
    for step in range(FIRST_INTERVAL, 1_000_001, FIRST_INTERVAL):
        state.step = step
        recorder.take(StepTaken(step, 1, 0.5, 1.0, 0.1))
        most = max(most, len(recorder._marks))
    state.step = 1_000_001
    session = recorder.session(None)  # type: ignore[arg-type]
    steps = [mark.step for mark in session.marks]
    assert most <= MOST + 1
    assert MOST // 2 <= len(steps) <= MOST + 2
    assert steps[-1] == 1_000_001
    gaps = [after - before for before, after in pairwise(steps[:-1])]
    assert max(gaps) <= 2 * min(gaps)
    assert all((gap // FIRST_INTERVAL).bit_count() == 1 for gap in gaps)
    assert all(mark.hash == f"{mark.step:064x}" for mark in session.marks)


def test_the_hashes_around_edits_are_kept_when_others_are_thinned_out(make_preset: MakePreset):
    state = AnyState()
    recorder = Recorder(Session(preset=make_preset(), seed=1), state)  # type: ignore[arg-type]
    for step in range(1, 100_001):
        state.step = step
        recorder.take(StepTaken(step, 1, 0.5, 1.0, 0.1))
        if step in (133, 4211, 99_999):
            recorder.take(HyperparameterChanged(step, "l2", 0.0, 0.1))
    kept = {mark.step for mark in recorder.session(None).marks}  # type: ignore[arg-type]
    assert {133, 134, 4211, 4212, 99_999, 100_000} <= kept
    assert len(kept) <= MOST + 6


@pytest.mark.soak
def test_a_long_run_replays_against_the_hashes_that_were_kept(make_session: MakeSession):
    steps = FIRST_INTERVAL * (4 * MOST + 10)
    assert replay(make_session(steps, [(133, "l2", 0.1), (4211, "optimizer", "momentum")])).identical


def test_a_resumed_recording_goes_on_bounded(make_preset: MakePreset):
    """Thinned out already, it starts with the shortest interval again, and must end with as few hashes."""
    marks = tuple(Mark(step, f"{step:064x}") for step in range(6400, 6400 * 65, 6400))
    state = AnyState()
    recorder = Recorder(Session(preset=make_preset(), seed=1, marks=marks), state)  # type: ignore[arg-type]
    for step in range(6400 * 64 + FIRST_INTERVAL, 1_000_001, FIRST_INTERVAL):
        state.step = step
        recorder.take(StepTaken(step, 1, 0.5, 1.0, 0.1))
        assert len(recorder._marks) <= MOST + 2


def test_a_run_that_is_gone_on_with_replays_as_a_whole(make_session: MakeSession, tmp_path: Path):
    make_session(7, [(2, "l2", 0.1), (7, "optimizer", "nesterov")])
    path = tmp_path / "recorded.toml"
    run = Run(read_session(path), path)
    go(run, 12, [(8, "learning_rate", 0.5)])
    session = run.save(path)
    assert [edit.step for edit in session.edits] == [2, 7, 8]
    assert {7, 8, 9, 12} <= {mark.step for mark in session.marks}
    assert replay(session).identical
    assert_differs(edited(session, 1, new="momentum"), 8, 7, "the state after this step is another")


def test_a_trainer_made_from_all_edits_has_what_is_in_force_at_the_end(session: Session):
    h = new_trainer(session, session.edits).hyperparameters
    assert (h.optimizer, h.learning_rate, h.batch_size, h.keep_prob, h.schedule) == ("adamw", 0.005, 5, (1.0, 1.0), "exponential")
