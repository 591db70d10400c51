"""The two charts: each shows a quantity over the steps that are looked at, with the marks of the timeline."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.message import Message
from textual.reactive import reactive

from workbench.engine.commands import Planned
from workbench.files.text import SafeText, clean, literal
from workbench.session.branch import Note, Stop
from workbench.ui.actions import CHART, bindings
from workbench.ui.doors.border import set_subtitle
from workbench.ui.doors.notice import notify
from workbench.ui.panels.panel import Panel
from workbench.ui.state.chart_view import Axis, ChartView
from workbench.ui.state.drawing import Drawing, Line, Mark
from workbench.ui.state.layout import Slot
from workbench.ui.state.monitor import Monitor
from workbench.ui.state.quantities import QUANTITIES, Floats, Frame, Plot, Quantity
from workbench.ui.state.timeline import Happening, Made
from workbench.ui.state.wording import shown, symbol
from workbench.ui.widgets.chart import Chart

LONGEST_LABEL = 28
SETTLED = 0.95
"""The best dev cost is marked once it is not of late: before, the mark would run along with the curve."""
WAITING = literal("  waiting for the first steps …")
NOTHING = literal("  nothing of this is known here")


def marks(monitor: Monitor) -> tuple[Mark, ...]:
    """A mark for each entry of the timeline, those of one step together, for the best dev cost and for the cursor."""
    texts: dict[int, list[str]] = {}
    if monitor.cursor is not None:
        texts[monitor.cursor] = [f"◂▸ {monitor.cursor:,}"]
    for each in monitor.happenings:
        texts.setdefault(each.step, []).append(_label(each))
    best = monitor.best
    if best is not None and 0 < best.step < SETTLED * monitor.step:
        texts.setdefault(best.step, []).append("★ best dev")
    labels = {step: ", ".join(dict.fromkeys(each)) for step, each in texts.items()}
    return tuple(Mark(float(step), clean(labels[step], LONGEST_LABEL)) for step in sorted(labels))


def _label(what: Happening) -> str:
    match what:
        case Made(edit=edit):
            return f"{symbol(edit.name)} {shown(edit.new)}"
        case Planned(name=name, value=value):
            return f"{symbol(name)} {shown(value)}"
        case Stop():
            return "✗ guard"
        case Note(text=text):
            return f"✎ {text}"


class ChartPanel(Panel):
    """A chart of one quantity. Zoom, pan and axis are asked for by messages: all charts are to show the same steps."""

    SHOWN: ClassVar[str]
    """The quantity it shows at first."""
    HELP = (
        "{chart.back} {chart.on} move along the run, {chart.in} {chart.out} zoom, {chart.all} shows all of it and "
        "{chart.recent} its last 500 steps; the wheel zooms where the mouse is, with shift it moves, and dragging chooses a "
        "part. {view.quantity} chooses what is shown, {view.next_quantity} goes to the next, {view.axis} lets the axis count "
        "steps, epochs or seconds of training, {chart.log} makes it logarithmic. {travel.rewind} reads all charts at one "
        "step. {chart.export} saves the picture as SVG and its numbers as CSV.\n"
        "· is every value, from least to greatest where a column holds several steps, so a spike of one step is seen at every "
        "zoom; ━ is the exponentially weighted average v = βv + (1-β)θ over about the last 1/(1-β) steps. Divided by 1 - Πβ "
        "it does not start from 0; without this correction ({view.correction}) it is biased at first. {view.beta_down} and "
        "{view.beta_up} change β. Vertical lines are edits, notes, stops of the guard and the best dev cost; a ✗ at the "
        "bottom is a value that was not finite."
    )
    ACTIONS = CHART
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(CHART)]

    class Viewed(Message):
        """Another part of the run is to be seen, in all charts."""

        def __init__(self, view: ChartView) -> None:
            super().__init__()
            self.view = view

    class Exported(Message):
        """The picture and the numbers of a chart are to be written."""

        def __init__(self, panel: ChartPanel) -> None:
            super().__init__()
            self.panel = panel

    quantity: reactive[str] = reactive("cost")
    log_axis: reactive[bool] = reactive(False)
    view: reactive[ChartView] = reactive(ChartView())

    def __init__(self) -> None:
        super().__init__()
        self.chart = Chart()
        self._monitor: Monitor | None = None
        self.set_reactive(ChartPanel.quantity, self.SHOWN)
        self.set_reactive(ChartPanel.log_axis, QUANTITIES[self.SHOWN].log)

    def compose(self) -> ComposeResult:
        """One chart."""
        yield self.chart

    def on_mount(self) -> None:
        """Say on the border what is drawn."""
        self._describe(None)

    @property
    def _quantity(self) -> Quantity:
        return QUANTITIES[self.quantity]

    def _describe(self, plot: Plot | None) -> None:
        quantity = self._quantity
        unit = plot.unit if plot is not None and plot.unit else quantity.unit
        unit = f" ({unit})" if unit else ""
        view = self.view
        first, last = view.span(self._reach)
        part = "" if view.window is None else f" · steps {first:,} to {last:,}"
        part += "" if view.axis is Axis.STEP else f" by {view.axis}"
        self.entitle(f"{quantity.title}{unit}{' log' if self.log_axis else ''}{part}")
        set_subtitle(self, plot.legend if plot is not None else literal(""))

    def watch_quantity(self) -> None:
        """Another quantity, on the axis that suits it."""
        self.log_axis = self._quantity.log
        self._again()

    def watch_log_axis(self) -> None:
        """Draw on the other axis."""
        self._again()

    def watch_view(self) -> None:
        """Draw another part."""
        self._again()

    def _again(self) -> None:
        if self.is_mounted and self._monitor is not None:
            self.show(self._monitor)

    def show(self, monitor: Monitor) -> None:
        """Draw the quantity as it is now."""
        self._monitor = monitor
        chart = self.chart
        if not monitor.step and not monitor.history.last:
            self._describe(None)
            chart.draw(Drawing(empty=WAITING))
            return
        plot = self.plot(chart.columns)
        self._describe(plot)
        first, last = self.view.span(monitor.step)
        shown = tuple(mark for mark in marks(monitor) if first <= mark.x and (mark.x <= last or self.view.end is None))
        ends = self._place(np.array([first, max([last, *(mark.x for mark in shown)])], np.float64))
        chart.draw(
            Drawing(
                tuple(dataclasses.replace(line, x=self._place(np.asarray(line.x, np.float64)).tolist()) for line in plot.lines),
                tuple(Mark(float(self._place(np.array([mark.x]))[0]), mark.label) for mark in shown),
                log=self.log_axis,
                empty=NOTHING,
                gaps=tuple(self._place(np.array(plot.gaps, np.float64)).tolist()),
                span=(float(ends[0]), float(ends[1])),
                x_name=self._x_name(),
            )
        )

    def plot(self, columns: int) -> Plot:
        """The lines, over steps, as so many columns show them."""
        monitor = self._monitor
        assert monitor is not None
        first, last = self.view.span(monitor.step)
        return self._quantity.plot(monitor, Frame(self.view, first, last, columns))

    def _place(self, steps: Floats) -> Floats:
        assert self._monitor is not None
        return self._monitor.clock.shown(self.view.axis, steps)

    def _x_name(self) -> SafeText:
        return clean("seconds of training seen here" if self.view.axis is Axis.SECONDS else self.view.axis.value)

    def step_at(self, x: float) -> int:
        """The step that stands at a place of the axis."""
        return 0 if self._monitor is None else round(self._monitor.clock.step(self.view.axis, x))

    # -- keys and mouse -----------------------------------------------------------------------------------------------

    def _see(self, view: ChartView) -> None:
        self.post_message(self.Viewed(view))

    @property
    def _reach(self) -> int:
        return self._monitor.step if self._monitor is not None else 0

    def action_pan(self, share: float) -> None:
        """Move along the run."""
        self._see(self.view.panned(share, self._reach))

    def action_zoom(self, factor: float) -> None:
        """See fewer steps, or more, around the cursor or the last."""
        cursor = self._monitor.cursor if self._monitor is not None else None
        self._see(self.view.zoomed(factor, cursor, self._reach))

    def action_all(self) -> None:
        """See the whole run."""
        self._see(self.view.whole())

    def action_recent(self) -> None:
        """See the last steps."""
        self._see(self.view.recent())

    def action_log(self) -> None:
        """Logarithmic axis, and back."""
        self.log_axis = not self.log_axis

    def action_export(self) -> None:
        """Write picture and numbers."""
        if self._monitor is None:  # it was never drawn
            notify(self, literal("There is nothing to save of this chart yet."))
        else:
            self.post_message(self.Exported(self))

    def on_chart_zoomed(self, message: Chart.Zoomed) -> None:
        """The wheel."""
        message.stop()
        self._see(self.view.zoomed(message.factor, self.step_at(message.x), self._reach))

    def on_chart_panned(self, message: Chart.Panned) -> None:
        """The wheel, sideways."""
        message.stop()
        self._see(self.view.panned(message.share, self._reach))

    def on_chart_selected(self, message: Chart.Selected) -> None:
        """A drag."""
        message.stop()
        self._see(self.view.between(self.step_at(message.left), self.step_at(message.right), self._reach))


class FirstChart(ChartPanel):
    """The upper one."""

    SLOT = Slot.FIRST_CHART
    SHOWN = "cost"


class SecondChart(ChartPanel):
    """The lower one."""

    SLOT = Slot.SECOND_CHART
    SHOWN = "error"


def numbers(lines: tuple[Line, ...]) -> str:
    """The points of lines as CSV: which line, step, value."""
    rows = ["line,step,value"]
    for line in lines:
        rows += [f"{line.marker},{x:.10g},{y:.17g}" for x, y in zip(line.x, line.y, strict=True)]
    return "\n".join(rows) + "\n"
