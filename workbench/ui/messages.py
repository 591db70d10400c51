"""The messages of the app that cross from one part to another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:  # the first frame does not wait for what these import
    from workbench.session.opening import Opened
    from workbench.spec import Value


class Edited(Message):
    """The user wants a hyperparameter to have another value."""

    def __init__(self, name: str, value: Value) -> None:
        """`value` has passed the table's check."""
        super().__init__()
        self.name = name
        self.value = value


class Suggested(Message):
    """A hyperparameter is to be edited, and a value for it was suggested."""

    def __init__(self, name: str, value: Value) -> None:
        """The value is not applied before the user says so."""
        super().__init__()
        self.name = name
        self.value = value


class Chosen(Message):
    """The user chose a preset or a session in the library."""

    def __init__(self, opened: Opened) -> None:
        """What was chosen, read and checked."""
        super().__init__()
        self.opened = opened
