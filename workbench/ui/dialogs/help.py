"""Help where you stand: the keys of the screen below, and a paragraph for each panel."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen, Screen
from textual.widget import Widget
from textual.widgets import Static

from workbench.ui.screens.screen import SettlingScreen, WorkbenchScreen


class HelpScreen(ModalScreen[None], SettlingScreen[None]):
    """A list to scroll, made from the bindings themselves."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,question_mark", "dismiss", "Close", key_display="esc")]

    def __init__(self, below: Screen[None], here: type[Widget] | None, paragraphs: Iterable[tuple[str, str]]) -> None:
        """Explain `below`; the first paragraph is about the part of it that has the keys, a `here`."""
        super().__init__()
        self._below, self._here, self._paragraphs = below, here, list(paragraphs)

    def compose(self) -> ComposeResult:
        """Keys, then paragraphs."""
        text = Text()
        first, *rest = self._paragraphs
        text.append(f"{first[0]}\n", "bold")
        text.append(f"{first[1]}\n")
        for title, bindings in (("Keys there", self._own()), ("Keys", _bindings(self._below))):
            keys = [(self._key(binding), binding.tooltip or binding.description) for binding in bindings]
            if keys:
                text.append(f"\n{title}\n", "bold")
            for key, meaning in keys:
                text.append(f"  {key:<11}", "bold")
                text.append(f"{meaning}\n")
        text.append("  ctrl+p     ", "bold")
        text.append("Command palette: every action, and the themes\n")
        for title, paragraph in rest:
            text.append(f"\n{title}\n", "bold")
            text.append(f"{paragraph}\n")
        text.append("\nEscape closes this.", "dim")
        with VerticalScroll(id="help") as scroll:
            scroll.border_title = "Help"
            yield Static(text)

    def _own(self) -> list[Binding]:
        """The bindings of the part that has the keys."""
        if self._here is None:
            return []
        classes = [each for each in self._here.__mro__ if each.__module__.startswith("workbench.")]
        return [each for kind in reversed(classes) for each in vars(kind).get("BINDINGS", ()) if isinstance(each, Binding)]

    def _key(self, binding: Binding) -> str:
        """As the user has it, who may have chosen other keys."""
        chosen = getattr(self.app, "keys", {}).get(binding.id)
        return chosen or binding.key_display or binding.key.split(",")[0]


def _bindings(screen: Screen[None]) -> Iterator[Binding]:
    """The bindings of a screen's own classes, the most general first."""
    for each in reversed(type(screen).__mro__):
        if issubclass(each, WorkbenchScreen):
            yield from (binding for binding in vars(each).get("BINDINGS", ()) if isinstance(binding, Binding))
