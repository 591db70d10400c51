"""The timeline: every edit and stop of the run, with its step, the newest at the bottom."""

from __future__ import annotations

from rich.text import Text
from textual.app import ComposeResult
from textual.widgets import RichLog

from workbench.session.text import clean
from workbench.ui.monitor import Entry, Monitor, symbol
from workbench.ui.panels.panel import Panel


class TimelinePanel(Panel):
    """A log that only grows."""

    TITLE = "5 Timeline"
    HELP = (
        "Every edit with the step after which it was taken; it bites at the next step. Preset, seed and this list make the "
        "run: `workbench replay` trains it again and compares every hash."
    )

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._written: list[Entry] = []
        self._empty = False

    def compose(self) -> ComposeResult:
        """A log."""
        yield RichLog(id="timeline", wrap=True, min_width=1, markup=False, highlight=False, auto_scroll=True)

    def show(self, monitor: Monitor) -> None:
        """Write what is new; start over where the past has changed."""
        log = self.query_one(RichLog)
        if monitor.entries[: len(self._written)] != self._written or (self._empty and monitor.entries):
            log.clear()
            self._written, self._empty = [], False
        for entry in monitor.entries[len(self._written) :]:
            name = (f"{clean(symbol(entry.name), 30)}  ", "bold")
            log.write(Text.assemble((f"{entry.step:>7,}  ", "dim"), name, clean(entry.text, 300)))
            self._written.append(entry)
        if not monitor.entries and not self._empty:
            log.write(Text("No edits yet. Press e, choose a hyperparameter, change it.", "italic dim"))
            self._empty = True
