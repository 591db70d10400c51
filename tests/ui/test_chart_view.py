"""What part of a run is seen, where that stands on an axis, and which panels are seen: pure values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.ui.state.chart_view import BETAS, LEAST, RECENT, Axis, ChartView
from workbench.ui.state.clock import MOST, Clock
from workbench.ui.state.layout import LAYOUTS, LEFT, LOWER_LEFT, LOWER_RIGHT, RIGHT, Last, Slot, arrange
from workbench.ui.state.palette import DARK, LIGHT, Hue
from workbench.ui.widgets.sparkline import sparkline

views = st.builds(ChartView, window=st.none() | st.integers(LEAST, 2000), end=st.none() | st.integers(0, 2000))


# -- the view -----------------------------------------------------------------------------------------------------------


@given(views, st.integers(0, 3000))
def test_a_view_never_leaves_the_run(view: ChartView, reach: int):
    first, last = view.span(reach)
    assert 0 <= first <= last <= reach


@given(views, st.integers(1, 3000), st.floats(0.1, 10.0), st.none() | st.floats(-10.0, 4000.0))
def test_zooming_keeps_the_run_in_sight_and_shows_as_many_steps_as_asked_for(
    view: ChartView, reach: int, factor: float, around: float | None
):
    before = view.span(reach)
    zoomed = view.zoomed(factor, around, reach)
    first, last = zoomed.span(reach)
    assert 0 <= first < last <= reach
    wanted = max(LEAST, round((before[1] - before[0]) * factor))
    assert last - first == min(wanted, reach)


def test_what_is_zoomed_at_stays_where_it_is():
    view = ChartView(window=1000, end=1500)  # 500 to 1500
    first, last = view.zoomed(0.5, 750.0, 5000).span(5000)
    assert (first, last) == (625, 1125)  # still a quarter from the left


def test_what_follows_the_run_goes_on_following_it():
    view = ChartView().zoomed(0.5, None, 1000)
    assert view.span(1000) == (500, 1000)
    assert view.span(1200) == (700, 1200)
    back = view.panned(-0.5, 1000)
    assert back.span(1000) == back.span(1200) == (250, 750)
    assert back.panned(10.0, 1000).end is None
    assert back.panned(-10.0, 1000).span(1000) == (0, 500)


def test_a_chosen_part_all_of_it_and_the_last_steps():
    assert ChartView().between(100.4, 300.2, 1000).span(1000) == (100, 300)
    assert ChartView().between(100, 101, 1000).span(1000) == (101 - LEAST, 101)
    assert ChartView().between(0, 1000, 1000).window is None
    assert ChartView(window=20, end=40).whole().span(1000) == (0, 1000)
    assert ChartView().recent().span(2000) == (2000 - RECENT, 2000)
    assert ChartView().recent().span(3) == (0, 3)


def test_smoother_goes_through_the_betas_and_stops_at_their_ends():
    view = ChartView()
    for _ in BETAS:
        view = view.smoother(1)
    assert view.beta == BETAS[-1]
    for _ in BETAS:
        view = view.smoother(-1)
    assert view.beta == BETAS[0]
    assert (view.axis, view.next_axis().axis) == (Axis.STEP, Axis.EPOCH)


# -- the clock ----------------------------------------------------------------------------------------------------------


def test_pauses_do_not_count_as_seconds():
    clock = Clock()
    clock.start(10.0)
    clock.tick(100, 1.0, 12.0)
    clock.stop()
    clock.start(50.0)
    clock.tick(200, 2.0, 53.0)
    assert clock.shown(Axis.SECONDS, np.array([0.0, 50.0, 100.0, 150.0, 200.0])).tolist() == [0.0, 1.0, 2.0, 3.5, 5.0]
    assert clock.shown(Axis.EPOCH, np.array([150.0])).tolist() == [1.5]
    assert clock.step(Axis.SECONDS, 3.5) == 150.0
    assert clock.step(Axis.STEP, 17.0) == 17.0


def test_of_a_reopened_run_the_epochs_are_those_that_the_engine_tells():
    clock = Clock()
    clock.stand(((0, 0.0), (100, 10.0), (300, 50.0)))
    assert clock.shown(Axis.EPOCH, np.array([100.0, 200.0, 300.0])).tolist() == [10.0, 30.0, 50.0]


def test_going_back_forgets_what_came_after():
    clock = Clock()
    clock.start(0.0)
    clock.tick(100, 1.0, 1.0)
    clock.tick(200, 2.0, 9.0)
    clock.stand(((0, 0.0), (100, 1.0)))
    clock.start(20.0)
    clock.tick(200, 2.0, 22.0)
    assert clock.shown(Axis.SECONDS, np.array([200.0])).tolist() == [3.0]


def test_a_long_run_does_not_make_the_clock_grow():
    clock = Clock()
    clock.start(0.0)
    for step in range(1, 3 * MOST):
        clock.tick(step, step / 10, step / 100)
    assert len(clock._points) <= MOST
    assert clock.step(Axis.EPOCH, 500.0) == pytest.approx(5000, abs=20)


# -- panels -------------------------------------------------------------------------------------------------------------


@given(
    st.integers(1, 220), st.integers(1, 70), st.sampled_from(sorted(LAYOUTS)), st.sampled_from(Slot),
    st.lists(st.sampled_from(Slot)), st.booleans(),
)  # fmt: skip
def test_the_present_panel_is_seen_wherever_there_is_room(
    width: int, height: int, layout: str, panel: Slot, before: list[Slot], zoomed: bool
):
    last = Last().within(layout)
    for each in before:
        last = last.at(each)
    now = arrange(width, height, layout, panel, last, zoomed)
    assert (panel in now.shown) == (now.name != "tiny")
    assert len(now.shown & set(LOWER_LEFT)) <= 1
    assert len(now.shown & set(LOWER_RIGHT)) <= 1
    if now.name == "narrow":
        assert now.shown == {panel}
    if now.name == "compact":
        assert len(now.shown & set(LEFT)) == len(now.shown & set(RIGHT)) == 1


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_that_was_just_chosen_shows_its_own_panels(layout: str):
    for panel in LAYOUTS[layout]:
        assert arrange(200, 60, layout, panel, Last().within(layout), zoomed=False).shown == LAYOUTS[layout]


# -- colours and sparklines -----------------------------------------------------------------------------------------------


def contrast(one: tuple[int, int, int], other: tuple[int, int, int]) -> float:
    """That of WCAG 2, from 1 to 21."""

    def luminance(rgb: tuple[int, int, int]) -> float:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (each / 255 for each in rgb)]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("hue", [hue for hue in Hue if hue is not Hue.GREY])
def test_lines_stand_out_from_their_ground(hue: Hue):
    assert contrast(DARK[hue], (30, 30, 30)) >= 3
    assert contrast(LIGHT[hue], (216, 216, 216)) >= 3


def test_a_sparkline_goes_from_the_least_to_the_greatest_and_has_gaps():
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7], 8) == "▁▂▃▄▅▆▇█"
    assert sparkline([1, math.nan, 2], 5) == "  ▁ █"
    assert sparkline([3, 3], 3) == " ▅▅"
    assert sparkline([math.nan], 2) == "  "
    assert sparkline(range(100), 3) == "▁▅█"
    assert sparkline([1.0], 0) == ""
