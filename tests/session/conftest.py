from __future__ import annotations

import numpy as np
import pytest

from workbench.engine.measurements import Score
from workbench.session.branch import Best, Branch, Edit, Mark, Result, Stop
from workbench.session.preset import Preset, parse_preset
from workbench.session.session import Environment, Session


@pytest.fixture
def preset() -> Preset:
    table = {
        "title": "Moons",
        "description": "Two half circles.",
        "data": {"source": "moons", "noise": 0.2},
        "network": {"hidden": [16, 8]},
        "training": {"learning_rate": 0.01, "keep_prob": [0.9, 0.8]},
    }
    return parse_preset(table, "moons.toml", "moons")


@pytest.fixture
def session(preset: Preset) -> Session:
    return Session(
        preset=preset,
        seed=7,
        branches=(
            Branch(
                edits=(
                    Edit(100, "learning_rate", 0.01, 0.003, "it jumps about"),
                    Edit(100, "keep_prob", (0.9, 0.8), 1.0),
                    Edit(150, "keep_prob.2", 1.0, 0.7),
                    Edit(150, "optimizer", "adam", "momentum"),
                ),
                marks=(Mark(100, "ab" * 32), Mark(200, "0f" * 32)),
                stops=(Stop(180, 4, "cost is not a number", (3, 1, 4)),),
                step=200,
                best=Best(160, 0.25),
                result=Result(200, 3, Score.of(0.1, 0.02), Score.of(float("inf"), 0.5), None),
            ),
        ),
        environment=Environment(
            workbench="0.1.0", python="3.11.7", numpy="2.4.6", blas="openblas 0.3", blas_threads=2, platform="Linux"
        ),
    )


@pytest.fixture
def tensors() -> dict[str, np.ndarray]:
    return {
        "W1": np.arange(6, dtype=np.float32).reshape(2, 3),
        "step": np.array(200, dtype=np.int64),
        "empty": np.zeros((0,), dtype=np.float64),
    }
