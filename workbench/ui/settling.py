"""Screens that come to rest whatever the terminal's corner is dragged to."""

from __future__ import annotations

from typing import TypeVar

from textual import events
from textual.screen import Screen

Result = TypeVar("Result")


class SettlingScreen(Screen[Result]):
    """What every screen and dialog of the app is."""

    def on_resize(self, event: events.Resize) -> None:
        """Leave out a size that another has overtaken.

        A screen answers a size by laying itself out, and a layout by telling itself its size: two sizes on their way at once
        would take turns for ever.
        """
        if event.size != self.app.size:
            event.prevent_default()
