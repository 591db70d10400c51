"""The app on a training screen without an engine: hand-made reports take its place, so that every picture is the same."""

from __future__ import annotations

from pathlib import Path

from synthetic import STEPS_PER_EPOCH, begun, evaluated, steps

from workbench.engine.events import CommandRejected, HyperparameterChanged
from workbench.runtime.greeting import greeting
from workbench.session.opening import Opened, read_either
from workbench.session.preset import Preset
from workbench.session.session import Session
from workbench.ui.app import WorkbenchApp
from workbench.ui.engine_link import EngineLink
from workbench.ui.screens.training import TrainingScreen

LAST = 400
EDITS = [
    HyperparameterChanged(120, "learning_rate", 0.003, 0.001),
    HyperparameterChanged(240, "keep_prob.2", 1.0, 0.8),
    HyperparameterChanged(240, "beta2", 0.999, 0.99),
]


class FedLink(EngineLink):
    """A run after 400 steps at 200 a second, with three edits and a refused one."""

    def start(self) -> None:  # type: ignore[override]
        monitor = self.monitor
        monitor.record(greeting(), 0.0)
        monitor.record(begun(learning_rate=0.003, epochs=60), 0.0)
        monitor.record(evaluated(0), 0.0)
        for last in range(STEPS_PER_EPOCH, LAST + 1, STEPS_PER_EPOCH):
            monitor.record(steps(last - STEPS_PER_EPOCH + 1, last), last / 200)
            monitor.record(evaluated(last), last / 200)
            for edit in EDITS:
                if edit.step == last:
                    monitor.record(edit, last / 200)
        monitor.record(CommandRejected(LAST, "batch_size", 1, "1: expected at least 2 with batch norm"), 2.0)


class FedApp(WorkbenchApp):
    """Opens a preset on a `FedLink`, and does nothing at its own pace."""

    def __init__(self, folder: Path, preset: Path) -> None:
        super().__init__(folder, read_either(preset))
        self.animation_level = "none"

    def _train(self, opened: Opened) -> None:
        assert isinstance(opened.content, Preset)
        preset = opened.content.with_value("hidden", (6, 5))  # whatever it is, the reports tell of such a network
        link = FedLink(Session(preset=preset, seed=1), self._folder / "clouds-1.toml", None)
        self.push_screen(TrainingScreen(link))
