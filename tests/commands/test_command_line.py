"""The command `workbench` itself: which of its commands an argument means, its version and its help."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.commands.printed import Command, errors_of
from workbench.commands.cli import COMMANDS


def test_the_app_needs_a_terminal(workbench: Command):
    for arguments in ((), ("digits",)):
        assert errors_of(workbench(*arguments)) == ["the app needs a terminal; `workbench train` runs without one"]
    (line,) = errors_of(workbench("digist"))
    assert line.startswith("digist: no such preset or session; did you mean digits?")


def test_the_value_of_an_option_of_the_app_is_no_command(workbench: Command):
    for arguments in (("--sessions", "train", "digits"), ("--autosave", 5, "--sessions", "presets", "--snapshots", 3)):
        assert errors_of(workbench(*arguments)) == ["the app needs a terminal; `workbench train` runs without one"]


def test_it_says_its_version_and_how_it_is_used(workbench: Command):
    assert re.fullmatch(r"workbench, version \d+\.\d+\.\d+\S*\n", workbench("--version").stdout)
    for arguments in (("--help",), ("train", "-h")):
        done = workbench(*arguments)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("Usage: workbench")


@pytest.mark.parametrize("arguments", [["--version"], ["presets", "--help"]], ids=" ".join)
def test_no_command_is_loaded_but_the_one_that_is_called(arguments: list[str]):
    code = """
import sys
from workbench.__main__ import main
try:
    main()
finally:
    print(*sorted(name for name in sys.modules if name.startswith("workbench.commands.")), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-P", "-c", code, *arguments], capture_output=True, text=True, timeout=60, check=False)
    loaded = {name.removeprefix("workbench.commands.") for name in done.stderr.splitlines()[-1].split()}
    assert loaded & set(COMMANDS) == set(arguments) & set(COMMANDS)


def test_every_command_is_listed_and_has_its_own_help(workbench: Command):
    listed = re.findall(r"^  (\w+)  +\S", workbench("--help").stdout.partition("Commands:")[2], re.MULTILINE)
    assert listed == [name for name in COMMANDS if name != "open"]
    for name in COMMANDS:
        done = workbench(name, "--help")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(f"Usage: workbench {name} ")
