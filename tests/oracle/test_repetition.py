"""The diagnosis on random runs: it names what was planted, and is silent on those that are healthy.

A few of each kind here; a hundred of each with --soak, or by `python tests/oracle/repetition.py`.
"""

from __future__ import annotations

import pytest
from planted import KINDS
from repetition import judge, verdicts

KNOWN: dict[str, tuple[int, ...]] = {
    "healthy": (9, 14),
    "α too high": (12,),
    "α too low": (0,),
    "vanishing gradients": (3, 8),
    "exploding gradients": (0, 3, 8),
    "saturated units": (6, 15),
    "identical units": (8, 9),
    "dead units": (1, 2),
    "overfitting": (5, 10),
    "underfitting": (2,),
    "mixed labels": (0,),
}
"""Seeds whose runs are quickly found."""
HELD_BACK = range(2000, 2100)
"""No threshold was tuned on these, and no figure of them was known before the rules stood.

Measured once: healthy 99, vanishing 99, underfitting 99, mixed labels 98, saturated 100, identical 98. On seeds from 1,000, which
were seen before: dead 99, exploding 100. Not measured since the rules were changed: α too high and too low, overfitting.
"""
ENOUGH = 95


@pytest.mark.parametrize(("kind", "seed"), [(kind, seed) for kind in KINDS for seed in KNOWN[kind]])
def test_the_diagnosis_is_right(kind: str, seed: int):
    verdict = judge((kind, seed))
    assert verdict.right, verdict.warnings


@pytest.mark.soak
@pytest.mark.parametrize("kind", KINDS)
def test_the_diagnosis_is_right_95_times_of_100(kind: str):
    found = list(verdicts([kind], HELD_BACK))
    wrong = {each.seed: each.warnings for each in found if not each.right}
    assert len(found) - len(wrong) >= ENOUGH, wrong
