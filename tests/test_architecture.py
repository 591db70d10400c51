"""Each floor imports only from the floors below it, and starts without what belongs to those above."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

from workbench.commands.cli import COMMANDS

ROOT = Path(__file__).parent.parent

SCREEN = {"textual", "plotext", "textual_plotext", "rich"}
FILES = {"tomli", "tomli_w", "safetensors", "msgspec", "platformdirs"}
PROCESSES = {"asyncio", "multiprocessing", "subprocess", "threadpoolctl"}
COMMAND = {"click"}
# What no module of a floor may load, in an interpreter that has loaded nothing else of ours.
WITHOUT = {
    "workbench.spec": SCREEN | FILES | PROCESSES | COMMAND | {"numpy"},
    "workbench.hyperparameters": SCREEN | FILES | PROCESSES | COMMAND | {"numpy"},
    "workbench.nn.network": SCREEN | FILES | PROCESSES | COMMAND,
    "workbench.optim.usage": SCREEN | FILES | PROCESSES | COMMAND,
    "workbench.data.splits": SCREEN | FILES | PROCESSES | COMMAND,
    "workbench.engine.trainer": SCREEN | FILES | PROCESSES | COMMAND,
    "workbench.engine.history": SCREEN | FILES | PROCESSES | COMMAND,
    "workbench.session.preset": SCREEN | PROCESSES | COMMAND | {"numpy", "safetensors", "msgspec"},
    "workbench.model.trained": SCREEN | (FILES - {"msgspec"}) | PROCESSES | COMMAND,
    "workbench.session.models": SCREEN | PROCESSES | COMMAND,
    "workbench.run.run": SCREEN | COMMAND | {"asyncio", "multiprocessing"},
    "workbench.runtime.connection": SCREEN | COMMAND,
    "workbench.runtime.__main__": SCREEN | COMMAND | {"asyncio", "multiprocessing"},
    "workbench.commands.cli": SCREEN | FILES | {"numpy", "asyncio", "multiprocessing"},
    **{f"workbench.commands.{name}": SCREEN | FILES | {"numpy", "asyncio", "multiprocessing"} for name in COMMANDS},
    "workbench.commands.headless": SCREEN | {"asyncio", "multiprocessing"},
}


def test_the_contracts_of_the_floors_are_kept(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.chdir(ROOT)
    status = lint_imports(str(ROOT / "pyproject.toml"), no_cache=True)
    assert status == 0, capsys.readouterr().out


@pytest.mark.parametrize("module", WITHOUT)
def test_a_floor_starts_without_what_belongs_to_those_above(module: str):
    code = f"import sys, {module}; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=60, check=True)
    loaded = set(done.stdout.split())
    assert "workbench" in loaded
    assert not loaded & WITHOUT[module]


def test_reading_a_session_loads_neither_the_sources_of_data_nor_what_trains():
    code = "import sys, workbench.session.store; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=60, check=True)
    loaded = set(done.stdout.split())
    assert "workbench.session.preset" in loaded
    assert not loaded & {"workbench.data.sources", "workbench.data.splits", "workbench.engine.trainer", "workbench.nn.network"}
