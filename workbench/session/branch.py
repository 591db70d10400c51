"""A branch as a value: one timeline of a run, what was done on it, and what it has come to.

Marks and result are its proof. Knows neither the session that it belongs to, nor its TOML form, nor its files.
"""

from __future__ import annotations

from dataclasses import dataclass

from workbench.engine.measurements import Score
from workbench.hyperparameters import Value

MAIN = "main"


@dataclass(frozen=True, slots=True)
class Edit:
    """A hyperparameter changed after `step` steps were done; `name` may be one layer's, as `keep_prob.2`.

    `undoes` is the number (from 1, in its branch) of the edit that this one takes back; 0 for an edit in its own right.
    """

    step: int
    name: str
    old: Value
    new: Value
    note: str = ""
    undoes: int = 0


@dataclass(frozen=True, slots=True)
class Note:
    """What somebody wrote down after `step` steps."""

    step: int
    text: str


@dataclass(frozen=True, slots=True)
class Mark:
    """The state hash (SHA-256, 64 hexadecimal digits) after `step` steps."""

    step: int
    hash: str


@dataclass(frozen=True, slots=True)
class Result:
    """What the run has come to, after `step` steps and in its `epoch`-th pass."""

    step: int
    epoch: int
    train: Score
    dev: Score | None = None
    test: Score | None = None


@dataclass(frozen=True, slots=True)
class Stop:
    """Training stopped by itself after `step` steps and `edits` edits: the guard, or early stopping.

    Attributes:
        reason: what happened, for people.
        rows: the train examples of the mini-batch that was not committed.
        passed: the user went on anyway. What was not finite was left out then, what had risen was committed.
    """

    step: int
    edits: int
    reason: str
    rows: tuple[int, ...] = ()
    passed: bool = False


@dataclass(frozen=True, slots=True)
class Best:
    """The best dev cost so far, and after how many steps it was found."""

    step: int
    cost: float


@dataclass(frozen=True, slots=True)
class Place:
    """A point in a branch: so many steps done, so many of its edits taken."""

    step: int
    edits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """One timeline, from step 0 to its tip, whole: what it shares with its parent included.

    Attributes:
        name: its own among the session's branches.
        parent: the branch it left after `fork` steps; None for the first.
        note: what somebody wrote about it.
        edits, notes, stops, marks: in order of their steps.
        step: steps done at its tip.
        best: best dev cost on the way.
        result: scores at the last evaluation.
        checkpoint: bare name of the file beside the session's own with the tensors at the tip.
    """

    name: str = MAIN
    parent: str | None = None
    fork: int = 0
    note: str = ""
    edits: tuple[Edit, ...] = ()
    notes: tuple[Note, ...] = ()
    stops: tuple[Stop, ...] = ()
    marks: tuple[Mark, ...] = ()
    step: int = 0
    best: Best | None = None
    result: Result | None = None
    checkpoint: str | None = None

    @property
    def tip(self) -> Place:
        """Its last place."""
        return Place(self.step, len(self.edits))
