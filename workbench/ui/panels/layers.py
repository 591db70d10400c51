"""Layer by layer: batch norm's statistics as ranges over the units, gradients, and the distributions of one layer."""

from __future__ import annotations

import numpy as np
from textual import on
from textual.app import ComposeResult
from textual.widget import Widget

from workbench.arrays import Vector
from workbench.engine.measurements import Histogram, LayerStatistics
from workbench.files.text import clean
from workbench.ui.doors.border import set_subtitle
from workbench.ui.doors.table import DataTable
from workbench.ui.doors.text import Text
from workbench.ui.panels.panel import Panel
from workbench.ui.state.layout import Slot
from workbench.ui.state.monitor import Monitor
from workbench.ui.widgets.histogram import histogram_lines

NORM_COLUMNS = ("μ batch", "μ running", "σ² batch", "σ² running", "γ", "β")
COLUMNS = ("layer", "units", *NORM_COLUMNS, "‖dW‖", "‖ΔW‖/‖W‖", "dead")


class LayersPanel(Panel):
    """A table with a row for each layer, and the histograms of the one under the cursor."""

    SLOT = Slot.LAYERS
    HELP = (
        "Batch norm normalizes z over the mini-batch, ẑ = (z-μ)/√(σ²+ε), then gives γẑ+β to the activation. μ and σ² of the "
        "last mini-batch stand beside their running averages, which are used at test time; the two numbers are the least and "
        "the greatest over the layer's units. ‖dW‖ is that before clipping. ‖ΔW‖/‖W‖ of about 1e-3 is healthy. Dead is the "
        "share of units whose slope is below 0.001 on every example looked at. The histograms show z of the layer under the "
        "cursor before and after normalization. ↑ ↓ choose a layer."
    )

    def compose(self) -> ComposeResult:
        """Table above, histograms below."""
        yield DataTable(id="layers", cell_padding=0)
        yield Histograms(id="histograms")

    def __init__(self) -> None:
        super().__init__()
        self._shown: tuple[LayerStatistics, ...] = ()
        self._columns: tuple[str, ...] = ()
        self._step, self._note = 0, ""

    def show(self, monitor: Monitor) -> None:
        """Fill in the last evaluation."""
        if monitor.evaluated is None or monitor.evaluated.layers is self._shown:
            return
        self._shown = monitor.evaluated.layers
        table = self.query_one(DataTable)
        has_norm = any(layer.batchnorm is not None for layer in self._shown)
        wanted = tuple(each for each in COLUMNS if has_norm or each not in NORM_COLUMNS)
        if wanted != self._columns or table.row_count != len(self._shown):
            table.clear(columns=True)
            for column in wanted:
                table.add_column(Text(column if column == "layer" else f" {column}", justify="right"), key=column)
            for layer in self._shown:
                table.add_row(*(Text("") for _ in wanted), key=str(layer.layer))
            self._columns = wanted
        last = len(self._shown)
        for layer in self._shown:
            cells = _cells(layer, last)
            for column in wanted:
                table.update_cell(str(layer.layer), column, cells[column], update_width=True)
        self._step = monitor.evaluated.step
        self._note = "least and greatest over units" if has_norm else "no batch norm in this network"
        self._draw_histograms()

    @on(DataTable.RowHighlighted)
    def _another_layer(self) -> None:
        self._draw_histograms()

    def _draw_histograms(self) -> None:
        row = self.query_one(DataTable).cursor_row
        if not 0 <= row < len(self._shown):
            return
        layer = self._shown[row]
        set_subtitle(self, clean(f"{self._note}, step {self._step:,}"))
        pairs = [(f"z of layer {layer.layer}", layer.z)]
        if layer.normalized is not None:
            pairs += [("ẑ, normalized", layer.normalized), (f"γẑ+β, dead {layer.dead:.0%}", layer.y)]
        self.query_one(Histograms).show(pairs)


class Histograms(Widget):
    """Titled histograms side by side, drawn in the room that there is."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._pairs: list[tuple[str, Histogram]] = []

    def show(self, pairs: list[tuple[str, Histogram]]) -> None:
        """Show these from now on."""
        self._pairs = pairs
        self.refresh()

    def render(self) -> Text:
        """One row of titles, the bars, and the ends of the axes."""
        width, height = self.size
        if not self._pairs or width < 20 or height < 3:
            return Text("")
        each = (width - 3 * (len(self._pairs) - 1)) // len(self._pairs)
        blocks = [_block(title, histogram, each, height) for title, histogram in self._pairs]
        return Text("\n".join("   ".join(lines) for lines in zip(*blocks, strict=True)), no_wrap=True)


def _block(title: str, histogram: Histogram, width: int, height: int) -> list[str]:
    bars = histogram_lines(histogram.counts, histogram.low, histogram.high, width, height - 2)
    return [title[:width].ljust(width), *bars]


def _cells(layer: LayerStatistics, last: int) -> dict[str, Text]:
    output = layer.layer == last
    norm = layer.batchnorm
    values: tuple[Vector | None, ...] = (None,) * len(NORM_COLUMNS)
    if norm is not None:
        values = (norm.batch_mean, norm.running_mean, norm.batch_var, norm.running_var, norm.gamma, norm.beta)
    cells = {
        "layer": f"{layer.layer} out" if output else str(layer.layer),
        "units": str(layer.units),
        **{column: "–" if units is None else _range(units) for column, units in zip(NORM_COLUMNS, values, strict=True)},
        "‖dW‖": compact(layer.gradient_norm),
        "‖ΔW‖/‖W‖": "–" if np.isnan(layer.update_ratio) else f"{layer.update_ratio:.0e}".replace("e-0", "e-"),
        "dead": "–" if output else f"{layer.dead:.0%}",
    }
    return {column: Text(cell) if column == "layer" else Text(f" {cell}", justify="right") for column, cell in cells.items()}


def _range(units: Vector) -> str:
    low, high = compact(float(np.min(units))), compact(float(np.max(units)))
    return low if low == high else f"{low} {high:>4}"


def compact(x: float) -> str:
    """A number in at most six characters: `-.35`, `1.2`, `480`, `3e-5`; `–` for what nobody has seen."""
    if np.isnan(x):
        return "–"
    if not x or not np.isfinite(x):
        return f"{x or 0.0:.0f}"
    size = abs(x)
    if size >= 1e4 or 0 < size < 0.005:
        return f"{x:.0e}".replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")
    text = f"{x:.0f}" if size >= 100 else f"{x:.1f}" if size >= 1 else f"{x:.2f}"
    return text.replace("0.", ".", 1) if size < 1 and text.lstrip("-").startswith("0.") else text
