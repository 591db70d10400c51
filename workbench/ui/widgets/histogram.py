"""Histograms in block characters."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BLOCKS = " ▁▂▃▄▅▆▇█"


def histogram_lines(counts: NDArray[np.integer], low: float, high: float, width: int, height: int) -> list[str]:
    """`height` lines of bars, then one with the ends of the axis, each `width` wide. Counts that are not 0 show at least ▁."""
    edges = np.unique(np.arange(width) * len(counts) // width)
    bars = np.add.reduceat(counts, edges)
    bars = np.repeat(bars, np.diff(np.append(edges * width // len(counts), width)))[:width]
    tallest = max(int(bars.max(initial=0)), 1)
    eighths = np.ceil(bars * (8 * height) / tallest).astype(int)
    lines = []
    for row in range(height - 1, -1, -1):
        lines.append("".join(BLOCKS[min(max(int(each) - 8 * row, 0), 8)] for each in eighths).ljust(width))
    left, right = f"{low:.3g}", f"{high:.3g}"
    gap = width - len(left) - len(right)
    lines.append(left + " " * gap + right if gap > 0 else " " * width)
    return lines
