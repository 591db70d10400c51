"""What the commands print of files that somebody hostile has written: nothing of it that a terminal would obey."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import hostile
from tests.hostile import ALL, PIECES, obeyed
from workbench.session.preset import Preset
from workbench.session.session import Session
from workbench.session.store import read_session

Run = Callable[..., subprocess.CompletedProcess[str]]
NAME = ALL.replace("\0", "")[:300]


@pytest.fixture
def session(make_session: Callable[..., Session], tmp_path: Path) -> Path:
    folder = tmp_path / hostile.file_name(PIECES[0] + PIECES[3])
    folder.mkdir()
    (folder / f"{hostile.file_name(ALL)}.toml").write_text('format = 1\n"\\u001b[2J\\u202e" = 3\n')
    return hostile.write_session(make_session(20, [(5, "learning_rate", 0.003)]), tmp_path / "recorded.toml", folder)


@pytest.fixture
def preset(make_preset: Callable[..., Preset], tmp_path: Path) -> Path:
    return next(iter(hostile.write_presets(make_preset(), tmp_path)))


def assert_harmless(done: subprocess.CompletedProcess[str], status: int) -> None:
    assert done.returncode == status, done.stderr
    assert done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert obeyed(done.stdout) == set()
    assert obeyed(done.stderr) == set()


def test_a_hostile_session_and_its_folder(workbench: Run, session: Path):
    folder = ("--sessions", session.parent)
    assert_harmless(workbench("sessions", *folder), 0)
    assert_harmless(workbench("replay", session), 1)  # its stop was made up
    assert_harmless(workbench("train", session, "--steps", 25, "--save", session), 0)
    assert [each.note for each in read_session(session).branches] == [ALL, *PIECES[1:]]
    assert obeyed(session.read_text()) == set()
    for each in session.parent.glob("*.safetensors"):
        each.unlink()
    assert_harmless(workbench("train", session), 2)
    assert_harmless(workbench("train", session, "--branch", PIECES[3] + PIECES[0]), 2)
    assert_harmless(workbench("sessions", "--sessions", session), 2)
    assert_harmless(workbench("sessions", *folder, WORKBENCH_CONFIG=NAME), 0)


def test_json_is_in_ascii_and_tells_names_as_they_are(workbench: Run, session: Path, preset: Path):
    replayed = workbench("replay", session, "--json")
    assert_harmless(replayed, 1)
    assert replayed.stdout.isascii()
    assert set(json.loads(replayed.stdout)["branches"]) == {piece[:60] for piece in PIECES}
    trained = workbench("train", preset, "--steps", 3, "--json")
    assert_harmless(trained, 0)
    assert json.loads(trained.stdout)["preset"] == preset.stem


def test_a_hostile_preset_and_hostile_arguments(workbench: Run, preset: Path, tmp_path: Path):
    path = tmp_path / f"{hostile.file_name(ALL)}.toml"
    assert_harmless(workbench("train", preset, "--steps", 3, "--edit", "1:l2=0.1", "--save", path), 0)
    assert obeyed(path.read_text()) == set()
    assert_harmless(workbench("gradcheck", preset), 0)
    assert_harmless(workbench("keys", WORKBENCH_CONFIG=NAME), 0)
    for arguments in (
        (NAME,),
        ("train", NAME),
        (f"--{NAME}",),
        ("train", preset, "--set", NAME),
        ("train", preset, "--edit", NAME),
    ):
        assert_harmless(workbench(*arguments), 2)
    assert_harmless(workbench("train", preset, "--set", f"{NAME}={NAME}"), 2)
    assert_harmless(workbench("train", preset, "--steps", 1, "--save", f"{NAME}"), 2)
    assert_harmless(workbench("train", preset, "--steps", 1, "--save", f"{preset}/{PIECES[2]}.toml"), 1)
