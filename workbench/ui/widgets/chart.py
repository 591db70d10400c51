"""A chart of lines with marks, drawn by plotext and kept until something changes.

Knows nothing of training: it is given lines, marks and axes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from textual.app import RenderResult
from textual.color import Color
from textual.events import Click, MouseDown, MouseScrollDown, MouseScrollLeft, MouseScrollRight, MouseScrollUp, MouseUp
from textual.message import Message
from textual_plotext import PlotextPlot

from workbench.ui.doors.text import Text
from workbench.ui.state.drawing import Drawing, Line
from workbench.ui.state.palette import Hue, Rgb, rgb

LABEL_ROWS, LABEL_WIDTH = 3, 5
WHEEL, PAN = 1.5, 0.15
LARGEST = 1e100
"""What is beyond is left out as if it were not finite: plotext multiplies before it divides, and would overflow."""
NAME_ROWS = 12
"""From so many rows on, the x axis has room for its name."""


class Chart(PlotextPlot, can_focus=True):
    """Draws a `Drawing`; an equal one costs nothing. What the mouse does is told in terms of x."""

    class Clicked(Message):
        """Somebody clicked at `x`."""

        def __init__(self, chart: Chart, x: float) -> None:
            super().__init__()
            self.chart, self.x = chart, x

    class Zoomed(Message):
        """The wheel was turned at `x`: `factor` times as much is to be seen."""

        def __init__(self, chart: Chart, factor: float, x: float) -> None:
            super().__init__()
            self.chart, self.factor, self.x = chart, factor, x

    class Panned(Message):
        """The wheel was turned sideways, or with shift: by `share` of what is seen."""

        def __init__(self, share: float) -> None:
            super().__init__()
            self.share = share

    class Selected(Message):
        """The mouse was dragged from one x to another."""

        def __init__(self, chart: Chart, left: float, right: float) -> None:
            super().__init__()
            self.chart, self.left, self.right = chart, left, right

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._drawing = Drawing()
        self._drawn: tuple[object, RenderResult] | None = None
        self._span: tuple[float, float] | None = None
        self._first = LABEL_WIDTH + 1
        self._pressed: int | None = None
        self._dragged = False

    @property
    def columns(self) -> int:
        """How many points side by side the chart can tell apart."""
        return max(8, self.size.width - LABEL_WIDTH - 2)

    def _at(self, column: int) -> float | None:
        """The x of a column of the widget: the frame and the labels of the y axis are on the left."""
        if self._span is None:
            return None
        left, right = self._span
        share = (column - self._first) / max(1, self.size.width - 2 - self._first)
        return left + share * (right - left) if 0 <= share <= 1 else None

    def on_mouse_down(self, event: MouseDown) -> None:
        """Where a drag begins."""
        self._pressed = event.x

    def on_mouse_up(self, event: MouseUp) -> None:
        """Where a drag ends."""
        pressed, self._pressed = self._pressed, None
        if pressed is not None and abs(event.x - pressed) > 1:
            ends = [self._at(x) for x in sorted((pressed, event.x))]
            if ends[0] is not None and ends[1] is not None:
                self._dragged = True
                self.post_message(self.Selected(self, ends[0], ends[1]))

    def on_click(self, event: Click) -> None:
        """A click, where it is not the end of a drag."""
        dragged, self._dragged = self._dragged, False
        x = self._at(event.x)
        if x is not None and not dragged:
            self.post_message(self.Clicked(self, x))

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        """See less, and that larger; with shift, go back."""
        self._wheel(event, 1 / WHEEL, -PAN)

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        """See more; with shift, go on."""
        self._wheel(event, WHEEL, PAN)

    def on_mouse_scroll_left(self, event: MouseScrollLeft) -> None:
        """Go back."""
        event.stop()
        self.post_message(self.Panned(-PAN))

    def on_mouse_scroll_right(self, event: MouseScrollRight) -> None:
        """Go on."""
        event.stop()
        self.post_message(self.Panned(PAN))

    def _wheel(self, event: MouseScrollUp | MouseScrollDown, factor: float, share: float) -> None:
        event.stop()
        x = self._at(event.x)
        if event.shift or event.ctrl:
            self.post_message(self.Panned(share))
        elif x is not None:
            self.post_message(self.Zoomed(self, factor, x))

    def draw(self, drawing: Drawing) -> None:
        """Show this from now on."""
        if drawing != self._drawing:
            self._drawing, self._drawn = drawing, None
            self.refresh()

    def render(self) -> RenderResult:
        width, height = self.size
        if width < 12 or height < 4:
            return Text("too small for a chart" if width >= 21 else "")
        key = (self.size, self.app.theme)
        if self._drawn is None or self._drawn[0] != key:
            self._drawn = (key, self._plotted())
        return self._drawn[1]

    def _plotted(self) -> RenderResult:
        drawing, plot = self._drawing, self.plt
        lines = [part for line in drawing.lines for part in _finite(line, drawing.log)]
        if not lines:
            self._span = None
            return Text(drawing.empty, style="italic")
        plot.clear_figure()
        for line in lines:
            draw = plot.plot if line.joined else plot.scatter
            draw(list(line.x), list(line.y), marker=line.marker, color=self._rgb(line.hue))
        levels = [] if drawing.level is None else [drawing.level]
        low, high = _span([*levels, *(y for line in lines for y in line.y)], drawing.log)
        left, right = min(line.x[0] for line in lines), max(line.x[-1] for line in lines)
        right = max([right, *(mark.x for mark in drawing.marks)])
        left, right = drawing.span or (left, right)
        right = right if right > left else left + 1
        self._span = left, right
        plot.xlim(left, right)
        plot.ylim(low, high)
        plot.xticks(*(_log_ticks(left, right) if drawing.powers else _ticks(left, right, max(2, self.size.width // 18))))
        places, labels = _log_ticks(low, high) if drawing.log else _ticks(low, high, max(3, self.size.height * 2 // 5))
        labels = [f"{label:>{LABEL_WIDTH}}" for label in labels]  # so that a step is in the same column of all charts
        self._first = max((len(label) for label in labels), default=LABEL_WIDTH) + 1
        plot.yticks(places, labels)
        for level in levels:
            plot.hline(level, color=self._rgb(Hue.GREY))
        gaps = [x for x in drawing.gaps if left <= x <= right]
        if gaps:
            plot.scatter(gaps, [low] * len(gaps), marker="✗", color=self._rgb(Hue.RED))
        if drawing.x_name and self.size.height >= NAME_ROWS:
            plot.xlabel(drawing.x_name)
        self._mark(left, right, low, high)
        return super().render()

    def _mark(self, left: float, right: float, low: float, high: float) -> None:
        """Marks with labels in up to three rows, none over another; a mark whose label finds no room stays a line."""
        columns, rows, hue = self.columns, max(2, self.size.height - 3), self._rgb(Hue.GREY)
        taken = [-1.0] * LABEL_ROWS
        for mark in self._drawing.marks:
            if not left <= mark.x <= right:
                continue
            self.plt.vline(mark.x, color=hue)
            at = (mark.x - left) / (right - left) * columns
            start = min(at + 1, columns - len(mark.label) - 1)
            row = next((i for i, end in enumerate(taken) if start > end), None)
            if row is None or start < 0:
                continue
            taken[row] = start + len(mark.label) + 1
            y = high - (high - low) * (row + 0.5) / rows
            x = left + start / columns * (right - left)
            self.plt.text(mark.label, x, y, color=hue, background=self._canvas(), alignment="left")

    def _rgb(self, hue: Hue) -> Rgb:
        return rgb(hue, self.app.current_theme.dark)

    def _canvas(self) -> Rgb:
        return Color.parse(self.app.theme_variables["surface"]).rgb


def _finite(line: Line, log: bool) -> list[Line]:
    """The line in the pieces that can be drawn, where it is joined; on a log axis y becomes log10 y."""
    pieces: list[list[tuple[float, float]]] = [[]]
    for x, y in zip(line.x, line.y, strict=True):
        if line.joined and math.isnan(y):
            pieces.append([])
        elif math.isfinite(x) and abs(y) <= LARGEST and (not log or y > 0):
            pieces[-1].append((x, math.log10(y) if log else y))
    return [Line([x for x, _ in piece], [y for _, y in piece], line.marker, line.hue, line.joined) for piece in pieces if piece]


def _span(values: Sequence[float], log: bool) -> tuple[float, float]:
    """From the least to the greatest, or some room around values that are all but the same."""
    low, high = min(values), max(values)
    if high - low < 1e-9 * (1.0 if log else max(abs(low), abs(high), 1e-12)):
        margin = 0.5 if log else abs(low) * 0.05 or 0.5
        return low - margin, high + margin
    return low, high


def _ticks(low: float, high: float, most: int) -> tuple[list[float], list[str]]:
    """At most about `most` round numbers from low to high, with their labels."""
    step = 10.0 ** math.floor(math.log10((high - low) / most))
    step *= next(m for m in (1, 2, 2.5, 5, 10) if (high - low) / (step * m) <= most)
    first = math.ceil(low / step - 1e-9)
    places = [i * step for i in range(first, math.floor(high / step + 1e-9) + 1)]
    return places, [_label(place, step) for place in places]


def _label(place: float, step: float) -> str:
    if abs(place) < step / 1000:
        return "0"
    if abs(place) >= 1e5 or step < 1e-4:
        digits = 2 + max(0, math.floor(math.log10(abs(place))) - math.floor(math.log10(step)))
        return f"{place:.{digits}g}".replace("e+0", "e").replace("e-0", "e-").replace("e+", "e")
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    if step / 10.0**-decimals % 1 > 1e-6:
        decimals += 1
    return f"{place:,.{decimals}f}"


def _log_ticks(low: float, high: float) -> tuple[list[float], list[str]]:
    """Powers of ten, thinned; between them 2 and 5 where fewer than three powers are in sight."""
    powers = [float(p) for p in range(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1)]
    if len(powers) >= 3:
        every = math.ceil(len(powers) / 5)
        powers = [p for p in powers if p % every == 0]
        return powers, [f"1e{p:.0f}" for p in powers]
    places = [p + math.log10(m) for p in range(math.floor(low), math.floor(high) + 1) for m in (1, 2, 5)]
    places = [p for p in places if low <= p <= high]
    if len(places) < 2:
        values, labels = _ticks(10**low, 10**high, 3)
        return [math.log10(value) for value in values], labels
    return places, [f"{10**p:.2g}" for p in places]
