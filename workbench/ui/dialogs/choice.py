"""A question with a few answers, each with its key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

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

    def __init__(self, title: str, text: str, answers: Sequence[Answer]) -> None:
        """All texts are shown as they are, so they must be clean."""
        super().__init__()
        self._title, self._text, self._answers = title, text, tuple(answers)

    def compose(self) -> ComposeResult:
        """The question, then its answers."""
        with Vertical(id="choice") as box:
            box.border_title = self._title
            box.border_subtitle = "Enter chooses, Escape leaves it"
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
