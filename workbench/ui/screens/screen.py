"""What the app asks of each of its screens."""

from __future__ import annotations

from collections.abc import Iterable

from textual.app import SystemCommand

from workbench.ui.settling import SettlingScreen


class WorkbenchScreen(SettlingScreen[None]):
    """A screen with commands for the palette and its own way to quit."""

    def commands(self) -> Iterable[SystemCommand]:
        """Actions for the command palette, besides Textual's own."""
        return ()

    def action_quit_saving(self) -> None:
        """Quit, without losing anything."""
        self.app.exit()

    def keep(self) -> None:
        """Save what is new, if there is anything."""
