"""Help where you stand: the keys of the screen below, and a paragraph for each panel."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from workbench.ui.screens.screen import SettlingScreen, WorkbenchScreen


class HelpScreen(ModalScreen[None], SettlingScreen[None]):
    """A list to scroll, made from the bindings themselves."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,question_mark", "dismiss", "Close", key_display="esc")]

    def __init__(self, below: Screen[None], paragraphs: Iterable[tuple[str, str]]) -> None:
        """Explain `below`."""
        super().__init__()
        self._below, self._paragraphs = below, list(paragraphs)

    def compose(self) -> ComposeResult:
        """Keys, then paragraphs."""
        text = Text()
        text.append("Keys\n", "bold")
        for binding in _bindings(self._below):
            key = binding.key_display or binding.key.split(",")[0]
            text.append(f"  {key:<11}", "bold")
            text.append(f"{binding.tooltip or binding.description}\n")
        text.append("  ctrl+p     ", "bold")
        text.append("Command palette: every action, and the themes\n")
        for title, paragraph in self._paragraphs:
            text.append(f"\n{title}\n", "bold")
            text.append(f"{paragraph}\n")
        text.append("\nEscape closes this.", "dim")
        with VerticalScroll(id="help") as scroll:
            scroll.border_title = "Help"
            yield Static(text)


def _bindings(screen: Screen[None]) -> Iterator[Binding]:
    """The bindings of a screen's own classes, the most general first."""
    for each in reversed(type(screen).__mro__):
        if issubclass(each, WorkbenchScreen):
            yield from (binding for binding in vars(each).get("BINDINGS", ()) if isinstance(binding, Binding))
