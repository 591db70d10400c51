"""Tabs, one for each panel: seen where there is no room for all panels."""

from __future__ import annotations

from rich.style import Style

from workbench.ui.doors.text import Static, Text
from workbench.ui.state.layout import NARROW, Arrangement, Slot


class Tabs(Static):
    """One line; a click on a tab goes to its panel."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)

    def show(self, now: Arrangement) -> None:
        """Say which panels there are, and which are seen."""
        text = Text(" ", no_wrap=True)
        for slot in Slot:
            whole = self.app.size.width >= NARROW or slot in now.shown
            style = Style(reverse=slot in now.shown, meta={"@click": f"screen.panel({int(slot)})"})
            text.append(f" {slot.number} {slot.tab} " if whole else f" {slot.number} ", style)
        self.update(text)
