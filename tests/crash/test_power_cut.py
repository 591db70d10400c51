"""A power cut keeps what was flushed, and of the rest whatever it likes: still the old session is on disk, or the new one, whole.

The calls of a save are recorded, and played to a model of a disk: what a file holds is certain once the file was flushed,
and what a folder names once the folder was. Every disk that a cut could leave is then laid out and loaded.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aftermath import Witness, contents, grow, load_all, put_back, two_branches

from workbench.run.run import Run

Names = dict[str, "Inode"]


@dataclass(eq=False)
class Inode:
    """What a file holds, and how much of it is certain to stay."""

    data: bytes = b""
    flushed: bytes = b""


@dataclass
class Disk:
    """One folder. `pending` are the changes of names that the disk may still forget or do in any order."""

    certain: Names
    pending: list[Callable[[Names], None]] = field(default_factory=list)
    _open: dict[int, str] = field(default_factory=dict)
    _now: Names = field(init=False)

    def __post_init__(self) -> None:
        self._now = dict(self.certain)

    def change(self, how: Callable[[Names], None]) -> None:
        how(self._now)
        self.pending.append(how)

    def opened(self, descriptor: int, name: str, flags: int) -> None:
        self._open[descriptor] = name
        if flags & os.O_CREAT:
            inode = Inode()
            self.change(lambda names: names.__setitem__(name, inode))

    def written(self, descriptor: int, data: bytes) -> None:
        self._now[self._open[descriptor]].data += data

    def synced(self, descriptor: int) -> None:
        name = self._open[descriptor]
        if name in self._now:
            self._now[name].flushed = self._now[name].data
        else:  # the folder
            self.certain = dict(self._now)
            self.pending.clear()

    def replaced(self, source: str, target: str) -> None:
        inode = self._now[source]

        def rename(names: Names) -> None:
            names.pop(source, None)
            names[target] = inode

        self.change(rename)

    def unlinked(self, name: str) -> None:
        def unlink(names: Names) -> None:
            names.pop(name, None)

        self.change(unlink)

    def after_a_cut(self) -> Iterator[dict[str, bytes]]:
        """Every folder that may be found: any of the pending changes, and of what was not flushed nothing, half or all."""
        for kept in itertools.product((False, True), repeat=len(self.pending)):
            names = dict(self.certain)
            for change in itertools.compress(self.pending, kept):
                change(names)
            for share in (0.0, 0.5, 1.0):
                yield {name: each.flushed + part(each, share) for name, each in names.items()}


def part(inode: Inode, share: float) -> bytes:
    rest = inode.data[len(inode.flushed) :]
    return rest[: int(len(rest) * share)]


def recorded(run: Run, path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[list[dict[str, bytes]], list[dict[str, bytes]]]:
    """Save, and say every folder that a cut at any moment of it could leave, and those that one after it could."""
    disk = Disk({name: Inode(data, data) for name, data in contents(path.parent).items()})
    folders: list[dict[str, bytes]] = []

    def watched(name: str, note: Callable[..., None]) -> None:
        real = getattr(os, name)

        def call(*arguments: Any, **options: Any) -> Any:
            given = real(*arguments, **options)
            note(given, *arguments)
            folders.extend(each for each in disk.after_a_cut() if each not in folders)
            return given

        monkeypatch.setattr(os, name, call)

    watched("open", lambda descriptor, file, flags, *_: disk.opened(descriptor, Path(file).name, flags))
    watched("write", lambda size, descriptor, data: disk.written(descriptor, bytes(data[:size])))
    watched("fsync", lambda _, descriptor: disk.synced(descriptor))
    watched("replace", lambda _, source, target: disk.replaced(Path(source).name, Path(target).name))
    watched("unlink", lambda _, file: disk.unlinked(Path(file).name))
    run.save(path)
    monkeypatch.undo()
    assert contents(path.parent) in folders, "the model knows of everything that was done"
    return folders, list(disk.after_a_cut())


def annotated(run: Run) -> Run:
    """So that the checkpoint on disk is written once more, under its name."""
    run.annotate(4, "a note")
    return run


@pytest.mark.parametrize("change", [grow, annotated])
def test_whatever_the_disk_has_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Run], Run]) -> None:
    path = tmp_path / "sessions" / "small-1.toml"
    run = two_branches()
    run.save(path)
    before = path.read_bytes()
    folders, _ = recorded(change(run), path, monkeypatch)
    witness = Witness(path, before, path.read_bytes())
    assert len(folders) >= 9
    seen = []
    for folder in folders:
        put_back(path.parent, folder)
        seen.append(witness.look())
    assert set(seen) == {"old", "new"}


def test_what_was_said_to_be_saved_survives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the save no cut can bring the old session back."""
    path = tmp_path / "sessions" / "small-1.toml"
    run = two_branches()
    run.save(path)
    _, folders = recorded(grow(run), path, monkeypatch)
    after = path.read_bytes()
    assert len(folders) > 1, "the old checkpoints may be there again"
    for folder in folders:
        put_back(path.parent, folder)
        assert path.read_bytes() == after
        load_all(path)
