from __future__ import annotations

import numpy as np
import pytest

from workbench.nn.activations import ACTIVATIONS
from workbench.nn.batchnorm import BatchNorm
from workbench.nn.layers import Dense, Dropout, HiddenLayer
from workbench.nn.losses import LOSSES

FLOAT64 = np.dtype(np.float64)


def dropout(keep_prob: float, seed: int = 1, layer: int = 1, dtype: np.dtype[np.floating] = FLOAT64) -> Dropout:
    made = Dropout(seed, layer, dtype)
    made.keep_prob = keep_prob
    return made


def mask(keep_prob: float, step: int, seed: int = 1, layer: int = 1, shape: tuple[int, int] = (32, 16)) -> np.ndarray:
    return dropout(keep_prob, seed, layer).forward(np.ones(shape), step) > 0


# Dense -------------------------------------------------------------------------------------------------------------


def test_dense_worked_example() -> None:
    W, b = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[10.0, 20.0]])
    dW, db = np.full((2, 2), np.nan), np.full((1, 2), np.nan)
    dense = Dense(W, dW, b, db)
    X = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, -1.0]])
    assert dense.forward(X).tolist() == [[11, 22], [14, 26], [7, 16]]
    dX = dense.backward(np.array([[1.0, 0.0], [0.0, 1.0], [2.0, 2.0]]))
    assert dX.tolist() == [[1, 3], [2, 4], [6, 14]]
    assert dW.tolist() == [[1, 1], [-2, -1]]
    assert db.tolist() == [[3, 3]]


def test_dense_without_bias_goes_through_the_origin() -> None:
    dense = Dense(np.ones((2, 3)), np.zeros((2, 3)), None, None)
    assert not dense.forward(np.zeros((4, 2))).any()
    assert not dense.infer(np.zeros((4, 2))).any()


def test_gradients_replace_those_of_the_last_step() -> None:
    dense = Dense(np.ones((2, 1)), np.zeros((2, 1)), np.zeros((1, 1)), np.zeros((1, 1)))
    for _ in range(2):
        dense.forward(np.ones((3, 2)))
        dense.backward(np.ones((3, 1)))
    assert dense.dW.tolist() == [[3], [3]]
    assert dense.db is not None
    assert dense.db.item() == 3


# Dropout -----------------------------------------------------------------------------------------------------------


def test_without_dropout_the_activations_are_the_same_object() -> None:
    A = np.ones((3, 4))
    assert dropout(1.0).forward(A, 1) is A
    assert dropout(1.0).backward(A) is A


def test_mask_is_a_function_of_seed_layer_and_step() -> None:
    reference = mask(0.5, step=7)
    used = dropout(0.5)
    for step in (1, 9, 7):
        out = used.forward(np.ones((32, 16)), step)
    assert np.array_equal(out > 0, reference)
    assert not np.array_equal(mask(0.5, step=8), reference)
    assert not np.array_equal(mask(0.5, step=7, layer=2), reference)
    assert not np.array_equal(mask(0.5, step=7, seed=2), reference)


def test_mask_does_not_depend_on_the_activations_or_their_type() -> None:
    A = np.random.default_rng(0).normal(5, 1, (32, 16))
    assert np.array_equal(dropout(0.5).forward(A, 7) != 0, mask(0.5, step=7))
    out = dropout(0.5, dtype=np.dtype(np.float32)).forward(A.astype(np.float32), 7)
    assert out.dtype == np.float32
    assert np.array_equal(out != 0, mask(0.5, step=7))


def test_higher_keep_prob_keeps_what_a_lower_one_kept() -> None:
    low, high = mask(0.3, step=2), mask(0.8, step=2)
    assert (high | ~low).all()
    assert high.sum() > low.sum()


@pytest.mark.parametrize("keep_prob", [0.1, 0.5, 0.8, 0.99])
def test_share_kept_is_keep_prob_and_the_expectation_is_unchanged(keep_prob: float) -> None:
    A = np.full((200, 50), 3.0)
    unit = dropout(keep_prob)
    outs = np.concatenate([unit.forward(A, step).copy() for step in range(1, 21)])
    kept = outs != 0
    # 200,000 draws: five standard errors.
    assert kept.mean() == pytest.approx(keep_prob, abs=5 * np.sqrt(keep_prob * (1 - keep_prob) / kept.size))
    np.testing.assert_allclose(outs[kept], 3.0 / keep_prob, rtol=1e-3)
    assert outs.mean() == pytest.approx(3.0, rel=5 * np.sqrt((1 - keep_prob) / keep_prob / kept.size))


@pytest.mark.parametrize("keep_prob", [1 / 65536, 1e-9, 0.9999999])
def test_most_extreme_chances_stay_finite(keep_prob: float) -> None:
    out = dropout(keep_prob).forward(np.ones((64, 64)), 1)
    assert np.isfinite(out).all()
    if keep_prob > 0.5:
        np.testing.assert_allclose(out, 1.0)


def test_activations_are_left_as_they_were() -> None:
    A = np.ones((8, 8))
    dropout(0.5).forward(A, 1)
    assert (A == 1).all()


@pytest.mark.parametrize("m", [4, 9])
def test_gradient_goes_through_the_same_mask_and_factor(m: int) -> None:
    unit = dropout(0.6)
    unit.forward(np.ones((6, 5)), 1)  # another batch size before
    factor = unit.forward(np.ones((m, 5)), 2).copy()
    dA = np.random.default_rng(1).normal(0, 1, (m, 5))
    np.testing.assert_allclose(unit.backward(dA.copy()), dA * factor, rtol=1e-14)


# A leading axis of models ------------------------------------------------------------------------------------------


class Stack:
    """Dense (3 → 4), batch norm, an activation, Dense (4 → k), and a loss; parameters may have a leading axis of models."""

    def __init__(self, activation: str, task: str, *parameters: np.ndarray) -> None:
        self.parameters = parameters
        self.gradients = [np.full_like(each, np.nan) for each in parameters]
        W1, gamma, beta, W2, b2 = parameters
        dW1, dgamma, dbeta, dW2, db2 = self.gradients
        self.norm = BatchNorm(gamma, beta, dgamma, dbeta, np.empty_like(gamma), np.empty_like(gamma))
        self.hidden = HiddenLayer(Dense(W1, dW1, None, None), self.norm, ACTIVATIONS[activation], Dropout(1, 1, FLOAT64))
        self.output = Dense(W2, dW2, b2, db2)
        self.loss = LOSSES[task](FLOAT64)

    def step(self, X: np.ndarray, Y: np.ndarray) -> np.ndarray:
        """The logits; gradients are stored."""
        Z = self.output.forward(self.hidden.forward(X, 1)).copy()
        self.loss.forward(Z, Y)
        self.hidden.dense.accumulate(self.hidden.backward_to_dense(self.output.backward(self.loss.backward())))
        return Z


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("task", "k"), [("classes", 3), ("binary", 1), ("regression", 2)])
def test_stacked_models_compute_what_each_computes_alone(activation: str, task: str, k: int) -> None:
    rng = np.random.default_rng(3)
    models, m = 2, 6
    shapes = [(3, 4), (1, 4), (1, 4), (4, k), (1, k)]
    parameters = [rng.normal(0.2, 1.0, (models, *shape)) for shape in shapes]
    X = rng.normal(0, 1, (models, m, 3))
    Y = np.eye(k)[rng.integers(k, size=(models, m))] if task == "classes" else rng.integers(2, size=(models, m, k)).astype(float)
    together = Stack(activation, task, *parameters)
    Z = together.step(X, Y)
    assert together.loss.losses.shape == (models, m)
    for i in range(models):
        alone = Stack(activation, task, *(each[i].copy() for each in parameters))
        np.testing.assert_allclose(Z[i], alone.step(X[i], Y[i]), rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(together.loss.losses[i], alone.loss.losses, rtol=1e-12, atol=1e-14)
        for stacked, single in zip(together.gradients, alone.gradients, strict=True):
            np.testing.assert_allclose(stacked[i], single, rtol=1e-10, atol=1e-13)
        np.testing.assert_allclose(together.norm.batch_var[i], alone.norm.batch_var, rtol=1e-12)
        mean, var = alone.norm.batch_mean, alone.norm.batch_var
        inferred = together.norm.infer(X[..., :1] * np.ones(4), together.norm.batch_mean, together.norm.batch_var)
        np.testing.assert_allclose(inferred[i], alone.norm.infer(X[i][..., :1] * np.ones(4), mean, var), rtol=1e-10, atol=1e-13)
        assert np.array_equal(together.loss.mistakes(Z, Y)[i], alone.loss.mistakes(Z[i], Y[i]))


@pytest.mark.parametrize("with_bias", [True, False])
def test_one_batch_may_feed_several_models(with_bias: bool) -> None:
    rng = np.random.default_rng(5)
    W, b = rng.normal(0, 1, (2, 3, 4)), rng.normal(0, 1, (2, 1, 4))
    dense = Dense(W, np.empty_like(W), b if with_bias else None, np.empty_like(b) if with_bias else None)
    X = rng.normal(0, 1, (5, 3))
    expected = np.stack([X @ W[i] + (b[i] if with_bias else 0) for i in range(2)])
    np.testing.assert_allclose(dense.infer(X), expected, rtol=1e-13)
