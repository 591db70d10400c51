"""A cursor over the steps of a run: one line that reads what the curves say at a step, moved by keys."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
from textual.binding import BindingType
from textual.message import Message
from textual.widget import Widget

from workbench.engine.history import Series
from workbench.ui.actions import CURSOR, KeyNames, bindings, key_names
from workbench.ui.doors.text import Static, Text
from workbench.ui.state.monitor import Monitor
from workbench.ui.state.wording import shown

HOW = (
    "  {cursor.choose} goes there, {cursor.leave} leaves; "
    "{cursor.back} {cursor.on} {cursor.step_back} {cursor.step_on} {cursor.best}"
)
PARTS = 100
"""An arrow moves by this part of the run, a page by a tenth of it."""


class StepCursor(Static, can_focus=True):
    """Hidden until it is opened; while it is open, all charts show where it stands."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings(CURSOR)]

    class Moved(Message):
        """The cursor stands at another step; None where it was closed."""

        def __init__(self, step: int | None) -> None:
            super().__init__()
            self.step = step

    class Chosen(Message):
        """Go to this step."""

        def __init__(self, step: int) -> None:
            super().__init__()
            self.step = step

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._monitor: Monitor | None = None
        self._step = 0
        self._before: Widget | None = None
        self.display = False

    def open(self, monitor: Monitor) -> None:
        """Begin at the last step, or where the cursor stood."""
        self._monitor = monitor
        self._step = monitor.cursor if monitor.cursor is not None else monitor.step
        if not self.display:
            self._before = self.screen.focused
        self.display = True
        self.focus()
        self.action_by(0)

    def put(self, monitor: Monitor, step: int) -> None:
        """Open at a step, which a click has chosen."""
        monitor.cursor = step
        self.open(monitor)

    def action_move(self, by: int) -> None:
        """By a hundredth of the run."""
        assert self._monitor is not None
        self.action_by(by * max(1, self._monitor.reach // PARTS))

    def action_by(self, steps: int) -> None:
        """By so many steps."""
        self.action_to(self._step + steps)

    def action_to(self, step: int) -> None:
        """To a step."""
        assert self._monitor is not None
        self._step = self._monitor.cursor = min(max(step, 0), self._monitor.reach)
        self.update(reading(self._monitor, self._step, key_names(self.app)))
        self.post_message(self.Moved(self._step))

    def action_end(self) -> None:
        """To the last step."""
        assert self._monitor is not None
        self.action_to(self._monitor.reach)

    def action_best(self) -> None:
        """To the best dev cost."""
        assert self._monitor is not None
        if self._monitor.best is not None:
            self.action_to(self._monitor.best.step)

    def action_choose(self) -> None:
        """Go there."""
        self.post_message(self.Chosen(self._step))
        self.action_close()

    def action_close(self) -> None:
        """Hide it; the keys go back to the panels."""
        if self.display:
            self.display = False
            self.post_message(self.Moved(None))
            if self.has_focus and self._before is not None and self._before.is_attached:
                self._before.focus()

    def follow(self, monitor: Monitor) -> None:
        """Close where the run has gone elsewhere: the steps are not the same ones any more."""
        if self.display and (monitor is not self._monitor or monitor.cursor is None):
            self.action_close()


def reading(monitor: Monitor, step: int, keys: KeyNames) -> Text:
    """What the curves say at a step, the keys first: they are needed where there is little room."""
    text = Text(" ", no_wrap=True, overflow="ellipsis")
    text.append(f"◂ step {step:,} of {monitor.reach:,} ▸", "reverse bold")
    series = monitor.history.series if step <= monitor.step else monitor.curves.get(monitor.redo_branch, {})
    text.append(keys.fill(HOW), "dim")
    for name, label in (("cost", "cost"), ("dev_cost", "dev"), ("dev_error", "dev error"), ("learning_rate", "α")):
        value = at(series[name], step) if name in series else math.nan
        if math.isfinite(value):
            text.append(f"  {label} {shown(float(f'{value:.3g}'))}")
    return text


def at(series: Series, step: int) -> float:
    """The value at a step, or the last before it; NaN where there is none."""
    curve = series.curve()
    place = int(np.searchsorted(curve.step, step + 0.5)) - 1
    return float(curve.mean[place]) if 0 <= place < len(curve.mean) else math.nan
