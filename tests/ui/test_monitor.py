"""The monitor is a fold: what the screen knows follows from the reports alone."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from synthetic import TRAIN_EXAMPLES, begun, evaluated, hyperparameters, steps, trained

from workbench.engine.events import CommandRejected, Diverged, Finished, HyperparameterChanged
from workbench.engine.history import History
from workbench.engine.measurements import Score
from workbench.protocol.reports import Paused, Report, Resumed, Saved
from workbench.session.branch import Branch, Edit, Stop
from workbench.session.preset import parse_preset
from workbench.session.session import Session
from workbench.spec import Value
from workbench.ui.state.chart_view import ChartView
from workbench.ui.state.monitor import Monitor, Phase
from workbench.ui.state.quantities import Frame, _smoothed
from workbench.ui.state.timeline import Made
from workbench.ui.state.wording import shown

FINISHED = Finished(400, 20, Score.of(0.1, 0.0), None, None)


def after(*reports: Report) -> Monitor:
    """A monitor that took these, a second apart."""
    monitor = Monitor()
    for second, report in enumerate(reports):
        monitor.record(report, float(second))
    return monitor


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.001, "0.001"), (0.0009, "9e-4"), (1e-8, "1e-8"), (1e5, "1e5"),
        (99_999.0, "99999"), (123_456.0, "1.23456e5"), (1e30, "1e30"),
        (0.0, "0"), (1.0, "1"), (1 / 3, "0.333333"), (-2.5e-7, "-2.5e-7"),
        (5e-324, "4.94066e-324"), (math.nan, "nan"), (math.inf, "inf"),
        (64, "64"), (10**18, "1000000000000000000"), (True, "True"), ("adam", "adam"),
        ((0.9, 0.9), "0.9"), ((0.9, 0.5), "0.9 0.5"), ((), "–"),
    ],
)  # fmt: skip
def test_values_are_shown_as_a_person_writes_them(value: Value, text: str):
    assert shown(value) == text


def test_before_the_engine_has_begun_nothing_is_known():
    monitor = Monitor()
    assert monitor.phase is Phase.STARTING
    assert math.isnan(monitor.steps_per_second)
    assert math.isnan(monitor.seconds_left)
    assert not monitor.unsaved


def test_every_report_gives_the_panels_something_to_catch_up_with():
    monitor = Monitor()
    for report in (begun(), evaluated(0), steps(1, 5), Paused(5), Resumed(5), Saved("x", 5), FINISHED):
        before = monitor.revision
        monitor.record(report, 0.0)
        assert monitor.revision > before


def test_the_rate_needs_two_reports():
    assert math.isnan(after(begun(), steps(1, 100)).steps_per_second)
    assert after(begun(), steps(1, 100), steps(101, 300)).steps_per_second == 200.0


def test_the_rate_is_unknown_where_two_reports_come_at_the_same_time():
    monitor = after(begun())
    monitor.record(steps(1, 10), 5.0)
    monitor.record(steps(11, 20), 5.0)
    assert math.isnan(monitor.steps_per_second)


def test_the_rate_forgets_what_is_more_than_a_few_seconds_old():
    monitor = after(begun())
    monitor.record(steps(1, 1), 0.0)
    for second in range(1, 11):  # slow at first, then ten times as fast
        last = 10 * second if second <= 5 else 50 + 100 * (second - 5)
        monitor.record(steps(last - 4, last), float(second))
    assert monitor.steps_per_second == 100.0


def test_a_pause_is_not_part_of_the_rate():
    monitor = after(begun(), steps(1, 100), steps(101, 200), Paused(200))
    assert math.isnan(monitor.steps_per_second)
    monitor.record(Resumed(200), 1000.0)
    monitor.record(steps(201, 300), 1000.0)
    monitor.record(steps(301, 400), 1001.0)
    assert monitor.steps_per_second == 100.0


def test_the_time_left_is_that_of_the_steps_left():
    monitor = after(begun(epochs=30), steps(1, 100), steps(101, 200))  # 10 of 30 epochs of 20 steps, 100 a second
    assert monitor.seconds_left == pytest.approx((30 - 10) * 20 / 100)


def test_the_time_left_follows_an_edit_of_the_batch_size_and_of_the_epochs():
    monitor = after(begun(epochs=30), steps(1, 100), steps(101, 200))
    monitor.record(HyperparameterChanged(200, "batch_size", 64, 100), 2.0)
    assert monitor.seconds_left == pytest.approx(20 * math.ceil(TRAIN_EXAMPLES / 100) / 100)
    monitor.record(HyperparameterChanged(200, "epochs", 30, 5), 2.0)  # fewer than are done
    assert monitor.seconds_left == 0.0


@pytest.mark.parametrize("stop", [Paused(200), FINISHED, Diverged(201, "the cost is nan", (1,), 200)])
def test_there_is_no_time_left_to_tell_while_it_stands(stop: Report):
    assert math.isnan(after(begun(), steps(1, 100), steps(101, 200), stop).seconds_left)


def test_an_edit_is_pending_until_it_is_applied_and_only_then_changes_the_value():
    monitor = after(begun(learning_rate=0.001), steps(1, 10))
    monitor.expect("learning_rate", 0.003)
    assert monitor.edit_states["learning_rate"].kind == "pending"
    assert monitor.hyperparameters.learning_rate == 0.001
    monitor.record(HyperparameterChanged(14, "learning_rate", 0.001, 0.003), 2.0)
    assert (monitor.edit_states["learning_rate"].kind, monitor.edit_states["learning_rate"].step) == ("applied", 14)
    assert monitor.hyperparameters.learning_rate == 0.003
    assert monitor.happenings == [Made(Edit(14, "learning_rate", 0.001, 0.003), 1)]


def test_a_refused_edit_keeps_the_value_and_has_its_reason():
    monitor = after(begun(batch_size=64))
    monitor.expect("batch_size", 1)
    monitor.record(CommandRejected(7, "batch_size", 1, "a mini-batch of one has no variance"), 1.0)
    assert monitor.edit_states["batch_size"].kind == "refused"
    assert "no variance" in monitor.edit_states["batch_size"].note
    assert monitor.hyperparameters.batch_size == 64
    assert not monitor.happenings


def test_an_edit_of_one_layer_leaves_the_others():
    monitor = after(begun(hidden=3), HyperparameterChanged(5, "keep_prob.2", 1.0, 0.8))
    assert monitor.hyperparameters.keep_prob == (1.0, 0.8, 1.0)


def test_an_edit_without_effect_says_so_on_the_timeline():
    monitor = after(begun(), HyperparameterChanged(5, "beta2", 0.999, 0.99, "not used by momentum"))
    assert monitor.happenings == [Made(Edit(5, "beta2", 0.999, 0.99), 1, "not used by momentum")]


def test_a_divergence_stops_the_run_and_stands_on_the_timeline_after_the_last_good_step():
    monitor = after(begun(), steps(1, 10), Diverged(11, "the cost is nan", (3,), 10), Paused(10))
    assert monitor.phase is Phase.DIVERGED
    assert "step 11" in monitor.trouble
    assert monitor.happenings == [Stop(10, 0, "the cost is nan", (3,))]


@pytest.mark.parametrize("stop", [Diverged(11, "the cost is nan", (3,), 10), FINISHED])
def test_going_on_clears_what_was_said_of_the_end(stop: Report):
    monitor = after(begun(), steps(1, 10), stop, Paused(10), Resumed(10))
    assert monitor.phase is Phase.TRAINING
    assert not monitor.trouble
    assert monitor.finished is None


@pytest.mark.parametrize("stop", [Diverged(11, "the cost is nan", (3,), 10), FINISHED])
def test_a_single_step_from_the_end_clears_it_too(stop: Report):
    monitor = after(begun(), steps(1, 10), stop, Paused(10), steps(11, 11), Paused(11))
    assert monitor.phase is Phase.PAUSED
    assert not monitor.trouble
    assert monitor.finished is None


def test_values_that_are_not_finite_do_not_touch_the_curves_beside_them():
    monitor = after(begun(), steps(1, 20, cost=lambda step: math.nan if step == 10 else 1.0))
    curve = monitor.history.series["cost"].curve()
    assert len(curve.step) == 19
    np.testing.assert_array_equal(curve.mean, 1.0)


def test_a_session_begun_again_has_its_curves_and_its_timeline():
    history = History()
    history.record(steps(1, 40))
    session = Session(
        preset=parse_preset({}, "x", "x"), seed=1,
        branches=(Branch(edits=(Edit(20, "l2", 0.0, 0.01),), stops=(Stop(10, 0, "the cost is nan"),), step=40),),
    )  # fmt: skip
    monitor = Monitor.of(session)
    monitor.record(begun(step=40, history=history), 0.0)
    monitor.record(evaluated(40, look=True), 0.0)  # of the checkpoint; its point is in the history already
    monitor.record(Paused(40), 0.0)
    assert monitor.phase is Phase.PAUSED
    assert monitor.step == 40
    assert monitor.happenings == [Stop(10, 0, "the cost is nan"), Made(Edit(20, "l2", 0.0, 0.01), 1)]
    assert len(monitor.history.series["cost"]) == 40
    assert len(monitor.history.series["train_cost"]) == 0
    assert not monitor.unsaved


def test_what_an_engine_begins_with_replaces_what_the_one_before_it_said():
    monitor = trained(100)
    monitor.lost("killed")
    monitor.record(begun(step=0, learning_rate=0.5), 50.0)
    assert monitor.phase is Phase.TRAINING
    assert not monitor.trouble
    assert monitor.hyperparameters == hyperparameters(learning_rate=0.5)
    assert len(monitor.history.series["cost"]) == 0


def test_what_would_be_lost_by_quitting():
    monitor = Monitor()
    later: list[tuple[Report, bool]] = [
        (begun(), False), (steps(1, 10), True), (Saved("x.toml", 10), False),
        (HyperparameterChanged(10, "l2", 0.0, 0.1), True),  # at the same step, after the save
        (Saved("x.toml", 10), False), (steps(11, 20), True),
    ]  # fmt: skip
    for second, (report, unsaved) in enumerate(later):
        monitor.record(report, float(second))
        assert monitor.unsaved is unsaved


def test_an_edit_before_the_first_step_would_be_lost_as_well():
    assert after(begun(), Paused(0), HyperparameterChanged(0, "l2", 0.0, 0.1)).unsaved


def test_what_the_first_seconds_are_spent_on_is_said():
    monitor = Monitor()
    assert monitor.phase.value == "starting the engine"
    monitor.loads()
    assert monitor.phase.value == "loading the data"
    monitor.record(begun(), 0.0)
    assert monitor.phase is Phase.TRAINING
    monitor.loads()
    assert monitor.phase is Phase.TRAINING


@pytest.mark.parametrize("beta", [0.9, 0.99])
def test_the_average_of_a_zoomed_chart_is_that_of_the_whole_one(beta: float):
    """Also where the cost has fallen from 1e6 shortly before the frame, and the average has not forgotten that."""
    fallen = 3000 - round(9 / (1 - beta))
    monitor = after(begun(epochs=1000), steps(1, 3500, lambda step: 1e6 if step < fallen else 0.05))
    view = dataclasses.replace(ChartView(), beta=beta)
    zoomed = _smoothed(monitor, "cost", Frame(view, 3000, 3500, 400))
    whole = _smoothed(monitor, "cost", Frame(view, 0, 3500, 3501))
    known = dict(zip(whole.x, whole.y, strict=True))
    assert [known[x] for x in zoomed.x] == pytest.approx(zoomed.y, rel=1e-3)
