"""Pictures in characters: what is drawn is what is there, with colours and without."""

from __future__ import annotations

import numpy as np
from rich.color import Color
from rich.style import Style

from workbench.ui.widgets.picture import NEGATIVE, NOTHING, POSITIVE, ZERO, diverging, grey, half_blocks, scaled, shades


def test_two_rows_of_pixels_are_one_of_characters():
    pixels = np.arange(5 * 3 * 3, dtype=np.uint8).reshape(5, 3, 3)
    text = half_blocks(pixels)
    assert text.plain == "▀▀▀\n▀▀▀\n▀▀▀"
    first, last = text.spans[0].style, text.spans[-1].style
    assert first == Style(color=Color.from_rgb(0, 1, 2), bgcolor=Color.from_rgb(9, 10, 11))
    assert last == Style(color=Color.from_rgb(42, 43, 44)), "an odd row has nothing below it"


def test_grey_goes_from_black_to_white_and_says_what_is_not_finite():
    pixels = grey(np.array([[0.0, 0.5, 1.0, 7.0, np.nan]]), 0.0, 1.0)
    assert pixels[0].tolist() == [[0, 0, 0], [128, 128, 128], [255, 255, 255], [255, 255, 255], list(NOTHING)]
    assert grey(np.full((1, 1), 3.0), 3.0, 3.0).tolist() == [[[0, 0, 0]]]


def test_weights_are_blue_below_nought_and_orange_above():
    pixels = diverging(np.array([[-2.0, 0.0, 2.0, 1.0, np.inf]]))
    assert pixels[0][:3].tolist() == [list(NEGATIVE), list(ZERO), list(POSITIVE)]
    assert (pixels[0][3] != pixels[0][2]).any()
    assert pixels[0][4].tolist() == list(NOTHING)
    assert diverging(np.zeros((1, 1))).tolist() == [[list(ZERO)]]


def test_without_colours_there_are_shades():
    assert shades(np.array([[0.0, 1.0, np.nan]]), 0.0, 1.0) == [" @?"]
    assert shades(np.zeros((2, 2)), 0.0, 0.0) == ["  ", "  "]


def test_a_map_is_made_larger_and_smaller_by_its_nearest_places():
    values = np.array([[1, 2], [3, 4]])
    assert scaled(values, 4, 4).tolist() == [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]
    assert scaled(values, 1, 1).tolist() == [[1]]
    assert scaled(values, 2, 4).tolist() == [[1, 1, 2, 2], [3, 3, 4, 4]], "rows and columns each in their own measure"
