"""A small preset, a session trained from it, and the command in this process or another."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands.printed import SMALL, Command, Done
from workbench.__main__ import main


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    return path


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Command:
    """The command in this process, with all that stands between it and the exit status."""

    def call(*arguments: str) -> Done:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["workbench", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return Done(arguments, int(ended.value.code or 0), *capfd.readouterr())

    return call


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a preset, and a session saved after 12 steps in its folder `runs`."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "small.toml").write_text(SMALL)
    arguments = ("train", "small.toml", "--steps", "12", "--edit", "5:learning_rate=0.02", "--save", "runs/mine.toml")
    subprocess.run([sys.executable, "-P", "-m", "workbench", *arguments], cwd=folder, check=True, capture_output=True, timeout=60)
    return folder


@pytest.fixture
def saved(trained: Path, tmp_path: Path) -> Path:
    """A copy of the session, to be tampered with."""
    return Path(shutil.copytree(trained / "runs", tmp_path / "runs")) / "mine.toml"
