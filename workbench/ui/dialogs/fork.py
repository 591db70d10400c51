"""What the screens that fork a run have in common: a place to fork from, written down by the run's own engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.screen import ModalScreen
from textual.widgets import Input

from workbench.protocol.reports import Exported, Report, SaveFailed
from workbench.protocol.requests import Adopt, Export
from workbench.runtime.forks import Forks
from workbench.spec import Value
from workbench.ui.screens.screen import SettlingScreen

if TYPE_CHECKING:
    from workbench.ui.screens.travel import TravelScreen


class ForkScreen(ModalScreen[Adopt | None], SettlingScreen[Adopt | None]):
    """Forks from where the run of the screen below stands, or from an earlier step; returns what is adopted."""

    def __init__(self, below: TravelScreen, step: int | None) -> None:
        """`step` is None for where the run stands."""
        super().__init__()
        self.below, self.step = below, step
        self.room: Forks | None = None
        self.origin: Exported | None = None

    @property
    def values(self) -> dict[str, Value]:
        """The hyperparameters in force there."""
        return self.below.monitor.hyperparameters if self.step is None else self.below.hyperparameters_at(self.step)

    def depart(self) -> None:
        """Have the place written down; `begin` or `fail` comes next."""
        self.room = Forks()
        for each in self.query(Input):
            each.disabled = True
        self.below.send(Export(str(self.room.path), -1 if self.step is None else self.step))

    def heard(self, report: Report) -> None:
        """Told everything that the run's engine reports, of which little is meant for this."""
        if self.room is None or not isinstance(report, (Exported, SaveFailed)) or report.path != str(self.room.path):
            return
        if isinstance(report, SaveFailed):
            self.fail(report.reason)
        else:
            self.origin = report
            self.begin()

    def begin(self) -> None:
        """Start the forks: the place is written down."""
        raise NotImplementedError

    def fail(self, reason: str) -> None:
        """Say that the place could not be written down."""
        raise NotImplementedError

    def on_unmount(self) -> None:
        """Leave no files."""
        if self.room is not None:
            self.room.close()
