"""What was in force where, what undo and redo take back, and a timeline as commands."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.engine.commands import PassGuard, Planned, SetHyperparameter
from workbench.engine.measurements import Score
from workbench.hyperparameters import assign, get
from workbench.session.branch import Best, Branch, Edit, Mark, Note, Place, Result, Stop
from workbench.session.preset import Preset, parse_preset
from workbench.session.session import Session
from workbench.session.timeline import (
    Past,
    Script,
    cut,
    fork,
    fresh_branch_name,
    has_own,
    hyperparameters_at,
    leads_to,
    past,
    place_after,
    place_before,
    redoable,
    scheduled,
    taking_back,
    undoable,
)

PRESET = parse_preset({"network": {"hidden": [4, 3]}, "training": {"keep_prob": [0.9, 0.8]}}, "p.toml", "p")
DEEDS = st.lists(
    st.one_of(
        st.tuples(st.just("l2"), st.sampled_from([0.0, 0.1, 0.2])),
        st.tuples(st.just("learning_rate"), st.sampled_from([0.1, 0.2])),
        st.tuples(st.just("keep_prob"), st.sampled_from([0.5, 1.0])),
        st.tuples(st.sampled_from(["keep_prob.1", "keep_prob.2"]), st.sampled_from([0.6, 0.7])),
        st.tuples(st.just("undo"), st.none()),
        st.tuples(st.just("undo"), st.none()),
        st.tuples(st.just("redo"), st.none()),
    ),
    max_size=30,
)


class Edited:
    """Edits as a run takes them, each a step after the one before."""

    def __init__(self) -> None:
        self.h, self.edits = PRESET.training, ()  # type: tuple[Any, tuple[Edit, ...]]

    def apply(self, command: SetHyperparameter) -> None:
        after = assign(self.h, command.name, command.value)
        old, new = get(self.h, command.name), get(after, command.name)
        self.edits = (*self.edits, Edit(len(self.edits), command.name, old, new, undoes=command.undoes))
        self.h = after

    def undo(self) -> bool:
        number = undoable(self.edits)
        if number:
            self.apply(taking_back(self.edits, number))
        return bool(number)

    def redo(self) -> bool:
        number = redoable(self.edits)
        if number:
            self.apply(taking_back(self.edits, number))
        return bool(number)


# Undo and redo -----------------------------------------------------------------------------------------------------


@given(DEEDS)
def test_undo_and_redo_are_those_of_any_editor(deeds: list[tuple[str, Any]]):
    """Against the usual two stacks of what was in force."""
    edited = Edited()
    done, undone = [edited.h], []  # type: tuple[list[Any], list[Any]]
    for name, value in deeds:
        if name == "undo":
            assert edited.undo() == (len(done) > 1)
            if len(done) > 1:
                undone.append(done.pop())
        elif name == "redo":
            assert edited.redo() == bool(undone)
            if undone:
                done.append(undone.pop())
        else:
            edited.apply(SetHyperparameter(name, value))
            done.append(edited.h)
            undone.clear()
        assert edited.h == done[-1]
    branch = Branch(edits=edited.edits, step=99)
    assert hyperparameters_at(PRESET, branch, branch.tip) == edited.h


@given(DEEDS)
def test_undone_until_nothing_is_left_the_presets_values_are_back(deeds: list[tuple[str, Any]]):
    edited = Edited()
    for name, value in deeds:
        if name not in ("undo", "redo"):
            edited.apply(SetHyperparameter(name, value))
    full, count = edited.h, len(edited.edits)
    while edited.undo():
        assert len(edited.edits) <= 2 * count
    assert edited.h == PRESET.training
    while edited.redo():
        assert len(edited.edits) <= 3 * count
    assert edited.h == full
    assert redoable(edited.edits) == 0


def test_numbers_are_those_of_the_edits():
    edited = Edited()
    assert (undoable(()), redoable(())) == (0, 0)
    edited.apply(SetHyperparameter("l2", 0.1))
    edited.apply(SetHyperparameter("l2", 0.2))
    assert (undoable(edited.edits), redoable(edited.edits)) == (2, 0)
    edited.undo()
    assert edited.edits[-1] == Edit(2, "l2", 0.2, 0.1, undoes=2)
    assert (undoable(edited.edits), redoable(edited.edits)) == (1, 3)
    edited.undo()
    assert (undoable(edited.edits), redoable(edited.edits)) == (0, 4)
    edited.redo()
    assert (undoable(edited.edits), redoable(edited.edits)) == (1, 3)
    edited.apply(SetHyperparameter("l1", 0.1))
    assert (undoable(edited.edits), redoable(edited.edits)) == (6, 0)


# Places ------------------------------------------------------------------------------------------------------------

BRANCH = Branch(
    edits=(Edit(0, "l2", 0.0, 0.1), Edit(5, "l1", 0.0, 0.1), Edit(5, "l2", 0.1, 0.2), Edit(9, "l1", 0.1, 0.0)),
    notes=(Note(5, "a"), Note(6, "b")),
    stops=(Stop(4, 1, "risen", passed=True), Stop(5, 2, "nan"), Stop(8, 3, "inf")),
    marks=tuple(Mark(step, f"{step:064x}") for step in (0, 5, 6, 12)),
    step=12,
    best=Best(7, 0.5),
    result=Result(10, 2, Score.of(0.1, 0.2)),
    checkpoint="x.safetensors",
    note="n",
)  # fmt: skip


@pytest.mark.parametrize(("step", "before", "after"), [(0, 0, 1), (4, 1, 1), (5, 1, 3), (6, 3, 3), (9, 3, 4), (12, 4, 4)])
def test_places_at_a_step(step: int, before: int, after: int):
    assert place_before(BRANCH, step) == Place(step, before)
    assert place_after(BRANCH, step) == Place(step, after)


def test_a_branch_cut_at_a_place_is_what_it_was_there():
    early = cut(BRANCH, Place(5, 2))
    assert early.tip == Place(5, 2)
    assert early.edits == BRANCH.edits[:2]
    assert early.stops == BRANCH.stops[:2]
    assert [each.step for each in early.marks] == [0, 5]
    assert (early.notes, early.best, early.result, early.checkpoint) == ((Note(5, "a"),), None, None, None)
    assert cut(BRANCH, Place(5, 1)).stops == BRANCH.stops[:1]
    assert cut(BRANCH, BRANCH.tip) == dataclasses.replace(BRANCH, checkpoint=None)
    assert cut(BRANCH, Place(7, 3)).best == BRANCH.best


def test_a_fork_has_a_name_of_its_own_and_the_past_of_its_parent():
    session = Session(preset=PRESET, seed=1, branches=(BRANCH, Branch(name="main-2", parent="main")))
    child = fork(session, BRANCH, Place(6, 3))
    assert (child.name, child.parent, child.fork, child.note) == ("main-3", "main", 6, "")
    assert past(child, child.tip) == past(BRANCH, Place(6, 3))
    assert fresh_branch_name(dataclasses.replace(session, branches=(BRANCH,))) == "main-2"


def test_what_is_a_branchs_own():
    session = Session(preset=PRESET, seed=1, branches=(BRANCH,))
    child = fork(session, BRANCH, Place(6, 3))
    assert not has_own(child, BRANCH)
    for more in (
        {"step": 7}, {"note": "x"}, {"edits": (*child.edits, Edit(6, "l1", 0.1, 0.3))}, {"notes": (Note(3, "x"), *child.notes)},
        {"stops": (*child.stops, Stop(6, 3, "x"))},
    ):  # fmt: skip
        assert has_own(dataclasses.replace(child, **more), BRANCH)


def test_a_past_leads_to_later_places_of_the_branches_that_share_it():
    other = dataclasses.replace(BRANCH, edits=(*BRANCH.edits[:2], Edit(5, "l2", 0.1, 0.3)))
    for place in (Place(0, 0), Place(0, 1), Place(3, 1), Place(5, 1), Place(5, 2)):
        for branch in (BRANCH, other):
            assert leads_to(past(BRANCH, place), branch, Place(12, 3))
    assert leads_to(past(BRANCH, Place(5, 3)), BRANCH, Place(5, 3))
    assert not leads_to(past(BRANCH, Place(5, 3)), other, Place(12, 3))
    assert not leads_to(past(BRANCH, Place(5, 3)), BRANCH, Place(5, 2))
    assert not leads_to(past(BRANCH, Place(6, 3)), BRANCH, Place(5, 3))
    # Beyond the step of an edit that it has not taken.
    assert not leads_to(past(BRANCH, Place(7, 2)), BRANCH, Place(12, 4))


def test_what_was_passed_belongs_to_the_past_of_later_places_only():
    heeded = dataclasses.replace(BRANCH, stops=BRANCH.stops[1:])
    assert past(BRANCH, Place(4, 1)) == past(heeded, Place(4, 1)) == Past(4, ((0, "l2", 0.1),), ())
    assert past(BRANCH, Place(5, 1)) != past(heeded, Place(5, 1))
    assert leads_to(past(BRANCH, Place(4, 1)), heeded, Place(9, 3))
    assert not leads_to(past(BRANCH, Place(5, 1)), heeded, Place(9, 3))


def planned() -> Preset:
    plan = (Planned(5, "l2", 0.5), Planned(5, "keep_prob.1", 0.3), Planned(8, "l2", 0.0))
    return dataclasses.replace(PRESET, plan=plan)


@pytest.mark.parametrize(
    ("place", "l1", "l2", "keep_prob"),
    [
        (Place(0, 0), 0.0, 0.0, 0.9), (Place(0, 1), 0.0, 0.1, 0.9), (Place(4, 1), 0.0, 0.1, 0.9), (Place(5, 1), 0.0, 0.5, 0.3),
        (Place(5, 2), 0.1, 0.5, 0.3), (Place(5, 3), 0.1, 0.2, 0.3), (Place(7, 3), 0.1, 0.2, 0.3), (Place(8, 3), 0.1, 0.0, 0.3),
        (Place(12, 4), 0.0, 0.0, 0.3),
    ],
)  # fmt: skip
def test_of_one_step_the_plan_comes_before_the_edits(place: Place, l1: float, l2: float, keep_prob: float):
    h = hyperparameters_at(planned(), BRANCH, place)
    assert (h.l1, h.l2, h.keep_prob) == (l1, l2, (keep_prob, 0.8))


def test_edits_become_the_plan_of_a_preset():
    preset = scheduled(Session(preset=planned(), seed=1, branches=(BRANCH,)), ["l2"], "mine")
    assert (preset.name, preset.training.l2, preset.training.l1) == ("mine", 0.1, 0.0)
    assert [(each.step, each.name, each.value) for each in preset.plan] == [
        (5, "l2", 0.5), (5, "keep_prob.1", 0.3), (5, "l2", 0.2), (8, "l2", 0.0),
    ]  # fmt: skip
    whole = scheduled(Session(preset=planned(), seed=1, branches=(BRANCH,)), [], "all")
    for step in range(13):
        place = place_after(BRANCH, step)
        assert hyperparameters_at(whole, Branch(), Place(step, 0)) == hyperparameters_at(planned(), BRANCH, place)


# As commands -------------------------------------------------------------------------------------------------------


def names(script: Script, step: int) -> list[str]:
    return [each.name if isinstance(each, SetHyperparameter) else "pass" for each in script(step)]


def test_each_edit_is_given_once_at_its_step_and_in_its_order():
    script = Script(dataclasses.replace(BRANCH, stops=()), Place(0, 0))
    assert [names(script, step) for step in (0, 0, 4, 5, 5, 9)] == [["l2"], [], [], ["l1", "l2"], [], ["l1"]]
    assert script.given == 4
    later = Script(dataclasses.replace(BRANCH, stops=()), Place(5, 2))
    assert (names(later, 5), later.given) == (["l2"], 3)


def test_what_undoes_what_is_given_as_well():
    branch = Branch(edits=(Edit(1, "l2", 0.0, 0.1), Edit(2, "l2", 0.1, 0.0, undoes=1)), step=3)
    assert list(Script(branch, Place(1, 1))(2)) == [SetHyperparameter("l2", 0.0, 1)]


def test_after_a_stop_the_edits_that_came_after_it_are_given():
    script = Script(BRANCH, Place(0, 0))
    assert names(script, 0) == ["l2"]
    assert not script.stopped(3)
    assert script.stopped(4)
    assert names(script, 4) == ["pass"]
    assert names(script, 5) == ["l1"]
    assert not script.stopped(6)
    assert script.stopped(5)
    assert names(script, 5) == ["l2"]
    assert [stop.step for stop in script.waiting] == [8]
    assert script.stopped(8)
    assert names(script, 9) == ["l1"]
    assert script.waiting == []


def test_begun_where_the_guard_was_passed_it_is_passed_again():
    assert list(Script(dataclasses.replace(BRANCH, stops=(Stop(4, 0, "x", passed=True),)), Place(4, 1))(4)) == [PassGuard()]
