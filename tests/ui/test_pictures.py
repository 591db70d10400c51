"""How the screens look, against pictures that a person has approved (`pytest --snapshot-update` takes new ones)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from driving import press, settle
from fed import FedApp
from textual.pilot import Pilot

from workbench.engine.events import Diverged, Finished
from workbench.engine.measurements import Score
from workbench.protocol.reports import Paused
from workbench.ui.app import WorkbenchApp
from workbench.ui.screens.training import TrainingScreen
from workbench.ui.widgets.editor import Editor

SIZES = [(120, 40), (80, 24)]
Compare = Callable[..., bool]
Before = Callable[[Pilot[Any]], Awaitable[None]]


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(presets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths on the screen are relative, so that they are the same everywhere."""
    monkeypatch.chdir(presets.parent)
    monkeypatch.setattr("workbench.session.preset.presets_folder", lambda: Path("presets"))


def after(*keys: str, reports: tuple[object, ...] = (), at: str = "") -> Before:
    """Fold in reports, put the cursor on a hyperparameter and press keys; then every panel is up to date."""

    async def run(pilot: Pilot[Any]) -> None:
        await pilot.pause()
        screen = pilot.app.screen
        if isinstance(screen, TrainingScreen):
            screen.redraw()  # an editor that knows no values takes no keys
            for report in reports:
                screen.monitor.record(report, 2.0)  # type: ignore[arg-type]
            if at:
                screen.query_one(Editor).go_to(at)
        await press(pilot, *keys)
        if isinstance(screen, TrainingScreen):
            await settle(pilot)
            screen.redraw()
        await pilot.pause()

    return run


def fed() -> FedApp:
    return FedApp(Path("sessions"), Path("presets/clouds.toml"))


@pytest.mark.parametrize("size", SIZES)
def test_library(snap_compare: Compare, size: tuple[int, int]) -> None:
    app = WorkbenchApp(Path("sessions"))
    assert snap_compare(app, terminal_size=size, run_before=after())


@pytest.mark.parametrize("size", SIZES)
def test_training(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(fed(), terminal_size=size, run_before=after())


@pytest.mark.parametrize("size", SIZES)
def test_help(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(fed(), terminal_size=size, run_before=after("?"))


@pytest.mark.parametrize("panel", [2, 3, 4])
def test_the_other_panels_at_80_columns(snap_compare: Compare, panel: int) -> None:
    assert snap_compare(fed(), terminal_size=(80, 24), run_before=after(*["tab"] * panel))


def test_a_draft_of_a_choice_and_gradient_norms(snap_compare: Compare) -> None:
    assert snap_compare(fed(), terminal_size=(120, 40), run_before=after("t", "t", "enter", "right", at="optimizer"))


def test_a_refused_edit(snap_compare: Compare) -> None:
    assert snap_compare(fed(), terminal_size=(80, 24), run_before=after(at="batch_size"))


@pytest.mark.parametrize("size", SIZES)
def test_diverged(snap_compare: Compare, size: tuple[int, int]) -> None:
    reports = (Diverged(401, "the cost is nan; layer 2 is the first whose output is not finite", (1, 2), 400), Paused(400))
    assert snap_compare(fed(), terminal_size=size, run_before=after("l", reports=reports))


def test_finished_and_zoomed(snap_compare: Compare) -> None:
    score = Score.of(0.05, 0.01)
    reports = (Finished(400, 20, score, score, score), Paused(400))
    assert snap_compare(fed(), terminal_size=(120, 40), run_before=after("tab", "z", reports=reports))
