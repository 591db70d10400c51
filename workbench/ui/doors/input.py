"""Lines to type on."""

from __future__ import annotations

from typing import Literal

from textual import widgets

from workbench.files.text import SafeText, clean


class Input(widgets.Input):
    """One line. What is pasted into it is escaped as what it has to begin with was: what is seen is what it gives back."""

    def __init__(
        self, text: SafeText, *, id: str | None = None, type: Literal["text", "integer"] = "text", max_length: int,
        select_on_focus: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(text, id=id, type=type, max_length=max_length, select_on_focus=select_on_focus)

    def validate_value(self, value: str) -> str:
        """Whoever sets it."""
        return clean(value, None)

    def replace(self, text: str, start: int, end: int) -> None:
        """All that is typed or pasted; escaped here already, for the cursor to stand behind it."""
        super().replace(clean(text, None), start, end)
