"""Who may write a session: locks that other processes hold, that cannot be taken, and that nobody holds any more."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from workbench.files.lock import LockRefused, SessionLock, remove_abandoned_locks

HOLD = """
import sys
from workbench.files.lock import SessionLock
{before}
lock = SessionLock(sys.argv[1])
print(lock.acquire(), flush=True)
sys.stdin.read()
lock.release()
"""
WITHOUT_LOCKS = """
import errno, fcntl, os
def flock(descriptor, operation):
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
fcntl.flock = flock
"""
"""As on a file system that has no locks."""


@contextmanager
def another(path: Path, before: str = "") -> Iterator[tuple[bool, subprocess.Popen[str]]]:
    """Another process that tries to take the lock, and whether it has it."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", HOLD.format(before=before), str(path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield process.stdout.readline() == "True\n", process
    finally:
        _, errors = process.communicate()
        assert errors == ""


def hidden(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def killed(path: Path, before: str = "") -> None:
    """Leave the lock of a process that was killed."""
    with another(path, before) as (held, process):
        assert held
        process.send_signal(signal.SIGKILL)


def test_a_lock_is_of_one_process_and_leaves_no_file(tmp_path: Path):
    lock = SessionLock(tmp_path / "s.toml")
    with another(tmp_path / "s.toml") as (held, _):
        assert held
        assert not lock.acquire()
    assert hidden(tmp_path) == []
    assert lock.acquire()
    lock.release()
    assert hidden(tmp_path) == []


def test_without_locks_of_the_system_one_process_has_it_and_a_killed_one_has_it_no_more(tmp_path: Path):
    path = tmp_path / "s.toml"
    with another(path, WITHOUT_LOCKS) as (held, _), another(path, WITHOUT_LOCKS) as (held_too, _):
        assert (held, held_too) == (True, False)
    assert hidden(tmp_path) == []
    killed(path, WITHOUT_LOCKS)
    assert hidden(tmp_path) != []
    with another(path, WITHOUT_LOCKS) as (held, _):
        assert held
    assert hidden(tmp_path) == []


@pytest.mark.parametrize(
    ("put", "reason"),
    [
        (lambda path: path.mkdir(), "is a folder, not a file"),
        (lambda path: path.symlink_to(path.name), "too many levels of symbolic links"),
    ],
    ids=["folder", "loop"],
)
def test_a_lock_that_cannot_be_taken_says_what_is_in_the_way(tmp_path: Path, put: Callable[[Path], None], reason: str):
    put(tmp_path / ".s.toml.lock")
    with pytest.raises(LockRefused) as refused:
        SessionLock(tmp_path / "s.toml").acquire()
    assert refused.value.why == f"its lock cannot be taken: {reason}"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may open any file")
def test_a_lock_of_another_user_is_no_lock_of_nobody(tmp_path: Path):
    (tmp_path / ".s.toml.lock").touch(0)
    with pytest.raises(LockRefused, match="permission denied"):
        SessionLock(tmp_path / "s.toml").acquire()


def test_of_all_locks_in_a_folder_those_of_killed_processes_go_and_those_that_are_held_stay(tmp_path: Path):
    for name in ("a.toml", "b.toml"):
        killed(tmp_path / name)
    (tmp_path / ".other.lock").touch()
    with another(tmp_path / "held.toml"):
        assert hidden(tmp_path) == [".a.toml.lock", ".b.toml.lock", ".held.toml.lock", ".other.lock"]
        remove_abandoned_locks(tmp_path)
        assert hidden(tmp_path) == [".held.toml.lock", ".other.lock"]
        assert not SessionLock(tmp_path / "held.toml").acquire()
    remove_abandoned_locks(tmp_path / "nowhere")
