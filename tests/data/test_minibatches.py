from __future__ import annotations

from itertools import chain, cycle, islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.data.dataset import DataError, Dataset
from workbench.data.minibatches import MiniBatches


def numbered(m: int) -> Dataset:
    """Example i is X = (i, -i), Y = (2i,)."""
    rows = np.arange(m, dtype=np.float32)[:, None]
    return Dataset(np.hstack([rows, -rows]), 2 * rows)


def batches(m: int, seed: int = 1, merge_single: bool = False) -> MiniBatches:
    return MiniBatches(numbered(m), seed, merge_single)


def rows_of(taken: tuple[np.ndarray, np.ndarray]) -> list[int]:
    X, Y = taken
    np.testing.assert_array_equal(X[:, 1], -X[:, 0])
    np.testing.assert_array_equal(Y[:, 0], 2 * X[:, 0])
    return [int(row) for row in X[:, 0]]


def epoch_of(source: MiniBatches, sizes: list[int]) -> list[list[int]]:
    """The mini-batches of one whole epoch, their sizes asked for in turn and over again."""
    taken = []
    for size in cycle(sizes):
        taken.append(rows_of(source.next_batch(size)))
        if source.epoch_done:
            return taken
    raise AssertionError


def order_of(source: MiniBatches, sizes: list[int]) -> list[int]:
    return list(chain.from_iterable(epoch_of(source, sizes)))


counts = st.integers(1, 60)
seeds = st.integers(0, 2**63 - 1)
size_lists = st.lists(st.integers(1, 80), min_size=1, max_size=10)


@given(counts, seeds, size_lists, st.booleans())
def test_every_example_comes_once_an_epoch_whatever_the_batch_sizes(m: int, seed: int, sizes: list[int], merge: bool):
    source = batches(m, seed, merge and m > 1)
    for epoch in (1, 2, 3):
        assert sorted(order_of(source, sizes)) == list(range(m))
        assert (source.epoch, source.offset) == (epoch, m)


@given(counts, seeds, size_lists, size_lists)
def test_the_order_of_an_epoch_does_not_depend_on_the_batch_sizes(m: int, seed: int, sizes: list[int], others: list[int]):
    source, other = batches(m, seed), batches(m, seed)
    for _ in range(3):
        assert order_of(source, sizes) == order_of(other, others)


@given(counts, seeds, size_lists)
def test_a_batch_is_as_large_as_asked_for_or_what_the_epoch_still_has(m: int, seed: int, sizes: list[int]):
    taken = [len(batch) for batch in epoch_of(batches(m, seed), sizes)]
    wanted = list(islice(cycle(sizes), len(taken)))
    assert taken[:-1] == wanted[:-1]
    assert taken[-1] == min(wanted[-1], m - sum(taken[:-1]))


@given(st.integers(2, 60), seeds, st.lists(st.integers(2, 80), min_size=1, max_size=10))
def test_with_merging_no_batch_is_ever_a_single_example(m: int, seed: int, sizes: list[int]):
    taken = [len(batch) for batch in epoch_of(batches(m, seed, merge_single=True), sizes)]
    assert min(taken) >= 2
    plain = [len(batch) for batch in epoch_of(batches(m, seed), sizes)]
    assert taken == ([*plain[:-2], plain[-2] + 1] if plain[-1] == 1 else plain)


def test_only_a_single_example_is_merged():
    assert [len(batch) for batch in epoch_of(batches(9, merge_single=True), [4])] == [4, 5]
    assert [len(batch) for batch in epoch_of(batches(9, merge_single=False), [4])] == [4, 4, 1]
    assert [len(batch) for batch in epoch_of(batches(10, merge_single=True), [4])] == [4, 4, 2]
    assert [len(batch) for batch in epoch_of(batches(9, merge_single=True), [8])] == [9]


def test_merging_needs_two_examples():
    with pytest.raises(DataError, match=r"^data\.examples: only 1 to train on: expected at least 2 with batch norm"):
        batches(1, merge_single=True)


@given(counts, seeds, size_lists, st.integers(0, 20))
def test_a_run_that_resumes_takes_what_an_uninterrupted_one_takes(m: int, seed: int, sizes: list[int], steps: int):
    source = batches(m, seed)
    for size in islice(cycle(sizes), steps):
        source.next_batch(size)
    resumed = batches(m, seed)
    resumed.seek(source.epoch, source.offset)
    assert (resumed.epoch, resumed.offset, resumed.epoch_done) == (source.epoch, source.offset, source.epoch_done)
    for size in islice(cycle(sizes), 5):
        assert rows_of(resumed.next_batch(size)) == rows_of(source.next_batch(size))


def test_one_can_seek_back_into_an_epoch_that_is_over():
    source = batches(10)
    first = order_of(source, [3])
    epoch_of(source, [3])
    source.seek(1, 4)
    assert rows_of(source.next_batch(3)) == first[4:7]


@given(counts, seeds, size_lists, st.integers(0, 20))
def test_a_batch_that_was_put_back_comes_again(m: int, seed: int, sizes: list[int], steps: int):
    source = batches(m, seed)
    for size in islice(cycle(sizes), steps):
        source.next_batch(size)
    before = source.epoch, source.offset, source.epoch_done
    rejected = rows_of(source.next_batch(sizes[0]))
    source.put_back()
    assert (source.epoch, source.offset, source.epoch_done) == before
    assert source.last_indices.tolist() == rejected
    assert rows_of(source.next_batch(sizes[0])) == rejected


def test_a_smaller_batch_may_be_taken_after_putting_one_back():
    source = batches(10)
    rejected = rows_of(source.next_batch(6))
    source.put_back()
    assert rows_of(source.next_batch(2)) + rows_of(source.next_batch(4)) == rejected


def test_only_a_batch_that_was_taken_can_be_put_back_and_only_once():
    source = batches(10)
    with pytest.raises(RuntimeError):
        source.put_back()
    source.next_batch(3)
    source.put_back()
    with pytest.raises(RuntimeError):
        source.put_back()
    source.next_batch(3)
    source.seek(1, 3)
    with pytest.raises(RuntimeError):
        source.put_back()


def test_the_order_is_a_function_of_seed_and_epoch():
    def order(seed: int, epoch: int) -> list[int]:
        source = batches(50, seed)
        source.seek(epoch, 0)
        return rows_of(source.next_batch(50))

    assert order(3, 2) == order(3, 2)
    orders = {tuple(order(seed, epoch)) for seed in (3, 4) for epoch in (1, 2, 10**9)}
    assert len(orders) == 6


def test_the_order_of_an_epoch_is_random():
    rows = np.array(rows_of(batches(1000).next_batch(1000)))
    assert abs(np.corrcoef(rows, np.arange(1000))[0, 1]) < 0.1


def test_the_epoch_turns_at_the_take_after_its_last_batch():
    source = batches(10)
    seen = [(source.epoch, source.offset, source.epoch_done)]
    for _ in range(4):
        source.next_batch(4)
        seen.append((source.epoch, source.offset, source.epoch_done))
    assert seen == [(1, 0, False), (1, 4, False), (1, 8, False), (1, 10, True), (2, 4, False)]


def test_progress_counts_epochs_with_their_fraction():
    source = batches(10)
    seen = [source.progress]
    for _ in range(4):
        source.next_batch(4)
        seen.append(source.progress)
    assert seen == pytest.approx([0, 0.4, 0.8, 1.0, 1.4])
    assert source.examples == 10


def test_the_rows_of_the_last_batch_are_known_and_read_only():
    source = batches(10)
    assert source.last_indices.tolist() == []
    taken = rows_of(source.next_batch(4))
    assert source.last_indices.tolist() == taken
    with pytest.raises(ValueError, match="read-only"):
        source.last_indices[0] = 0
    source.seek(1, 4)
    assert source.last_indices.tolist() == []


def test_a_batch_may_be_written_to_without_touching_the_dataset():
    dataset = numbered(10)
    source = MiniBatches(dataset, 1, False)
    X, Y = source.next_batch(10)
    X += 1000
    Y += 1000
    np.testing.assert_array_equal(dataset.X, numbered(10).X)
    np.testing.assert_array_equal(dataset.Y, numbered(10).Y)
    assert sorted(rows_of(source.next_batch(10))) == list(range(10))


def test_batches_of_the_same_size_share_their_memory():
    source = batches(100)
    (first_X, first_Y), (second_X, second_Y) = source.next_batch(30), source.next_batch(30)
    assert np.shares_memory(first_X, second_X)
    assert np.shares_memory(first_Y, second_Y)
    smaller, _ = source.next_batch(7)
    assert np.shares_memory(first_X, smaller)


def test_batches_are_float32_and_contiguous():
    for array in batches(10).next_batch(4):
        assert array.dtype == np.float32
        assert array.flags.c_contiguous


@pytest.mark.parametrize("size", [0, -1])
def test_a_batch_of_nothing_is_refused(size: int):
    source = batches(10)
    with pytest.raises(ValueError, match="expected at least 1"):
        source.next_batch(size)
    assert (source.epoch, source.offset) == (1, 0)


@pytest.mark.parametrize(("epoch", "offset"), [(0, 0), (1, -1), (1, 11), (-3, 2)])
def test_a_position_that_cannot_be_is_refused(epoch: int, offset: int):
    source = batches(10)
    source.next_batch(3)
    with pytest.raises(ValueError, match="expected an epoch from 1"):
        source.seek(epoch, offset)
    assert (source.epoch, source.offset) == (1, 3)
