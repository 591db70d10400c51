"""What a command prints: lines that are safe for a terminal, on standard output and standard error, and JSON.

No command prints by any other way.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Mapping

import click

from workbench.files.text import SafeText


def say(text: SafeText) -> None:
    """On standard output."""
    click.echo(text)


def complain(text: SafeText) -> None:
    """On standard error, in the name of the program, as long as somebody is there: after a hang-up nobody may be."""
    with contextlib.suppress(OSError):
        click.echo(f"workbench: {text}", err=True)


def last_words(text: SafeText) -> None:
    """On standard error, by a thread of a process that ends at once, whoever holds the streams."""
    with contextlib.suppress(OSError):
        if os.isatty(1):
            os.write(1, b"\x1b[?25h\n")  # the cursor, which the bar has hidden
    with contextlib.suppress(OSError):
        os.write(2, f"workbench: {text}\n".encode())


def rewrite(text: SafeText) -> None:
    """The last line of standard error, which is a terminal, anew; nothing leaves it empty."""
    with contextlib.suppress(OSError):
        click.echo(f"\r{text}\x1b[K", err=True, nl=False)


def print_json(figures: Mapping[str, object]) -> None:
    """One JSON object on one line, in ASCII: what a terminal would obey is escaped."""
    click.echo(json.dumps(figures))


def json_number(x: float) -> float | None:
    """JSON has no NaN and no infinity: null says that there is no number."""
    return x if math.isfinite(x) else None
