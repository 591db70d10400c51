"""The room of the panels: which of them are seen, how large, and which has the keys."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.reactive import reactive

from workbench.files.text import literal
from workbench.ui.actions import PANELS as GO_TO
from workbench.ui.actions import Performers
from workbench.ui.dialogs.choice import Answer, ChoiceScreen
from workbench.ui.panels.curves import ChartPanel, FirstChart, SecondChart
from workbench.ui.panels.diagnosis import DiagnosisPanel
from workbench.ui.panels.hyperparameters import HyperparameterPanel
from workbench.ui.panels.layers import LayersPanel
from workbench.ui.panels.model import ModelPanel
from workbench.ui.panels.panel import Panel
from workbench.ui.panels.timeline import TimelinePanel
from workbench.ui.panels.units import UnitsPanel
from workbench.ui.state.layout import ABOUT, LEFT, LOWER_RIGHT, RIGHT, Arrangement, Last, Slot, arrange

PANELS: dict[Slot, type[Panel]] = {
    kind.SLOT: kind
    for kind in (
        HyperparameterPanel, FirstChart, SecondChart, LayersPanel, TimelinePanel, DiagnosisPanel, UnitsPanel, ModelPanel,
    )
}  # fmt: skip
WIDTHS, HEIGHTS = (24, 80), (20, 80)
CHARTS = (Slot.FIRST_CHART, Slot.SECOND_CHART)


class PanelArea(Horizontal):
    """All panels, of which some are seen: as a function of the layout, the size of the terminal, and the panel with the keys."""

    class Arranged(Message):
        """Other panels are seen, or others have the keys, or they have another size."""

        def __init__(self, arrangement: Arrangement) -> None:
            super().__init__()
            self.arrangement = arrangement

    slot: reactive[Slot] = reactive(Slot.FIRST_CHART, init=False)
    """The panel that has the keys, or had them last."""
    layout_name: reactive[str] = reactive("panda", init=False)
    zoomed: reactive[bool] = reactive(False, init=False)
    DEFAULT_SIZES: ClassVar[tuple[int, int]] = (37, 62)

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._panels = {slot: kind() for slot, kind in PANELS.items()}
        self._left, self._right = Vertical(id="left"), Vertical(id="right")
        self._last = Last()
        self._chart = Slot.FIRST_CHART
        self._left_columns, self._chart_share = self.DEFAULT_SIZES

    @property
    def performers(self) -> Performers:
        """What it does of the table of actions."""
        return {
            "view.zoom": self.zoom,
            "view.next": lambda: self.go_on(1),
            "view.before": lambda: self.go_on(-1),
            "view.layout": self.choose_layout,
            "view.narrower": lambda: self.resize_by(-4, 0),
            "view.wider": lambda: self.resize_by(4, 0),
            "view.lower": lambda: self.resize_by(0, -6),
            "view.higher": lambda: self.resize_by(0, 6),
            **{action.id: partial(self.go_to, slot) for action, slot in zip(GO_TO, Slot, strict=True)},
        }

    def compose(self) -> ComposeResult:
        """Two sides."""
        with self._left:
            yield from (self._panels[slot] for slot in LEFT)
        with self._right:
            yield from (self._panels[slot] for slot in RIGHT)

    # -- what is there ------------------------------------------------------------------------------------------------

    def panel(self, slot: Slot) -> Panel:
        """The panel of a slot."""
        return self._panels[slot]

    @property
    def panels(self) -> list[Panel]:
        """All of them, in the order in which they are on the screen."""
        return [self._panels[slot] for slot in (*LEFT, *RIGHT)]

    @property
    def charts(self) -> list[ChartPanel]:
        """Those that show curves."""
        return [panel for panel in self.panels if isinstance(panel, ChartPanel)]

    @property
    def chart(self) -> ChartPanel:
        """The chart that has the keys, or had them last, of those in sight."""
        slot = self._chart if self._chart in self.arrangement.shown else Slot.FIRST_CHART
        return next(chart for chart in self.charts if chart.SLOT is slot)

    @property
    def arrangement(self) -> Arrangement:
        """What is seen now."""
        width, height = self.app.size
        return arrange(width, height, self.layout_name, self.slot, self._last, self.zoomed)

    @property
    def sizes(self) -> tuple[int, int]:
        """Columns of the left side, and the charts' share of the right side's height in percent."""
        return self._left_columns, self._chart_share

    @property
    def lower(self) -> Slot:
        """Which panel is at the lower right."""
        return self._last.lower_right

    def restore(self, layout: str, lower: Slot, sizes: tuple[int, int]) -> None:
        """Take over how the screen was left."""
        self._left_columns, self._chart_share = sizes
        self.set_reactive(PanelArea.layout_name, layout)
        last = Last().within(layout).at(lower)
        self._last = Last(last.lower_left, lower)
        self.rearrange()

    # -- arranging ----------------------------------------------------------------------------------------------------

    def rearrange(self) -> None:
        """Show what is to be seen now."""
        if not self.is_mounted:
            return
        now = self.arrangement
        for slot, panel in self._panels.items():
            panel.display = slot in now.shown
        self._left.display, self._right.display = bool(now.shown & set(LEFT)), bool(now.shown & set(RIGHT))
        alone = now.name == "narrow" or not now.shown & set(RIGHT)
        self._left.styles.width = "1fr" if alone else self._left_columns
        self._share_heights(now)
        self.post_message(self.Arranged(now))

    def _share_heights(self, now: Arrangement) -> None:
        charts = [slot for slot in CHARTS if slot in now.shown]
        lower = now.shown & set(LOWER_RIGHT)
        for slot in charts:
            share = self._chart_share / len(charts) if lower else 50
            self._panels[slot].styles.height = f"{share:g}fr"
        for slot in lower:
            self._panels[slot].styles.height = f"{100 - self._chart_share if charts else 100}fr"

    def watch_slot(self, slot: Slot) -> None:
        """Show another panel where they are not all seen."""
        self._last = self._last.at(slot)
        if slot in CHARTS:
            self._chart = slot
        self.rearrange()

    def watch_layout_name(self) -> None:
        """Show other panels."""
        self._last = self._last.within(self.layout_name)
        self.rearrange()

    def watch_zoomed(self) -> None:
        """Show one panel, or all again."""
        self.rearrange()

    def on_descendant_focus(self) -> None:
        """A click may have given a panel the keys."""
        self.slot = next((slot for slot, panel in self._panels.items() if panel.has_focus_within), self.slot)

    # -- what the keys do ---------------------------------------------------------------------------------------------

    def go_to(self, slot: Slot) -> None:
        """Show a panel and give it the keys."""
        if self.zoomed or slot not in self.arrangement.shown or self.slot is not slot:
            self.slot = slot
        taker = self._panels[slot].takes_keys
        if taker is not None:
            taker.focus()

    def go_on(self, by: int) -> None:
        """Give the keys to the panel after or before this one, among those in sight where there are several."""
        now = self.arrangement
        shown = sorted(now.shown) if now.name == "wide" else list(Slot)
        slots = shown if self.slot in shown else list(Slot)
        self.go_to(slots[(slots.index(self.slot) + by) % len(slots)])

    def zoom(self) -> None:
        """Give the present panel the whole screen, and back."""
        self.zoomed = not self.zoomed

    def resize_by(self, columns: int, percent: int) -> None:
        """Move the border between left and right, and that below the charts."""
        self._left_columns = min(max(self._left_columns + columns, WIDTHS[0]), WIDTHS[1])
        self._chart_share = min(max(self._chart_share + percent, HEIGHTS[0]), HEIGHTS[1])
        self.rearrange()

    def use_layout(self, name: str) -> None:
        """Show the panels of a layout."""
        self.zoomed = False
        self.layout_name = name

    def choose_layout(self) -> None:
        """Ask for a layout."""

        def chosen(answer: str | None) -> None:
            if answer:
                self.use_layout(answer)

        answers = [Answer(name, str(number), f"{name}: {about}") for number, (name, about) in enumerate(ABOUT.items(), start=1)]
        question = "Which panels should be seen? Any other comes with its number."
        self.app.push_screen(ChoiceScreen(literal("Layout"), question, answers), chosen)
