from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.engine.commands import SetHyperparameter, scripted
from workbench.engine.events import EpochEnded, StepTaken
from workbench.engine.trainer import Trainer, Until
from workbench.run.run import new_trainer
from workbench.session.preset import parse_preset
from workbench.session.session import Session


def small(batch_norm: bool, batch_size: int) -> Trainer:
    """27 train examples."""
    table = {
        "data": {"source": "circles", "examples": 45},
        "network": {"hidden": [3], "batch_norm": batch_norm},
        "training": {"batch_size": batch_size},
    }
    return new_trainer(Session(preset=parse_preset(table, "b.toml", "b"), seed=1))


@given(st.booleans(), st.integers(2, 30), st.lists(st.tuples(st.integers(0, 6), st.integers(2, 40)), max_size=4))
def test_each_example_comes_once_an_epoch_however_the_batch_size_is_edited(
    batch_norm: bool, batch_size: int, edits: list[tuple[int, int]]
):
    trainer = small(batch_norm, batch_size)
    timeline = sorted((step, "batch_size", value) for step, value in edits)
    rows: list[int] = []
    for event in trainer.run(scripted(timeline), Until(epochs=3)):
        if isinstance(event, StepTaken):
            taken = trainer.state.batches.last_indices.tolist()
            assert len(taken) > (1 if batch_norm else 0)
            rows += taken
        if isinstance(event, EpochEnded):
            assert sorted(rows) == list(range(27))
            rows.clear()
    assert not rows


@pytest.mark.parametrize(
    ("batch_norm", "batch_size", "lengths"),
    [(True, 13, [13, 14]), (False, 13, [13, 13, 1]), (True, 26, [27]), (False, 26, [26, 1]), (True, 12, [12, 12, 3])],
)
def test_with_batch_norm_a_last_example_alone_joins_the_mini_batch_before(batch_norm: bool, batch_size: int, lengths: list[int]):
    assert lengths_of(small(batch_norm, batch_size)) == lengths


def test_a_batch_size_edited_in_the_middle_of_an_epoch_holds_from_the_next_mini_batch():
    trainer = small(True, 4)
    list(trainer.run(until=Until(steps=2)))
    trainer.apply(SetHyperparameter("batch_size", 9))
    assert lengths_of(trainer) == [9, 10]


def lengths_of(trainer: Trainer) -> list[int]:
    """Of the mini-batches to the end of the epoch."""
    events = trainer.run(until=Until(epochs=trainer.state.batches.epoch))
    return [len(trainer.state.batches.last_indices) for event in events if isinstance(event, StepTaken)]


def test_the_mean_cost_of_an_epoch_counts_examples_not_mini_batches(make_trainer: Callable[..., Trainer]):
    """Also where the mini-batches of one epoch were of different sizes by an edit."""
    trainer = make_trainer()
    costs, lengths = [], []
    for event in trainer.run(scripted([(2, "batch_size", 3), (5, "batch_size", 17)]), Until(epochs=1)):
        if isinstance(event, StepTaken):
            costs.append(event.cost)
            lengths.append(len(trainer.state.batches.last_indices))
        if isinstance(event, EpochEnded):
            assert lengths == [8, 8, 3, 3, 3, 17, 12]
            assert event.cost == pytest.approx(sum(c * n for c, n in zip(costs, lengths, strict=True)) / 54, rel=1e-12)
            return
    raise AssertionError("the epoch did not end")
