"""A session: one run as values. The preset, the seed and the timeline make it; marks and result are its proof.

Owns what a session holds. Knows neither its TOML form (`notebook`) nor its files (`store`).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from workbench.engine.events import Score as Score
from workbench.hyperparameters import Value
from workbench.session.preset import Preset

# The version of the file form; a reader refuses what is newer than itself.
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Edit:
    """A hyperparameter changed after `step` steps were done; `name` may be one layer's, as `keep_prob.2`."""

    step: int
    name: str
    old: Value
    new: Value
    note: str = ""


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
class Divergence:
    """A guard's stop after `step` steps, and why."""

    step: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What bit-identity depends on beside the session itself."""

    workbench: str
    python: str
    numpy: str
    blas: str
    blas_threads: int
    platform: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One run. `edits`, `marks` and `divergences` are in order of their steps.

    `checkpoint` is the bare name of the file beside the session's own that holds the tensors at `step`.
    """

    preset: Preset
    seed: int
    edits: tuple[Edit, ...] = ()
    marks: tuple[Mark, ...] = ()
    divergences: tuple[Divergence, ...] = ()
    result: Result | None = None
    environment: Environment | None = None
    checkpoint: str | None = None

    @property
    def step(self) -> int:
        """Steps done when it was saved."""
        return self.result.step if self.result else 0

    def with_edit(self, edit: Edit) -> Session:
        """With one more edit, the last by its step."""
        return dataclasses.replace(self, edits=(*self.edits, edit))

    def with_mark(self, mark: Mark) -> Session:
        """With one more mark, the last by its step."""
        return dataclasses.replace(self, marks=(*self.marks, mark))

    def with_divergence(self, divergence: Divergence) -> Session:
        """With one more divergence, the last by its step."""
        return dataclasses.replace(self, divergences=(*self.divergences, divergence))

    def with_result(self, result: Result) -> Session:
        """With this result instead of the one it had."""
        return dataclasses.replace(self, result=result)
