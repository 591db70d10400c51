"""What a network is seen to see: borders the right way up, honest confusion, no confidence where there is no value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from workbench.data.dataset import Dataset, one_hot
from workbench.engine.events import Finished
from workbench.engine.history import RECENT, Recent
from workbench.engine.measurements import Confusion
from workbench.engine.predictions import POINTS, SHOWN, boundary_of, precision, predictions_of, recall
from workbench.engine.trainer import Trainer, Until

MakeTrainer = Callable[..., Trainer]


def looked(trainer: Trainer, columns: int = 40, rows: int = 30):
    with np.errstate(all="ignore"):
        return predictions_of(trainer.state.network, trainer.splits, columns, rows)


def dev_error_after(trainer: Trainer, steps: int) -> float:
    *_, finished = trainer.run(until=Until(steps=steps))
    assert isinstance(finished, Finished)
    assert finished.dev is not None
    return finished.dev.error


def test_the_border_is_the_right_way_up(make_trainer: MakeTrainer):
    trainer = make_trainer(hidden=())
    W, b = (trainer.state.network.named(trainer.state.network.parameters)[name] for name in ("W1", "b1"))
    W[...], b[...] = 0, 0
    W[1] = [0, 0, 50]  # class 2 above, and to the right of x = 0 below that class 1
    W[0] = [0, 5, 0]
    found = boundary_of(trainer.state.network, trainer.splits, 21, 11)
    assert set(found.classes[0].tolist()) == {2}
    assert 2 not in found.classes[-1]
    assert (found.classes[-1, 0], found.classes[-1, -1]) == (0, 1)
    assert found.confidence.min() > 1 / 3
    X = trainer.splits.train.X
    assert (found.low < X.min(axis=0)).all()
    assert (found.high > X.max(axis=0)).all()


def test_the_confusion_counts_every_example_and_agrees_with_the_error(make_trainer: MakeTrainer):
    trainer = make_trainer()
    dev = trainer.splits.dev
    assert dev is not None
    error = dev_error_after(trainer, 60)
    seen = looked(trainer)
    assert seen.part == "dev"
    counts = seen.confusion.counts
    assert counts.sum() == dev.examples
    assert 1 - np.trace(counts) / counts.sum() == pytest.approx(error)
    assert counts.sum(axis=1).tolist() == dev.Y.sum(axis=0).tolist()
    assert (seen.worst.truth != seen.worst.predicted).all()
    assert (np.diff(seen.worst.confidence) <= 0).all()


def test_where_a_logit_is_not_finite_there_is_no_prediction(make_trainer: MakeTrainer):
    trainer = make_trainer()
    trainer.state.network.parameters[...] = np.nan
    seen = looked(trainer)
    assert set(seen.boundary.classes.ravel().tolist()) == {-1}
    assert np.isnan(seen.boundary.confidence).all()
    assert seen.confusion.counts.sum() == 0
    assert trainer.splits.dev is not None
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
    error = dev_error_after(trainer, 200)
    seen = looked(trainer)
    assert seen.confusion is seen.boundary is seen.worst is None
    assert seen.fit.rmse == pytest.approx(error, rel=1e-4)
    assert seen.fit.r2 < 1


def linear(trainer: Trainer, W: list[list[float]], b: list[float]) -> Trainer:
    """Without hidden layers, the logits are X @ W + b."""
    named = trainer.state.network.named(trainer.state.network.parameters)
    named["W1"][...], named["b1"][...] = W, b
    return trainer


def on_dev(trainer: Trainer, X: Sequence[Sequence[float]], Y: np.ndarray):
    """See a trainer's network on other dev examples, not normalized."""
    splits = replace(trainer.splits, dev=Dataset(np.array(X, np.float32), Y), normalization=None)
    with np.errstate(all="ignore"):
        return predictions_of(trainer.state.network, splits, 4, 3)


def test_rows_are_true_classes_and_the_worst_come_first(make_trainer: MakeTrainer):
    trainer = linear(make_trainer(hidden=()), [[1, 0, 0], [0, 1, 0]], [0, 0, 0])
    X: list[list[float]] = [[2, 0], [0, 1], [5, 0], [np.nan, 0], [0, 3]]  # predicted: 0, 1, 0, none, 1
    seen = on_dev(trainer, X, one_hot(np.array([0, 2, 2, 0, 0]), 3))
    assert seen.confusion.counts.tolist() == [[1, 1, 0], [0, 0, 0], [1, 1, 0]]
    assert seen.confusion.missing == 1
    assert seen.examples.predicted.tolist() == [0, 1, 0, -1, 1]
    assert seen.examples.truth.tolist() == [0, 2, 2, 0, 0]
    assert np.isnan(seen.examples.confidence).tolist() == [False, False, False, True, False]
    assert seen.examples.confidence[2] == pytest.approx(np.exp(5) / (np.exp(5) + 2))
    assert seen.worst.predicted.tolist() == [-1, 0, 1, 1], "without a value, then the surest of the wrong ones"
    assert seen.worst.X[1:].tolist() == [[5, 0], [0, 3], [0, 1]]


def test_recall_is_by_true_class_and_precision_by_predicted_class():
    confusion = Confusion(np.array([[3, 1, 0], [0, 4, 0], [0, 0, 0]]), missing=0)
    np.testing.assert_array_equal(recall(confusion), [0.75, 1.0, np.nan])
    np.testing.assert_array_equal(precision(confusion), [1.0, 0.8, np.nan])


def test_of_two_classes_a_positive_logit_is_the_second(make_trainer: MakeTrainer):
    trainer = linear(make_trainer(source="moons", hidden=()), [[1], [0]], [0])
    seen = on_dev(trainer, [[3, 0], [-3, 0], [3, 0], [np.inf, 0]], np.array([[1], [0], [0], [1]], np.float32))
    assert seen.confusion.counts.tolist() == [[1, 1], [0, 1]]
    assert seen.examples.predicted.tolist() == [1, 0, 1, -1], "an infinite logit is no sure second class"
    assert seen.examples.confidence[:3].tolist() == pytest.approx([1 / (1 + np.exp(-3))] * 3)
    assert (seen.boundary.classes[0, 0], seen.boundary.classes[0, -1]) == (0, 1)


def test_points_on_the_map_are_train_examples_with_their_labels(make_trainer: MakeTrainer):
    trainer = make_trainer(examples=1200)
    train = trainer.splits.train
    assert train.examples > POINTS
    found = boundary_of(trainer.state.network, trainer.splits, 4, 3)
    assert POINTS / 2 < len(found.points) <= POINTS
    labels = {tuple(x): int(y.argmax()) for x, y in zip(train.X.tolist(), train.Y, strict=True)}
    assert [labels[tuple(x)] for x in found.points.tolist()] == found.labels.tolist()
    few = make_trainer()
    assert len(boundary_of(few.state.network, few.splits, 4, 3).points) == few.splits.train.examples


def test_without_a_dev_set_train_is_looked_at_and_said_to_be(make_trainer: MakeTrainer):
    trainer = make_trainer(dev_fraction=0.0)
    seen = looked(trainer)
    assert seen.part == "train"
    assert seen.confusion.counts.sum() == trainer.splits.train.examples
    assert len(seen.examples.truth) == SHOWN


def test_the_mean_explains_nothing_and_the_truth_all_of_a_regression(make_trainer: MakeTrainer):
    X = [[-1, 0], [0, 0], [4, 0]]
    Y = np.array([[-1], [0], [4]], np.float32)
    mean = linear(make_trainer(source="regression", hidden=()), [[0], [0]], [1])
    truth = linear(make_trainer(source="regression", hidden=()), [[1], [0]], [0])
    assert on_dev(mean, X, Y).fit.r2 == pytest.approx(0)
    found = on_dev(truth, X, Y).fit
    assert (found.r2, found.rmse, found.predicted.tolist()) == (1.0, 0.0, [-1.0, 0.0, 4.0])
    assert np.isnan(on_dev(truth, X, np.ones((3, 1), np.float32)).fit.r2), "targets that are all alike have no spread to explain"


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
