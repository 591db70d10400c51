"""The command palette, however it is left."""

from __future__ import annotations

from pathlib import Path

import pytest
from driving import press, press_at_once, resize, seen, settle, until
from fed import FedApp

from workbench.ui.palette import Palette
from workbench.ui.screens.training import TrainingScreen


async def test_left_while_it_searches_it_is_not_missed(presets: Path, sessions: Path):
    async with FedApp(sessions, presets / "clouds.toml").run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        for keys in (("t", "n", "escape"), ("escape", "t", "n"), ("t", "escape", "3", "7", "m", "{", "4")):
            await press(pilot, "ctrl+p")
            assert isinstance(pilot.app.screen, Palette)
            await press_at_once(pilot, *keys)
            await pilot.pause(0.2)
            assert isinstance(pilot.app.screen, TrainingScreen)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (3, 20), (7, 20), (120, 1), (120, 3)])
async def test_it_may_be_opened_where_there_is_no_room_for_it(presets: Path, sessions: Path, width: int, height: int):
    async with FedApp(sessions, presets / "clouds.toml").run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await resize(pilot, width, height)
        await press(pilot, "ctrl+p")
        assert isinstance(pilot.app.screen, Palette)
        await press(pilot, "pagedown", "4", "pagedown", "pageup", "escape")
        await resize(pilot, 120, 40)
        await until(pilot, lambda: "2 Cost" in seen(pilot.app), "as before")


async def test_a_page_may_be_turned_before_there_is_one(presets: Path, sessions: Path):
    async with FedApp(sessions, presets / "clouds.toml").run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        for keys in (("pagedown", "pagedown"), ("t", "pagedown", "pageup"), ("pageup", "down", "pagedown")):
            await press_at_once(pilot, "ctrl+p", *keys)
            await press(pilot, "escape")
            await until(pilot, lambda: isinstance(pilot.app.screen, TrainingScreen), "left")


async def test_themes_are_searched_and_chosen(presets: Path, sessions: Path):
    async with FedApp(sessions, presets / "clouds.toml").run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        pilot.app.search_themes()
        await until(pilot, lambda: "dracula" in seen(pilot.app), "themes")
        await press(pilot, *"dracula")
        await until(pilot, lambda: "gruvbox" not in seen(pilot.app), "found")
        await press(pilot, "enter")
        await until(pilot, lambda: pilot.app.theme == "dracula", "chosen")
