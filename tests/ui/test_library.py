"""The library: what is in the folders is listed, and whatever is written in the files is harmless."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from driving import press, resize, seen, settle, until
from textual.pilot import Pilot
from textual.widgets import OptionList

from workbench.ui.app import WorkbenchApp
from workbench.ui.screens.library import LibraryScreen

SIZE = (120, 40)
HOSTILE = {
    "markup": "[bold red]x[/bold red] [@click=app.quit]click[/] [/] [",
    "escapes": "\x1b[2J\x1b[31mred\x1b]0;title\x07 \x9b5A \x08\x08\x7f",
    "bidi": "\u202egnp.exe\u202c \u2066abc\u2069 \u200f",
    "zalgo": "a" + "\u0301" * 60 + "b",
    "wide": "漢字" * 40 + "👩‍👩‍👧‍👦",
    "lines": "one\ntwo\r\nthree\u2028four\u2029five\tsix",
    "long": "long " * 2000,
    "empty": "",
}


@asynccontextmanager
async def library(folder: Path, size: tuple[int, int] = SIZE) -> AsyncIterator[tuple[WorkbenchApp, Pilot[Any]]]:
    app = WorkbenchApp(folder)
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: app.screen.query(OptionList) and app.screen.query_one(OptionList).option_count, "the list")
        await settle(pilot)
        yield app, pilot


def assert_harmless(text: str) -> None:
    harmful = ("Cc", "Cf", "Zl", "Zp")
    bad = {unicodedata.name(c, repr(c)) for c in text if unicodedata.category(c) in harmful and c not in "\n\u200d"}
    assert not bad


def write_preset(folder: Path, name: str, title: str, description: str) -> None:
    (folder / f"{name}.toml").write_text(tomli_w.dumps({"title": title[:200], "description": description[:4000]}))


async def go_to_each(app: WorkbenchApp, pilot: Pilot[Any]) -> AsyncIterator[str]:
    """Move down through the list, giving what is seen at each entry."""
    entries = app.screen.query_one(OptionList)
    for _ in range(entries.option_count):
        yield seen(app)
        await press(pilot, "down")


async def test_presets_come_with_their_titles_and_what_they_are_about(presets: Path, sessions: Path):
    async with library(sessions) as (app, _):
        text = seen(app)
        for part in ("clouds", "Three clouds", "diverging", "Too fast", "none yet", "Small enough to take", "gaussians", "adam"):
            assert part in text


@pytest.mark.parametrize("kind", HOSTILE)
async def test_hostile_titles_and_descriptions_are_shown_and_do_nothing(presets: Path, sessions: Path, kind: str):
    write_preset(presets, "aaa", HOSTILE[kind], f"before {HOSTILE[kind]}")
    for size in (SIZE, (80, 24), (30, 10)):
        async with library(sessions, size) as (app, pilot):
            async for text in go_to_each(app, pilot):
                assert_harmless(text)
            if size == SIZE:
                assert "before" in seen(app)
            assert app.return_code is None


async def test_markup_and_escapes_are_seen_as_they_are_written(presets: Path, sessions: Path):
    write_preset(presets, "aaa", HOSTILE["markup"], HOSTILE["escapes"] + HOSTILE["bidi"])
    async with library(sessions) as (app, _):
        text = seen(app)
        assert "[bold red]x[/bold red]" in text
        assert "\\x1b[2J" in text
        assert "\\u202e" in text


@pytest.mark.parametrize("where", ["presets", "sessions"])
async def test_hostile_names_of_files(presets: Path, sessions: Path, where: str):
    folder = presets if where == "presets" else sessions
    folder.mkdir(exist_ok=True)
    names = ["[red]x[", "\x1b[31m\u202eabc", "a\nb", "n" * 240, "漢" * 60, "' \" `$(id)`", "-rf", "..."]
    for name in names:
        write_preset(folder, name, "Hostile", "Its name is.")
    (folder / os.fsdecode(b"\xff\xfe.toml")).write_text('title = "Hostile"')
    async with library(sessions) as (app, pilot):
        async for text in go_to_each(app, pilot):
            assert_harmless(text)
            assert text.encode()  # no lone surrogate, which a terminal cannot be sent
        assert seen(app).count("Hostile") + seen(app).count("cannot be read") >= len(names)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\xff\xfe\x00", b"title = [", b'format = 99\n[preset]\n', b"[training]\nlerning_rate = 1\n", b"a" * 300_000,
        b"x = [" * 3000,
    ],
)  # fmt: skip
async def test_files_that_cannot_be_read_say_why_and_do_not_open(presets: Path, sessions: Path, content: bytes):
    sessions.mkdir()
    (sessions / "bad.toml").write_bytes(content)
    async with library(sessions) as (app, pilot):
        await press(pilot, "end")
        text = seen(app)
        assert "bad" in text
        assert_harmless(text)
        if content:
            assert "✗ cannot be read" in text
            assert "This file cannot be read" in text
            await press(pilot, "enter")
            await settle(pilot)
            assert isinstance(app.screen, LibraryScreen)


async def test_a_folder_that_is_none_is_said(presets: Path, tmp_path: Path):
    (tmp_path / "file").write_text("x")
    async with library(tmp_path / "file") as (app, pilot):
        await press(pilot, "end")
        assert "cannot be read" in seen(app)
        assert "directory" in seen(app)


async def test_without_presets_the_library_still_opens(presets: Path, sessions: Path):
    for path in presets.iterdir():
        path.unlink()
    async with library(sessions) as (app, pilot):
        assert "none found" in seen(app)
        await press(pilot, "enter", "down", "enter")
        assert isinstance(app.screen, LibraryScreen)


async def test_refresh_finds_what_was_saved_meanwhile(presets: Path, sessions: Path):
    async with library(sessions) as (app, pilot):
        assert "none yet" in seen(app)
        sessions.mkdir()
        write_preset(sessions, "found", "Come later", "")
        await press(pilot, "r")
        assert "Come later" in seen(app)
        assert "none yet" not in seen(app)


async def test_the_cursor_stays_on_its_entry_when_others_come_before_it(presets: Path, sessions: Path):
    async with library(sessions) as (app, pilot):
        await press(pilot, "down")
        entries = app.screen.query_one(OptionList)
        option = entries.highlighted_option
        assert option is not None
        assert str(option.id).endswith("diverging.toml")
        write_preset(presets, "aaa", "Before all", "")
        await press(pilot, "r")
        option = entries.highlighted_option
        assert option is not None
        assert str(option.id).endswith("diverging.toml")


async def test_hundreds_of_sessions(presets: Path, sessions: Path):
    sessions.mkdir()
    for number in range(300):
        write_preset(sessions, f"run-{number}", "One of many", "")
    async with library(sessions) as (app, pilot):
        await press(pilot, "end", "pageup", "home", "down")
        assert app.return_code is None


async def test_the_library_in_any_room(presets: Path, sessions: Path):
    async with library(sessions) as (app, pilot):
        for width in (1, 7, 25, 200):
            for height in (1, 4, 60):
                await resize(pilot, width, height)
                await press(pilot, "down", "up", "?", "escape")
        await resize(pilot, *SIZE)
        assert "Three clouds" in seen(app)
