"""What is looked at: which panels, which quantities, which part of the run, and pictures of it for elsewhere."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar, cast

from rich.console import Console
from rich.style import Style
from rich.text import Text
from textual import events
from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.reactive import reactive
from textual.widgets import DataTable, Footer, OptionList, Static

from workbench.files.atomic import write_atomically
from workbench.files.errors import SaveError
from workbench.files.text import clean
from workbench.ui.dialogs.choice import Answer, ChoiceScreen
from workbench.ui.panels.curves import ChartPanel, FirstChart, SecondChart, numbers
from workbench.ui.panels.diagnosis import DiagnosisPanel
from workbench.ui.panels.hyperparameters import HyperparameterPanel
from workbench.ui.panels.layers import LayersPanel
from workbench.ui.panels.model import ModelPanel
from workbench.ui.panels.panel import Panel
from workbench.ui.panels.timeline import TimelinePanel
from workbench.ui.panels.units import UnitsPanel
from workbench.ui.preferences.settings import Layout
from workbench.ui.screens.travel import TravelScreen
from workbench.ui.state.chart_view import Axis, ChartView
from workbench.ui.state.layout import ABOUT, LEFT, LOWER_RIGHT, NARROW, RIGHT, Arrangement, Last, Slot, arrange
from workbench.ui.state.quantities import QUANTITIES
from workbench.ui.widgets.chart import Chart
from workbench.ui.widgets.cursor import StepCursor
from workbench.ui.widgets.editor import Editor

PANELS: tuple[type[Panel], ...] = (
    HyperparameterPanel, FirstChart, SecondChart, LayersPanel, TimelinePanel, DiagnosisPanel, UnitsPanel, ModelPanel,
)  # fmt: skip
"""In the order of `Slot`."""
WIDTHS, HEIGHTS = (24, 80), (20, 80)
EXPORT_COLUMNS = 400


class ViewingScreen(TravelScreen):
    """Panels that can be chosen, resized and zoomed, and charts that show the same steps."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("z", "zoom", "Zoom", show=False, id="view.zoom", tooltip="Give the panel the whole screen, and back"),
        Binding("tab", "next_panel(1)", "Next panel", show=False, id="view.next"),
        Binding("shift+tab", "next_panel(-1)", "Panel before", show=False, id="view.before"),
        *(
            Binding(str(number), f"panel({number - 1})", kind.TITLE[2:], show=False, id=f"view.panel{number}")
            for number, kind in enumerate(PANELS, start=1)
        ),
        Binding("y", "layout", "Layout", show=False, id="view.layout", tooltip="Which panels are seen"),
        Binding("less_than_sign", "resize(-4, 0)", "Left side narrower", show=False, key_display="<", id="view.narrower"),
        Binding("greater_than_sign", "resize(4, 0)", "Left side wider", show=False, key_display=">", id="view.wider"),
        Binding("left_curly_bracket", "resize(0, -6)", "Charts lower", show=False, key_display="{", id="view.lower"),
        Binding("right_curly_bracket", "resize(0, 6)", "Charts higher", show=False, key_display="}", id="view.higher"),
        Binding("c", "choose_quantity", "Quantity", show=False, id="view.quantity", tooltip="What the chart shows"),
        Binding("t", "next_quantity", "Next quantity", show=False, id="view.next_quantity"),
        Binding("x", "axis", "x axis", show=False, id="view.axis", tooltip="x counts steps, epochs or seconds"),
        Binding("left_square_bracket", "beta(-1)", "EWMA β down", key_display="[", show=False, id="view.beta_down"),
        Binding("right_square_bracket", "beta(1)", "EWMA β up", key_display="]", show=False, id="view.beta_up"),
        Binding("b", "correction", "Bias correction of the EWMA", show=False, id="view.correction"),
        Binding("l", "log", "Logarithmic axis of the chart", show=False, id="view.log"),
    ]

    panel: reactive[int] = reactive(int(Slot.FIRST_CHART), init=False)
    view: reactive[ChartView] = reactive(ChartView(), init=False)
    layout_name: reactive[str] = reactive("panda", init=False)
    zoomed: reactive[bool] = reactive(False, init=False)
    _last = Last()
    _chart: Slot = Slot.FIRST_CHART
    _left_columns, _chart_share = 37, 62

    # -- the layout ---------------------------------------------------------------------------------------------------

    def lay_out(self, layout: Layout) -> None:
        """Take over a layout that was kept."""
        self._left_columns, self._chart_share = layout.left, layout.split
        self.set_reactive(ViewingScreen.layout_name, layout.preset)
        self.view = ChartView(axis=Axis(layout.x_axis), beta=layout.ewma_beta)
        lower = next((place for place in LOWER_RIGHT if place.name.lower() == layout.lower), Slot.LAYERS)
        self._last = Last().within(layout.preset).at(lower)
        self._last = Last(self._last.lower_left, lower)
        for kind, name in zip((FirstChart, SecondChart), layout.charts, strict=False):
            if name in QUANTITIES:
                self.query_one(kind).quantity = name
        self._arrange()

    def laid_out(self) -> Layout:
        """The layout as it is, to be kept."""
        charts = tuple(self.query_one(kind).quantity for kind in (FirstChart, SecondChart))
        return Layout(
            preset=self.layout_name, lower=self._last.lower_right.name.lower(), charts=charts,
            left=self._left_columns, split=self._chart_share,
            x_axis=self.view.axis.value, theme=self.app.theme, ewma_beta=self.view.beta,
        )  # fmt: skip

    def on_resize(self, event: events.Resize) -> None:
        """Another arrangement for another size."""
        super().on_resize(event)
        self._arrange()

    def panel_of(self, place: int) -> Panel:
        """The panel itself."""
        return self.query_one(f"#{PANELS[place].__name__}", Panel)

    @property
    def arrangement(self) -> Arrangement:
        """What is seen now."""
        width, height = self.app.size
        return arrange(width, height, self.layout_name, Slot(self.panel), self._last, self.zoomed)

    def _arrange(self) -> None:
        width, _ = self.app.size
        now = self.arrangement
        for name in ("wide", "compact", "narrow", "tiny"):
            self.set_class(now.name == name, f"-{name}")
        for place in Slot:
            self.panel_of(place).display = place in now.shown
        for side, places in (("#left", LEFT), ("#right", RIGHT)):
            self.query_one(side, Vertical).display = bool(now.shown & set(places))
        alone = now.name == "narrow" or not now.shown & set(RIGHT)
        self.query_one("#left").styles.width = "1fr" if alone else self._left_columns
        self._share_heights(now)
        footer = self.query_one(Footer)
        if footer.show_command_palette != (width >= 100):
            footer.show_command_palette = width >= 100
            footer.refresh(recompose=True)
        self.query_one("#tabs", Static).update(self._tabs(now))
        self.call_after_refresh(self.draw_anew)

    def _share_heights(self, now: Arrangement) -> None:
        charts: list[Slot] = [place for place in (Slot.FIRST_CHART, Slot.SECOND_CHART) if place in now.shown]
        lower = now.shown & set(LOWER_RIGHT)
        for place in charts:
            share = self._chart_share / len(charts) if lower else 50
            self.panel_of(place).styles.height = f"{share:g}fr"
        for place in lower:
            self.panel_of(place).styles.height = f"{100 - self._chart_share if charts else 100}fr"

    def draw_anew(self) -> None:
        """What was drawn had another size, or another past."""
        raise NotImplementedError

    def _tabs(self, now: Arrangement) -> Text:
        names = ("Hyper", "Chart", "Chart", "Layers", "Time", "Diagn", "Norm", "Model")
        text = Text(" ", no_wrap=True)
        for place, name in zip(Slot, names, strict=True):
            whole = self.app.size.width >= NARROW or place in now.shown
            style = Style(reverse=place in now.shown, meta={"@click": f"screen.panel({int(place)})"})
            text.append(f" {place + 1} {name} " if whole else f" {place + 1} ", style)
        return text

    def watch_panel(self, number: int) -> None:
        """Show another panel where they are not all seen."""
        place = Slot(number)
        self._last = self._last.at(place)
        if place in (Slot.FIRST_CHART, Slot.SECOND_CHART):
            self._chart = place
        if self.is_mounted:
            self._arrange()

    def watch_layout_name(self) -> None:
        """Show other panels."""
        self._last = self._last.within(self.layout_name)
        if self.is_mounted:
            self._arrange()

    def watch_zoomed(self) -> None:
        """Show one panel, or all again."""
        if self.is_mounted:
            self._arrange()

    def watch_view(self, view: ChartView) -> None:
        """All charts show the same part."""
        for chart in self.query(ChartPanel):
            chart.view = view

    # -- what the keys do ---------------------------------------------------------------------------------------------

    def action_panel(self, number: int) -> None:
        """Show a panel and give it the keys."""
        if self.zoomed or number not in self.arrangement.shown or self.panel != number:
            self.panel = number
        for kind in (Editor, DataTable, OptionList, Chart):
            for widget in self.panel_of(number).query(kind):
                if widget.can_focus and widget.display:
                    widget.focus()
                    return
        if self.panel_of(number).can_focus:
            self.panel_of(number).focus()

    def action_next_panel(self, by: int) -> None:
        """Give the keys to the panel after or before this one, among those in sight where there are several."""
        shown = sorted(self.arrangement.shown) if self.arrangement.name == "wide" else list(Slot)
        places = shown if self.panel in shown else list(Slot)
        self.action_panel(places[(places.index(Slot(self.panel)) + by) % len(places)])

    def on_descendant_focus(self) -> None:
        """A click may have given a panel the keys."""
        self.panel = next((int(place) for place in Slot if self.panel_of(place).has_focus_within), self.panel)

    def action_zoom(self) -> None:
        """Give the present panel the whole screen, and back."""
        self.zoomed = not self.zoomed

    def action_resize(self, columns: int, rows: int) -> None:
        """Move the border between left and right, and that below the charts."""
        self._left_columns = min(max(self._left_columns + columns, WIDTHS[0]), WIDTHS[1])
        self._chart_share = min(max(self._chart_share + rows, HEIGHTS[0]), HEIGHTS[1])
        self._arrange()

    def action_layout(self) -> None:
        """Ask for a layout."""

        def chosen(answer: str | None) -> None:
            if answer:
                self.zoomed = False
                self.layout_name = answer

        answers = [Answer(name, str(number), f"{name}: {about}") for number, (name, about) in enumerate(ABOUT.items(), start=1)]
        question = "Which panels should be seen? Any other comes with its number."
        self.app.push_screen(ChoiceScreen("Layout", question, answers), chosen)

    @property
    def chart(self) -> ChartPanel:
        """The chart that has the keys, or had them last, of those in sight."""
        shown = self.arrangement.shown
        place = self._chart if self._chart in shown else Slot.FIRST_CHART
        return cast(ChartPanel, self.panel_of(place))

    def action_choose_quantity(self) -> None:
        """Ask what the chart should show."""
        chart = self.chart
        keys = iter("123456789abcdefghijklmnoprstuvwxyz")  # q leaves it
        answers = [
            Answer(name, next(keys, ""), f"{each.title} ({each.unit})" if each.unit else each.title)
            for name, each in QUANTITIES.items()
        ]

        def chosen(answer: str | None) -> None:
            if answer:
                chart.quantity = answer

        self.app.push_screen(ChoiceScreen("Chart", f"What should chart {chart.NUMBER} show?", answers), chosen)

    def action_next_quantity(self) -> None:
        """The second chart, or the one with the keys, goes to the next quantity."""
        chart = self.chart if self.chart.has_focus_within else self.query_one(SecondChart)
        names = list(QUANTITIES)
        chart.quantity = names[(names.index(chart.quantity) + 1) % len(names)]
        if not chart.display:
            self.panel = Slot.SECOND_CHART

    def action_axis(self) -> None:
        """x counts steps, epochs, seconds."""
        self.view = self.view.next_axis()

    def action_beta(self, by: int) -> None:
        """Smooth over more or fewer steps."""
        self.view = self.view.smoother(by)

    def action_correction(self) -> None:
        """Take the bias out of the averages, or leave it in."""
        self.view = self.view.biased()

    def action_log(self) -> None:
        """Logarithmic axis, and back."""
        self.chart.action_log()

    def _see_all(self) -> None:
        self.view = self.view.whole()

    def _see_recent(self) -> None:
        self.view = self.view.recent()

    def action_export(self) -> None:
        """Write the chart."""
        self.chart.action_export()

    def on_chart_panel_viewed(self, message: ChartPanel.Viewed) -> None:
        """All charts show another part."""
        self.view = message.view

    def on_chart_panel_exported(self, message: ChartPanel.Exported) -> None:
        """Write a chart as SVG, and its numbers as CSV, beside the session."""
        panel = message.panel
        chart = panel.query_one(Chart)
        base = self._path.with_name(f"{self._path.stem}-{panel.quantity.replace('_', '-')}-{self.monitor.step}")
        console = Console(width=chart.size.width, record=True, file=io.StringIO())
        rendered = chart.render()
        console.print(rendered)
        svg = console.export_svg(title=f"{self._session.preset.name}: {panel.border_title}")
        try:
            write_atomically(Path(f"{base}.svg"), svg.encode())
            write_atomically(Path(f"{base}.csv"), numbers(panel.plot(EXPORT_COLUMNS).lines).encode())
        except SaveError as error:
            self.notify(clean(str(error), 300), severity="error", markup=False)
        else:
            self.notify(f"Wrote {clean(str(base), 200)}.svg and .csv", markup=False)

    def on_chart_clicked(self, message: Chart.Clicked) -> None:
        """Read all charts where somebody clicked."""
        panels = [panel for panel in self.query(ChartPanel) if message.chart in panel.query(Chart)]
        if self.monitor.step and panels:
            self.query_one(StepCursor).put(self.monitor, panels[0].step_at(message.x))

    def commands(self) -> Iterable[SystemCommand]:
        """Every action of these, for the command palette."""
        yield from super().commands()
        for number, kind in enumerate(PANELS):
            yield SystemCommand(f"Panel: {kind.TITLE[2:]}", str(number + 1), lambda number=number: self.action_panel(number))
        yield SystemCommand("Panel: the next", "tab", lambda: self.action_next_panel(1))
        yield SystemCommand("Panel: the one before", "shift+tab", lambda: self.action_next_panel(-1))
        yield SystemCommand("Zoom the panel", "z", self.action_zoom)
        for name, about in ABOUT.items():
            yield SystemCommand(f"Layout: {name}", about, lambda name=name: setattr(self, "layout_name", name))
        yield SystemCommand("Left side wider", ">", lambda: self.action_resize(4, 0))
        yield SystemCommand("Left side narrower", "<", lambda: self.action_resize(-4, 0))
        yield SystemCommand("Charts higher", "}", lambda: self.action_resize(0, 6))
        yield SystemCommand("Charts lower", "{", lambda: self.action_resize(0, -6))
        yield SystemCommand("Chart: choose what it shows", "c", self.action_choose_quantity)
        yield SystemCommand("Chart: next quantity", "t", self.action_next_quantity)
        yield SystemCommand("Chart: steps, epochs or seconds", "x", self.action_axis)
        yield SystemCommand("Chart: zoom in", "+", lambda: self.chart.action_zoom(0.5))
        yield SystemCommand("Chart: zoom out", "-", lambda: self.chart.action_zoom(2.0))
        yield SystemCommand("Chart: all of the run", "0", self._see_all)
        yield SystemCommand("Chart: the last 500 steps", ".", self._see_recent)
        yield SystemCommand("Chart: logarithmic or linear", "l", self.action_log)
        yield SystemCommand("Chart: save as SVG and CSV", "p", self.action_export)
        yield SystemCommand("EWMA: more steps", "]", lambda: self.action_beta(1))
        yield SystemCommand("EWMA: fewer steps", "[", lambda: self.action_beta(-1))
        yield SystemCommand("EWMA: bias correction on or off", "b", self.action_correction)
