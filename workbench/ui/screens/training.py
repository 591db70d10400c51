"""The training screen: one run, made of a link to its engine, panels, charts, and the ways to travel."""

from __future__ import annotations

import gc
from collections.abc import Iterable
from functools import partial
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult, SystemCommand
from textual.binding import BindingType
from textual.widgets import Footer

from workbench.files.errors import SaveError
from workbench.files.text import clean, literal
from workbench.protocol.reports import Begun, Report
from workbench.ui.actions import ACTIONS, TRAINING, Performers, bindings, key_names
from workbench.ui.charts import Charts
from workbench.ui.dialogs.help import HelpScreen
from workbench.ui.doors.notice import leave
from workbench.ui.doors.options import palette_entry
from workbench.ui.doors.text import Static, Text
from workbench.ui.engine_link import EngineLink, Goal
from workbench.ui.messages import Edited, Suggested
from workbench.ui.panels.area import PANELS, PanelArea
from workbench.ui.panels.curves import ChartPanel
from workbench.ui.panels.status import Advice, StatusLine
from workbench.ui.panels.tabs import Tabs
from workbench.ui.panels.timeline import TimelinePanel
from workbench.ui.preferences.layout import Layout, layout_path, write_layout
from workbench.ui.redrawing import Inspections, Redrawing
from workbench.ui.screens.screen import WorkbenchScreen
from workbench.ui.state.chart_view import ChartView
from workbench.ui.state.layout import ABOUT, LOWER_RIGHT, Slot
from workbench.ui.state.monitor import Monitor, Phase
from workbench.ui.state.timeline import Happening
from workbench.ui.travel import HELP as TRAVEL_HELP
from workbench.ui.travel import Travel
from workbench.ui.twin import Twin
from workbench.ui.widgets.chart import Chart
from workbench.ui.widgets.cursor import StepCursor
from workbench.ui.widgets.editor import Editor

REDRAW_SECONDS = 0.1
"""How often one of the panels is drawn anew; with five in sight each is, twice a second."""
ROOM_FOR_PALETTE = 100
"""From so many columns on the footer names the palette's key."""


class TrainingScreen(WorkbenchScreen):
    """Babysits one run: puts its parts together, and hands each what is meant for it."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings(TRAINING)]

    def __init__(self, link: EngineLink, layout: Layout | None = None) -> None:
        """The run of `link`, looked at in a layout."""
        super().__init__()
        self.link, self._layout = link, layout or Layout()
        self.area, self.cursor = PanelArea(id="panels"), StepCursor(id="cursor")
        self.charts = Charts(link, self.area, self.cursor)
        self.travel = Travel(link, self.cursor, self._chosen)
        self._redrawing = Redrawing(link, self.area.panels)
        self._inspections = Inspections(link, self.area.panels)
        self._status_drawn: tuple[Monitor, int] | None = None
        self.performers: Performers = {
            **link.performers,
            **self.area.performers,
            **self.charts.performers,
            **self.travel.performers,
            **Twin(link).performers,
            "training.edit": lambda: self.area.go_to(Slot.HYPERPARAMETERS),
            "training.help": self._help,
            "training.library": self._step_back,
        }
        link.listen(self._heard)

    def compose(self) -> ComposeResult:
        """Status, tabs for small terminals, panels, keys."""
        yield self.link
        yield StatusLine(self.link.session.preset.name, self.link.session.seed)
        yield Advice(id="trouble")
        yield Tabs(id="tabs")
        yield self.area
        yield self.cursor
        yield Static(Text("This terminal is too small. Make it at least 40×12."), id="too-small")
        yield Footer()

    def on_mount(self) -> None:
        """Start the engine, and redraw a few times a second."""
        layout = self._layout
        lower = next((slot for slot in LOWER_RIGHT if slot.name.lower() == layout.lower), Slot.LAYERS)
        self.charts.restore(layout.charts, ChartView(axis=layout.x_axis, beta=layout.ewma_beta))
        self.area.restore(layout.name, lower, (layout.left, layout.split))
        self.area.go_to(Slot.FIRST_CHART)
        self.set_interval(REDRAW_SECONDS, self._redraw_next)
        self.redraw()
        self.link.start()

    @property
    def monitor(self) -> Monitor:
        """What is known of the run."""
        return self.link.monitor

    # -- drawing ------------------------------------------------------------------------------------------------------

    def on_resize(self, event: events.Resize) -> None:
        """Another arrangement for another size."""
        super().on_resize(event)
        self.area.rearrange()

    @on(PanelArea.Arranged)
    def _arranged(self, message: PanelArea.Arranged) -> None:
        now, (width, _) = message.arrangement, self.app.size
        for name in ("wide", "compact", "narrow", "tiny"):
            self.set_class(now.name == name, f"-{name}")
        footer = self.query_one(Footer)
        if footer.show_command_palette != (width >= ROOM_FOR_PALETTE):
            footer.show_command_palette = width >= ROOM_FOR_PALETTE
            footer.refresh(recompose=True)
        self.query_one(Tabs).show(now)
        self.call_after_refresh(self._draw_anew)

    def _draw_anew(self) -> None:
        self._redrawing.forget()
        self._status_drawn = None

    def redraw(self) -> None:
        """Let everything visible catch up with the monitor."""
        self.cursor.follow(self.monitor)
        self._draw_status()
        self._redrawing.all()

    def _redraw_next(self) -> None:
        self.cursor.follow(self.monitor)
        self._draw_status()
        self._inspections.ask()
        self._redrawing.next()

    def _draw_status(self) -> None:
        monitor = self.monitor
        if self._status_drawn != (monitor, monitor.revision):
            self._status_drawn = (monitor, monitor.revision)
            self.query_one(StatusLine).show(monitor)
            self.query_one(Advice).show(monitor, self.link.kept)

    def _heard(self, report: Report) -> None:
        if isinstance(report, Begun):
            self.redraw()  # before anybody types
            # What stands now stays: looking through it again would hold keys up for a tenth of a second, every few seconds.
            gc.collect()
            gc.freeze()

    def on_unmount(self) -> None:
        """From now on what the screen was made of may be put away."""
        gc.unfreeze()

    # -- what is asked for --------------------------------------------------------------------------------------------

    def action_perform(self, id: str) -> None:
        """Have an action of the table done by the part whose it is."""
        self.performers[id]()

    def action_panel(self, number: int) -> None:
        """Go to a panel, whose tab was clicked."""
        self.area.go_to(list(Slot)[number])

    def action_quit_saving(self) -> None:
        """Save and quit."""
        self.link.leave(Goal.SHELL)

    def keep(self) -> None:
        """Save."""
        self.link.save()

    @on(Edited)
    def _edited(self, message: Edited) -> None:
        self.link.edit(message.name, message.value)
        self.redraw()

    @on(Suggested)
    def _suggested(self, message: Suggested) -> None:
        """Go to the hyperparameter that a finding is about, with the value it suggests typed in."""
        self.area.go_to(Slot.HYPERPARAMETERS)
        self.query_one(Editor).suggest(message.name, message.value)

    @on(ChartPanel.Viewed)
    def _viewed(self, message: ChartPanel.Viewed) -> None:
        self.charts.see(message.view)

    @on(ChartPanel.Exported)
    def _exported(self, message: ChartPanel.Exported) -> None:
        self.charts.export(message.panel)

    @on(Chart.Clicked)
    def _clicked(self, message: Chart.Clicked) -> None:
        self.charts.read_at(message)

    @on(StepCursor.Moved)
    def _cursor_moved(self, message: StepCursor.Moved) -> None:
        """The charts are read at another step, or not at all."""
        self.monitor.cursor = message.step
        self.monitor.revision += 1
        self.redraw()

    @on(StepCursor.Chosen)
    def _cursor_chose(self, message: StepCursor.Chosen) -> None:
        self.travel.rewind_to(message.step)

    def _chosen(self) -> Happening | None:
        """The line of the timeline that has the keys."""
        timeline = self.query_one(TimelinePanel)
        return timeline.chosen if timeline.has_focus_within else None

    def _help(self) -> None:
        """What the panel with the keys is about, then all keys, then the other panels."""
        here = PANELS[self.area.slot]
        paragraphs = [
            (f"{kind.SLOT.number} {kind.SLOT.title}", kind.HELP or "") for kind in dict.fromkeys((here, *PANELS.values()))
        ]
        travel = ("Any edit can be taken back", TRAVEL_HELP)
        self.app.push_screen(HelpScreen(here.ACTIONS, TRAINING, [*paragraphs, travel], key_names(self.app)))

    def _step_back(self) -> None:
        """Save and go to the library; first close the cursor, and leave the zoom."""
        if self.cursor.display:
            self.cursor.action_close()
        elif self.area.zoomed:
            self.area.zoom()
        else:
            self.link.leave(Goal.LIBRARY)

    def commands(self) -> Iterable[SystemCommand]:
        """Every action that has a line in the palette."""
        names = key_names(self.app)
        for id, perform in self.performers.items():
            if ACTIONS[id].palette:
                yield palette_entry(clean(ACTIONS[id].palette), clean(names.of(id)), perform)
        for name, about in ABOUT.items():
            yield palette_entry(clean(f"Layout: {name}"), clean(about), partial(self.area.use_layout, name))
        if self.monitor.phase is Phase.LOST:
            yield palette_entry(literal("Restart a lost engine"), clean(names.of("travel.rewind")), self.link.restart)

    # -- leaving ------------------------------------------------------------------------------------------------------

    @property
    def layout_now(self) -> Layout:
        """How the screen is divided and what it shows, to be kept."""
        left, split = self.area.sizes
        view = self.charts.view
        return Layout(
            name=self.area.layout_name, lower=self.area.lower.name.lower(), charts=self.charts.quantities, left=left, split=split,
            x_axis=view.axis, theme=self.app.theme, ewma_beta=view.beta,
        )  # fmt: skip

    @on(EngineLink.Left)
    def _left(self, message: EngineLink.Left) -> None:
        """Go, and remember how the screen is left; where that cannot be written, nothing else is lost."""
        text, layout = message.message, self.layout_now
        if layout != self._layout:
            self._layout = layout
            try:
                write_layout(layout_path(), layout)
            except SaveError as error:
                text = f"{text}\nThe layout could not be kept: {error}".strip()
        if message.goal is Goal.LIBRARY:
            while self in self.app.screen_stack:  # something may lie on top
                self.app.pop_screen()
        else:
            leave(self.app, clean(text, 500))
