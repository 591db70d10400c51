"""What the screen knows of the run: a fold over the engine's reports. No widget, no clock of its own."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
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
from workbench.hyperparameters import LIVE, Hyperparameters, assign
from workbench.hyperparameters.epochs import steps_left
from workbench.protocol.hello import Hello
from workbench.protocol.reports import (
    Arrived,
    Begun,
    Branches,
    Inspected,
    Paused,
    Report,
    Resumed,
    Saved,
    SaveFailed,
    Travelling,
    UnusedChanged,
)
from workbench.session.branch import Best, Branch, Edit
from workbench.session.session import Session
from workbench.session.timeline import hyperparameters_at
from workbench.spec import Spec, Value
from workbench.ui.state.clock import Clock
from workbench.ui.state.timeline import Happening, happenings


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
LOOKS = 64
"""So many evaluations are kept, to see how layers change."""
SPEED, DRIFT = "speed", "drift"
"""The series that only the screen knows: steps per second, and how far each layer's inputs have moved."""
_RATE_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class EditState:
    """How an edit of a hyperparameter stands: `pending`, `applied` at a step, or `refused` with the reason."""

    kind: str
    step: int = 0
    value: Value = 0
    note: str = ""


@dataclass(slots=True)
class Monitor:
    """The state of the run as last reported."""

    rows: Mapping[str, Spec] = field(default_factory=lambda: LIVE)
    """What can be edited, by name: the table's own rows until an engine has said which it takes."""
    phase: Phase = Phase.STARTING
    begun: Begun | None = None
    step: int = 0
    epoch: int = 0
    progress: float = 0.0
    learning_rate: float = math.nan
    hyperparameters: Hyperparameters = field(default_factory=Hyperparameters)
    unused: Mapping[str, str] = field(default_factory=dict)
    """Which of them have no effect for now, and why."""
    edit_states: dict[str, EditState] = field(default_factory=dict)
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
    """After which step the predictions were made."""
    twin: Monitor | None = None
    """The same run with batch norm where this has none, or without it where this has some."""
    finished: Finished | None = None
    stop: Diverged | StoppedEarly | None = None
    """Why training stopped by itself, until it goes on."""
    trouble: str = ""
    branch: Branch = field(default_factory=Branch)
    """The current one, as of now."""
    others: dict[str, Branch] = field(default_factory=dict)
    """All branches as last sent, by name, in their order; of the current one, `branch` is newer."""
    redo_branch: str = ""
    """The branch that redo goes back to, if any."""
    curves: dict[str, dict[str, Series]] = field(default_factory=dict)
    """Costs and dev costs of the other branches, with penalties and without, by branch and name of the series."""
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
    _effects: dict[int, str] = field(default_factory=dict)
    _arrivals: deque[tuple[float, int]] = field(default_factory=deque)
    _stop_told: bool = False

    @classmethod
    def of(cls, session: Session) -> Monitor:
        """A monitor that knows the session's own timeline."""
        branch, preset = session.branch, session.preset
        return cls(
            plan=preset.plan, branch=branch, others={each.name: each for each in session.branches},
            hyperparameters=hyperparameters_at(preset, branch, branch.tip),
        )  # fmt: skip

    # -- what is known ------------------------------------------------------------------------------------------------

    @property
    def current(self) -> str:
        """The name of the current branch."""
        return self.branch.name

    @property
    def edits(self) -> tuple[Edit, ...]:
        """Those of the current branch, in order."""
        return self.branch.edits

    @property
    def best(self) -> Best | None:
        """The least dev data cost on the current branch, and when it was."""
        return self.branch.best

    @property
    def branches(self) -> dict[str, Branch]:
        """All branches by name, the current one as of now."""
        return {**self.others, self.current: self.branch}

    @property
    def happenings(self) -> list[Happening]:
        """The timeline of the current branch."""
        return happenings(self.branch, self.plan, self._effects)

    @property
    def batch_norm(self) -> bool:
        """Whether the network has any."""
        return self.begun is not None and self.begun.batch_norm

    @property
    def reach(self) -> int:
        """The last step one can go to from here: further on where a branch was just left."""
        left = self.others.get(self.redo_branch)
        return max(self.step, left.step) if left is not None else self.step

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
        h = self.hyperparameters
        return steps_left(self.progress, h.epochs, self.begun.examples[0], h.batch_size, self.begun.batch_norm) / rate

    # -- what the screen itself does ----------------------------------------------------------------------------------

    def expect(self, name: str, value: Value) -> None:
        """An edit was sent; its row is pending until the engine answers."""
        self.edit_states[name] = EditState("pending", value=value)
        self.revision += 1

    def loads(self) -> None:
        """The engine is there, and was told what to train."""
        if self.phase is Phase.STARTING:
            self.phase = Phase.LOADING
            self.revision += 1

    def lost(self, reason: str) -> None:
        """The engine is gone."""
        self.phase, self.trouble = Phase.LOST, reason
        self.revision += 1

    def compare(self, name: str) -> None:
        """Draw a branch beside the current one, or no more."""
        without = tuple(each for each in self.compared if each != name)
        self.compared = without if name in self.compared else (*without, name)
        self.revision += 1

    # -- the fold -----------------------------------------------------------------------------------------------------

    def record(self, report: Report, now: float) -> None:
        """Fold in one report, which arrived at `now` (seconds of any clock)."""
        self.revision += 1
        match report:
            case StepsTaken():
                self._steps_taken(report, now)
            case Evaluated():
                self._evaluated(report)
            case HyperparameterChanged():
                self._changed(report)
            case UnusedChanged(unused=unused):
                self.unused = unused
            case CommandRejected():
                self.edit_states[report.name] = EditState("refused", report.step, report.value, report.reason)
            case Hello(rows=rows):
                self.rows = {row.name: row for row in rows}
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
                self._pause(step)
            case Resumed():
                self._go_on(Phase.TRAINING)
                self.clock.start(now)
            case GuardPassed():
                self.branch = self.branch.after(report)
            case Finished():
                self.phase, self.finished = Phase.FINISHED, report
                self.branch = self.branch.after(report)
            case Diverged():
                self._stopped(report, Phase.DIVERGED, f"step {report.step:,} was not taken: {report.reason}")
            case StoppedEarly():
                least = f"least, {report.cost:.4g}, at step {report.best:,}" if math.isfinite(report.cost) else "never finite"
                self._stopped(report, Phase.EARLY, f"after step {report.step:,}: the dev cost without penalties was {least}")
            case Inspected():
                self.batchnorm = report.batchnorm or self.batchnorm
                if report.predictions is not None:
                    self.predictions, self.predicted_at = report.predictions, report.step
            case Saved():
                self.unsaved = False
            case SaveFailed():
                self.unsaved = True
            case _:
                pass

    def _steps_taken(self, steps: StepsTaken, now: float) -> None:
        self.unsaved, self.redo_branch = True, ""
        if self.phase in (Phase.FINISHED, *STOPPED):  # one step was asked for from there
            self._go_on(Phase.PAUSED)
        self.step, self.epoch, self.progress = steps.step, steps.epoch, steps.progress
        self.branch = self.branch.after(steps)
        self.learning_rate = float(steps.learning_rate[-1])
        self.history.record(steps)
        for name in PER_STEP:
            self.recent.setdefault(name, Recent()).extend(steps.step, getattr(steps, name))
        self.clock.tick(steps.step, steps.progress, now)
        self._arrivals.append((now, steps.step))
        while len(self._arrivals) > 2 and self._arrivals[0][0] < now - _RATE_SECONDS:
            self._arrivals.popleft()
        if math.isfinite(self.steps_per_second):
            self.history.series.setdefault(SPEED, Series()).add(steps.step, self.steps_per_second)

    def _evaluated(self, evaluated: Evaluated) -> None:
        self.evaluated = evaluated
        self._look_back(evaluated)
        if not evaluated.look:
            self.history.record(evaluated)
            self.branch = self.branch.after(evaluated)

    def _look_back(self, now: Evaluated) -> None:
        """How far the inputs of each layer have moved since the evaluation before."""
        before = self.looked[-1] if self.looked else None
        if before is not None and now.step > before.step and len(before.layers) == len(now.layers):
            for then, layer in zip(before.layers, now.layers, strict=True):
                moved = drift(then.input_mean, then.input_std, layer.input_mean, layer.input_std)
                self.history.series.setdefault(f"{DRIFT}{layer.layer}", Series()).add(now.step, moved)
        if before is None or now.step > before.step:
            self.looked.append(now)

    def _changed(self, change: HyperparameterChanged) -> None:
        self.unsaved, self.redo_branch = True, ""
        self.edit_states[change.name] = EditState("applied", change.step, change.new, change.effect)
        self.hyperparameters = assign(self.hyperparameters, change.name, change.new)
        self.branch = self.branch.after(change)
        if change.effect and not change.planned:
            self._effects[len(self.branch.edits)] = change.effect

    def _pause(self, step: int) -> None:
        self.step, self.travelling = step, None
        self.clock.stop()
        self._stop_told = self.phase in STOPPED
        self._arrivals.clear()
        if self.phase in (Phase.STARTING, Phase.LOADING, Phase.TRAINING):
            self.phase = Phase.PAUSED

    def _stopped(self, stop: Diverged | StoppedEarly, phase: Phase, trouble: str) -> None:
        self.phase, self.stop, self.trouble = phase, stop, trouble
        self.branch = self.branch.after(stop)

    def _go_on(self, phase: Phase) -> None:
        self.phase, self.trouble, self.finished, self.stop, self._stop_told = phase, "", None, None, False

    def _begin(self, begun: Begun) -> None:
        self.begun = begun
        self._go_on(Phase.TRAINING)
        self.read_only = begun.read_only
        self._stand(begun)
        self.unsaved = False

    def _arrive(self, arrived: Arrived) -> None:
        self._stand(arrived)
        self.cursor, self.travelling, self.unsaved = None, None, True
        if self.phase is Phase.FINISHED or self._stop_told:  # else it went there because it stopped
            self._go_on(Phase.PAUSED)

    def _stand(self, place: Begun | Arrived) -> None:
        self.step, self.epoch, self.progress = place.step, place.epoch, place.passage[-1][1]
        self.hyperparameters, self.unused = place.hyperparameters, place.unused
        self.edit_states, self._effects = {}, {}
        own = {name: series for name, series in self.history.series.items() if name.startswith((SPEED, DRIFT))}
        self.history, self.recent = History(), {}
        self.history.series.update((name, series.truncated(place.step)) for name, series in own.items())
        self.looked = deque((each for each in self.looked if each.step <= place.step), maxlen=LOOKS)
        self.batchnorm = self.predictions = None
        self.clock.stand(place.passage)
        for sent in place.history:
            self.history.series[sent.name] = Series.from_tensor(sent.values)
        curve = self.history.series["learning_rate"].curve()
        self.learning_rate = float(curve.mean[-1]) if len(curve.mean) else math.nan
        self._arrivals.clear()

    def _take_branches(self, sent: Branches) -> None:
        left = self.branch
        self.others = {each.branch.name: each.branch for each in sent.branches}
        self.curves = {
            each.branch.name: {curve.name: Series.from_tensor(curve.values) for curve in each.curves} for each in sent.branches
        }
        self.branch = self.others[sent.current]
        was_left = left.name != self.current and left.name in self.others and left.name not in self.compared
        if was_left and not _ends_in_a_stop(self.others[left.name]):
            self.compared = (*self.compared, left.name)
        self.compared = tuple(name for name in self.compared if name in self.others and name != self.current)
        self.redo_branch, self.travelling = sent.redo_branch, None


def _ends_in_a_stop(branch: Branch) -> bool:
    """Its last costs may be beyond every axis."""
    return bool(branch.stops) and branch.stops[-1].step == branch.step
