"""Which panels are seen, for a size of the terminal and a layout: a function of both, and no widget."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

WIDE, TALL = 104, 30
"""From this size on, a layout has room for all of its panels."""
NARROW = 72
"""Below this width, one panel at a time."""
LEAST_WIDTH, LEAST_HEIGHT = 40, 12


class Slot(IntEnum):
    """The panels: where each goes and what it is called."""

    HYPERPARAMETERS = 0
    FIRST_CHART = 1
    SECOND_CHART = 2
    LAYERS = 3
    TIMELINE = 4
    DIAGNOSIS = 5
    UNITS = 6
    MODEL = 7

    @property
    def number(self) -> int:
        """From 1: what stands before the title, and the key that goes there."""
        return int(self) + 1

    @property
    def title(self) -> str:
        """On the border, in the palette and in help."""
        return _CALLED[self][0]

    @property
    def tab(self) -> str:
        """On a tab, where there is little room."""
        return _CALLED[self][1]


_CALLED: dict[Slot, tuple[str, str]] = {
    Slot.HYPERPARAMETERS: ("Hyperparameters", "Hyper"),
    Slot.FIRST_CHART: ("Cost", "Chart"),
    Slot.SECOND_CHART: ("Error", "Chart"),
    Slot.LAYERS: ("Batch norm and layers", "Layers"),
    Slot.TIMELINE: ("Timeline", "Time"),
    Slot.DIAGNOSIS: ("Diagnosis", "Diagn"),
    Slot.UNITS: ("Batch norm", "Norm"),
    Slot.MODEL: ("Model", "Model"),
}

LEFT = (Slot.HYPERPARAMETERS, Slot.TIMELINE, Slot.DIAGNOSIS)
RIGHT = (Slot.FIRST_CHART, Slot.SECOND_CHART, Slot.LAYERS, Slot.UNITS, Slot.MODEL)
LOWER_LEFT = (Slot.DIAGNOSIS, Slot.TIMELINE)
LOWER_RIGHT = (Slot.LAYERS, Slot.UNITS, Slot.MODEL)
LAYOUTS: dict[str, frozenset[Slot]] = {
    "panda": frozenset({Slot.HYPERPARAMETERS, Slot.TIMELINE, Slot.FIRST_CHART, Slot.SECOND_CHART, Slot.LAYERS}),
    "batch norm": frozenset({Slot.HYPERPARAMETERS, Slot.DIAGNOSIS, Slot.FIRST_CHART, Slot.UNITS}),
    "diagnosis": frozenset({Slot.HYPERPARAMETERS, Slot.DIAGNOSIS, Slot.FIRST_CHART, Slot.SECOND_CHART, Slot.MODEL}),
    "minimal": frozenset({Slot.FIRST_CHART}),
}
ABOUT = {
    "panda": "hyperparameters, two charts, layers, timeline: to babysit one model",
    "batch norm": "the inspector, unit by unit, under one chart",
    "diagnosis": "findings, two charts, and what the model sees",
    "minimal": "one chart",
}


@dataclass(frozen=True, slots=True)
class Arrangement:
    """What is seen.

    Attributes:
        shown: the panels.
        name: `wide`, `compact`, `narrow`, or `tiny` where there is room for nothing.
    """

    shown: frozenset[Slot]
    name: str


@dataclass(frozen=True, slots=True)
class Last:
    """Which panel was last looked at: of the lower left ones, of the lower right ones, and of the whole right side."""

    lower_left: Slot = Slot.TIMELINE
    lower_right: Slot = Slot.LAYERS
    right: Slot = Slot.FIRST_CHART

    def at(self, panel: Slot) -> Last:
        """The same when `panel` is looked at."""
        return Last(
            panel if panel in LOWER_LEFT else self.lower_left,
            panel if panel in LOWER_RIGHT else self.lower_right,
            panel if panel in RIGHT else self.right,
        )

    def within(self, layout: str) -> Last:
        """The same where a layout has been chosen, with its own panels."""
        last = self
        for place in LAYOUTS[layout] & {*LOWER_LEFT, *LOWER_RIGHT}:
            last = last.at(place)
        return Last(last.lower_left, last.lower_right, self.right)


def arrange(width: int, height: int, layout: str, panel: Slot, last: Last, zoomed: bool) -> Arrangement:
    """The panels for a terminal of this size, among them `panel`, the present one."""
    if width < LEAST_WIDTH or height < LEAST_HEIGHT:
        return Arrangement(frozenset(), "tiny")
    if zoomed or width < NARROW:
        return Arrangement(frozenset({panel}), "narrow")
    if width < WIDE or height < TALL:
        left = panel if panel in LEFT else Slot.HYPERPARAMETERS
        return Arrangement(frozenset({left, panel if panel in RIGHT else last.right}), "compact")
    shown = LAYOUTS[layout] | {panel}
    for corner, chosen in ((LOWER_LEFT, last.lower_left), (LOWER_RIGHT, last.lower_right)):
        if shown & set(corner):
            shown = shown - set(corner) | {panel if panel in corner else chosen}
    return Arrangement(shown, "wide")
