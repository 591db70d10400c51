"""TOML in and out: bounded reading, a table reader that collects problems, and writing in a stable order.

Knows nothing of presets and sessions, only of tables, keys and values.
"""

from __future__ import annotations

import math
import re
import stat
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import tomli
import tomli_w

from workbench.files.errors import InputError, Problems, reason_of, suggestion
from workbench.files.text import clean, harmful

Table = Mapping[str, Any]


def read_bounded(path: Path, limit: int) -> str:
    """The text of a regular file of at most `limit` bytes. Raises `InputError` in one line."""
    where = clean(str(path))
    try:
        status = path.stat()
        # Opening a named pipe would wait for ever.
        if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
            raise InputError(f"{where}: not a regular file")
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except (OSError, ValueError) as error:
        raise InputError(f"{where}: {reason_of(error)}") from None
    if len(data) > limit:
        raise InputError(f"{where}: larger than {_size(limit)}")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(f"{where}: not UTF-8 text (line {line})") from None


def parse_toml(text: str, where: str) -> dict[str, Any]:
    """The top table of a TOML document. Raises `InputError` in one line that says where it breaks off."""
    try:
        return tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        raise InputError(f"{clean(where)}: not TOML: {clean(str(error), 300)}") from None
    except RecursionError:
        raise InputError(f"{clean(where)}: not read: nested too deeply") from None
    except ValueError:
        # Python refuses to convert a number of more than 4,300 digits.
        raise InputError(f"{clean(where)}: not read: a number in it is too long") from None


class Reader:
    """One table of a document: typed access to its keys, each problem noted under the key's full name.

    A getter that notes a problem returns a stand-in of the right type, so that reading goes on to the next
    problem. Nothing read may be used before `Problems.raise_if_any`.
    """

    def __init__(self, table: Table, problems: Problems, prefix: str = "") -> None:
        """`prefix` is the table's own name, as `preset.data`; empty for the document."""
        self.table = table
        self.problems = problems
        self._prefix = prefix

    def key(self, name: str) -> str:
        """The full name of a key of this table."""
        return f"{self._prefix}.{name}" if self._prefix else name

    def wrong(self, name: str, message: str | Callable[[], str]) -> None:
        """Note a problem of one key."""
        self.problems.add(self.key(name), message)

    def without(self, name: str) -> Reader:
        """The same table with one key taken out, because another reader has dealt with it."""
        return Reader({key: value for key, value in self.table.items() if key != name}, self.problems, self._prefix)

    def only(self, known: Iterable[str]) -> None:
        """Note each key that is not one of the `known`."""
        known = tuple(known)
        for name in self.table:
            if name not in known:
                self.wrong(name, partial(_unknown, name, known))

    def text(self, name: str, limit: int, default: str | None = None) -> str:
        """A string of at most `limit` characters; required where there is no `default`."""
        value = self.table.get(name, default)
        if not isinstance(value, str):
            self._expected(name, "a text in quotes")
            return ""
        if len(value) > limit:
            self.wrong(name, f"longer than {limit:,} characters")
            return ""
        return value

    def matching(self, name: str, pattern: re.Pattern[str], expected: str) -> str:
        """A required string that is wholly of one form."""
        value = self.table.get(name)
        if isinstance(value, str) and pattern.fullmatch(value):
            return value
        self._expected(name, expected)
        return ""

    def integer(self, name: str, low: int = 0, high: int = 2**63 - 1) -> int:
        """A required whole number from `low` to `high`."""
        value = self.table.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        self._expected(name, f"a whole number from {low:,} to {high:,}" if high < 2**63 - 1 else f"a whole number from {low:,}")
        return low

    def real(self, name: str) -> float:
        """A required number; NaN and infinities are numbers here."""
        value = self.table.get(name)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            try:
                return float(value)
            except OverflowError:
                pass
        self._expected(name, "a number")
        return 0.0

    def reader(self, name: str) -> Reader | None:
        """The table under this key, `None` where there is none."""
        if name not in self.table:
            return None
        value = self.table[name]
        if not isinstance(value, Mapping):
            self._expected(name, f"a table, [{self.key(name)}]")
            value = None
        return None if value is None else Reader(value, self.problems, self.key(name))

    def readers(self, name: str) -> list[Reader]:
        """The tables of an array of tables; they are counted from 1 in messages, `edit[1]`."""
        value = self.table.get(name, [])
        if not isinstance(value, list) or not all(isinstance(each, Mapping) for each in value):
            self._expected(name, f"tables, [[{self.key(name)}]]")
            return []
        return [Reader(each, self.problems, self.key(f"{name}[{number}]")) for number, each in enumerate(value, 1)]

    def _expected(self, name: str, expected: str) -> None:
        if name in self.table:
            self.wrong(name, f"{shown(self.table[name])}: expected {expected}")
        else:
            self.wrong(name, f"missing: expected {expected}")


def _unknown(name: str, known: tuple[str, ...]) -> str:
    return f"unknown key{suggestion(name[:100], known)}"


def shown(value: object) -> str:
    """A value from a file as it may stand in a message: short, on one line."""
    try:
        text = repr(value) if isinstance(value, str) else str(value).lower()
    except (ValueError, RecursionError):
        # A number of thousands of digits, or tables nested hundreds deep.
        return "a value too long to show"
    return clean(text, 60)


def write_table(name: str, table: Table, array: bool = False) -> str:
    """`[name]` (or `[[name]]` with `array`) and a line for each key; tables and lists of tables in it follow, in their order."""
    head = f"[[{name}]]\n" if array else f"[{name}]\n"
    flat, nested = {}, []
    for key, value in table.items():
        if isinstance(value, Mapping):
            nested.append(write_table(f"{name}.{key}", value))
        elif isinstance(value, list):
            nested += [write_table(f"{name}.{key}", each, array=True) for each in value]
        else:
            flat[key] = value
    return "\n".join([head + write_keys(flat), *nested])


def write_keys(table: Table) -> str:
    """A line `key = value` for each key. The keys are bare ones, and no value is a table."""
    return "".join(f"{key} = {_literal(value)}\n" for key, value in table.items())


def _literal(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        # repr is the shortest text that reads back as the same number; TOML spells nan and inf as Python does.
        return repr(float(value)) if math.isfinite(value) else str(float(value))
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(map(_literal, value)) + "]"
    if isinstance(value, str):
        # A lone surrogate (from a file name that is not UTF-8) has no place in a text file.
        safe = value.encode("utf-8", "replace").decode()
        quoted = tomli_w.dumps({"k": safe}).removeprefix("k = ").removesuffix("\n")
        # TOML asks that of some controls only; the terminal of whoever looks at the file would obey the others too.
        return quoted if quoted.isprintable() else "".join(_escaped(each) if harmful(each) else each for each in quoted)
    raise TypeError(f"{type(value).__name__} has no form in TOML here")


def _escaped(character: str) -> str:
    code = ord(character)
    if character == "\t":
        return r"\t"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _size(limit: int) -> str:
    return f"{limit // 2**20} MiB" if limit >= 2**20 else f"{limit // 2**10} KiB"
