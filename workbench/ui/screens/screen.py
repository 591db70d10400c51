"""What the app asks of each of its screens."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from textual import events
from textual.app import SystemCommand
from textual.screen import Screen

Result = TypeVar("Result")


class SettlingScreen(Screen[Result]):
    """A screen that comes to rest whatever the terminal's corner is dragged to."""

    def on_resize(self, event: events.Resize) -> None:
        """Leave out a size that another has overtaken.

        A screen answers a size by laying itself out, and a layout by telling itself its size: two sizes on their way at once
        would take turns for ever.
        """
        if event.size != self.app.size:
            event.prevent_default()


class WorkbenchScreen(SettlingScreen[None]):
    """A screen with commands for the palette and its own way to quit."""

    def commands(self) -> Iterable[SystemCommand]:
        """Actions for the command palette, besides Textual's own."""
        return ()

    def action_quit_saving(self) -> None:
        """Quit, without losing anything."""
        self.app.exit()
