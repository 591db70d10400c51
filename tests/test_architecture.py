"""Each floor imports only from the floors below it, and starts without what belongs to those above."""

from __future__ import annotations

import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path
from types import FunctionType

import numpy as np
import pytest
from importlinter.cli import lint_imports

import workbench
from workbench.commands.cli import COMMANDS
from workbench.protocol.reports import RateTried
from workbench.protocol.wire import LENGTH, REPORTS

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
    "workbench.session.branch": SCREEN | FILES | PROCESSES | COMMAND | {"numpy"},
    "workbench.run.run": SCREEN | COMMAND | {"asyncio", "multiprocessing"},
    "workbench.runtime.connection": SCREEN | COMMAND | {"numpy"},
    "workbench.runtime.forks": SCREEN | COMMAND | {"numpy"},
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


# What a client of the protocol does without: everything that computes, and what only those need who do.
COMPUTES = {
    "numpy", "safetensors", *SCREEN, *COMMAND,
    *(f"workbench.{floor}" for floor in ("kernels", "nn", "optim", "data", "run", "runtime", "sweeps", "model", "labs", "ui")),
    *(f"workbench.engine.{module}" for module in ("trainer", "state", "evaluation", "predictions", "history", "diagnosis")),
}  # fmt: skip
LOADED = """
import pkgutil, sys
import workbench.protocol
for module in pkgutil.walk_packages(workbench.protocol.__path__, "workbench.protocol."):
    __import__(module.name)
from workbench.protocol.hello import Hello
from workbench.protocol.reports import Arrived
from workbench.protocol.requests import GoTo
from workbench.protocol.wire import LENGTH, REPORTS, REQUESTS
from workbench.hyperparameters import TABLE, Hyperparameters
"""
THERE_AND_BACK = """
sent = Arrived(3, 1, ((0, 0.0), (3, 0.5)), Hyperparameters(keep_prob=(0.5, 1.0)), {{"l2": "so"}}, ())
for codec, message in ((REQUESTS, GoTo(3)), (REPORTS, Hello(1, "", (), (TABLE["optimizer"], TABLE["l2"]))), (REPORTS, sent)):
    assert codec.decode(codec.encode(message)[LENGTH.size:]) == message
{more}
"""


def loaded_by(code: str) -> set[str]:
    code = f"{code}\nprint(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return set(done.stdout.split())


def test_the_protocol_loads_nothing_that_computes_and_neither_does_a_message_without_arrays():
    loaded = loaded_by(LOADED + THERE_AND_BACK.format(more=""))
    assert "workbench.protocol.wire" in loaded
    assert not loaded & COMPUTES


def test_numpy_is_loaded_with_the_first_array_that_comes():
    body = REPORTS.encode(RateTried(np.ones(3), np.ones(3)))[LENGTH.size :]
    loaded = loaded_by(LOADED + THERE_AND_BACK.format(more=f"REPORTS.decode({body!r})"))
    assert loaded & COMPUTES == {"numpy"}


# Shapes --------------------------------------------------------------------------------------------------------------

MOST_METHODS, MOST_LINES = 40, 400


def methods_of(kind: type) -> set[str]:
    """What a class has of its own and from others of this project, but for what Python calls by itself."""
    ours = (each for each in kind.__mro__ if each.__module__.startswith("workbench."))
    found = (item for each in ours for item in vars(each).items())
    kinds = (FunctionType, property, classmethod, staticmethod)
    return {name for name, each in found if isinstance(each, kinds) and not re.fullmatch("__(?!init__).*__", name)}


def test_no_class_is_everything():
    modules = [each.name for each in pkgutil.walk_packages(workbench.__path__, "workbench.") if "__main__" not in each.name]
    kinds = {each for name in modules for each in vars(importlib.import_module(name)).values() if isinstance(each, type)}
    ours = [each for each in kinds if each.__module__.startswith("workbench.")]
    assert len(ours) > 200
    assert {each.__name__: len(methods_of(each)) for each in ours if len(methods_of(each)) > MOST_METHODS} == {}


def test_no_module_is_too_long_to_read():
    lengths = {path.relative_to(ROOT): len(path.read_text().splitlines()) for path in (ROOT / "workbench").rglob("*.py")}
    assert {path: lines for path, lines in lengths.items() if lines > MOST_LINES} == {}
