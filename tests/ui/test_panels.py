"""The panels, each in an app of its own: what a monitor knows is what they show."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import pytest
from driving import Bench, press, seen, settle
from synthetic import begun, evaluated, steps, trained
from textual.pilot import Pilot
from textual.widgets import DataTable

from workbench.engine.events import Diverged, Evaluated, Finished, HyperparameterChanged
from workbench.engine.measurements import Score
from workbench.protocol.reports import Paused, Report, Resumed
from workbench.session.branch import Branch, Edit, Stop
from workbench.ui.panels.curves import FirstChart, SecondChart, marks, numbers
from workbench.ui.panels.diagnosis import DiagnosisPanel
from workbench.ui.panels.layers import LayersPanel, compact
from workbench.ui.panels.model import ModelPanel
from workbench.ui.panels.panel import Panel
from workbench.ui.panels.status import StatusLine, duration
from workbench.ui.panels.timeline import TimelinePanel
from workbench.ui.panels.units import UnitsPanel
from workbench.ui.state.chart_view import Axis, ChartView
from workbench.ui.state.drawing import Mark
from workbench.ui.state.monitor import Monitor
from workbench.ui.state.quantities import QUANTITIES

P = TypeVar("P", bound=Panel | StatusLine)
TINY = [(1, 1), (4, 2), (13, 5), (25, 8)]
EVERY_PANEL = [FirstChart, SecondChart, LayersPanel, TimelinePanel, DiagnosisPanel, UnitsPanel, ModelPanel]


@asynccontextmanager
async def alone(panel: P, size: tuple[int, int] = (80, 20)) -> AsyncIterator[tuple[P, Pilot[Any]]]:
    async with Bench(panel).run_test(size=size) as pilot:
        yield panel, pilot


async def shows(panel: Panel | StatusLine, pilot: Pilot[Any], monitor: Monitor) -> str:
    """What is seen when the panel has shown the monitor."""
    panel.show(monitor)
    await settle(pilot)
    return seen(pilot.app)


@pytest.mark.parametrize("kind", EVERY_PANEL)
async def test_a_panel_can_be_shown_before_anything_has_come(kind: type[Panel]):
    async with alone(kind()) as (panel, pilot):
        await shows(panel, pilot, Monitor())
        monitor = Monitor()
        monitor.record(begun(), 0.0)
        await shows(panel, pilot, monitor)


@pytest.mark.parametrize("kind", EVERY_PANEL)
@pytest.mark.parametrize("size", TINY)
async def test_a_panel_can_be_shown_in_any_room(kind: type[Panel], size: tuple[int, int]):
    async with alone(kind(), size) as (panel, pilot):
        await shows(panel, pilot, trained(200, hidden=12))
        await pilot.resize_terminal(60, 18)
        await shows(panel, pilot, trained(220, hidden=12))


async def test_the_diagnosis_says_that_the_guard_has_stopped_the_run_until_it_goes_on():
    async with alone(DiagnosisPanel()) as (panel, pilot):
        monitor = trained(200)
        assert "stopped" not in await shows(panel, pilot, monitor)
        monitor.record(Diverged(201, "the cost is inf", (), 200), 9.0)
        assert "✗ stopped: the guard stopped the" in await shows(panel, pilot, monitor)
        monitor.record(Resumed(200), 9.0)
        assert "stopped" not in await shows(panel, pilot, monitor)


# -- cost ---------------------------------------------------------------------------------------------------------------


async def test_the_cost_panel_waits_for_the_first_step():
    async with alone(FirstChart()) as (panel, pilot):
        monitor = Monitor()
        monitor.record(begun(), 0.0)
        monitor.record(evaluated(0), 0.0)
        assert "waiting for the first steps" in await shows(panel, pilot, monitor)
        monitor.record(steps(1, 1), 1.0)
        assert "waiting" not in await shows(panel, pilot, monitor)


async def test_the_legend_says_how_many_steps_the_average_is_over():
    async with alone(FirstChart()) as (panel, pilot):
        text = await shows(panel, pilot, trained())
        assert "β 0.98 ≈ last 50 steps, corrected" in text
        panel.view = ChartView(beta=0.9)
        await settle(pilot)
        assert "β 0.9 ≈ last 10 steps, corrected" in seen(pilot.app)
        panel.view = ChartView(beta=0.9, corrected=False)
        await settle(pilot)
        assert "biased" in seen(pilot.app)


async def test_another_beta_the_correction_and_the_axis_each_draw_another_chart():
    async with alone(FirstChart()) as (panel, pilot):
        pictures = [await shows(panel, pilot, trained())]
        views = (ChartView(beta=0.5), ChartView(beta=0.998), ChartView(beta=0.998, corrected=False))
        for name, value in (*(("view", view) for view in views), ("log_axis", True)):
            setattr(panel, name, value)
            await settle(pilot)
            pictures.append(seen(pilot.app))
        charts = ["\n".join(picture.splitlines()[1:-1]) for picture in pictures]
        assert len(set(charts)) == len(charts)
        assert "(J) log" in pictures[-1]


async def test_without_the_correction_the_average_starts_near_nought():
    async with alone(FirstChart()) as (panel, pilot):
        monitor = Monitor()
        monitor.record(begun(), 0.0)
        monitor.record(steps(1, 30, cost=lambda step: 2.0), 1.0)
        corrected = await shows(panel, pilot, monitor)
        panel.view = ChartView(corrected=False)
        await settle(pilot)
        biased = seen(pilot.app)
        assert "0.5┤" in biased
        assert "0.5┤" not in corrected


async def test_dev_points_are_there_only_where_there_is_a_dev_set():
    async with alone(FirstChart()) as (panel, pilot):
        chart = (await shows(panel, pilot, trained())).splitlines()[1:-1]
        assert any("◆" in line for line in chart)
        monitor = Monitor()
        monitor.record(begun(), 0.0)
        monitor.record(steps(1, 40), 1.0)
        monitor.record(evaluated(40, dev=False), 1.0)
        chart = (await shows(panel, pilot, monitor)).splitlines()[1:-1]
        assert not any("◆" in line for line in chart)


async def test_an_edit_marks_the_curve():
    async with alone(FirstChart()) as (panel, pilot):
        monitor = trained(400)
        monitor.record(HyperparameterChanged(200, "learning_rate", 0.001, 0.0003), 2.0)
        assert "α 3e-4" in await shows(panel, pilot, monitor)


async def test_many_edits_leave_every_label_that_is_shown_whole():
    async with alone(FirstChart(), (100, 20)) as (panel, pilot):
        monitor = trained(400)
        for step in (1, 2, 3, 100, 101, 102, 103, 104, 105, 250, 252, 390, 395, 400, 400):
            monitor.record(HyperparameterChanged(step, "batch_size", 64, 10 + step), 2.0)
        text = await shows(panel, pilot, monitor)
        whole = re.findall(r"batch \d+(?:, batch \d+)*", text)
        assert text.count("batch") == sum(each.count("batch") for each in whole)
        assert {"batch 11", "batch 110", "batch 260"} <= set(whole)


def marked(edits: tuple[Edit, ...] = (), stops: tuple[Stop, ...] = ()) -> tuple[Mark, ...]:
    return marks(Monitor(branch=Branch(edits=edits, stops=stops, step=10)))


def test_edits_of_one_step_share_a_mark():
    edits = (Edit(5, "l2", 0.0, 0.01), Edit(5, "optimizer", "adam", "momentum"))
    both = marked(edits, (Stop(9, 2, "the cost is nan"),))
    assert [(mark.x, mark.label) for mark in both] == [(5.0, "λ 0.01, optimizer momentum"), (9.0, "✗ guard")]


def test_a_mark_says_a_thing_once_and_a_label_that_is_cut_says_so():
    stops, edits = (Stop(5, 0, "the cost is nan"),) * 3, (Edit(5, "learning_rate", 1e30, 0.001),)
    assert marked(edits, stops)[0].label == "✗ guard, α 0.001"
    (mark,) = marked((*edits, Edit(5, "optimizer", "adam", "momentum")), stops)
    assert mark.label.endswith("…")


def test_a_mark_leaves_out_that_an_edit_has_no_effect():
    monitor = trained(40)
    monitor.record(HyperparameterChanged(5, "beta2", 0.999, 0.99, "not used by momentum"), 2.0)
    assert [mark.label for mark in marks(monitor) if mark.x == 5] == ["β₂ 0.99"]


async def test_costs_that_are_not_finite_leave_the_curve_as_it_is():
    async with alone(FirstChart()) as (panel, pilot):
        monitor = Monitor()
        monitor.record(begun(), 0.0)
        monitor.record(steps(1, 50, cost=lambda step: math.nan if step % 10 == 0 else 1.0 + step / 50), 1.0)
        assert "1.8┤" in await shows(panel, pilot, monitor)
        monitor.record(steps(51, 60, cost=lambda step: 1e30), 2.0)
        assert "e29" in await shows(panel, pilot, monitor)


# -- the second chart ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", QUANTITIES)
async def test_every_quantity_says_what_it_is_and_draws_something(name: str):
    async with alone(SecondChart()) as (panel, pilot):
        waiting = await shows(panel, pilot, Monitor())
        monitor = trained(400, hidden=3)
        panel.quantity = name
        text = await shows(panel, pilot, monitor)
        assert QUANTITIES[name].title in text
        assert "┤" in text
        assert text != waiting
        assert "nothing of this is known" not in text


async def test_quantities_of_layers_have_a_digit_for_each():
    async with alone(SecondChart()) as (panel, pilot):
        for name in ("gradient_norms", "update_ratios"):
            panel.quantity = name
            chart = await shows(panel, pilot, trained(400, hidden=3))
            assert all(digit in "".join(chart.splitlines()[1:-3]) for digit in "1234")


async def test_errors_are_in_percent_but_not_those_of_a_regression():
    async with alone(SecondChart()) as (panel, pilot):
        assert "60┤" in await shows(panel, pilot, trained())
        regression = Monitor()
        regression.record(begun(task="regression"), 0.0)
        regression.record(evaluated(0), 0.0)
        regression.record(steps(1, 20), 0.1)
        regression.record(evaluated(20), 0.1)
        assert "3 Error (RMSE)" in await shows(panel, pilot, regression)
        assert "0.6" in await shows(panel, pilot, regression)


async def test_thirty_layers_have_norms():
    async with alone(SecondChart()) as (panel, pilot):
        panel.quantity = "gradient_norms"
        text = await shows(panel, pilot, trained(400, hidden=30))
        assert "a" in text.splitlines()[5] or any("b" in line for line in text.splitlines()[1:-3])


# -- part of the run -----------------------------------------------------------------------------------------------------


async def test_a_part_of_the_run_is_shown_and_its_axis_counts_what_is_asked_for():
    async with alone(FirstChart(), (100, 20)) as (panel, pilot):
        monitor = trained(400)
        assert "400" in await shows(panel, pilot, monitor)
        panel.view = ChartView(window=100, end=200)
        text = await shows(panel, pilot, monitor)
        assert "step" in text
        assert "180" in text
        assert "400" not in text
        panel.view = ChartView(axis=Axis.EPOCH)
        text = await shows(panel, pilot, monitor)
        assert "epoch" in text
        assert "20" in text  # 400 steps of 20 an epoch
        panel.view = ChartView(axis=Axis.SECONDS)
        assert "seconds" in await shows(panel, pilot, monitor)


async def test_one_spike_in_a_million_steps_is_seen_at_every_zoom():
    async with alone(FirstChart(), (100, 20)) as (panel, pilot):
        monitor = Monitor()
        monitor.record(begun(), 0.0)
        for end in range(50_000, 1_000_001, 50_000):
            monitor.record(steps(end - 49_999, end, cost=lambda step: 90.0 if step == 654_321 else 1.0), end / 1000)
        for window in (None, 900_000, 400_000, 50_000, 5_000):
            panel.view = ChartView(window=window, end=654_321 + window // 2 if window else None)
            text = await shows(panel, pilot, monitor)
            top = [line for line in text.splitlines() if re.search(r"\b8\d┤|90┤|80┤", line)]
            assert top, window
            rows = text.splitlines()[1:6]
            assert any("·" in row for row in rows), window


async def test_a_cost_that_is_not_finite_is_a_gap_with_a_mark():
    async with alone(FirstChart(), (100, 20)) as (panel, pilot):
        monitor = Monitor()
        monitor.record(begun(), 0.0)
        monitor.record(steps(1, 300, cost=lambda step: math.nan if 140 <= step <= 160 else 1.0 + step % 3), 1.0)
        text = await shows(panel, pilot, monitor)
        marked = next(line for line in text.splitlines() if "✗" in line)
        columns = [at for at, each in enumerate(marked) if each == "✗"]
        assert len(columns) >= 6
        for line in text.splitlines()[2:10]:
            assert all(line[at] in " ✗" for at in columns[2:-2])


def test_the_numbers_of_a_chart_are_lines_of_csv():
    monitor = trained(40)
    panel = FirstChart()
    panel._monitor = monitor
    rows = numbers(panel.plot(400).lines).splitlines()
    assert rows[0] == "line,step,value"
    raw = [row.split(",") for row in rows if row.startswith("·")]
    assert {float(step) for _, step, _ in raw} == set(range(1, 41))
    assert float(raw[0][2]) == monitor.history.series["cost"].curve().mean[0]


# -- layers -------------------------------------------------------------------------------------------------------------


async def test_with_batch_norm_each_layer_has_its_statistics():
    async with alone(LayersPanel(), (100, 24)) as (panel, pilot):
        text = await shows(panel, pilot, trained(40, batch_norm=True))
        for heading in ("μ batch", "μ running", "σ² batch", "σ² running", "γ", "β", "‖dW‖", "dead"):
            assert heading in text
        assert "-.50  .75" in text
        assert "3 out" in text
        assert "γẑ+β" in text
        assert "step 40" in text


async def test_without_batch_norm_there_is_nothing_about_it_and_one_histogram():
    async with alone(LayersPanel(), (100, 24)) as (panel, pilot):
        text = await shows(panel, pilot, trained(40, batch_norm=False))
        assert "μ" not in text
        assert "γẑ+β" not in text
        assert "no batch norm in this network" in text
        assert "z of layer 1" in text


async def test_the_cursor_chooses_whose_histogram_is_seen():
    async with alone(LayersPanel(), (100, 24)) as (panel, pilot):
        first = await shows(panel, pilot, trained(40))
        assert "z of layer 1" in first
        panel.query_one(DataTable).focus()
        await press(pilot, "down")
        second = seen(pilot.app)
        assert "z of layer 2" in second
        bars = [[line for line in text.splitlines() if "█" in line] for text in (first, second)]
        assert bars[0] != bars[1]
        await press(pilot, "down")
        assert "z of layer 3" in seen(pilot.app)


async def test_the_cursor_stays_when_new_numbers_come():
    async with alone(LayersPanel(), (100, 24)) as (panel, pilot):
        monitor = trained(40)
        await shows(panel, pilot, monitor)
        panel.query_one(DataTable).focus()
        await press(pilot, "down")
        monitor.record(evaluated(60), 1.0)
        text = await shows(panel, pilot, monitor)
        assert "z of layer 2" in text
        assert "step 60" in text


async def test_thirty_layers_can_be_gone_through():
    async with alone(LayersPanel(), (100, 24)) as (panel, pilot):
        await shows(panel, pilot, trained(40, hidden=30))
        panel.query_one(DataTable).focus()
        await press(pilot, *["down"] * 30)
        text = seen(pilot.app)
        assert "31 out" in text
        assert "z of layer 31" in text


async def test_another_network_takes_the_place_of_the_one_before():
    async with alone(LayersPanel(), (100, 24)) as (panel, pilot):
        await shows(panel, pilot, trained(40, hidden=5, batch_norm=True))
        text = await shows(panel, pilot, trained(40, hidden=1, batch_norm=False))
        assert "6 out" not in text
        assert "2 out" in text
        assert "μ" not in text


async def test_dead_units_are_told_for_hidden_layers_only():
    async with alone(LayersPanel(), (120, 24)) as (panel, pilot):
        lines = (await shows(panel, pilot, trained(40, hidden=3))).splitlines()
        assert [line.rstrip("│ ").split()[-1] for line in lines[2:6]] == ["0%", "25%", "50%", "–"]


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (0.0, "0"), (-0.35, "-.35"), (0.351, ".35"), (1.25, "1.2"), (-12.5, "-12.5"), (480.2, "480"),
        (9999.0, "9999"), (1e4, "1e4"),
        (-1.26e5, "-1e5"), (3e-5, "3e-5"), (-3e-15, "-3e-15"), (0.996, "1.00"), (0.005, ".01"),
        (math.nan, "–"),
        (-math.inf, "-inf"), (1e300, "1e300"),
    ],
)  # fmt: skip
def test_numbers_of_the_table_are_short(x: float, text: str):
    assert compact(x) == text
    assert len(text) <= 6


# -- timeline -----------------------------------------------------------------------------------------------------------


async def test_the_timeline_says_what_to_do_until_there_is_an_edit():
    async with alone(TimelinePanel()) as (panel, pilot):
        monitor = trained(40)
        assert "No edits yet" in await shows(panel, pilot, monitor)
        monitor.record(HyperparameterChanged(1234, "learning_rate", 0.001, 0.0003), 2.0)
        text = await shows(panel, pilot, monitor)
        assert "No edits yet" not in text
        assert "1,234  α  0.001 → 3e-4" in text


async def test_the_timeline_shows_every_edit_once_and_the_newest_in_sight():
    async with alone(TimelinePanel(), (60, 12)) as (panel, pilot):
        monitor = trained(40)
        for step in range(100, 130):
            monitor.record(HyperparameterChanged(step, "batch_size", step, step + 1), 2.0)
            await shows(panel, pilot, monitor)
            await shows(panel, pilot, monitor)
        text = seen(pilot.app)
        assert "129  batch  129 → 130" in text
        assert text.count("129  batch") == 1
        assert "100  batch" not in text


async def test_another_past_takes_the_place_of_the_one_before():
    async with alone(TimelinePanel()) as (panel, pilot):
        monitor = trained(40)
        monitor.record(HyperparameterChanged(10, "l2", 0.0, 0.1), 2.0)
        monitor.record(HyperparameterChanged(20, "l1", 0.0, 0.1), 2.0)
        await shows(panel, pilot, monitor)
        again = trained(40)
        again.record(HyperparameterChanged(10, "l2", 0.0, 0.5), 2.0)
        text = await shows(panel, pilot, again)
        assert "0 → 0.5" in text
        assert "λ₁" not in text
        assert text.count("λ") == 1


async def test_a_long_reason_wraps():
    async with alone(TimelinePanel(), (40, 12)) as (panel, pilot):
        monitor = trained(40)
        monitor.record(
            Diverged(41, "the gradient of " + ", ".join(f"W{l}" for l in range(1, 20)) + " is not finite", (), 40), 1.0
        )
        text = " ".join(line.strip("│ ") for line in (await shows(panel, pilot, monitor)).splitlines())
        assert "guard" in text
        assert "W19 is not finite" in text


async def test_what_a_report_says_is_no_markup_and_no_escape():
    async with alone(TimelinePanel()) as (panel, pilot):
        monitor = trained(40)
        edit = Edit(3, "[bold]x[/bold]", "[red]a\x1b[31m", "\u202eb[/")
        monitor.branch = dataclasses.replace(monitor.branch, edits=(edit,))
        text = await shows(panel, pilot, monitor)
        assert "[bold]x[/bold]" in text
        assert "[red]a\\x1b[31m → \\u202eb[/" in text


# -- status -------------------------------------------------------------------------------------------------------------


async def status(monitor: Monitor, width: int = 120) -> str:
    async with alone(StatusLine("digits", 1), (width, 3)) as (line, pilot):
        return (await shows(line, pilot, monitor)).splitlines()[0]


async def test_the_status_before_the_engine_is_there():
    assert "digits" in await status(Monitor())
    assert "… starting the engine" in await status(Monitor())


async def test_the_status_while_training():
    text = await status(trained(400, epochs=60))
    for part in ("digits", "● training", "step 400", "epoch 20/60", "200 steps/s", "0:04 left", "error 0.8% dev 3.3%"):
        assert part in text


async def test_the_status_before_a_speed_is_known():
    monitor = Monitor()
    monitor.record(begun(), 0.0)
    monitor.record(steps(1, 20), 1.0)
    text = await status(monitor)
    assert "– steps/s" in text
    assert "left" not in text
    assert "nan" not in text


async def test_the_status_of_the_ends_of_a_run():
    score = Score.of(0.1, 0.0)
    told: list[tuple[list[Report], str]] = [
        ([Paused(400)], "‖ paused"),
        ([Paused(400), Resumed(400)], "● training"),
        ([Finished(400, 20, score, score, score)], "✓ finished"),
        ([Diverged(401, "the cost is nan", (), 400)], "✗ stopped by the guard"),
    ]
    for reports, part in told:
        monitor = trained(400)
        for report in reports:
            monitor.record(report, 2.0)
        text = await status(monitor)
        assert part in text
        assert "left" not in text
    monitor.lost("killed")
    assert "✗ engine lost" in await status(monitor)


async def test_at_the_end_the_errors_are_those_of_the_end():
    monitor = trained(20)
    monitor.record(Finished(35, 2, Score.of(0.1, 0.125), Score.of(0.2, 0.25), None), 2.0)
    assert "error 12.5% dev 25.0%" in await status(monitor)


async def test_the_error_of_a_regression_is_no_percentage():
    monitor = Monitor()
    monitor.record(begun(task="regression"), 0.0)
    monitor.record(evaluated(0), 0.0)
    text = await status(monitor)
    assert "RMSE 0.7 dev 0.725" in text
    assert "%" not in text


async def test_no_dev_set_no_dev_error():
    monitor = Monitor()
    monitor.record(begun(), 0.0)
    monitor.record(evaluated(0, dev=False), 0.0)
    assert "dev" not in await status(monitor)


async def test_errors_that_are_not_finite_are_said_as_they_are():
    monitor = trained(40)
    monitor.record(Evaluated(40, 2, Score.of(math.nan, math.nan), None, ()), 1.0)
    assert "nan" in await status(monitor)


@pytest.mark.parametrize("width", [1, 10, 40, 72, 200])
async def test_the_status_is_one_line_at_any_width(width: int):
    text = await status(trained(400), width)
    assert len(text) == width
    assert "● training"[: max(0, width - 12)] in text


async def test_what_does_not_fit_is_left_out_whole():
    text = await status(trained(400, epochs=60), 79)
    assert text.rstrip().endswith("200 steps/s")
    text = await status(trained(400, epochs=60), 66)
    assert text.rstrip().endswith("dev 3.3%")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "0:00"), (42, "0:42"), (59.6, "1:00"), (725, "12:05"), (3599.7, "1:00:00"), (360_000, "100:00:00")],
)
def test_durations(seconds: float, text: str):
    assert duration(seconds) == text


async def test_a_chart_that_was_never_drawn_has_nothing_to_save_and_says_so():
    async with alone(FirstChart()) as (panel, pilot):
        panel.action_export()
        await settle(pilot)
        assert [each.message for each in pilot.app._notifications] == ["There is nothing to save of this chart yet."]
