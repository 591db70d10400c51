"""A save that the system refuses is one line, leaves the old session and no litter, and disturbs neither run nor next save."""

from __future__ import annotations

import errno
import os
import resource
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aftermath import contents, go, grow, hashes, litter, load_all, put_back, save_under_lock, two_branches

from workbench.files.errors import SaveError
from workbench.run.run import Run
from workbench.session.format import session_to_toml

CALLS = ("mkdir", "open", "fchmod", "write", "fsync", "close", "replace", "unlink")
ERRORS = (errno.ENOSPC, errno.EIO, errno.EROFS, errno.EACCES, errno.EDQUOT)
# A close that fails has closed all the same.
DONE_FIRST = {"close"}


@dataclass
class Faults:
    """Calls into the system, of which one (or, with `onwards`, it and all after it) fails. Counts what it lets fail."""

    patch: pytest.MonkeyPatch
    met: int = field(default=0, init=False)

    @contextmanager
    def failing(self, call: str, at: int, number: int, onwards: bool = False) -> Iterator[None]:
        real, calls = getattr(os, call), 0
        self.met = 0

        def sometimes(*arguments: Any, **options: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls != at and not (onwards and calls > at):
                return real(*arguments, **options)
            self.met += 1
            if call in DONE_FIRST:
                real(*arguments, **options)
            raise OSError(number, os.strerror(number))

        with self.patch.context() as patch:
            patch.setattr(os, call, sometimes)
            yield


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> Faults:
    return Faults(monkeypatch)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sessions" / "small-1.toml"


def tried(run: Run, path: Path) -> SaveError | None:
    try:
        run.save(path)
    except SaveError as error:
        refused = error
    else:
        return None
    assert str(refused).isprintable()
    assert str(refused).startswith(f"{path.parent}/")
    assert refused.reason.startswith("not saved: ")
    return refused


def is_there(error: SaveError | None, path: Path) -> bool:
    """Whether the session is on disk all the same."""
    return error is None or (error.in_place and error.path == str(path))


def undisturbed(run: Run) -> None:
    """What the run has come to is what it comes to where nothing ever fails, and nothing is ever saved."""
    other = two_branches()
    for name, (step, _) in sorted(hashes(run.session).items()):
        other.switch(name)
        go(other, step)
        run.switch(name)
        assert run.trainer.state.digest() == other.trainer.state.digest()


@pytest.mark.parametrize("call", CALLS)
def test_each_call_fails_once(path: Path, faults: Faults, call: str) -> None:
    """Of each call: the first, the second ... that a save of two branches makes, with each error in turn."""
    run = two_branches()
    run.save(path)
    failures = at = 0
    while at == 0 or faults.met:
        at += 1
        for number in ERRORS:
            grow(run, 1)
            old = contents(path.parent)
            with faults.failing(call, at, number):
                error = tried(run, path)
            if not faults.met:
                break
            failures += 1
            assert (error is None) == (call in ("mkdir", "unlink")), "nothing is lost by these two"
            if is_there(error, path):
                assert hashes(load_all(path))[run.session.current] == (run.place.step, run.trainer.state.digest())
            else:
                assert os.strerror(number).lower() in str(error).lower()
                assert contents(path.parent) == old
            assert not [name for name in contents(path.parent) if name.endswith(".tmp")]
            save_under_lock(run, path)
            assert litter(path.parent) == set()
    # Both checkpoints and the session: of files alone, or of each file and of its folder.
    least = {"mkdir": 3, "unlink": 2, "open": 6, "close": 6, "fsync": 6, "fchmod": 1}.get(call, 3)
    assert failures >= least * len(ERRORS)
    undisturbed(run)


@pytest.mark.parametrize("call", CALLS)
def test_each_call_fails_from_some_moment_on(path: Path, faults: Faults, call: str) -> None:
    """A disk that stays full, or has turned read-only: what should be cleared away cannot be either."""
    run = two_branches()
    run.save(path)
    at = 0
    while at == 0 or faults.met:
        at += 1
        grow(run, 1)
        old = contents(path.parent)
        stuck = Faults(faults.patch)
        with stuck.failing("unlink", 1, errno.EROFS, onwards=True), faults.failing(call, at, errno.EROFS, onwards=True):
            error = tried(run, path)
            assert is_there(error, path) or old.items() <= contents(path.parent).items()
            load_all(path)
        save_under_lock(run, path)
        assert litter(path.parent) == set()
        if at > 12:
            break
    undisturbed(run)


@pytest.mark.parametrize("call", ["mkdir", "open", "write", "fsync", "close", "replace"])
def test_a_first_save_that_fails_leaves_nothing(path: Path, faults: Faults, call: str) -> None:
    at = 0
    while at == 0 or faults.met:
        at += 1
        run = two_branches()
        put_back(path.parent, None)
        with faults.failing(call, at, errno.ENOSPC):
            error = tried(run, path)
        if not is_there(error, path):
            assert contents(path.parent) == {}
            save_under_lock(run, path)
        assert litter(path.parent) == set()
        load_all(path)
        undisturbed(run)
    assert at > 1


@pytest.mark.parametrize("most", [1, 7, 1000])
def test_writes_that_come_in_pieces_are_completed(path: Path, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    run = two_branches()
    write = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:most]))
        run.save(path)
    assert hashes(load_all(path)) == hashes(run.session)
    assert path.read_text() == session_to_toml(run.session)


# Refused by the system itself ----------------------------------------------------------------------------------------


@contextmanager
def limited(what: int, most: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(what)
    resource.setrlimit(what, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(what, (soft, hard))


def test_files_that_may_not_grow_beyond_a_limit(path: Path) -> None:
    """The system takes what fits, and then refuses: of the checkpoints, which are larger, and of the session."""
    run = two_branches()
    run.save(path)
    sizes = sorted(len(data) for data in contents(path.parent).values())
    grow(run, 1)
    old, refused = contents(path.parent), 0
    for most in (0, 1, sizes[0] // 2, sizes[0], sizes[1] // 2, sizes[1] - 1):
        with limited(resource.RLIMIT_FSIZE, most):
            error = tried(run, path)
        assert error is not None
        assert error.reason == "not saved: file too large"
        assert contents(path.parent) == old
        refused += 1
    assert refused == 6
    grow(run, 1)
    save_under_lock(run, path)
    assert litter(path.parent) == set()
    undisturbed(run)


def test_a_process_that_may_open_no_more_files(path: Path) -> None:
    run = two_branches()
    run.save(path)
    grow(run, 1)
    old = contents(path.parent)
    lowest = os.open(path, os.O_RDONLY)
    os.close(lowest)
    with limited(resource.RLIMIT_NOFILE, lowest):
        error = tried(run, path)
    assert error is not None
    assert error.reason == "not saved: too many open files"
    assert contents(path.parent) == old
    run.save(path)
    undisturbed(run)


def test_the_command_line_says_so_in_one_line(path: Path, workbench: Callable[..., Any]) -> None:
    two_branches().save(path)
    old = contents(path.parent)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))  # children inherit it
    try:
        done = workbench("train", path, "--steps", 9, "--save", path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert done.returncode == 1
    assert done.stderr.startswith(f"workbench: {path.parent}/small-1.step-000005-")  # at once
    assert done.stderr.endswith("not saved: file too large\n")
    assert done.stderr.count("\n") == 1
    assert contents(path.parent) == old


SMALL_DISK = """
import errno, os, subprocess, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from aftermath import contents, go, grow, hashes, litter, load_all, save_under_lock, two_branches
from test_io_errors import tried, undisturbed

disk = Path(sys.argv[2])
path = disk / "small-1.toml"
run = two_branches()
run.save(path)
full = 0
for room in range(0, 80_000, 4_000):
    grow(run, 1)
    old = contents(disk)
    filler = os.open(disk / "filler", os.O_WRONLY | os.O_CREAT)
    try:
        while True:
            os.write(filler, bytes(4096))
    except OSError as error:
        assert error.errno == errno.ENOSPC
    os.ftruncate(filler, max(0, os.fstat(filler).st_size - room))
    error = tried(run, path)
    os.close(filler)
    os.unlink(disk / "filler")
    if error is not None:
        assert "no space left on device" in str(error), error
        assert contents(disk) == old
        full += 1
    save_under_lock(run, path)
    assert litter(disk) == set()
assert 2 <= full < 20, full
grow(run, 1)
old = contents(disk)
subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
error = tried(run, path)
assert error is not None and "read-only file system" in str(error), error
assert contents(disk) == old
load_all(path)
subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
save_under_lock(run, path)
undisturbed(run)
print(full)
"""


def test_a_disk_that_is_full_and_one_that_is_read_only(tmp_path: Path) -> None:
    """A real one, of 256 KiB: in a name space of its own, so that nothing is mounted for anybody else."""
    disk = tmp_path / "disk"
    disk.mkdir()
    alone = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(disk)]
    if shutil.which("unshare") is None or subprocess.run([*alone, *mount], capture_output=True, check=False).returncode:
        pytest.skip("no file system may be mounted here")
    script = [sys.executable, "-P", "-c", SMALL_DISK, str(Path(__file__).parent), str(disk)]
    command = [*alone, "sh", "-c", f'{shlex.join(mount)} && exec "$@"', "sh", *script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) >= 2
