"""One line of text from the user."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from workbench.ui.settling import SettlingScreen


class PromptScreen(ModalScreen[str | None], SettlingScreen[str | None]):
    """Returns what was typed, or None where it was left."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Leave it", key_display="esc")]

    def __init__(self, title: str, text: str, value: str = "", limit: int = 4000) -> None:
        """`value` is there to begin with. All texts are shown as they are, so they must be clean."""
        super().__init__()
        self._title, self._text, self._value, self._limit = title, text, value, limit

    def compose(self) -> ComposeResult:
        """What is asked, and a line to type on."""
        with Vertical(id="prompt") as box:
            box.border_title = self._title
            box.border_subtitle = "Enter takes it, Escape leaves it"
            if self._text:
                yield Static(Text(self._text))
            yield Input(self._value, max_length=self._limit, select_on_focus=False)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value.strip())
