from __future__ import annotations

from pathlib import Path

import pytest

from workbench.files.errors import InputError
from workbench.session import preset as presets
from workbench.session.format import session_to_toml
from workbench.session.opening import open_input
from workbench.session.preset import Preset
from workbench.session.session import Session


@pytest.fixture
def folder(tmp_path: Path, session: Session, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory beside shipped presets `digits`, `moons` and sessions `moons`, `moons-1`."""
    for name in ("shipped", "sessions", "cwd"):
        (tmp_path / name).mkdir()
    for name in ("digits", "moons"):
        (tmp_path / "shipped" / f"{name}.toml").write_text(f"title = '{name}'")
    for name in ("moons", "moons-1", "moons-0.5"):
        (tmp_path / "sessions" / f"{name}.toml").write_text(session_to_toml(session))
    monkeypatch.setattr(presets, "presets_folder", lambda: tmp_path / "shipped")
    monkeypatch.chdir(tmp_path / "cwd")
    return tmp_path


def test_names_and_paths(folder: Path, session: Session) -> None:
    sessions = folder / "sessions"
    for name in ("moons-1", "moons-1.toml", "moons-0.5", str(sessions / "moons-1.toml"), "../sessions/moons-1.toml"):
        opened = open_input(name, sessions)
        assert opened.content == session
        assert opened.path.is_file()
    for name in ("digits", str(folder / "shipped" / "digits.toml"), "../shipped/digits.toml"):
        opened = open_input(name, sessions)
        assert isinstance(opened.content, Preset)
        assert opened.path.samefile(folder / "shipped" / "digits.toml")


def test_a_path_comes_first_then_a_preset_then_a_session(folder: Path) -> None:
    assert isinstance(open_input("moons", folder / "sessions").content, Preset)
    assert isinstance(open_input("moons.toml", folder / "sessions").content, Session)
    (folder / "cwd" / "moons").mkdir()
    assert isinstance(open_input("moons", folder / "sessions").content, Preset)
    (folder / "cwd" / "moons-1").write_text("title = 'a file here'")
    assert isinstance(open_input("moons-1", folder / "sessions").content, Preset)


@pytest.mark.parametrize(
    ("argument", "problem"),
    [
        ("moons-2", "moons-2: no such preset or session; did you mean moons-1?; see `workbench presets`"),
        ("zzz", "zzz: no such preset or session; see `workbench presets`"),
        ("", "'': no such preset or session; see `workbench presets`"),
        ("none.toml", "none.toml: no such file"),
        ("../none", "../none: no such file"),
        ("../sessions/moons-1", "../sessions/moons-1: no such file"),
        ("../sessions", "../sessions: is a folder, not a file"),
        ("nul\0", r"nul\x00: no such preset or session; see `workbench presets`"),
    ],
)
def test_what_is_not_there_is_one_line(folder: Path, argument: str, problem: str) -> None:
    with pytest.raises(InputError) as caught:
        open_input(argument, folder / "sessions")
    assert str(caught.value) == problem


def test_nothing_is_looked_for_outside_the_folder_of_sessions(folder: Path) -> None:
    (folder / "outside.toml").write_text("title = 'x'")
    with pytest.raises(InputError):
        open_input("../outside", folder / "sessions")
    with pytest.raises(InputError):
        open_input("moons-1", folder / "no-sessions-yet")


def test_a_long_session_is_read_and_a_long_preset_is_not(folder: Path, session: Session) -> None:
    path = folder / "cwd" / "long.toml"
    path.write_text(session_to_toml(session) + "#" * 2**19)
    assert open_input("long.toml", folder).content == session
    path.write_text("title = 'x'\n" + "#" * 2**19)
    with pytest.raises(InputError, match="larger than 256 KiB"):
        open_input("long.toml", folder)


def test_a_broken_session_is_named_by_its_path(folder: Path) -> None:
    (folder / "sessions" / "moons-1.toml").write_text("format = 2\nseed = 2\n[preset]\nname = 'x'\nnetwork.hidden = 'deep'")
    with pytest.raises(InputError) as caught:
        open_input("moons-1", folder / "sessions")
    assert str(caught.value).startswith(f"{folder / 'sessions' / 'moons-1.toml'}: preset.network.hidden: 'deep': expected ")


def test_a_session_that_is_cut_off_anywhere_is_never_taken_for_a_preset(folder: Path, session: Session) -> None:
    text, path = session_to_toml(session), folder / "cwd" / "cut.toml"
    begins = text.index("[preset]")
    for length in (*range(begins), *range(begins, len(text) - 1, 97)):
        path.write_text(text[:length])
        with pytest.raises(InputError) as caught:
            open_input("cut.toml", folder)
        assert all(line.startswith("cut.toml: ") for line in caught.value.problems)
    path.write_text(text[: text.index("\n") // 2])
    with pytest.raises(InputError) as caught:
        open_input("cut.toml", folder)
    expected = "expected a preset, or a session with its format and all that follows"
    assert str(caught.value) == f"cut.toml: a session that is cut off: {expected}"
    path.write_text("")
    with pytest.raises(InputError, match=f"cut.toml: empty: {expected}"):
        open_input("cut.toml", folder)


def test_a_preset_with_a_comment_is_a_preset(folder: Path) -> None:
    (folder / "cwd" / "mine.toml").write_text("# A session of mine\ntitle = 'x'")
    assert isinstance(open_input("mine.toml", folder).content, Preset)
