"""What the app and the engine process say to each other, besides the trainer's own commands and events."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.engine.commands import SetHyperparameter
from workbench.engine.events import (
    CommandRejected,
    Diverged,
    EpochEnded,
    Evaluated,
    Finished,
    HyperparameterChanged,
)
from workbench.engine.history import Floats, StepsTaken
from workbench.hyperparameters import Value


@dataclass(frozen=True, slots=True)
class Begin:
    """Train this session. The first message to an engine.

    Attributes:
        session: the session in its TOML form.
        path: the file that it was read from, beside which its checkpoint lies; empty for a new one.
        autosave: the file it is saved in when the app dies; empty for none.
        paused: whether to wait for `Resume` before the first step.
    """

    session: str
    path: str
    autosave: str
    paused: bool


@dataclass(frozen=True, slots=True)
class Pause:
    """Stop between two steps, and wait."""


@dataclass(frozen=True, slots=True)
class Resume:
    """Go on."""


@dataclass(frozen=True, slots=True)
class TakeStep:
    """Take one step and wait."""


@dataclass(frozen=True, slots=True)
class Save:
    """Save the session, between two steps."""

    path: str


@dataclass(frozen=True, slots=True)
class Quit:
    """End, without saving."""


Order = Begin | Pause | Resume | TakeStep | Save | Quit | SetHyperparameter


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
        hyperparameters: name and value of each live one, edits included.
        sizes: widths of the network's layers, inputs first.
        parameters: how many parameters it has.
        examples: of train, dev and test.
        task: classes, binary or regression.
        blas_threads: threads of the linear algebra.
        history: the curves so far.
    """

    step: int
    epoch: int
    hyperparameters: dict[str, Value]
    sizes: tuple[int, ...]
    parameters: int
    examples: tuple[int, ...]
    task: str
    blas_threads: int
    history: tuple[SeriesSent, ...]


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
    """The session is on disk, whole, as of `step`."""

    path: str
    step: int


@dataclass(frozen=True, slots=True)
class SaveFailed:
    """The session could not be saved; the file that was there before still is."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The session could not be begun; `problems` has a line for each reason."""

    problems: str


@dataclass(frozen=True, slots=True)
class Crashed:
    """The engine failed in a way nobody foresaw; the report is in a file."""

    report: str
    summary: str


Report = (
    Begun
    | Paused
    | Resumed
    | Saved
    | SaveFailed
    | Refused
    | Crashed
    | StepsTaken
    | HyperparameterChanged
    | CommandRejected
    | EpochEnded
    | Evaluated
    | Diverged
    | Finished
)
