"""`workbench replay`: whether a session is the same again, and from where on it is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.commands.printed import Command, json_of


@pytest.mark.usefixtures("saved")
def test_a_replay_says_through_which_step_it_is_identical(workbench: Command):
    said = json_of(workbench("replay", "runs/mine.toml", "--json"))
    branches = {"main": {"identical": True, "through_step": 12}}
    assert said == {"identical": True, "through_step": 12, "first_difference": None, "branches": branches}
    done = workbench("replay", "runs/mine.toml")
    assert (done.returncode, done.stdout, done.stderr) == (0, "bit-identical through step 12\n", "")


def test_a_replay_that_differs_fails_and_says_where(workbench: Command, saved: Path):
    saved.write_text(saved.read_text().replace("new = 0.02", "new = 0.03"))
    said = json_of(workbench("replay", "runs/mine.toml", "--json"), 1)
    branches = {"main": {"identical": False, "through_step": 5}}
    assert said == {"identical": False, "through_step": 5, "first_difference": 6, "branches": branches}
    done = workbench("replay", "runs/mine.toml")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("differs at step 6: ")
