from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.files.text import clean, clean_lines

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=300)
OBEYED = set(
    map(chr, [*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x2028, 0x2029])
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, even Ünïcode: α₀ 日本 👩‍🔬", "plain, even Ünïcode: α₀ 日本 👩‍🔬"),
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("\x9b2J\x7f\x00\x07", r"\x9b2J\x7f\x00\x07"),
        ("abc\u202exe.lmot", r"abc\u202exe.lmot"),
        ("\u2066\u2069\u200e\u200f\u2028\u2029\ufeff", r"\u2066\u2069\u200e\u200f\u2028\u2029\ufeff"),
        ("\U000e0041", r"\U000e0041"),
        ("lone \ud800 and \udcff", "lone \ufffd and \ufffd"),
        ("two\nlines\r\nand\ta tab", "two lines and a tab"),
        ("[bold]not markup[/", "[bold]not markup[/"),
        ("", ""),
    ],
)
def test_what_a_terminal_would_obey_becomes_visible(text: str, shown: str) -> None:
    assert clean(text) == shown


@settings(derandomize=True, deadline=None)
@given(ANY_TEXT, st.integers(1, 250))
def test_any_text_is_harmless_and_short(text: str, limit: int) -> None:
    result = clean(text, limit)
    assert not OBEYED & set(result)
    assert len(result) <= limit
    assert result.encode() or not text
    assert clean(result, limit) == result


@settings(derandomize=True, deadline=None)
@given(ANY_TEXT)
def test_lines_keep_only_their_line_feeds(text: str) -> None:
    result = clean_lines(text)
    assert not (OBEYED - {"\n"}) & set(result)
    assert result.count("\n") == text.replace("\r\n", "\n").count("\n")


def test_what_is_cut_off_shows() -> None:
    assert clean("x" * 10, 10) == "x" * 10
    assert clean("x" * 11, 10) == "x" * 9 + "…"
    assert clean("\r\n" * 10, 11) == " " * 6 + "…"
    assert clean("\x1b" * 10_000) == (r"\x1b" * 50)[:199] + "…"
    assert clean_lines("a\n" * 10_000, 5) == "a\na\n…"
