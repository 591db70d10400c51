"""What an argument of the command line means: a preset or a session, by path or by name."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from workbench.files.errors import InputError
from workbench.files.text import clean
from workbench.files.toml import parse_toml, read_bounded
from workbench.session.format import begins_as_session, is_session, session_from_table
from workbench.session.preset import MAX_BYTES as MAX_PRESET_BYTES
from workbench.session.preset import Preset, find_presets, is_file, looks_like_path, parse_preset, unknown_name
from workbench.session.session import Session
from workbench.session.store import MAX_BYTES as MAX_SESSION_BYTES
from workbench.session.store import list_sessions


@dataclass(frozen=True, slots=True)
class Opened:
    """A preset or a session, and the file it was read from."""

    content: Preset | Session
    path: Path


def open_input(argument: str, sessions_folder: str | os.PathLike[str]) -> Opened:
    """What `argument` names: a file of that path, else a shipped preset, else a session in the folder.

    Raises:
        InputError: nothing has that name, or what has it cannot be read.
    """
    path = Path(argument)
    if is_file(path):
        return read_either(path)
    shipped = {each.stem: each for each in find_presets()}
    if argument in shipped:
        return read_either(shipped[argument])
    folder = Path(sessions_folder)
    if not {os.sep, os.altsep} & set(argument):
        for name in (f"{argument}.toml", argument):
            if name.endswith(".toml") and is_file(folder / name):
                return read_either(folder / name)
    if looks_like_path(argument):
        return read_either(path)
    raise unknown_name(argument, "preset or session", [*shipped, *_session_names(folder)], "workbench presets")


def read_either(path: Path) -> Opened:
    """The preset or session in a file. Raises `InputError`."""
    text = read_bounded(path, MAX_SESSION_BYTES)
    # A session has its format among the first lines; anything else is held to the size of a preset before it is parsed.
    if len(text) > MAX_PRESET_BYTES and "\nformat = " not in text[:1000]:
        raise InputError(f"{clean(str(path))}: larger than 256 KiB")
    table = parse_toml(text, str(path))
    if is_session(table):
        return Opened(session_from_table(table, str(path)), path)
    if begins_as_session(text):
        what = "a session that is cut off" if text else "empty"
        raise InputError(f"{clean(str(path))}: {what}: expected a preset, or a session with its format and all that follows")
    return Opened(parse_preset(table, str(path), path.stem), path)


def _session_names(folder: Path) -> list[str]:
    try:
        return [path.stem for path in list_sessions(folder)]
    except InputError:
        return []
