"""Help where you stand: the keys of the part that has them, those of the screen below, and a paragraph for each panel."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen

from workbench.files.text import literal
from workbench.ui.actions import Action, KeyNames
from workbench.ui.doors.border import set_title
from workbench.ui.doors.text import Static, Text
from workbench.ui.settling import SettlingScreen


class HelpScreen(ModalScreen[None], SettlingScreen[None]):
    """A list to scroll, made from the table of actions."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,question_mark", "dismiss", "Close", key_display="esc")]

    def __init__(
        self, here: Iterable[Action], below: Iterable[Action], paragraphs: Iterable[tuple[str, str]], keys: KeyNames
    ) -> None:
        """The actions of the part that has the keys, those of the screen, and paragraphs, the first about that part."""
        super().__init__()
        self._here, self._below, self._paragraphs, self._keys = tuple(here), tuple(below), list(paragraphs), keys

    def compose(self) -> ComposeResult:
        """Keys, then paragraphs."""
        text = Text()
        (title, paragraph), *rest = self._paragraphs
        text.append(f"{title}\n", "bold")
        text.append(f"{self._keys.fill(paragraph)}\n")
        for head, actions in (("Keys there", self._here), ("Keys", self._below)):
            if actions:
                text.append(f"\n{head}\n", "bold")
            for action in actions:
                text.append(f"  {self._keys.of(action.id):<11}", "bold")
                text.append(f"{action.about}\n")
        text.append("  ctrl+p     ", "bold")
        text.append("Command palette: every action, and the themes\n")
        for title, paragraph in rest:
            text.append(f"\n{title}\n", "bold")
            text.append(f"{self._keys.fill(paragraph)}\n")
        text.append("\nEscape closes this.", "dim")
        with VerticalScroll(id="help") as scroll:
            set_title(scroll, literal("Help"))
            yield Static(text)
