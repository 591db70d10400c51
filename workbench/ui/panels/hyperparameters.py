"""The hyperparameters: the editor, and what there is to know about the row under its cursor."""

from __future__ import annotations

import math

from textual import on
from textual.app import ComposeResult

from workbench.files.text import clean
from workbench.spec import Scale, Spec, Value
from workbench.ui.doors.text import Static, Text
from workbench.ui.panels.panel import Panel
from workbench.ui.state.layout import Slot
from workbench.ui.state.monitor import Monitor
from workbench.ui.state.wording import shown
from workbench.ui.widgets.editor import Editor


class HyperparameterPanel(Panel):
    """Everything that may change while it trains."""

    SLOT = Slot.HYPERPARAMETERS
    HELP = (
        "↑ ↓ choose; ← → or + - step on the parameter's own scale; or type 0.003, 3e-4, x0.5, /3; Enter applies, Escape "
        "leaves. The value shown is the one applied: … means on its way, ✓@ after which step it was taken, ✗ refused (the "
        "reason stands below), · without effect under the present optimizer or schedule. Tune α first, then batch size, β₁ "
        "and the units; β₂ and ε almost never."
    )

    def __init__(self) -> None:
        super().__init__()
        self._editor = Editor(id="editor")
        self._explanation = Static(id="explanation")
        self._monitor: Monitor | None = None
        self._problem = ""

    def compose(self) -> ComposeResult:
        """List above, explanation below."""
        yield self._editor
        yield self._explanation

    def show(self, monitor: Monitor) -> None:
        """Hand the applied values and the states of edits to the editor."""
        self._monitor = monitor
        if monitor.begun is None:
            return
        h = monitor.hyperparameters
        scheduled = h.schedule != "constant" or monitor.step < h.warmup_steps
        now = shown(float(f"{monitor.learning_rate:.2g}")) if scheduled and math.isfinite(monitor.learning_rate) else ""
        self._editor.tell(monitor.rows, h, monitor.edit_states, frozenset(monitor.unused), now)
        self._explain(monitor)

    @on(Editor.Described)
    def _described(self, message: Editor.Described) -> None:
        message.stop()
        self._problem = message.problem
        if self._monitor is not None:
            self._explain(self._monitor)
        else:
            self._explain(Monitor())

    def _explain(self, monitor: Monitor) -> None:
        name = self._editor.current
        spec = monitor.rows[name.partition(".")[0]]
        text = Text()
        state = monitor.edit_states.get(name)
        if self._problem:
            text.append(f"✗ {clean(self._problem, 300)}\n", "bold")
        elif state is not None and state.kind == "refused":
            text.append(f"✗ refused: {clean(state.note, 300)}\n", "bold")
        elif spec.name in monitor.unused:
            text.append(f"· {clean(monitor.unused[spec.name], 200)}\n", "bold")
        elif state is not None and state.kind == "applied":
            text.append(f"✓ taken after step {state.step:,}\n", "bold")
        text.append(clean(spec.help, 500))
        value = self._editor.value_of(name)
        text.append(_formula(spec, value) or f" Expected {spec.expected}.", "dim")
        if spec.scale is Scale.ONE_MINUS_LOG and isinstance(value, float) and value < 1 and "beta" in spec.name:
            text.append(f" Now ≈ last {1 / (1 - value):,.0f}.", "dim")
        self._explanation.update(text)


def _formula(spec: Spec, value: Value | None) -> str:
    formulas = dict(zip(spec.choices, spec.formulas, strict=False))
    if value in formulas:
        return f" {'α = ' if spec.name == 'schedule' else ''}{clean(formulas[str(value)], 200)}"
    return "" if value is None else f" Applied: {shown(value)}." if spec.name == "epochs" else ""
