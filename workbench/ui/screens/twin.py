"""The twin of a run: the same preset, seed and edits, with batch norm where this has none, or without it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import ClassVar

from textual import work
from textual.app import SystemCommand
from textual.binding import Binding, BindingType

from workbench.engine.events import Finished
from workbench.files.text import clean
from workbench.protocol.reports import Refused, Report
from workbench.protocol.requests import Begin, RunTo
from workbench.runtime.forks import ENDS, converse
from workbench.session.format import session_to_toml
from workbench.session.session import Session
from workbench.session.timeline import scheduled
from workbench.ui.screens.viewing import ViewingScreen
from workbench.ui.state.monitor import Monitor


class TwinScreen(ViewingScreen):
    """Trains the twin in an engine of its own, up to where the run stands, and keeps what it tells beside the run."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "m", "twin", "Twin", show=False, id="view.twin",
            tooltip="The same run without batch norm (or with it), trained beside this one: drift side by side",
        ),
    ]  # fmt: skip

    def action_twin(self) -> None:
        """Train the twin, or forget it."""
        monitor = self.monitor
        if monitor.twin is not None:
            self.workers.cancel_group(self, "twin")
            monitor.twin = None
            monitor.revision += 1
        elif not monitor.step:
            self.notify("There is no step to train a twin to yet.")
        else:
            twin = self._twin()
            conflicts = twin.preset.conflicts()
            if conflicts:
                self.notify(f"No twin: {clean(': '.join(conflicts[0]), 300)}", severity="warning", markup=False)
            else:
                monitor.twin = Monitor.of(twin)
                self.notify(f"The twin trains {_which(twin)} batch norm, to step {monitor.step:,}. m forgets it.")
                self._train_twin(twin, monitor.twin, monitor.step)

    def _twin(self) -> Session:
        """The edits so far are its plan, so that it makes them at the same steps."""
        monitor = self.monitor
        here = self._session.with_branch(edits=tuple(monitor.edits), step=monitor.step)
        planned = scheduled(here, (), self._session.preset.name)
        return Session(preset=planned.with_value("batch_norm", not planned.network.batch_norm), seed=self._session.seed)

    @work(exclusive=True, group="twin", exit_on_error=False)
    async def _train_twin(self, twin: Session, known: Monitor, step: int) -> None:
        def heard(report: Report) -> None:
            known.record(report, time.monotonic())
            if known is self.monitor.twin:
                self.monitor.revision += 1
                self._told(report, twin)

        begin = Begin(session_to_toml(twin), "", "", paused=True)
        await converse((begin, RunTo(step)), (*ENDS, Refused), heard)

    def _told(self, report: Report, twin: Session) -> None:
        if isinstance(report, Finished):
            dev = f", dev cost {report.dev.cost:.4g}" if report.dev is not None else ""
            costs = f"train cost {report.train.cost:.4g}{dev}"
            self.notify(f"The twin {_which(twin)} batch norm has come to step {report.step:,}: {costs}")
        elif isinstance(report, Refused):
            self.notify(f"No twin: {clean(report.problems, 300)}", severity="warning", markup=False)
        elif isinstance(report, ENDS):
            self.notify(f"The twin {_which(twin)} batch norm stopped by itself after step {report.step:,}.", severity="warning")

    def commands(self) -> Iterable[SystemCommand]:
        """Every action, for the command palette."""
        yield from super().commands()
        yield SystemCommand("Twin: the same run without batch norm, or with it", "m", self.action_twin)


def _which(twin: Session) -> str:
    return "with" if twin.preset.network.batch_norm else "without"
