"""The two charts: cost, and one of error, learning rate or gradient norms."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from textual.app import ComposeResult
from textual.reactive import reactive

from workbench.engine.history import Curve
from workbench.nn.ewma import smooth
from workbench.session.branches import parting
from workbench.session.text import clean
from workbench.ui.monitor import GUARD, NOTE, Entry, Monitor, symbol
from workbench.ui.panels.panel import Panel
from workbench.ui.widgets.chart import Chart, Drawing, Line, Mark, Rgb

# Okabe and Ito's colours can be told apart with every kind of colour blindness; markers differ as well.
BLUE: Rgb = (86, 180, 233)
ORANGE: Rgb = (230, 159, 0)
GREEN: Rgb = (0, 158, 115)
PURPLE: Rgb = (204, 121, 167)
GREY: Rgb = (120, 120, 120)
LAYER_COLORS = (BLUE, ORANGE, GREEN, PURPLE, (240, 228, 66), (213, 94, 0))

BRANCH_COLORS: tuple[Rgb, ...] = ((213, 94, 0), GREEN, PURPLE, (240, 228, 66), (0, 114, 178), ORANGE, (180, 180, 180), BLUE)

BETAS = (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999)
LONGEST_LABEL = 28
WAITING = "  waiting for the first steps …"


def branch_color(number: int) -> Rgb:
    """The colour of the branch, or fork, of that number from 0: the same wherever it is drawn."""
    return BRANCH_COLORS[number % len(BRANCH_COLORS)]


def branch_marker(number: int) -> str:
    """Its letter, which tells it apart without colours."""
    return chr(ord("a") + number % 26)


def lettered(x: NDArray[np.float64], y: NDArray[np.float64], number: int, apart: int) -> tuple[Line, Line]:
    """A branch's curve in its colour, with its letter on it now and then."""
    color = branch_color(number)
    letters = slice(apart // 2, None, apart)
    return (
        Line(x.tolist(), y.tolist(), "braille", color),
        Line(x[letters].tolist(), y[letters].tolist(), branch_marker(number), color, joined=False),
    )


def marks(monitor: Monitor) -> tuple[Mark, ...]:
    """A mark for each entry of the timeline, those of one step together, and for the cursor."""
    texts: dict[int, list[str]] = {}
    if monitor.cursor is not None:
        texts[monitor.cursor] = [f"◂▸ {monitor.cursor:,}"]
    for entry in monitor.entries:
        texts.setdefault(entry.step, []).append(_label(entry))
    labels = {step: ", ".join(dict.fromkeys(each)) for step, each in texts.items()}
    return tuple(Mark(float(step), clean(labels[step], LONGEST_LABEL)) for step in sorted(labels))


def _label(entry: Entry) -> str:
    if entry.name == GUARD:
        return "✗ guard"
    if entry.name == NOTE:
        return f"✎ {entry.text}"
    new = entry.text.rpartition("→ ")[2].split(" (")[0]
    return f"{symbol(entry.name)} {new}"



def cursor_only(monitor: Monitor) -> tuple[Mark, ...]:
    """The mark of the cursor, where it is shown."""
    return () if monitor.cursor is None else (Mark(float(monitor.cursor), f"◂▸ {monitor.cursor:,}"),)


def band(curve: Curve) -> tuple[list[float], list[float]]:
    """The curve from least to greatest value of each bucket and on to the next, so that no spike is lost."""
    x = np.repeat(curve.step, 2)
    y = np.empty(len(x))
    y[0::2], y[1::2] = curve.low, curve.high
    return x.tolist(), y.tolist()


class CostPanel(Panel):
    """J of every mini-batch, its exponentially weighted average, and the dev cost."""

    TITLE = "2 Cost"
    HELP = (
        "The raw cost of each mini-batch (· shadow, least to greatest), its exponentially weighted average v = βv + (1-β)θ "
        "over about the last 1/(1-β) steps (━ line), and the dev cost of each evaluation (◆). Divided by 1 - Πβ the average does "
        "not start from 0; without this correction it is biased at first. Vertical lines are your edits. [ and ] change β, b the "
        "correction, l the axis."
    )
    beta_index: reactive[int] = reactive(5)
    corrected: reactive[bool] = reactive(True)
    log_axis: reactive[bool] = reactive(False)

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._monitor: Monitor | None = None

    def compose(self) -> ComposeResult:
        """One chart."""
        yield Chart(id="cost-chart")

    def on_mount(self) -> None:
        """Say on the border what is drawn."""
        self._describe()

    @property
    def beta(self) -> float:
        """β of the average."""
        return BETAS[self.beta_index]

    def _describe(self) -> None:
        last = round(1 / (1 - self.beta))
        kind = "corrected" if self.corrected else "biased"
        self.border_title = f"{self.TITLE}{' (log)' if self.log_axis else ''}"
        branches, compared = (self._monitor.branches, self._monitor.compared) if self._monitor is not None else ({}, ())
        letters = [f"  {branch_marker(n)} {clean(name, 16)}" for n, name in enumerate(branches) if name in compared]
        self.border_subtitle = f"· raw  ━ EWMA β {self.beta:g} ≈ last {last:,} steps, {kind}  ◆ dev{''.join(letters[:4])}"

    def watch_beta_index(self) -> None:
        """Smooth anew."""
        self._again()

    def watch_corrected(self) -> None:
        """Smooth anew."""
        self._again()

    def watch_log_axis(self) -> None:
        """Draw on the other axis."""
        self._again()

    def _again(self) -> None:
        if self.is_mounted:
            self._describe()
            if self._monitor is not None:
                self.show(self._monitor)

    def show(self, monitor: Monitor) -> None:
        """Draw the curves as they are now."""
        self._monitor = monitor
        chart = self.query_one(Chart)
        series = monitor.history.series
        if not len(series["cost"]):
            chart.draw(Drawing(empty=WAITING))
            return
        # Smoothed over all buckets, then thinned: a bucket's count says how many steps it weighs.
        full = series["cost"].curve()
        biased, corrected = smooth(full.mean, self.beta, full.count)
        average = corrected if self.corrected else biased
        keep = np.unique(np.linspace(0, len(full.step) - 1, 2 * chart.columns).astype(int))
        x, y = band(series["cost"].curve(columns=chart.columns))
        lines = [
            Line(x, y, "·", GREY),
            Line(full.step[keep].tolist(), average[keep].tolist(), "braille", BLUE),
        ]
        dev = series["dev_cost"].curve(columns=max(4, chart.columns // 4))
        lines.append(Line(dev.step.tolist(), dev.mean.tolist(), "◆", ORANGE, joined=False))
        lines += self._others(monitor, chart.columns)
        self._describe()
        chart.draw(Drawing(tuple(lines), marks(monitor), log=self.log_axis))

    def _others(self, monitor: Monitor, columns: int) -> Iterator[Line]:
        """The branches that are compared with this one, smoothed alike, from where they part."""
        for number, name in enumerate(monitor.branches):
            series = monitor.curves.get(name, {}).get("cost")
            if name not in monitor.compared or series is None or not len(series):
                continue
            curve = series.curve()
            biased, corrected = smooth(curve.mean, self.beta, curve.count)
            average = corrected if self.corrected else biased
            own = np.flatnonzero(curve.step >= parting(monitor.branches, name, monitor.current))
            if not len(own):
                continue
            keep = own[np.unique(np.linspace(0, len(own) - 1, 2 * columns).astype(int))]
            yield from lettered(curve.step[keep], average[keep], number, max(1, len(keep) // 8))


class SecondPanel(Panel):
    """One of error, learning rate and gradient norms."""

    KINDS: ClassVar[tuple[str, ...]] = ("Error", "Learning rate", "Gradient norms")
    LEGENDS: ClassVar[tuple[str, ...]] = (
        "○ train  ◆ dev  (% wrong; RMSE of a regression)", "α now", "· all layers  1 2 … ‖dW‖ of each layer  (log)",
    )
    HELP = (
        "t goes from error (○ train, ◆ dev) to the learning rate in force (schedule and warm-up included) and to the norm of the "
        "gradients (log axis): · of all layers at each step before clipping, and the digit l for ‖dW‖ of layer l at each "
        "evaluation. Norms that fall from layer to layer vanish, norms that grow explode."
    )

    kind: reactive[int] = reactive(0)

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._monitor: Monitor | None = None

    def compose(self) -> ComposeResult:
        """One chart."""
        yield Chart(id="second-chart")

    def on_mount(self) -> None:
        """Say on the border what is drawn."""
        self._describe()

    def _describe(self) -> None:
        titles = [f"▸{each}" if i == self.kind else each for i, each in enumerate(self.KINDS)]
        self.border_title = f"3 {' │ '.join(titles)} (t)"
        self.border_subtitle = self.LEGENDS[self.kind]

    def watch_kind(self) -> None:
        """Draw the other one."""
        if self.is_mounted:
            self._describe()
            if self._monitor is not None:
                self.show(self._monitor)

    def show(self, monitor: Monitor) -> None:
        """Draw the chosen curves."""
        self._monitor = monitor
        chart = self.query_one(Chart)
        draw = (self._error, self._learning_rate, self._gradients)[self.kind]
        chart.draw(draw(monitor, chart.columns))

    def _error(self, monitor: Monitor, columns: int) -> Drawing:
        percent = 1.0 if monitor.begun is not None and monitor.begun.task == "regression" else 100.0
        lines, points = [], []
        for shift, name, marker, color in ((0, "train_error", "○", GREEN), (1, "dev_error", "◆", ORANGE)):
            curve = monitor.history.series[name].curve(columns=columns)
            x, y = curve.step, percent * curve.mean
            apart = max(1, len(x) // max(4, columns // 5))
            first = shift * (apart // 2)  # so that the two kinds of points do not hide each other
            lines.append(Line(x.tolist(), y.tolist(), "braille", color))
            points.append(Line(x[first::apart].tolist(), y[first::apart].tolist(), marker, color, joined=False))
        return Drawing((*lines, *points), marks(monitor), empty=WAITING)

    def _learning_rate(self, monitor: Monitor, columns: int) -> Drawing:
        curve = monitor.history.series["learning_rate"].curve(columns=columns)
        x, y = band(curve)
        return Drawing((Line(x, y, "braille", BLUE),), marks(monitor), empty=WAITING)

    def _gradients(self, monitor: Monitor, columns: int) -> Drawing:
        x, y = band(monitor.history.series["gradient_norm"].curve(columns=columns))
        lines = [Line(x, y, "·", GREY)]
        layers = [name for name in monitor.history.series if name.startswith("layer")]
        for number in range(1, len(layers) + 1):
            curve = monitor.history.series[f"layer{number}"].curve(columns=columns // 2)
            marker = str(number) if number < 10 else chr(ord("a") + (number - 10) % 26)
            color = LAYER_COLORS[(number - 1) % len(LAYER_COLORS)]
            lines.append(Line(curve.step.tolist(), curve.mean.tolist(), marker, color, joined=False))
        return Drawing(tuple(lines), cursor_only(monitor), log=True, empty=WAITING)
