"""What is looked at, by keys and mouse, with a real engine: parts of the run, quantities, units, findings, layouts, keys."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from driving import SIZE, Driven, Open, settle
from textual import events
from textual.color import Color

from workbench.ui.panels.curves import ChartPanel, FirstChart, SecondChart
from workbench.ui.panels.diagnosis import DiagnosisPanel
from workbench.ui.panels.model import ModelPanel
from workbench.ui.panels.units import UnitsPanel
from workbench.ui.state.chart_view import Axis
from workbench.ui.state.layout import Slot
from workbench.ui.state.monitor import Phase
from workbench.ui.widgets.chart import Chart
from workbench.ui.widgets.cursor import StepCursor
from workbench.ui.widgets.editor import Editor

RUN = "clouds.toml"


async def paused(it: Driven, steps: int = 600) -> int:
    await it.until_trained(steps)
    return await it.pause()


def charts(it: Driven) -> list[ChartPanel]:
    return [it.training.query_one(FirstChart), it.training.query_one(SecondChart)]


async def mouse(it: Driven, kind: type[events.MouseEvent], chart: Chart, x: int) -> None:
    """The mouse at a column of a chart."""
    region = chart.region
    at = {"x": x, "y": 3, "screen_x": region.x + x, "screen_y": region.y + 3}
    chart.post_message(
        kind(chart, delta_x=0, delta_y=0, button=1, shift=False, meta=False, ctrl=False, **at)  # type: ignore[arg-type]
    )
    await settle(it.pilot)


async def test_all_charts_show_the_same_part_of_the_run(workbench_app: Open, presets: Path):
    async with workbench_app(presets / RUN) as it:
        last = await paused(it)
        await it.press("2", "+", "+")
        views = {chart.view for chart in charts(it)}
        assert len(views) == 1
        first, end = views.pop().span(last)
        assert end == last
        assert end - first == pytest.approx(last / 4, abs=2)
        await it.press("left")
        moved = it.training.charts.view.span(last)
        assert moved[1] < last
        assert moved[1] - moved[0] == end - first
        await it.press("full_stop")
        assert it.training.charts.view.span(last) == (last - 500, last)
        await it.press("0")
        assert it.training.charts.view.span(last) == (0, last)
        await it.press("x")
        assert it.training.charts.view.axis is Axis.EPOCH
        await it.until_seen("epoch")


async def test_the_wheel_zooms_where_the_mouse_is_and_a_drag_chooses_a_part(workbench_app: Open, presets: Path):
    async with workbench_app(presets / RUN) as it:
        last = await paused(it)
        chart = it.training.query_one(FirstChart).query_one(Chart)
        await it.until(lambda: chart._span == (0, last), "drawn")
        await mouse(it, events.MouseScrollUp, chart, chart.size.width // 2)
        await it.until(lambda: it.training.charts.view.window is not None, "zoomed")
        first, end = it.training.charts.view.span(last)
        assert 0 < first < last / 2 < end < last
        await it.press("2", "0")
        await it.until(lambda: chart._span == (0, last), "drawn")
        await mouse(it, events.MouseDown, chart, 20)
        await mouse(it, events.MouseUp, chart, 40)
        await it.until(lambda: it.training.charts.view.window is not None, "a part is chosen")
        left, right = it.training.charts.view.span(last)
        assert right - left == pytest.approx(20 / (chart.columns - 1) * last, rel=0.02)


async def test_a_click_reads_all_charts_at_the_step_under_it_on_any_axis(workbench_app: Open, presets: Path):
    async with workbench_app(presets / RUN) as it:
        last = await paused(it)
        await it.press("2", "x")  # epochs
        chart = it.training.query_one(SecondChart).query_one(Chart)
        await settle(it.pilot)
        it.training.redraw()
        await settle(it.pilot)
        chart.post_message(Chart.Clicked(chart, last / 7 / 2))  # 7 steps an epoch
        await it.until(lambda: it.training.query_one(StepCursor).display, "the cursor")
        assert it.monitor.cursor == pytest.approx(last / 2, abs=1)


async def test_a_chart_shows_what_is_chosen_and_is_written_as_picture_and_numbers(
    workbench_app: Open, presets: Path, sessions: Path
):
    async with workbench_app(presets / RUN) as it:
        step = await paused(it)
        await it.press("2", "c", "6")
        chart = it.training.query_one(FirstChart)
        await it.until(lambda: chart.quantity == "gradient", "the sixth quantity")
        await it.until_seen("2 Gradient norm (‖g‖) log")
        await it.press("p")
        await it.until_told("Wrote", ".svg and .csv")
    picture = ElementTree.parse(sessions / f"clouds-1-gradient-{step}.svg")
    assert picture.getroot().tag.endswith("svg")
    rows = (sessions / f"clouds-1-gradient-{step}.csv").read_text().splitlines()
    assert rows[0] == "line,step,value"
    steps = [float(row.split(",")[1]) for row in rows[1:]]
    assert min(steps) >= 0
    assert max(steps) <= step
    assert len(rows) > 100


async def test_the_inspector_follows_a_unit_through_sorting_and_says_what_the_data_says(workbench_app: Open, presets: Path):
    async with workbench_app(presets / RUN) as it:
        await paused(it)
        await it.press("7")
        panel = it.training.query_one(UnitsPanel)
        await it.until_seen("test time", "noise of μ, σ²", "layer 1 of 2")
        await it.press("down", "down")
        chosen = panel._order[panel.query_one("#units").cursor_row]
        for _ in range(6):
            await it.press("o")
        assert panel._sorted == "γ"
        assert panel._order[panel.query_one("#units").cursor_row] == chosen
        norm = it.monitor.evaluated.layers[0].batchnorm
        assert [norm.gamma[unit] for unit in panel._order] == sorted(norm.gamma)
        await it.press("right")
        await it.until_seen("layer 2 of 2 (← →), 5 units")


async def test_the_model_is_seen_as_it_is_now(workbench_app: Open, presets: Path):
    async with workbench_app(presets / RUN) as it:
        await it.until_trained(50)
        await it.press("8")
        panel = it.training.query_one(ModelPanel)
        await it.until_seen("▸Border │ Confusion │ Layers")
        step = await it.pause()
        await it.until(lambda: it.monitor.predicted_at == step, "looked at where it stands")
        await it.press("right")
        await it.until_seen("true ↓", "recall")
        await it.press("right")
        await it.until_seen("(2, 6)", "γ, β (1, 6)", "(5, 3)")
        assert panel.has_focus


async def test_a_finding_leads_to_the_edit_it_suggests(workbench_app: Open, presets: Path):
    slow = presets / "slow.toml"
    slow.write_text((presets / RUN).read_text().replace("learning_rate = 0.01", "learning_rate = 1e-7"))
    async with workbench_app(slow) as it:
        await it.until_trained(1000)
        await it.pause()
        await it.press("6")
        panel = it.training.query_one(DiagnosisPanel)
        await it.until(lambda: any(each.name == "learning_rate" for each in panel._findings), "α is too low")
        at = next(number for number, each in enumerate(panel._findings) if each.name == "learning_rate")
        for _ in range(at):
            await it.press("down")
        await it.press("enter")
        assert it.training.query_one(Editor).has_focus
        await it.press("enter")
        await it.until(lambda: it.monitor.hyperparameters.learning_rate == panel._findings[at].value, "applied")


async def test_the_twin_makes_the_same_edits_without_batch_norm(workbench_app: Open, presets: Path):
    async with workbench_app(presets / RUN) as it:
        await it.until_trained(100)
        await it.edit("learning_rate", "0.02")
        await it.until_trained(it.monitor.step + 500)
        step = await it.pause()
        await it.press("tab", "m")
        await it.until(lambda: it.monitor.twin is not None and it.monitor.twin.finished is not None, "the twin is there")
        twin = it.monitor.twin
        assert twin.step == step
        assert twin.hyperparameters.learning_rate == 0.02
        assert all(layer.batchnorm is None for layer in twin.evaluated.layers)
        await it.until_seen("T without batch norm")
        await it.press("m")
        assert it.monitor.twin is None


async def test_the_layout_is_kept(workbench_app: Open, presets: Path, config_folder: Path):
    async with workbench_app(presets / RUN) as it:
        await it.press("y", "2")
        await it.until(lambda: it.training.area.layout_name == "batch norm", "another layout")
        assert it.training.area.arrangement.shown == {
            Slot.HYPERPARAMETERS, Slot.DIAGNOSIS, Slot.FIRST_CHART, Slot.UNITS,
        }  # fmt: skip
        await it.press("2", "x", "t", "greater_than_sign", "[", "q")
        await it.until_ended()
    assert (config_folder / "layout.toml").exists()
    async with workbench_app(presets / RUN) as it:
        screen = it.training
        assert (screen.area.layout_name, screen.charts.view.axis, screen.charts.view.beta) == ("batch norm", Axis.EPOCH, 0.95)
        assert screen.query_one(FirstChart).quantity == "error"
        assert screen.layout_now.left == 41
        await it.until(lambda: screen.query_one(UnitsPanel).is_on_screen, "its panels")


async def test_charts_have_the_ground_of_the_theme_that_was_kept(workbench_app: Open, presets: Path, config_folder: Path):
    config_folder.mkdir()
    (config_folder / "layout.toml").write_text('theme = "textual-light"\n')
    async with workbench_app(presets / RUN) as it:
        await paused(it)
        chart = it.training.query_one(FirstChart).query_one(Chart)
        await it.until(lambda: chart._span is not None, "drawn")
        ground = Color.parse(it.app.theme_variables["surface"]).rgb
        assert min(ground) > 128
        grounds = {span.style.bgcolor.triplet for span in chart.render().spans if span.style.bgcolor is not None}
        assert grounds == {ground}


async def test_the_user_s_own_keys_count_and_help_says_them(workbench_app: Open, presets: Path, config_folder: Path):
    config_folder.mkdir()
    (config_folder / "keys.toml").write_text('[keys]\n"training.pause" = "f2"\n"training.paus" = "f3"\n')
    async with workbench_app(presets / RUN, size=SIZE) as it:
        await it.until_told("training.paus", "did you mean")
        await it.until_trained(10)
        await it.press("f2")
        await it.until_phase(Phase.PAUSED)
        await it.press("?")
        await it.press("end")
        await it.press("home")
        for _ in range(20):
            await it.press("down")
        await it.until_seen("f2")


async def test_a_preset_without_batch_norm_says_so_in_the_inspector(workbench_app: Open, presets: Path):
    plain = presets / "plain.toml"
    plain.write_text((presets / RUN).read_text().replace("batch_norm = true", ""))
    async with workbench_app(plain) as it:
        await it.until_trained(600)
        await it.press("7")
        await it.until_seen("This network has no batch norm")
