"""What README.md says of installing: it works where the system manages Python, and the check does the same."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LINES = re.findall(r"```sh\n(.+)\n```", (ROOT / "README.md").read_text())
"""What is to be typed at a shell: first to train, then to test."""


def words_of(script: str) -> list[str]:
    """The commands of a script without quotes, and without what only makes them quieter."""
    return [" ".join(each.replace('"', "").replace(" --quiet", "").split()) for each in re.split(r"&&|\n", script)]


def test_both_lines_make_the_environment_that_they_install_into():
    train, test = (words_of(line) for line in LINES)
    assert train == ["python3 -m venv .venv", ".venv/bin/pip install .", ".venv/bin/workbench digits"]
    assert test == ["python3 -m venv .venv", ".venv/bin/pip install -e '.[test]'", ".venv/bin/pytest -n auto"]


def test_the_check_builds_its_environment_and_tests_as_the_readme_says():
    commands = words_of((ROOT / ".ci" / "run").read_text())
    said = [each.replace(".venv", "$venv") for each in words_of(LINES[1])]
    assert [each for each in commands if each in said] == said
    assert not [each for each in commands if "pip " in each and each not in said]


@pytest.mark.soak
def test_typed_into_a_clean_copy_the_first_line_comes_to_the_command(tmp_path: Path):
    subprocess.run(["git", "clone", "--quiet", ROOT, tmp_path / "clone"], check=True, timeout=60)
    line = LINES[0].replace("workbench digits", "workbench presets")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(line, shell=True, cwd=tmp_path / "clone", env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "digits-panda" in done.stdout
