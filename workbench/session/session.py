"""A session: a preset, a seed, and the branches that were trained from them, as values.

Preset, seed and a branch's timeline make a run. Owns what a session holds. Knows neither its TOML form (`format`) nor its
files (`store`).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from workbench.session.branch import MAIN, Branch
from workbench.session.preset import Preset

# The version of the file form; a reader refuses any other.
FORMAT = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What bit-identity depends on beside the session itself.

    Attributes:
        arithmetic: the version of the engine's arithmetic that the run was begun with. Of another, only figures within a
            tolerance can be compared.
    """

    workbench: str
    python: str
    numpy: str
    blas: str
    blas_threads: int
    platform: str
    arithmetic: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A preset, a seed and what was trained from them; `current` names the branch that training goes on with.

    A parent stands before its children.
    """

    preset: Preset
    seed: int
    branches: tuple[Branch, ...] = (Branch(),)
    current: str = MAIN
    environment: Environment | None = None

    @property
    def branch(self) -> Branch:
        """The current one."""
        return self.named(self.current)

    def named(self, name: str) -> Branch:
        """The branch of that name. Raises `LookupError`."""
        for each in self.branches:
            if each.name == name:
                return each
        raise LookupError(f"{name}: no such branch")

    def with_branch(self, **changes: Any) -> Session:
        """With the current branch changed."""
        changed = dataclasses.replace(self.branch, **changes)
        return dataclasses.replace(
            self, branches=tuple(changed if each.name == self.current else each for each in self.branches), current=changed.name
        )

    @property
    def step(self) -> int:
        """Steps done on the current branch."""
        return self.branch.step
