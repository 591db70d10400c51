"""Whatever is pressed, clicked or dragged, in whatever order: nothing is raised, and the app answers."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from driving import Open
from fed import FedApp
from monkey import Monkey

SOME, MANY = 100, 1000
soak = pytest.mark.soak
runs = pytest.mark.parametrize(("seed", "inputs"), [(1, SOME), *(pytest.param(seed, MANY, marks=soak) for seed in range(2, 28))])


@runs
async def test_on_a_run_that_stands(presets: Path, sessions: Path, seed: int, inputs: int):
    dice = random.Random(seed)
    while inputs > 0:
        async with FedApp(sessions, presets / "clouds.toml").run_test(size=(120, 40), notifications=True) as pilot:
            monkey = Monkey(pilot, dice)
            await monkey.play(inputs)
        inputs -= monkey.inputs


@runs
async def test_on_a_run_that_trains(workbench_app: Open, presets: Path, seed: int, inputs: int):
    dice = random.Random(1000 + seed)
    while inputs > 0:
        async with workbench_app(presets / "clouds.toml") as it:
            monkey = Monkey(it.pilot, dice)
            await monkey.play(inputs)
        inputs -= monkey.inputs
