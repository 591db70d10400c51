"""The chart draws whatever it is given, in whatever room there is."""

from __future__ import annotations

import math
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from driving import Bench, seen, settle
from rich.text import Text
from textual.pilot import Pilot

from workbench.files.text import clean, literal
from workbench.ui.state.drawing import Drawing, Line, Mark
from workbench.ui.state.palette import Hue
from workbench.ui.widgets.chart import Chart
from workbench.ui.widgets.histogram import histogram_lines

SIZES = [(80, 20), (12, 4), (11, 4), (12, 3), (21, 3), (1, 1), (30, 5), (200, 60)]
BIGGEST = 1.7e308
CURVES: dict[str, Sequence[float]] = {
    "one point": [3.0],
    "constant": [2.5] * 10,
    "zero": [0.0] * 10,
    "constant and huge": [1e300] * 10,
    "constant and tiny": [1e-300] * 10,
    "negative": [-3.0, -1.0, -2.0],
    "from nothing to everything": [5e-324, BIGGEST],
    "the whole range of floats": [-BIGGEST, BIGGEST],
    "denormal": [5e-324, 1e-323, 1.5e-323],
    "nearly constant": [1.0, 1.0 + 2.3e-16, 1.0],
    "nearly constant and large": [1e15, 1e15 + 0.25, 1e15],
    "close": [100.0, 100.001, 100.0005],
    "only what is not finite": [math.nan, math.inf, -math.inf],
    "gaps": [1.0, math.nan, 3.0, math.inf, 2.0],
    "nothing": [],
}


@asynccontextmanager
async def charting(size: tuple[int, int] = (80, 20)) -> AsyncIterator[tuple[Chart, Pilot[Any]]]:
    app = Bench(Chart())
    async with app.run_test(size=size) as pilot:
        yield app.query_one(Chart), pilot


def line(y: Sequence[float], marker: str = "braille", joined: bool = True) -> Line:
    return Line([float(x) for x in range(1, len(y) + 1)], list(y), marker, Hue.RED, joined)


async def drawn(chart: Chart, pilot: Pilot[Any], drawing: Drawing) -> str:
    chart.draw(drawing)
    await settle(pilot)
    return seen(pilot.app)


@pytest.mark.parametrize("size", SIZES)
async def test_any_curve_in_any_room(size: tuple[int, int]):
    async with charting(size) as (chart, pilot):
        for name, y in CURVES.items():
            for log in (False, True):
                for joined in (True, False):
                    drawing = Drawing(
                        (line(y, joined=joined),), (Mark(2.0, literal("λ 0.01")),), log, empty=literal("nothing yet")
                    )
                    text = await drawn(chart, pilot, drawing)
                    lines = text.splitlines()
                    assert (len(lines[0]), len(lines)) == size, name


@pytest.mark.parametrize("name", ["nothing", "only what is not finite"])
async def test_where_there_is_nothing_to_draw_it_says_so(name: str):
    async with charting() as (chart, pilot):
        assert "nothing yet" in await drawn(chart, pilot, Drawing((line(CURVES[name]),), empty=literal("nothing yet")))


async def test_values_that_a_logarithm_does_not_have_are_left_out():
    async with charting() as (chart, pilot):
        assert "nothing yet" in await drawn(chart, pilot, Drawing((line([0.0, -1.0]),), log=True, empty=literal("nothing yet")))
        assert "1e-3" in await drawn(chart, pilot, Drawing((line([0.0, 1e-3, 1e-2, 1e-1, 1.0, -5.0]),), log=True))


async def test_points_stand_where_their_values_are():
    async with charting() as (chart, pilot):
        lines = (await drawn(chart, pilot, Drawing((line([0.0, 10.0, 5.0], "x", joined=False),)))).splitlines()
        points = sorted((x, y) for y, row in enumerate(lines) for x, each in enumerate(row) if each == "x")
        assert len(points) == 3
        (_, first), (_, second), (_, third) = points
        assert second < third < first


async def test_a_gap_does_not_move_the_others():
    async with charting() as (chart, pilot):
        with_gap = await drawn(chart, pilot, Drawing((line([1.0, math.nan, 3.0, 2.0], "x", joined=False),)))
        without = Line([1.0, 3.0, 4.0], [1.0, 3.0, 2.0], "x", Hue.RED, joined=False)
        assert with_gap == await drawn(chart, pilot, Drawing((without,)))


@pytest.mark.parametrize(
    ("y", "labels"),
    [
        ([0.0, 1.0], ["0.25", "0.50", "1.00"]),
        ([0.0, 2500.0], ["1,000", "2,000"]),
        ([0.0, 3e7], ["1e7", "2e7"]),
        ([1e-7, 9e-7], ["4e-7", "8e-7"]),
        ([100.0, 100.001], ["100.0005"]),
    ],
)
async def test_the_axis_has_round_numbers(y: Sequence[float], labels: list[str]):
    async with charting((60, 12)) as (chart, pilot):
        text = await drawn(chart, pilot, Drawing((line(y),)))
        for label in labels:
            assert label in text


async def test_the_numbers_of_an_axis_are_all_different():
    async with charting() as (chart, pilot):
        for name, y in CURVES.items():
            for log in (False, True):
                text = await drawn(chart, pilot, Drawing((line(y),), log=log))
                labels = [found[1] for row in text.splitlines() if (found := re.match(r" *([-\d.,e+]+)┤", row))]
                assert len(set(labels)) == len(labels), (name, log, labels)


async def test_labels_of_marks_are_whole_or_not_there():
    places = (1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 90, 91, 92, 97, 99, 100)
    marks = tuple(Mark(float(x), clean(f"[{x:03d}{'=' * (x % 9)}]")) for x in places)
    for size in ((80, 20), (40, 8), (120, 14)):
        async with charting(size) as (chart, pilot):
            text = await drawn(chart, pilot, Drawing((line([50.0] * 100),), marks))
            whole = re.findall(r"\[\d{3}=*\]", text)
            assert text.count("[") == text.count("]") == len(whole)
            assert set(whole) <= {mark.label for mark in marks}
            assert len(whole) >= 3
            first, last = marks[0].label, marks[-1].label
            assert first in whole
            assert last in whole or len(whole) >= 3


async def test_a_label_that_is_wider_than_the_chart_leaves_its_line():
    async with charting((30, 8)) as (chart, pilot):
        text = await drawn(chart, pilot, Drawing((line([1.0, 2.0, 3.0]),), (Mark(2.0, clean("w" * 60)),)))
        assert "www" not in text
        assert sum("│" in row[10:25] for row in text.splitlines()) >= 3


async def test_a_mark_after_the_last_point_is_seen_and_one_before_the_first_is_not():
    async with charting() as (chart, pilot):
        marks = (Mark(-5.0, literal("before")), Mark(6.0, literal("after")))
        text = await drawn(chart, pilot, Drawing((line([1.0, 2.0, 3.0]),), marks))
        assert "after" in text
        assert "before" not in text


async def test_an_equal_drawing_is_not_plotted_again():
    async with charting() as (chart, pilot):
        drawing = Drawing((line([1.0, 2.0]),))
        await drawn(chart, pilot, drawing)
        first = chart.render()
        await drawn(chart, pilot, Drawing((line([1.0, 2.0]),)))
        assert chart.render() is first
        await drawn(chart, pilot, Drawing((line([1.0, 3.0]),)))
        assert chart.render() is not first


async def test_another_theme_and_another_size_are_plotted_anew():
    async with charting() as (chart, pilot):
        await drawn(chart, pilot, Drawing((line([1.0, 2.0]),)))
        dark = chart.render()
        pilot.app.theme = "textual-light"
        await settle(pilot)
        light = chart.render()
        assert isinstance(dark, Text)
        assert isinstance(light, Text)
        assert dark.spans != light.spans
        await pilot.resize_terminal(50, 10)
        assert len(seen(pilot.app).splitlines()[0]) == 50


# -- histograms ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [1, 2, 7, 40, 41, 80, 200])
@pytest.mark.parametrize("height", [0, 1, 4])
@pytest.mark.parametrize("bins", [1, 3, 40])
def test_a_histogram_fills_its_room(width: int, height: int, bins: int):
    counts = np.arange(bins) + 1
    lines = histogram_lines(counts, -1.5, 2.5, width, height)
    assert len(lines) == height + 1
    assert all(len(bar) == width for bar in lines[:-1])


def test_the_tallest_bar_reaches_the_top_and_what_is_not_empty_is_seen():
    counts = np.array([0, 1, 1000, 1, 0])
    lines = histogram_lines(counts, -1.0, 1.0, 5, 3)
    assert lines[0] == "  █  "
    assert lines[2] == " ▁█▁ "
    assert lines[3].split() == ["-1", "1"]


def test_a_histogram_of_nothing_is_empty():
    lines = histogram_lines(np.zeros(10, np.int64), 0.0, 1.0, 20, 3)
    assert all(not bar.strip() for bar in lines[:-1])


def test_no_count_is_lost_where_bins_share_a_column():
    lines = histogram_lines(np.array([0, 0, 0, 8, 0, 0, 0, 0]), 0.0, 1.0, 4, 1)
    assert lines[0] == " █  "


def test_no_bar_is_lost_where_columns_share_a_bin():
    lines = histogram_lines(np.array([1, 0, 1]), 0.0, 1.0, 10, 1)
    assert lines[0].strip("█").strip(" ") == ""
    assert lines[0][0] == lines[0][-1] == "█"


@pytest.mark.parametrize(("low", "high"), [(math.nan, math.nan), (-math.inf, math.inf), (0.0, 0.0), (-1e300, 1e-300)])
def test_any_ends_of_the_axis(low: float, high: float):
    assert len(histogram_lines(np.array([1, 2]), low, high, 30, 2)) == 3


def test_the_ends_of_the_axis_never_make_a_line_too_long():
    for width in (1, 5, 12, 19, 20, 21):
        assert len(histogram_lines(np.array([1, 2]), -1.23e-100, 4.56e100, width, 2)[-1]) == width
