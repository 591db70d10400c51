"""What a command printed, held to the contract of the command line: where, and with which status."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

Done = subprocess.CompletedProcess[str]
Command = Callable[..., Done]

SMALL = """\
title = "A small one"

[data]
source = "gaussians"
examples = 90

[network]
hidden = [6, 5]
batch_norm = true

[training]
batch_size = 8
learning_rate = 0.01
epochs = 3
"""
NO_CONSTANT: dict[str, Any] = {"parse_constant": lambda name: pytest.fail(f"{name} is no JSON")}


def json_of(done: Done, status: int = 0) -> Any:
    """The one object on standard output, where nothing else is."""
    assert done.returncode == status, done.stderr
    assert done.stdout.count("\n") == 1
    return json.loads(done.stdout, **NO_CONSTANT)


def errors_of(done: Done, status: int = 2) -> list[str]:
    """The lines on standard error, without what each begins with."""
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert "\x1b" not in done.stderr + done.stdout
    lines = done.stderr.splitlines()
    assert all(line.startswith("workbench: ") for line in lines)
    return [line.removeprefix("workbench: ") for line in lines]
