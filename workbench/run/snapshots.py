"""Copies of the state in memory, so that going back takes no longer than going forward from the nearest one.

Kept by what was decided before them (`Past`), not by the name of a branch: whatever branch leads through the same past
can use them. Within a budget of bytes; knows no file.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from workbench.engine.state import Snapshot
from workbench.session.branch import Branch, Place
from workbench.session.timeline import Past, leads_to

BUDGET = 256 * 2**20
MOST = 512
"""However small they are: among more, looking for the nearest takes longer than training from it."""


class Kind(IntEnum):
    """Why a copy was taken; where room is short, the lesser ones go first."""

    PASSED = 0
    EDIT = 1
    TIP = 2
    BEST = 3
    START = 4


@dataclass(slots=True)
class Kept:
    """One copy."""

    past: Past
    kind: Kind
    snapshot: Snapshot
    size: int


class Snapshots:
    """The copies of one run.

    Where they outgrow the budget, the plain ones go whose neighbours are nearest, so that no place is far from a copy; then
    edits, then the tips of other branches. The start and the best stay.
    """

    def __init__(self, budget: int = BUDGET) -> None:
        """`budget` in bytes; the start is kept whatever it says."""
        self.budget = budget
        self._kept: dict[Past, Kept] = {}
        self._size = 0

    def __len__(self) -> int:
        """How many there are."""
        return len(self._kept)

    @property
    def size(self) -> int:
        """Bytes in use."""
        return self._size

    def __contains__(self, past: Past) -> bool:
        """Whether there is a copy of exactly this."""
        return past in self._kept

    def add(self, past: Past, kind: Kind, snapshot: Snapshot) -> None:
        """Keep a copy. Where there is one of this past already, only its kind may rise."""
        if past in self._kept:
            self.raise_to(past, kind)
            return
        size = sum(tensor.nbytes for tensor in snapshot.tensors.values())
        self._kept[past] = Kept(past, kind, snapshot, size)
        self._size += size
        if self._size > self.budget or len(self._kept) > MOST:
            self._thin()

    def raise_to(self, past: Past, kind: Kind) -> None:
        """The copy of this past, if it is still there, is of this kind at least."""
        if past in self._kept:
            self._kept[past].kind = max(kind, self._kept[past].kind)

    def demote(self, past: Past) -> None:
        """The copy of this past is nothing special any more."""
        if past in self._kept:
            self._kept[past].kind = Kind.PASSED

    def nearest(self, branch: Branch, place: Place) -> Kept | None:
        """The copy from which the fewest steps lead along the branch to the place."""
        fitting = (each for each in self._kept.values() if leads_to(each.past, branch, place))
        return max(fitting, key=lambda each: (each.past.step, len(each.past.edits)), default=None)

    def exactly(self, branch: Branch, place: Place) -> Snapshot | None:
        """The copy of this very place."""
        found = self.nearest(branch, place)
        return found.snapshot if found and (found.past.step, len(found.past.edits)) == (place.step, place.edits) else None

    def _thin(self) -> None:
        # Some way below the limits, so that it is seldom done.
        room, most = self.budget * 9 // 10, MOST * 3 // 4
        for kind in (Kind.PASSED, Kind.EDIT, Kind.TIP):
            while self._size > room or len(self._kept) > most:
                line = sorted(self._kept.values(), key=lambda each: each.past.step)
                if not self._drop(_least_missed(line, kind), room, most):
                    break

    def _drop(self, candidates: list[Kept], room: int, most: int) -> bool:
        """Drop what is least missed until there is room; whether anything was."""
        for gone in candidates:
            if self._size <= room and len(self._kept) <= most:
                break
            del self._kept[gone.past]
            self._size -= gone.size
        return bool(candidates)


def _least_missed(line: list[Kept], kind: Kind) -> list[Kept]:
    """Copies of a kind, no two of them neighbours, those first whose absence leaves the smallest gap."""

    def missed(i: int) -> int:
        return line[i + 1].past.step - line[i - 1].past.step

    dropped: set[int] = set()
    for i in sorted((i for i in range(1, len(line) - 1) if line[i].kind is kind), key=missed):
        if not {i - 1, i + 1} & dropped:
            dropped.add(i)
    return [line[i] for i in sorted(dropped, key=missed)]
