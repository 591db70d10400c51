"""One writer for each session: a lock that the system gives back when its holder dies, however it dies."""

from __future__ import annotations

import contextlib
import errno
import os
import warnings
from pathlib import Path

import filelock

from workbench.files.errors import SaveError, reason_of

_PREFIX, _LOCK, _HOLDER = ".", ".lock", ".holder"
_NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP}
"""So say file systems that have no locks (filelock sees to those that say ENOSYS)."""


class LockRefused(SaveError):
    """A lock cannot be taken, and not because somebody is known to have it; `why` says what is in the way."""

    def __init__(self, path: str | os.PathLike[str], reason: str) -> None:
        """See the class."""
        self.why = f"its lock cannot be taken: {reason}"
        super().__init__(path, self.why)


class SessionLock:
    """The right to write the session at `path`; a hidden file beside it holds the lock."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(os.path.realpath(path))
        self._file = self.path.with_name(f"{_PREFIX}{self.path.name}{_LOCK}")
        self._held: tuple[int, int] | None = None
        self._lock: filelock.BaseFileLock = filelock.FileLock(self._file, timeout=0, thread_local=False)

    def acquire(self) -> bool:
        """Whether nobody else has it. Where no lock can be made (a read-only folder), nobody can write either: then too.

        On a file system without locks the holder's number is written down instead, by which it is seen that it has died.
        Raises `LockRefused`.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with warnings.catch_warnings(action="ignore"):  # that there are no locks is nothing that a user could mend
                self._lock.acquire()
        except filelock.Timeout:
            return False
        except (OSError, NotImplementedError, ValueError) as error:
            number = getattr(error, "errno", None)
            if number in _NO_LOCKS and isinstance(self._lock, filelock.FileLock):
                self._lock = filelock.SoftFileLock(self._file.with_suffix(_HOLDER), timeout=0, thread_local=False)
                return self.acquire()
            if number != errno.EROFS and os.path.lexists(self._file):
                reason = reason_of(error) if isinstance(error, (OSError, ValueError)) else "this system has none"
                raise LockRefused(self._file, reason) from error
        self._held = _identity(self._lock.lock_file)
        return True

    @property
    def held(self) -> bool:
        """Whether it is ours, and its file there: not so where none can be made, or where folder or file were taken away."""
        return self._lock.is_locked and self._held == _identity(self._lock.lock_file)

    def release(self) -> None:
        """Give it back, and leave no file of ours."""
        if self.held:
            for each in {self._file, Path(self._lock.lock_file)}:
                with contextlib.suppress(OSError):
                    # Whoever has the file open already sees that it is gone, and makes a new one.
                    each.unlink()
        self._lock.release()


def _identity(path: str) -> tuple[int, int] | None:
    """Which file is there, whatever name it has or had."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def remove_abandoned_locks(folder: Path) -> None:
    """Remove the locks in a folder that are left of processes which were killed; one that somebody holds stays."""
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            if name.startswith(_PREFIX) and name.endswith((f".toml{_LOCK}", f".toml{_HOLDER}")):
                lock = SessionLock(folder / name.removeprefix(_PREFIX).removesuffix(_LOCK).removesuffix(_HOLDER))
                with contextlib.suppress(LockRefused):
                    if lock.acquire():
                        lock.release()
