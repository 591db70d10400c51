"""Going back, elsewhere and on: every place gives the bits that a run which was never interrupted had there."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from workbench.engine.commands import Command, PassGuard, SetHyperparameter, scripted
from workbench.engine.events import Columns, Diverged, Evaluated, Event, StoppedEarly
from workbench.engine.trainer import Until
from workbench.run.replay import replay
from workbench.run.run import Run
from workbench.run.snapshots import BUDGET
from workbench.session.branch import Place
from workbench.session.checkpoint import parse_checkpoint
from workbench.session.format import parse_session, session_to_toml
from workbench.session.preset import Preset
from workbench.session.session import Session
from workbench.session.store import load_session, read_session, save
from workbench.session.timeline import hyperparameters_at, place_before

MakePreset = Callable[..., Preset]
Edits = list[tuple[int, str, Any]]

STEPS = 24
EDITS: Edits = [
    (0, "beta1", 0.8), (3, "learning_rate", 0.05), (5, "optimizer", "momentum"), (5, "keep_prob.1", 0.6), (9, "batch_size", 5),
    (16, "l2", 0.1), (24, "clip_norm", 1.0),
]  # fmt: skip
BUDGETS = pytest.mark.parametrize("budget", [1, 20_000, BUDGET])


def go(run: Run, steps: int, edits: Iterable[tuple[int, str, Any]] = ()) -> Event | Columns | None:
    last = None
    for event in run.events(scripted(edits), lambda: False, Until(steps=steps)):
        last = event
    return last


def order(run: Run, steps: int, *commands: Command) -> list[Event | Columns]:
    """Train with commands that are given at once."""
    waiting = list(commands)

    def source(step: int) -> Iterable[Command]:
        while waiting:
            yield waiting.pop(0)

    return list(run.events(source, lambda: False, Until(steps=steps)))


def state_of(run: Run) -> tuple[str, list[float], list[float], Any]:
    """All that what comes next depends on."""
    state = run.trainer.state
    # The evaluation at the start is made by whoever trains on from there.
    best = state.best.tensor().tolist() if state.step else []
    return state.digest(), state.guard.tensor().tolist(), best, run.trainer.hyperparameters


def names(run: Run) -> list[tuple[str, str | None, int]]:
    return [(each.name, each.parent, each.fork) for each in run.session.branches]


def tips(run: Run) -> dict[str, tuple[Any, ...]]:
    return {each.name: (each.tip, each.edits, each.stops, each.marks) for each in run.session.branches}


@pytest.fixture
def start(make_preset: MakePreset) -> Callable[..., Run]:
    """A run with batch norm, dropout, a schedule and evaluations at every other step."""

    def make(budget: int = BUDGET, **changes: Any) -> Run:
        settings = {"batch_norm": True, "keep_prob": 0.8, "schedule": "exponential", "evaluate_every": 2, **changes}
        return Run(Session(preset=make_preset(**settings), seed=1), budget=budget)

    return make


@pytest.fixture
def recorded(start: Callable[..., Run]) -> dict[Place, tuple[Any, ...]]:
    """What uninterrupted runs were like at each place."""
    found = {}
    for step in range(STEPS + 1):
        for edits in ([each for each in EDITS if each[0] < step], [each for each in EDITS if each[0] <= step]):
            run = start()
            go(run, step, edits)
            found[run.place] = state_of(run)
    return found


# Going to a place --------------------------------------------------------------------------------------------------


@BUDGETS
def test_every_place_is_what_it_was_and_nothing_is_left_behind(
    start: Callable[..., Run], recorded: dict[Place, tuple[Any, ...]], budget: int
):
    run = start(budget)
    go(run, STEPS, EDITS)
    tip, main = state_of(run), run.session.branch
    places = list(recorded)
    random.Random(3).shuffle(places)
    for place in places:
        run.switch("main")
        run.go_to(place)
        assert run.place == place
        assert state_of(run) == recorded[place]
        assert run.remark == ""
        assert len(run.session.branches) <= 2
        assert (run.session.named("main").edits, run.session.named("main").tip) == (main.edits, main.tip)
        assert run.redo_branch == "main" or place == main.tip
    run.switch("main")
    assert state_of(run) == tip
    assert names(run) == [("main", None, 0)]


@BUDGETS
@pytest.mark.parametrize("place", [Place(0, 0), Place(5, 2), Place(5, 3), Place(8, 4), Place(16, 5), Place(23, 6)], ids=str)
def test_training_on_from_there_gives_the_same_bits_and_curves(start: Callable[..., Run], budget: int, place: Place):
    whole, run = start(), start(budget)
    go(whole, STEPS, EDITS)
    go(run, STEPS, EDITS)
    run.go_to(place)
    go(run, STEPS, EDITS[place.edits :])
    assert state_of(run) == state_of(whole)
    run.flush()
    whole.flush()
    for name, series in whole.history.series.items():
        assert run.history.series[name].tensor().tolist() == series.tensor().tolist(), name


def test_what_was_left_is_a_branch_and_unchanged_by_what_comes_after(start: Callable[..., Run]):
    run = start()
    go(run, STEPS, EDITS)
    main, tip = tips(run)["main"], state_of(run)
    run.go_to(place_before(run.session.branch, 9))
    go(run, 15, [(9, "learning_rate", 0.5), (12, "l1", 0.1)])
    mine = state_of(run)
    assert names(run) == [("main", None, 0), ("main-2", "main", 9)]
    left = tips(run)["main"]
    assert left[:3] == main[:3]
    assert set(main[3]) <= set(left[3])
    run.switch("main")
    assert state_of(run) == tip
    run.switch("main-2")
    assert state_of(run) == mine
    assert [edit.name for edit in run.session.branch.edits] == [*(each[1] for each in EDITS[:4]), "learning_rate", "l1"]


def test_the_parent_is_the_branch_that_the_place_is_on(start: Callable[..., Run], tmp_path: Path):
    run = start()
    go(run, 20)
    run.go_to(Place(12, 0))
    go(run, 18, [(12, "l2", 0.1)])
    run.go_to(Place(15, 1))
    go(run, 16)
    run.go_to(Place(6, 0))
    go(run, 7)
    assert names(run) == [("main", None, 0), ("main-2", "main", 12), ("main-3", "main-2", 15), ("main-4", "main", 6)]
    assert all(each.identical for each in replay(run.save(tmp_path / "s.toml")))


def test_switching_to_a_branch_that_is_not_there_changes_nothing(start: Callable[..., Run]):
    run = start()
    go(run, 5)
    before = state_of(run)
    for act in (run.switch, run.delete, lambda name: run.rename(name, "x"), lambda name: run.describe(name, "x")):
        with pytest.raises(LookupError):
            act("nowhere")
    with pytest.raises(ValueError, match="stands on"):
        run.delete("main")
    assert (state_of(run), names(run)) == (before, [("main", None, 0)])


# Branches ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def tree(start: Callable[..., Run]) -> Run:
    """main (24 steps) ← main-2 (from 12, to 20) ← main-3 (from 16, to 22), the last being current."""
    run = start()
    go(run, STEPS, EDITS)
    run.go_to(Place(12, 5))
    go(run, 20, [(14, "learning_rate", 0.2)])
    run.go_to(Place(16, 6))
    go(run, 22, [(17, "l2", 0.3)])
    return run


def test_names_and_notes(tree: Run, tmp_path: Path):
    tree.rename("main-2", "hotter")
    tree.describe("hotter", "a larger rate")
    tree.rename("main-3", "penalized")
    for bad in ("main", "", "  ", "x" * 61):
        with pytest.raises(ValueError, match="expected a name"):
            tree.rename("penalized", bad)
    tree.annotate(3, "here it begins")
    tree.annotate(3, "here it began")
    tree.annotate(7, "away with it")
    tree.annotate(7, "")
    tree.annotate(17, "why", edit=7)
    session = tree.save(tmp_path / "t.toml")
    assert names(tree) == [("main", None, 0), ("hotter", "main", 12), ("penalized", "hotter", 16)]
    assert session.current == "penalized"
    assert session.named("hotter").note == "a larger rate"
    assert [(note.step, note.text) for note in session.branch.notes] == [(3, "here it began")]
    assert session.branch.edits[6].note == "why"
    assert read_session(tmp_path / "t.toml") == session
    assert all(each.identical for each in replay(session))


def test_a_deleted_branch_leaves_its_children_whole(tree: Run, tmp_path: Path):
    before = tree.session.branch
    tree.delete("main-2")
    assert names(tree) == [("main", None, 0), ("main-3", "main", 12)]
    assert tree.session.branch.edits == before.edits
    session = tree.save(tmp_path / "t.toml")
    assert read_session(tmp_path / "t.toml") == session
    tree.delete("main")
    session = tree.save(tmp_path / "t.toml")
    assert names(tree) == [("main-3", None, 0)]
    assert read_session(tmp_path / "t.toml") == session
    assert [each.identical for each in replay(session)] == [True]
    assert len(list(tmp_path.glob("*.safetensors"))) == 1


def test_unsaved_is_whatever_the_last_save_has_not(tree: Run, tmp_path: Path):
    assert tree.unsaved
    tree.save(tmp_path / "t.toml")
    changes: tuple[Callable[[], object], ...] = (
        lambda: tree.annotate(1, "x"), lambda: tree.describe("main", "y"), lambda: tree.rename("main", "first"),
        lambda: tree.switch("main-2"), lambda: tree.delete("main-3"), lambda: go(tree, 21),
        lambda: go(tree, 21, [(21, "l1", 0.1)]),
    )  # fmt: skip
    for change in changes:
        before = tree.unsaved
        change()
        assert (before, tree.unsaved) == (False, True)
        tree.save(tmp_path / "t.toml")
    assert not Run(read_session(tmp_path / "t.toml"), tmp_path / "t.toml").unsaved


# Files -------------------------------------------------------------------------------------------------------------


@BUDGETS
@pytest.mark.parametrize("rebuild", [False, True])
def test_all_branches_come_back_from_their_files(tree: Run, tmp_path: Path, budget: int, rebuild: bool):
    path, states = tmp_path / "t.toml", {}
    for name in ("main", "main-2", "main-3"):
        tree.switch(name)
        states[name] = state_of(tree)
    saved = tree.save(path)
    run = Run(read_session(path), path, rebuild=rebuild, budget=budget)
    assert run.session.current == saved.current
    for name in ("main-3", "main", "main-2"):
        run.switch(name)
        assert state_of(run) == states[name]
        assert len(run.history.series["cost"]) == run.place.step
    run.go_to(Place(16, 6))
    go(run, 20)
    assert state_of(run) == states["main-2"]
    for nowhere in (Place(21, 6), Place(16, 7), Place(13, 6), Place(-1, 0), Place(20, 2)):
        with pytest.raises(ValueError, match="not on this branch"):
            run.go_to(nowhere)
    assert state_of(run) == states["main-2"]


def test_a_damaged_checkpoint_of_another_branch_does_no_harm(tree: Run, tmp_path: Path):
    path = tmp_path / "t.toml"
    session = tree.save(path)
    tree.switch("main")
    expected = state_of(tree)
    (tmp_path / str(session.named("main").checkpoint)).write_bytes(b"nothing")
    run = Run(read_session(path), path)
    run.switch("main")
    assert state_of(run) == expected


@BUDGETS
@pytest.mark.parametrize("in_a_file", [False, True])
@pytest.mark.parametrize("place", [Place(0, 0), Place(5, 3), Place(13, 5), Place(22, 7)], ids=str)
def test_an_exported_place_opens_as_a_session_of_its_own(tree: Run, tmp_path: Path, budget: int, place: Place, in_a_file: bool):
    tree.snapshots.budget = budget
    session, checkpoint = tree.export(place)
    if in_a_file:
        save(session, {session.current: parse_checkpoint(checkpoint, "e")}, tmp_path / "e.toml")
        run = Run(read_session(tmp_path / "e.toml"), tmp_path / "e.toml")
    else:
        run = Run(parse_session(session_to_toml(session), "e"), checkpoint=checkpoint)
    assert (run.place, len(run.session.branches)) == (place, 1)
    tree.go_to(place)
    assert state_of(run) == state_of(tree)
    go(run, 24)
    assert [each.identical for each in replay(run.save(tmp_path / "e.toml"))] == [True]


def test_a_session_that_is_ahead_of_its_checkpoint_is_trained_to_its_tip(start: Callable[..., Run], tmp_path: Path):
    early, late, path = start(), start(), tmp_path / "s.toml"
    go(early, 7, EDITS[:4])
    early.save(path)
    _, tensors, facts = load_session(path)
    go(late, STEPS, EDITS)
    save(late.session, {"main": (tensors, facts)}, path)
    told: list[tuple[int, int]] = []
    run = Run(read_session(path), path, lambda done, all: told.append((done, all)))
    assert state_of(run) == state_of(late)
    assert told == [(done, STEPS - 7) for done in range(1, STEPS - 7 + 1)]
    late.flush()
    for name, series in late.history.series.items():
        assert run.history.series[name].tensor().tolist() == series.tensor().tolist(), name


# Stops -------------------------------------------------------------------------------------------------------------

PATIENT: dict[str, Any] = {
    "batch_norm": False, "keep_prob": 1.0, "patience": 3, "evaluate_every": 1, "learning_rate": 0.3, "guard_factor": 0.0,
    "schedule": "constant",
}  # fmt: skip


@pytest.fixture
def stopped(start: Callable[..., Run]) -> Run:
    run = start(**PATIENT)
    assert isinstance(go(run, 60), StoppedEarly)
    return run


def test_early_stopping_goes_back_to_the_best_and_the_rest_stays(stopped: Run, start: Callable[..., Run]):
    main, best = stopped.session.named("main"), stopped.place.step
    (stop,) = main.stops
    assert (stop.step, stop.edits, stop.passed) == (best + 3, 0, False)
    assert main.step == stop.step
    assert main.best is not None
    assert (main.best.step, stopped.redo_branch) == (best, "main")
    costs = {}
    reference = start(**{**PATIENT, "patience": 0})
    for event in reference.events(scripted([]), lambda: False, Until(steps=stop.step)):
        if isinstance(event, Evaluated) and event.dev is not None:
            costs[event.step] = event.dev.cost
    assert best == min(costs, key=costs.__getitem__)
    at_best = start(**PATIENT)
    go(at_best, best)
    assert state_of(stopped) == state_of(at_best)


def test_whoever_goes_on_after_an_early_stop_is_on_the_branch_that_stopped(stopped: Run, tmp_path: Path):
    stop = stopped.session.named("main").stops[0].step
    stopped.pass_guard()
    assert (stopped.session.current, stopped.place.step) == ("main", stop)
    order(stopped, stop + 10, PassGuard(), SetHyperparameter("patience", 0), SetHyperparameter("learning_rate", 0.01))
    assert stopped.session.branch.stops[0].passed
    assert stopped.place == Place(stop + 10, 2)
    stopped.go_to(Place(stop, 1))
    assert (stopped.trainer.hyperparameters.patience, stopped.trainer.hyperparameters.learning_rate) == (0, 0.3)
    go(stopped, stop + 5, [(stop, "l2", 0.1)])
    assert [each.identical for each in replay(stopped.save(tmp_path / "s.toml"))] == [True, True]


def test_whoever_stops_listening_at_the_evaluation_is_stopped_all_the_same(
    start: Callable[..., Run], stopped: Run, tmp_path: Path
):
    stop = stopped.session.named("main").stops[0].step
    run = start(**PATIENT)
    for event in run.events(scripted([]), lambda: True, Until(steps=60)):
        if isinstance(event, Evaluated) and event.step == stop:
            break
    assert isinstance(go(run, 60), StoppedEarly)
    assert run.session.named("main").stops == stopped.session.named("main").stops
    assert all(each.identical for each in replay(run.save(tmp_path / "s.toml")))


def test_edits_made_after_a_divergence_are_in_force_after_rebuilding(make_preset: MakePreset, tmp_path: Path):
    path = tmp_path / "s.toml"
    run = Run(Session(preset=make_preset(hidden=[], l2=1e6, initializer_scale=1000.0), seed=1))
    assert isinstance(go(run, 9, [(5, "optimizer", "gradient_descent"), (5, "learning_rate", 1e30)]), Diverged)
    go(run, 5, [(5, "learning_rate", 1e-9)])
    assert (run.place, run.session.current) == (Place(5, 3), "main")
    run.save(path)
    again = Run(read_session(path), path, rebuild=True)
    assert state_of(again) == state_of(run)
    assert again.trainer.hyperparameters.learning_rate == 1e-9
    run.go_to(Place(3, 0))
    run.switch("main")
    assert run.trainer.hyperparameters.learning_rate == 1e-9


# What went wrong before it was promised ------------------------------------------------------------------------------


def test_hashes_of_a_child_that_are_also_its_parents_are_not_lost(start: Callable[..., Run], tmp_path: Path):
    """An edit of patience changes no state, so the hashes beyond the fork are the same on both branches."""
    run = start()
    go(run, 10)
    run.go_to(Place(5, 0))
    go(run, 10, [(5, "patience", 30)])
    written = run.save(tmp_path / "s.toml")
    assert read_session(tmp_path / "s.toml") == written
    assert [each.identical for each in replay(read_session(tmp_path / "s.toml"))] == [True, True]


def test_going_back_further_where_the_curves_of_a_branch_are_not_known(tree: Run, tmp_path: Path):
    path = tmp_path / "t.toml"
    tree.go_to(Place(18, 7))
    tree.save(path)
    run = Run(read_session(path), path, rebuild=True)
    run.go_to(Place(17, 6))
    assert run.place == Place(17, 6)
    assert run.trainer.hyperparameters == hyperparameters_at(run.session.preset, run.session.branch, run.place)
