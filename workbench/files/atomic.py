"""Writing a file so that it is there whole or not at all.

Owns the order of system calls that survives a crash. Knows nothing of what is written.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from pathlib import Path

from workbench.files.errors import SaveError, reason_of

# Some file systems cannot flush a folder and say so with one of these; there is nothing more to be done there.
_CANNOT_FLUSH = {errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EBADF}


def write_atomically(path: str | os.PathLike[str], data: bytes, like: Path | None = None) -> None:
    """Replace the file at `path` by `data`, or make it, with its folder.

    A symbolic link is followed, and stays. The file gets the permissions of `like` where that is there; else an existing one
    keeps its own, and a new one gets 0o644 less the umask. After a failure the old file is as it was and no temporary file is
    left; the one exception is `SaveError.in_place`.

    Raises:
        SaveError: anything went wrong.
    """
    try:
        target = Path(os.path.realpath(path))
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.{secrets.token_hex(6)}.tmp")
        try:
            permissions = _permissions(target)
            if like is not None and like.is_file():
                permissions = _permissions(like)
            _write_new(temporary, data, permissions)
            os.replace(temporary, target)
        except BaseException:
            # Ctrl-C too must leave no litter.
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
    except (OSError, ValueError) as error:
        raise SaveError(path, reason_of(error)) from error
    try:
        _flush_folder(target.parent)
    except OSError as error:
        raise SaveError(path, f"the folder could not be flushed: {reason_of(error)}", in_place=True) from error


def _permissions(target: Path) -> int | None:
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        return None
    # Root could replace /dev/null by a file.
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise OSError(errno.EINVAL, "not a regular file")
    return stat.S_IMODE(mode)


def _write_new(path: Path, data: bytes, permissions: int | None) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags, 0o644 if permissions is None else permissions)
    try:
        if permissions is not None and hasattr(os, "fchmod"):
            os.fchmod(descriptor, permissions)
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    finally:
        # Some network file systems report a failed write only here; it must not pass for a success.
        os.close(descriptor)


def _flush_folder(folder: Path) -> None:
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _CANNOT_FLUSH:
            raise
    finally:
        os.close(descriptor)
