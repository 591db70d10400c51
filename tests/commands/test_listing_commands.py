"""`workbench presets`, `keys` and `hyperparameters`: what there is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import tomli

from tests.commands.printed import Command


def test_presets_are_listed_one_a_line(workbench: Command):
    done = workbench("presets")
    assert (done.returncode, done.stderr) == (0, "")
    assert "digits" in [line.split()[0] for line in done.stdout.splitlines()]


def test_the_file_of_keys_that_is_printed_names_every_binding_and_changes_nothing(workbench: Command, tmp_path: Path):
    done = workbench("keys", WORKBENCH_CONFIG=str(tmp_path / "config"))
    assert (done.returncode, done.stderr) == (0, "")
    assert str(tmp_path / "config" / "keys.toml") in done.stdout.splitlines()[0]
    assert tomli.loads(done.stdout).get("keys", {}) == {}
    for name in ("training.pause", "travel.undo", "view.zoom", "chart.in", "norm.sort", "model.next"):
        assert f'"{name}"' in done.stdout


@pytest.mark.parametrize("command", ["presets", "hyperparameters", "keys"])
def test_it_is_quiet_when_nobody_reads_on(command: str):
    """`workbench presets | head -1`, with a reader that is gone for sure."""
    reading, writing = os.pipe()
    os.close(reading)
    arguments = [sys.executable, "-P", "-m", "workbench", command]
    done = subprocess.run(arguments, stdout=writing, stderr=subprocess.PIPE, timeout=60, check=False)
    os.close(writing)
    assert done.stderr == b""
