"""What the tests of the screens share: a folder of presets in the place of the shipped ones, and one for sessions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from driving import PATIENCE_SECONDS, SIZE, Driven, Open
from textual.drivers.headless_driver import HeadlessDriver

from workbench.session.opening import read_either
from workbench.ui.app import WorkbenchApp
from workbench.ui.screens.training import TrainingScreen
from workbench.ui.widgets.editor import Editor

# Trains until it is told to stop, and evaluates often enough to have something to show.
RUNNING = """
title = "Three clouds"
description = "Small enough to take thousands of steps a second."
[data]
source = "gaussians"
examples = 90
[network]
hidden = [6, 5]
batch_norm = true
[training]
batch_size = 8
learning_rate = 0.01
epochs = 1000000
evaluate_every = 500
"""
DIVERGING = """
title = "Too fast"
description = "The first update is beyond every float32."
[data]
source = "moons"
examples = 60
[network]
hidden = [4]
initializer_scale = 1000
[training]
optimizer = "gradient_descent"
learning_rate = 1e30
l2 = 1e6
"""


@pytest.fixture
def presets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of two presets, `clouds` and `diverging`, in the place of the shipped ones."""
    folder = tmp_path / "presets"
    folder.mkdir()
    (folder / "clouds.toml").write_text(RUNNING)
    (folder / "diverging.toml").write_text(DIVERGING)
    monkeypatch.setattr("workbench.session.preset.presets_folder", lambda: folder)
    return folder


@pytest.fixture
def sessions(tmp_path: Path) -> Path:
    """Where sessions go; not there before the first is saved."""
    return tmp_path / "sessions"


@pytest.fixture
def workbench_app(presets: Path, sessions: Path) -> Open:
    """The app on a preset or a session file, or on the library; gives a `Driven`. No engine outlives it."""

    @asynccontextmanager
    async def opened(
        path: Path | None = None, size: tuple[int, int] = SIZE, folder: Path = sessions, begins: bool = True
    ) -> AsyncIterator[Driven]:
        app = WorkbenchApp(folder, read_either(path) if path is not None else None)
        async with app.run_test(size=size, notifications=True) as pilot:
            it = Driven(app, pilot)
            if path is not None and begins:
                await it.until(lambda: isinstance(app.screen, TrainingScreen) and it.monitor.begun, "begun")
                await it.until_phase(it.monitor.phase)
                await it.until(lambda: it.training.query_one(Editor).value_of("epochs"), "the values")
            yield it
        async with asyncio.timeout(PATIENCE_SECONDS):
            while any(Path(f"/proc/{each}").exists() for each in it.engines):
                await asyncio.sleep(0.01)

    return opened


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """All that a terminal would get: the driver of tests is made one that writes."""
    pieces: list[str] = []
    monkeypatch.setattr(HeadlessDriver, "is_headless", False)
    monkeypatch.setattr(HeadlessDriver, "write", lambda self, data: pieces.append(data))
    return pieces
