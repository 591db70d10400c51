"""A picture of a widget for elsewhere."""

from __future__ import annotations

import io

from rich.console import Console
from textual.widget import Widget

from workbench.files.text import SafeText


def svg_of(widget: Widget, title: SafeText) -> str:
    """What a widget shows, as SVG in a frame with a title."""
    console = Console(width=widget.size.width, record=True, file=io.StringIO(), markup=False, highlight=False)
    console.print(widget.render())
    return console.export_svg(title=title)
