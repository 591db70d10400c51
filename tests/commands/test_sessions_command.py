"""`workbench sessions`, and the folder in which a session is found by its name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.commands.printed import Command, errors_of, json_of


@pytest.mark.usefixtures("saved")
def test_sessions_are_found_by_name_in_the_folder_that_the_environment_says(workbench: Command, tmp_path: Path):
    done = workbench("sessions", WORKBENCH_SESSIONS="runs")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"mine +A small one  step 12  1 edits  dev error [\d.]+%\n", done.stdout)
    assert json_of(workbench("replay", "mine", "--json", WORKBENCH_SESSIONS=str(tmp_path / "runs")))["identical"]
    assert json_of(workbench("replay", "mine", "--json", "--sessions", "runs", WORKBENCH_SESSIONS="nowhere"))["identical"]
    (line,) = errors_of(workbench("replay", "mine", "--json"))
    assert line.startswith("mine: no such preset or session")


def test_a_session_that_cannot_be_read_does_not_hide_the_others(workbench: Command, saved: Path):
    (saved.parent / "broken.toml").write_text("format = 2\nseed = \x1b[31m")
    done = workbench("sessions", "--sessions", "runs")
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["broken", "mine"]
    (saved.parent / "loop.toml").symlink_to("loop.toml")
    done = workbench("sessions", "--sessions", "runs")
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["broken", "loop", "mine"]
    assert "too many levels of symbolic links" in done.stdout
    assert "cannot be read" in done.stdout
    assert "\x1b" not in done.stdout
