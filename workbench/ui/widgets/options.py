"""A list to choose from: Textual's, for which no key comes too early."""

from __future__ import annotations

import contextlib
from typing import Literal

from textual.widgets import OptionList


class Options(OptionList):
    """It may be asked to turn a page before it has been laid out, or where there is no room for a line of it."""

    def _move_page(self, direction: Literal[-1, 1]) -> None:
        with contextlib.suppress(LookupError):  # there is no page
            super()._move_page(direction)
