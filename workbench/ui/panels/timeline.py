"""The timeline: every edit, note and stop of the branch, with its step, the newest at the bottom."""

from __future__ import annotations

from textual.app import ComposeResult

from workbench.engine.commands import Planned
from workbench.files.text import clean
from workbench.session.branch import Note, Stop
from workbench.ui.actions import key_names
from workbench.ui.doors.options import Option, OptionList
from workbench.ui.doors.text import Text
from workbench.ui.panels.panel import Panel
from workbench.ui.state.layout import Slot
from workbench.ui.state.monitor import Monitor
from workbench.ui.state.timeline import Happening, Made
from workbench.ui.state.wording import shown, symbol

NOTHING = "No edits yet. Press {training.edit}, choose a hyperparameter, change it."


class TimelinePanel(Panel):
    """A list that mostly grows."""

    SLOT = Slot.TIMELINE
    HELP = (
        "Every edit with the step after which it was taken; it applies at the next step. ↶ took another edit back, ✗ is a "
        "stop of the guard, ✎ a note. {travel.note} writes a note on the line under the cursor. Preset, seed and this list "
        "make the run: `workbench replay` trains it again and compares every hash; {travel.schedule} turns it into a preset "
        "that makes the edits by itself."
    )

    def __init__(self) -> None:
        super().__init__()
        self._entries = OptionList()
        self._written: list[Happening] = []

    def compose(self) -> ComposeResult:
        """A list."""
        yield self._entries

    def on_mount(self) -> None:
        """Say how to begin."""
        self._entries.add_option(self._nothing())

    @property
    def chosen(self) -> Happening | None:
        """What stands under the cursor."""
        number = self._entries.highlighted
        return self._written[number] if number is not None and number < len(self._written) else None

    def show(self, monitor: Monitor) -> None:
        """Write what is new; start over where the past has changed."""
        entries, happenings = self._entries, monitor.happenings
        if happenings == self._written:
            return
        follows = entries.highlighted is None or entries.highlighted >= len(self._written) - 1
        if not self._written or happenings[: len(self._written)] != self._written:
            entries.clear_options()
            self._written = []
        new = happenings[len(self._written) :]
        entries.add_options([_line(each) for each in new] or [self._nothing()])
        self._written += new
        if follows and self._written:
            entries.highlighted = len(self._written) - 1

    def _nothing(self) -> Option:
        return Option(Text(key_names(self.app).fill(NOTHING), "italic dim"), disabled=True)


def _line(what: Happening) -> Option:
    name, told, note = _told(what)
    text = Text.assemble((f"{what.step:>7,}  ", "dim"), (f"{name}  ", "bold"), clean(told, 300))
    if note:
        text.append(f"  {note}", "italic")
    return Option(text)


def _told(what: Happening) -> tuple[str, str, str]:
    """What it is called, what is said of it, and what somebody wrote about it."""
    match what:
        case Made(edit=edit, effect=effect):
            told = f"{shown(edit.old)} → {shown(edit.new)}{f' ({effect})' if effect else ''}{' ↶' if edit.undoes else ''}"
            return clean(symbol(edit.name), 30), told, f"✎ {clean(edit.note, 200)}" if edit.note else ""
        case Planned(name=name, value=value):
            return clean(symbol(name), 30), f"→ {shown(value)}", "by the plan"
        case Stop():
            return "✗ guard", what.reason + (" (passed)" if what.passed else ""), ""
        case Note():
            return "✎ note", what.text, ""
