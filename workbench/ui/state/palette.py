"""Colours by what they are for, as they are on a dark and on a light ground.

Okabe and Ito (2008, "Color universal design") chose them so that they can be told apart with every kind of colour blindness.
On a light ground they are darker, and the yellow, which would not be seen there, is an olive. Nothing is told by colour alone:
each line has a marker of its own.
"""

from __future__ import annotations

from enum import IntEnum

Rgb = tuple[int, int, int]


class Hue(IntEnum):
    """A colour's place in the palette."""

    GREY = 0
    BLUE = 1
    ORANGE = 2
    GREEN = 3
    PURPLE = 4
    YELLOW = 5
    RED = 6
    NAVY = 7
    SILVER = 8


DARK: tuple[Rgb, ...] = (
    (150, 150, 150), (86, 180, 233), (230, 159, 0), (0, 158, 115), (204, 121, 167), (240, 228, 66), (213, 94, 0), (0, 114, 178),
    (180, 180, 180),
)  # fmt: skip
LIGHT: tuple[Rgb, ...] = (
    (90, 90, 90), (0, 105, 170), (170, 105, 0), (0, 115, 80), (160, 70, 120), (115, 105, 0), (185, 70, 0), (0, 50, 110),
    (90, 90, 90),
)  # fmt: skip
LAYERS = (Hue.BLUE, Hue.ORANGE, Hue.GREEN, Hue.PURPLE, Hue.YELLOW, Hue.RED)
BRANCHES = (Hue.RED, Hue.GREEN, Hue.PURPLE, Hue.YELLOW, Hue.NAVY, Hue.ORANGE, Hue.SILVER, Hue.BLUE)


def rgb(hue: Hue, dark: bool) -> Rgb:
    """The colour on a dark or a light ground."""
    return (DARK if dark else LIGHT)[hue]


def style(hue: Hue, dark: bool) -> str:
    """The same as a style of Rich."""
    return "rgb({},{},{})".format(*rgb(hue, dark))


def branch_hue(number: int) -> Hue:
    """The colour of the branch, or fork, of that number from 0: the same wherever it is drawn."""
    return BRANCHES[number % len(BRANCHES)]


def branch_marker(number: int) -> str:
    """Its letter, which tells it apart without colours."""
    return chr(ord("a") + number % 26)


def layer_marker(layer: int) -> str:
    """A layer's digit, or from the tenth on a letter."""
    return str(layer) if layer < 10 else chr(ord("a") + (layer - 10) % 26)


def lowered(layer: int) -> str:
    """A layer's digit as an index, for what is compared; from the tenth on ₊."""
    return chr(ord("₀") + layer) if layer < 10 else "₊"


def layer_hue(layer: int) -> Hue:
    """A layer's colour, from 1."""
    return LAYERS[(layer - 1) % len(LAYERS)]
