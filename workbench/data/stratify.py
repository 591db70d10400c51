"""How many of each class go to each part, in whole numbers.

Owns the rounding only; must not know what the parts are for, and draws no random number.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
Cell = tuple[int, int]


def shares(class_sizes: Counts, part_sizes: Counts) -> Counts:
    """Examples of each class (rows) for each part (columns), as nearly proportional as whole numbers can be.

    Every row adds up to its class, every column to its part, and every cell is the exact share
    class · part / m rounded up or down, so it is less than one off. Rounding each part by largest remainders alone
    cannot promise this: what two parts round up, the third loses twice. So remainders are moved around closed paths, which
    leaves all sums alone, and the larger ones win (controlled rounding: Cox 1987, "A constructive procedure for
    unbiased controlled rounding", J. Am. Stat. Assoc. 82, with largest remainders in place of his coin).

    `class_sizes` (C,) and `part_sizes` (P,) are not negative and have the same sum m ≥ 1.
    """
    m = int(class_sizes.sum())
    # In units of 1/m everything is a whole number, so nothing is lost to floating point.
    whole, rest = np.divmod(np.outer(class_sizes, part_sizes), m)
    while (path := _closed_path(rest)) is not None:
        rising, falling = path[0::2], path[1::2]
        if sum(rest[cell] for cell in rising) < sum(rest[cell] for cell in falling):
            rising, falling = falling, rising
        moved = min([m - rest[cell] for cell in rising] + [rest[cell] for cell in falling])
        for cell in rising:
            rest[cell] += moved
            whole[cell] += rest[cell] // m
            rest[cell] %= m
        for cell in falling:
            rest[cell] -= moved
    return whole


def _closed_path(rest: Counts) -> list[Cell] | None:
    """Cells with a remainder, alternately in one row and in one column, that lead back to the first; none is left: None.

    A row or column with one remainder has a second, because its remainders add up to whole numbers: the walk goes on
    until it meets a row for the second time.
    """
    rows, columns = np.nonzero(rest)
    if not len(rows):
        return None
    row, column = int(rows[0]), int(columns[0])
    path: list[Cell] = []
    entered: dict[int, int] = {}
    while row not in entered:
        entered[row] = len(path)
        leave = next(int(c) for c in np.flatnonzero(rest[row]) if c != column)
        path += [(row, column), (row, leave)]
        row, column = next(int(r) for r in np.flatnonzero(rest[:, leave]) if r != row), leave
    # Back in a row of the path, by column `column`: that cell takes the place of the one by which the path first came in.
    # Where the path left the row by the same column, the row drops out.
    loop = path[entered[row] :]
    return loop[2:] if loop[1] == (row, column) else [(row, column), *loop[1:]]
