"""How steps make epochs: the arithmetic against mini-batches that are really taken."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.data.dataset import Dataset
from workbench.data.minibatches import MiniBatches
from workbench.engine.commands import scripted
from workbench.engine.trainer import Until
from workbench.hyperparameters.epochs import passage, steps_in, steps_left
from workbench.run.run import Run
from workbench.session.branch import Place
from workbench.session.preset import Preset
from workbench.session.session import Session


def batches(examples: int, merge: bool) -> MiniBatches:
    return MiniBatches(Dataset(np.zeros((examples, 1), np.float32), np.zeros((examples, 1), np.float32)), 1, merge)


SIZES = st.lists(st.tuples(st.integers(1, 12), st.integers(1, 20)), min_size=1, max_size=4)


@settings(max_examples=150, deadline=None)
@given(st.integers(2, 40), st.booleans(), SIZES)
def test_the_passage_is_that_of_the_mini_batches(examples: int, merge: bool, plan: list[tuple[int, int]]):
    """Batch sizes that change in mid-epoch, and a last mini-batch of one example that batch norm merges."""
    taken, known, changes = batches(examples, merge), [(0, 0.0)], []
    for steps, size in plan:
        changes.append((len(known) - 1, size))
        for _ in range(steps):
            taken.next_batch(size)
            known.append((len(known), taken.progress))
    points = list(passage(examples, merge, changes, len(known) - 1))
    assert all(point in known for point in points)
    assert points[-1] == known[-1]
    knots = np.array(points)
    between = np.interp(np.arange(len(known)), knots[:, 0], knots[:, 1])
    assert np.abs(between - [epochs for _, epochs in known]).max() < 0.5  # half a last mini-batch


@settings(max_examples=150, deadline=None)
@given(st.integers(2, 40), st.booleans(), st.integers(1, 20), st.integers(1, 20), st.integers(0, 30), st.integers(1, 6))
def test_the_steps_left_are_those_that_are_taken(examples: int, merge: bool, first: int, then: int, steps: int, epochs: int):
    taken = batches(examples, merge)
    for _ in range(steps):
        taken.next_batch(first)
    left = steps_left(taken.progress if steps else 0.0, epochs, examples, then, merge)
    count = 0
    while not (taken.epoch > epochs or (taken.epoch == epochs and taken.epoch_done)):
        taken.next_batch(then)
        count += 1
    assert left == count


def test_129_examples_by_64_are_two_steps_with_batch_norm_and_three_without():
    assert (steps_in(129, 64, merge_single=True), steps_in(129, 64, merge_single=False)) == (2, 3)
    assert list(passage(129, True, [(0, 64)], 100))[-1] == (100, 50.0)


def test_a_run_tells_where_it_came_through(make_preset: Callable[..., Preset]):
    """Edits in mid-epoch, of hands and of a plan, and a journey back."""
    run = Run(Session(preset=make_preset(batch_norm=True), seed=1))
    list(run.events(scripted([(3, "batch_size", 5), (11, "batch_size", 16)]), lambda: False, Until(steps=50)))
    assert run.passage[-1] == (50, run.trainer.state.batches.progress)
    run.go_to(Place(7, 1))
    assert run.passage[-1] == (7, run.trainer.state.batches.progress)
