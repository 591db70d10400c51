"""What is typed for a what-if: forks, or in one line why it is none."""

from __future__ import annotations

import pytest

from workbench.engine.commands import SetHyperparameter
from workbench.hyperparameters import Hyperparameters
from workbench.ui.state.comparison import CannotFork, parse_forks

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
