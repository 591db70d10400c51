"""What a chart can show: each quantity with its unit, its legend, and how its lines come from what is known of the run.

Lines are in steps; the panel puts them on the axis that is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from workbench.engine.history import Curve, Series
from workbench.files.text import SafeText, clean, literal
from workbench.hyperparameters import LIVE, get
from workbench.nn.ewma import smooth
from workbench.session.branches import parting
from workbench.spec import Kind, Value
from workbench.ui.state.chart_view import ChartView
from workbench.ui.state.drawing import Line
from workbench.ui.state.monitor import Monitor
from workbench.ui.state.palette import Hue, branch_hue, branch_marker, layer_hue, layer_marker, lowered
from workbench.ui.state.wording import symbol

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Frame:
    """What part of a run is drawn, and into how many columns."""

    view: ChartView
    first: int
    last: int
    columns: int


@dataclass(frozen=True, slots=True)
class Plot:
    """Lines over steps, the steps at which a value was not finite, and what the markers mean."""

    lines: tuple[Line, ...]
    legend: SafeText
    gaps: tuple[float, ...] = ()
    unit: str = ""
    """Where it is not that of the quantity."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """Something that can be drawn over the steps of a run.

    Attributes:
        unit: as it stands behind the title, empty for none.
        log: whether its axis is better logarithmic.
    """

    title: str
    unit: str
    plot: Callable[[Monitor, Frame], Plot]
    log: bool = False


def _curve(monitor: Monitor, name: str, frame: Frame, columns: int) -> Curve:
    """A series in the frame, from the single steps where they are still known."""
    recent = monitor.recent.get(name)
    if recent is not None and recent.covers(frame.first):
        return recent.curve(frame.first, frame.last, columns)
    return _of(monitor.history.series.get(name, Series()), frame, columns)


def _of(series: Series, frame: Frame, columns: int) -> Curve:
    """As many elements as there is room for, from the first step of the frame to its last."""
    curve = series.curve(frame.first, frame.last, columns)
    here = (curve.step >= frame.first) & (curve.step <= frame.last)
    if here.all():
        return curve
    bad = curve.bad[(curve.bad >= frame.first) & (curve.bad <= frame.last)]
    return Curve(curve.step[here], curve.low[here], curve.high[here], curve.mean[here], curve.count[here], bad)


def _line(x: Floats, y: Floats, marker: str, hue: Hue, gaps: Floats | None = None, joined: bool = True) -> Line:
    """A line, broken where values were not finite."""
    if gaps is not None and len(gaps) and joined:
        order = np.argsort(np.concatenate([x, gaps]), kind="stable")
        x, y = np.concatenate([x, gaps])[order], np.concatenate([y, np.full(len(gaps), np.nan)])[order]
    return Line(x.tolist(), y.tolist(), marker, hue, joined)


def _band(curve: Curve) -> Line:
    """From least to greatest value of each bucket and on to the next, so that no spike is lost."""
    y = np.empty(2 * len(curve.step))
    y[0::2], y[1::2] = curve.low, curve.high
    return _line(np.repeat(curve.step, 2), y, "·", Hue.GREY, curve.bad)


def _average(curve: Curve, view: ChartView) -> Floats:
    """The exponentially weighted average; a bucket's count says how many steps it weighs."""
    biased, corrected = smooth(curve.mean, view.beta, curve.count)
    return corrected if view.corrected else biased


def _smoothed(monitor: Monitor, name: str, frame: Frame) -> Line:
    """The average over all that is known, then thinned and cut to the frame."""
    recent = monitor.recent.get(name)
    exact = recent is not None and recent.covers(max(0, frame.first - _memory(frame.view)))
    start = max(0, frame.first - _memory(frame.view)) if exact else 0
    full = recent.curve(start, frame.last, frame.last) if exact and recent is not None else monitor.history.series[name].curve()
    average = _average(full, frame.view)
    here = np.flatnonzero((full.step >= frame.first) & (full.step <= frame.last))
    here = here[np.unique(np.linspace(0, max(0, len(here) - 1), 2 * frame.columns).astype(int))] if len(here) else here
    gaps = full.bad[(full.bad >= frame.first) & (full.bad <= frame.last)]
    return _line(full.step[here], average[here], "braille", Hue.BLUE, gaps)


def _memory(view: ChartView) -> int:
    """Of how many steps an average still knows something: what is older weighs e^-20, so that a cost of 1e6 is not seen."""
    return round(20 / (1 - view.beta))


def _ewma(view: ChartView) -> str:
    kind = "corrected" if view.corrected else "biased"
    return f"━ EWMA β {view.beta:g} ≈ last {round(1 / (1 - view.beta)):,} steps, {kind}"


def _per_step(name: str) -> Callable[[Monitor, Frame], Plot]:
    def plot(monitor: Monitor, frame: Frame) -> Plot:
        curve = _curve(monitor, name, frame, frame.columns)
        return Plot(
            (_band(curve), _smoothed(monitor, name, frame)), clean(f"· raw  {_ewma(frame.view)}"), tuple(curve.bad.tolist())
        )

    return plot


def _cost(name: str, monitor: Monitor, frame: Frame) -> Plot:
    """J, or the data's part of it: of the mini-batches, of dev, of other branches, of the twin."""
    plain = _per_step(name)(monitor, frame)
    dev = _of(monitor.history.series[f"dev_{name}"], frame, max(4, frame.columns // 4))
    test = _test(monitor, frame, name, 1.0)
    dropout = any(each < 1 for each in monitor.hyperparameters.keep_prob)
    penalized = name == "cost" and _penalized(monitor, frame)
    kinds = [kind for kind, so in (("penalty", penalized), ("dropout", dropout)) if so]
    raw = f"· raw{' with ' if kinds else ''}{' and '.join(kinds)}"
    letters = "".join(
        f"  {branch_marker(n)} {clean(each, 16)}" for n, each in enumerate(monitor.branches) if each in monitor.compared
    )
    if monitor.twin is not None:
        letters += f"  T {twin_name(monitor.twin)}"
    return Plot(
        (
            *_twin(monitor.twin, name, frame), *plain.lines, _line(dev.step, dev.mean, "◆", Hue.ORANGE, joined=False), *test,
            *_others(monitor, name, frame),
        ),
        clean(f"{raw}  {_ewma(frame.view)}  ◆ dev{'  ▲ test' if test else ''}{letters}", 400), plain.gaps,
    )  # fmt: skip


def _penalized(monitor: Monitor, frame: Frame) -> bool:
    """Whether there is a penalty, now or in what is drawn: λ may have been edited to 0 since."""
    if monitor.hyperparameters.l2 > 0 or monitor.hyperparameters.l1 > 0:
        return True
    cost, data = (_curve(monitor, name, frame, frame.columns).mean for name in ("cost", "data_cost"))
    return len(cost) == len(data) and bool((cost != data).any())


def _test(monitor: Monitor, frame: Frame, name: str, scale: float) -> tuple[Line, ...]:
    """The score on the test set, which is looked at once, at the end."""
    done = monitor.finished
    if done is None or done.test is None or not frame.first <= done.step <= frame.last:
        return ()
    return (Line([float(done.step)], [scale * getattr(done.test, name)], "▲", Hue.PURPLE, joined=False),)


def lettered(x: Floats, y: Floats, number: int, apart: int) -> tuple[Line, Line]:
    """A branch's curve in its colour, with its letter on it now and then."""
    hue = branch_hue(number)
    letters = slice(apart // 2, None, apart)
    return (
        _line(x, y, "braille", hue),
        _line(x[letters], y[letters], branch_marker(number), hue, joined=False),
    )


def _twin(twin: Monitor | None, cost: str, frame: Frame) -> Iterator[Line]:
    """The averaged cost of the twin."""
    if twin is not None and len(twin.history.series[cost]):
        line = _smoothed(twin, cost, frame)
        apart = max(1, len(line.x) // 8)
        yield Line(line.x, line.y, "braille", Hue.SILVER)
        yield Line(line.x[apart // 2 :: apart], line.y[apart // 2 :: apart], "T", Hue.SILVER, joined=False)


def _others(monitor: Monitor, cost: str, frame: Frame) -> Iterator[Line]:
    """The branches that are compared with this one, smoothed alike, from where they part."""
    for number, name in enumerate(monitor.branches):
        series = monitor.curves.get(name, {}).get(cost)
        if name not in monitor.compared or series is None or not len(series):
            continue
        curve = series.curve()
        average = _average(curve, frame.view)
        start = max(frame.first, parting(monitor.branches, name, monitor.current))
        own = np.flatnonzero((curve.step >= start) & (curve.step <= frame.last))
        if len(own):
            keep = own[np.unique(np.linspace(0, len(own) - 1, 2 * frame.columns).astype(int))]
            yield from lettered(curve.step[keep], average[keep], number, max(1, len(keep) // 8))


def _scores(kind: str) -> Callable[[Monitor, Frame], Plot]:
    """Error or accuracy on train and dev."""

    def plot(monitor: Monitor, frame: Frame) -> Plot:
        regression = monitor.begun is not None and monitor.begun.task == "regression"
        percent = 1.0 if regression else 100.0
        lines, points = [], []
        for shift, part, marker, hue in ((0, "train", "○", Hue.GREEN), (1, "dev", "◆", Hue.ORANGE)):
            curve = _of(monitor.history.series[f"{part}_error"], frame, frame.columns)
            x, y = curve.step, percent * (curve.mean if kind == "error" else 1 - curve.mean)
            apart = max(1, len(x) // max(4, frame.columns // 5))
            first = shift * (apart // 2)  # so that the two kinds of points do not hide each other
            lines.append(_line(x, y, "braille", hue, curve.bad))
            points.append(_line(x[first::apart], y[first::apart], marker, hue, joined=False))
        test = _test(monitor, frame, "error", percent) if kind == "error" else ()
        legend = clean(f"○ train  ◆ dev{'  ▲ test' if test else ''}")
        if regression and kind == "accuracy":
            return Plot((), literal("a regression has no accuracy"))
        return Plot((*lines, *points, *test), legend, unit="RMSE" if regression else "")

    return plot


def _clipped(monitor: Monitor, frame: Frame) -> Plot:
    line = _smoothed(monitor, "clipped", frame)
    share = Line(line.x, [100 * each for each in line.y], line.marker, line.hue)
    return Plot((share,), clean(f"share of clipped steps  {_ewma(frame.view)}"))


def _learning_rate(monitor: Monitor, frame: Frame) -> Plot:
    curve = _curve(monitor, "learning_rate", frame, frame.columns)
    line = _band(curve)
    return Plot((Line(line.x, line.y, "braille", Hue.BLUE),), literal("α now: base rate × schedule × warm-up"))


def _layers(prefix: str, legend: str, norm: bool = False, scale: float = 1.0) -> Callable[[Monitor, Frame], Plot]:
    """A series of each layer, its digit the marker; with `norm`, that of all layers at each step behind them."""

    def plot(monitor: Monitor, frame: Frame) -> Plot:
        lines = [_band(_curve(monitor, "gradient_norm", frame, frame.columns))] if norm else []
        twin = monitor.twin
        for each, digit in ((twin, lowered), (monitor, layer_marker)):
            for layer, series in _of_layers(each, prefix):
                curve = _of(series, frame, frame.columns // 2)
                lines.append(_line(curve.step, scale * curve.mean, digit(layer), layer_hue(layer), joined=False))
        return Plot(tuple(lines), clean(f"{legend}{f'  ₁ ₂ … {twin_name(twin)}' if twin is not None else ''}"))

    return plot


def _of_layers(monitor: Monitor | None, prefix: str) -> Iterator[tuple[int, Series]]:
    layer = 1
    while monitor is not None and (series := monitor.history.series.get(f"{prefix}{layer}")) is not None:
        yield layer, series
        layer += 1


def twin_name(twin: Monitor) -> str:
    """Which of the two it is."""
    return f"with{'' if twin.batch_norm else 'out'} batch norm"


def _speed(monitor: Monitor, frame: Frame) -> Plot:
    curve = _of(monitor.history.series.get("speed", Series()), frame, frame.columns)
    return Plot((_line(curve.step, curve.mean, "braille", Hue.GREEN),), literal("training steps per second, here and now"))


def _value(name: str) -> Callable[[Monitor, Frame], Plot]:
    """A hyperparameter's own history: level between two edits."""

    def plot(monitor: Monitor, frame: Frame) -> Plot:
        edits = [(edit.step, edit.old, edit.new) for edit in monitor.edits if edit.name == name]
        x, y = [0.0], [_number(edits[0][1] if edits else get(monitor.hyperparameters, name))]
        for step, old, new in edits:
            x += [float(step), float(step)]
            y += [_number(old), _number(new)]
        x.append(float(monitor.step))
        y.append(y[-1])
        here = np.clip(np.array(x), frame.first, frame.last)
        return Plot((_line(here, np.array(y), "braille", Hue.BLUE),), clean(f"{symbol(name)} as it was set"))

    return plot


def _number(value: Value) -> float:
    """A value as a number; of several, their mean; a choice has none."""
    if isinstance(value, tuple):
        return float(np.mean(value)) if value else float("nan")
    return float("nan") if isinstance(value, str) else float(value)


def _settings() -> Iterable[tuple[str, Quantity]]:
    """Every number that can be edited while it trains, but α, which has a chart of what is in force."""
    for name, spec in LIVE.items():
        if spec.kind in (Kind.REAL, Kind.INTEGER) and name != "learning_rate":
            greek = f" {spec.symbol}" if spec.symbol and not spec.symbol.isascii() else ""
            yield name, Quantity(f"{name.replace('_', ' ').capitalize()}{greek}", "", _value(name))


QUANTITIES: dict[str, Quantity] = {
    "cost": Quantity("Cost", "J", partial(_cost, "cost")),
    "error": Quantity("Error", "%", _scores("error")),
    "accuracy": Quantity("Accuracy", "%", _scores("accuracy")),
    "learning_rate": Quantity("Learning rate", "α", _learning_rate),
    "gradient_norms": Quantity(
        "Gradient norms", "‖dW‖", _layers("layer", "· all layers  1 2 … of each layer, before clipping", norm=True), log=True
    ),
    "gradient": Quantity("Gradient norm", "‖g‖", _per_step("gradient_norm"), log=True),
    "update_ratios": Quantity(
        "Update ratios", "‖ΔW‖/‖W‖", _layers("update", "1 2 … of each layer; about 1e-3 is healthy"), log=True
    ),
    "weight_norms": Quantity("Weight norms", "‖W‖", _layers("weight", "1 2 … ‖W‖ of each layer")),
    "dead": Quantity("Dead units", "%", _layers("dead", "1 2 … share of each layer's units", scale=100.0)),
    "drift": Quantity(
        "Drift of inputs", "σ", _layers("drift", "1 2 … how far each layer's inputs moved from one evaluation to the next")
    ),
    "data_cost": Quantity("Data cost", "J without penalty", partial(_cost, "data_cost")),
    "clipped_norms": Quantity(
        "Clipped gradient norms", "‖dW‖", _layers("clipped_norm", "1 2 … of each layer, after clipping"), log=True
    ),
    "clipped": Quantity("Clipped steps", "%", _clipped),
    "speed": Quantity("Speed", "steps/s", _speed),
    **dict(_settings()),
}
"""By name, in the order in which they are offered."""
