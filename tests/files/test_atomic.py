from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from workbench.files.atomic import write_atomically
from workbench.files.errors import SaveError


def entries(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def failing(number: int) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


def test_a_new_file_is_made_with_its_folders(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "s.toml"
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert entries(path.parent) == ["s.toml"]


def test_an_old_file_is_replaced_and_keeps_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_bytes(b"old, and longer")
    for mode in (0o600, 0o664, 0o444):
        path.chmod(mode)
        write_atomically(path, b"new")
        assert path.read_bytes() == b"new"
        assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_new_file_heeds_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        write_atomically(tmp_path / "private", b"")
        os.umask(0o000)
        write_atomically(tmp_path / "public", b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "private").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "public").stat().st_mode) == 0o644


def test_a_symbolic_link_stays_and_its_file_is_written(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    real, link = tmp_path / "real" / "s.toml", tmp_path / "link.toml"
    link.symlink_to(real)
    for data in (b"first", b"second"):
        write_atomically(link, data)
        assert link.is_symlink()
        assert real.read_bytes() == data
    assert entries(tmp_path) == ["link.toml", "real"]
    assert entries(tmp_path / "real") == ["s.toml"]


def test_writes_that_come_in_pieces_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:3]))
    write_atomically(tmp_path / "f", b"0123456789")
    assert (tmp_path / "f").read_bytes() == b"0123456789"


FAILURES = [
    ("open", errno.EMFILE), ("write", errno.ENOSPC), ("write", errno.EDQUOT), ("fsync", errno.EIO), ("replace", errno.EIO),
]  # fmt: skip


@pytest.mark.parametrize(
    ("call", "number", "old"),
    # The permissions of a file that is new are not changed.
    [*((*each, old) for each in FAILURES for old in (None, b"old")), ("fchmod", errno.EPERM, b"old")],
)
def test_after_a_failure_the_old_file_is_whole_and_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int, old: bytes | None
) -> None:
    path = tmp_path / "s.toml"
    if old is not None:
        path.write_bytes(old)
    with monkeypatch.context() as patch:
        patch.setattr(os, call, failing(number))
        with pytest.raises(SaveError) as caught:
            write_atomically(path, b"new")
    reason = os.strerror(number)
    assert str(caught.value) == f"{path}: not saved: {reason[0].lower()}{reason[1:]}"
    assert not caught.value.in_place
    assert entries(tmp_path) == ([] if old is None else ["s.toml"])
    assert old is None or path.read_bytes() == old


def test_a_disk_that_fills_up_midway_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "s.toml"
    path.write_bytes(b"old")
    write, calls = os.write, []

    def short_then_full(descriptor: int, data: bytes) -> int:
        calls.append(len(data))
        if len(calls) > 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, data[:1])

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", short_then_full)
        with pytest.raises(SaveError, match="not saved: no space left on device"):
            write_atomically(path, b"new content")
    assert path.read_bytes() == b"old"
    assert entries(tmp_path) == ["s.toml"]


def test_a_key_press_in_the_middle_leaves_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", interrupt)
        with pytest.raises(KeyboardInterrupt):
            write_atomically(tmp_path / "f", b"new")
    assert entries(tmp_path) == []


def failing_for_folders(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    fsync = os.fsync

    def fail_for_folders(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, os.strerror(number))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fail_for_folders)


def test_a_folder_that_cannot_be_flushed_is_reported_with_the_new_file_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "s.toml"
    failing_for_folders(monkeypatch, errno.EIO)
    with pytest.raises(SaveError, match="folder could not be flushed") as caught:
        write_atomically(path, b"new")
    assert caught.value.in_place
    assert path.read_bytes() == b"new"
    assert entries(tmp_path) == ["s.toml"]


def test_a_file_system_without_flushing_of_folders_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failing_for_folders(monkeypatch, errno.EINVAL)
    write_atomically(tmp_path / "f", b"new")
    assert (tmp_path / "f").read_bytes() == b"new"


def test_places_where_no_file_can_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    os.mkfifo(tmp_path / "pipe")
    before = entries(tmp_path)
    for path in (
        tmp_path,
        tmp_path / "file" / "s.toml",
        tmp_path / ("n" * 300),
        tmp_path / "nul\0",
        tmp_path / "loop",
        tmp_path / "pipe",
        Path("/dev/null"),
        tmp_path / "\ud800",
    ):
        with pytest.raises(SaveError) as caught:
            write_atomically(path, b"new")
        assert str(caught.value).isprintable()
    assert entries(tmp_path) == before


@pytest.fixture
def nobody() -> Iterator[None]:
    """Root may write everywhere, so it is somebody else for a while."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.mark.usefixtures("nobody")
def test_a_folder_that_may_not_be_written() -> None:
    with tempfile.TemporaryDirectory() as name:  # pytest's own are root's
        folder = Path(name)
        folder.chmod(0o500)
        try:
            with pytest.raises(SaveError, match="permission denied"):
                write_atomically(folder / "f", b"new")
            assert entries(folder) == []
        finally:
            folder.chmod(0o700)
