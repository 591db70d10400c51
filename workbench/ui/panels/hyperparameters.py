"""The hyperparameters: the editor, and what there is to know about the row under its cursor."""

from __future__ import annotations

import math
from typing import Any, cast

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.widgets import Static

from workbench.files.text import clean
from workbench.hyperparameters import Hyperparameters, find
from workbench.optim.optimizers import OPTIMIZERS
from workbench.optim.schedules import SCHEDULES
from workbench.optim.usage import unused_because
from workbench.spec import Scale, Value
from workbench.ui.panels.panel import Panel
from workbench.ui.state.monitor import Monitor, shown
from workbench.ui.widgets.editor import Editor


class HyperparameterPanel(Panel):
    """Everything that may change while it trains."""

    TITLE = "1 Hyperparameters"
    HELP = (
        "↑ ↓ choose; ← → or + - step on the parameter's own scale; or type 0.003, 3e-4, x0.5, /3; Enter applies, Escape leaves. "
        "The value shown is the one applied: … means on its way, ✓@ after which step it was taken, ✗ refused (the reason stands "
        "below), · without effect under the present optimizer or schedule. Tune α first, then batch size, β₁ and the units; β₂ "
        "and ε almost never."
    )

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._monitor: Monitor | None = None
        self._problem = ""
        self._unused: dict[str, str] = {}

    def compose(self) -> ComposeResult:
        """List above, explanation below."""
        yield Editor(id="editor")
        yield Static(Text(""), id="explanation")

    def show(self, monitor: Monitor) -> None:
        """Hand the applied values and the states of edits to the editor."""
        self._monitor = monitor
        if monitor.begun is None:
            return
        h = Hyperparameters(**cast(dict[str, Any], monitor.hyperparameters))
        batch_norm = monitor.evaluated is not None and any(layer.batchnorm is not None for layer in monitor.evaluated.layers)
        reasons = {name: unused_because(name, h, batch_norm) for name in monitor.hyperparameters}
        self._unused = {name: reason for name, reason in reasons.items() if reason}
        scheduled = h.schedule != "constant" or monitor.step < h.warmup_steps
        now = shown(float(f"{monitor.learning_rate:.2g}")) if scheduled and math.isfinite(monitor.learning_rate) else ""
        self.query_one(Editor).tell(monitor.hyperparameters, monitor.rows, frozenset(self._unused), now)
        self._explain()

    @on(Editor.Described)
    def _described(self, message: Editor.Described) -> None:
        message.stop()
        self._problem = message.problem
        self._explain()

    def _explain(self) -> None:
        editor = self.query_one(Editor)
        spec, _ = find(editor.current)
        text = Text()
        state = self._monitor.rows.get(editor.current) if self._monitor else None
        if self._problem:
            text.append(f"✗ {clean(self._problem, 300)}\n", "bold")
        elif state is not None and state.kind == "refused":
            text.append(f"✗ refused: {clean(state.note, 300)}\n", "bold")
        elif spec.name in self._unused:
            text.append(f"· {self._unused[spec.name]}\n", "bold")
        elif state is not None and state.kind == "applied":
            text.append(f"✓ taken after step {state.step:,}\n", "bold")
        text.append(spec.help)
        value = editor.value_of(editor.current)
        text.append(_formula(spec.name, value) or f" Expected {spec.expected}.", "dim")
        if spec.scale is Scale.ONE_MINUS_LOG and isinstance(value, float) and value < 1 and "beta" in spec.name:
            text.append(f" Now ≈ last {1 / (1 - value):,.0f}.", "dim")
        self.query_one("#explanation", Static).update(text)


def _formula(name: str, value: Value | None) -> str:
    if name == "optimizer" and value in OPTIMIZERS:
        return f" {OPTIMIZERS[str(value)].formula}"
    if name == "schedule" and value in SCHEDULES:
        return f" α = {SCHEDULES[str(value)].formula}"
    return "" if value is None else f" Applied: {shown(value)}." if name == "epochs" else ""
