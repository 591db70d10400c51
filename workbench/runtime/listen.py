"""A Unix socket on which an engine waits for its one client. Knows nothing of what is said on it."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from workbench.files.errors import reason_of
from workbench.files.lock import LockRefused, SessionLock
from workbench.files.text import clean

PROBE_SECONDS = 1.0
"""How long somebody who may listen there already is given to answer."""


class CannotListen(Exception):
    """Nobody can be waited for there; the text says why in one line."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{clean(str(path))}: {reason}")


@contextlib.contextmanager
def one_client(path: Path) -> Iterator[socket.socket]:
    """Listen, and give the connection of the first who comes; whoever comes later is refused.

    Only the owner may open the socket. What an engine that was killed has left there is replaced, and at the end nothing is
    left. Raises `CannotListen`.
    """
    if sys.platform == "win32":
        raise CannotListen(path, "this system has no Unix sockets")
    # To ask an engine that waits there whether it does would be to be its client: so they ask the lock, as for a session.
    lock = SessionLock(path)
    try:
        held = lock.acquire()
    except LockRefused as refused:
        raise CannotListen(path, refused.why) from None
    if not held:
        raise CannotListen(path, "another engine listens there")
    try:
        with _bound(path) as listener:
            listener.listen(1)
            print(f"listening on {clean(str(path))}", flush=True)
            client, _ = listener.accept()
        with client:
            yield client
    finally:
        lock.release()


@contextlib.contextmanager
def _bound(path: Path) -> Iterator[socket.socket]:
    listener = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        _make_room(path)
        listener.bind(str(path))
    except (OSError, ValueError) as error:
        listener.close()
        raise CannotListen(path, str(error) if type(error) is OSError else reason_of(error)) from None
    except BaseException:
        listener.close()
        raise
    finally:
        os.umask(before)
    try:
        with listener:
            yield listener
    finally:
        with contextlib.suppress(OSError):
            path.unlink()


def _make_room(path: Path) -> None:
    """Remove the socket of somebody who is gone. Raises `CannotListen` for anything else that is there."""
    if not os.path.lexists(path):
        return
    if not stat.S_ISSOCK(os.lstat(path).st_mode):
        raise CannotListen(path, "is there already, and is no socket")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(PROBE_SECONDS)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except TimeoutError:
            pass
    raise CannotListen(path, "somebody listens there")
