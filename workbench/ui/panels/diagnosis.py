"""The diagnosis: what the figures say about the run, worst first, and the edit that each finding suggests."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult

from workbench.engine.diagnosis import diagnose
from workbench.engine.events import Diverged
from workbench.engine.findings import Facts, Finding, Level
from workbench.files.text import clean
from workbench.protocol.reports import Begun
from workbench.ui.doors.border import set_subtitle
from workbench.ui.doors.notice import notify
from workbench.ui.doors.options import Option, OptionList
from workbench.ui.doors.text import Text
from workbench.ui.messages import Suggested
from workbench.ui.panels.panel import Panel
from workbench.ui.state.layout import Slot
from workbench.ui.state.monitor import Monitor
from workbench.ui.state.wording import shown, symbol

SIGNS = {Level.GOOD: "✓", Level.NOTE: "·", Level.WARNING: "!", Level.BAD: "✗"}
STYLES = {Level.GOOD: "", Level.NOTE: "", Level.WARNING: "bold", Level.BAD: "bold reverse"}
TOO_EARLY = "No evaluation yet: nothing can be said."


class DiagnosisPanel(Panel):
    """Findings, each with its numbers. Enter goes to the hyperparameter that one suggests."""

    SLOT = Slot.DIAGNOSIS
    HELP = (
        "Bias is the train error above the Bayes error, the least that anybody could reach, which you set among the "
        "hyperparameters (Bayes); variance is the dev error above the train error. The basic recipe: against bias a bigger "
        "network, longer training, another architecture; against variance more data, regularization, another architecture. "
        "Below come the health of the layers (gradients that vanish or explode from layer to layer, units that are dead, "
        "saturated or copies of each other, ‖ΔW‖/‖W‖ against 1e-3) and of the curves (overfitting, a plateau, a cost that "
        "jumps because α is too high or creeps because it is too low). ✗ bad, ! a warning, · a note, ✓ good. Each finding "
        "carries its numbers; Enter on one that suggests an edit goes there, with the value typed in."
    )

    def __init__(self) -> None:
        super().__init__()
        self._judged: tuple[object, ...] | None = None
        self._findings: tuple[Finding, ...] = ()

    def compose(self) -> ComposeResult:
        """A list."""
        yield OptionList(Option(Text(TOO_EARLY, "italic dim"), disabled=True))

    def show(self, monitor: Monitor) -> None:
        """Judge anew where there was an evaluation, or an edit."""
        if monitor.begun is None or monitor.evaluated is None:
            return
        judged = (monitor.evaluated.step, monitor.current, len(monitor.edits), monitor.hyperparameters, monitor.stop)
        if judged == self._judged:
            return
        self._judged = judged
        findings = diagnose(facts_of(monitor, monitor.begun))
        set_subtitle(self, clean(f"after step {monitor.evaluated.step:,}"))
        if findings == self._findings:
            return
        entries = self.query_one(OptionList)
        chosen = entries.highlighted
        self._findings = findings
        entries.clear_options()
        entries.add_options([Option(_line(each)) for each in findings])
        entries.highlighted = min(chosen or 0, len(findings) - 1)

    @on(OptionList.OptionSelected)
    def _selected(self, message: OptionList.OptionSelected) -> None:
        message.stop()
        finding = self._findings[message.option_index] if message.option_index < len(self._findings) else None
        if finding is not None and finding.name and finding.value is not None:
            self.post_message(Suggested(finding.name, finding.value))
        elif finding is not None:
            notify(self, clean(f"No edit of a running run mends this: {finding.advice}", 400))


def facts_of(monitor: Monitor, begun: Begun) -> Facts:
    """What is known of the run. The changes that its plan has made by now are edits too."""
    changes = [(each.step, each.name) for each in monitor.edits]
    changes += [(each.step, each.name) for each in monitor.plan if each.step <= monitor.step]
    return Facts(
        step=monitor.step, task=begun.task, hyperparameters=monitor.hyperparameters, batch_norm=begun.batch_norm,
        history=monitor.history, evaluated=monitor.evaluated, bayes_error=monitor.hyperparameters.bayes_error,
        since=max((step for step, name in changes if name != "bayes_error"), default=0),
        stopped=monitor.stop.reason if isinstance(monitor.stop, Diverged) else "",
    )  # fmt: skip


def _line(finding: Finding) -> Text:
    text = Text.assemble((f"{SIGNS[finding.level]} {finding.kind}:", STYLES[finding.level]), f" {clean(finding.text, 400)}")
    if finding.advice:
        text.append(f" → {clean(finding.advice, 300)}", "italic")
    if finding.name and finding.value is not None:
        text.append(f" ⏎ {symbol(finding.name)} {shown(finding.value)}", "bold")
    return text
