"""What the engine tells its client, in the past tense, besides the trainer's own events."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.arrays import Floats
from workbench.engine.events import (
    CommandRejected,
    Diverged,
    EpochsEnded,
    Evaluated,
    Finished,
    GuardPassed,
    HyperparameterChanged,
    StepsTaken,
    StoppedEarly,
)
from workbench.engine.measurements import BatchNormInspection, Predictions
from workbench.hyperparameters import Hyperparameters
from workbench.protocol.hello import Hello
from workbench.session.branch import Branch


@dataclass(frozen=True, slots=True)
class SeriesSent:
    """One curve as it stands: a `Series.tensor`, flat."""

    name: str
    values: Floats


@dataclass(frozen=True, slots=True)
class Begun:
    """The engine is ready, and what it works on.

    Attributes:
        step, epoch: where the run stands.
        passage: points (steps, epochs done) between which the run came here evenly; the last is where it stands.
        hyperparameters: those in force, edits included.
        unused: those that have no effect now, each with the reason.
        sizes: widths of the network's layers, inputs first.
        batch_norm: whether its hidden layers have batch norm.
        parameters: how many parameters it has.
        examples: of train, dev and test.
        task: classes, binary or regression.
        blas_threads: threads of the linear algebra.
        history: the curves so far.
        read_only: the session can be looked at, and is not saved.
        obstacle: why that is; nearly always another workbench has it.
    """

    step: int
    epoch: int
    passage: tuple[tuple[int, float], ...]
    hyperparameters: Hyperparameters
    unused: dict[str, str]
    sizes: tuple[int, ...]
    batch_norm: bool
    parameters: int
    examples: tuple[int, ...]
    task: str
    blas_threads: int
    history: tuple[SeriesSent, ...]
    read_only: bool = False
    obstacle: str = ""


@dataclass(frozen=True, slots=True)
class Arrived:
    """The run stands at another place now: after `step` steps on another branch, with these hyperparameters and curves.

    All of it is as in `Begun`.
    """

    step: int
    epoch: int
    passage: tuple[tuple[int, float], ...]
    hyperparameters: Hyperparameters
    unused: dict[str, str]
    history: tuple[SeriesSent, ...]


@dataclass(frozen=True, slots=True)
class UnusedChanged:
    """By the edit before, other hyperparameters have no effect now: these, each with the reason."""

    unused: dict[str, str]


@dataclass(frozen=True, slots=True)
class Travelling:
    """On the way to another place, `done` of `total` steps have been trained again."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class BranchSent:
    """A branch without its state hashes, and the curves (dev cost and cost) of those that are not the current one."""

    branch: Branch
    curves: tuple[SeriesSent, ...]


@dataclass(frozen=True, slots=True)
class Branches:
    """All branches of the session, and which is the current one; said whenever one has changed but for the steps it grows by.

    `redo_branch` names the branch that redo goes back to, empty where there is none.
    """

    branches: tuple[BranchSent, ...]
    current: str
    redo_branch: str = ""


@dataclass(frozen=True, slots=True)
class Remark:
    """Something to tell the user; nothing was changed by it."""

    text: str


@dataclass(frozen=True, slots=True)
class RateTried:
    """The cost of mini-batches (n,) and the learning rates (n,) they were trained with, in order."""

    learning_rate: Floats
    cost: Floats


@dataclass(frozen=True, slots=True)
class RateFound:
    """All rates were tried, or the cost has run away; `steepest` is where the cost falls fastest, NaN where it never does.

    `problem` says why none could be tried.
    """

    steepest: float
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Paused:
    """The engine waits after `step` steps."""

    step: int


@dataclass(frozen=True, slots=True)
class Resumed:
    """The engine trains again."""

    step: int


@dataclass(frozen=True, slots=True)
class Saved:
    """The session is on disk at the engine's side, whole, as of `step`; `asked` for, or by itself."""

    path: str
    step: int
    asked: bool = True


@dataclass(frozen=True, slots=True)
class SaveFailed:
    """The session could not be saved; the file that was there before still is."""

    path: str
    reason: str
    asked: bool = True


@dataclass(frozen=True, slots=True)
class Exported:
    """The run as it was after `step` steps and `edits` edits, whole: what `Begin` takes, from whoever has this."""

    number: int
    session: str
    checkpoint: bytes
    step: int
    edits: int


@dataclass(frozen=True, slots=True)
class ExportFailed:
    """The run could not be given as it was."""

    number: int
    reason: str


@dataclass(frozen=True, slots=True)
class PresetMade:
    """The preset that was asked for, as the text of its file, with the edits of the first `step` steps."""

    number: int
    text: str
    step: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The session could not be begun; `problems` has a line for each reason.

    `rebuild` says that only its checkpoint is lost: with `Begin.rebuild` it can be trained again.
    """

    problems: str
    rebuild: bool = False


@dataclass(frozen=True, slots=True)
class Crashed:
    """The engine failed in a way nobody foresaw; the report is in a file at its side."""

    report: str
    summary: str


@dataclass(frozen=True, slots=True)
class Inspected:
    """What was found after `step` steps: of batch norm, None where there is none; of the model, None where nobody asked."""

    step: int
    batchnorm: BatchNormInspection | None
    predictions: Predictions | None


Report = (
    Hello
    | Begun
    | Paused
    | Resumed
    | Saved
    | SaveFailed
    | Exported
    | ExportFailed
    | PresetMade
    | Refused
    | Crashed
    | Arrived
    | UnusedChanged
    | Travelling
    | Branches
    | Remark
    | RateTried
    | RateFound
    | Inspected
    | StepsTaken
    | HyperparameterChanged
    | GuardPassed
    | CommandRejected
    | EpochsEnded
    | Evaluated
    | Diverged
    | StoppedEarly
    | Finished
)
