"""Somebody who presses, clicks and drags whatever there is, the same for the same seed."""

from __future__ import annotations

import asyncio
import random
import traceback
from collections import deque
from typing import Any

from driving import PATIENCE_SECONDS, event_of
from textual import events
from textual.geometry import Size
from textual.pilot import Pilot

from workbench.ui.actions import ACTIONS

OPENERS = ("f", "v", "g", "a", "n", "w", "y", "c", "r", "e", "question_mark", "ctrl+p")
"""Keys that put a dialog, a cursor or an editor over what is there."""
MOVES = ("up", "down", "left", "right", "home", "end", "pageup", "pagedown", "tab", "shift+tab", "enter", "enter", "escape")
TYPED = (*"0123456789.,;=-+/x*abenrty λ漢e\u0301[]{}", "space", "backspace", "delete", "ctrl+u", "ctrl+w", "ctrl+a", "ctrl+k")
OURS = tuple(key for action in ACTIONS.values() for key in action.keys.split(",") if key != "q")
RARE = ("q", "ctrl+q", "ctrl+c", "ctrl+s", "f1", "f5", "ctrl+o", "ctrl+z", "insert")
SIZES = ((80, 24), (120, 40), (72, 24), (100, 30), (20, 24), (40, 12), (104, 30), (300, 200), (0, 0), (1, 1), (3, 50), (200, 2))
REMEMBERED = 60


class Monkey:
    """Gives an app one input after the other, and remembers the last."""

    def __init__(self, pilot: Pilot[Any], dice: random.Random) -> None:
        self._pilot, self._app, self._dice = pilot, pilot.app, dice
        self._done: deque[str] = deque(maxlen=REMEMBERED)
        self.inputs = 0

    @property
    def over(self) -> bool:
        """Whether the app has ended, as it was told to."""
        return bool(self._app._exit)

    async def play(self, inputs: int) -> None:
        """So many inputs, or fewer where one of them ends the app. Fails where anything is raised, or nothing goes on."""
        while self.inputs < inputs and not self.over:
            self._one()
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await self._answered()
            except TimeoutError:
                raise AssertionError(f"it stands still after {list(self._done)}") from None
            self._check()
        await self._pilot.pause(0.05)
        self._check()

    async def _answered(self) -> None:
        """Now and then until everybody has answered; else only until it was heard of."""
        if self._dice.random() < 0.1:
            await self._pilot.pause(0)
            return
        for _ in range(3):
            await asyncio.sleep(0)
            while any(not each._message_queue.empty() for each in (self._app, *self._app.screen_stack)) and not self.over:
                await asyncio.sleep(0)

    def _check(self) -> None:
        error = self._app._exception
        if error is not None:
            self._app._exception = None  # told here, with what led to it
            told = "".join(traceback.format_exception(error))
            raise AssertionError(f"after {list(self._done)}\n{told}")

    def _one(self) -> None:
        kind = self._dice.random()
        if kind < 0.62:
            self._key(self._any_key())
        elif kind < 0.78:
            for _ in range(self._dice.randint(2, 8)):  # without waiting
                self._key(self._any_key())
        elif kind < 0.83:
            key = self._any_key()
            for _ in range(self._dice.randint(2, 3)):
                self._key(key)
        elif kind < 0.93:
            self._mouse()
        elif kind < 0.94:
            self._tell("paste", events.Paste("".join(self._dice.choices(TYPED[:30], k=12)) + "\n[red]\x1b[31m"))
        else:
            for _ in range(self._dice.choice((1, 1, 2, 4))):
                self._resize()

    def _any_key(self) -> str:
        kind = self._dice.random()
        keys = OPENERS if kind < 0.2 else MOVES if kind < 0.55 else TYPED if kind < 0.78 else OURS if kind < 0.995 else RARE
        return self._dice.choice(keys)

    def _key(self, key: str) -> None:
        self._tell(key, event_of(key))

    def _mouse(self) -> None:
        width, height = self._app.size
        x, y = self._dice.randint(0, max(0, width - 1)), self._dice.randint(0, max(0, height - 1))
        click: list[type[events.MouseEvent]] = [events.MouseMove, events.MouseDown, events.MouseUp]
        kinds = click if self._dice.random() < 0.7 else [self._dice.choice((events.MouseScrollDown, events.MouseScrollUp))]
        for kind in kinds:
            event = kind(
                None, x, y, 0, 0, button=int(kind in (events.MouseDown, events.MouseUp)), shift=False, meta=False, ctrl=False
            )
            self._tell(f"{kind.__name__} {x},{y}", event)

    def _resize(self) -> None:
        width, height = (self._dice.randint(0, self._dice.choice(most)) for most in ((4, 60, 160), (4, 30, 60)))
        size = Size(*self._dice.choice(SIZES)) if self._dice.random() < 0.6 else Size(width, height)
        self._app._driver._size = size  # type: ignore[union-attr]
        self._tell(f"{size.width}×{size.height}", events.Resize(size, size))

    def _tell(self, what: str, event: events.Event) -> None:
        self.inputs += 1
        self._done.append(what)
        event.set_sender(self._app)
        self._app.post_message(event)
