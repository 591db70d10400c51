"""What the tests of crashes share: a small session with two branches, and what must hold of a folder after any crash."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workbench.engine.commands import scripted
from workbench.engine.trainer import Until
from workbench.files.lock import SessionLock
from workbench.run.replay import replay
from workbench.run.run import Run
from workbench.session.branch import Place
from workbench.session.preset import parse_preset
from workbench.session.session import Session
from workbench.session.store import load_branch, read_session, remove_leftovers

SMALL: Mapping[str, Any] = {
    "data": {"source": "gaussians", "examples": 60, "classes": 2, "noise": 0.3},
    "network": {"hidden": [3]},
    "training": {"batch_size": 16, "learning_rate": 0.01},
}


def new_session(**training: Any) -> Session:
    table = {**SMALL, "training": {**SMALL["training"], **training}}
    return Session(preset=parse_preset(table, "small.toml", "small"), seed=1)


def go(run: Run, steps: int, edits: Iterable[tuple[int, str, object]] = ()) -> Run:
    """Train until so many steps are done in all."""
    for _ in run.events(scripted(edits), lambda: False, Until(steps=steps)):
        pass
    return run


def two_branches() -> Run:
    """`main`, 6 steps and an edit, and `main-2`, which left it after 3 and has come to 5; on the latter it stands."""
    run = go(Run(new_session()), 6, [(2, "learning_rate", 0.02)])
    run.go_to(Place(3, 1))
    return go(run, 5, [(3, "learning_rate", 0.03)])


def grow(run: Run, steps: int = 2) -> Run:
    """Train on, on both branches."""
    for name in ("main", "main-2"):
        run.switch(name)
        go(run, run.place.step + steps)
    return run


def contents(folder: Path) -> dict[str, bytes]:
    """Every file in a folder, hidden ones too."""
    return {each.name: each.read_bytes() for each in folder.iterdir()} if folder.is_dir() else {}


def put_back(folder: Path, files: Mapping[str, bytes] | None) -> None:
    """Make the folder hold these files and no others, or be missing."""
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(folder)
    if files is None:
        return
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)


def litter(folder: Path) -> set[str]:
    """What is there beside sessions and the checkpoints that they name."""
    found = set(os.listdir(folder)) if folder.is_dir() else set()
    sessions = {name for name in found if name.endswith(".toml") and not name.startswith(".")}
    named = {branch.checkpoint for name in sessions for branch in read_session(folder / name).branches}
    return found - sessions - {each for each in named if each is not None}


def load_all(path: Path) -> Session:
    """The session, all of whose branches have a checkpoint that is whole and their own."""
    session = read_session(path)
    for branch in session.branches:
        load_branch(session, branch.name, path)
    return session


def hashes(session: Session) -> dict[str, tuple[int, str]]:
    """The step and the state hash at the tip of each branch."""
    return {branch.name: (branch.marks[-1].step, branch.marks[-1].hash) for branch in session.branches}


def save_under_lock(run: Run, path: Path) -> None:
    """Save as the engine process does: holding the session's lock, and clearing away first what its last holder left."""
    lock = SessionLock(path)
    assert lock.acquire()
    remove_leftovers(path)
    run.save(path)
    lock.release()


@dataclass(frozen=True)
class Witness:
    """The session at `path` before and after a save that may be interrupted; `before` is None where there was none."""

    path: Path
    before: bytes | None
    after: bytes
    _replayed: set[bytes] = field(default_factory=set)

    def look(self) -> str:
        """Which of the two is on disk, `old` or `new`; it must be one of them whole, and be good for going on with."""
        text = self.path.read_bytes() if self.path.exists() else None
        assert text in (self.before, self.after), "neither the old session nor the new one"
        which = "new" if text == self.after else "old"
        if text is None:
            self.begin_anew()
        else:
            self.go_on()
        return which

    def go_on(self) -> None:
        session = load_all(self.path)
        run = Run(session, self.path)
        assert (run.place.step, run.trainer.state.digest()) == hashes(session)[session.current]
        go(run, run.place.step + 1)
        self.save_cleanly(run)

    def begin_anew(self) -> None:
        self.save_cleanly(go(Run(new_session()), 2))

    def save_cleanly(self, run: Run) -> None:
        """The next save works, is whole, and clears away what the crash has left."""
        save_under_lock(run, self.path)
        assert litter(self.path.parent) == set()
        session = load_all(self.path)
        assert hashes(session)[session.current] == (run.place.step, run.trainer.state.digest())
        text = self.path.read_bytes()
        if text not in self._replayed:
            assert all(each.identical for each in replay(session))
            self._replayed.add(text)
