"""One line of text from the user."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from workbench.files.text import SafeText, clean, literal
from workbench.ui.doors.border import set_subtitle, set_title
from workbench.ui.doors.input import Input
from workbench.ui.doors.text import Static, Text
from workbench.ui.settling import SettlingScreen


class PromptScreen(ModalScreen[str | None], SettlingScreen[str | None]):
    """Returns what was typed, without the blanks around it, or None where it was left.

    What is stored may have characters in it that no screen can show: they are seen escaped, and edited like that. A line that
    stands as it did gives back what is stored, to the bit.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Leave it", key_display="esc")]

    def __init__(self, title: SafeText, text: str, stored: str = "", limit: int = 4000) -> None:
        """`stored` is there to begin with; what is typed has at most `limit` characters."""
        super().__init__()
        self._title, self._text, self._stored, self._limit = title, text, stored, limit
        self._begun_with = clean(stored, None)

    def compose(self) -> ComposeResult:
        """What is asked, and a line to type on."""
        with Vertical(id="prompt") as box:
            set_title(box, self._title)
            set_subtitle(box, literal("Enter takes it, Escape leaves it"))
            if self._text:
                yield Static(Text(self._text))
            # Escaped it may be longer than anything that may be typed, and must be there whole, to be shortened.
            yield Input(self._begun_with, max_length=max(self._limit, len(self._begun_with)), select_on_focus=False)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        typed = event.value.strip()
        if event.value == self._begun_with:
            self.dismiss(self._stored)
        elif len(typed) > self._limit:
            told = f"{len(typed):,} characters: expected at most {self._limit:,}"
            set_subtitle(self.query_one("#prompt"), clean(told))
        else:
            self.dismiss(typed)
