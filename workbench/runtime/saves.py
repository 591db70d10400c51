"""The saves of the engine's process: begun as a client wants it, and reported to it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from workbench.protocol.reports import Remark, Report, Saved, SaveFailed
from workbench.protocol.requests import Begin
from workbench.run.autosave import Autosave, remade


def autosave_for(begin: Begin, send: Callable[[Report], None], clock: Callable[[], float]) -> Autosave:
    """Saves the session that is begun, under its lock from now on if it has a file already."""
    autosave = Autosave(Path(begin.autosave) if begin.autosave else None, begin.autosave_seconds, _Reported(send), clock)
    if begin.path:
        autosave.hold()
    return autosave


class _Reported:
    def __init__(self, send: Callable[[Report], None]) -> None:
        self._send = send

    def saved(self, path: str, step: int, asked: bool) -> None:
        self._send(Saved(path, step, asked))

    def remade(self, folder: str, path: str) -> None:
        text = remade(folder, path)
        self._send(Remark(text[:1].upper() + text[1:] + "."))

    def failed(self, path: str, reason: str, asked: bool) -> None:
        self._send(SaveFailed(path, reason, asked))
