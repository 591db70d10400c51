"""Which keys do what: the user's `keys.toml`.

Owns its TOML form. A bad file never keeps the app from starting: what is good in it counts, and what is not is told in a
line. Knows no screen, panel or action beyond the names it is given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import tomli_w
from textual.binding import Binding
from textual.keys import KEY_DISPLAY_ALIASES, KEY_NAME_REPLACEMENTS, REPLACED_KEYS, key_to_character
from textual.keys import Keys as TextualKeys

from workbench.files.errors import Problems, suggestion
from workbench.files.text import clean
from workbench.files.toml import Reader, shown
from workbench.ui.preferences.files import config_folder, lines_of, read_table

MAX_NAME = 64

# Textual reports them in this order only, that of the alphabet.
_MODIFIERS = ("alt", "ctrl", "shift")
# Textual has a name for it that no terminal's key is reported by.
_NEVER_SENT = {TextualKeys.Return.value, TextualKeys.ControlSpace.value}
_SPECIAL = {each.value for each in TextualKeys if each.value[0] != "<" and "+" not in each.value} - _NEVER_SENT
# How the footer and keyboards spell keys, which is what people copy.
_SPELLINGS = {spelling: key for key, spelling in KEY_DISPLAY_ALIASES.items() if spelling not in (key, "-")}
_SPELLINGS |= {"return": "enter", "ins": "insert"}


def keys_path() -> Path:
    """The file that `read_keys` is for."""
    return config_folder() / "keys.toml"


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
    table, unread = read_table(path)
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
    return Keys(keymap, unread + lines_of(problems))


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
