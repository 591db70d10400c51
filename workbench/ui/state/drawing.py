"""What a chart is given to draw: lines, marks and axes, as values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workbench.files.text import SafeText, literal
from workbench.ui.state.palette import Hue

_NOTHING = literal("")


@dataclass(frozen=True, slots=True)
class Line:
    """One line. `marker` is a plotext marker ("braille", "hd", or one character); `joined` draws segments between points.

    A joined line is broken where y is NaN.
    """

    x: Sequence[float]
    y: Sequence[float]
    marker: str
    hue: Hue
    joined: bool = True


@dataclass(frozen=True, slots=True)
class Mark:
    """A vertical line at `x` with a label at its top."""

    x: float
    label: SafeText


@dataclass(frozen=True, slots=True)
class Drawing:
    """All that a chart shows.

    Attributes:
        log: the y axis is logarithmic.
        powers: x are logarithms to the base of ten, and labelled as what they are the logarithms of.
        level: a horizontal line, None for none.
        empty: said where there is nothing to draw.
        gaps: at these x a value was not finite: a ✗ stands at the bottom.
        span: the ends of the x axis; None for those of the lines.
        x_name: what x counts, said below its axis where there is room.
    """

    lines: tuple[Line, ...] = ()
    marks: tuple[Mark, ...] = ()
    log: bool = False
    powers: bool = False
    level: float | None = None
    empty: SafeText = _NOTHING
    gaps: tuple[float, ...] = ()
    span: tuple[float, float] | None = None
    x_name: SafeText = _NOTHING
