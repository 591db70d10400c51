"""What the screen knows of the run: a fold over the engine's reports. No widget, no clock of its own."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum

from workbench.engine.batchnorm_inspection import drift
from workbench.engine.commands import Planned
from workbench.engine.events import (
    CommandRejected,
    Diverged,
    Evaluated,
    Finished,
    GuardPassed,
    HyperparameterChanged,
    StepsTaken,
    StoppedEarly,
)
from workbench.engine.history import PER_STEP, History, Recent, Series
from workbench.engine.measurements import BatchNormInspection, Predictions
from workbench.hyperparameters import TABLE
from workbench.protocol.reports import Arrived, Begun, Branches, Inspected, Paused, Report, Resumed, Saved, SaveFailed, Travelling
from workbench.session.branch import MAIN, Best, Branch, Edit
from workbench.session.session import Session
from workbench.spec import Value
from workbench.ui.state.clock import Clock


class Phase(StrEnum):
    """What the run is doing, in the words of the status line."""

    STARTING = "starting the engine"
    LOADING = "loading the data"
    TRAINING = "training"
    PAUSED = "paused"
    FINISHED = "finished"
    DIVERGED = "stopped by the guard"
    EARLY = "stopped early"
    LOST = "engine lost"


STOPPED = (Phase.DIVERGED, Phase.EARLY)
GUARD, NOTE, PLAN = "guard", "note", "plan"
LOOKS = 64
"""So many evaluations are kept, to see how layers change."""
SPEED, DRIFT = "speed", "drift"
"""The series that only the screen knows: steps per second, and how far each layer's inputs have moved."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the timeline: an edit, a note, or a stop (whose `name` is `guard`).

    `edit` is the edit's number in its branch, from 1, and 0 for what is none; `note` is what somebody wrote about it.
    """

    step: int
    name: str
    text: str
    note: str = ""
    edit: int = 0


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
    recent: dict[str, Recent] = field(default_factory=dict)
    """The last steps one by one, of the series of every step."""
    clock: Clock = field(default_factory=Clock)
    evaluated: Evaluated | None = None
    looked: deque[Evaluated] = field(default_factory=lambda: deque(maxlen=LOOKS))
    """The last evaluations, the newest at the right."""
    batchnorm: BatchNormInspection | None = None
    predictions: Predictions | None = None
    predicted_at: int = 0
    """After which step the model was looked at."""
    twin: Monitor | None = None
    """The same run with batch norm where this has none, or without it where this has some."""
    finished: Finished | None = None
    stop: Diverged | StoppedEarly | None = None
    """Why training stopped by itself, until it goes on."""
    trouble: str = ""
    branches: dict[str, Branch] = field(default_factory=dict)
    current: str = MAIN
    redo_branch: str = ""
    """The branch that redo goes back to, if any."""
    curves: dict[str, dict[str, Series]] = field(default_factory=dict)
    """Cost and dev cost of the other branches."""
    best: Best | None = None
    travelling: Travelling | None = None
    cursor: int | None = None
    """The step at which all charts are read."""
    compared: tuple[str, ...] = ()
    """The branches that are drawn beside the current one."""
    read_only: bool = False
    unsaved: bool = False
    """Whether there is something that quitting without saving would lose."""
    revision: int = 0
    plan: tuple[Planned, ...] = ()
    edits: list[Edit] = field(default_factory=list)
    """Those of the current branch, in order."""
    _arrivals: deque[tuple[float, int]] = field(default_factory=deque)
    _stood: int = 0
    _stop_told: bool = False

    @classmethod
    def of(cls, session: Session) -> Monitor:
        """A monitor that knows the session's own timeline."""
        monitor = cls(plan=session.preset.plan)
        monitor.branches = {branch.name: branch for branch in session.branches}
        monitor.current = session.current
        monitor._read_branch(session.branch)
        return monitor

    def _read_branch(self, branch: Branch) -> None:
        """The timeline and the best of a branch."""
        self.edits = list(branch.edits)
        entries = [_edit_entry(edit, number) for number, edit in enumerate(branch.edits, start=1)]
        entries += [Entry(stop.step, GUARD, stop.reason + (" (passed)" if stop.passed else "")) for stop in branch.stops]
        entries += [Entry(note.step, NOTE, note.text) for note in branch.notes]
        entries += [Entry(each.step, each.name, f"→ {shown(each.value)}", PLAN) for each in self.plan if each.step <= branch.step]
        self.entries = sorted(entries, key=lambda entry: entry.step)
        self.best = branch.best

    def expect(self, name: str, value: Value) -> None:
        """An edit was sent; its row is pending until the engine answers."""
        self.rows[name] = RowState("pending", value=value)
        self.revision += 1

    def record(self, report: Report, now: float) -> None:
        """Fold in one report, which arrived at `now` (seconds of any clock)."""
        self.revision += 1
        match report:
            case StepsTaken():
                self.unsaved, self.redo_branch = True, ""
                if self.phase in (Phase.FINISHED, *STOPPED):  # one step was ordered from there
                    self._go_on(Phase.PAUSED)
                self.step, self.epoch, self.progress = report.step, report.epoch, report.progress
                self.learning_rate = float(report.learning_rate[-1])
                self.history.record(report)
                for name in PER_STEP:
                    self.recent.setdefault(name, Recent()).extend(report.step, getattr(report, name))
                self.clock.tick(report.step, report.progress, now)
                self._arrivals.append((now, report.step))
                while len(self._arrivals) > 2 and self._arrivals[0][0] < now - _RATE_SECONDS:
                    self._arrivals.popleft()
                if math.isfinite(self.steps_per_second):
                    self.history.series.setdefault(SPEED, Series()).add(report.step, self.steps_per_second)
            case Evaluated():
                self.evaluated = report
                self._look_back(report)
                if report.step > self._stood or not report.step:
                    self.history.record(report)
                    if report.dev is not None and report.dev.cost < (self.best.cost if self.best is not None else math.inf):
                        self.best = Best(report.step, report.dev.cost)
            case HyperparameterChanged():
                self._changed(report)
            case CommandRejected():
                self.rows[report.name] = RowState("refused", report.step, report.value, report.reason)
            case Begun():
                self._begin(report)
                self.clock.start(now)
            case Arrived():
                self._arrive(report)
            case Branches():
                self._take_branches(report)
            case Travelling():
                self.travelling = report
            case Paused(step=step):
                self.step, self.travelling = step, None
                self.clock.stop()
                self._stop_told = self.phase in STOPPED
                self._arrivals.clear()
                if self.phase in (Phase.STARTING, Phase.LOADING, Phase.TRAINING):
                    self.phase = Phase.PAUSED
            case Resumed():
                self._go_on(Phase.TRAINING)
                self.clock.start(now)
            case GuardPassed(step=step):
                self.entries.append(Entry(step, GUARD, "passed: the next step is taken whatever the guard says"))
            case Finished():
                self.phase, self.finished = Phase.FINISHED, report
            case Diverged():
                self.phase, self.stop = Phase.DIVERGED, report
                self.trouble = f"step {report.step:,} was not taken: {report.reason}"
                self._tell_once(Entry(report.step - 1, GUARD, report.reason))
            case StoppedEarly():
                self.phase, self.stop = Phase.EARLY, report
                least = f"least, {report.cost:.4g}, at step {report.best:,}" if math.isfinite(report.cost) else "never finite"
                self.trouble = f"after step {report.step:,}: the dev cost was {least}"
                self._tell_once(Entry(report.step, GUARD, f"stopped early: the best is that of step {report.best:,}"))
            case Inspected():
                if report.batchnorm is not None:
                    self.batchnorm = report.batchnorm
                if report.predictions is not None:
                    self.predictions, self.predicted_at = report.predictions, report.step
            case Saved():
                self.unsaved = False
            case SaveFailed():
                self.unsaved = True
            case _:
                pass

    def _look_back(self, now: Evaluated) -> None:
        """How far the inputs of each layer have moved since the evaluation before."""
        before = self.looked[-1] if self.looked else None
        if before is not None and now.step > before.step and len(before.layers) == len(now.layers):
            for then, layer in zip(before.layers, now.layers, strict=True):
                moved = drift(then.input_mean, then.input_std, layer.input_mean, layer.input_std)
                self.history.series.setdefault(f"{DRIFT}{layer.layer}", Series()).add(now.step, moved)
        if before is None or now.step > before.step:
            self.looked.append(now)

    def _tell_once(self, stop: Entry) -> None:
        """Gone on as it was, a run stops where it stopped before."""
        if stop not in self.entries:
            self.entries.append(stop)

    def _go_on(self, phase: Phase) -> None:
        self.phase, self.trouble, self.finished, self.stop, self._stop_told = phase, "", None, None, False

    def _begin(self, begun: Begun) -> None:
        self.begun = begun
        self._go_on(Phase.TRAINING)
        self.read_only = begun.read_only
        self._stand(begun)
        self.unsaved = False

    def _arrive(self, arrived: Arrived) -> None:
        self.progress = arrived.progress
        self._stand(arrived)
        self.cursor, self.travelling, self.unsaved = None, None, True
        if self.phase is Phase.FINISHED or self._stop_told:  # else it went there because it stopped
            self._go_on(Phase.PAUSED)

    def _stand(self, place: Begun | Arrived) -> None:
        self.step, self.epoch = place.step, place.epoch
        self._stood = place.step
        self.hyperparameters = dict(place.hyperparameters)
        self.rows = {}
        own = {name: series for name, series in self.history.series.items() if name.startswith((SPEED, DRIFT))}
        self.history, self.recent = History(), {}
        self.history.series.update((name, series.truncated(place.step)) for name, series in own.items())
        self.looked = deque((each for each in self.looked if each.step <= place.step), maxlen=LOOKS)
        self.batchnorm = self.predictions = None
        if self.begun is not None:
            batch_size = self.hyperparameters["batch_size"]
            assert isinstance(batch_size, int)
            self.clock.stand(place.step, batch_size, self.edits, self.begun.examples[0])
        for sent in place.history:
            self.history.series[sent.name] = Series.from_tensor(sent.values)
        curve = self.history.series["learning_rate"].curve()
        self.learning_rate = float(curve.mean[-1]) if len(curve.mean) else math.nan
        self._arrivals.clear()

    def _take_branches(self, report: Branches) -> None:
        self.branches = {sent.branch.name: sent.branch for sent in report.branches}
        self.curves = {
            sent.branch.name: {each.name: Series.from_tensor(each.values) for each in sent.curves} for sent in report.branches
        }
        if report.current != self.current:
            left, self.current = self.current, report.current
            if left in self.branches and left not in self.compared and not _ends_in_a_stop(self.branches[left]):
                self.compared = (*self.compared, left)
        self.compared = tuple(name for name in self.compared if name in self.branches and name != self.current)
        self.redo_branch, self.travelling = report.redo_branch, None
        self._read_branch(self.branches[report.current])

    def _changed(self, report: HyperparameterChanged) -> None:
        self.unsaved, self.redo_branch = True, ""
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
        text = f"{shown(report.old)} → {shown(report.new)}{effect}"
        if report.planned:
            self.entries.append(Entry(report.step, report.name, text, PLAN))
            return
        self.edits.append(Edit(report.step, report.name, report.old, report.new, undoes=report.undoes))
        self.entries.append(_edit_entry(self.edits[-1], len(self.edits), effect))

    def loads(self) -> None:
        """The engine is there, and was told what to train."""
        if self.phase is Phase.STARTING:
            self.phase = Phase.LOADING
            self.revision += 1

    def lost(self, reason: str) -> None:
        """The engine is gone."""
        self.phase, self.trouble = Phase.LOST, reason
        self.revision += 1

    @property
    def reach(self) -> int:
        """The last step one can go to from here: further on where a branch was just left."""
        return max(self.step, self.branches[self.redo_branch].step) if self.redo_branch in self.branches else self.step

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


def _ends_in_a_stop(branch: Branch) -> bool:
    """Its last costs may be beyond every axis."""
    return bool(branch.stops) and branch.stops[-1].step == branch.step


def _edit_entry(edit: Edit, number: int, effect: str = "") -> Entry:
    undone = " ↶" if edit.undoes else ""
    return Entry(edit.step, edit.name, f"{shown(edit.old)} → {shown(edit.new)}{effect}{undone}", edit.note, number)


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
