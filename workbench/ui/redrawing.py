"""When panels are drawn anew: those in sight, in turn, and only where something has changed."""

from __future__ import annotations

import time

from workbench.protocol.reports import Arrived, Begun, Inspected, Report
from workbench.protocol.requests import Inspect
from workbench.ui.engine_link import EngineLink
from workbench.ui.panels.panel import Panel
from workbench.ui.state.monitor import Monitor

INSPECT_SECONDS = 0.5
"""How often the engine is asked for what is too dear to be told of by itself."""
State = tuple[Monitor, int]


class Redrawing:
    """Lets panels catch up with the monitor one after the other, so that a key never waits for all of them."""

    def __init__(self, link: EngineLink, panels: list[Panel]) -> None:
        self._link, self._panels = link, panels
        self._drawn: dict[Panel, State] = {}
        self._turn = 0

    def forget(self) -> None:
        """What was drawn had another size, or another past."""
        self._drawn.clear()

    def all(self) -> None:
        """Draw everything in sight that is not up to date."""
        for panel in self._panels:
            self._draw(panel)

    def next(self) -> None:
        """Draw the next that is not."""
        for _ in self._panels:
            self._turn = (self._turn + 1) % len(self._panels)
            if self._draw(self._panels[self._turn]):
                return

    def _draw(self, panel: Panel) -> bool:
        """Whether there was something new to draw."""
        monitor = self._link.monitor
        now = monitor, monitor.revision
        if not panel.is_on_screen or self._drawn.get(panel) == now:
            return False
        self._drawn[panel] = now
        panel.show(monitor)
        return True


class Inspections:
    """Asks the engine for what the panels in sight need and it does not tell of by itself; never twice at once."""

    def __init__(self, link: EngineLink, panels: list[Panel]) -> None:
        self._link, self._panels = link, panels
        self._waiting, self._asked = False, 0.0
        self._seen: tuple[int, tuple[str, ...], str] | None = None
        link.listen(self._heard)

    def ask(self) -> None:
        """Ask, where something has changed since."""
        now, monitor = time.monotonic(), self._link.monitor
        wanted = tuple(dict.fromkeys(panel.NEEDS for panel in self._panels if panel.NEEDS and panel.is_on_screen))
        state = (monitor.step, wanted, monitor.current)
        if not wanted or monitor.begun is None or self._waiting or now - self._asked < INSPECT_SECONDS or state == self._seen:
            return
        self._seen, self._asked = state, now
        self._waiting = self._link.send(Inspect(wanted))

    def _heard(self, report: Report) -> None:
        """An inspection was answered: the next may be asked for. Elsewhere, everything is to be looked at again."""
        if isinstance(report, (Inspected, Begun)):
            self._waiting = False
        if isinstance(report, (Arrived, Begun)):
            self._seen = None
