"""Whole runs of the engine against the same runs by PyTorch, to rounding: nothing in a step can be wrong by itself."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from cases import (
    ACTIVATIONS,
    CASES,
    GRID,
    HIDDEN,
    OPTIMIZERS,
    SCHEDULES,
    SEED,
    STEPS,
    Case,
    Trajectory,
    examples,
    first_parameters,
)

from workbench.engine.events import StepTaken
from workbench.engine.trainer import Trainer, Until
from workbench.hyperparameters import DataSettings

RECORDED = Path(__file__).parent / "trajectories.npz"
RTOL, ATOL = 1e-11, 1e-13
"""Measured: the costs of 336 runs agree within 1e-14 of themselves, parameters within 3e-12, in the median 2e-15."""
LIVE = 5
"""Every fifth run is trained by PyTorch in the tests, and all of them with --soak."""


def ours(case: Case) -> Trajectory:
    """The run by the project's own trainer."""
    data = DataSettings(dev_fraction=0.0, test_fraction=0.0)
    trainer = Trainer(examples(case.task), data, case.architecture, case.hyperparameters, SEED, dtype=np.float64)
    network = trainer.state.network
    for name, view in network.named(network.parameters).items():
        view[...] = first_parameters(case)[name]
    taken = [event for event in trainer.run(until=Until(steps=STEPS)) if isinstance(event, StepTaken)]
    running = [each[0] for pair in network.running_statistics() for each in pair]
    return Trajectory(
        np.array([event.cost for event in taken]), taken[-1].gradient_norm, network.parameters.copy(),
        np.concatenate([np.empty(0), *running]),
    )  # fmt: skip


@cache
def recorded() -> dict[Case, Trajectory]:
    """The runs by PyTorch, as they were written down."""
    with np.load(RECORDED, allow_pickle=False) as file:
        cost, norm, parameters, running = (file[name] for name in ("cost", "gradient_norm", "parameters", "running"))
    assert len(cost) == len(CASES), "record them anew: python tests/oracle/record.py"
    found, p, r = {}, 0, 0
    for case, costs, length in zip(CASES, cost, norm.tolist(), strict=True):
        own, averages = sum(each.size for each in first_parameters(case).values()), 2 * sum(HIDDEN) * case.batch_norm
        found[case] = Trajectory(costs, length, parameters[p : p + own], running[r : r + averages])
        p, r = p + own, r + averages
    assert (p, r) == (parameters.size, running.size)
    return found


def assert_same(found: Trajectory, expected: Trajectory) -> None:
    np.testing.assert_allclose(found.cost, expected.cost, rtol=RTOL)
    np.testing.assert_allclose(found.gradient_norm, expected.gradient_norm, rtol=RTOL)
    np.testing.assert_allclose(found.parameters, expected.parameters, rtol=RTOL, atol=ATOL)
    np.testing.assert_allclose(found.running, expected.running, rtol=RTOL, atol=ATOL)


def test_every_optimizer_activation_and_schedule_of_the_table_is_among_the_runs():
    assert {(each.optimizer, each.batch_norm, each.activation, each.task) for each in GRID} == {
        (optimizer, norm, activation, task)
        for optimizer in OPTIMIZERS
        for norm in (False, True)
        for activation in ACTIVATIONS
        for task in {each.task for each in GRID}
    }
    assert {(each.optimizer, each.schedule) for each in GRID} == {(o, s) for o in OPTIMIZERS for s in SCHEDULES}
    assert {(each.optimizer, each.options) for each in GRID} == {(o, n) for o in OPTIMIZERS for n in range(3)}


@pytest.mark.parametrize(
    "case",
    [pytest.param(each, id=each.name) for each in CASES],
)
def test_a_run_goes_as_it_does_by_pytorch(case: Case):
    assert_same(ours(case), recorded()[case])


@pytest.mark.parametrize("task", sorted({each.task for each in GRID}))
def test_what_was_recorded_is_what_pytorch_gives(task: str, pytestconfig: pytest.Config):
    pytest.importorskip("torch")
    from with_torch import trajectory

    chosen = CASES if pytestconfig.getoption("--soak") else CASES[::LIVE]
    for case in chosen:
        if case.task == task:
            assert_same(trajectory(case), recorded()[case])
