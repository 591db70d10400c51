"""Edit × memory: whatever is edited in mid-run, what remembers the run remembers it rightly.

Each live hyperparameter of the table is edited once, in a run in which it has an effect; one that is new in the table is taken in
by itself. What a memory must hold is reckoned here from the single events of a trainer, or from the weights.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from workbench.engine.commands import Planned, SetHyperparameter, scripted
from workbench.engine.diagnosis import Facts, Level, diagnose
from workbench.engine.events import (
    Diverged,
    Evaluated,
    Event,
    Finished,
    HyperparameterChanged,
    StepsTaken,
    StepTaken,
    StoppedEarly,
)
from workbench.engine.history import History
from workbench.engine.interval import of_series
from workbench.engine.measurements import Score
from workbench.engine.trainer import Trainer, Until
from workbench.hyperparameters import LIVE, Hyperparameters, assign, get
from workbench.optim.usage import unused_because
from workbench.protocol.reports import Arrived, Begun, Exported, Paused, Report, SeriesSent
from workbench.protocol.requests import Begin, Export, GoTo, Request, RunTo, Switch
from workbench.run.run import Run, new_trainer
from workbench.runtime.host import Host, Inbox
from workbench.session.branch import Branch
from workbench.session.format import parse_session, session_to_toml
from workbench.session.preset import Preset, parse_preset
from workbench.session.session import Session
from workbench.spec import Kind, Value
from workbench.ui.engine_link import EngineLink
from workbench.ui.panels.diagnosis import facts_of
from workbench.ui.state.chart_view import Axis, ChartView
from workbench.ui.state.comparison import Fork, difference, gap_curve
from workbench.ui.state.monitor import Monitor
from workbench.ui.state.palette import Hue
from workbench.ui.state.quantities import QUANTITIES, Frame, Plot
from workbench.ui.twin import Twin, twin_of

AT, END = 18, 40
"""The edit comes after step 18 of 40, amid the third epoch of 7 steps."""
DATA = {"source": "gaussians", "examples": 90, "classes": 3, "noise": 0.6}
SETTINGS: dict[str, Any] = {
    "batch_size": 8, "learning_rate": 0.01, "l2": 0.02, "keep_prob": 0.9, "evaluate_every": 2, "epochs": 8,
}  # fmt: skip
NEW: dict[str, Value] = {"l2": 0.3, "l1": 0.05, "evaluate_every": 3, "epochs": 10, "patience": 1000}
"""Where what the table suggests would say little, or end the run."""
COST_MEANS = {"l1", "l2", "label_smoothing", "keep_prob"}
"""What makes the cost of a mini-batch mean something else."""
FORWARD = {"label_smoothing", "keep_prob", "batch_size", "batchnorm_epsilon"}
"""What decides what the next mini-batch costs, without its penalty, with the same weights."""

edits = pytest.mark.parametrize("name", LIVE)


# What is trained ---------------------------------------------------------------------------------------------------


def preset(plan: Iterable[Planned] = (), **changes: Any) -> Preset:
    training = {name: value for name, value in {**SETTINGS, **changes}.items() if name in LIVE}
    network = {"hidden": [6, 5], **{name: value for name, value in changes.items() if name not in LIVE}}
    made = parse_preset({"data": DATA, "network": network, "training": training}, "small.toml", "small")
    return dataclasses.replace(made, plan=tuple(plan))


@cache
def base(name: str) -> Preset:
    """A preset in which a hyperparameter has an effect, as near to the defaults as can be."""
    choices = (False, True), LIVE["schedule"].choices, LIVE["optimizer"].choices
    for batch_norm, schedule, optimizer in itertools.product(*choices):
        found = preset(batch_norm=batch_norm, schedule=schedule, optimizer=optimizer)
        if unused_because(name, found.training, batch_norm) is None:
            return found
    raise AssertionError(f"{name} is never used")


def new_value(name: str) -> Value:
    """Another one than the default and the one before: of the table above, an end of the search, or a few steps away."""
    row, now = LIVE[name], get(base(name).training, name)
    before = {row.default, now[0] if isinstance(now, tuple) else now}
    if name in NEW:
        found: Value = NEW[name]
    elif row.search is not None:
        found = row.search.high if row.search.low in before else row.search.low
    else:
        scalar = row.default
        for _ in range(5):
            assert not isinstance(scalar, tuple)
            scalar = row.stepped(scalar, +1 if row.kind is Kind.CHOICE or scalar != row.high else -1)
        found = scalar
    found = row.check(found)
    assert found not in before
    return found


def in_force(name: str) -> tuple[Hyperparameters, Hyperparameters]:
    """Before the edit and after it."""
    before = base(name).training
    return before, assign(before, name, new_value(name))


@dataclass
class Alone:
    """What a trainer without anything around it tells, and what is reckoned from its weights."""

    trainer: Trainer
    events: list[Event]
    penalties: list[float]
    dev_losses: list[float]

    @property
    def steps(self) -> list[StepTaken]:
        return [each for each in self.events if isinstance(each, StepTaken)]

    @property
    def looks(self) -> list[Evaluated]:
        return [each for each in self.events if isinstance(each, Evaluated)]

    @property
    def data_costs(self) -> NDArray[np.float64]:
        return np.array([each.cost - each.penalty for each in self.steps])


def train(made: Preset, *changes: tuple[int, str, Value], until: int | None = END) -> Alone:
    trainer = new_trainer(Session(preset=made, seed=1))
    alone = Alone(trainer, [], [], [])
    weights = trainer.state.network.weights.copy()
    for event in trainer.run(scripted(changes), Until(steps=until)):
        alone.events.append(event)
        if isinstance(event, StepTaken):
            h = made.training  # in force at this step: all edits after the steps before it
            for at, name, value in changes:
                h = assign(h, name, value) if at < event.step else h
            squares, sizes = float((weights.astype(np.float64) ** 2).sum()), float(np.abs(weights.astype(np.float64)).sum())
            alone.penalties.append(h.l2 / 2 * squares + h.l1 * sizes)
            weights = trainer.state.network.weights.copy()
        elif isinstance(event, Evaluated):
            alone.dev_losses.append(dev_loss(trainer))
    return alone


def dev_loss(trainer: Trainer) -> float:
    """The mean of -log p(class) on dev, in float64: no penalty, no smoothing, no dropout."""
    dev = trainer.splits.dev
    assert dev is not None
    Z = trainer.state.network.infer(dev.X).astype(np.float64)
    return float((np.log(np.exp(Z).sum(axis=1)) - Z[dev.Y.astype(bool)]).mean())


@cache
def alone(name: str) -> Alone:
    """The run with the edit."""
    return train(base(name), (AT, name, new_value(name)))


def like(name: str) -> str:
    """The first whose run is the same up to the edit: many need be trained but once."""
    return next(each for each in LIVE if base(each) == base(name))


@cache
def unedited(name: str) -> Alone:
    return train(base(name)) if like(name) == name else unedited(like(name))


def told(session: str, *requests: Request, checkpoint: bytes = b"") -> list[Report]:
    """What an engine says that is given each request when it waits for one; its clock is one of its own."""
    said: list[Report] = []
    inbox: Inbox = SimpleQueue()
    inbox.put(Begin(session, "", "", paused=True, checkpoint=checkpoint))
    waiting: deque[Request | None] = deque((*requests, None))

    def hear(report: Report) -> None:
        said.append(report)
        answers = isinstance(report, (Paused, Exported, Arrived)) or (
            isinstance(report, HyperparameterChanged) and not report.planned
        )
        if answers and waiting:
            inbox.put(waiting.popleft())

    ticks = itertools.count()
    Host(inbox, hear, lambda: next(ticks) * 0.03).serve()
    assert not waiting
    return said


def of(said: Iterable[object], kind: type) -> list[Any]:
    return [each for each in said if isinstance(each, kind)]


@cache
def reports(name: str) -> list[Report]:
    """The same run in an engine, which exports it before the edit and after it."""
    edit = SetHyperparameter(name, new_value(name))
    return told(session_to_toml(Session(preset=base(name), seed=1)), RunTo(AT), Export(1, -1), edit, Export(2, -1), RunTo(END))


def watched(name: str, said: Iterable[Report], planned: bool = False) -> Monitor:
    """A screen that was told this, a report a second."""
    made = dataclasses.replace(base(name), plan=(Planned(AT, name, new_value(name)),)) if planned else base(name)
    monitor = Monitor.of(Session(preset=made, seed=1))
    for second, report in enumerate(said):
        monitor.record(report, float(second))
    return monitor


@cache
def seen(name: str) -> Monitor:
    return watched(name, reports(name))


@edits
def test_the_edit_is_taken_and_has_an_effect(name: str):
    (change,) = of(reports(name), HyperparameterChanged)
    assert (change.step, change.name, change.effect) == (AT, name, "")
    assert change.old != change.new == get(in_force(name)[1], name)
    assert [each.cost for each in alone(name).steps[:AT]] == [each.cost for each in unedited(name).steps[:AT]]


# Best and patience -------------------------------------------------------------------------------------------------


@edits
def test_the_best_is_the_least_data_cost_of_all_evaluations(name: str):
    run = alone(name)
    losses = [look.dev.data_cost for look in run.looks if look.dev is not None]
    assert losses == pytest.approx(run.dev_losses, rel=1e-4)
    least = int(np.argmin(losses))
    best = run.trainer.state.best
    assert (best.step, best.cost, best.waited) == (run.looks[least].step, losses[least], len(losses) - 1 - least)
    for known, last in ((seen(name).best, END), (parse_session(exported(name, 2).session, "").branch.best, AT)):
        assert known is not None
        expected = min((loss, look.step) for loss, look in zip(losses, run.looks, strict=True) if look.step <= last)
        assert (known.cost, known.step) == expected


@pytest.mark.parametrize(("name", "value"), [("l2", 1.0), ("l1", 0.5), ("l2", 0.0)])
def test_an_edit_of_a_penalty_moves_no_best(name: str, value: Value):
    """Where the weights stand still the first evaluation stays the best, and no rounding of a greater sum makes another."""
    still = preset(learning_rate=1e-12, l2=0.2)
    one, other = train(still), train(still, (AT, name, value))
    assert one.trainer.state.best.tensor().tolist() == other.trainer.state.best.tensor().tolist()
    assert other.trainer.state.best.step == 0


@edits
def test_a_run_stops_where_the_data_costs_and_the_patience_in_force_say(name: str):
    patience = 5
    made = base(name).with_value("patience", patience).with_value("learning_rate", 0.03).with_value("epochs", 100)
    value: Value = 3 if name == "patience" else new_value(name)
    run, least, waited, expected = train(made, (AT, name, value), until=60), math.inf, 0, 0
    for look in run.looks:
        assert look.dev is not None
        assert not expected, "it went on"
        least, waited = (look.dev.data_cost, 0) if look.dev.data_cost < least else (least, waited + 1)
        now = 3 if name == "patience" and look.step >= AT else patience
        expected = look.step if waited >= now else 0
    stops = of(run.events, StoppedEarly)
    assert [(each.step, each.cost) for each in stops] == ([(expected, least)] if expected else [])


# The guard ---------------------------------------------------------------------------------------------------------


@edits
def test_the_guards_average_is_of_the_costs_that_mean_the_same(name: str):
    run = alone(name)
    costs = [each.cost for each in run.steps][AT if name in COST_MEANS else 0 :]
    assert run.trainer.state.guard.average == pytest.approx(ewma(costs, 0.98)[-1])


@pytest.mark.parametrize(
    ("name", "value"), [("l2", 1.0), ("l2", 0.0), ("l1", 0.3), ("label_smoothing", 0.9), ("keep_prob", 0.3), ("keep_prob", 1.0)]
)
def test_no_edit_of_what_the_cost_means_is_a_reason_to_stop(name: str, value: Value):
    """Though the cost is several times as much: the same cost at once would stop the run where nothing was edited."""
    watchful = preset(batch_size=54, learning_rate=0.003, l2=0.2 if value == 0.0 else 0.0, guard_factor=2.0, guard_steps=1)
    run = train(watchful, (AT, name, value))
    assert not of(run.events, Diverged)
    assert run.steps[-1].step == END


def ewma(values: Iterable[float], beta: float) -> list[float]:
    """Σ(β^(t-i)·x_i) / Σ(β^(t-i)) at each t: its bias corrected, by the definition."""
    x = np.array(list(values))
    return [float(np.average(x[: t + 1], weights=beta ** np.arange(t, -1.0, -1.0))) for t in range(len(x))]


# Charts ------------------------------------------------------------------------------------------------------------


def drawn(monitor: Monitor, quantity: str, beta: float = 0.9, first: int = 0) -> Plot:
    return QUANTITIES[quantity].plot(monitor, Frame(ChartView(beta=beta), first, END, 2 * END))


def average(plot: Plot) -> dict[float, float]:
    (line,) = (each for each in plot.lines if each.hue is Hue.BLUE)
    return dict(zip(line.x, line.y, strict=True))


@edits
@pytest.mark.parametrize("quantity", ["cost", "data_cost"])
def test_what_a_chart_averages_is_every_step_once(name: str, quantity: str):
    run = alone(name)
    costs = [each.cost for each in run.steps]
    values = costs if quantity == "cost" else [cost - by_hand for cost, by_hand in zip(costs, run.penalties, strict=True)]
    expected = dict(zip(range(1, END + 1), ewma(values, 0.9), strict=True))
    assert average(drawn(seen(name), quantity)) == pytest.approx(expected, rel=1e-5)
    reopened = Monitor()  # which has no single steps, only the curves
    (begun, *_) = of(reports(name), Begun)
    sent = tuple(SeriesSent(key, series.tensor()) for key, series in seen(name).history.series.items())
    passage = ((0, 0.0), (END, seen(name).progress))
    reopened.record(dataclasses.replace(begun, step=END, history=sent, passage=passage), 0.0)
    assert average(drawn(reopened, quantity)) == pytest.approx(expected, rel=1e-5)


@edits
def test_the_legend_of_the_cost_says_that_there_is_a_penalty_in_it(name: str):
    assert "with penalty" in drawn(seen(name), "cost").legend
    assert "penalty" not in drawn(seen(name), "data_cost").legend


@pytest.mark.parametrize(("before", "after"), [(0.0, 0.3), (0.3, 0.0)])
def test_the_legend_tells_of_a_penalty_in_any_step_that_is_drawn(before: float, after: float):
    session = Session(preset=preset(l2=before), seed=1)
    monitor = Monitor.of(session)
    requests = RunTo(AT), SetHyperparameter("l2", after), RunTo(END)
    for second, report in enumerate(told(session_to_toml(session), *requests)):
        monitor.record(report, float(second))
    assert "with penalty" in drawn(monitor, "cost").legend
    assert ("with penalty" in drawn(monitor, "cost", first=AT + 1).legend) == (after > 0)


# What-if -----------------------------------------------------------------------------------------------------------


def exported(name: str, number: int) -> Exported:
    (found,) = (each for each in of(reports(name), Exported) if each.number == number)
    assert isinstance(found, Exported)
    assert found.step == AT
    return found


@cache
def forked(name: str, number: int, edited: bool) -> Fork:
    """A fork from before the edit (1) or after it (2), edited or not."""
    changes = (SetHyperparameter(name, new_value(name)),) if edited else ()
    fork, origin = Fork(changes), exported(name, number)
    for report in told(origin.session, *changes, RunTo(END), checkpoint=origin.checkpoint):
        fork.record(report)
    assert fork.state == "done"
    return fork


@edits
def test_a_fork_goes_the_way_of_its_parent_until_the_edit_is_felt(name: str):
    parent, fork = forked(like(name), 1, edited=False), forked(name, 1, edited=True)
    np.testing.assert_allclose(parent.cost, unedited(name).data_costs[AT:], rtol=1e-12)
    np.testing.assert_allclose(fork.cost, alone(name).data_costs[AT:], rtol=1e-12)
    assert (fork.cost[0] == pytest.approx(parent.cost[0], rel=1e-6)) == (name not in FORWARD)
    after = forked(name, 2, edited=False)
    np.testing.assert_array_equal(after.cost, fork.cost)  # an edit that was made before leaving, or after it


@edits
def test_forks_are_compared_by_their_data_costs(name: str):
    parent, fork = forked(like(name), 1, edited=False), forked(name, 1, edited=True)
    gaps = alone(name).data_costs[AT:] - unedited(name).data_costs[AT:]
    last = gaps[len(gaps) // 2 :]
    found = difference(fork, parent)
    assert found.cost == pytest.approx(last.mean(), abs=1e-9)
    assert [found.cost, found.cost_half] == pytest.approx(of_series(last), nan_ok=True)
    assert found.dev == pytest.approx(dev_loss(alone(name).trainer) - dev_loss(unedited(name).trainer), abs=1e-5)
    np.testing.assert_allclose(gap_curve(fork, parent, 0.9), ewma(gaps, 0.9), atol=1e-9)


# The twin ----------------------------------------------------------------------------------------------------------


class Quiet(EngineLink):
    """Keeps what it is to say."""

    def __init__(self, session: Session) -> None:
        super().__init__(session, Path("none"), None)
        self.said: list[str] = []

    def notify(self, message: str, **_: Any) -> None:
        self.said.append(message)


@edits
def test_the_twin_makes_the_same_edits_and_is_judged_by_its_data_costs(name: str):
    link = Quiet(Session(preset=base(name), seed=1))
    twin = twin_of(link.session, seen(name).branch)
    said = told(session_to_toml(twin), RunTo(END))
    (change,) = of(said, HyperparameterChanged)
    assert (change.step, change.name, change.new) == (AT, name, get(in_force(name)[1], name))
    other = train(base(name).with_value("batch_norm", not base(name).network.batch_norm), (AT, name, new_value(name)))
    np.testing.assert_allclose(np.concatenate([each.data_cost for each in of(said, StepsTaken)]), other.data_costs, rtol=1e-12)
    (finished,) = of(said, Finished)
    Twin(link)._tell(finished, twin)
    assert finished.dev.data_cost == pytest.approx(dev_loss(other.trainer), rel=1e-4)
    assert link.said[0].endswith(f"data cost on train {finished.train.data_cost:.4g}, dev {finished.dev.data_cost:.4g}")


@edits
def test_the_twin_makes_edits_of_the_start_and_of_the_tip_as_well(name: str):
    session, value = Session(preset=base(name), seed=1), new_value(name)
    requests = SetHyperparameter(name, value), RunTo(5), SetHyperparameter(name, get(base(name).training, name))
    branch = seen_branch(session, *requests, RunTo(9), SetHyperparameter(name, value))
    assert [edit.step for edit in branch.edits] == [0, 5, 9]
    twin = twin_of(session, branch)
    changes = of(told(session_to_toml(twin), RunTo(9)), HyperparameterChanged)
    assert [(each.step, each.new) for each in changes] == [(edit.step, edit.new) for edit in branch.edits[1:]]
    assert get(twin.preset.training, name) == branch.edits[0].new


def seen_branch(session: Session, *requests: Request) -> Branch:
    monitor = Monitor.of(session)
    for report in told(session_to_toml(session), *requests):
        monitor.record(report, 0.0)
    return monitor.branch


async def test_the_real_twin_tells_of_the_data_alone():
    link = Quiet(Session(preset=preset(l2=1.0), seed=1))
    twin = twin_of(link.session, seen("l2").branch)
    link.monitor.twin = Monitor.of(twin)
    async with asyncio.timeout(30):
        await Twin(link)._train(twin, link.monitor.twin, END)
    other = train(preset(l2=1.0, batch_norm=True), (AT, "l2", new_value("l2")))
    done = other.trainer.finish()
    assert done.dev is not None
    assert link.said[-1].endswith(f"data cost on train {done.train.data_cost:.4g}, dev {done.dev.data_cost:.4g}")
    assert done.dev.penalty > 0.01


# The clock ---------------------------------------------------------------------------------------------------------


@edits
def test_epochs_and_the_time_left_are_those_of_the_engine(name: str):
    run = Run(Session(preset=base(name), seed=1))
    way = [(0, 0.0)]
    for step in range(1, END + 1):
        changes = [(AT, name, new_value(name))] if step == AT + 1 else []
        for _ in run.events(scripted(changes), lambda: True, Until(steps=step)):
            pass
        way.append((step, run.trainer.state.batches.progress))
        assert run.passage[-1] == way[-1]
    assert all(point in way for point in run.passage)
    screen = seen(name)
    shown = screen.clock.shown(Axis.EPOCH, np.arange(END + 1.0))
    assert np.abs(shown - [epochs for _, epochs in way]).max() < 1.0
    assert shown[[AT, END]] == pytest.approx([way[AT][1], way[END][1]])


@edits
def test_the_time_left_is_that_of_the_steps_left(name: str):
    said = reports(name)
    last = max(number for number, each in enumerate(said) if isinstance(each, StepsTaken))
    screen = watched(name, said[: last + 1])
    whole = train(base(name), (AT, name, new_value(name)), until=None)
    assert isinstance(whole.events[-1], Finished)
    assert screen.seconds_left * screen.steps_per_second == pytest.approx(whole.events[-1].step - END)


def test_epochs_are_those_of_the_branch_that_is_gone_to():
    """Both have come to the same step, one with mini-batches of 8, the other with 16 from step 18 on."""
    requests = RunTo(END), GoTo(AT), SetHyperparameter("batch_size", 16), RunTo(END), Switch("main")
    session = Session(preset=preset(epochs=100), seed=1)
    monitor, epochs = Monitor.of(session), []
    for second, report in enumerate(told(session_to_toml(session), *requests)):
        monitor.record(report, float(second))
        epochs.append(float(monitor.clock.shown(Axis.EPOCH, np.array([float(END)]))[0]))
    assert monitor.current == "main"
    assert epochs[-1] == pytest.approx(5 + 5 * 8 / 54)
    assert max(epochs) > 7  # where the other branch ended


# History -----------------------------------------------------------------------------------------------------------


@edits
def test_each_step_is_in_the_curves_once_with_the_penalty_of_its_own_time(name: str):
    series, run = seen(name).history.series, alone(name)
    for key in ("cost", "data_cost", "gradient_norm", "learning_rate", "clipped"):
        curve = series[key].curve()
        np.testing.assert_array_equal(curve.step, np.arange(1, END + 1))
        np.testing.assert_array_equal(curve.count, 1)
        assert not len(curve.bad)
        if key != "data_cost":
            np.testing.assert_array_equal(curve.mean, [getattr(each, key) for each in run.steps])
    penalties = series["cost"].curve().mean - series["data_cost"].curve().mean
    np.testing.assert_allclose(penalties, run.penalties, rtol=1e-5, atol=1e-9)
    before, after = in_force(name)
    steps = [look.step for look in run.looks if look.step]
    for part in ("train", "dev"):
        cost, data = series[f"{part}_cost"].curve(2), series[f"{part}_data_cost"].curve(2)
        np.testing.assert_array_equal(cost.step, steps)
        np.testing.assert_array_equal(cost.count, 1)
        for step, penalty in zip(steps, cost.mean - data.mean, strict=True):
            if step < END and (step, name) != (AT, "l1"):  # the step after has the same weights, and at the edit another λ
                then = before.l2 / after.l2 if step == AT else 1.0
                assert penalty == pytest.approx(then * run.penalties[step], rel=1e-5)


@cache
def up_to_the_edit(name: str) -> Monitor:
    return watched(name, told(session_to_toml(Session(preset=base(name), seed=1)), RunTo(AT)))


@edits
def test_an_edit_changes_no_curve_before_it(name: str):
    series = seen(name).history.series
    for key, curve in up_to_the_edit(like(name)).history.series.items():
        if not key.startswith(("speed", "drift")):
            mine, theirs = (dataclasses.astuple(each.curve()) for each in (series[key].truncated(AT), curve))
            for one, another in zip(mine, theirs, strict=True):
                np.testing.assert_array_equal(one, another)


# Diagnosis ---------------------------------------------------------------------------------------------------------


@edits
@pytest.mark.parametrize("planned", [False, True])
def test_curves_are_judged_from_the_edit_on(name: str, planned: bool):
    said: list[Report] = reports(name)
    if planned:
        made = dataclasses.replace(base(name), plan=(Planned(AT, name, new_value(name)),))
        said = told(session_to_toml(Session(preset=made, seed=1)), RunTo(END))
    screen = watched(name, said, planned)
    assert screen.begun is not None
    known = facts_of(screen, screen.begun)
    assert known.since == (0 if name == "bayes_error" else AT)  # what nothing but the diagnosis reads bends no curve
    assert known.hyperparameters == in_force(name)[1]


SHAPES: dict[str, tuple[tuple[float, ...], float, tuple[float, ...]]] = {
    "falls": ((1.0, 0.5, 0.2), 0.1, (1.0, 0.5, 0.3)),
    "falls straight": ((1.0, 0.9, 0.8), 0.05, (1.0, 0.9, 0.8)),
    "rests": ((0.5, 0.5, 0.5), 0.1, (0.5, 0.5, 0.5)),
    "jumps": ((0.5, 0.5, 0.5), 1.5, (0.5, 0.5, 0.5)),
    "overfits": ((0.5, 0.2, 0.05), 0.1, (0.4, 0.2, 0.6)),
    "overfits from the edit on": ((0.5, 0.2, 0.05), 0.1, (0.2, 0.3, 0.6)),
}
"""What a cost does after the edit, its scatter, and what the dev cost does."""
EDITED = 1501
"""The edit falls amid four steps that are one bucket of the curves by the end."""


@cache
def after_an_edit(shape: str, before: float, penalty: float) -> tuple[History, Evaluated]:
    """1,000 steps after an edit, whose data costs are the same whatever was `before` and whatever `penalty` has grown since."""
    costs, scatter, devs = SHAPES[shape]
    look, where, last = unedited("learning_rate").looks[-1], np.linspace(0, 1, 1000), EDITED + 1000
    noise = 1 + scatter * np.random.default_rng(1).standard_normal(last)
    past, added = np.full(EDITED, before), np.concatenate([np.zeros(EDITED), penalty * (0.5 + where)])
    data = np.abs(np.concatenate([past, np.interp(where, np.linspace(0, 1, 3), costs)]) * noise)
    dev = np.concatenate([past, np.interp(where, np.linspace(0, 1, 3), devs)])
    history = History()
    history.record(StepsTaken(last, 1, 1.0, data + added, np.ones(last), np.full(last, 0.001), added, np.zeros(last)))
    looks = [dataclasses.replace(look, step=0, train=Score.of(1.1, 0.6), dev=Score.of(1.1, 0.6))]
    for step in (*range(101, EDITED + 1, 100), *range(EDITED + 2, last + 1, 20)):  # at the edit as well, and soon after
        size, extra = (before if step <= EDITED else 0.1), float(added[step - 1])
        mean = float(data[max(0, step - 50, EDITED if step > EDITED else 0) : step].mean())
        layers = tuple(dataclasses.replace(each, gradient_norm=size * each.layer, update_ratio=3e-4) for each in look.layers)
        scores = [Score.of(cost, 3 * size, extra) for cost in (mean, float(dev[step - 1]))]
        looks.append(Evaluated(step, 1, scores[0], scores[1], layers))
    for each in looks:
        history.record(each)
    return history, dataclasses.replace(looks[-1], train=Score.of(0.1, 0.15), dev=Score.of(0.1, 0.2))


def found(name: str, shape: str, before: float = 50.0, penalty: float = 0.0) -> list[tuple[str, Level, str]]:
    history, look = after_an_edit(shape, before, penalty)
    h = in_force(name)[1]
    facts = Facts(EDITED + 1000, "classes", h, base(name).network.batch_norm, history, look, h.bayes_error, EDITED)
    return [(each.kind, each.level, each.text) for each in diagnose(facts)]


@edits
def test_no_finding_compares_costs_before_an_edit_with_those_after_it_or_reads_a_penalty(name: str):
    for shape in SHAPES:
        assert found(name, shape, before=0.01) == found(name, shape) == found(name, shape, penalty=5.0)


def test_there_are_such_findings_to_be_made():
    kinds = {kind for shape in SHAPES for kind, *_ in found("learning_rate", shape)}
    assert {"overfitting", "plateau", "oscillation", "slow descent"} <= kinds


def judged(seed: int, *changes: SetHyperparameter) -> tuple[Monitor, dict[str, Level]]:
    """What is found of a run that learns slowly, where these are edited in the middle of it."""
    slow = preset(
        optimizer="gradient_descent", learning_rate=0.003, batch_size=54, hidden=[16, 16], l2=0.0, keep_prob=1.0,
        evaluate_every=10, epochs=1000,
    )  # fmt: skip
    session = Session(preset=slow, seed=seed)
    monitor = Monitor.of(session)
    for report in told(session_to_toml(session), RunTo(120), *changes, RunTo(260)):
        monitor.record(report, 0.0)
    assert monitor.begun is not None
    return monitor, {each.kind: each.level for each in diagnose(facts_of(monitor, monitor.begun))}


@pytest.mark.parametrize(("name", "value"), [("l2", 0.01), ("l2", 0.02), ("l1", 0.003)])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_run_that_learns_is_not_found_at_fault_because_of_a_penalty(name: str, value: Value, seed: int):
    """J hardly falls any more, for most of it is penalty by then; what the network predicts gets better and better."""
    monitor, found = judged(seed, SetHyperparameter(name, value))
    data = monitor.history.series["data_cost"].curve(121).mean
    assert data[-1] < 0.9 * data[len(data) // 2]
    assert not found.keys() & {"overfitting", "plateau", "oscillation"}
    # An edit that changes next to nothing, made at the same step.
    _, expected = judged(seed, SetHyperparameter("epsilon", 2e-8))
    assert found.get("high bias", Level.GOOD) <= expected.get("high bias", Level.GOOD)


def test_a_penalty_that_was_high_at_the_start_is_not_taken_for_what_grows_through_the_layers():
    """λ is edited to 0 before anything was evaluated anew: the score that is known still has the penalty in it."""
    session = Session(preset=preset(l2=100.0, evaluate_every=100), seed=1)
    monitor = Monitor.of(session)
    for report in told(session_to_toml(session), RunTo(3), SetHyperparameter("l2", 0.0), RunTo(6)):
        monitor.record(report, 0.0)
    assert monitor.begun is not None
    assert monitor.evaluated is not None
    assert monitor.evaluated.step == 0
    assert monitor.evaluated.train.penalty > 1000
    assert "exploding gradients" not in {each.kind for each in diagnose(facts_of(monitor, monitor.begun))}
