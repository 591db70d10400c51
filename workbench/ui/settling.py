"""Screens that come to rest, however the terminal's corner is dragged, however fast the keys are and slow the line is."""

from __future__ import annotations

from typing import Protocol, TypeVar, runtime_checkable

from textual import events
from textual.await_complete import AwaitComplete
from textual.geometry import Offset
from textual.screen import Screen
from textual.widget import Widget

Result = TypeVar("Result")


@runtime_checkable
class Line(Protocol):
    """What carries frames to a terminal."""

    def busy(self) -> bool:
        """Whether the last frame is on its way still; then the screen is drawn anew when it is not."""
        ...


class SettlingScreen(Screen[Result]):
    """What every screen and dialog of the app is."""

    def on_resize(self, event: events.Resize) -> None:
        """Leave out a size that another has overtaken.

        A screen answers a size by laying itself out, and a layout by telling itself its size: two sizes on their way at once
        would take turns for ever.
        """
        if event.size != self.app.size:
            event.prevent_default()

    def get_widget_and_offset_at(self, x: int, y: int) -> tuple[Widget | None, Offset | None]:
        """What may be selected there; nothing where that was taken away since it was laid out."""
        widget, offset = super().get_widget_and_offset_at(x, y)
        return (widget, offset) if widget is not None and widget.is_attached else (None, None)

    def dismiss(self, result: Result | None = None) -> AwaitComplete:
        """Leave, once: a second key for that may be on its way already, and would take the screen below away."""
        return super().dismiss(result) if self.is_active else AwaitComplete.nothing()  # type: ignore[no-untyped-call]

    def _on_timer_update(self) -> None:
        """Wait for the end of a batch of changes: nothing is drawn in one, and nobody would ask again after it."""
        if not self.app._batch_count:
            super()._on_timer_update()

    def _compositor_refresh(self) -> None:
        """Leave out a frame for which the line has no room: what is to be drawn stays so, and is a part of the next."""
        line: object = self.app._driver
        if self.is_active and self.app._batch_count:  # it would be made, and thrown away
            self._repaint_required = True
            self._update_timer.resume()
        elif self.is_active and isinstance(line, Line) and line.busy():
            self._dirty_widgets.clear()
        else:
            super()._compositor_refresh()
