"""The twin of a run: the same preset, seed and edits, with batch norm where this has none, or without it."""

from __future__ import annotations

import time

from workbench.engine.events import Finished
from workbench.files.text import clean, literal
from workbench.protocol.reports import Refused, Report
from workbench.protocol.requests import Begin, RunTo
from workbench.runtime.forks import ENDS, converse
from workbench.session.branch import Branch
from workbench.session.format import session_to_toml
from workbench.session.session import Session
from workbench.session.timeline import scheduled
from workbench.ui.actions import Performers, key_names
from workbench.ui.doors.notice import notify
from workbench.ui.engine_link import EngineLink
from workbench.ui.state.monitor import Monitor

GROUP = "twin"


class Twin:
    """Trains the twin in an engine of its own, up to where the run stands, and keeps what it tells beside the run."""

    def __init__(self, link: EngineLink) -> None:
        """The twin of the run of `link`."""
        self._link = link

    @property
    def performers(self) -> Performers:
        """What it does of the table of actions."""
        return {"view.twin": self.toggle}

    def toggle(self) -> None:
        """Train the twin, or forget it."""
        link, monitor = self._link, self._link.monitor
        if monitor.twin is not None:
            link.workers.cancel_group(link, GROUP)
            monitor.twin = None
            monitor.revision += 1
        elif not monitor.step:
            notify(link, literal("There is no step to train a twin to yet."))
        else:
            twin = twin_of(link.session, monitor.branch)
            conflicts = twin.preset.conflicts()
            if conflicts:
                notify(link, clean(f"No twin: {': '.join(conflicts[0])}", 300), severity="warning")
            else:
                monitor.twin = Monitor.of(twin)
                forget = key_names(link.app).fill("{view.twin} forgets it.")
                notify(link, clean(f"The twin trains {_which(twin)} batch norm, to step {monitor.step:,}. {forget}"))
                training = self._train(twin, monitor.twin, monitor.step)
                link.run_worker(training, group=GROUP, exclusive=True)

    async def _train(self, twin: Session, known: Monitor, step: int) -> None:
        def heard(report: Report) -> None:
            known.record(report, time.monotonic())
            monitor = self._link.monitor
            if known is monitor.twin:
                monitor.revision += 1
                self._tell(report, twin)

        begin = Begin(session_to_toml(twin), "", "", paused=True)
        await converse((begin, RunTo(step)), (*ENDS, Refused), heard)

    def _tell(self, report: Report, twin: Session) -> None:
        link, which = self._link, _which(twin)
        if isinstance(report, Finished):
            dev = f", dev {report.dev.data_cost:.4g}" if report.dev is not None else ""
            costs = f"data cost on train {report.train.data_cost:.4g}{dev}"
            notify(link, clean(f"The twin {which} batch norm has come to step {report.step:,}: {costs}"))
        elif isinstance(report, Refused):
            notify(link, clean(f"No twin: {report.problems}", 300), severity="warning")
        elif isinstance(report, ENDS):
            stopped = f"The twin {which} batch norm stopped by itself after step {report.step:,}."
            notify(link, clean(stopped), severity="warning")


def twin_of(session: Session, branch: Branch) -> Session:
    """The twin of a run that has come to the tip of `branch`: the edits are its plan, so that it makes them at the same steps."""
    here = session.with_branch(edits=branch.edits, step=branch.step)
    planned = scheduled(here, (), session.preset.name)
    return Session(preset=planned.with_value("batch_norm", not planned.network.batch_norm), seed=session.seed)


def _which(twin: Session) -> str:
    return "with" if twin.preset.network.batch_norm else "without"
