"""What a network is seen to see: borders the right way up, honest confusion, no confidence where there is no value."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from workbench.engine.history import RECENT, Recent
from workbench.engine.seeing import see, see_boundary
from workbench.engine.trainer import Trainer, Until

MakeTrainer = Callable[..., Trainer]


def looked(trainer: Trainer, columns: int = 40, rows: int = 30):
    with np.errstate(all="ignore"):
        return see(trainer.state.network, trainer.splits, columns, rows)


def test_the_border_is_the_right_way_up(make_trainer: MakeTrainer):
    trainer = make_trainer(hidden=())
    W, b = (trainer.state.network.named(trainer.state.network.parameters)[name] for name in ("W1", "b1"))
    W[...], b[...] = 0, 0
    W[1] = [0, 0, 50]  # class 2 above, and to the right of x = 0 below that class 1
    W[0] = [0, 5, 0]
    found = see_boundary(trainer.state.network, trainer.splits, 21, 11)
    assert set(found.classes[0].tolist()) == {2}
    assert 2 not in found.classes[-1]
    assert (found.classes[-1, 0], found.classes[-1, -1]) == (0, 1)
    assert found.confidence.min() > 1 / 3
    X = trainer.splits.train.X
    assert (found.low < X.min(axis=0)).all()
    assert (found.high > X.max(axis=0)).all()


def test_the_confusion_counts_every_example_and_agrees_with_the_error(make_trainer: MakeTrainer):
    trainer = make_trainer()
    *_, finished = trainer.run(until=Until(steps=60))
    seen = looked(trainer)
    assert seen.part == "dev"
    counts = seen.confusion.counts
    assert counts.sum() == trainer.splits.dev.examples
    assert 1 - np.trace(counts) / counts.sum() == pytest.approx(finished.dev.error)
    assert counts.sum(axis=1).tolist() == trainer.splits.dev.Y.sum(axis=0).tolist()
    assert (seen.worst.truth != seen.worst.predicted).all()
    assert (np.diff(seen.worst.confidence) <= 0).all()


def test_where_a_logit_is_not_finite_there_is_no_prediction(make_trainer: MakeTrainer):
    trainer = make_trainer()
    trainer.state.network.parameters[...] = np.nan
    seen = looked(trainer)
    assert set(seen.boundary.classes.ravel().tolist()) == {-1}
    assert np.isnan(seen.boundary.confidence).all()
    assert seen.confusion.counts.sum() == 0
    assert seen.confusion.missing == trainer.splits.dev.examples
    assert set(seen.worst.predicted.tolist()) == {-1}


def test_looking_changes_nothing(make_trainer: MakeTrainer):
    trainer = make_trainer(batch_norm=True)
    list(trainer.run(until=Until(steps=5)))
    before = trainer.state.digest()
    looked(trainer)
    assert trainer.state.digest() == before


def test_digits_are_seen_as_they_were_before_normalization(make_trainer: MakeTrainer):
    trainer = make_trainer(source="digits", examples=200, hidden=(7,))
    seen = looked(trainer)
    assert seen.image == (8, 8)
    assert seen.filters.shape == (7, 8, 8)
    assert seen.examples.X.min() == pytest.approx(0, abs=1e-5)
    assert seen.examples.X.max() == pytest.approx(1, abs=1e-5)
    assert np.allclose(np.round(seen.examples.X * 16), seen.examples.X * 16, atol=1e-3), "sixteenths"
    assert seen.boundary is None
    W = trainer.state.network.named(trainer.state.network.parameters)["W1"]
    assert seen.filters[3].ravel().tolist() == W[:, 3].astype(float).tolist()


def test_a_regression_is_seen_as_its_fit(make_trainer: MakeTrainer):
    trainer = make_trainer(source="regression", examples=120)
    *_, finished = trainer.run(until=Until(steps=200))
    seen = looked(trainer)
    assert seen.confusion is seen.boundary is seen.worst is None
    assert seen.fit.rmse == pytest.approx(finished.dev.error, rel=1e-4)
    assert seen.fit.r2 < 1


def test_the_last_steps_are_known_one_by_one():
    recent = Recent()
    assert not recent.covers(0)
    recent.extend(3, np.array([1.0, np.nan, 3.0]))
    assert recent.covers(0)
    curve = recent.curve(1, 3, 100)
    assert (curve.step.tolist(), curve.mean.tolist(), curve.bad.tolist()) == ([1.0, 3.0], [1.0, 3.0], [2.0])
    recent.extend(3 + RECENT, np.arange(RECENT, dtype=float))
    assert not recent.covers(2)
    assert recent.covers(3)
    coarse = recent.curve(0, 3 + RECENT, 10)
    assert len(coarse.step) <= 10
    assert coarse.count.sum() == RECENT
    assert (coarse.low.min(), coarse.high.max()) == (0.0, RECENT - 1.0)
    recent.extend(10, np.ones(2))  # elsewhere: what was before does not go with it
    assert recent.curve(0, 100, 5).step.tolist() == [9.0, 10.0]
