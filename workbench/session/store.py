"""Sessions on disk: one TOML each, and beside it the checkpoint that the TOML names.

Owns the names of the files and the order in which they are written and removed, so that at no moment a session
names a checkpoint that is not its own. Knows neither file's inside.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from workbench.files.atomic import write_atomically
from workbench.files.errors import CheckpointError, InputError, SaveError, reason_of
from workbench.files.lock import SessionLock
from workbench.files.text import clean
from workbench.files.toml import read_bounded
from workbench.session.checkpoint import Facts, Tensors, checksum, read_checkpoint, write_checkpoint
from workbench.session.format import parse_session, session_to_toml
from workbench.session.origin import digest
from workbench.session.session import Session

MAX_BYTES = 16 * 2**20
TRAINED_FROM = "trained_from"
"""The fact of a checkpoint that says what its state was trained from; the session names the digest."""
_NUMBERED = re.compile(r"(.*?)(\d*)")
_OWN_NAME = re.compile(r".*\.step-\d{6,}-([0-9a-f]{8})\.safetensors", re.DOTALL)


def save(session: Session, states: Mapping[str, tuple[Tensors, Facts]], path: str | os.PathLike[str]) -> Session:
    """Write a checkpoint for each branch in `states`, then the session that names them, then remove those no branch names.

    A branch that is not in `states` keeps the checkpoint it has. Returns the session as it stands on disk.

    Raises:
        SaveError: the session that was there before, and its checkpoints, are still there and can be loaded
            (with `in_place` the new ones can).
    """
    target = Path(os.path.realpath(path))
    if target.suffix != ".toml":
        raise SaveError(path, "the name of a session's file ends in .toml")  # its checkpoints are named after the rest
    files = {name: _checkpoint_file(target, session.named(name).step, *state) for name, state in states.items()}
    branches = tuple(
        dataclasses.replace(each, checkpoint=files[each.name].name, trained_from=_digest(states[each.name]))
        if each.name in files
        else each
        for each in session.branches
    )
    session = dataclasses.replace(session, branches=branches)
    text = session_to_toml(session)
    _try_reading(text, path)
    written: list[Path] = []
    try:
        for name, (tensors, facts) in states.items():
            # One that is there should have the same content, and the session on disk may name it.
            if not os.path.exists(files[name]):
                written.append(files[name])
            write_checkpoint(files[name], tensors, facts, like=target)
        write_atomically(path, text.encode())
    except SaveError as error:
        if not (error.in_place and error.path == os.fspath(path)):
            for each in written:
                _remove(each)
        raise
    named = {branch.checkpoint for branch in branches}
    for each in _checkpoints(target):
        if each.name not in named:
            _remove(each)
    return session


def _digest(state: tuple[Tensors, Facts]) -> str | None:
    told = state[1].get(TRAINED_FROM)
    return None if told is None else digest(told)


def _checkpoint_file(target: Path, step: int, tensors: Tensors, facts: Facts) -> Path:
    return target.with_name(f"{target.stem}.step-{step:06d}-{_short(target, tensors, facts)}.safetensors")


def read_session(path: str | os.PathLike[str]) -> Session:
    """The session in a file, without its tensors. Raises `InputError`."""
    return parse_session(read_bounded(Path(path), MAX_BYTES), os.fspath(path))


def load_session(path: str | os.PathLike[str]) -> tuple[Session, dict[str, np.ndarray[Any, Any]], dict[str, str]]:
    """The session in a file, and the tensors and facts of its current branch. Raises `InputError` and `CheckpointError`."""
    session = read_session(path)
    return session, *load_branch(session, session.current, path)


def load_branch(
    session: Session, name: str, path: str | os.PathLike[str]
) -> tuple[dict[str, np.ndarray[Any, Any]], dict[str, str]]:
    """The tensors and facts of a branch of the session that was read from `path`.

    Raises:
        CheckpointError: the checkpoint is missing, damaged or another's. The branch can be trained again from its edits.
    """
    wanted = session.named(name).checkpoint
    if wanted is None:
        raise CheckpointError(path, "the session has no checkpoint")
    checkpoint = Path(os.path.realpath(path)).with_name(wanted)
    tensors, facts = read_checkpoint(checkpoint)
    own = _OWN_NAME.fullmatch(wanted)
    if own and not checksum(tensors, facts).startswith(own[1]):
        raise CheckpointError(checkpoint, "its content is not what its name says: another checkpoint was put in its place")
    return tensors, facts


def list_sessions(folder: str | os.PathLike[str]) -> list[Path]:
    """The session files in a folder, `digits-2` before `digits-10`; none where there is no folder. Raises `InputError`."""
    try:
        found = [Path(entry.path) for entry in os.scandir(folder) if _is_session_file(entry)]
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise InputError(f"{clean(os.fspath(folder))}: {reason_of(error)}") from None
    return sorted(found, key=_natural)


def fresh_name(folder: str | os.PathLike[str], preset_name: str) -> Path:
    """The path of a session that is not there yet: `digits-1.toml`, `digits-2.toml` ... Raises `InputError`.

    A number is not used again while a later one is there, nor while a checkpoint with it is.
    """
    base = re.sub(r"[^\w.-]+", "-", preset_name[:40]).strip(".-_") or "session"
    pattern = re.compile(re.escape(base) + r"-(\d{1,9})(\.toml|\.step-.*)")
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        names = []
    except (OSError, ValueError) as error:
        raise InputError(f"{clean(os.fspath(folder))}: {reason_of(error)}") from None
    used = [int(match[1]) for name in names if (match := pattern.fullmatch(name))]
    return Path(folder) / f"{base}-{max(used, default=0) + 1}.toml"


def claim(folder: str | os.PathLike[str], preset_name: str) -> SessionLock:
    """A lock, held, on a session that is not there yet. Raises `InputError`."""
    path = fresh_name(folder, preset_name)
    base, _, number = path.stem.rpartition("-")
    for n in range(int(number), int(number) + 1000):
        lock = SessionLock(path.with_name(f"{base}-{n}.toml"))
        if lock.acquire():
            if not lock.path.exists():
                return lock
            lock.release()
    raise InputError(f"{clean(os.fspath(folder))}: no name is left for a session of {clean(preset_name, 40)}")


def remove_leftovers(path: str | os.PathLike[str]) -> None:
    """Remove what a writer that was killed left half written. Only whoever holds the session's lock may."""
    target = Path(os.path.realpath(path))
    pattern = re.compile(rf"\.{re.escape(target.stem)}(\.toml|\.step-\d+-[0-9a-f]{{8}}\.safetensors)\.[0-9a-f]{{12}}\.tmp")
    with contextlib.suppress(OSError):
        for name in os.listdir(target.parent):
            if pattern.fullmatch(name):
                _remove(target.with_name(name))


def _short(path: str | os.PathLike[str], tensors: Tensors, facts: Facts) -> str:
    try:
        return checksum(tensors, facts)[:8]
    except UnicodeError as error:
        raise SaveError(path, str(error)) from error


def _try_reading(text: str, path: str | os.PathLike[str]) -> None:
    """Refuse to replace a good file by one that could not be read back."""
    try:
        parse_session(text, os.fspath(path))
    except InputError as error:
        raise SaveError(path, f"it could not be read back: {error.problems[0]}") from error
    if len(text.encode()) > MAX_BYTES:
        raise SaveError(path, "larger than 16 MiB, so it could not be read back")


def _checkpoints(target: Path) -> list[Path]:
    pattern = re.compile(re.escape(target.stem) + r"\.step-\d{6,}-[0-9a-f]{8}\.safetensors")
    with contextlib.suppress(OSError):
        return [target.with_name(name) for name in os.listdir(target.parent) if pattern.fullmatch(name)]
    return []


def _remove(path: Path) -> None:
    # What is left over takes room and does no harm.
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def _is_session_file(entry: os.DirEntry[str]) -> bool:
    if not entry.name.endswith(".toml") or entry.name.startswith("."):
        return False
    try:
        return not entry.is_dir()
    except OSError:
        return True  # whoever reads it hears what is wrong with it


def _natural(path: Path) -> tuple[str, int, str]:
    match = _NUMBERED.fullmatch(path.stem)
    digits = match[2][:18] if match else ""
    return (match[1] if match else path.stem, int(digits or 0), path.name)
