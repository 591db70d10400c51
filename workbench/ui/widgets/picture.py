"""Pictures made of characters: two pixels in one by half blocks in colour, or shades where there is no colour."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rich.color import Color
from rich.style import Style

from workbench.ui.doors.text import Text

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float64]

SHADES = " .:-=+*#%@"
NOTHING = (90, 90, 90)
"""The grey of what is not finite."""
NEGATIVE, ZERO, POSITIVE = (33, 102, 172), (247, 247, 247), (230, 159, 0)
"""Blue, white, orange: they can be told apart with every kind of colour blindness."""


def half_blocks(pixels: Pixels) -> Text:
    """Pixels (h, w, 3) as ⌈h/2⌉ lines of w characters."""
    text = Text(no_wrap=True)
    rows = len(pixels)
    for top in range(0, rows, 2):
        if top:
            text.append("\n")
        below = pixels[top + 1] if top + 1 < rows else None
        for column, pixel in enumerate(pixels[top].tolist()):
            under = Color.from_rgb(*below[column].tolist()) if below is not None else None
            text.append("▀", Style(color=Color.from_rgb(*pixel), bgcolor=under))
    return text


def grey(values: Floats, low: float, high: float) -> Pixels:
    """Values (h, w) from black at `low` to white at `high`."""
    share = np.clip((values - low) / (high - low if high > low else 1.0), 0, 1)
    return _painted(values, np.repeat((255 * np.nan_to_num(share))[..., None], 3, axis=-1))


def diverging(values: Floats) -> Pixels:
    """Values (h, w) around 0: blue below, white at 0, orange above; the largest in size has the full colour."""
    finite = np.abs(values[np.isfinite(values)])
    share = np.clip(np.nan_to_num(values / (finite.max(initial=0.0) or 1.0)), -1, 1)[..., None]
    ends = np.where(share < 0, np.array(NEGATIVE), np.array(POSITIVE))
    return _painted(values, np.array(ZERO) + np.abs(share) * (ends - np.array(ZERO)))


def _painted(values: Floats, rgb: Floats) -> Pixels:
    return np.asarray(np.where(np.isfinite(values)[..., None], rgb, NOTHING).round(), np.uint8)


def shades(values: Floats, low: float, high: float) -> list[str]:
    """Values (h, w) as lines of characters that are the darker the larger; `?` for what is not finite."""
    share = np.clip((values - low) / (high - low if high > low else 1.0), 0, 1)
    steps = np.nan_to_num(share * (len(SHADES) - 1)).round().astype(int)
    finite = np.isfinite(values)
    return [
        "".join(SHADES[step] if good else "?" for step, good in zip(row, is_good, strict=True))
        for row, is_good in zip(steps.tolist(), finite.tolist(), strict=True)
    ]


def scaled(values: NDArray[np.generic], rows: int, columns: int) -> NDArray[np.generic]:
    """The nearest of each of `rows` times `columns` places."""
    return values[np.ix_(np.arange(rows) * len(values) // rows, np.arange(columns) * values.shape[1] // columns)]
