"""What can be wrong with what a user gave, said in lines that name the file and the key.

Knows neither TOML nor the table of hyperparameters.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterable

from workbench.files.text import clean

# A hostile file may have a hundred thousand wrong keys; nobody reads more than this, and finding the
# nearest known name to each takes time.
MOST_PROBLEMS = 50


class InputError(Exception):
    """Bad input of the user. Its text is one line a problem, each harmless for a terminal."""

    def __init__(self, *problems: str) -> None:
        """Keeps each of `problems` as one clean line."""
        self.problems = tuple(clean(problem, 700) for problem in problems)
        super().__init__("\n".join(self.problems))


class Problems:
    """The problems of one source (a file, or an argument), collected so that all are said in one go."""

    def __init__(self, where: str) -> None:
        """`where` names the source at the start of each line."""
        self._where = clean(where)
        self._lines: list[str] = []
        self._more = 0

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._lines)

    def add(self, key: str, message: str | Callable[[], str]) -> None:
        """One more. A message that takes time to make is given as a function, called only if it will be shown."""
        if len(self._lines) == MOST_PROBLEMS:
            self._more += 1
            return
        text = message if isinstance(message, str) else message()
        self._lines.append(f"{self._where}: {clean(key, 100)}: {clean(text, 400)}")

    def raise_if_any(self) -> None:
        """Raises them all as one `InputError`."""
        if self._more:
            raise InputError(*self._lines, f"{self._where}: … and {self._more:,} more problems")
        if self._lines:
            raise InputError(*self._lines)


class FileError(Exception):
    """A file that could not be written or read back: `path`, and `reason` in one clean line."""

    def __init__(self, path: str | os.PathLike[str], reason: str) -> None:
        """`path` is named in the text as it was given."""
        self.path = os.fspath(path)
        self.reason = clean(reason)
        super().__init__(f"{clean(self.path)}: {self.reason}")


class SaveError(FileError):
    """A file could not be saved.

    `in_place` is true in one case only: the new content is already there whole, but the folder could not be
    flushed, so it is not certain to outlive a power cut. Else the old file, or none, is still there.
    """

    def __init__(self, path: str | os.PathLike[str], reason: str, in_place: bool = False) -> None:
        """See the class."""
        super().__init__(path, f"not saved: {reason}")
        self.in_place = in_place


class CheckpointError(FileError):
    """A checkpoint is missing, damaged, or not the one its session names."""


def suggestion(name: str, known: Iterable[str]) -> str:
    """`; did you mean NAME?` with the known name nearest to this one, or nothing."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else ""


def reason_of(error: OSError | ValueError) -> str:
    """What the system says of a file, without numbers and paths: `no such file`, `permission denied`."""
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, IsADirectoryError):
        return "is a folder, not a file"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror[0].lower() + error.strerror[1:]
    if isinstance(error, ValueError):
        return "not a possible path"
    return "cannot be read or written"
