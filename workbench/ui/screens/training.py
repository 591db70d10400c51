"""The training screen: the panels of one run, redrawn from the monitor a few times a second."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.reactive import reactive
from textual.widgets import DataTable, Footer, OptionList, Static

from workbench.session.session import Session
from workbench.session.text import clean
from workbench.ui.monitor import STOPPED, Monitor, Phase
from workbench.ui.panels.curves import BETAS, CostPanel, SecondPanel
from workbench.ui.panels.hyperparameters import HyperparameterPanel
from workbench.ui.panels.layers import LayersPanel
from workbench.ui.panels.panel import Panel
from workbench.ui.panels.status import StatusLine
from workbench.ui.panels.timeline import TimelinePanel
from workbench.ui.screens.help import HelpScreen
from workbench.ui.screens.travel import TravelScreen
from workbench.ui.widgets.chart import Chart
from workbench.ui.widgets.cursor import StepCursor
from workbench.ui.widgets.editor import Editor

REDRAW_SECONDS = 0.1
"""How often one of the panels is drawn anew; with all five in sight each is, twice a second."""
PANELS: tuple[type[Panel], ...] = (HyperparameterPanel, CostPanel, SecondPanel, LayersPanel, TimelinePanel)
WIDE, TALL = 104, 30
"""From this size on, all panels are seen at once."""
NARROW = 72
"""Below this width, one panel at a time."""


class TrainingScreen(TravelScreen):
    """Babysits one run."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "edit", "Edit", id="training.edit", tooltip="Go to the hyperparameters"),
        Binding("ctrl+s", "save", "Save", show=False, id="training.save", tooltip="Save the session"),
        Binding("z", "zoom", "Zoom", show=False, id="training.zoom", tooltip="Give the panel the whole screen, and back"),
        Binding("tab", "next_panel(1)", "Next panel", show=False),
        Binding("shift+tab", "next_panel(-1)", "Panel before", show=False),
        Binding("1", "panel(0)", "Hyperparameters", show=False, tooltip="Hyperparameters (there, a digit begins a value)"),
        Binding("2", "panel(1)", "Cost", show=False),
        Binding("3", "panel(2)", "Error, learning rate, gradients", show=False),
        Binding("4", "panel(3)", "Batch norm and layers", show=False),
        Binding("5", "panel(4)", "Timeline", show=False),
        Binding("t", "next_curve", "Curve", show=False, id="training.curve", tooltip="Next quantity in the second chart"),
        Binding("left_square_bracket", "beta(-1)", "EWMA β down", key_display="[", show=False, id="training.beta_down"),
        Binding("right_square_bracket", "beta(1)", "EWMA β up", key_display="]", show=False, id="training.beta_up"),
        Binding("b", "correction", "Bias correction of the EWMA", show=False, id="training.correction"),
        Binding("l", "log", "Logarithmic cost axis", show=False, id="training.log"),
        Binding("question_mark", "help", "Help", key_display="?", id="training.help"),
        Binding("q", "quit_saving", "Quit", id="training.quit", tooltip="Save and quit (ctrl+q too)"),
        Binding("escape", "library", "Library", show=False, id="training.library", tooltip="Save and go to the library"),
    ]

    panel: reactive[int] = reactive(1)

    def __init__(
        self, session: Session, path: Path, source: Path | None,
        autosave_seconds: float = 10.0, snapshot_bytes: int = 256 * 2**20,
    ) -> None:  # fmt: skip
        """As `EngineScreen`."""
        super().__init__(session, path, source, autosave_seconds, snapshot_bytes)
        self._drawn: dict[Panel, tuple[Monitor, int]] = {}
        self._status_drawn: tuple[Monitor, int] | None = None
        self._turn = 0

    # -- layout -------------------------------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        """Status, tabs for small terminals, panels, keys."""
        yield StatusLine(self._session.preset.name, self._session.seed)
        yield Static(Text(""), id="trouble")
        yield Static(Text(""), id="tabs")
        with Container(id="panels"):
            for panel in PANELS:
                yield panel(id=panel.__name__)
        yield StepCursor(id="cursor")
        yield Static(Text("This terminal is too small. Make it at least 40×12."), id="too-small")
        yield Footer()

    def on_mount(self) -> None:
        """Start the engine, and redraw a few times a second."""
        self._arrange()
        self.query_one(Editor).focus()
        self.set_interval(REDRAW_SECONDS, self._redraw_next)
        self.redraw()
        self.run_engine()

    def on_resize(self, event: events.Resize) -> None:
        """Another arrangement for another size."""
        super().on_resize(event)
        self._arrange()

    def _arrange(self) -> None:
        width, height = self.app.size
        wide = width >= WIDE and height >= TALL
        narrow = width < NARROW
        self.set_class(wide, "-wide")
        self.set_class(not wide and not narrow, "-compact")
        self.set_class(narrow, "-narrow")
        self.set_class(width < 40 or height < 12, "-tiny")
        footer = self.query_one(Footer)
        if footer.show_command_palette != (width >= 100):
            footer.show_command_palette = width >= 100
            footer.refresh(recompose=True)
        for number, kind in enumerate(PANELS):
            self.query_one(f"#{kind.__name__}", Panel).set_class(number == self._shown_panel(narrow), "-current")
        self.query_one("#tabs", Static).update(self._tabs())
        self.call_after_refresh(self._draw_anew)

    def _draw_anew(self) -> None:
        """What was drawn had another size, or another past."""
        self._drawn.clear()
        self._status_drawn = None

    def _shown_panel(self, narrow: bool) -> int:
        """Beside the hyperparameters, which are always seen where there is room for two."""
        return self.panel if self.panel or narrow or self.has_class("-zoom") else self._last_chart

    _last_chart = 1

    def _tabs(self) -> Text:
        names = ("1 Hyper", "2 Cost", "3 Curves", "4 Layers", "5 Timeline")
        text = Text(" ", no_wrap=True)
        for number, name in enumerate(names):
            text.append(f" {name} ", "reverse" if number == self._shown_panel(self.has_class("-narrow")) else "")
            text.append(" ")
        return text

    def watch_panel(self, number: int) -> None:
        """Show another panel where they are not all seen."""
        if number:
            self._last_chart = number
        if self.is_mounted:
            self._arrange()

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
            back = f" Back at step {monitor.step:,}." if monitor.back else ""
            return f"✗ g: α ÷ 3, what if, go on anyway, stay. {clean(monitor.trouble, 300).capitalize()}.{back}"
        if monitor.phase is Phase.LOST:
            how = "go on from the last save" if self._source is not None else "start again: nothing was saved"
            return f"✗ {clean(monitor.trouble, 300)}. Press r to {how}."
        if monitor.finished is not None:
            test = f", test error {monitor.finished.test.error:.3g}" if monitor.finished.test else ""
            return f"✓ finished after epoch {monitor.finished.epoch}{test}. Raise epochs and press space to go on; ctrl+s saves."
        return clean(monitor.trouble, 300)

    # -- what the keys do ---------------------------------------------------------------------------------------------

    def action_edit(self) -> None:
        """Go to the hyperparameters."""
        self.action_panel(0)

    def action_panel(self, number: int) -> None:
        """Show a panel and give it the keys."""
        self.panel = number
        inner = self.query_one(f"#{PANELS[number].__name__}", Panel)
        for kind in (Editor, DataTable, OptionList, Chart):
            for widget in inner.query(kind):
                if widget.can_focus:
                    widget.focus()

    def action_next_panel(self, by: int) -> None:
        """Give the keys to the panel after or before this one."""
        self.action_panel((self.panel + by) % len(PANELS))

    def on_descendant_focus(self) -> None:
        """A click may have given a panel the keys."""
        panels = [self.query_one(f"#{kind.__name__}", Panel) for kind in PANELS]
        self.panel = next((i for i, panel in enumerate(panels) if panel.has_focus_within), self.panel)

    def action_zoom(self) -> None:
        """Give the present panel the whole screen, and back."""
        self.toggle_class("-zoom")
        self._arrange()

    def action_next_curve(self) -> None:
        """Next quantity in the second chart."""
        second = self.query_one(SecondPanel)
        second.kind = (second.kind + 1) % len(second.KINDS)
        self.panel = 2

    def action_beta(self, by: int) -> None:
        """Smooth over more or fewer steps."""
        cost = self.query_one(CostPanel)
        cost.beta_index = min(max(cost.beta_index + by, 0), len(BETAS) - 1)

    def action_correction(self) -> None:
        """Take the bias out of the average, or leave it in."""
        cost = self.query_one(CostPanel)
        cost.corrected = not cost.corrected

    def action_log(self) -> None:
        """Logarithmic cost axis, and back."""
        cost = self.query_one(CostPanel)
        cost.log_axis = not cost.log_axis

    def action_help(self) -> None:
        """Keys and explanations."""
        paragraphs = [(kind.TITLE or "3 Curves", kind.HELP or "") for kind in PANELS]
        self.app.push_screen(HelpScreen(self, [*paragraphs, ("Any edit can be taken back", self.TRAVEL_HELP)]))

    def action_library(self) -> None:
        """Save and go to the library; first close the cursor, and leave the zoom."""
        if self.query_one(StepCursor).display:
            self.query_one(StepCursor).action_close()
        elif self.has_class("-zoom"):
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

    @on(Chart.Clicked)
    def _chart_clicked(self, message: Chart.Clicked) -> None:
        if self.monitor.step:
            self.query_one(StepCursor).put(self.monitor, round(message.x))

    def commands(self) -> Iterable[SystemCommand]:
        """Every action, for the command palette."""
        yield from super().commands()
        yield SystemCommand("Edit hyperparameters", "e", self.action_edit)
        yield SystemCommand("Save the session", "ctrl+s", self.action_save)
        for number, kind in enumerate(PANELS):
            title = (kind.TITLE or "3 Error, learning rate, gradient norms")[2:]
            yield SystemCommand(f"Panel: {title}", str(number + 1), lambda number=number: self.action_panel(number))
        yield SystemCommand("Panel: the next", "tab", lambda: self.action_next_panel(1))
        yield SystemCommand("Panel: the one before", "shift+tab", lambda: self.action_next_panel(-1))
        yield SystemCommand("Zoom the panel", "z", self.action_zoom)
        yield SystemCommand("Second chart: next quantity", "t", self.action_next_curve)
        yield SystemCommand("EWMA: more steps", "]", lambda: self.action_beta(1))
        yield SystemCommand("EWMA: fewer steps", "[", lambda: self.action_beta(-1))
        yield SystemCommand("EWMA: bias correction on or off", "b", self.action_correction)
        yield SystemCommand("Cost axis: logarithmic or linear", "l", self.action_log)
        yield SystemCommand("Restart a lost engine", "r", self.action_restart)
        yield SystemCommand("Save and go to the library", "escape", self.action_library)
        yield SystemCommand("Help", "?", self.action_help)
