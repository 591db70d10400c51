"""The command palette: Textual's, which is left alone by what comes too late for it."""

from __future__ import annotations

import contextlib
from inspect import unwrap

from textual import work
from textual.command import CommandList, CommandPalette
from textual.css.query import NoMatches

from workbench.ui.settling import SettlingScreen


class Palette(CommandPalette, SettlingScreen[None]):
    """A palette may be left while it searches: what is found then has no list to be put into."""

    @property
    def _there(self) -> bool:
        return bool(self.query(CommandList))

    @work(exclusive=True, group=CommandPalette._GATHER_COMMANDS_GROUP)
    async def _gather_commands(self, search_value: str) -> None:
        with contextlib.suppress(NoMatches):  # it was left
            await unwrap(CommandPalette._gather_commands)(self, search_value)

    def _action_command_list(self, action: str) -> None:
        with contextlib.suppress(LookupError):  # a page is to be turned of which nothing is laid out yet
            super()._action_command_list(action)

    def _watch__list_visible(self) -> None:
        if self._there:
            super()._watch__list_visible()

    async def _watch__show_busy(self) -> None:
        if self._there:
            await super()._watch__show_busy()
