"""What every panel of the training screen is: a titled box that redraws from the monitor when that has changed."""

from __future__ import annotations

from typing import ClassVar

from textual.containers import Vertical

from workbench.ui.state.monitor import Monitor


class Panel(Vertical):
    """A part of the training screen.

    `HELP` is its paragraph in the help screen. `show` is called a few times a second while the panel is visible and the
    monitor has changed. `NEEDS` names what the engine is asked for while it is seen.
    """

    TITLE: ClassVar[str] = ""
    NEEDS: ClassVar[str] = ""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.border_title = self.TITLE

    def show(self, monitor: Monitor) -> None:
        """Redraw from the monitor."""
        raise NotImplementedError
