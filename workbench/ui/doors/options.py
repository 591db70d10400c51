"""Lists to choose from, and the entries of the command palette."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from typing import Literal, Self

from textual import widgets
from textual.app import SystemCommand
from textual.widgets import option_list

from workbench.files.text import SafeText
from workbench.ui.doors.text import Text


class Option(option_list.Option):
    """One thing to choose; its `id` is not seen."""

    def __init__(self, text: Text, id: str | None = None, disabled: bool = False) -> None:
        super().__init__(text, id, disabled)


class OptionList(widgets.OptionList):
    """A list of options. It may be asked to turn a page before it is laid out, or where there is no room for a line of it."""

    def __init__(self, *options: Option, id: str | None = None) -> None:
        super().__init__(*options, id=id)

    def _move_page(self, direction: Literal[-1, 1]) -> None:
        with contextlib.suppress(LookupError):  # there is no page
            super()._move_page(direction)

    def add_option(self, option: Option) -> Self:  # type: ignore[override]  # narrower, as all here
        """One more."""
        return super().add_option(option)

    def add_options(self, options: Iterable[Option]) -> Self:  # type: ignore[override]
        """Some more."""
        return super().add_options(options)


def palette_entry(title: SafeText, about: SafeText, does: Callable[[], object]) -> SystemCommand:
    """A line of the command palette, which reads markup: so every bracket is escaped."""
    return SystemCommand(title.replace("[", r"\["), about.replace("[", r"\["), does)
