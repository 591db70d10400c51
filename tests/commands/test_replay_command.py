"""`workbench replay`: whether a session is the same again, and from where on it is not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands.printed import Command, errors_of, json_of


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


def test_of_a_session_of_another_arithmetic_it_says_that_it_compares_within_a_tolerance(workbench: Command, tmp_path: Path):
    assert workbench("train", "xor", "--steps", 12, "--save", "mine.toml").returncode == 0
    path = tmp_path / "mine.toml"
    path.write_text(path.read_text().replace("\narithmetic = 2\n", "\narithmetic = 1\n"))
    done = workbench("replay", "mine.toml")
    assert done.returncode == 0
    assert "arithmetic 1, this is 2: compared within a tolerance: final costs differ by 0 of themselves" in done.stdout
    assert "differs at" not in done.stdout
    said = json_of(workbench("replay", "mine.toml", "--json"))
    assert (said["identical"], said["within_tolerance"], said["arithmetic"], said["largest_gap"]) == (False, True, 1, 0.0)


@pytest.mark.parametrize("what", ["replay", "train"])
def test_a_step_that_no_run_can_come_to_is_refused_in_one_line(workbench: Command, saved: Path, what: str):
    saved.write_text(saved.read_text().replace("step = 12\ncheckpoint", f"step = {2**63 - 1}\ncheckpoint"))
    (line,) = errors_of(workbench(what, "runs/mine.toml"))
    expected = "expected a whole number from 0 to 1,000,000,000,000"
    assert line == f"runs/mine.toml: branch[1].step: {2**63 - 1}: {expected}"


def test_steps_beyond_the_last_hash_are_not_trained_to_say_that_they_prove_nothing(workbench: Command, saved: Path):
    saved.write_text(saved.read_text().replace("step = 12\ncheckpoint", "step = 900000000\ncheckpoint"))
    said = json_of(workbench("replay", "runs/mine.toml", "--json"), 1)
    assert (said["identical"], said["through_step"], said["first_difference"]) == (False, 12, 900000000)


def test_steps_that_are_trained_again_for_long_are_told_and_can_be_interrupted(saved: Path):
    saved.write_text(saved.read_text().replace("step = 12\ncheckpoint", "step = 900000000\ncheckpoint"))
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "workbench", "train", "mine.toml", "--steps", "900000000"],
        cwd=saved.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert process.stderr is not None
    assert process.stderr.readline().startswith("workbench: trained again: step ")
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, "")
    assert errors.endswith("workbench: interrupted\n")
