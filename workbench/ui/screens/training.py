"""The training screen: owns the engine in a worker, folds its reports into the monitor, and lets the panels redraw."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.reactive import reactive
from textual.widgets import DataTable, Footer, RichLog, Static

from workbench.engine.commands import SetHyperparameter
from workbench.runtime.engine import Engine, EngineDied
from workbench.runtime.messages import Begin, Begun, Crashed, Pause, Refused, Resume, Save, Saved, SaveFailed, TakeStep
from workbench.session.notebook import session_to_toml
from workbench.session.session import Session
from workbench.session.text import clean
from workbench.ui.messages import Edited, EngineLost, Reported
from workbench.ui.monitor import Monitor, Phase
from workbench.ui.panels.curves import BETAS, CostPanel, SecondPanel
from workbench.ui.panels.hyperparameters import HyperparameterPanel
from workbench.ui.panels.layers import LayersPanel
from workbench.ui.panels.panel import Panel
from workbench.ui.panels.status import StatusLine
from workbench.ui.panels.timeline import TimelinePanel
from workbench.ui.screens.help import HelpScreen
from workbench.ui.screens.screen import WorkbenchScreen
from workbench.ui.widgets.chart import Chart
from workbench.ui.widgets.editor import Editor

REDRAW_SECONDS = 0.1
"""How often one of the panels is drawn anew; with all five in sight each is, twice a second."""
AGAIN_SECONDS = 15.0
"""How long a failed save may be passed over by the key that asked for it, pressed again."""
PANELS: tuple[type[Panel], ...] = (HyperparameterPanel, CostPanel, SecondPanel, LayersPanel, TimelinePanel)
WIDE, TALL = 104, 30
"""From this size on, all panels are seen at once."""
NARROW = 72
"""Below this width, one panel at a time."""


class TrainingScreen(WorkbenchScreen):
    """Babysits one run."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "toggle_pause", "Pause", id="training.pause", tooltip="Pause or go on"),
        Binding("s", "take_step", "Step", id="training.step", tooltip="Take one step and pause"),
        Binding("e", "edit", "Edit", id="training.edit", tooltip="Go to the hyperparameters"),
        Binding("ctrl+s", "save", "Save", id="training.save", tooltip="Save the session"),
        Binding("z", "zoom", "Zoom", id="training.zoom", tooltip="Give the panel the whole screen, and back"),
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
        Binding("r", "restart", "Restart the engine", show=False, id="training.restart"),
        Binding("question_mark", "help", "Help", key_display="?", id="training.help"),
        Binding("q", "quit_saving", "Quit", id="training.quit", tooltip="Save and quit (ctrl+q too)"),
        Binding("escape", "library", "Library", show=False, id="training.library", tooltip="Save and go to the library"),
    ]

    panel: reactive[int] = reactive(1)

    def __init__(self, session: Session, path: Path, source: Path | None) -> None:
        """Train `session`, which came from `source` if it was saved before; it is saved to `path`."""
        super().__init__()
        self._session, self._path, self._source = session, path, source
        self.monitor = Monitor.of(session)
        self._engine: Engine | None = None
        self._drawn: dict[Panel, int] = {}
        self._status_drawn = -1
        self._turn = 0
        self._leaving: str | None = None

    # -- layout -------------------------------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        """Status, tabs for small terminals, panels, keys."""
        yield StatusLine(self._session.preset.name, self._session.seed)
        yield Static(Text(""), id="trouble")
        yield Static(Text(""), id="tabs")
        with Container(id="panels"):
            for panel in PANELS:
                yield panel(id=panel.__name__)
        yield Static(Text("This terminal is too small. Make it at least 40×12."), id="too-small")
        yield Footer()

    def on_mount(self) -> None:
        """Start the engine, and redraw a few times a second."""
        self._arrange()
        self.query_one(Editor).focus()
        self.set_interval(REDRAW_SECONDS, self._redraw_next)
        self.redraw()
        self.run_engine()

    def on_resize(self) -> None:
        """Another arrangement for another size."""
        self._arrange()

    def _arrange(self) -> None:
        width, height = self.app.size
        wide = width >= WIDE and height >= TALL
        narrow = width < NARROW
        self.set_class(wide, "-wide")
        self.set_class(not wide and not narrow, "-compact")
        self.set_class(narrow, "-narrow")
        self.set_class(width < 40 or height < 12, "-tiny")
        for number, kind in enumerate(PANELS):
            self.query_one(f"#{kind.__name__}", Panel).set_class(number == self._shown_panel(narrow), "-current")
        self.query_one("#tabs", Static).update(self._tabs())
        self.call_after_refresh(self._draw_anew)

    def _draw_anew(self) -> None:
        """What was drawn had another size, or another past."""
        self._drawn.clear()
        self._status_drawn = -1

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
        self._draw_status()
        for panel in self.query(Panel):
            self._draw(panel)

    def _redraw_next(self) -> None:
        """Let the status line and one panel catch up, in turn, so that a key never waits for all of them."""
        self._draw_status()
        panels = list(self.query(Panel))
        for _ in panels:
            self._turn = (self._turn + 1) % len(panels)
            if self._draw(panels[self._turn]):
                return

    def _draw(self, panel: Panel) -> bool:
        """Whether there was something new to draw."""
        if not panel.is_on_screen or self._drawn.get(panel) == self.monitor.revision:
            return False
        self._drawn[panel] = self.monitor.revision
        panel.show(self.monitor)
        return True

    def _draw_status(self) -> None:
        monitor = self.monitor
        if self._status_drawn != monitor.revision:
            self._status_drawn = monitor.revision
            self.query_one(StatusLine).show(monitor)
            trouble = self.query_one("#trouble", Static)
            trouble.display = bool(monitor.trouble or monitor.finished)
            trouble.update(Text(self._advice()))

    def _advice(self) -> str:
        monitor = self.monitor
        if monitor.phase is Phase.DIVERGED:
            return f"✗ {clean(monitor.trouble, 300)}. Lower α (e, ← or /3, Enter), then space."
        if monitor.phase is Phase.LOST:
            how = "go on from the last save" if self._source is not None else "start again: nothing was saved"
            return f"✗ {clean(monitor.trouble, 300)}. Press r to {how}."
        if monitor.finished is not None:
            test = f", test error {monitor.finished.test.error:.3g}" if monitor.finished.test else ""
            return f"✓ finished after epoch {monitor.finished.epoch}{test}. Raise epochs and press space to go on; ctrl+s saves."
        return clean(monitor.trouble, 300)

    # -- the engine ---------------------------------------------------------------------------------------------------

    @work(exclusive=True, group="engine", exit_on_error=False)
    async def run_engine(self) -> None:
        """Own an engine process for as long as this worker lives, and post what it reports."""
        try:
            engine = await Engine.start()
        except OSError as error:
            self.post_message(EngineLost(f"the engine could not be started: {error}"))
            return
        try:
            source = str(self._source) if self._source is not None else ""
            engine.send(Begin(session_to_toml(self._session), source, str(self._path), paused=bool(self._session.step)))
            self._engine = engine
            async for report in engine.reports():
                self.post_message(Reported(report))
        except EngineDied as error:
            self.post_message(EngineLost(f"the engine ended unexpectedly ({error})"))
        finally:
            self._engine = None
            await engine.close()

    @on(Reported)
    def _reported(self, message: Reported) -> None:
        report = message.report
        self.monitor.take(report, time.monotonic())
        match report:
            case Begun():
                self.redraw()  # before anybody types
            case Saved():
                self._source = Path(report.path)
                if self._leaving is not None:
                    self._leave(f"saved {report.path} at step {report.step:,}; go on with: workbench {shlex.quote(report.path)}")
                else:
                    self.notify(f"Saved {clean(report.path)} at step {report.step:,}", markup=False)
            case SaveFailed():
                again = {
                    "quit": " Press q again to quit without saving.",
                    "library": " Press escape again to leave without saving.",
                }
                text = f"{clean(report.reason)}. Training is not affected.{again.get(self._leaving or '', '')}"
                self.notify(text, severity="error", timeout=AGAIN_SECONDS, markup=False)
                self.set_timer(AGAIN_SECONDS, self._stay)
            case Refused():
                self.monitor.lost(report.problems)
                self.notify(clean(report.problems, 500), severity="error", timeout=30, markup=False)
            case Crashed():
                self.monitor.lost(f"{report.summary}; a report is in {report.report}")
            case _:
                pass

    @on(EngineLost)
    def _engine_lost(self, message: EngineLost) -> None:
        if self.monitor.phase is not Phase.LOST:
            self.monitor.lost(message.reason)

    # -- what the keys do ---------------------------------------------------------------------------------------------

    @on(Edited)
    def _edited(self, message: Edited) -> None:
        if self._engine is None:
            self.notify("There is no engine to take the edit.", severity="warning")
            return
        self.monitor.expect(message.name, message.value)
        self._engine.send(SetHyperparameter(message.name, message.value))
        self.redraw()

    def action_toggle_pause(self) -> None:
        """Pause or go on."""
        if self._engine is not None:
            self._engine.send(Pause() if self.monitor.phase is Phase.TRAINING else Resume())

    def action_take_step(self) -> None:
        """Take one step and pause."""
        if self._engine is not None:
            self._engine.send(TakeStep())

    def action_edit(self) -> None:
        """Go to the hyperparameters."""
        self.action_panel(0)

    def action_panel(self, number: int) -> None:
        """Show a panel and give it the keys."""
        self.panel = number
        inner = self.query_one(f"#{PANELS[number].__name__}", Panel)
        for kind in (Editor, DataTable, RichLog, Chart):
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

    def action_save(self) -> None:
        """Save the session."""
        self._stay()
        if self._engine is not None:
            self._engine.send(Save(str(self._path)))

    def action_restart(self) -> None:
        """Start another engine, from the last save, where there is none."""
        if self.monitor.phase is not Phase.LOST:
            return
        from workbench.session.errors import InputError
        from workbench.session.store import read_session

        if self._source is not None:
            try:
                self._session = read_session(self._source)
            except InputError as error:
                self.notify(clean(str(error), 300), severity="error", markup=False)
                return
        self.monitor = Monitor.of(self._session)
        self._draw_anew()
        self.run_engine()

    def action_help(self) -> None:
        """Keys and explanations."""
        self.app.push_screen(HelpScreen(self, [(kind.TITLE or "3 Curves", kind.HELP or "") for kind in PANELS]))

    def action_quit_saving(self) -> None:
        """Save and quit; where saving fails, a second time quits without."""
        self._save_and("quit")

    def action_library(self) -> None:
        """Save and go to the library."""
        if self.has_class("-zoom"):
            self.action_zoom()
        else:
            self._save_and("library")

    def _save_and(self, leave: str) -> None:
        again = self._leaving == leave
        self._leaving = leave
        if again or self._engine is None or not self.monitor.unsaved:
            self._leave("")
        else:
            self._engine.send(Save(str(self._path)))

    def _stay(self) -> None:
        self._leaving = None

    def _leave(self, message: str) -> None:
        if self._leaving == "library":
            while self in self.app.screen_stack:  # something may lie on top
                self.app.pop_screen()
        else:
            self.app.exit(message=Text(clean(message, 500)) if message else None)

    def commands(self) -> Iterable[SystemCommand]:
        """Every action, for the command palette."""
        yield SystemCommand("Pause or go on", "space", self.action_toggle_pause)
        yield SystemCommand("Take one step", "s", self.action_take_step)
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
        yield SystemCommand("Restart a lost engine from the last save", "r", self.action_restart)
        yield SystemCommand("Save and go to the library", "escape", self.action_library)
        yield SystemCommand("Help", "?", self.action_help)
