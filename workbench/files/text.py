"""Text from files and users, made harmless for a terminal.

Owns the one rule of what may not reach a screen. Knows nothing of files, markup or the screen itself.
"""

from __future__ import annotations

import unicodedata

# Controls, format characters (among them the bidirectional ones), line and paragraph separators.
_HARMFUL = {"Cc", "Cf", "Zl", "Zp"}
# Joiners are format characters too, but some scripts and emoji are misspelt without them.
_JOINERS = "\u200c\u200d"


def clean(text: str, limit: int = 200) -> str:
    r"""`text` on one line, at most `limit` characters, with nothing in it that a terminal would obey.

    Line breaks and tabs become a space; control, bidirectional and other format characters a visible escape
    (`\x1b`, `\u202e`); lone surrogates U+FFFD. What is cut off at the end becomes `…`.
    """
    # One more than fits is enough to know that something is cut; a text of megabytes is not walked through.
    safe = _escaped(text[: limit + 1].replace("\r\n", " "))
    # Two characters may have become one space: the length of the source decides too.
    return safe if len(safe) <= limit and len(text) <= limit + 1 else safe[: limit - 1] + "…"


def clean_lines(text: str, limit: int = 4000) -> str:
    """Like `clean`, but line feeds stay; `limit` counts all lines together."""
    cut = text[: limit + 1].replace("\r\n", "\n")
    safe = "\n".join(_escaped(line) for line in cut.split("\n"))
    return safe if len(safe) <= limit and len(text) <= limit + 1 else safe[: limit - 1] + "…"


def _escaped(text: str) -> str:
    return text if text.isprintable() else "".join(map(_harmless, text))


def _harmless(character: str) -> str:
    if character in "\n\r\t":
        return " "
    category = unicodedata.category(character)
    if category == "Cs":
        return "\ufffd"
    if category not in _HARMFUL or character in _JOINERS:
        return character
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
