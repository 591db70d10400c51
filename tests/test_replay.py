"""A saved session can be trained again to the same bits, and whatever was tampered with shows at the right step."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from workbench.engine.commands import scripted
from workbench.engine.events import Diverged, HyperparameterChanged, StepTaken
from workbench.engine.guard import BestSoFar
from workbench.engine.trainer import Until
from workbench.run.recorder import FIRST_INTERVAL, MOST, Recorder
from workbench.run.replay import Replay
from workbench.run.replay import replay as replay_all
from workbench.run.run import Run
from workbench.session.branch import Branch, Edit, Mark, Place
from workbench.session.format import parse_session, session_to_toml
from workbench.session.preset import Preset
from workbench.session.session import Session
from workbench.session.store import read_session
from workbench.session.timeline import hyperparameters_at

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


def replay(session: Session, progress: Callable[[int, int], None] = lambda step, steps: None) -> Replay:
    """Of a session with one branch."""
    (found,) = replay_all(session, progress)
    assert found.branch == "main"
    return found


def edited(session: Session, number: int, **changes: Any) -> Session:
    edits = list(session.branch.edits)
    edits[number] = dataclasses.replace(edits[number], **changes)
    return session.with_branch(edits=tuple(edits))


def assert_differs(session: Session, first: int, through: int, reason: str) -> None:
    found = replay(session)
    assert not found.identical
    assert (found.first_difference, found.through_step) == (first, through)
    assert reason in found.reason


def test_a_run_with_many_edits_is_identical(session: Session):
    seen: list[int] = []
    found = replay(session, lambda step, _: seen.append(step))
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
    moved = moved.with_branch(edits=tuple(sorted(moved.branch.edits, key=lambda edit: edit.step)))
    assert_differs(moved, first, through, "the state after this step is another")


def test_an_edit_of_another_hyperparameter_shows_where_it_was_made(session: Session):
    assert_differs(edited(session, 2, name="epsilon", new=0.1), 4, 4, "the edit here is epsilon")


def test_another_value_before_an_edit_shows_where_it_was_made(session: Session):
    assert_differs(edited(session, 2, old=0.5), 4, 4, "learning_rate 0.02 → 0.1, recorded was learning_rate 0.5 → 0.1")


def test_an_edit_that_is_impossible_shows_where_it_was_made(session: Session):
    assert_differs(edited(session, 4, name="keep_prob.9"), 9, 9, "the edit of keep_prob.9 is refused")


def test_an_edit_taken_away_shows_at_the_step_after_it(session: Session):
    less = session.with_branch(edits=(*session.branch.edits[:3], *session.branch.edits[4:]))
    assert_differs(less, 10, 9, "the state after this step is another")


def test_an_edit_added_shows(session: Session):
    more = session.with_branch(edits=(*session.branch.edits[:3], Edit(6, "l2", 0.0, 0.1), *session.branch.edits[3:]))
    assert_differs(more, 9, 5, "the state after this step is another")


def test_edits_in_another_order_show(session: Session):
    edits = session.branch.edits
    swapped = session.with_branch(edits=(edits[0], edits[2], edits[1], *edits[3:]))
    # What is in force then is the same, so this is the same run.
    assert replay(swapped).identical
    twice = session.with_branch(edits=(*edits, Edit(30, "keep_prob.1", 1.0, 0.5), Edit(30, "keep_prob.1", 1.0, 0.5)))
    assert_differs(twice, 30, 30, "keep_prob.1 0.5 → 0.5, recorded was keep_prob.1 1.0 → 0.5")


def test_an_edit_beyond_the_end_shows(session: Session):
    beyond = session.with_branch(edits=(*session.branch.edits, Edit(31, "l2", 0.0, 0.1)))
    assert_differs(beyond, 30, 30, "an edit at step 31 lies beyond the last step")


@pytest.mark.parametrize("number", range(0, 12, 3))
def test_another_hash_shows_at_its_step(session: Session, number: int):
    marks = list(session.branch.marks)
    marks[number] = Mark(marks[number].step, "0" * 64)
    through = marks[number - 1].step if number else 0
    found = replay(session.with_branch(marks=tuple(marks)))
    assert (found.identical, found.first_difference, found.through_step) == (False, marks[number].step, through)


def test_another_seed_shows_at_the_start(session: Session):
    assert_differs(dataclasses.replace(session, seed=2), 0, 0, "the state at the start is another")


@pytest.mark.parametrize(("name", "value", "first"), [("noise", 0.31, 1), ("beta1", 0.91, 1), ("hidden", [6, 6], 0)])
def test_another_preset_shows(session: Session, name: str, value: object, first: int):
    changed = dataclasses.replace(session, preset=session.preset.with_value(name, value))
    found = replay(changed)
    assert (found.identical, found.first_difference) == (False, first)


def test_a_session_without_hashes_proves_nothing(session: Session):
    assert_differs(session.with_branch(marks=()), 0, 0, "no state hashes")


def test_hashes_that_do_not_reach_the_last_step_prove_nothing(session: Session):
    assert_differs(session.with_branch(marks=session.branch.marks[:-1]), 30, 22, "the last step")


def test_a_last_step_before_the_last_hash_shows(session: Session):
    assert session.branch.result is not None
    result = dataclasses.replace(session.branch.result, step=22)
    shorter = session.with_branch(step=22, result=result, edits=session.branch.edits[:-1])
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
    rounded = [Mark(mark.step, "0" * 64) if mark.step > 8 else mark for mark in session.branch.marks]
    found = replay(elsewhere.with_branch(marks=tuple(rounded)))
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
    preset = make_preset(hidden=[], l2=1e6, initializer_scale=1000.0)
    return diverged_and_rescued(preset, tmp_path, [(5, "optimizer", "gradient_descent"), (5, "learning_rate", 1e30)])


def diverged_and_rescued(preset: Preset, folder: Path, edits: list[tuple[int, str, object]]) -> Session:
    run = Run(Session(preset=preset, seed=1))
    go(run, 5)
    diverged = go(run, 20, edits)
    assert diverged is not None
    step = run.trainer.state.step
    go(run, step + 10, [(step, "optimizer", "adam"), (step, "learning_rate", 0.001), (step, "l2", 0.0)])
    return run.save(folder / "rescued.toml")


def go(run: Run, steps: int, edits: list[tuple[int, str, object]] | None = None) -> Diverged | None:
    last = None
    for event in run.events(scripted(edits or []), lambda: False, Until(steps=steps)):
        last = event
    return last if isinstance(last, Diverged) else None


def test_a_divergence_that_was_rescued_by_an_edit_replays(rescued: Session):
    (stop,) = rescued.branch.stops
    assert rescued.step == stop.step + 10
    found = replay(rescued)
    assert (found.identical, found.through_step) == (True, rescued.step)


def test_a_rescue_taken_away_shows_at_the_step_that_diverges_then(rescued: Session):
    lost = rescued.with_branch(edits=rescued.branch.edits[:2])
    found = replay(lost)
    assert (found.identical, found.first_difference) == (False, rescued.branch.stops[0].step + 1)
    assert "it diverges" in found.reason
    unknown = replay(lost.with_branch(stops=()))
    assert (unknown.identical, unknown.first_difference) == (False, rescued.branch.stops[0].step + 1)


def test_a_stop_that_does_not_come_shows(rescued: Session):
    (stop,) = rescued.branch.stops
    calm = rescued.with_branch(stops=(stop, dataclasses.replace(stop, step=stop.step + 2, edits=5)))
    assert_differs(calm, stop.step + 3, stop.step + 1, f"it did not stop after step {stop.step + 2}, as recorded")


def test_where_the_weights_are_ruined_the_run_goes_back_and_both_branches_replay(make_preset: MakePreset, tmp_path: Path):
    edits: list[tuple[int, str, object]] = [(5, "optimizer", "gradient_descent"), (5, "learning_rate", 1e30), (5, "l2", 1e6)]
    session = diverged_and_rescued(make_preset(hidden=[], l2=1e6), tmp_path, edits)
    ruined, rescued = session.branches
    assert (ruined.step, [stop.step for stop in ruined.stops]) == (6, [6])
    assert (rescued.parent, rescued.fork, rescued.stops, rescued.step) == (ruined.name, 5, (), 15)
    found = replay_all(read_session(tmp_path / "rescued.toml"))
    assert [(each.branch, each.identical, each.through_step) for each in found] == [("main", True, 6), ("main-2", True, 15)]


@pytest.mark.parametrize("settings", [{}, {"hidden": [], "l2": 1e6, "guard_factor": 0.0}], ids=str)
def test_a_session_that_ended_with_a_divergence_replays(make_preset: MakePreset, tmp_path: Path, settings: dict[str, Any]):
    run = Run(Session(preset=make_preset(**{"optimizer": "gradient_descent", "learning_rate": 1e30, **settings}), seed=1))
    assert go(run, 100) is not None
    main = run.save(tmp_path / "diverged.toml").named("main")
    (stop,) = main.stops
    assert (stop.step, stop.edits, stop.passed) == (main.step, 0, False)
    assert len(stop.rows) in (6, 8)
    assert "nan" in stop.reason or "inf" in stop.reason
    assert all(each.identical for each in replay_all(read_session(tmp_path / "diverged.toml")))


# Branches ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def forked(make_preset: MakePreset, tmp_path: Path) -> Session:
    """`main` of 30 steps with ten edits; `main-2` left it after 12 and has one of its own, `main-3` that one after 16."""
    run = Run(Session(preset=make_preset(), seed=1))
    go(run, 30, EDITS)
    run.go_to(Place(12, 5))
    go(run, 20, [(14, "learning_rate", 0.5)])
    run.go_to(Place(16, 6))
    go(run, 24, [(16, "l2", 0.1)])
    return run.save(tmp_path / "forked.toml")


def changed(session: Session, name: str, **changes: Any) -> Session:
    branch = dataclasses.replace(session.named(name), **changes)
    return dataclasses.replace(session, branches=tuple(branch if each.name == name else each for each in session.branches))


def test_every_branch_is_replayed_and_what_they_share_only_once(forked: Session, tmp_path: Path):
    told: list[tuple[int, int]] = []
    found = replay_all(forked, lambda step, steps: told.append((step, steps)))
    assert [(each.branch, each.identical, each.through_step) for each in found] == [
        ("main", True, 30), ("main-2", True, 20), ("main-3", True, 24),
    ]  # fmt: skip
    assert [step for step, _ in told] == [*range(1, 31), *range(13, 21), *range(17, 25)]
    assert {steps for _, steps in told} == {30, 20, 24}
    assert all(each.identical for each in replay_all(read_session(tmp_path / "forked.toml")))


@pytest.mark.parametrize("name", ["main", "main-2", "main-3"])
def test_what_is_changed_in_a_branch_shows_there_and_in_no_other(forked: Session, name: str):
    others: dict[str, tuple[int, Any]] = {"main": (7, "cosine"), "main-2": (5, 0.123), "main-3": (6, 0.123)}
    number, new = others[name]
    edits = list(forked.named(name).edits)
    edits[number] = dataclasses.replace(edits[number], new=new)
    tampered = changed(forked, name, edits=tuple(edits))
    found = {each.branch: each for each in replay_all(tampered)}
    assert [each for each in found if not found[each].identical] == [name]
    assert found[name].first_difference == {"main": 22, "main-2": 15, "main-3": 17}[name]


def test_another_hash_in_what_branches_share_shows_in_all_of_them(forked: Session):
    tampered = forked
    for branch in forked.branches:
        marks = tuple(Mark(mark.step, "0" * 64) if mark.step == 9 else mark for mark in branch.marks)
        tampered = changed(tampered, branch.name, marks=marks)
    found = replay_all(tampered)
    assert (found[0].identical, found[0].first_difference) == (False, 9)
    assert not any(each.identical for each in found)


# What is recorded --------------------------------------------------------------------------------------------------


def test_hashes_are_taken_at_edits_after_them_and_at_the_end(session: Session):
    assert [mark.step for mark in session.branch.marks] == [0, 1, 4, 5, 9, 10, 15, 16, 21, 22, 30]
    assert [(edit.step, edit.name, edit.new) for edit in session.branch.edits] == [
        (step, name, (1.0, 1.0) if name == "keep_prob" else value) for step, name, value in EDITS
    ]


def test_the_values_before_each_edit_are_recorded(session: Session):
    old = [edit.old for edit in session.branch.edits]
    assert old == [0.01, "adam", 0.02, 64 // 8, 1.0, "momentum", 0.1, "constant", 30, (0.5, 1.0)]


class AnyState:
    """Only what a recorder asks of a state, so that a million steps take no training."""

    def __init__(self) -> None:
        self.step = 0

    def digest(self) -> str:
        return f"{self.step:064x}"

    best = BestSoFar()


def test_a_million_steps_leave_a_session_that_can_be_read():
    state = AnyState()
    recorder = Recorder(Branch(), state)  # type: ignore[arg-type]
    most = 0
    for step in range(FIRST_INTERVAL, 1_000_001, FIRST_INTERVAL):
        state.step = step
        recorder.record(StepTaken(step, 1, 0.5, 1.0, 0.1))
        most = max(most, len(recorder._marks))
    state.step = 1_000_001
    branch = recorder.branch()
    steps = [mark.step for mark in branch.marks]
    assert most <= MOST + 1
    assert MOST // 2 <= len(steps) <= MOST + 2
    assert steps[-1] == 1_000_001
    gaps = [after - before for before, after in pairwise(steps[:-1])]
    assert max(gaps) <= 2 * min(gaps)
    assert all((gap // FIRST_INTERVAL).bit_count() == 1 for gap in gaps)
    assert all(mark.hash == f"{mark.step:064x}" for mark in branch.marks)


def test_the_hashes_around_edits_are_kept_when_others_are_thinned_out():
    state = AnyState()
    recorder = Recorder(Branch(), state)  # type: ignore[arg-type]
    for step in range(1, 100_001):
        state.step = step
        recorder.record(StepTaken(step, 1, 0.5, 1.0, 0.1))
        if step in (133, 4211, 99_999):
            recorder.record(HyperparameterChanged(step, "l2", 0.0, 0.1))
    kept = {mark.step for mark in recorder.branch().marks}
    assert {133, 134, 4211, 4212, 99_999, 100_000} <= kept
    assert len(kept) <= MOST + 6


@pytest.mark.soak
def test_a_long_run_replays_against_the_hashes_that_were_kept(make_session: MakeSession):
    steps = FIRST_INTERVAL * (4 * MOST + 10)
    assert replay(make_session(steps, [(133, "l2", 0.1), (4211, "optimizer", "momentum")])).identical


def test_a_resumed_recording_goes_on_bounded():
    """Thinned out already, it starts with the shortest interval again, and must end with as few hashes."""
    marks = tuple(Mark(step, f"{step:064x}") for step in range(6400, 6400 * 65, 6400))
    state = AnyState()
    recorder = Recorder(Branch(marks=marks), state)  # type: ignore[arg-type]
    for step in range(6400 * 64 + FIRST_INTERVAL, 1_000_001, FIRST_INTERVAL):
        state.step = step
        recorder.record(StepTaken(step, 1, 0.5, 1.0, 0.1))
        assert len(recorder._marks) <= MOST + 2


def test_a_run_that_is_gone_on_with_replays_as_a_whole(make_session: MakeSession, tmp_path: Path):
    make_session(7, [(2, "l2", 0.1), (7, "optimizer", "nesterov")])
    path = tmp_path / "recorded.toml"
    run = Run(read_session(path), path)
    go(run, 12, [(8, "learning_rate", 0.5)])
    session = run.save(path)
    assert [edit.step for edit in session.branch.edits] == [2, 7, 8]
    assert {7, 8, 9, 12} <= {mark.step for mark in session.branch.marks}
    assert replay(session).identical
    assert_differs(edited(session, 1, new="momentum"), 8, 7, "the state after this step is another")


def test_all_edits_together_are_what_is_in_force_at_the_end(session: Session):
    h = hyperparameters_at(session.preset, session.branch, session.branch.tip)
    assert (h.optimizer, h.learning_rate, h.batch_size, h.keep_prob, h.schedule) == ("adamw", 0.005, 5, (1.0, 1.0), "exponential")


# -- another arithmetic -------------------------------------------------------------------------------------------------


def of_arithmetic(session: Session, number: int) -> Session:
    assert session.environment is not None
    return dataclasses.replace(session, environment=dataclasses.replace(session.environment, arithmetic=number))


def test_a_session_of_another_arithmetic_is_compared_within_a_tolerance(session: Session):
    found = replay(of_arithmetic(session, 1))
    assert found.as_recorded
    assert not found.identical
    assert found.comparison.startswith("arithmetic 1, this is 2: compared within a tolerance: final costs differ by 0 of")


def test_another_run_is_not_within_the_tolerance(session: Session):
    found = replay(of_arithmetic(dataclasses.replace(session, preset=session.preset.with_value("initializer_scale", 9.0)), 1))
    assert not found.as_recorded
    assert "is tolerated" in found.comparison
