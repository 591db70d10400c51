"""No frame is lost: what changes while nothing may be drawn is drawn after it, with nobody pressing a key."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from driving import PATIENCE_SECONDS
from textual.app import App, ComposeResult
from textual.widgets import Static

from workbench.ui.settling import SettlingScreen


class Sign(SettlingScreen[None]):
    """A screen with one text on it."""

    def compose(self) -> ComposeResult:
        yield Static("before")

    @property
    def sign(self) -> Static:
        return self.query_one(Static)


class Signs(App[None]):
    def get_default_screen(self) -> Sign:
        return Sign()


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not holds():
            await asyncio.sleep(0)


@pytest.mark.parametrize("layout", [False, True])
async def test_what_changes_right_before_a_batch_of_changes_is_drawn_after_it(written: list[str], layout: bool):
    app = Signs()
    async with app.run_test() as pilot:
        await pilot.pause()
        assert isinstance(app.screen, Sign)
        drawing: asyncio.Event = app.screen._update_timer._active
        app.screen.sign.update("during", layout=layout)
        await until(drawing.is_set)
        ticks = 0

        def tick() -> None:
            nonlocal ticks
            ticks += 1

        with app.batch_update():
            app.set_interval(1 / 60, tick)
            await until(lambda: ticks > 3)  # each of which is time enough for a frame
            assert "during" not in "".join(written)
        await until(lambda: "during" in "".join(written))


async def test_a_frame_that_is_made_in_a_batch_of_changes_is_drawn_after_it(written: list[str]):
    app = Signs()
    async with app.run_test() as pilot:
        await pilot.pause()
        assert isinstance(app.screen, Sign)
        with app.batch_update():
            app.screen.sign.update("during")
            app.screen._refresh_layout()
            app.screen._compositor_refresh()
            assert "during" not in "".join(written)
        await until(lambda: "during" in "".join(written))
