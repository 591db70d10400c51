"""The charts together: which quantities, which part of the run on all of them at once, and pictures of it for elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from workbench.files.atomic import write_atomically
from workbench.files.errors import SaveError
from workbench.files.text import clean, literal
from workbench.ui.actions import Performers
from workbench.ui.dialogs.choice import Answer, ChoiceScreen
from workbench.ui.doors.notice import notify
from workbench.ui.doors.svg import svg_of
from workbench.ui.engine_link import EngineLink
from workbench.ui.panels.area import PanelArea
from workbench.ui.panels.curves import ChartPanel, numbers
from workbench.ui.state.chart_view import ChartView
from workbench.ui.state.layout import Slot
from workbench.ui.state.quantities import QUANTITIES
from workbench.ui.widgets.chart import Chart
from workbench.ui.widgets.cursor import StepCursor

EXPORT_COLUMNS = 400


class Charts:
    """Linked charts: a step stands at the same place in each, and the cursor reads them all."""

    def __init__(self, link: EngineLink, area: PanelArea, cursor: StepCursor) -> None:
        """The charts of `area`, of the run of `link`."""
        self._link, self._area, self._cursor = link, area, cursor
        self._view = ChartView()

    @property
    def performers(self) -> Performers:
        """What it does of the table of actions; those of one chart are done by the one that has the keys, or had them last."""

        def one(does: Callable[[ChartPanel], None]) -> Callable[[], None]:
            return lambda: does(self._area.chart)

        return {
            "view.quantity": self.choose_quantity,
            "view.next_quantity": self.next_quantity,
            "view.axis": lambda: self.see(self._view.next_axis()),
            "view.beta_down": lambda: self.see(self._view.smoother(-1)),
            "view.beta_up": lambda: self.see(self._view.smoother(1)),
            "view.correction": lambda: self.see(self._view.biased()),
            "view.log": one(ChartPanel.action_log),
            "chart.in": one(lambda chart: chart.action_zoom(0.5)),
            "chart.out": one(lambda chart: chart.action_zoom(2.0)),
            "chart.all": one(ChartPanel.action_all),
            "chart.recent": one(ChartPanel.action_recent),
            "chart.export": one(ChartPanel.action_export),
        }

    @property
    def view(self) -> ChartView:
        """What part of the run all of them show."""
        return self._view

    def see(self, view: ChartView) -> None:
        """All charts show another part."""
        self._view = view
        for chart in self._area.charts:
            chart.view = view

    @property
    def quantities(self) -> tuple[str, ...]:
        """What each shows."""
        return tuple(chart.quantity for chart in self._area.charts)

    def restore(self, quantities: tuple[str, ...], view: ChartView) -> None:
        """Take over how the screen was left; there may be no such quantities."""
        self.see(view)
        for chart, name in zip(self._area.charts, quantities, strict=False):
            if name in QUANTITIES:
                chart.quantity = name

    def choose_quantity(self) -> None:
        """Ask what the chart should show."""
        chart = self._area.chart
        keys = iter("123456789abcdefghijklmnoprstuvwxyz")  # q leaves it
        answers = [
            Answer(name, next(keys, ""), f"{each.title} ({each.unit})" if each.unit else each.title)
            for name, each in QUANTITIES.items()
        ]

        def chosen(answer: str | None) -> None:
            if answer:
                chart.quantity = answer

        self._link.app.push_screen(
            ChoiceScreen(literal("Chart"), f"What should chart {chart.SLOT.number} show?", answers), chosen
        )

    def next_quantity(self) -> None:
        """The second chart, or the one with the keys, goes to the next quantity."""
        area = self._area
        chart = area.chart if area.chart.has_focus_within else area.charts[-1]
        names = list(QUANTITIES)
        chart.quantity = names[(names.index(chart.quantity) + 1) % len(names)]
        if not chart.display:
            area.slot = Slot.SECOND_CHART

    def read_at(self, message: Chart.Clicked) -> None:
        """Read all charts where somebody clicked."""
        panels = [panel for panel in self._area.charts if message.chart is panel.chart]
        if self._link.monitor.step and panels:
            self._cursor.put(self._link.monitor, panels[0].step_at(message.x))

    def export(self, panel: ChartPanel) -> None:
        """Write a chart as SVG, and its numbers as CSV, beside the session."""
        link, path = self._link, self._link.path
        base = path.with_name(f"{path.stem}-{panel.quantity.replace('_', '-')}-{link.monitor.step}")
        svg = svg_of(panel.chart, clean(f"{link.session.preset.name}: {panel.heading}", 300))
        try:
            write_atomically(Path(f"{base}.svg"), svg.encode())
            write_atomically(Path(f"{base}.csv"), numbers(panel.plot(EXPORT_COLUMNS).lines).encode())
        except SaveError as error:
            notify(link, clean(str(error), 300), severity="error")
        else:
            notify(link, clean(f"Wrote {clean(str(base), 200)}.svg and .csv", 300))
