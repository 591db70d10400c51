"""What a what-if is: forks that are typed, or in one line why they are none, and how far they are from their parent."""

from __future__ import annotations

import math

import numpy as np
import pytest

from workbench.engine.commands import SetHyperparameter
from workbench.engine.events import Finished, StepsTaken
from workbench.engine.measurements import Score
from workbench.hyperparameters import Hyperparameters
from workbench.ui.state.comparison import CannotFork, Difference, Fork, difference, over_repeats, parse_forks

TWO_LAYERS = Hyperparameters(learning_rate=0.01, keep_prob=(1.0, 0.8))


def test_forks_are_written_relative_to_what_is_in_force():
    assert parse_forks("learning_rate=/2; keep_prob.2=x0.5 l2=1e-4; -", TWO_LAYERS) == [
        (SetHyperparameter("learning_rate", 0.005),),
        (SetHyperparameter("keep_prob.2", 0.4), SetHyperparameter("l2", 1e-4)),
        (),
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("keep_prob.3=0.5", "keep_prob.3: layer 3: the network has 2 hidden layers"),
        ("keep_prob=0.5,0.6,0.7", "keep_prob: 3 values: the network has 2 hidden layers"),
        ("hidden=8", "hidden: needs a new start, so it cannot be changed in a fork"),
        ("learning_rate", "learning_rate: expected NAME=VALUE"),
        ("l2=0;l2=0", "two forks are the same"),
        (";", "0 forks: expected 1 to 8, with ; between them"),
    ],
)
def test_what_cannot_be_forked_is_refused_in_a_line(text: str, why: str):
    with pytest.raises(CannotFork) as refused:
        parse_forks(text, TWO_LAYERS)
    assert str(refused.value) == why


# -- how far forks are from their parent --------------------------------------------------------------------------------


def forked(costs: np.ndarray, penalty: float = 0.0, dev: float = 0.5) -> Fork:
    """A fork with these costs of the data, and a penalty on each and on its score."""
    fork, n = Fork(()), len(costs)
    fork.record(StepsTaken(n, 1, 1.0, costs + penalty, np.ones(n), np.ones(n), np.full(n, penalty), np.zeros(n)))
    fork.state = "training"
    fork.record(Finished(n, 1, Score.of(1.0, 0.1), Score.of(dev, 0.1, penalty), None))
    return fork


def test_forks_are_compared_by_what_they_predict_not_by_their_penalties():
    """A smaller λ makes J smaller by itself; the data cost says whether the network is better."""
    noise = np.random.default_rng(1).standard_normal(100)
    parent, fork = forked(noise, penalty=1.0), forked(noise + 0.1, penalty=0.0, dev=0.6)
    gap = difference(fork, parent)
    assert [gap.cost, gap.cost_half, gap.dev] == pytest.approx([0.1, 0.0, 0.1])


def test_the_interval_of_one_run_does_not_take_its_steps_as_independent():
    rng = np.random.default_rng(2)
    walk = np.convolve(rng.standard_normal(220), np.ones(21) / 21, "valid")
    gap = difference(forked(walk), forked(np.zeros(len(walk))))
    last = walk[len(walk) // 2 :]
    assert gap.cost_half > 2 * 1.96 * last.std(ddof=1) / math.sqrt(len(last))


def test_over_repeats_the_spread_is_that_of_the_repeats():
    gaps = [Difference(cost, 0.001, dev) for cost, dev in ((0.1, 0.2), (-0.1, 0.3), (0.3, 0.4))]
    found = over_repeats(gaps)
    assert [found.cost, found.dev, found.repeats] == pytest.approx([0.1, 0.3, 3])
    assert found.cost_half == pytest.approx(4.30 * 0.2 / math.sqrt(3))
    assert found.dev_half == pytest.approx(4.30 * 0.1 / math.sqrt(3))
