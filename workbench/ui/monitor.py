"""What the screen knows of the run: a fold over the engine's reports. No widget, no clock of its own."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum

from workbench.engine.events import (
    CommandRejected,
    Diverged,
    Evaluated,
    Finished,
    HyperparameterChanged,
)
from workbench.engine.history import History, Series, StepsTaken
from workbench.hyperparameters import TABLE, Value
from workbench.runtime.messages import Begun, Paused, Report, Resumed, Saved
from workbench.session.session import Session


class Phase(StrEnum):
    """What the run is doing, in the words of the status line."""

    STARTING = "starting the engine"
    TRAINING = "training"
    PAUSED = "paused"
    FINISHED = "finished"
    DIVERGED = "diverged"
    LOST = "engine lost"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the timeline."""

    step: int
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class RowState:
    """How an edit of a hyperparameter stands: `pending`, `applied` at a step, or `refused` with the reason."""

    kind: str
    step: int = 0
    value: Value = 0
    note: str = ""


_RATE_SECONDS = 3.0


@dataclass(slots=True)
class Monitor:
    """The state of the run as last reported."""

    phase: Phase = Phase.STARTING
    begun: Begun | None = None
    step: int = 0
    epoch: int = 0
    progress: float = 0.0
    learning_rate: float = math.nan
    hyperparameters: dict[str, Value] = field(default_factory=dict)
    rows: dict[str, RowState] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    history: History = field(default_factory=History)
    evaluated: Evaluated | None = None
    finished: Finished | None = None
    trouble: str = ""
    unsaved: bool = False
    """Whether there is something that quitting without saving would lose."""
    revision: int = 0
    _arrivals: deque[tuple[float, int]] = field(default_factory=deque)

    @classmethod
    def of(cls, session: Session) -> Monitor:
        """A monitor that knows the session's own timeline."""
        monitor = cls()
        for edit in session.edits:
            monitor.entries.append(Entry(edit.step, edit.name, f"{shown(edit.old)} → {shown(edit.new)}"))
        for divergence in session.divergences:
            monitor.entries.append(Entry(divergence.step, "diverged", divergence.reason))
        monitor.entries.sort(key=lambda entry: entry.step)
        return monitor

    def expect(self, name: str, value: Value) -> None:
        """An edit was sent; its row is pending until the engine answers."""
        self.rows[name] = RowState("pending", value=value)
        self.revision += 1

    def take(self, report: Report, now: float) -> None:
        """Fold in one report, which arrived at `now` (seconds of any clock)."""
        self.revision += 1
        match report:
            case StepsTaken():
                self.unsaved = True
                if self.phase in (Phase.FINISHED, Phase.DIVERGED):  # one step was ordered from there
                    self.phase, self.trouble, self.finished = Phase.PAUSED, "", None
                self.step, self.epoch, self.progress = report.step, report.epoch, report.progress
                self.learning_rate = float(report.learning_rate[-1])
                self.history.take(report)
                self._arrivals.append((now, report.step))
                while len(self._arrivals) > 2 and self._arrivals[0][0] < now - _RATE_SECONDS:
                    self._arrivals.popleft()
            case Evaluated():
                self.evaluated = report
                if not self.begun or report.step > self.begun.step or not report.step:
                    self.history.take(report)
            case HyperparameterChanged():
                self._changed(report)
            case CommandRejected():
                self.rows[report.name] = RowState("refused", report.step, report.value, report.reason)
            case Begun():
                self._begin(report)
            case Paused(step=step):
                self.step = step
                self._arrivals.clear()
                if self.phase in (Phase.STARTING, Phase.TRAINING):
                    self.phase = Phase.PAUSED
            case Resumed():
                self.phase, self.trouble, self.finished = Phase.TRAINING, "", None
            case Finished():
                self.phase, self.finished = Phase.FINISHED, report
            case Diverged():
                self.phase = Phase.DIVERGED
                self.trouble = f"step {report.step:,} was not taken: {report.reason}"
                self.entries.append(Entry(report.step - 1, "diverged", report.reason))
            case Saved():
                self.unsaved = False
            case _:
                pass

    def _begin(self, begun: Begun) -> None:
        self.begun = begun
        self.step, self.epoch = begun.step, begun.epoch
        self.hyperparameters = dict(begun.hyperparameters)
        self.phase = Phase.TRAINING
        self.trouble, self.finished, self.rows = "", None, {}
        self.history = History()
        for sent in begun.history:
            self.history.series[sent.name] = Series.from_tensor(sent.values)
        curve = self.history.series["learning_rate"].curve()
        self.learning_rate = float(curve.mean[-1]) if len(curve.mean) else math.nan
        self.unsaved = False

    def _changed(self, report: HyperparameterChanged) -> None:
        self.unsaved = True
        self.rows[report.name] = RowState("applied", report.step, report.new, report.effect)
        base, dot, layer = report.name.partition(".")
        if dot:
            values = self.hyperparameters[base]
            assert isinstance(values, tuple)
            assert isinstance(report.new, (int, float))
            at = int(layer) - 1
            self.hyperparameters[base] = (*values[:at], report.new, *values[at + 1 :])
        else:
            self.hyperparameters[base] = report.new
        effect = f" ({report.effect})" if report.effect else ""
        self.entries.append(Entry(report.step, report.name, f"{shown(report.old)} → {shown(report.new)}{effect}"))

    def lost(self, reason: str) -> None:
        """The engine is gone."""
        self.phase, self.trouble = Phase.LOST, reason
        self.revision += 1

    @property
    def steps_per_second(self) -> float:
        """Over the last few seconds; NaN before two reports have come."""
        if len(self._arrivals) < 2:
            return math.nan
        (first, start), (last, end) = self._arrivals[0], self._arrivals[-1]
        return (end - start) / (last - first) if last > first else math.nan

    @property
    def seconds_left(self) -> float:
        """Until the last epoch ends at the present speed; NaN where that cannot be said."""
        rate = self.steps_per_second
        if self.phase is not Phase.TRAINING or not rate > 0 or self.begun is None:
            return math.nan
        epochs, batch = self.hyperparameters["epochs"], self.hyperparameters["batch_size"]
        assert isinstance(epochs, int)
        assert isinstance(batch, int)
        steps = max(0.0, epochs - self.progress) * math.ceil(self.begun.examples[0] / batch)
        return steps / rate


def symbol(name: str) -> str:
    """The sign of a hyperparameter where there is little room: `α`, `keep.2`, `optimizer`."""
    base, dot, layer = name.partition(".")
    return f"{TABLE[base].symbol or base}{dot}{layer}" if base in TABLE else name


def shown(value: Value) -> str:
    """A value as a person would write it."""
    if isinstance(value, tuple):
        return shown(value[0]) if len(set(value)) == 1 else " ".join(shown(each) for each in value) or "–"
    if isinstance(value, bool) or not isinstance(value, float):
        return str(value)
    if value and math.isfinite(value) and not 1e-3 <= abs(value) < 1e5:
        mantissa, _, exponent = f"{value:.5e}".partition("e")
        return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
    return f"{value:.6g}"
