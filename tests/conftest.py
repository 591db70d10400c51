"""What the tests of several floors share: a small run to build on, and the command line."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from workbench.engine.commands import scripted
from workbench.engine.trainer import Trainer, Until
from workbench.run.run import Run, new_trainer
from workbench.session.preset import Preset, parse_preset
from workbench.session.session import Session

settings.register_profile("same every time", derandomize=True, deadline=None, database=None)
settings.load_profile("same every time")

for each in {"SIGHUP", "SIGINT", "SIGQUIT"} & set(dir(signal)):
    # Under nohup, or behind a shell's `&`, some are ignored, also by all that is started from here; with a handler they are not.
    if signal.getsignal(number := getattr(signal, each)) is signal.SIG_IGN:
        signal.signal(number, lambda *_: None)

NUMBERS = itertools.count()
SMALL: Mapping[str, Any] = {
    "data": {"source": "gaussians", "examples": 90, "classes": 3, "noise": 0.3},
    "network": {"hidden": [6, 5]},
    "training": {"batch_size": 8, "learning_rate": 0.01},
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="run the long tests as well")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--soak"):
        for item in items:
            if item.get_closest_marker("soak"):
                item.add_marker(pytest.mark.skip(reason="long; --soak runs it"))


@pytest.fixture(autouse=True, scope="session")
def crash_reports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Crash reports of what is tested go here, not among the user's."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("state")
        patch.setenv("XDG_STATE_HOME", str(folder))
        patch.delenv("WORKBENCH_SESSIONS", raising=False)
        yield folder


@pytest.fixture(autouse=True)
def config_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Each test is a user without files of their own: the folder is not there before something is written to it."""
    folder = tmp_path_factory.getbasetemp() / f"config-{next(NUMBERS)}"
    monkeypatch.setenv("WORKBENCH_CONFIG", str(folder))
    return folder


@pytest.fixture
def make_preset() -> Callable[..., Preset]:
    """A small problem with any settings changed: 54 train examples, so 7 steps of at most 8 an epoch."""

    def make(**changes: Any) -> Preset:
        preset = parse_preset(SMALL, "small.toml", "small")
        for name, value in changes.items():
            preset = preset.with_value(name, value)
        assert not preset.conflicts()
        return preset

    return make


@pytest.fixture
def make_trainer(make_preset: Callable[..., Preset]) -> Callable[..., Trainer]:
    def make(seed: int = 1, **changes: Any) -> Trainer:
        return new_trainer(Session(preset=make_preset(**changes), seed=seed))

    return make


@pytest.fixture
def make_session(make_preset: Callable[..., Preset], tmp_path: Path) -> Callable[..., Session]:
    """A session that was trained and saved, as `recorded.toml` in `tmp_path`."""

    def make(steps: int, edits: Iterable[tuple[int, str, object]] = (), seed: int = 1, **changes: Any) -> Session:
        run = Run(Session(preset=make_preset(**changes), seed=seed))
        for _ in run.events(scripted(edits), lambda: False, Until(steps=steps)):
            pass
        return run.save(tmp_path / "recorded.toml")

    return make


@pytest.fixture
def workbench(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The real command in a real process, in `tmp_path`."""

    def call(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-P", "-m", "workbench", *map(str, arguments)],
            cwd=tmp_path, env={**os.environ, **environment}, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
            check=False,
        )  # fmt: skip

    return call
