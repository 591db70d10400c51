"""What every panel of the training screen is: a titled box that redraws from the monitor when that has changed."""

from __future__ import annotations

from typing import ClassVar

from textual.containers import Vertical
from textual.widget import Widget

from workbench.files.text import SafeText, clean
from workbench.ui.actions import Action
from workbench.ui.doors.border import set_title
from workbench.ui.state.layout import Slot
from workbench.ui.state.monitor import Monitor


class Panel(Vertical):
    """A part of the training screen.

    Attributes:
        SLOT: where it goes and what it is called.
        HELP: its paragraph in the help screen, with the ids of actions in the place of keys.
        NEEDS: what the engine is asked for while it is seen.
        ACTIONS: its own part of the table of actions.
    """

    SLOT: ClassVar[Slot]
    NEEDS: ClassVar[str] = ""
    ACTIONS: ClassVar[tuple[Action, ...]] = ()

    def __init__(self) -> None:
        super().__init__(id=self.SLOT.name.lower().replace("_", "-"))
        self.heading: SafeText
        self.entitle(self.SLOT.title)

    def entitle(self, title: str) -> None:
        """Have this as `heading`, on the border, with the panel's number."""
        self.heading = clean(f"{self.SLOT.number} {title}")
        set_title(self, self.heading)

    def show(self, monitor: Monitor) -> None:
        """Redraw from the monitor; called a few times a second while it is in sight and something has changed."""
        raise NotImplementedError

    @property
    def takes_keys(self) -> Widget | None:
        """What of it gets the keys when somebody goes to it."""
        inside = (each for each in self.query(Widget) if each.can_focus and each.display)
        return next(inside, self if self.can_focus else None)
