"""Every terminal size: whatever the room, nothing fails and nothing that was asked for is lost."""

from __future__ import annotations

from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from driving import press, resize, seen, settle, until
from fed import FedApp
from textual.pilot import Pilot

from workbench.ui.screens.training import TrainingScreen

WIDTHS, HEIGHTS = range(1, 41, 3), range(1, 16, 3)


async def redrawn(pilot: Pilot[Any]) -> str:
    """What is seen once every panel has caught up."""
    await settle(pilot)
    assert isinstance(pilot.app.screen, TrainingScreen)
    pilot.app.screen.redraw()
    await settle(pilot)
    return seen(pilot.app)


@pytest.mark.parametrize("height", HEIGHTS)
async def test_small_sizes(presets: Path, sessions: Path, height: int):
    async with FedApp(sessions, presets / "clouds.toml").run_test(size=(120, 40)) as pilot:
        for width, key in zip(WIDTHS, cycle(("e", "right", "tab", "t", "shift+tab", "t")), strict=False):
            await resize(pilot, width, height)
            await press(pilot, key)
            lines = (await redrawn(pilot)).splitlines()
            assert (len(lines), len(lines[0])) == (height, width)
        assert isinstance(pilot.app.screen, TrainingScreen)
        if pilot.app.screen.area.zoomed:
            await press(pilot, "z")
        await resize(pilot, 120, 40)
        whole = ("1 Hyperparameters", "learning rate α 0.001")
        await until(pilot, lambda: all(each in seen(pilot.app) for each in whole), "as before")


async def test_too_small_is_said_and_keys_still_work(presets: Path, sessions: Path):
    async with FedApp(sessions, presets / "clouds.toml").run_test(size=(39, 11)) as pilot:
        await settle(pilot)
        assert "too small" in seen(pilot.app)
        await press(pilot, "?")
        await press(pilot, "escape")
        await resize(pilot, 40, 12)
        await until(pilot, lambda: "too small" not in seen(pilot.app) and "2 Cost" in seen(pilot.app), "room enough")


@pytest.mark.parametrize("size", [(40, 12), (71, 24), (72, 24), (103, 40), (104, 29), (104, 30)])
async def test_each_arrangement_shows_the_panel_that_was_asked_for(presets: Path, sessions: Path, size: tuple[int, int]):
    titles = ["1 Hyperparameters", "2 Cost", "3 Error", "4 Batch norm and layers", "5 Timeline", "6 Diagnosis"]
    titles += ["7 Batch norm", "8 Model"]
    async with FedApp(sessions, presets / "clouds.toml").run_test(size=size) as pilot:
        for number, title in enumerate(titles):
            await press(pilot, "e" if number == 0 else "tab" if number == 1 else str(number + 1))
            assert f"─ {title}" in seen(pilot.app)
            await press(pilot, "z")
            zoomed = seen(pilot.app)
            assert f"─ {title}" in zoomed
            assert not any(f"─ {other}" in zoomed for other in titles if other != title)
            await press(pilot, "z")


async def test_a_chart_is_drawn_in_the_size_it_has_now(presets: Path, sessions: Path):
    async with FedApp(sessions, presets / "clouds.toml").run_test(size=(120, 40)) as pilot:
        large = await redrawn(pilot)
        await press(pilot, "tab", "z")
        await until(pilot, lambda: "Hyperparameters" not in seen(pilot.app), "zoomed")
        await press(pilot, "z", "e")
        await resize(pilot, 80, 24)
        await resize(pilot, 120, 40)
        assert await redrawn(pilot) == large
