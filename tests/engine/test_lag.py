"""The lag of running statistics is one figure, however it comes to the screen."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from workbench.engine.batchnorm_inspection import measure_lags
from workbench.engine.events import Evaluated
from workbench.engine.lag import distance, log_ratio
from workbench.engine.trainer import Trainer, Until


@pytest.mark.parametrize("epsilon", [1e-5, 0.5])
def test_what_an_evaluation_tells_and_what_an_inspection_measures_are_the_same(
    make_trainer: Callable[..., Trainer], epsilon: float
):
    trainer = make_trainer(batch_norm=True, batchnorm_epsilon=epsilon, evaluate_every=9)
    events = list(trainer.run(until=Until(steps=9)))
    look = [event for event in events if isinstance(event, Evaluated)][-1]
    for lag in measure_lags(trainer.state.network):
        norm = look.layers[lag.layer - 1].batchnorm
        assert norm is not None
        np.testing.assert_array_equal(distance(norm), lag.distance)
        np.testing.assert_array_equal(log_ratio(norm), lag.log_ratio)
        expected = np.abs(norm.running_mean.astype(float) - norm.batch_mean) / np.sqrt(norm.running_var.astype(float) + epsilon)
        np.testing.assert_allclose(lag.distance, expected)
