"""The batch-norm inspector: one layer unit by unit, and what test time, noise and drift make of its statistics."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import ClassVar

import numpy as np
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType

from workbench.engine.batchnorm_inspection import drift
from workbench.engine.events import Evaluated
from workbench.engine.lag import distance
from workbench.engine.measurements import BatchNormInspection, BatchNormStatistics
from workbench.files.text import clean, literal
from workbench.protocol.requests import BATCHNORM
from workbench.ui.actions import UNITS, KeyNames, bindings, key_names
from workbench.ui.doors.border import set_subtitle
from workbench.ui.doors.table import DataTable
from workbench.ui.doors.text import Static, Text
from workbench.ui.panels.layers import compact
from workbench.ui.panels.panel import Panel
from workbench.ui.state.layout import Slot
from workbench.ui.state.monitor import Monitor
from workbench.ui.state.quantities import twin_name
from workbench.ui.widgets.sparkline import sparkline

HISTORY = 9
"""Evaluations in a sparkline."""
Numbers = np.ndarray[tuple[int, ...], np.dtype[np.floating]]
Columns = dict[str, Callable[[BatchNormStatistics], Numbers]]

COLUMNS: Columns = {
    "unit": lambda norm: np.arange(len(norm.gamma), dtype=np.float64),
    "μ batch": lambda norm: norm.batch_mean,
    "μ running": lambda norm: norm.running_mean,
    "lag σ": distance,
    "σ² batch": lambda norm: norm.batch_var,
    "σ² running": lambda norm: norm.running_var,
    "γ": lambda norm: norm.gamma,
    "β": lambda norm: norm.beta,
}
SPARKS = {"μ running": "~ μ", "σ² running": "~ σ²", "γ": "~ γ", "β": "~ β"}


class UnitsPanel(Panel):
    """The units of one layer, sorted by any column; below, what only a look at the data tells."""

    SLOT = Slot.UNITS
    NEEDS = BATCHNORM
    HELP = (
        "Every unit of one layer: μ and σ² of the last mini-batch, their running averages, γ, β, and how each went over the "
        "last evaluations (~). {norm.before} {norm.next} choose the layer, {norm.sort} the column that sorts (a click on its "
        "head too), ↑ ↓ a unit, which is followed wherever it is sorted to. ẑ = (z-μ)/√(σ²+ε) is what batch norm makes of z, "
        "γẑ+β what the activation gets.\n"
        "lag σ: |μ running - μ batch| / √(σ² running + ε). The running averages v ← βv + (1-β)μ trail the weights; after an "
        "edit of batchnorm β near 1 they go stale.\n"
        "test time: evaluation normalizes with the running averages. Here the same examples are normalized with those of "
        "their own mini-batches as well; the difference in cost is the train/test gap of batch norm.\n"
        "noise: how far μ of a mini-batch of m is from that of all, in σ: 1/√m. It regularizes a little, less with larger "
        "mini-batches.\n"
        "drift: how far the distribution of a layer's inputs moved since some evaluations ago, √((Δμ)²+(Δσ)²)/σ, root mean "
        "square over its units. Batch norm holds the first two moments of what the activation gets, so later layers see a "
        "steadier input (covariate shift); the chart “drift of inputs” shows it over the run, and {view.twin} trains the same "
        "run without batch norm beside this one (with it, where this has none), to compare."
    )
    ACTIONS = UNITS
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(UNITS)]

    def __init__(self) -> None:
        super().__init__()
        self._monitor: Monitor | None = None
        self._layer = 0
        self._sorted, self._descending = "unit", False
        self._order: list[int] = []
        self._drawn: object = None

    def compose(self) -> ComposeResult:
        """Table above, figures below."""
        yield DataTable(id="units", cell_padding=0)
        yield Static(id="norm-figures")

    def show(self, monitor: Monitor) -> None:
        """Fill in the last evaluation and the last look."""
        self._monitor = monitor
        evaluated = monitor.evaluated
        norms = [layer for layer in evaluated.layers if layer.batchnorm is not None] if evaluated is not None else []
        self.query_one(DataTable).display = bool(norms)
        if evaluated is None or not norms:
            if evaluated is not None:
                self.query_one("#norm-figures", Static).update(Text("This network has no batch norm.", "italic"))
                set_subtitle(self, literal(""))
            return
        self._layer = min(self._layer, len(norms) - 1)
        layer = norms[self._layer]
        drawn = (evaluated, self._layer, self._sorted, self._descending)
        if drawn != self._drawn:
            self._drawn = drawn
            assert layer.batchnorm is not None
            self._fill(layer.batchnorm, layer.layer)
        by = f"{self._sorted} {'▼' if self._descending else '▲'}"
        keys = key_names(self.app)
        where = f"layer {layer.layer} of {len(norms)} ({keys.of('norm.before')} {keys.of('norm.next')})"
        told = f"{where}, {layer.units} units by {by} ({keys.of('norm.sort')}), step {evaluated.step:,}"
        set_subtitle(self, clean(told))
        self.query_one("#norm-figures", Static).update(self._figures(monitor))

    def _fill(self, norm: BatchNormStatistics, number: int) -> None:
        table = self.query_one(DataTable)
        followed = self._order[table.cursor_row] if 0 <= table.cursor_row < len(self._order) else 0
        values = {name: column(norm) for name, column in COLUMNS.items()}
        past = self._past(number)
        keys = np.nan_to_num(values[self._sorted].astype(np.float64), nan=math.inf)
        order = np.argsort(-keys if self._descending else keys, kind="stable").tolist()
        heads = [*COLUMNS, *SPARKS.values()]
        if not table.columns or len(table.rows) != len(order):
            table.clear(columns=True)
            for head in heads:
                table.add_column(Text(f" {head}" if head != "unit" else head, justify="right"), key=head)
            for row in range(len(order)):
                table.add_row(*(Text("") for _ in heads), key=str(row))
        for row, unit in enumerate(order):
            cells = [str(unit + 1), *(compact(float(values[name][unit])) for name in list(COLUMNS)[1:])]
            cells += [sparkline([float(COLUMNS[name](each)[unit]) for each in past], HISTORY) for name in SPARKS]
            for head, cell in zip(heads, cells, strict=True):
                table.update_cell(str(row), head, Text(f" {cell}", justify="right"), update_width=row == 0)
        self._order = order
        if followed in order:
            table.move_cursor(row=order.index(followed), animate=False)

    def _past(self, number: int) -> list[BatchNormStatistics]:
        assert self._monitor is not None
        looked = list(self._monitor.looked)[-HISTORY:]
        layers = (each.layers[number - 1].batchnorm for each in looked if len(each.layers) >= number)
        return [norm for norm in layers if norm is not None]

    def _figures(self, monitor: Monitor) -> Text:
        text = Text()
        found = monitor.batchnorm
        if found is not None:
            _gap(text, found)
            _noise(text, found, self._layer)
        _drift(text, monitor, key_names(self.app))
        for concern in found.concerns if found is not None else ():
            where = f"layer {concern.layer}" if concern.layer else "network"
            where += f", unit {concern.unit + 1}" if concern.unit >= 0 else ""
            text.append(f"! {where}: ", "bold")
            text.append(f"{clean(concern.text, 200)}\n")
        return text

    # -- keys ---------------------------------------------------------------------------------------------------------

    def action_layer(self, by: int) -> None:
        """Another layer."""
        self._layer = max(0, self._layer + by)
        self._again()

    def action_sort(self) -> None:
        """By the next column."""
        names = list(COLUMNS)
        self._sort_by(names[(names.index(self._sorted) + 1) % len(names)], False)

    @on(DataTable.HeaderSelected)
    def _head_clicked(self, message: DataTable.HeaderSelected) -> None:
        name = str(message.column_key.value)
        if name in COLUMNS:
            self._sort_by(name, not self._descending if name == self._sorted else False)

    def _sort_by(self, name: str, descending: bool) -> None:
        self._sorted, self._descending = name, descending
        self._again()

    def _again(self) -> None:
        if self._monitor is not None:
            self.show(self._monitor)


def _gap(text: Text, found: BatchNormInspection) -> None:
    gap = found.gap
    difference = gap.running_cost - gap.batch_cost
    text.append("test time ", "bold")
    text.append(
        f"{gap.part} data cost {gap.running_cost:.4g} with running statistics, {gap.batch_cost:.4g} with those of mini-batches "
        f"of {gap.batch_size:,}: {difference:+.2g}; error {gap.running_error:.3g} against {gap.batch_error:.3g}\n"
    )


def _noise(text: Text, found: BatchNormInspection, layer: int) -> None:
    noise = found.noise
    text.append("noise of μ, σ² ", "bold")
    measured = zip(noise.sizes.tolist(), noise.mean[layer].tolist(), noise.variance[layer].tolist(), strict=True)
    parts = [f"m {size}: {mean:.2f}σ {variance:.0%}" for size, mean, variance in measured]
    text.append("  ".join(parts) + "\n")


def _drift(text: Text, monitor: Monitor, keys: KeyNames) -> None:
    looked = list(monitor.looked)
    if len(looked) < 2:
        return
    then, now = looked[max(0, len(looked) - 1 - HISTORY)], looked[-1]
    text.append("drift of inputs ", "bold")
    text.append(f"from step {then.step:,} to {now.step:,}, in σ, layer {_moved(then, now)}\n")
    twin = list(monitor.twin.looked) if monitor.twin is not None else []
    same = {each.step: each for each in twin}
    if then.step in same and now.step in same and monitor.twin is not None:
        text.append(f"{twin_name(monitor.twin)}: {_moved(same[then.step], same[now.step])}\n")
    elif twin and monitor.twin is not None:
        text.append(f"{twin_name(monitor.twin)} is at step {monitor.twin.step:,}\n", "dim")
    elif monitor.twin is None:
        text.append(keys.fill("{view.twin} trains the same run without batch norm beside it\n"), "dim")


def _moved(then: Evaluated, now: Evaluated) -> str:
    return "  ".join(
        f"{layer.layer}: {drift(before.input_mean, before.input_std, layer.input_mean, layer.input_std):.2f}"
        for before, layer in zip(then.layers, now.layers, strict=False)
    )
