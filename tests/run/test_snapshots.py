"""Copies of the state within a budget: which are kept, and which is found."""

from __future__ import annotations

import numpy as np
import pytest

from workbench.engine.state import Snapshot
from workbench.run.snapshots import MOST, Kind, Snapshots
from workbench.session.branch import Branch, Edit, Place
from workbench.session.timeline import Past, past

SIZE = 800
BRANCH = Branch(edits=(Edit(10, "l2", 0.0, 0.1), Edit(20, "l2", 0.1, 0.2)), step=10_000)
PLAIN = Branch(step=10_000)


def copy(step: int) -> Snapshot:
    return Snapshot({"W": np.full(SIZE // 8, float(step))}, {"step": str(step)})


def at(step: int, branch: Branch = PLAIN) -> Past:
    return past(branch, Place(step, sum(edit.step <= step for edit in branch.edits)))


def found(snapshots: Snapshots, branch: Branch, place: Place) -> Place | None:
    kept = snapshots.nearest(branch, place)
    return None if kept is None else Place(kept.past.step, len(kept.past.edits))


@pytest.fixture
def ten() -> Snapshots:
    """Room for ten, with the start in it."""
    snapshots = Snapshots(10 * SIZE)
    snapshots.add(at(0), Kind.START, copy(0))
    return snapshots


def test_the_nearest_is_the_last_one_on_the_way(ten: Snapshots):
    for step in (5, 9, 30):
        ten.add(at(step), Kind.PASSED, copy(step))
    assert [found(ten, PLAIN, Place(step, 0)) for step in (0, 4, 5, 8, 29, 30, 99)] == [
        Place(0, 0), Place(0, 0), Place(5, 0), Place(5, 0), Place(9, 0), Place(30, 0), Place(30, 0),
    ]  # fmt: skip
    assert ten.exactly(PLAIN, Place(9, 0)) is not None
    assert ten.exactly(PLAIN, Place(10, 0)) is None


def test_of_two_branches_with_other_edits_at_the_same_step_each_finds_its_own(ten: Snapshots):
    other = Branch(edits=(BRANCH.edits[0], Edit(20, "l2", 0.1, 0.9)), step=99)
    for branch in (BRANCH, other):
        for place in (Place(20, 1), Place(20, 2), Place(30, 2)):
            ten.add(past(branch, place), Kind.PASSED, copy(place.step + len(ten)))
    mine, theirs = (ten.nearest(branch, Place(40, 2)) for branch in (BRANCH, other))
    assert mine is not None
    assert theirs is not None
    assert (mine.past, theirs.past) == (past(BRANCH, Place(30, 2)), past(other, Place(30, 2)))
    assert mine.past != theirs.past
    assert found(ten, PLAIN, Place(40, 0)) == Place(0, 0)
    assert found(ten, BRANCH, Place(20, 1)) == Place(20, 1)
    renamed = Branch(name="elsewhere", edits=BRANCH.edits, step=50)
    assert ten.nearest(renamed, Place(40, 2)) is mine


def test_whatever_is_added_the_budget_is_held_and_the_start_and_the_best_stay(ten: Snapshots):
    ten.add(at(7), Kind.BEST, copy(7))
    for step in range(8, 1000):
        ten.add(at(step), Kind.PASSED, copy(step))
        assert ten.size <= 10 * SIZE
        assert at(step) in ten
        assert {at(0), at(7)} <= set(ten._kept)
    assert len(ten) * SIZE == ten.size


def test_the_gaps_grow_towards_the_beginning():
    snapshots = Snapshots(40 * SIZE)
    snapshots.add(at(0), Kind.START, copy(0))
    for step in range(1, 5001):
        snapshots.add(at(step), Kind.PASSED, copy(step))
    steps = sorted(each.step for each in snapshots._kept)
    gaps = np.diff(steps)
    assert gaps.max() <= 5000 / 4
    assert gaps[-5:].mean() < gaps[:5].mean()


def test_edits_are_kept_longer_than_what_was_only_passed_and_tips_longer_than_edits(ten: Snapshots):
    kinds = {3: Kind.EDIT, 5: Kind.TIP, 11: Kind.EDIT}
    for step in range(1, 300):
        ten.add(at(step), kinds.get(step, Kind.PASSED), copy(step))
    assert all(at(step) in ten for step in kinds)
    for step in range(300, 400):
        ten.add(at(step), Kind.EDIT, copy(step))
    assert at(5) in ten
    assert at(3) not in ten or at(11) not in ten
    assert ten.size <= 10 * SIZE


def test_what_was_the_best_is_nothing_special_once_it_is_demoted(ten: Snapshots):
    ten.add(at(7), Kind.BEST, copy(7))
    ten.demote(at(7))
    ten.demote(at(8))
    for step in range(8, 300):
        ten.add(at(step), Kind.PASSED, copy(step))
    for step in range(300, 340):
        ten.add(at(step), Kind.EDIT, copy(step))
    assert at(7) not in ten


def test_a_second_copy_of_the_same_past_only_raises_its_kind(ten: Snapshots):
    ten.add(at(7), Kind.PASSED, copy(7))
    size = ten.size
    ten.add(at(7), Kind.BEST, copy(8))
    ten.raise_to(at(7), Kind.PASSED)
    ten.raise_to(at(99), Kind.BEST)
    assert (len(ten), ten.size) == (2, size)
    assert ten._kept[at(7)].kind is Kind.BEST
    kept = ten.nearest(PLAIN, Place(7, 0))
    assert kept is not None
    assert kept.snapshot.tensors["W"][0] == 7


def test_however_small_they_are_there_are_not_more_than_most():
    snapshots = Snapshots(10**9)
    for step in range(3 * MOST):
        snapshots.add(at(step), Kind.START if not step else Kind.PASSED, copy(step))
        assert len(snapshots) <= MOST
    assert len(snapshots) >= MOST // 2


def test_without_any_room_the_start_is_left_and_what_came_last():
    snapshots = Snapshots(1)
    for step in range(20):
        snapshots.add(at(step), Kind.START if not step else Kind.TIP, copy(step))
    assert {each.step for each in snapshots._kept} == {0, 19}
