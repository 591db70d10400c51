"""Text that does harm to a terminal that is given it as it is, in every place of a file that takes free text."""

from __future__ import annotations

import dataclasses
import re
import shutil
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from workbench.session.branch import Branch, Edit, Note, Stop
from workbench.session.format import session_to_toml
from workbench.session.preset import Preset, preset_to_toml
from workbench.session.session import Environment, Session

PIECES = (
    "\x1b[2J\x1b[3;77r\x1b[31mred",  # clear the screen, scroll only a part of it
    "\x1b]52;c;SE9TVElMRQ==\x07\x1b]0;hostile\x1b\\",  # the clipboard, the title of the window
    "\x9b2J\x9b31m\x9d52;c;SE9TVElMRQ==\x9c\x90q\x9c",  # the same in C1
    "\u202eesrever\u202c \u2066isolate\u2069\u200f\u2067",
    "[/]x",
    "[bold]b[/bold] [@click=app.bell]c[/] [red",
    "nul\x00 bel\x07 bs\x08 del\x7f",
    "one\ntwo\r\nthree\rfour\x0b\x0c\x85\u2028five\ttab",
    "invisible\u200b\ufeff\u2060\xad\U000e0041",
    "w" * 60,
    "日本語" * 15 + "👩\u200d🔬",
    "e" + "\u0301\u0327" * 25,
)
ALL = " ".join(PIECES)
SENT = "3;77r", "SE9TVElMRQ=="
"""What no sequence of the app's own has in it."""

_SEQUENCE = re.compile(r"\x1b\[[\d;:?<>=]*[ $]?[@-~]|\x1b\]22;[a-z-]*\x07|\x1b[=>78]|\x1b\([B0]|\x1bP[^\x1b]*\x1b\\")


def obeyed(text: str, lines: str = "\n") -> set[str]:
    """What a terminal would obey in a text, but for line breaks and what joins letters."""
    harm = {each for each in text if unicodedata.category(each) in ("Cc", "Cf", "Zl", "Zp", "Cs")}
    return harm - set(lines) - set("\u200c\u200d")


def got_through(written: str) -> list[str]:
    """What of the pieces is in what was written to a terminal, among the app's own sequences."""
    left = _SEQUENCE.sub("", written)
    sent = [each for each in _SEQUENCE.findall(written) if any(part in each for part in SENT)]
    return sorted(obeyed(left, "\r\n")) + sent + [each for each in ("\x1b[2J", "\x1b]52", "\x1b]0") if each in written]


def file_name(text: str) -> str:
    """As much of a text as a file can be called, and a session that is saved as it."""
    name = text.replace("/", "|").replace("\\", "|").replace("\0", "")
    while len(name.encode()) > 120:
        name = name[:-1]
    return name


def preset_of(preset: Preset) -> Preset:
    """The same preset, told of by somebody hostile."""
    return dataclasses.replace(preset, name=ALL[:200], title=ALL[:200], description=f"{ALL}\n\n{ALL}"[:4000])


def session_of(session: Session) -> Session:
    """The same session, with every free text in it hostile, and a branch for each piece."""
    first = PIECES[0][:60]
    main = dataclasses.replace(
        session.branch,
        name=first,
        note=ALL,
        edits=tuple(dataclasses.replace(each, note=ALL) for each in session.branch.edits),
        notes=tuple(Note(step, piece) for step, piece in enumerate(PIECES, start=1)),
        stops=(Stop(15, 0, ALL, (1, 2)),),
    )
    others = tuple(
        Branch(name=piece[:60], parent=first, fork=10, step=10 + number, note=piece, edits=(Edit(10, "l2", 0.0, 0.1, piece),))
        for number, piece in enumerate(PIECES[1:], start=1)
    )
    texts = dict.fromkeys(("workbench", "python", "numpy", "blas", "platform"), ALL[:1000])
    environment = Environment(**texts, blas_threads=1, arithmetic=1)
    return dataclasses.replace(
        session, preset=preset_of(session.preset), branches=(main, *others), current=first, environment=environment
    )


def write_session(session: Session, source: Path, folder: Path) -> Path:
    """The session, made hostile, in a file with such a name, and its checkpoint beside it."""
    path = folder / f"{file_name(PIECES[0] + PIECES[3] + PIECES[4])}.toml"
    path.write_text(session_to_toml(session_of(session)))
    for each in source.parent.glob("*.safetensors"):
        shutil.copy(each, folder)
    return path


def write_presets(preset: Preset, folder: Path) -> Iterable[Path]:
    """A file for each piece, called by it."""
    for number, piece in enumerate(PIECES):
        path = folder / f"{number}{file_name(piece)}.toml"
        path.write_text(preset_to_toml(preset_of(preset)))
        yield path
