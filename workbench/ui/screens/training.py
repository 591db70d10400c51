"""The training screen: the panels of one run, redrawn from the monitor a few times a second."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Footer, Static

from workbench.files.errors import SaveError
from workbench.files.text import clean
from workbench.protocol.reports import Arrived, Begun, Inspected, Report
from workbench.protocol.requests import Inspect
from workbench.session.session import Session
from workbench.ui.dialogs.help import HelpScreen
from workbench.ui.messages import Suggested
from workbench.ui.panels.panel import Panel
from workbench.ui.panels.status import StatusLine
from workbench.ui.panels.timeline import TimelinePanel
from workbench.ui.preferences.settings import Layout, layout_path, write_layout
from workbench.ui.screens.twin import TwinScreen
from workbench.ui.screens.viewing import PANELS
from workbench.ui.state.layout import LEFT, RIGHT, Slot
from workbench.ui.state.monitor import STOPPED, Monitor, Phase
from workbench.ui.widgets.cursor import StepCursor
from workbench.ui.widgets.editor import Editor

REDRAW_SECONDS = 0.1
"""How often one of the panels is drawn anew; with five in sight each is, twice a second."""
LAYOUT = Layout()
LOOK_SECONDS = 0.5
"""How often the engine is asked for what is too dear to be told of by itself."""


class TrainingScreen(TwinScreen):
    """Babysits one run."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "edit", "Edit", id="training.edit", tooltip="Go to the hyperparameters"),
        Binding("ctrl+s", "save", "Save", show=False, id="training.save", tooltip="Save the session"),
        Binding("question_mark", "help", "Help", key_display="?", id="training.help"),
        Binding("q", "quit_saving", "Quit", id="training.quit", tooltip="Save and quit (ctrl+q too)"),
        Binding("escape", "library", "Library", show=False, id="training.library", tooltip="Save and go to the library"),
    ]

    def __init__(
        self, session: Session, path: Path, source: Path | None,
        autosave_seconds: float = 10.0, snapshot_bytes: int = 256 * 2**20, layout: Layout = LAYOUT,
    ) -> None:  # fmt: skip
        """As `EngineScreen`, looked at in a layout."""
        super().__init__(session, path, source, autosave_seconds, snapshot_bytes)
        self._drawn: dict[Panel, tuple[Monitor, int]] = {}
        self._status_drawn: tuple[Monitor, int] | None = None
        self._turn = 0
        self._looking, self._looked = False, 0.0
        self._seen_at: tuple[int, tuple[str, ...], str] | None = None
        self._layout = layout

    # -- layout -------------------------------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        """Status, tabs for small terminals, panels, keys."""
        yield StatusLine(self._session.preset.name, self._session.seed)
        yield Static(Text(""), id="trouble")
        yield Static(Text(""), id="tabs")
        with Horizontal(id="panels"):
            for side, places in (("left", LEFT), ("right", RIGHT)):
                with Vertical(id=side):
                    for place in places:
                        yield PANELS[place](id=PANELS[place].__name__)
        yield StepCursor(id="cursor")
        yield Static(Text("This terminal is too small. Make it at least 40×12."), id="too-small")
        yield Footer()

    def on_mount(self) -> None:
        """Start the engine, and redraw a few times a second."""
        self.lay_out(self._layout)
        self.action_panel(Slot.FIRST_CHART)
        self.set_interval(REDRAW_SECONDS, self._redraw_next)
        self.redraw()
        self.run_engine()

    def draw_anew(self) -> None:
        """What was drawn had another size, or another past."""
        self._drawn.clear()
        self._status_drawn = None

    def redraw(self) -> None:
        """Let everything visible catch up with the monitor."""
        self.query_one(StepCursor).follow(self.monitor)
        self._draw_status()
        for panel in self.query(Panel):
            self._draw(panel)

    def _redraw_next(self) -> None:
        """Let the status line and one panel catch up, in turn, so that a key never waits for all of them."""
        self.query_one(StepCursor).follow(self.monitor)
        self._draw_status()
        panels = list(self.query(Panel))
        self._look()
        for _ in panels:
            self._turn = (self._turn + 1) % len(panels)
            if self._draw(panels[self._turn]):
                return

    def _draw(self, panel: Panel) -> bool:
        """Whether there was something new to draw."""
        now = self.monitor, self.monitor.revision
        if not panel.is_on_screen or self._drawn.get(panel) == now:
            return False
        self._drawn[panel] = now
        panel.show(self.monitor)
        return True

    def _look(self) -> None:
        """Ask for what the panels in sight need and the engine does not tell of by itself; never twice at once."""
        now, monitor = time.monotonic(), self.monitor
        wanted = tuple(dict.fromkeys(panel.NEEDS for panel in self.query(Panel) if panel.NEEDS and panel.is_on_screen))
        state = (monitor.step, wanted, monitor.current)
        if not wanted or monitor.begun is None or self._looking or now - self._looked < LOOK_SECONDS or state == self._seen_at:
            return
        self._seen_at, self._looked = state, now
        self._looking = self.send(Inspect(wanted))

    def heard(self, report: Report) -> None:
        """A look was answered: the next may be taken. Elsewhere, everything is to be looked at again."""
        super().heard(report)
        if isinstance(report, (Inspected, Begun)):
            self._looking = False
        if isinstance(report, (Arrived, Begun)):
            self._seen_at = None

    def _draw_status(self) -> None:
        monitor = self.monitor
        if self._status_drawn != (monitor, monitor.revision):
            self._status_drawn = (monitor, monitor.revision)
            self.query_one(StatusLine).show(monitor)
            trouble = self.query_one("#trouble", Static)
            advice = self._advice()
            trouble.display = bool(advice)
            trouble.update(Text(advice))

    def _advice(self) -> str:
        monitor = self.monitor
        if monitor.travelling is not None:
            done, total = monitor.travelling.done, monitor.travelling.total
            share = f"{done:,} of {total:,} steps, {done / max(total, 1):.0%}"
            return f"⏪ training the way there again: {share}. space calls it off."
        if monitor.phase in STOPPED:
            back = f" Back at step {monitor.step:,}." if monitor.redo_branch else ""
            return f"✗ g: α ÷ 3, what if, go on anyway, stay. {clean(monitor.trouble, 300).capitalize()}.{back}"
        if monitor.phase is Phase.LOST:
            how = "go on from the last save" if self._source is not None else "start again: nothing was saved"
            return f"✗ {clean(monitor.trouble, 300)}. Press r to {how}."
        if monitor.finished is not None:
            test = f", test error {monitor.finished.test.error:.3g}" if monitor.finished.test else ""
            went = f"✓ finished after epoch {monitor.finished.epoch}{test}."
            return f"{went} Raise epochs and press space to go on; 6: what next; g: to the best; q: save and quit."
        return clean(monitor.trouble, 300)

    # -- what the keys do ---------------------------------------------------------------------------------------------

    def action_edit(self) -> None:
        """Go to the hyperparameters."""
        self.action_panel(0)

    def action_help(self) -> None:
        """What the panel with the keys is about, then all keys, then the other panels."""
        here = PANELS[self.panel]
        paragraphs = [(kind.TITLE, kind.HELP or "") for kind in dict.fromkeys((here, *PANELS))]
        self.app.push_screen(HelpScreen(self, here, [*paragraphs, ("Any edit can be taken back", self.TRAVEL_HELP)]))

    def _leave(self, message: str) -> None:
        """Remember how the screen is left; where that cannot be written, nothing else is lost."""
        layout = self.laid_out()
        if layout != self._layout:
            self._layout = layout
            try:
                write_layout(layout_path(), layout)
            except SaveError as error:
                message = f"{message}\nThe layout could not be kept: {error}".strip()
        super()._leave(message)

    @on(Suggested)
    def _suggested(self, message: Suggested) -> None:
        """Go to the hyperparameter that a finding is about, with the value it suggests typed in."""
        self.action_panel(Slot.HYPERPARAMETERS)
        self.query_one(Editor).suggest(message.name, message.value)

    def action_library(self) -> None:
        """Save and go to the library; first close the cursor, and leave the zoom."""
        if self.query_one(StepCursor).display:
            self.query_one(StepCursor).action_close()
        elif self.zoomed:
            self.action_zoom()
        else:
            super().action_library()

    def action_note(self) -> None:
        """A note on the chosen line of the timeline, where that has the keys; else on a step."""
        entry = self.query_one(TimelinePanel).chosen
        if entry is not None and self.query_one(TimelinePanel).has_focus_within:
            self.ask_note(entry.step, entry.edit, f"on {clean(entry.name, 40)} after step {entry.step:,}")
        else:
            super().action_note()

    def commands(self) -> Iterable[SystemCommand]:
        """Every action, for the command palette."""
        yield from super().commands()
        yield SystemCommand("Edit hyperparameters", "e", self.action_edit)
        yield SystemCommand("Save the session", "ctrl+s", self.action_save)
        yield SystemCommand("Restart a lost engine", "r", self.action_restart)
        yield SystemCommand("Save and go to the library", "escape", self.action_library)
        yield SystemCommand("Help", "?", self.action_help)
