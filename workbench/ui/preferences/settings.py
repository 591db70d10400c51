"""The user's own files: which keys do what, and how the screen was left.

Owns the TOML forms of `keys.toml` and `layout.toml`, and where they are. A bad file never keeps the app from starting:
what is good in it counts, and what is not is told in a line. Knows no screen, panel or binding beyond the names it is given.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import platformdirs
import tomli_w
from textual.binding import Binding
from textual.keys import KEY_DISPLAY_ALIASES, KEY_NAME_REPLACEMENTS, REPLACED_KEYS, key_to_character
from textual.keys import Keys as TextualKeys

from workbench.files.atomic import write_atomically
from workbench.files.errors import InputError, Problems, suggestion
from workbench.files.text import clean
from workbench.files.toml import Reader, parse_toml, read_bounded, shown, write_keys

MAX_BYTES = 256 * 2**10
MAX_NAME = 64
PRESETS = ("panda", "batch norm", "diagnosis", "minimal")
X_AXES = ("step", "epoch", "seconds")
LEFT = (24, 80)
SPLIT = (20, 80)
"""The least and the most of `Layout.left` in columns, and of `Layout.split` in percent."""

# Textual reports them in this order only, that of the alphabet.
_MODIFIERS = ("alt", "ctrl", "shift")
# Textual has a name for it that no terminal's key is reported by.
_NEVER_SENT = {TextualKeys.Return.value, TextualKeys.ControlSpace.value}
_SPECIAL = {each.value for each in TextualKeys if each.value[0] != "<" and "+" not in each.value} - _NEVER_SENT
# How the footer and keyboards spell keys, which is what people copy.
_SPELLINGS = {spelling: key for key, spelling in KEY_DISPLAY_ALIASES.items() if spelling not in (key, "-")}
_SPELLINGS |= {"return": "enter", "ins": "insert"}


def config_folder() -> Path:
    """Where the user's files are: the folder in `WORKBENCH_CONFIG`, else the platform's. It need not exist."""
    given = os.environ.get("WORKBENCH_CONFIG")
    return Path(given) if given else platformdirs.user_config_path("workbench")


def keys_path() -> Path:
    """The file that `read_keys` is for."""
    return config_folder() / "keys.toml"


def layout_path() -> Path:
    """The file that `read_layout` and `write_layout` are for."""
    return config_folder() / "layout.toml"


@dataclass(frozen=True, slots=True)
class Keys:
    """What a `keys.toml` says.

    Attributes:
        keymap: for `App.set_keymap`: the id of a binding and its keys, by Textual's names, with commas between.
        problems: a clean line for each entry that does not count.
    """

    keymap: dict[str, str]
    problems: tuple[str, ...] = ()


class InvalidKey(ValueError):
    """No key is called that. Its text is the part of a problem that follows the name of the entry."""


def read_keys(path: Path, known: Mapping[str, str]) -> Keys:
    """The keys in a file, empty where there is none. Never raises.

    `known` has the description of every binding by its id. An entry counts as a whole or not at all; of two that want
    the same key the first gets it.
    """
    table, unread = _read(path)
    problems = Problems(str(path))
    top = Reader(table, problems)
    for name in table:
        if name != "keys":
            top.wrong(name, partial(_stray, name))
    keymap: dict[str, str] = {}
    taken: dict[str, str] = {}
    reader = top.reader("keys")
    for name, value in _entries(reader.table, known) if reader else ():
        wrong = partial(problems.add, f"keys.{name}")
        if name not in known:
            wrong(partial(_unknown_id, name, known))
            continue
        if name in keymap:
            wrong("given twice: expected one list of keys")
            continue
        try:
            keys = _keys_of(value)
        except InvalidKey as error:
            wrong(str(error))
            continue
        other = next((key for key in keys if key in taken), None)
        if other is not None:
            wrong(f"{shown(other)}: already the key of {taken[other]}; expected another")
            continue
        keymap[name] = ",".join(keys)
        taken |= dict.fromkeys(keys, name)
    return Keys(keymap, unread + _lines(problems))


def example_keys(known: Mapping[str, str]) -> str:
    """A `keys.toml` that changes nothing: every binding in a comment, under its description."""
    lines = [
        '# Keys of Workbench. Take the # off a line and put a key in its quotes; several keys are a list: ["ctrl+s", "f2"].',
        "# A key is a character or a name (space, enter, escape, tab, up, pagedown, f1, …), with ctrl+, alt+, shift+ before it.",
        "",
        "[keys]",
    ]
    for name, description in known.items():
        lines += [""]
        lines += [f"# {clean(description)}"] if description else []
        lines += ["#" + tomli_w.dumps({name: ""}).removesuffix("\n")]
    return "\n".join(lines) + "\n"


def canonical_key(text: str) -> str:
    """The name under which Textual reports a key, as `question_mark` for `?` and `ctrl+shift+up` for `shift+ctrl+up`.

    Raises:
        InvalidKey: there is no such key, or a terminal reports it otherwise.
    """
    if text != " " and not text.strip():
        raise InvalidKey("an empty key: expected a character or the name of a key")
    if text == TextualKeys.ControlAt.value:
        return text  # the one key that Textual reports by a character that has a name
    head, plus, tail = text[:-1].rpartition("+")
    held, base = head.split("+") if plus else [], tail + text[-1]
    key = _base_key(base)
    # With ctrl or alt, capitals are reported as shift and the small letter.
    capital = bool(held) and len(base) == 1 and base.isupper()
    if key is None or capital or not set(held) <= set(_MODIFIERS) or len(set(held)) < len(held):
        raise InvalidKey(f"{shown(text)}: no such key{_nearest(text, held, base)}")
    if held == ["shift"] and key not in _SPECIAL:
        if len(key) == 1 and key.isalpha() and len(key.upper()) == 1:
            return key.upper()
        raise InvalidKey(f"{shown(text)}: expected the character that this makes, as a terminal sends nothing else")
    return "+".join([*sorted(held), key])


def _base_key(base: str) -> str | None:
    """The name of a key without modifiers; `None` if there is none."""
    if base in _SPECIAL:
        return base
    if base in _SPELLINGS or len(base) > MAX_NAME:
        return None
    character = key_to_character(REPLACED_KEYS.get(base, base)) if base != "+" else base
    # Unicode has names for controls and for sequences of characters too.
    if character is None or len(character) != 1 or not character.isprintable():
        return None
    return _name_of(character)


def _name_of(character: str) -> str:
    # Textual's own rule, but it would take these for what stands between two keys.
    between = {",": "comma", " ": "space"}
    return between.get(character) or next(iter(Binding.make_bindings([(character, "")]))).key


def _nearest(text: str, held: list[str], base: str) -> str:
    """`; did you mean KEY?`, or nothing."""
    small = text.lower().replace(" ", "")
    if small != text:
        try:
            return f"; did you mean {canonical_key(small)}?"
        except InvalidKey:
            pass
    if not set(held) <= set(_MODIFIERS) or len(set(held)) < len(held):
        return "; before the + expected ctrl, alt or shift, each once"
    prefix = "".join(f"{each}+" for each in sorted(held))
    if base in _SPELLINGS:
        return f"; did you mean {prefix}{_SPELLINGS[base]}?"
    if "," in text:
        return '; several keys are a list, as ["ctrl+s", "f2"]'
    names = sorted(_SPECIAL | set(KEY_NAME_REPLACEMENTS.values()) | {"comma", "full_stop", "question_mark"})
    near = suggestion(base[:MAX_NAME].lower(), names).replace("did you mean ", f"did you mean {prefix}")
    return near or "; expected a character, or a name such as enter, f2, ctrl+s"


def _entries(table: Mapping[str, Any], known: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    """Each id with what is given for it. `a.b = "x"` without quotes is a table in a table, and as good as `"a.b"`."""
    deepest = max((name.count(".") for name in known), default=0)
    waiting = [(name, value, 0) for name, value in reversed([*table.items()])]
    while waiting:
        name, value, depth = waiting.pop()
        if isinstance(value, Mapping) and value and name not in known and depth < deepest:
            waiting += [(f"{name}.{key}", inner, depth + 1) for key, inner in reversed([*value.items()])]
        else:
            yield name, value


def _keys_of(value: object) -> list[str]:
    """The keys of one entry, each once. Raises `InvalidKey`."""
    texts = value if isinstance(value, list) else [value]
    if not texts or not all(isinstance(each, str) for each in texts):
        raise InvalidKey(f"{shown(value)}: expected a key in quotes, or a list of them")
    return list(dict.fromkeys(map(canonical_key, texts)))


def _stray(name: str) -> str:
    return f"unknown key{suggestion(name[:100], ('keys',))}; expected every binding under [keys]"


def _unknown_id(name: str, known: Mapping[str, str]) -> str:
    return f"unknown binding{suggestion(name[:100], known)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How the screen is divided and what it shows.

    Attributes:
        preset: one of `PRESETS`.
        lower: which panel is at the lower right.
        charts: the quantities of the two charts.
        left: columns of the left side.
        split: how much of the right side's height the charts have, in percent.
        x_axis: one of `X_AXES`.
        theme: Textual's name of a theme, empty for the app's own. From a file: there may be no such theme.
        ewma_beta: β of the smoothed curves, from 0 to less than 1.
    """

    preset: str = "panda"
    lower: str = "layers"
    charts: tuple[str, ...] = ("cost", "error")
    left: int = 37
    split: int = 62
    x_axis: str = "step"
    theme: str = ""
    ewma_beta: float = 0.98


def read_layout(path: Path) -> tuple[Layout, tuple[str, ...]]:
    """The layout in a file, and a clean line for each value that does not count. Never raises.

    A field that is missing or wrong has its default; so have all where there is no file.
    """
    table, unread = _read(path)
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
    return Layout(**values), unread + _lines(problems)


def write_layout(path: Path, layout: Layout) -> None:
    """Replace the file whole, or make it with its folder. Raises `SaveError`."""
    text = "# Written by Workbench when the layout changes.\n" + write_keys(dataclasses.asdict(layout))
    write_atomically(path, text.encode())


@dataclass(frozen=True, slots=True)
class _Rule:
    """What a field takes: `read` gives the value as the field has it, or `None` if it is not one."""

    read: Callable[[object], Any]
    expected: str


def _one_of(choices: tuple[str, ...]) -> _Rule:
    quoted = [f'"{each}"' for each in choices]
    return _Rule(lambda value: value if value in choices else None, f"{', '.join(quoted[:-1])} or {quoted[-1]}")


def _whole(low: int, high: int) -> _Rule:
    def read(value: object) -> int | None:
        return value if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high else None

    return _Rule(read, f"a whole number from {low} to {high}")


def _is_name(value: object) -> bool:
    # What `clean` would change is no name of anything.
    return isinstance(value, str) and bool(value) and clean(value, MAX_NAME) == value


def _pair(value: object) -> tuple[str, ...] | None:
    return tuple(value) if isinstance(value, list) and len(value) == 2 and all(map(_is_name, value)) else None


def _beta(value: object) -> float | None:
    good = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1
    return float(value) if good else None  # type: ignore[arg-type]


_NAME = f"a name in quotes, of at most {MAX_NAME} characters"
_RULES = {
    "preset": _one_of(PRESETS),
    "lower": _Rule(lambda value: value if _is_name(value) else None, _NAME),
    "charts": _Rule(_pair, "a list of two names in quotes"),
    "left": _whole(*LEFT),
    "split": _whole(*SPLIT),
    "x_axis": _one_of(X_AXES),
    "theme": _Rule(lambda value: value if value == "" or _is_name(value) else None, f"{_NAME}, or nothing in the quotes"),
    "ewma_beta": _Rule(_beta, "a number from 0 to less than 1"),
}


def _read(path: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The top table of a file, empty with the problems why it cannot be read; no file is no problem."""
    try:
        path.stat()
    except FileNotFoundError:
        return {}, ()
    except (OSError, ValueError):
        pass  # said below, in the words for all files
    try:
        return parse_toml(read_bounded(path, MAX_BYTES), str(path)), ()
    except InputError as error:
        return {}, error.problems


def _lines(problems: Problems) -> tuple[str, ...]:
    try:
        problems.raise_if_any()
    except InputError as error:
        return error.problems
    return ()
