"""One writer for each session: a lock that the system gives back when its holder dies, however it dies."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import filelock


class SessionLock:
    """The right to write the session at `path`; a hidden file beside it holds the lock."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(os.path.realpath(path))
        self._file = self.path.with_name(f".{self.path.name}.lock")
        self._lock = filelock.FileLock(self._file, timeout=0)

    def acquire(self) -> bool:
        """Whether nobody else has it. Where no lock can be made (a read-only folder), nobody can write either: then too."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
        except filelock.Timeout:
            return False
        except (OSError, NotImplementedError, ValueError):
            pass
        return True

    def release(self) -> None:
        """Give it back, and leave no file."""
        if self._lock.is_locked:
            with contextlib.suppress(OSError):
                # Whoever has the file open already sees that it is gone, and makes a new one.
                self._file.unlink()
            self._lock.release()
