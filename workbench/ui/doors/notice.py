"""What is told in passing, and what is left to be read in the shell."""

from __future__ import annotations

from typing import Any

from textual.app import App
from textual.notifications import SeverityLevel
from textual.widget import Widget

from workbench.files.text import SafeText
from workbench.ui.doors.text import Text


def notify(
    teller: App[Any] | Widget, text: SafeText, *, severity: SeverityLevel = "information", timeout: float | None = None
) -> None:
    """Say it in a corner of the screen, for so many seconds."""
    teller.notify(text, severity=severity, timeout=timeout, markup=False)


def leave(app: App[Any], text: SafeText) -> None:
    """End the app; the text, if there is one, stands in the shell then."""
    app.exit(message=Text(text) if text else None)
