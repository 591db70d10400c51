"""A curve in one line of block characters."""

from __future__ import annotations

import math
from collections.abc import Sequence

BLOCKS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float], width: int) -> str:
    """The last values, at most `width` of them, from the least at the bottom to the greatest; a gap for what is not finite."""
    values = list(values)[-width:] if width > 0 else []
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return " " * width
    low, high = min(finite), max(finite)
    span = (high - low) or 1.0
    level = 0.5 if high == low else 0.0
    blocks = (
        BLOCKS[min(int(((value - low) / span + level) * len(BLOCKS)), len(BLOCKS) - 1)] if math.isfinite(value) else " "
        for value in values
    )
    return "".join(blocks).rjust(width)
