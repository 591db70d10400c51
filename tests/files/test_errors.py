from __future__ import annotations

from workbench.files.errors import suggestion


def test_suggestion_is_the_nearest_known_name_or_nothing() -> None:
    assert suggestion("momentun", ["adam", "momentum"]) == "; did you mean momentum?"
    assert suggestion("qqq", ["adam", "momentum"]) == ""
