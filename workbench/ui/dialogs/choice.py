"""A question with a few answers, each with its key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from workbench.files.text import SafeText, literal
from workbench.ui.doors.border import set_subtitle, set_title
from workbench.ui.doors.options import Option, OptionList
from workbench.ui.doors.text import Static, Text
from workbench.ui.settling import SettlingScreen


@dataclass(frozen=True, slots=True)
class Answer:
    """One thing to choose: what `ChoiceScreen` returns, its key, and what it does."""

    id: str
    key: str
    text: str


class ChoiceScreen(ModalScreen[str], SettlingScreen[str]):
    """Returns the id of the chosen answer, or an empty text."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "dismiss('')", "Leave it", key_display="esc")]

    def __init__(self, title: SafeText, text: str, answers: Sequence[Answer]) -> None:
        """`text` may have several lines."""
        super().__init__()
        self._title, self._text, self._answers = title, text, tuple(answers)

    def compose(self) -> ComposeResult:
        """The question, then its answers."""
        with Vertical(id="choice") as box:
            set_title(box, self._title)
            set_subtitle(box, literal("Enter chooses, Escape leaves it"))
            yield Static(Text(self._text))
            options = [Option(Text.assemble((f" {each.key or ' '}  ", "bold"), each.text), id=each.id) for each in self._answers]
            yield OptionList(*options)

    def on_key(self, event: events.Key) -> None:
        """An answer's own key."""
        for each in self._answers:
            if event.character == each.key:
                event.stop()
                self.dismiss(each.id)

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option.id or "")
