from __future__ import annotations

import math
from typing import Any

import pytest

from workbench.hyperparameters import TABLE, Hyperparameters
from workbench.optim.schedules import SCHEDULES, learning_rate


def rates(h: Hyperparameters, epochs: int) -> list[float]:
    """The rate during each of the first epochs, half-way through, without warm-up."""
    return [learning_rate(h, 1000 * epoch, epoch, epoch - 0.5) for epoch in range(1, epochs + 1)]


def test_there_is_one_for_every_choice_of_the_hyperparameter() -> None:
    assert set(SCHEDULES) == set(TABLE["schedule"].choices)


def test_constant() -> None:
    assert rates(Hyperparameters(learning_rate=0.3, schedule="constant"), 3) == [0.3, 0.3, 0.3]


def test_inverse_time_of_the_course() -> None:
    h = Hyperparameters(learning_rate=0.2, schedule="inverse_time", decay_rate=1.0)
    assert [round(rate, 4) for rate in rates(h, 4)] == [0.1, 0.0667, 0.05, 0.04]


def test_exponential() -> None:
    h = Hyperparameters(learning_rate=0.2, schedule="exponential", decay_factor=0.95)
    assert rates(h, 3) == pytest.approx([0.2 * 0.95, 0.2 * 0.9025, 0.2 * 0.857375], rel=1e-14)


def test_inverse_sqrt() -> None:
    h = Hyperparameters(learning_rate=0.2, schedule="inverse_sqrt", decay_k=3.0)
    assert rates(h, 4) == pytest.approx([0.6, 0.6 / math.sqrt(2), 0.6 / math.sqrt(3), 0.3], rel=1e-14)


def test_staircase_starts_on_the_full_rate_and_steps_down_every_so_many_epochs() -> None:
    h = Hyperparameters(learning_rate=0.8, schedule="staircase", decay_factor=0.5, decay_every=3)
    assert rates(h, 8) == [0.8, 0.8, 0.8, 0.4, 0.4, 0.4, 0.2, 0.2]


@pytest.mark.parametrize("floor", [0.0, 0.1, 1.0])
def test_cosine_at_its_ends_and_in_the_middle(floor: float) -> None:
    h = Hyperparameters(learning_rate=0.4, schedule="cosine", decay_epochs=20, decay_floor=floor)
    assert learning_rate(h, 1, 1, 0.0) == pytest.approx(0.4, rel=1e-14)
    assert learning_rate(h, 50, 11, 10.0) == pytest.approx(0.4 * (1 + floor) / 2, rel=1e-14)
    assert learning_rate(h, 99, 20, 20.0) == pytest.approx(0.4 * floor, abs=1e-15)
    assert learning_rate(h, 999, 70, 70.0) == pytest.approx(0.4 * floor, abs=1e-15)


def test_cosine_falls_within_an_epoch() -> None:
    h = Hyperparameters(learning_rate=0.4, schedule="cosine", decay_epochs=2)
    falling = [learning_rate(h, 1, 1 + int(done), done) for done in (0.0, 0.25, 0.75, 1.0, 1.5, 2.0)]
    assert falling == sorted(falling, reverse=True)
    assert len(set(falling)) == len(falling)


@pytest.mark.parametrize("schedule", ["constant", "inverse_time", "exponential", "inverse_sqrt", "staircase"])
def test_the_others_change_at_epoch_boundaries_only(schedule: str) -> None:
    h = Hyperparameters(schedule=schedule, decay_every=1)
    assert learning_rate(h, 201, 3, 2.0) == learning_rate(h, 300, 3, 2.99)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_edit_of_the_base_rate_is_never_ignored(schedule: str) -> None:
    at = (25, 3, 2.5)
    rate = learning_rate(Hyperparameters(learning_rate=0.1, schedule=schedule, warmup_steps=40), *at)
    tripled = learning_rate(Hyperparameters(learning_rate=0.3, schedule=schedule, warmup_steps=40), *at)
    assert rate > 0
    assert tripled == pytest.approx(3 * rate, rel=1e-14)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_what_it_says_it_uses_is_what_changes_the_rate(schedule: str) -> None:
    edits: dict[str, Any] = {
        "decay_rate": 0.3, "decay_factor": 0.5, "decay_every": 2, "decay_k": 2.0, "decay_epochs": 7, "decay_floor": 0.5,
    }  # fmt: skip
    usual = rates(Hyperparameters(schedule=schedule), 12)
    changed = {key for key, value in edits.items() if rates(Hyperparameters(schedule=schedule, **{key: value}), 12) != usual}
    assert changed == SCHEDULES[schedule].uses


def test_warm_up_is_a_straight_line_from_nothing_to_the_full_rate() -> None:
    h = Hyperparameters(learning_rate=0.5, warmup_steps=10)
    line = [learning_rate(h, step, 1, 0.0) for step in range(1, 14)]
    assert line == pytest.approx([0.05 * step for step in range(1, 11)] + [0.5] * 3, rel=1e-14)


def test_warm_up_multiplies_the_schedule() -> None:
    h = Hyperparameters(learning_rate=0.2, schedule="inverse_time", decay_rate=1.0, warmup_steps=100)
    assert learning_rate(h, 50, 3, 2.5) == pytest.approx(0.05 / 2, rel=1e-14)
    assert learning_rate(h, 100, 3, 2.5) == pytest.approx(0.05, rel=1e-14)


def test_no_warm_up_is_the_full_rate_from_the_first_step() -> None:
    assert learning_rate(Hyperparameters(learning_rate=0.5, warmup_steps=0), 1, 1, 0.0) == 0.5
    assert learning_rate(Hyperparameters(learning_rate=0.5, warmup_steps=1), 1, 1, 0.0) == 0.5
