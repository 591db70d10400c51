"""Lines to type on."""

from __future__ import annotations

from typing import Literal

from textual import events, widgets
from textual.binding import Binding

from workbench.files.text import SafeText, clean

_ACTIONS = {binding.key: binding.action for binding in Binding.make_bindings(widgets.Input.BINDINGS)}


class Input(widgets.Input):
    """One line, on which no character overtakes a key that edits.

    Textual takes a character where it arrives, and looks for the action of any other key only once that has gone up to the
    app and come back. Of a burst (a slow connection, a paste without brackets) the characters would all be in before the
    first backspace.

    What is pasted into it is escaped as what it has to begin with was: what is seen is what it gives back.
    """

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

    async def on_key(self, event: events.Key) -> None:
        """Do at once what a key of the line's own does."""
        action = _ACTIONS.get(event.key)
        if action is not None and not event.is_printable:
            event.stop()
            event.prevent_default()
            await self.run_action(action)
