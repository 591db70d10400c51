"""How steps make epochs: arithmetic on batch sizes, for whoever reckons with mini-batches and takes none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise


def steps_in(examples: int, batch_size: int, merge_single: bool) -> int:
    """How many mini-batches `examples` in a row make; with `merge_single` a last one of one example is none of its own."""
    steps = -(-examples // batch_size)
    return steps - 1 if merge_single and examples > batch_size and (examples - 1) % batch_size == 0 else steps


def steps_left(progress: float, epochs: int, examples: int, batch_size: int, merge_single: bool) -> int:
    """How many steps there are from `progress` epochs done to the end of `epochs`."""
    done = int(progress + 0.5 / examples)
    if done >= epochs:
        return 0
    rest = examples - round((progress - done) * examples)
    return steps_in(rest, batch_size, merge_single) + (epochs - done - 1) * steps_in(examples, batch_size, merge_single)


def passage(examples: int, merge_single: bool, sizes: Iterable[tuple[int, int]], step: int) -> Iterator[tuple[int, float]]:
    """Points (steps, epochs done) between which a run of `step` steps went on evenly, the start and the end among them.

    `sizes` are the batch sizes, each with the step after which it came into force; the first is 0.
    """
    changes = [*sizes, (step, 1)]
    at, epoch, offset = 0, 0, 0
    yield 0, 0.0
    for (_, size), (after, _) in pairwise(changes):
        until = min(after, step)
        while at < until:
            rest = steps_in(examples - offset, size, merge_single)
            if rest > until - at:
                offset, at = offset + (until - at) * size, until
            else:  # to the end of this epoch, or over as many whole ones as there are
                epochs = 1 if offset else (until - at) // rest
                at, epoch, offset = at + epochs * rest, epoch + epochs, 0
            yield at, epoch + offset / examples
