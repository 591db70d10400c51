"""Keeps a run on disk: saves it when asked, by itself after edits and every so often, and under a lock.

The same for the engine's process and for the command that trains without a screen. What comes of saving is told to a
listener, so nothing here knows who wants to hear it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from workbench.files.errors import InputError, SaveError
from workbench.files.lock import LockRefused, SessionLock, remove_abandoned_locks
from workbench.files.text import clean
from workbench.run.run import Run
from workbench.session.store import claim, remove_leftovers

OTHERS = "another workbench has this session open"


def remade(folder: str, path: str) -> str:
    """What is to be said where the folder of a session was gone, in a line."""
    return f"the folder {clean(folder)} was not there any more; it was made again, and the session saved to {clean(path)}"


class Listener(Protocol):
    """Who is told what came of saving, `asked` for or by itself."""

    def saved(self, path: str, step: int, asked: bool) -> None:
        """The session is on disk, whole, as of `step`."""

    def remade(self, folder: str, path: str) -> None:
        """The folder of the session was gone; it was made again, and the session saved to `path` in it."""

    def failed(self, path: str, reason: str, asked: bool) -> None:
        """The session could not be saved; the file that was there before still is. `reason` names it."""


class Autosave:
    """Saves one run. A session that another process holds, or that cannot be locked, is `read_only`: it is never written."""

    def __init__(
        self, target: Path | None, seconds: float, listener: Listener, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Save to `target` every so many `seconds`; without one, only where somebody asks for it.

        A target that is not held is a new session's: where somebody has taken its name by the first save, it gets another.
        """
        self._target, self._seconds, self._listener, self._clock = target, seconds, listener, clock
        self._run: Run | None = None
        self._last, self._failure = clock(), ""
        self._lock: SessionLock | None = None
        self._stale = False
        self.saved_step = 0
        """The step that was saved last."""
        self.edited = False
        """An edit was made that is not on disk yet."""
        self.obstacle = ""
        """Why the session may only be read; empty where it may be written."""

    @property
    def read_only(self) -> bool:
        """Whether the session may only be read."""
        return bool(self.obstacle)

    @property
    def target(self) -> Path | None:
        """Where the run is kept; None where nowhere, as when it is read-only."""
        return self._target

    def hold(self) -> bool:
        """Take the lock of the target from now on, whether it is there yet or not; else the session is read-only."""
        try:
            self.obstacle = "" if self._target is None or self._take_lock(self._target) else OTHERS
        except LockRefused as refused:
            self.obstacle = refused.why
        if self.obstacle:
            self._target = None
        return not self.obstacle

    def keep(self, run: Run) -> None:
        """Save this run from now on."""
        self._run = run

    def _take_lock(self, path: Path) -> bool:
        """Whether it is ours now. Raises `LockRefused`."""
        lock = SessionLock(path)
        if not lock.acquire():
            return False
        self.release()
        self._lock = lock
        remove_leftovers(path)
        remove_abandoned_locks(lock.path.parent)
        return True

    def release(self) -> None:
        """Let others write the session."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def due(self, now: float) -> bool:
        """Whether it is time to save; asked between any two steps."""
        return self.edited or now - self._last >= self._seconds

    @property
    def patience(self) -> float | None:
        """Seconds until what is new is to be saved; None where nothing is."""
        if self._target is None or self._run is None or not (self._stale or self._run.unsaved):
            return None
        return max(0.0, self._last + self._seconds - self._clock())

    def save_if_due(self) -> None:
        """`save_if_new`, where it is time to."""
        if self.due(self._clock()):
            self.save_if_new()

    def save_if_new(self) -> None:
        """Save by itself, where there is something new and a place for it. What fails is told once, and tried again."""
        self.edited, self._last = False, self._clock()
        if self._target is None or self._run is None or not (self._stale or self._run.unsaved):
            return
        try:
            self._write(self._target, asked=False)
        except (SaveError, InputError) as error:
            if str(error) != self._failure:
                self._failure = str(error)
                self._listener.failed(str(self._target), str(error), asked=False)

    def begin(self) -> None:
        """Write the run to its target as it is, so that what stands in the way is known before it trains. Raises `SaveError`."""
        if self._target is not None:
            self._write(self._target, asked=False)

    def save(self, path: str | os.PathLike[str], scored: bool = True) -> bool:
        """Save because somebody asked for it, with the scores now or those last known; whether it is on disk now."""
        try:
            if self.read_only:
                raise SaveError(path, f"opened read-only, because {self.obstacle}")
            self._write(Path(path), asked=True, scored=scored)
        except (SaveError, InputError) as error:
            self._listener.failed(os.fspath(path), str(error), asked=True)
            return False
        return True

    def _write(self, path: Path, asked: bool, scored: bool = False) -> None:
        assert self._run is not None
        ours = self._target is not None and _same(path, self._target)
        guest = None
        gone = ours and self._lock is not None and not self._lock.held and not path.parent.is_dir()
        if ours and self._lock is None:
            path = self._target = self._found_free(path)
        elif ours and self._lock is not None and not self._lock.held:
            self._lock.release()
            if not self._lock.acquire():
                raise SaveError(path, OTHERS)
        elif not ours and not _same(path, self._lock.path if self._lock else None):
            guest = SessionLock(path)
            if not guest.acquire():
                raise SaveError(path, OTHERS)
        try:
            session = self._run.save(path, scored)
        finally:
            if guest is not None:
                guest.release()
        self._failure, self._stale = "", not ours and self._target is not None
        self.saved_step = session.step
        self._listener.saved(str(path), session.step, asked)
        if gone:
            self._listener.remade(str(path.parent), str(path))

    def _found_free(self, path: Path) -> Path:
        """The name for a new session: the one it was given, or the next where somebody has taken that meanwhile."""
        if self._take_lock(path):
            if not path.is_file():
                return path
            self.release()
        assert self._run is not None
        self._lock = claim(path.parent, self._run.session.preset.name)
        return path.with_name(self._lock.path.name)


def _same(one: Path, other: Path | None) -> bool:
    return other is not None and os.path.realpath(one) == os.path.realpath(other)
