"""The timeline: every edit, note and stop of the branch, with its step, the newest at the bottom."""

from __future__ import annotations

from rich.text import Text
from textual.app import ComposeResult
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from workbench.files.text import clean
from workbench.ui.panels.panel import Panel
from workbench.ui.state.monitor import GUARD, NOTE, PLAN, Entry, Monitor, symbol

SIGNS = {GUARD: "✗ guard", NOTE: "✎ note"}


class TimelinePanel(Panel):
    """A list that mostly grows."""

    TITLE = "5 Timeline"
    HELP = (
        "Every edit with the step after which it was taken; it applies at the next step. ↶ took another edit back, ✗ is a stop "
        "of the guard, ✎ a note. n writes a note on the line under the cursor. Preset, seed and this list make the run: "
        "`workbench replay` trains it again and compares every hash; w turns it into a preset that makes the edits by itself."
    )

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._written: list[Entry] = []

    def compose(self) -> ComposeResult:
        """A list."""
        yield OptionList(_nothing())

    @property
    def chosen(self) -> Entry | None:
        """The entry under the cursor."""
        number = self.query_one(OptionList).highlighted
        return self._written[number] if number is not None and number < len(self._written) else None

    def show(self, monitor: Monitor) -> None:
        """Write what is new; start over where the past has changed."""
        entries = self.query_one(OptionList)
        if monitor.entries == self._written:
            return
        follows = entries.highlighted is None or entries.highlighted >= len(self._written) - 1
        if not self._written or monitor.entries[: len(self._written)] != self._written:
            entries.clear_options()
            self._written = []
        new = monitor.entries[len(self._written) :]
        entries.add_options([_line(entry) for entry in new] or [_nothing()])
        self._written += new
        if follows and self._written:
            entries.highlighted = len(self._written) - 1


def _nothing() -> Option:
    return Option(Text("No edits yet. Press e, choose a hyperparameter, change it.", "italic dim"), disabled=True)


def _line(entry: Entry) -> Option:
    name = SIGNS.get(entry.name) or clean(symbol(entry.name), 30)
    text = Text.assemble((f"{entry.step:>7,}  ", "dim"), (f"{name}  ", "bold"), clean(entry.text, 300))
    if entry.note:
        text.append("  by the plan" if entry.note == PLAN and not entry.edit else f"  ✎ {clean(entry.note, 200)}", "italic")
    return Option(text)
