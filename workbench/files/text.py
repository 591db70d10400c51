"""Text from files and users, made harmless for a terminal.

Owns the one rule of what may not reach a screen, and the type of what may: only the functions here make a `SafeText`, and
whatever shows or prints a text takes nothing else, so that the type checker finds what was forgotten. Knows nothing of files,
markup or the screen itself.
"""

from __future__ import annotations

import unicodedata
from typing import LiteralString, NewType

SafeText = NewType("SafeText", str)
"""A text with nothing in it that a terminal would obey. It is no markup: `[bold]` in it are six characters."""

# Controls, format characters (among them the bidirectional ones), line and paragraph separators.
_HARMFUL = {"Cc", "Cf", "Zl", "Zp"}
# Joiners are format characters too, but some scripts and emoji are misspelt without them.
_JOINERS = "\u200c\u200d"


def literal(text: LiteralString) -> SafeText:
    """Words of our own, as they stand in the code: an architecture test holds that nothing else is given."""
    return SafeText(text)


def clean(text: str, limit: int | None = 200) -> SafeText:
    r"""`text` on one line, at most `limit` characters, with nothing in it that a terminal would obey.

    Line breaks and tabs become a space; control, bidirectional and other format characters a visible escape
    (`\x1b`, `\u202e`); lone surrogates U+FFFD. What is cut off at the end becomes `…`. Without a limit nothing is cut off.
    """
    # One more than fits is enough to know that something is cut; a text of megabytes is not walked through.
    return _within(limit, text, _escaped((text if limit is None else text[: limit + 1]).replace("\r\n", " ")))


def clean_lines(text: str, limit: int | None = 4000) -> SafeText:
    """Like `clean`, but line feeds stay; `limit` counts all lines together."""
    cut = (text if limit is None else text[: limit + 1]).replace("\r\n", "\n")
    return _within(limit, text, "\n".join(_escaped(line) for line in cut.split("\n")))


def harmful(character: str) -> bool:
    """Whether a terminal may obey it, or show the text around it in another order."""
    return unicodedata.category(character) in _HARMFUL and character not in _JOINERS


def _within(limit: int | None, text: str, safe: str) -> SafeText:
    # Two characters may have become one space: the length of the source decides too.
    if limit is None or (len(safe) <= limit and len(text) <= limit + 1):
        return SafeText(safe)
    return SafeText(safe[: limit - 1] + "…")


def _escaped(text: str) -> str:
    return text if text.isprintable() else "".join(map(_harmless, text))


def _harmless(character: str) -> str:
    if character in "\n\r\t":
        return " "
    if unicodedata.category(character) == "Cs":
        return "\ufffd"
    if not harmful(character):
        return character
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
