"""The rows of section `[data]`, and the sources of examples.

A new source is one entry of `SOURCES`, a row for each setting that only it uses, which names it, and one function in
`workbench.data.sources` that makes the examples.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from workbench.hyperparameters.rows import choice, integer, real, row
from workbench.spec import Applies, Kind, Scale

SOURCES: Mapping[str, str] = {
    "digits": "1,797 handwritten digits of 8×8 pixels (UCI, 1998), ten classes.",
    "spiral": "C arms that wind around each other; the noise is on the angle.",
    "circles": "One circle inside another, two classes.",
    "moons": "Two half circles that reach into each other.",
    "xor": "Four quadrants: class 1 where both coordinates have the same sign.",
    "gaussians": "C round clouds on a circle; the noise is their spread.",
    "regression": "A curved surface over two features, with noise on its height.",
}
"""Where examples can come from, each with what it is; the first is the default."""

_SYNTHETIC = frozenset({"spiral", "circles", "moons", "xor", "gaussians", "regression"})


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSettings:
    """Section `[data]` of a preset: which examples, how many, and how they are split."""

    source: str = choice(
        *SOURCES,
        applies=Applies.RESET,
        help="Where the examples come from: real handwritten digits (UCI), or a synthetic set made from the seed.",
    )
    examples: int = integer(
        1000,
        symbol="m",
        low=1,
        high=1_000_000,
        scale=Scale.LOG,
        applies=Applies.RESET,
        help="How many examples in all, before the split. The digits have 1,797.",
    )
    classes: int = integer(
        3,
        symbol="C",
        low=2,
        high=100,
        applies=Applies.RESET,
        sources=frozenset({"spiral", "gaussians"}),
        help="Number of classes of the spiral and the Gaussians.",
    )
    noise: float = real(
        0.1,
        low=0,
        high=100,
        increment=0.05,
        applies=Applies.RESET,
        sources=_SYNTHETIC,
        help="Standard deviation of the noise that is added to a synthetic set.",
    )
    dev_fraction: float = real(
        0.2,
        low=0,
        high=1,
        high_open=True,
        increment=0.05,
        applies=Applies.RESET,
        help="Share of the examples held out as dev set.",
    )
    test_fraction: float = real(
        0.2,
        low=0,
        high=1,
        high_open=True,
        increment=0.05,
        applies=Applies.RESET,
        help="Share held out as test set. 0 means no test set, which is allowed.",
    )
    normalize: bool = row(
        kind=Kind.FLAG,
        default=True,
        applies=Applies.RESET,
        help="Subtract μ and divide by σ of the train set, on train, dev and test alike.",
    )
