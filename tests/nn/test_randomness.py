from __future__ import annotations

import numpy as np
import pytest

from workbench.randomness import Purpose, Stream, generator

BIGGEST_SEED = 2**63 - 1


def test_same_arguments_give_the_same_numbers() -> None:
    first = generator(7, Purpose.SHUFFLE, 3).standard_normal(50)
    assert np.array_equal(first, generator(7, Purpose.SHUFFLE, 3).standard_normal(50))


def test_seed_purpose_index_and_layer_each_give_other_numbers() -> None:
    places = [(7, Purpose.SHUFFLE, 3, 1), (8, Purpose.SHUFFLE, 3, 1), (7, Purpose.DROPOUT, 3, 1), (7, Purpose.SHUFFLE, 4, 1)]
    places += [(7, Purpose.SHUFFLE, 3, 2), (7, Purpose.SHUFFLE, 1, 3), (BIGGEST_SEED, Purpose.SHUFFLE, 3, 1)]
    drawn = {generator(*place).bytes(16) for place in places}
    assert len(drawn) == len(places)


def test_streams_do_not_run_into_the_next_index() -> None:
    seen = np.concatenate([generator(1, Purpose.DROPOUT, index).integers(2**63, size=1000) for index in range(20)])
    assert len(np.unique(seen)) == seen.size


@pytest.mark.parametrize("seed", [0, 1, BIGGEST_SEED])
def test_stream_at_an_index_does_not_depend_on_what_was_drawn_before(seed: int) -> None:
    stream = Stream(seed, Purpose.DROPOUT, layer=2)
    forwards = [stream.uint16(step, 101).copy() for step in (1, 2, 10**9)]
    stream.uint16(77, 4096)
    assert np.array_equal(stream.uint16(10**9, 101), forwards[2])
    assert np.array_equal(stream.uint16(1, 101), forwards[0])
    assert np.array_equal(Stream(seed, Purpose.DROPOUT, layer=2).uint16(2, 101), forwards[1])
    assert not np.array_equal(forwards[0], forwards[1])


def test_stream_of_another_layer_seed_or_purpose_is_another() -> None:
    places = [(1, Purpose.DROPOUT, 1), (1, Purpose.DROPOUT, 2), (2, Purpose.DROPOUT, 1), (1, Purpose.DATA, 1)]
    assert len({Stream(*place).uint16(5, 32).tobytes() for place in places}) == 4


def test_stream_draws_what_a_fresh_generator_at_that_place_would() -> None:
    raw = generator(9, Purpose.DROPOUT, index=12, layer=3).bit_generator.random_raw(25)
    assert np.array_equal(Stream(9, Purpose.DROPOUT, layer=3).uint16(12, 100), raw.view(np.uint16))


@pytest.mark.parametrize("size", [1, 3, 4, 5, 4096])
def test_stream_gives_as_many_words_as_asked_and_a_longer_draw_begins_with_the_shorter(size: int) -> None:
    stream = Stream(3, Purpose.DROPOUT)
    words = stream.uint16(1, size).copy()
    assert words.shape == (size,)
    assert words.dtype == np.uint16
    assert np.array_equal(stream.uint16(1, size + 9)[:size], words)


def test_stream_words_are_uniform() -> None:
    counts = np.bincount(Stream(11, Purpose.DROPOUT).uint16(1, 160_000) >> 12, minlength=16)
    # χ² with 15 degrees of freedom is below 37.7 with a probability of 0.999.
    assert ((counts - 10_000) ** 2 / 10_000).sum() < 37.7
