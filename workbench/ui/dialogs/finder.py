"""The learning-rate finder: cost against α as α rises, and where it falls fastest."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Footer

from workbench.engine.commands import SetHyperparameter
from workbench.engine.rate_finder import BETA
from workbench.files.text import clean, literal
from workbench.hyperparameters import TABLE
from workbench.nn.ewma import smooth
from workbench.protocol.reports import Exported, RateFound, RateTried, Refused, Report
from workbench.protocol.requests import Adopt, FindRate
from workbench.runtime.forks import find_rate
from workbench.spec import InvalidValue
from workbench.ui.dialogs.fork import Departure, ForkScreen, counted
from workbench.ui.doors.border import set_title
from workbench.ui.doors.input import Input
from workbench.ui.doors.text import Static, Text
from workbench.ui.state.drawing import Drawing, Line, Mark
from workbench.ui.state.palette import Hue
from workbench.ui.state.wording import shown
from workbench.ui.widgets.chart import Chart

LOW, HIGH, STEPS = literal("1e-6"), literal("1"), literal("150")
FEWEST_STEPS, MOST_STEPS = 10, 100_000
HOW = "α rises from the first value to the second over so many steps, in a copy of the run. Enter begins."


class FinderScreen(ForkScreen):
    """Three numbers, then a curve; returns the rate that is adopted."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "adopt", "Adopt α"),
        Binding("left", "move(-1)", "Lower"),
        Binding("right", "move(1)", "Higher"),
        Binding("escape", "dismiss(None)", "Drop it", key_display="esc"),
    ]

    def __init__(self, departure: Departure) -> None:
        super().__init__(departure)
        self._request = FindRate(0.0, 0.0, 0)
        self._rates: list[float] = []
        self._costs: list[float] = []
        self._chosen = math.nan

    def compose(self) -> ComposeResult:
        """The numbers and the chart."""
        with Vertical(id="finder") as box:
            set_title(box, literal("Learning-rate finder"))
            yield Static(Text(HOW), id="finder-how")
            with Horizontal(id="finder-form"):
                yield Input(LOW, id="finder-low", max_length=12)
                yield Input(HIGH, id="finder-high", max_length=12)
                yield Input(STEPS, id="finder-steps", type="integer", max_length=6)
            yield Chart(id="finder-chart")
            yield Footer()

    def on_mount(self) -> None:
        """Begin with the numbers."""
        chart = self.query_one(Chart)
        set_title(chart, literal("Cost against α (log): · each mini-batch  ━ smoothed"))
        chart.draw(Drawing(empty=literal("  nothing is tried yet")))
        set_title(self.query_one("#finder-low"), literal("from α"))
        set_title(self.query_one("#finder-high"), literal("to α"))
        set_title(self.query_one("#finder-steps"), literal("steps"))
        self.query_one("#finder-low", Input).focus()

    @on(Input.Submitted)
    def _submitted(self) -> None:
        if self.departed:
            return
        spec = TABLE["learning_rate"]
        try:
            ends = [self.query_one(f"#finder-{end}", Input).value for end in ("low", "high")]
            low, high = (float(str(spec.check(spec.parse(end)))) for end in ends)
            steps = counted(self.query_one("#finder-steps", Input).value, "steps", FEWEST_STEPS, MOST_STEPS)
            if not low < high:
                raise InvalidValue("expected the second rate to be above the first")
        except InvalidValue as error:
            self._say(f"✗ {error}")
            return
        self._request = FindRate(low, high, steps)
        self.query_one(Chart).focus()
        self._say("Trying …")
        self.depart()

    def _say(self, text: str) -> None:
        self.query_one("#finder-how", Static).update(Text(clean(text, 400)))

    def begin(self, origin: Exported) -> None:
        """Try the rates."""
        self._try(origin)

    def fail(self, reason: str) -> None:
        """There is nowhere to try them."""
        self._say(f"✗ {reason}")

    @work(exclusive=True)
    async def _try(self, origin: Exported) -> None:
        await find_rate(origin, self._request, self._heard)

    def _heard(self, report: Report) -> None:
        match report:
            case RateTried():
                self._rates += report.learning_rate.tolist()
                self._costs += report.cost.tolist()
                self._draw()
            case RateFound(problem=problem) if problem:
                self._say(f"✗ {problem}")
            case RateFound(steepest=steepest):
                self._found(steepest)
            case Refused(problems=problems):
                self._say(f"✗ {problems}")
            case _:
                pass

    def _found(self, steepest: float) -> None:
        if math.isfinite(steepest):
            self._chosen = float(f"{steepest:.2g}")
            self._say(f"The cost falls fastest at α = {shown(self._chosen)}. ← → move, Enter adopts it, Escape drops it.")
        elif self._rates:
            self._chosen = float(f"{self._rates[int(np.argmin(self._costs))]:.2g}")
            self._say("The cost falls nowhere: these rates are too small, too large, or there is nothing left to learn.")
        else:
            self._say("✗ Even the first rate gave no finite cost.")
        self._draw()

    def _draw(self) -> None:
        logs = np.log10(self._rates)
        smoothed = smooth(np.array(self._costs), BETA)[1]
        lines = (Line(logs.tolist(), self._costs, "·", Hue.GREY), Line(logs.tolist(), smoothed.tolist(), "braille", Hue.BLUE))
        marks = (Mark(math.log10(self._chosen), clean(f"α {shown(self._chosen)}")),) if math.isfinite(self._chosen) else ()
        self.query_one(Chart).draw(Drawing(lines, marks, powers=True))

    def action_move(self, by: int) -> None:
        """Choose a lower or a higher rate."""
        if math.isfinite(self._chosen):
            self._chosen = float(str(TABLE["learning_rate"].stepped(self._chosen, by)))
            self._draw()

    def action_adopt(self) -> None:
        """Take the chosen rate over."""
        if self.origin is not None and math.isfinite(self._chosen):
            change = SetHyperparameter("learning_rate", self._chosen)
            self.dismiss(Adopt(self.origin.step, self.origin.edits, (change,)))
