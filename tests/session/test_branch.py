"""A branch grows by the events of its run, the same in the run and on the other side of a wire."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.engine.commands import scripted
from workbench.engine.events import (
    Columns,
    CommandRejected,
    Diverged,
    EpochEnded,
    Evaluated,
    Finished,
    GuardPassed,
    HyperparameterChanged,
    StepsTaken,
    StepTaken,
    StoppedEarly,
)
from workbench.engine.measurements import Score
from workbench.engine.trainer import Until
from workbench.protocol.wire import LENGTH, REPORTS
from workbench.run.run import Run
from workbench.session.branch import Best, Branch, Edit, Note, Result, Stop
from workbench.session.preset import Preset
from workbench.session.session import Session

SCORE = Score.of(0.5, 0.1)


def evaluated(step: int, dev: float | None, look: bool = False) -> Evaluated:
    return Evaluated(step, 1, SCORE, None if dev is None else Score.of(dev, 0.2), (), look)


def folded(*events: object, start: Branch | None = None) -> Branch:
    branch = start or Branch()
    for event in events:
        branch = branch.after(event)  # type: ignore[arg-type]
    return branch


def test_steps_move_the_tip():
    row = np.ones(3)
    assert folded(StepTaken(1, 1, 0.5, 1.0, 0.1), StepsTaken(4, 1, 0.5, row, row, row, row, row)) == Branch(step=4)


def test_an_edit_is_written_down_and_a_change_of_the_plan_is_not():
    branch = folded(
        HyperparameterChanged(3, "l2", 0.0, 0.5),
        HyperparameterChanged(4, "l2", 0.5, 0.25, planned=True),
        HyperparameterChanged(5, "l2", 0.25, 0.0, undoes=1),
    )
    assert branch.edits == (Edit(3, "l2", 0.0, 0.5), Edit(5, "l2", 0.25, 0.0, undoes=1))


def test_what_changes_nothing_leaves_the_branch_itself():
    branch = Branch()
    for event in (
        CommandRejected(3, "l2", -1.0, "no"), EpochEnded(3, 1, 0.5), GuardPassed(3), evaluated(3, 0.1, look=True),
        HyperparameterChanged(4, "l2", 0.5, 0.25, planned=True),
    ):  # fmt: skip
        assert branch.after(event) is branch


def test_the_same_stop_is_written_down_once_and_again_after_an_edit_or_a_pass():
    diverged = Diverged(8, "the cost is nan", (1, 2), 6)
    stop = Stop(7, 0, "the cost is nan", (1, 2))
    assert folded(diverged, diverged).stops == (stop,)
    edit = HyperparameterChanged(7, "l2", 0.0, 0.5)
    assert folded(diverged, edit, diverged).stops == (stop, dataclasses.replace(stop, edits=1))
    passed = folded(diverged, GuardPassed(7))
    assert passed.stops == (dataclasses.replace(stop, passed=True),)
    assert folded(diverged, start=passed).stops == (*passed.stops, stop)


def test_a_pass_at_another_step_is_none_of_the_last_stop():
    assert folded(Diverged(8, "x", (), 6), GuardPassed(5)).stops == (Stop(7, 0, "x"),)


def test_early_stopping_says_for_people_why_it_stopped():
    (stop,) = folded(StoppedEarly(1200, 1000, 0.123456)).stops
    assert stop == Stop(
        1200, 0, "the dev cost without penalties has not been better than 0.1235, after step 1,000, for long enough"
    )


def test_the_best_is_the_first_of_the_least_and_never_nan():
    branch = folded(*(evaluated(step, dev) for step, dev in ((1, math.nan), (2, 0.5), (3, 0.5), (4, None), (5, math.inf))))
    assert (branch.best, branch.result) == (Best(2, 0.5), Result(5, 1, SCORE, Score.of(math.inf, 0.2)))
    assert folded(evaluated(9, 0.4), start=branch).best == Best(9, 0.4)
    assert folded(evaluated(1, math.inf)).best is None


def test_an_evaluation_told_again_counts_once():
    assert folded(evaluated(0, 0.5), evaluated(0, 0.25)).best == Best(0, 0.5)


def test_a_look_at_where_the_run_was_put_does_not_count():
    assert folded(evaluated(3, 0.5), evaluated(2, 0.1, look=True)) == folded(evaluated(3, 0.5))


def test_the_end_has_all_three_scores_and_does_not_count_for_the_best():
    branch = folded(evaluated(3, 0.5), Finished(4, 2, SCORE, Score.of(0.1, 0.1), SCORE))
    assert (branch.best, branch.result) == (Best(3, 0.5), Result(4, 2, SCORE, Score.of(0.1, 0.1), SCORE))


def test_a_note_takes_the_place_of_another_on_its_step_and_an_empty_one_takes_it_away():
    branch = Branch(edits=(Edit(1, "l2", 0.0, 0.5), Edit(2, "l2", 0.5, 0.0))).annotated(5, "b").annotated(2, "a")
    assert branch.notes == (Note(2, "a"), Note(5, "b"))
    assert branch.annotated(5, "c").annotated(2, "").notes == (Note(5, "c"),)
    assert [edit.note for edit in branch.annotated(0, "why", 2).edits] == ["", "why"]
    assert branch.annotated(0, "why", 2).notes == branch.notes


EDITS = st.lists(
    st.tuples(
        st.integers(0, 40),
        st.sampled_from(
            [("learning_rate", 0.5), ("learning_rate", 1e25), ("l2", 1.0), ("optimizer", "momentum"), ("keep_prob.1", 0.5),
             ("batch_size", 3), ("beta1", 2.0), ("patience", 1), ("evaluate_every", 3)]
        ),
    ),
    max_size=6,
)  # fmt: skip


@pytest.mark.parametrize(
    "changes", [{}, {"patience": 2, "evaluate_every": 2, "learning_rate": 0.5}, {"dev_fraction": 0.0}], ids=str
)
def test_whoever_folds_the_reports_of_a_run_has_the_branch_that_the_run_has(
    make_preset: Callable[..., Preset], changes: dict[str, object]
):
    @settings(max_examples=15, deadline=None)
    @given(EDITS, st.integers(1, 9))
    def agree(edits: list[tuple[int, tuple[str, object]]], every: int) -> None:
        run = Run(Session(preset=make_preset(optimizer="gradient_descent", guard_steps=1, **changes), seed=1))
        screen, asked = Branch(), iter(range(10**6))
        script = scripted((step, name, value) for step, (name, value) in sorted(edits, key=lambda edit: edit[0]))
        for event in run.events(script, lambda: next(asked) % every == 0, Until(steps=40)):
            screen = screen.after(REPORTS.decode(REPORTS.encode(event)[LENGTH.size :]))
            # Steps are told before the event that made them be told, which the run has written down by then.
            if run.session.current == "main" and not isinstance(event, Columns):
                assert repr(plain(run.session.branch)) == repr(screen)  # NaN is not equal to itself
        best = run.trainer.state.best
        if run.session.current == "main":
            assert screen.best == (Best(best.step, best.cost) if math.isfinite(best.cost) else None)
        assert repr(plain(run.session.named("main"))) == repr(screen)

    agree()


def plain(branch: Branch) -> Branch:
    return dataclasses.replace(branch, marks=())
