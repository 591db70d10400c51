"""How the screen was left: `layout.toml`, written when it is left, and read when the next run is opened.

Owns its TOML form. Knows the names of the layouts, and no widget.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.files.atomic import write_atomically
from workbench.files.errors import Problems
from workbench.files.text import clean
from workbench.files.toml import Reader, shown, write_keys
from workbench.ui.preferences.files import config_folder, lines_of, read_table
from workbench.ui.state.chart_view import Axis
from workbench.ui.state.layout import LAYOUTS

MAX_NAME = 64
LEFT = (24, 80)
SPLIT = (20, 80)
"""The least and the most of `Layout.left` in columns, and of `Layout.split` in percent."""


def layout_path() -> Path:
    """The file that `read_layout` and `write_layout` are for."""
    return config_folder() / "layout.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How the screen is divided and what it shows.

    Attributes:
        name: one of `LAYOUTS`.
        lower: which panel is at the lower right.
        charts: the quantities of the two charts.
        left: columns of the left side.
        split: how much of the right side's height the charts have, in percent.
        x_axis: what x counts.
        theme: Textual's name of a theme, empty for the app's own. From a file: there may be no such theme.
        ewma_beta: β of the smoothed curves, from 0 to less than 1.
    """

    name: str = "panda"
    lower: str = "layers"
    charts: tuple[str, ...] = ("cost", "error")
    left: int = 37
    split: int = 62
    x_axis: Axis = Axis.STEP
    theme: str = ""
    ewma_beta: float = 0.98


def read_layout(path: Path) -> tuple[Layout, tuple[str, ...]]:
    """The layout in a file, and a clean line for each value that does not count. Never raises.

    A field that is missing or wrong has its default; so have all where there is no file.
    """
    table, unread = read_table(path)
    if _FORMER_NAME in table and "name" not in table:
        table["name"] = table.pop(_FORMER_NAME)
    problems = Problems(str(path))
    reader = Reader(table, problems)
    reader.only(_RULES)
    values: dict[str, Any] = {}
    for name, rule in _RULES.items():
        if name in table:
            value = rule.read(table[name])
            if value is None:
                reader.wrong(name, f"{shown(table[name])}: expected {rule.expected}")
            else:
                values[name] = value
    return Layout(**values), unread + lines_of(problems)


def write_layout(path: Path, layout: Layout) -> None:
    """Replace the file whole, or make it with its folder. Raises `SaveError`."""
    text = "# Written by Workbench when the layout changes.\n" + write_keys(dataclasses.asdict(layout))
    write_atomically(path, text.encode())


@dataclass(frozen=True, slots=True)
class _Rule:
    """What a field takes: `read` gives the value as the field has it, or `None` if it is not one."""

    read: Callable[[object], Any]
    expected: str


def _quoted(choices: tuple[str, ...]) -> str:
    quoted = [f'"{each}"' for each in choices]
    return f"{', '.join(quoted[:-1])} or {quoted[-1]}"


def _one_of(choices: tuple[str, ...]) -> _Rule:
    return _Rule(lambda value: value if value in choices else None, _quoted(choices))


def _whole(low: int, high: int) -> _Rule:
    def read(value: object) -> int | None:
        return value if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high else None

    return _Rule(read, f"a whole number from {low} to {high}")


def _is_name(value: object) -> bool:
    # What `clean` would change is no name of anything.
    return isinstance(value, str) and bool(value) and clean(value, MAX_NAME) == value


def _pair(value: object) -> tuple[str, ...] | None:
    return tuple(value) if isinstance(value, list) and len(value) == 2 and all(map(_is_name, value)) else None


def _axis(value: object) -> Axis | None:
    return next((axis for axis in Axis if axis == value), None)


def _beta(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if 0 <= value < 1 else None


_FORMER_NAME = "preset"
"""What the key `name` is called in files that an earlier workbench wrote."""
_NAME = f"a name in quotes, of at most {MAX_NAME} characters"
_RULES = {
    "name": _one_of(tuple(LAYOUTS)),
    "lower": _Rule(lambda value: value if _is_name(value) else None, _NAME),
    "charts": _Rule(_pair, "a list of two names in quotes"),
    "left": _whole(*LEFT),
    "split": _whole(*SPLIT),
    "x_axis": _Rule(_axis, _quoted(tuple(Axis))),
    "theme": _Rule(lambda value: value if value == "" or _is_name(value) else None, f"{_NAME}, or nothing in the quotes"),
    "ewma_beta": _Rule(_beta, "a number from 0 to less than 1"),
}
