"""What if: copies of the run with other values, trained side by side on the same mini-batches, and compared."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Footer

from workbench.files.text import SafeText, clean, literal
from workbench.hyperparameters import get
from workbench.protocol.reports import Exported, Report
from workbench.protocol.requests import Adopt
from workbench.runtime.forks import train
from workbench.spec import InvalidValue
from workbench.ui.dialogs.fork import Departure, ForkScreen, counted
from workbench.ui.doors.border import set_title
from workbench.ui.doors.input import Input
from workbench.ui.doors.table import DataTable
from workbench.ui.doors.text import Static, Text
from workbench.ui.state.comparison import CannotFork, Changes, Difference, Fork, difference, gap_curve, over_repeats, parse_forks
from workbench.ui.state.drawing import Drawing, Line
from workbench.ui.state.palette import branch_hue, branch_marker, style
from workbench.ui.state.quantities import lettered
from workbench.ui.state.wording import shown, symbol
from workbench.ui.widgets.chart import Chart

STEPS = 200
BETA = 0.9
MOST_STEPS, MOST_REPEATS = 1_000_000, 50
SUGGESTION = literal("learning_rate=/3; -; learning_rate=x3")
CHOOSE = "↑ ↓ choose a fork, Enter adopts it, Escape drops all."
COLUMNS = ("", "what", "state", "data cost", "less parent", "dev data cost", "less parent ")
HOW = (
    "Forks with ; between them, each NAME=VALUE … (3e-4, x3, /3), or - for no change. Enter trains them, Tab goes on. "
    "Costs are the data's, without penalty; ± is 95 %: of this run, or over repeats on other mini-batches."
)


class WhatIfScreen(ForkScreen):
    """A line to say what to try, then curves and a table; returns what is adopted."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "adopt", "Adopt it"),
        Binding("escape", "dismiss(None)", "Drop all", key_display="esc"),
    ]

    def __init__(self, departure: Departure) -> None:
        super().__init__(departure)
        self._values = departure.hyperparameters()
        self._forks: list[Fork] = []
        self._repeats: list[list[Fork]] = []
        self._settled: dict[tuple[int, int], Difference] = {}
        """By fork and repeat, where it and the parent have ended: it is not reckoned again at each redraw."""
        self._baseline = 0
        self._steps = STEPS
        self._news = False

    def compose(self) -> ComposeResult:
        """The line, the charts, the table."""
        with Vertical(id="whatif") as box:
            set_title(box, _from(self.departure.step()))
            yield Static(Text(HOW), id="whatif-how")
            with Horizontal(id="whatif-form"):
                yield Input(SUGGESTION, id="whatif-forks", max_length=2000)
                yield Input(clean(str(STEPS)), id="whatif-steps", type="integer", max_length=7)
                yield Input(literal("1"), id="whatif-repeats", type="integer", max_length=2)
            with Horizontal(id="whatif-charts"):
                yield Chart(id="whatif-cost")
                yield Chart(id="whatif-gap")
            yield DataTable(id="whatif-table")
            yield Footer()

    def on_mount(self) -> None:
        """Empty charts, and the line to type on."""
        cost, gap = self.query_one("#whatif-cost", Chart), self.query_one("#whatif-gap", Chart)
        set_title(cost, literal("Data cost, smoothed"))
        cost.draw(Drawing(empty=literal("  nothing is trained yet")))
        set_title(gap, literal("Data cost less the parent's"))
        gap.draw(Drawing(empty=literal("  on the same mini-batches")))
        forks = self.query_one("#whatif-forks", Input)
        set_title(forks, literal("forks"))
        set_title(self.query_one("#whatif-steps"), literal("steps"))
        set_title(self.query_one("#whatif-repeats"), literal("repeats"))
        forks.focus()
        self.set_interval(0.2, self._redraw)

    # -- forks --------------------------------------------------------------------------------------------------------

    @on(Input.Submitted)
    def _submitted(self) -> None:
        if self.departed:
            return
        self._values = self.departure.hyperparameters()  # it may have gone on since
        try:
            forks = parse_forks(self.query_one("#whatif-forks", Input).value, self._values)
            steps = counted(self.query_one("#whatif-steps", Input).value, "steps", 1, MOST_STEPS)
            repeats = counted(self.query_one("#whatif-repeats", Input).value, "repeats", 1, MOST_REPEATS)
        except (CannotFork, InvalidValue) as error:
            self._say(f"✗ {error}")
            return
        self._say(f"Training … {CHOOSE}")
        self._steps = steps
        unchanged = [i for i, changes in enumerate(forks) if not self._differing(changes)]
        self._forks = [Fork(changes) for changes in forks]
        if not unchanged:
            self._forks.append(Fork(()))
        self._baseline = unchanged[0] if unchanged else len(forks)
        self._repeats = [self._forks, *([Fork(fork.changes) for fork in self._forks] for _ in range(repeats - 1))]
        self._fill_table()
        self.query_one(DataTable).focus()
        self.depart()

    def _say(self, text: str) -> None:
        self.query_one("#whatif-how", Static).update(Text(clean(text, 300)))

    def _differing(self, changes: Changes) -> Changes:
        """The changes that change something."""
        return tuple(each for each in changes if get(self._values, each.name) != each.value)

    def begin(self, origin: Exported) -> None:
        """Train the forks."""
        set_title(self.query_one("#whatif"), _from(origin.step))
        self._train(origin)

    def fail(self, reason: str) -> None:
        """There is nowhere to fork from."""
        self._say(f"✗ {reason}")

    @work(exclusive=True)
    async def _train(self, origin: Exported) -> None:
        changes = [self._differing(fork.changes) for fork in self._forks]
        await train(origin, changes, origin.step + self._steps, self._heard, len(self._repeats))

    def _heard(self, number: int, repeat: int, report: Report) -> None:
        self._repeats[repeat][number].record(report)
        self._news = True

    def action_adopt(self) -> None:
        """Take the chosen fork's changes over."""
        row = self.query_one(DataTable).cursor_row
        if self.origin is None or not 0 <= row < len(self._forks):
            return
        if not len(self._forks[row].cost):
            self._say("This fork has not taken a step yet. ↑ ↓ choose, Enter adopts, Escape drops all.")
            return
        changes = self._differing(self._forks[row].changes)
        self.dismiss(Adopt(self.origin.step, self.origin.edits, changes) if changes else None)

    @on(DataTable.RowSelected)
    def _row_selected(self) -> None:
        self.action_adopt()

    # -- what is seen -------------------------------------------------------------------------------------------------

    def _fill_table(self) -> None:
        table = self.query_one(DataTable)
        for column in COLUMNS:
            table.add_column(Text(column), key=column)
        for number, fork in enumerate(self._forks):
            table.add_row(*self._row(number, fork), key=str(number))
        table.move_cursor(row=self._baseline)

    def _redraw(self) -> None:
        if not self._news:
            return
        self._news = False
        if all(fork.ended for forks in self._repeats for fork in forks):
            self._say(f"All done. {CHOOSE}")
        table = self.query_one(DataTable)
        for number, fork in enumerate(self._forks):
            for column, cell in zip(COLUMNS, self._row(number, fork), strict=True):
                table.update_cell(str(number), column, cell, update_width=True)
        start = self.origin.step if self.origin is not None else 0
        curves: list[Line] = []
        gaps: list[Line] = []
        for number, fork in enumerate(self._forks):
            curves += _lines(start, fork.smoothed(BETA), number)
            if number != self._baseline:
                gaps += _lines(start, gap_curve(fork, self._forks[self._baseline], BETA), number)
        self.query_one("#whatif-cost", Chart).draw(Drawing(tuple(curves)))
        self.query_one("#whatif-gap", Chart).draw(Drawing(tuple(gaps), level=0.0))

    def _done(self, number: int) -> int:
        """How many repeats of a fork have come to their end."""
        return sum(forks[number].finished is not None for forks in self._repeats)

    def _difference(self, number: int) -> Difference:
        """Of a fork from the parent: of this run, or, where there are several, of the repeats that both have ended."""
        for repeat, forks in enumerate(self._repeats):
            fork, parent = forks[number], forks[self._baseline]
            if (number, repeat) not in self._settled and fork.finished is not None and parent.finished is not None:
                self._settled[number, repeat] = difference(fork, parent)
        ended = [gap for (of, _), gap in self._settled.items() if of == number]
        if len(ended) < 2:
            return difference(self._forks[number], self._forks[self._baseline])
        return over_repeats(ended)

    def _row(self, number: int, fork: Fork) -> list[Text]:
        changes = self._differing(fork.changes)
        what = ", ".join(f"{symbol(each.name)} {shown(each.value)}" for each in changes) or "the parent"
        done = len(fork.cost)
        state = f"{fork.state} {done:,}/{self._steps:,}" if fork.state == "training" else fork.state
        gap = self._difference(number) if number != self._baseline else None
        if len(self._repeats) > 1 and fork.state == "done":
            state = f"repeat {self._done(number)}/{len(self._repeats)}"
        dev = fork.finished.dev.data_cost if fork.finished is not None and fork.finished.dev is not None else math.nan
        cost = float(np.nanmean(fork.cost[done // 2 :])) if done else math.nan
        cells = (
            Text(f"{branch_marker(number)}━", style(branch_hue(number), self.app.current_theme.dark)),
            Text(what),
            Text(clean(f"{state}: {fork.reason}" if fork.reason else state, 60)),
            Text(_figure(cost), justify="right"),
            Text(_gap(gap.cost, gap.cost_half, gap.repeats) if gap else "", justify="right"),
            Text(_figure(dev), justify="right"),
            Text(_gap(gap.dev, gap.dev_half, gap.repeats) if gap else "", justify="right"),
        )
        return list(cells)


def _from(step: int) -> SafeText:
    return clean(f"What if … from step {step:,}")


def _gap(mean: float, half: float, repeats: int) -> SafeText:
    """A difference with its 95 % interval, where there is one, and of what it is."""
    interval = f" ± {_figure(half)}" if math.isfinite(half) else ""
    return clean(f"{_figure(mean, '+')}{interval}{f' of {repeats}' if repeats > 1 else ''}")


def _figure(x: float, sign: str = "") -> str:
    return f"{x:{sign}.3g}" if math.isfinite(x) else "–"


def _lines(start: int, values: NDArray[np.float64], number: int) -> tuple[Line, ...]:
    if not len(values):
        return ()
    keep = np.unique(np.linspace(0, len(values) - 1, 200).astype(int))
    return lettered((start + 1 + keep).astype(float), values[keep], number, max(1, len(keep) // 5))
