"""What is written on the screen can be read, in the dark theme and in the light: WCAG 2.1, 1.4.3 and 1.4.11."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from driving import Driven, Open, settle
from textual.color import Color
from textual.screen import ModalScreen

from workbench.ui.state.monitor import Phase

TEXT, GRAPHICS = 4.5, 3.0
DECORATION = set("─│╭╮╰╯┌┐└┘├┤┬┴┼━┃·▁▂▃▄▅▆▇█▔▊▎▏▌▐▍▋▉▕╸╺╶╴╷╵🔎")
"""Frames, rules, grids, scroll bars, bars of histograms; raw values, which lie dimly behind their average; and a picture."""
PANELS = ("1", "2", "3", "4", "5", "6", "7", "8")
DIALOGS = {"?": "Help", "v": "Branches", "g": "Go to", "f": "What if", "a": "Learning-rate finder", "n": "Note"}


def luminance(colour: Color) -> float:
    """Relative luminance, as WCAG 2.1 defines it."""
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (each / 255 for each in (colour.r, colour.g, colour.b))
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: Color, other: Color) -> float:
    """From 1, the same, to 21, black on white."""
    lower, higher = sorted((luminance(one), luminance(other)))
    return (higher + 0.05) / (lower + 0.05)


def pieces(it: Driven) -> Iterator[tuple[str, Color, Color]]:
    """Texts of the screen on top, with their colours; what lies below a dialog is dimmed on purpose."""
    screen = it.app.screen
    for y, strip in enumerate(screen._compositor.render_strips()):
        x = 0
        for segment in strip:
            region, x = range(x, x + segment.cell_length), x + segment.cell_length
            text, style = segment.text.strip(), segment.style
            if not text or style is None or style.color is None or style.bgcolor is None:
                continue
            if isinstance(screen, ModalScreen) and any(screen.get_widget_at(at, y)[0] is screen for at in region):
                continue
            colours = Color.from_rich_color(style.color), Color.from_rich_color(style.bgcolor)
            yield (text, *(reversed(colours) if style.reverse else colours))


def too_faint(it: Driven) -> list[str]:
    found = []
    for text, front, back in pieces(it):
        least = TEXT if any(each.isalnum() for each in text) else GRAPHICS
        if set(text) - DECORATION - {" "} and contrast(front, back) < least:
            found.append(f"{text[:30]!r}: {front.hex} on {back.hex}, {contrast(front, back):.2f} : 1")
    return found


@pytest.mark.parametrize("theme", ["textual-dark", "textual-light"])
async def test_all_that_is_written_can_be_read(workbench_app: Open, presets: Path, theme: str):
    faint: dict[str, list[str]] = {}
    async with workbench_app(presets / "clouds.toml") as it:
        it.app.theme = theme
        await it.until_trained(300)
        await it.pause()
        await it.edit("learning_rate", "0.02")
        for key in PANELS:
            it.app.set_focus(None)
            await it.press(key)
            await settle(it.pilot)
            faint[f"panel {key}"] = too_faint(it)
        for key, title in DIALOGS.items():
            await it.press("tab", key)
            await it.until(lambda title=title: f"─ {title}" in it.seen, title)
            await settle(it.pilot)
            faint[title] = too_faint(it)
            await it.press("escape")
            await it.until_phase(Phase.PAUSED)
        await it.press("ctrl+p")
        await it.until_seen("Search for commands")
        faint["palette"] = too_faint(it)
        await it.press("escape")
    assert {where: found for where, found in faint.items() if found} == {}


@pytest.mark.parametrize("theme", ["textual-dark", "textual-light"])
async def test_the_library_can_be_read(workbench_app: Open, presets: Path, theme: str):
    async with workbench_app() as it:
        it.app.theme = theme
        await it.until_seen("Three clouds")
        assert too_faint(it) == []
