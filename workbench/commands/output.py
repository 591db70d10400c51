"""What `--json` prints."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

import click


def print_json(figures: Mapping[str, object]) -> None:
    """One JSON object on one line."""
    click.echo(json.dumps(figures))


def json_number(x: float) -> float | None:
    """JSON has no NaN and no infinity: null says that there is no number."""
    return x if math.isfinite(x) else None
