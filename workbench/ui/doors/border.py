"""What stands on the border of a widget."""

from __future__ import annotations

from textual.content import Content
from textual.widget import Widget

from workbench.files.text import SafeText


def set_title(widget: Widget, text: SafeText) -> None:
    """On its upper border."""
    widget.border_title = Content(text)


def set_subtitle(widget: Widget, text: SafeText) -> None:
    """On its lower border."""
    widget.border_subtitle = Content(text)
