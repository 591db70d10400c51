"""The room of the panels, in an app of its own: which are seen, how large, and which has the keys."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from driving import STYLES, press, resize, settle, until
from synthetic import trained
from textual import on
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from workbench.ui.actions import VIEW
from workbench.ui.dialogs.choice import ChoiceScreen
from workbench.ui.panels.area import HEIGHTS, PANELS, WIDTHS, PanelArea
from workbench.ui.state.layout import LAYOUTS, Arrangement, Slot


class Host(App[None]):
    """The room alone. Remembers how it was arranged."""

    CSS_PATH = STYLES
    AUTO_FOCUS = None

    def __init__(self) -> None:
        super().__init__()
        self.area = PanelArea()
        self.arranged: list[Arrangement] = []

    def compose(self) -> ComposeResult:
        yield self.area

    @on(PanelArea.Arranged)
    def _arranged(self, message: PanelArea.Arranged) -> None:
        self.arranged.append(message.arrangement)


@asynccontextmanager
async def alone(size: tuple[int, int] = (120, 40)) -> AsyncIterator[tuple[PanelArea, Host, Pilot[Any]]]:
    host = Host()
    async with host.run_test(size=size) as pilot:
        monitor = trained(100)
        for panel in host.area.panels:
            panel.show(monitor)  # an editor without values takes no keys
        host.area.rearrange()
        host.area.go_to(Slot.FIRST_CHART)
        await settle(pilot)
        yield host.area, host, pilot


def in_sight(area: PanelArea) -> set[Slot]:
    return {panel.SLOT for panel in area.panels if panel.display and panel.region.area}


def with_keys(area: PanelArea) -> Slot | None:
    return next((panel.SLOT for panel in area.panels if panel.has_focus_within), None)


def test_each_slot_has_one_panel_that_says_where_it_goes():
    assert list(PANELS) == [kind.SLOT for kind in PANELS.values()]
    assert set(PANELS) == set(Slot)


async def test_it_does_its_part_of_the_table():
    async with alone() as (area, _, _):
        assert set(area.performers) < {each.id for each in VIEW}
        assert [panel.border_title for panel in area.panels if panel.SLOT is Slot.TIMELINE] == ["5 Timeline"]


@pytest.mark.parametrize("size", [(120, 40), (90, 25), (60, 20)])
async def test_a_panel_that_is_gone_to_is_seen_and_has_the_keys(size: tuple[int, int]):
    async with alone(size) as (area, _, pilot):
        for slot in (*Slot, *reversed(Slot)):
            area.performers[f"view.panel{slot.number}"]()
            await settle(pilot)
            assert area.slot is slot
            assert slot in in_sight(area) == set(area.arrangement.shown)
            assert with_keys(area) is slot


async def test_in_a_wide_room_the_next_panel_is_one_in_sight():
    async with alone() as (area, _, pilot):
        there = sorted(in_sight(area))
        assert len(there) == 5
        visited = []
        for _ in there:
            area.go_on(1)
            await settle(pilot)
            visited.append(with_keys(area))
        start = there.index(Slot.FIRST_CHART) + 1
        assert visited == there[start:] + there[:start]
        area.go_on(-1)
        await settle(pilot)
        assert with_keys(area) is there[there.index(Slot.FIRST_CHART) - 1]
        assert in_sight(area) == set(there)


async def test_in_a_small_room_the_next_panel_is_the_next_of_all():
    async with alone((60, 20)) as (area, _, pilot):
        visited = []
        for _ in Slot:
            area.performers["view.next"]()
            await settle(pilot)
            visited.append(with_keys(area))
            assert in_sight(area) == {with_keys(area)}
        assert visited == [*list(Slot)[2:], Slot.HYPERPARAMETERS, Slot.FIRST_CHART]
        area.performers["view.before"]()
        await settle(pilot)
        assert with_keys(area) is Slot.HYPERPARAMETERS


async def test_zoom_gives_one_panel_the_room_and_takes_it_back():
    async with alone() as (area, host, pilot):
        before = {panel.SLOT: panel.region for panel in area.panels}
        area.performers["view.zoom"]()
        await until(pilot, lambda: area.panel(Slot.FIRST_CHART).region == area.region, "all the room")
        assert in_sight(area) == {Slot.FIRST_CHART}
        area.go_to(Slot.MODEL)
        await until(pilot, lambda: in_sight(area) == {Slot.MODEL}, "another, still alone")
        area.go_to(Slot.FIRST_CHART)
        area.zoom()
        await until(pilot, lambda: len(in_sight(area)) > 1, "all again")
        area.go_to(Slot.LAYERS)  # the model had its place
        await until(pilot, lambda: {panel.SLOT: panel.region for panel in area.panels} == before, "as it was")
        assert host.arranged[-1] == area.arrangement


async def test_borders_are_moved_and_stay_within_their_ends():
    async with alone() as (area, _, pilot):
        columns, share = area.sizes
        chart, layers = area.panel(Slot.FIRST_CHART), area.panel(Slot.LAYERS)
        width, height = chart.region.width, layers.region.height
        area.performers["view.wider"]()
        area.performers["view.lower"]()
        await until(pilot, lambda: chart.region.width == width - 4, "wider on the left")
        assert area.sizes == (columns + 4, share - 6)
        assert layers.region.height > height
        area.performers["view.narrower"]()
        area.performers["view.higher"]()
        await until(pilot, lambda: (chart.region.width, layers.region.height) == (width, height), "as it was")
        for by, ends in ((-1, (WIDTHS[0], HEIGHTS[0])), (1, (WIDTHS[1], HEIGHTS[1]))):
            for _ in range(30):
                area.resize_by(4 * by, 6 * by)
            assert area.sizes == ends


@pytest.mark.parametrize("name", LAYOUTS)
async def test_a_layout_shows_its_panels_and_any_other_comes_with_its_number(name: str):
    async with alone() as (area, _, pilot):
        area.zoom()
        area.choose_layout()
        await until(pilot, lambda: isinstance(pilot.app.screen, ChoiceScreen), "asked")
        await press(pilot, str(list(LAYOUTS).index(name) + 1))
        await until(pilot, lambda: in_sight(area) == LAYOUTS[name], "its panels, and no zoom")
        other = next(slot for slot in Slot if slot not in LAYOUTS[name])
        area.go_to(other)
        await until(pilot, lambda: other in in_sight(area) and with_keys(area) is other, "another")


async def test_the_chart_that_is_meant_is_the_one_that_had_the_keys_last():
    async with alone() as (area, _, pilot):
        area.go_to(Slot.SECOND_CHART)
        await settle(pilot)
        area.go_to(Slot.TIMELINE)
        await settle(pilot)
        assert area.chart is area.panel(Slot.SECOND_CHART)
        area.use_layout("minimal")
        await settle(pilot)
        assert area.chart is area.panel(Slot.FIRST_CHART), "the other is not in sight"
        assert [chart.SLOT for chart in area.charts] == [Slot.FIRST_CHART, Slot.SECOND_CHART]


async def test_how_it_was_left_is_taken_over():
    async with alone() as (area, _, pilot):
        area.restore("diagnosis", Slot.UNITS, (50, 40))
        await until(pilot, lambda: Slot.UNITS in in_sight(area), "the panel at the lower right")
        assert (area.layout_name, area.lower, area.sizes) == ("diagnosis", Slot.UNITS, (50, 40))
        assert in_sight(area) == LAYOUTS["diagnosis"] - {Slot.MODEL} | {Slot.UNITS}
        assert area.panel(Slot.FIRST_CHART).region.x == 50


async def test_another_size_of_the_terminal_is_another_arrangement():
    async with alone() as (area, host, pilot):
        for size, name in (((90, 25), "compact"), ((60, 20), "narrow"), ((30, 10), "tiny"), ((120, 40), "wide")):
            await resize(pilot, *size)
            area.rearrange()
            await settle(pilot)
            assert host.arranged[-1].name == name
            assert in_sight(area) == set(host.arranged[-1].shown)
