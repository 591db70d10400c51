"""The timeline as it is looked at: everything that happened, once, in the order in which it happened."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from workbench.engine.commands import Planned
from workbench.engine.events import Diverged, HyperparameterChanged, StepTaken
from workbench.session.branch import Branch, Edit, Note, Stop
from workbench.ui.state.timeline import Happening, Made, happenings

WHAT = st.sampled_from(["step", "edit", "stop", "note"])
PLANS = st.lists(st.integers(1, 6), max_size=4).map(
    lambda steps: tuple(Planned(step, "l2", float(number)) for number, step in enumerate(sorted(steps)))
)


def lived(done: list[str], plan: tuple[Planned, ...], effects: dict[int, str]) -> tuple[Branch, list[Happening]]:
    """A branch on which all of this was done, and what is to be told of it, written down as it was done."""
    branch = Branch()
    told: list[Happening] = []
    note: Note | None = None
    for what in [*done, "end"]:
        step, edits = branch.step, len(branch.edits)
        if what in ("step", "end"):
            told += [note] if note is not None else []
            note = None
        if what == "step":
            branch = branch.after(StepTaken(step + 1, 1, 0.5, 1.0, 0.1))
            told += [each for each in plan if each.step == step + 1]
        elif what == "edit":
            branch = branch.after(HyperparameterChanged(step, "learning_rate", 0.5, 0.25 + edits))
            told.append(Made(branch.edits[-1], edits + 1, effects.get(edits + 1, "")))
        elif what == "stop":
            known = len(branch.stops)
            branch = branch.after(Diverged(step + 1, "the cost is nan", (), step))
            told += branch.stops[known:]  # the same stop is told once
        elif what == "note":
            note = Note(step, f"after {len(told)}")
            branch = branch.annotated(step, note.text)
    return branch, told


@given(st.lists(WHAT, max_size=24), PLANS, st.dictionaries(st.integers(1, 8), st.sampled_from(["no effect under adam"])))
def test_the_timeline_is_what_was_done_in_the_order_in_which_it_was(
    done: list[str], plan: tuple[Planned, ...], effects: dict[int, str]
):
    branch, told = lived(done, plan, effects)
    assert happenings(branch, plan, effects) == told


def test_of_one_step_the_plan_comes_first_then_edits_and_stops_as_they_came_then_the_note():
    edits = tuple(Edit(5, name, 0.0, 0.5) for name in ("l1", "l2"))
    branch = Branch(step=5, edits=edits, stops=(Stop(5, 1, "nan"),), notes=(Note(5, "so"),))
    plan = (Planned(5, "clip_norm", 1.0), Planned(6, "clip_norm", 2.0))
    assert happenings(branch, plan, {2: "no effect"}) == [
        plan[0], Made(edits[0], 1), branch.stops[0], Made(edits[1], 2, "no effect"), branch.notes[0],
    ]  # fmt: skip


def test_what_is_planned_is_told_once_the_run_has_come_to_it():
    plan = (Planned(3, "l2", 0.5),)
    assert happenings(Branch(step=2), plan, {}) == []
    assert happenings(Branch(step=3), plan, {}) == [*plan]
