"""Driving a screen from a test: an app around one panel, what is seen of an app, and waiting for what must come."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from textual import events, on
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.pilot import Pilot
from textual.widget import Widget

import workbench.ui.app
from workbench.ui.app import WorkbenchApp
from workbench.ui.messages import Edited
from workbench.ui.screens.training import TrainingScreen
from workbench.ui.state.monitor import Monitor, Phase
from workbench.ui.widgets.editor import Editor

STYLES = Path(workbench.ui.app.__file__).with_name("workbench.tcss")
PATIENCE_SECONDS = 20.0
SIZE = (120, 40)
CHARACTERS = {
    "space": " ", "slash": "/", "full_stop": ".", "comma": ",", "minus": "-", "plus": "+", "equals_sign": "=", "asterisk": "*",
    "question_mark": "?", "left_square_bracket": "[", "right_square_bracket": "]", "enter": "\r", "tab": "\t", "escape": "\x1b",
    "backspace": "\x7f",
}  # fmt: skip
NAMES = {character: name for name, character in CHARACTERS.items()}


class Bench(App[None]):
    """One widget in an app of its own. Remembers edits, and which keys came through to the app."""

    CSS_PATH = STYLES
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(key, f"came_through('{key}')") for key in ("space", "escape", "1", *"abcdefghilmnopqrstuvwxyz")
    ]

    def __init__(self, content: Widget) -> None:
        super().__init__()
        self.content = content
        self.edits: list[tuple[str, object]] = []
        self.came_through: list[str] = []

    def compose(self) -> ComposeResult:
        yield self.content

    def action_came_through(self, key: str) -> None:
        self.came_through.append(key)

    @on(Edited)
    def _edited(self, message: Edited) -> None:
        self.edits.append((message.name, message.value))


def seen(app: App[Any]) -> str:
    """The characters on the screen, a line for each row."""
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


async def settle(pilot: Pilot[Any]) -> None:
    """Let every widget take what is in its queue, and what that brought to others."""
    for _ in range(3):
        await pilot.pause(0)


async def press(pilot: Pilot[Any], *keys: str) -> None:
    """Keys by name or character. Unlike the pilot's own, it does not wait for an idle processor, which a training run has not."""
    for key in keys:
        pilot.app.post_message(event_of(key))
        await settle(pilot)


async def press_at_once(pilot: Pilot[Any], *keys: str) -> None:
    """Keys of which none waits for what the one before has brought about."""
    for key in keys:
        pilot.app.post_message(event_of(key))
    await settle(pilot)


def event_of(key: str) -> events.Key:
    """A key by name or character."""
    return events.Key(NAMES.get(key, key), CHARACTERS.get(key, key if len(key) == 1 else None))


async def resize(pilot: Pilot[Any], width: int, height: int) -> None:
    """Another size of the terminal. It does not wait for an idle processor either."""
    size = Size(width, height)
    pilot.app._driver._size = size  # type: ignore[union-attr]
    pilot.app.post_message(events.Resize(size, size))
    async with asyncio.timeout(PATIENCE_SECONDS):
        while pilot.app.screen.size != size:
            await asyncio.sleep(0.005)


async def until(pilot: Pilot[Any], holds: Callable[[], object], what: str = "") -> None:
    """Let the app run until something holds; fail where it never does."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"never came true: {what}\n{seen(pilot.app)}"
        await pilot.pause(0.01)


class Driven:
    """An app that runs, and what a test wants to know of it."""

    def __init__(self, app: WorkbenchApp, pilot: Pilot[Any]) -> None:
        self.app, self.pilot = app, pilot
        self.engines: set[int] = set()

    @property
    def training(self) -> TrainingScreen:
        return next(screen for screen in self.app.screen_stack if isinstance(screen, TrainingScreen))

    @property
    def monitor(self) -> Monitor:
        return self.training.monitor

    @property
    def seen(self) -> str:
        return seen(self.app)

    async def press(self, *keys: str) -> None:
        await press(self.pilot, *keys)

    async def until(self, holds: Callable[[], object], what: str = "") -> None:
        await until(self.pilot, holds, what)

    async def until_seen(self, *texts: str) -> None:
        await self.until(lambda: all(text in self.seen for text in texts), f"seeing {texts}")

    async def until_told(self, *texts: str) -> None:
        """Until a notification has all of these; on the screen it may be broken into lines."""

        def told() -> bool:
            return any(all(text in each.message for text in texts) for each in self.app._notifications)

        await self.until(told, f"told {texts}")

    async def until_phase(self, phase: Phase) -> None:
        await self.until(lambda: isinstance(self.app.screen, TrainingScreen) and self.monitor.phase is phase, phase.value)
        if self.training.link._engine is not None:
            assert self.training.link._engine.pid is not None
            self.engines.add(self.training.link._engine.pid)

    async def until_trained(self, steps: int) -> None:
        await self.until(lambda: self.monitor.step >= steps, f"step {steps}")

    async def on(self, name: str) -> None:
        await self.press("e")
        self.training.query_one(Editor).go_to(name)

    async def edit(self, name: str, typed: str) -> None:
        """Go to a hyperparameter, type a value, apply it, and wait for the engine's answer."""
        await self.on(name)
        await self.press(*typed, "enter")
        await self.until(
            lambda: name in self.monitor.edit_states and self.monitor.edit_states[name].kind != "pending", f"an answer to {name}"
        )

    async def pause(self) -> int:
        await self.press("space")
        await self.until_phase(Phase.PAUSED)
        return self.monitor.step

    async def save(self) -> Path:
        await self.press("ctrl+s")
        path = self.training.link.path
        await self.until_told("Saved", path.name)
        return path

    async def until_ended(self) -> None:
        await self.until(lambda: self.app.return_code is not None, "the end")


Open = Callable[..., Any]
"""The fixture `workbench_app`."""
