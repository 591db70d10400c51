"""What the dialogs that fork a run have in common: a place to fork from, written down by the run's own engine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import ClassVar

from textual import work
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from workbench.files.text import clean
from workbench.hyperparameters import Hyperparameters
from workbench.protocol.reports import Exported
from workbench.protocol.requests import Adopt
from workbench.spec import InvalidValue
from workbench.ui.doors.input import Input
from workbench.ui.settling import SettlingScreen


class CannotDepart(Exception):
    """A place of the run could not be written down; the text says why."""


@dataclass(frozen=True, slots=True)
class Departure:
    """Where forks begin: a run that may go on until they do, or an earlier step of it.

    Attributes:
        step: after which step that is, as of now.
        hyperparameters: what is in force there, as of now.
        export: has the place written down. Raises `CannotDepart`.
    """

    step: Callable[[], int]
    hyperparameters: Callable[[], Hyperparameters]
    export: Callable[[], Awaitable[Exported]]


def counted(typed: str, of: str, least: int, most: int) -> int:
    """What was typed as a number `of` something. Raises `InvalidValue`."""
    if not typed.isascii() or not typed.isdigit() or not least <= int(typed) <= most:
        raise InvalidValue(f"{clean(typed, 20) or of}: expected a number of {of} from {least:,} to {most:,}")
    return int(typed)


class ForkScreen(ModalScreen[Adopt | None], SettlingScreen[Adopt | None]):
    """Forks from a departure; dismissed with what is adopted."""

    # With priority, or what is typed right after them would still go to the line that is left.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "app.focus_next", show=False, priority=True),
        Binding("shift+tab", "app.focus_previous", show=False, priority=True),
    ]

    def __init__(self, departure: Departure) -> None:
        super().__init__()
        self.departure = departure
        self.departed = False
        """Whether it is on its way: a line that is entered once more comes too late."""
        self.origin: Exported | None = None
        """The place, once it is written down."""

    def depart(self) -> None:
        """Have the place written down; `begin` or `fail` comes next."""
        self.departed = True
        for each in self.query(Input):
            each.disabled = True
        self._depart()

    @work(exclusive=True, group="departure")
    async def _depart(self) -> None:
        try:
            self.origin = await self.departure.export()
        except CannotDepart as error:
            self.fail(str(error))
        else:
            self.begin(self.origin)

    def begin(self, origin: Exported) -> None:
        """Start the forks: the place is written down."""
        raise NotImplementedError

    def fail(self, reason: str) -> None:
        """Say that the place could not be written down."""
        raise NotImplementedError
