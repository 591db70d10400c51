"""What the model sees: its borders, examples, mistakes, first weights, confusion, fit; and the table of its layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import numpy as np
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.color import Color
from textual.containers import VerticalScroll

from workbench.engine.measurements import Predictions, ShownExamples
from workbench.engine.predictions import precision as precision_of
from workbench.engine.predictions import recall as recall_of
from workbench.files.text import clean
from workbench.protocol.requests import MODEL as PREDICTIONS
from workbench.ui.actions import MODEL, bindings, key_names
from workbench.ui.doors.border import set_subtitle
from workbench.ui.doors.text import Static, Text
from workbench.ui.panels.layers import compact
from workbench.ui.panels.panel import Panel
from workbench.ui.state.layout import Slot
from workbench.ui.state.monitor import Monitor
from workbench.ui.state.palette import Hue, Rgb, rgb, style
from workbench.ui.widgets.picture import Floats, Pixels, diverging, grey, half_blocks, scaled, shades

CLASS_HUES = (Hue.BLUE, Hue.ORANGE, Hue.GREEN, Hue.PURPLE, Hue.YELLOW, Hue.RED, Hue.NAVY, Hue.SILVER)
MARKERS = "ox+*#@%&"
LOOKING = "  looking …"
Drawn = Callable[["ModelPanel", Monitor, Predictions], Text]


class ModelPanel(Panel, can_focus=True):
    """One of several views; which there are depends on the task."""

    SLOT = Slot.MODEL
    NEEDS = PREDICTIONS
    HELP = (
        "{model.before} {model.next} go from view to view. Of two inputs: the border between the classes, each place in the "
        "colour of the class predicted there, the paler the less sure, with train examples on it (o x + … by class). Of "
        "images: examples with prediction and confidence, the worst mistakes (wrong and sure), the weights of the first layer "
        "(blue negative, orange positive), and the confusion matrix: rows are true classes, columns predicted ones. Of a "
        "regression: predicted against true targets, R² and RMSE. Always: the layers with shapes, parameters and norms. Dev "
        "examples, or train where there are no others. Without colours, shades stand for them."
    )
    ACTIONS = MODEL
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(MODEL)]

    def __init__(self) -> None:
        super().__init__()
        self._monitor: Monitor | None = None
        self._view = 0
        self._drawn: object = None

    def compose(self) -> ComposeResult:
        """A picture that may be larger than the panel."""
        with VerticalScroll(can_focus=False):
            yield Static(Text(LOOKING, "italic"), id="picture")

    def show(self, monitor: Monitor) -> None:
        """Draw the chosen view."""
        self._monitor = monitor
        seen = monitor.predictions
        if seen is None or monitor.begun is None:
            return
        views = _views(seen)
        names = list(views)
        self._view %= len(names)
        drawn = (seen, self._view, self.size, self.app.theme)
        if drawn == self._drawn:
            return
        self._drawn = drawn
        titles = [f"▸{name}" if number == self._view else name for number, name in enumerate(names)]
        keys = key_names(self.app)
        self.entitle(f"{' │ '.join(titles)} ({keys.of('model.before')} {keys.of('model.next')})")
        set_subtitle(self, clean(f"{seen.part}, step {monitor.predicted_at:,}"))
        self.query_one("#picture", Static).update(views[names[self._view]](self, monitor, seen))

    def action_view(self, by: int) -> None:
        """Another view."""
        self._view += by
        if self._monitor is not None:
            self.show(self._monitor)

    @property
    def dark(self) -> bool:
        """Whether the ground is dark."""
        return self.app.current_theme.dark

    @property
    def colored(self) -> bool:
        """Whether the terminal has colours enough for pictures."""
        return self.app.console.color_system in ("truecolor", "256", "windows") and not self.app.no_color

    @property
    def room(self) -> tuple[int, int]:
        """Columns and lines for a picture."""
        return max(1, self.size.width - 2), max(1, self.size.height)

    @property
    def ground(self) -> Rgb:
        """The colour behind it."""
        return Color.parse(self.app.theme_variables["surface"]).rgb


def _views(seen: Predictions) -> dict[str, Drawn]:
    views: dict[str, Drawn] = {}
    if seen.boundary is not None:
        views["Border"] = _boundary
    if seen.fit is not None:
        views["Fit"] = _fit
    if seen.image and seen.examples is not None:
        views["Examples"] = lambda panel, _, each: _examples(panel, each, each.examples)
        views["Worst"] = lambda panel, _, each: _examples(panel, each, each.worst)
    if seen.filters is not None:
        views["Weights"] = _filters
    if seen.confusion is not None:
        views["Confusion"] = _confusion
    views["Layers"] = _layers
    return views


def _boundary(panel: ModelPanel, monitor: Monitor, seen: Predictions) -> Text:
    found = seen.boundary
    assert found is not None
    columns, lines = panel.room
    places = (found.points - found.low) / np.where(found.high > found.low, found.high - found.low, 1.0)
    if not panel.colored:
        classes = scaled(found.classes, lines, columns)
        cells = [["?" if each < 0 else ".:-=~^,'"[each % 8] for each in row] for row in classes.tolist()]
        for (x, y), label in zip(places.tolist(), found.labels.tolist(), strict=True):
            cells[min(int((1 - y) * lines), lines - 1)][min(int(x * columns), columns - 1)] = MARKERS[label % len(MARKERS)]
        return Text("\n".join("".join(row) for row in cells), no_wrap=True)
    text = half_blocks(_plane(panel, scaled(found.classes, 2 * lines, columns), scaled(found.confidence, 2 * lines, columns)))
    points: dict[int, str] = {}
    for (x, y), label in zip(places.tolist(), found.labels.tolist(), strict=True):
        at = min(int((1 - y) * lines), lines - 1) * (columns + 1) + min(int(x * columns), columns - 1)
        points[at] = MARKERS[label % len(MARKERS)]
    text.overwrite(points)
    for at in points:
        text.stylize(f"bold {'white' if panel.dark else 'black'}", at, at + 1)
    return text


def _plane(panel: ModelPanel, classes: np.ndarray, confidence: np.ndarray) -> Pixels:
    """The colours of the classes, fading into the ground where the network is not sure; grey without a prediction."""
    hues = np.array([rgb(hue, panel.dark) for hue in CLASS_HUES], np.float64)
    count = max(2, int(classes.max(initial=0)) + 1)
    sure = np.clip((np.nan_to_num(confidence) - 1 / count) / (1 - 1 / count), 0, 1)[..., None]
    painted = np.array(panel.ground) + (0.15 + 0.6 * sure) * (hues[classes % len(hues)] - np.array(panel.ground))
    return np.asarray(np.where((classes < 0)[..., None], 90, painted).round(), np.uint8)


def _fit(panel: ModelPanel, monitor: Monitor, seen: Predictions) -> Text:
    fit = seen.fit
    assert fit is not None
    columns, lines = panel.room
    lines = max(3, lines - 2)
    good = np.isfinite(fit.predicted)
    head = f"predicted ↑ against true →   R² {fit.r2:.4f}   RMSE {fit.rmse:.4g}   · a right answer"
    if not good.any():
        return Text(f"{head}\nno prediction is finite")
    both = np.concatenate([fit.truth, fit.predicted[good]])
    low, high = float(both.min()), float(both.max())
    span = (high - low) or 1.0
    cells = [[" "] * columns for _ in range(lines)]
    for column in range(columns):
        cells[lines - 1 - column * lines // columns][column] = "·"
    for x, y in zip(fit.truth[good].tolist(), fit.predicted[good].tolist(), strict=True):
        row = lines - 1 - min(int((y - low) / span * lines), lines - 1)
        cells[row][min(int((x - low) / span * columns), columns - 1)] = "o"
    text = Text(f"{head}\n", no_wrap=True)
    text.append("\n".join("".join(row) for row in cells))
    text.append(f"\n{low:.3g}{f'{high:.3g}':>{max(1, columns - len(f'{low:.3g}'))}}", "dim")
    return text


def _picture(panel: ModelPanel, values: Floats, signed: bool) -> list[Text]:
    """An image as lines."""
    low, high = float(np.nanmin(values, initial=0.0)), float(np.nanmax(values, initial=0.0))
    if panel.colored:
        return half_blocks(diverging(values) if signed else grey(values, low, high)).lines()
    return [Text(line) for line in shades(values[::2], low, high)]


def _tiles(panel: ModelPanel, tiles: list[list[Text]], width: int) -> Text:
    """Pictures of the same height side by side, in as many rows as they need."""
    columns, _ = panel.room
    each_row = max(1, (columns + 2) // (width + 2))
    text = Text(no_wrap=True)
    for start in range(0, len(tiles), each_row):
        for lines in zip(*tiles[start : start + each_row], strict=True):
            for line in lines:
                cut = line.copy()
                cut.truncate(width, pad=True)
                text.append_text(cut)
                text.append("  ")
            text.append("\n")
    return text


def _examples(panel: ModelPanel, seen: Predictions, shown: ShownExamples | None) -> Text:
    if shown is None or not len(shown.truth):
        return Text("  None of those looked at is wrong.", "italic")
    width = max(seen.image[1], 9)
    tiles = []
    for X, truth, predicted, sure in zip(shown.X, shown.truth, shown.predicted, shown.confidence, strict=True):
        right = truth == predicted
        name = clean(seen.class_names[predicted], 6) if predicted >= 0 else "?"
        told = Text(f"{'✓' if right else '✗'}{name} {sure:.0%}" if predicted >= 0 else "✗ no value", "" if right else "bold")
        true = Text(f"true {clean(seen.class_names[truth], 5)}")
        tiles.append([*_picture(panel, X.reshape(seen.image), signed=False), told, true])
    return _tiles(panel, tiles, width)


def _filters(panel: ModelPanel, monitor: Monitor, seen: Predictions) -> Text:
    assert seen.filters is not None
    width = max(seen.image[1], 4)
    tiles = [[*_picture(panel, unit, signed=True), Text(f"{number}", "dim")] for number, unit in enumerate(seen.filters, start=1)]
    return _tiles(panel, tiles, width)


def _confusion(panel: ModelPanel, monitor: Monitor, seen: Predictions) -> Text:
    found = seen.confusion
    assert found is not None
    names = [clean(name, 6) for name in seen.class_names]
    width = max(5, *(len(name) for name in names), len(str(found.counts.max(initial=0)))) + 1
    text = Text(no_wrap=True)
    text.append(f"{'true ↓':<8}" + "".join(f"{name:>{width}}" for name in names) + "  recall\n", "dim")
    recall, precision = recall_of(found), precision_of(found)
    for true, name in enumerate(names):
        text.append(f"{name:<8}", "dim")
        for predicted, count in enumerate(found.counts[true].tolist()):
            right = true == predicted
            look = style(Hue.GREEN, panel.dark) if right else f"bold {style(Hue.RED, panel.dark)}" if count else "dim"
            text.append(f"{count or '·':>{width}}", look)
        text.append(f"{recall[true]:>8.1%}\n" if np.isfinite(recall[true]) else f"{'–':>8}\n")
    text.append(f"{'precis.':<8}", "dim")
    text.append("".join(f"{share:>{width}.0%}" if np.isfinite(share) else f"{'–':>{width}}" for share in precision.tolist()))
    if found.missing:
        text.append(f"\n✗ {found.missing:,} without a prediction: their logits are not finite", "bold")
    return text


def _layers(panel: ModelPanel, monitor: Monitor, seen: Predictions) -> Text:
    """Shapes are those of the course, rows for the units of the layer before."""
    begun, evaluated = monitor.begun, monitor.evaluated
    assert begun is not None
    text = Text(no_wrap=True)
    text.append(f"{'layer':<7}{'W':>13}{'others':>18}{'parameters':>12}{'‖W‖':>8}{'‖dW‖':>8}\n", "dim")
    last = len(begun.sizes) - 1
    for layer in range(1, last + 1):
        rows, units = begun.sizes[layer - 1], begun.sizes[layer]
        normed = begun.batch_norm and layer < last
        others = f"γ, β (1, {units})" if normed else f"b (1, {units})"
        count = rows * units + (2 if normed else 1) * units
        norms = evaluated.layers[layer - 1] if evaluated is not None else None
        weight, gradient = (compact(norms.weight_norm), compact(norms.gradient_norm)) if norms is not None else ("–", "–")
        name = f"{layer}{' out' if layer == last else ''}"
        text.append(f"{name:<7}{f'({rows}, {units})':>13}{others:>18}{count:>12,}{weight:>8}{gradient:>8}\n")
    text.append(f"{'in all':<7}{'':>31}{begun.parameters:>12,}\n", "bold")
    return text
