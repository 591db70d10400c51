"""Styled text that is safe to show, and what shows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from rich.console import JustifyMethod, OverflowMethod
from rich.segment import Segment
from rich.style import Style, StyleType
from rich.text import Text as RichText
from textual import widgets

from workbench.files.text import clean, clean_lines


class Text(RichText):
    """Rich's `Text` of which every part is escaped as it comes in; line feeds stay. It is never read as markup."""

    def __init__(
        self, text: str = "", style: StyleType = "", *, justify: JustifyMethod | None = None,
        overflow: OverflowMethod | None = None, no_wrap: bool | None = None,
    ) -> None:  # fmt: skip
        super().__init__(_safe(text), style, justify=justify, overflow=overflow, no_wrap=no_wrap)

    @classmethod
    def assemble(cls, *parts: str | RichText | tuple[str, StyleType]) -> Self:  # type: ignore[override]  # as much as is used
        """Parts, each plain or with its style."""
        text = cls()
        for part in parts:
            text.append(*part) if isinstance(part, tuple) else text.append(part)
        return text

    def append(self, text: RichText | str, style: StyleType | None = None) -> Self:
        """Add a part at the end."""
        if isinstance(text, RichText):
            return self.append_text(text)
        super().append(_safe(text), style)
        return self

    def append_text(self, text: RichText) -> Self:
        """Add a text with its styles; one of Rich's own that is not safe loses them."""
        safe = _safe(text.plain)
        if safe == text.plain:
            super().append_text(text)
        else:
            super().append(safe)
        return self

    def copy(self) -> Self:
        """The same again."""
        same = type(self)(self.plain, self.style, justify=self.justify, overflow=self.overflow, no_wrap=self.no_wrap)
        same.spans = self.spans
        return same

    def lines(self) -> list[Self]:
        """Line by line."""
        return [type(self)().append_text(line) for line in self.split("\n")]

    def overwrite(self, characters: Mapping[int, str]) -> None:
        """Other characters at these places, in the same style."""
        plain = list(self.plain)
        for place, character in characters.items():
            plain[place] = clean(character)[:1]
        self.plain = "".join(plain)


def _safe(text: str) -> str:
    return text if text.isprintable() else clean_lines(text, None)


class Static(widgets.Static):
    """Shows a text."""

    def __init__(self, text: Text | None = None, *, id: str | None = None) -> None:
        super().__init__(text or Text(), id=id)

    def update(self, text: Text) -> None:  # type: ignore[override]  # narrower, as all here
        """Show this from now on."""
        super().update(text)


def segment(text: str, style: Style) -> Segment:
    """A piece of a line that a widget draws by itself."""
    return Segment(_safe(text).replace("\n", " "), style)
