"""What is written as TOML is read back as it was, and is harmless to look at."""

from __future__ import annotations

import unicodedata

import pytest
import tomli
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.files.toml import write_keys

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


@settings(derandomize=True, deadline=None)
@given(ANY_TEXT)
def test_any_text_comes_back_and_no_terminal_obeys_the_file(text: str):
    written = write_keys({"k": text})
    assert tomli.loads(written) == {"k": text}
    (line,) = written.split("\n")[:-1]
    obeyed = {each for each in line if unicodedata.category(each) in ("Cc", "Cf", "Zl", "Zp")}
    assert obeyed <= set("\u200c\u200d"), "only what joins letters"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("α, 日本 and 👩‍🔬 stay as they are", 'k = "α, 日本 and 👩‍🔬 stay as they are"\n'),
        ("\x1b[2J\x00\x7f", 'k = "\\u001b[2J\\u0000\\u007f"\n'),
        ("\x9b2J\u202e\u2066\ufeff", 'k = "\\u009b2J\\u202e\\u2066\\ufeff"\n'),
        ("\U000e0041", 'k = "\\U000e0041"\n'),
        ("a\tb\nc\\u202e", 'k = "a\\tb\\nc\\\\u202e"\n'),
    ],
)
def test_what_a_terminal_would_obey_is_escaped(text: str, line: str):
    assert write_keys({"k": text}) == line
