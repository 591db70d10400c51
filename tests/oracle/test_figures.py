"""Every figure that is shown of a run, computed a second time from the weights and the data, with all options on at once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest
from by_hand import EPSILON, SLOPES, Floats, Layer, error, forward, gradients, length, losses, penalty, sigmoid, smoothed, softmax
from watched import HIDDEN, RUNS, SEED, STEPS, watched

from workbench.data.dataset import Dataset
from workbench.engine.measurements import Histogram, LayerStatistics
from workbench.engine.predictions import precision, recall
from workbench.randomness import Purpose, Stream, generator
from workbench.ui.state.chart_view import ChartView
from workbench.ui.state.quantities import QUANTITIES, Frame, Plot

tasks = pytest.mark.parametrize("task", RUNS)
CLOSE = 1e-10
LAYERS = range(1, len(HIDDEN) + 2)


def same(found: Any, expected: Any, scale: float = 1e-3) -> None:
    np.testing.assert_allclose(found, expected, rtol=CLOSE, atol=CLOSE * scale)


@dataclass(frozen=True)
class Step:
    """A step as it ought to have been: cost, gradients before clipping, and the moments of the mini-batch."""

    examples: int
    epoch: int
    cost: float
    gradients: dict[str, Floats]
    moments: list[tuple[Floats, Floats]]
    """Of each hidden layer, the variance unbiased."""
    alpha: float


@cache
def steps(task: str) -> tuple[Step, ...]:
    """All of them, each from the weights before it."""
    run, found = watched(task), []
    X, Y, h, p = run.splits.train.X, run.splits.train.Y, run.h, run.weights
    epoch, starts, order = 0, [0], np.empty(0, int)
    for step in range(1, STEPS + 1):
        if starts == [0]:
            epoch += 1
            order = generator(SEED, Purpose.SHUFFLE, epoch).permutation(len(X))
            starts = [*range(0, len(X), h.batch_size), len(X)]
            if run.batch_norm and starts[-1] - starts[-2] == 1:
                starts.pop(-2)
        start, stop = starts[:2]
        rows = order[start:stop]
        masks = []
        for l, (units, keep) in enumerate(zip(HIDDEN, h.keep_prob, strict=True), start=1):
            chance = round(keep * 65536)
            words = Stream(SEED, Purpose.DROPOUT, l).uint16(step, len(rows) * units).reshape(len(rows), units)
            masks.append((words < chance) * 65536 / chance)
        layers = forward(p[step - 1], run.activation, X[rows], masks=masks)
        targets = smoothed(run.task, Y[rows].astype(np.float64), h.label_smoothing)
        cost = losses(run.task, layers[-1].Z, targets).mean() + penalty(p[step - 1], h.l2, h.l1)
        g = gradients(p[step - 1], run.task, run.activation, layers, targets, masks, h.l2, h.l1)
        unbiased = [(each.mean, each.biased * len(rows) / max(len(rows) - 1, 1)) for each in layers[:-1]]
        factor = {
            "cosine": 0.1 + 0.9 * (1 + math.cos(math.pi * min((epoch - 1 + start / len(X)) / 4, 1))) / 2,
            "inverse_time": 1 / (1 + h.decay_rate * epoch),
            "exponential": 0.7**epoch,
        }[h.schedule]
        found.append(Step(len(rows), epoch, cost, g, unbiased, h.learning_rate * factor * min(step / 10, 1)))
        starts = starts[1:] if stop < len(X) else [0]
    return tuple(found)


def running(task: str, step: int) -> list[tuple[Floats, Floats]]:
    """The averaged moments after a step, by the sum that an average with bias correction is; 0 and 1 before the first."""
    run = watched(task)
    if not run.batch_norm:
        return []
    if not step:
        return [(np.zeros(n), np.ones(n)) for n in HIDDEN]
    shares = np.array([0.2 * 0.8 ** (step - k) for k in range(1, step + 1)]) / (1 - 0.8**step)
    seen = [each.moments for each in steps(task)[:step]]
    return [
        (sum(s * each[l][0] for s, each in zip(shares, seen, strict=True)),
         sum(s * each[l][1] for s, each in zip(shares, seen, strict=True)))
        for l in range(len(HIDDEN))
    ]  # fmt: skip


def at_test_time(task: str, step: int, X: Floats) -> list[Layer]:
    """The layers at test time after a step."""
    run = watched(task)
    return forward(run.weights[step], run.activation, X, running(task, step))


def score(task: str, step: int, part: Dataset | None, with_penalty: bool = True) -> tuple[float, float]:
    run = watched(task)
    assert part is not None
    Z, p = at_test_time(task, step, part.X)[-1].Z, run.weights[step]
    cost = losses(run.task, Z, part.Y.astype(np.float64)).mean()
    return cost + with_penalty * penalty(p, run.h.l2, run.h.l1), error(run.task, Z, part.Y)


# Steps


@tasks
def test_the_run_has_everything_that_is_to_be_seen(task: str):
    run, own = watched(task), steps(task)
    lengths = np.array([length(list(each.gradients.values())) for each in own])
    assert 0.1 < (lengths > run.h.clip_norm).mean() < 1  # some steps are clipped, some are not
    assert len({each.examples for each in own}) == 2
    assert own[-1].epoch > 4
    assert run.splits.train.examples % run.h.batch_size == 1


@tasks
def test_cost_gradient_norm_and_rate_of_every_step(task: str):
    run, own = watched(task), steps(task)
    same([each.cost for each in run.taken], [each.cost for each in own])
    same([each.gradient_norm for each in run.taken], [length(list(each.gradients.values())) for each in own])
    same([each.learning_rate for each in run.taken], [each.alpha for each in own], scale=0.0)


@tasks
def test_the_cost_of_an_epoch_weighs_mini_batches_by_their_length(task: str):
    run, own = watched(task), steps(task)
    assert len(run.ended) >= 4
    for each in run.ended:
        parts = [(step.cost, step.examples) for step in own if step.epoch == each.epoch]
        same(each.cost, sum(cost * n for cost, n in parts) / run.splits.train.examples)


# Evaluations


@tasks
def test_cost_and_error_on_train_dev_and_test(task: str):
    run = watched(task)
    assert len(run.evaluated) == 1 + STEPS // run.h.evaluate_every
    for step, each in run.evaluated.items():
        assert each.dev is not None
        same((each.train.cost, each.train.error), score(task, step, run.splits.train))
        same((each.dev.cost, each.dev.error), score(task, step, run.splits.dev))
        same(each.dev.data_cost, score(task, step, run.splits.dev, with_penalty=False)[0])
    end = run.finished
    assert end.test is not None
    same((end.test.cost, end.test.error), score(task, STEPS, run.splits.test))


@tasks
def test_what_an_answer_that_ignores_the_inputs_costs_and_gets_wrong(task: str):
    run = watched(task)
    Y = run.splits.train.Y.astype(np.float64)
    shares = np.append(Y.mean(axis=0), 1 - Y.mean() if task == "binary" else [])
    expected = (Y.var() / 2, Y.std()) if task == "regression" else (-(shares * np.log(shares)).sum(), 1 - shares.max())
    for each in run.evaluated.values():
        assert each.guess is not None
        np.testing.assert_allclose((each.guess.cost, each.guess.error), expected, rtol=1e-6)  # the targets are float32


def layers_of(task: str) -> list[tuple[int, int, LayerStatistics, Layer]]:
    """Step, number, what was told, and what it is told of, of all layers at all evaluations."""
    run = watched(task)
    return [
        (step, each.layer, each, own)
        for step, evaluated in run.evaluated.items()
        for each, own in zip(evaluated.layers, at_test_time(task, step, run.splits.train.X[:256]), strict=True)
    ]


@tasks
def test_the_gradient_norm_of_a_layer_is_that_before_clipping(task: str):
    for step, l, told, _ in layers_of(task):
        same(told.gradient_norm, length([steps(task)[step - 1].gradients[f"W{l}"]]) if step else math.nan)


@tasks
def test_weight_norms_and_update_ratios(task: str):
    run = watched(task)
    for step, l, told, _ in layers_of(task):
        W = run.weights[step][f"W{l}"]
        same(told.weight_norm, length([W]))
        same(told.update_ratio, length([W - run.weights[step - 1][f"W{l}"]]) / length([W]) if step else math.nan)


@tasks
def test_dead_saturated_and_twin_units(task: str):
    run, most = watched(task), {"dead": 0.0, "saturated": 0.0, "twins": 0.0}
    greatest = {"tanh": 1.0, "sigmoid": 0.25, "relu": math.inf}[run.activation]
    for step, l, told, own in layers_of(task):
        slope = SLOPES[run.activation](own.Y) if l <= len(HIDDEN) else None
        expected = dict.fromkeys(most, 0.0)
        if slope is not None:
            expected["dead"] = float((slope.max(axis=0) < 1e-3).mean())
            expected["saturated"] = float((slope / greatest < 0.05).mean()) if math.isfinite(greatest) else 0.0
        columns = run.weights[step][f"W{l}"].T
        close = [
            any(np.linalg.norm(a - b) <= 1e-4 * np.linalg.norm(a) for j, b in enumerate(columns) if i != j)
            for i, a in enumerate(columns)
        ]
        expected["twins"] = float(np.mean(close))
        for name, value in expected.items():
            assert getattr(told, name) == pytest.approx(value, abs=1e-12), (name, step, l)
            most[name] = max(most[name], value)
    assert most["twins"] > 0
    assert most["dead" if run.activation == "relu" else "saturated"] > 0


@tasks
def test_inputs_and_distributions_of_a_layer(task: str):
    for _, _, told, own in layers_of(task):
        same(told.input_mean, own.input.mean(axis=0))
        same(told.input_std, own.input.std(axis=0))
        assert_histogram(told.z, own.Z)
        assert_histogram(told.y, own.Y)
        assert (told.normalized is None) == (told.batchnorm is None)
        if told.normalized is not None:
            assert_histogram(told.normalized, own.normalized)


def assert_histogram(told: Histogram, values: Floats) -> None:
    low, high = (values.mean() + sign * 4 * values.std() for sign in (-1, 1))
    same((told.low, told.high), (max(low, values.min()), min(high, values.max())))
    inside = np.clip(values, told.low, told.high)
    edges = np.linspace(told.low, told.high, len(told.counts) + 1)
    counts = np.histogram(inside, edges)[0]
    assert told.counts.sum() == values.size
    assert np.abs(told.counts - counts).sum() <= 2  # one on an edge may fall to either side


@pytest.mark.parametrize("task", ["classes", "regression"])
def test_batch_norms_statistics(task: str):
    run = watched(task)
    for step, l, told, _ in layers_of(task):
        if l > len(HIDDEN):
            assert told.batchnorm is None
            continue
        assert told.batchnorm is not None
        batch = steps(task)[step - 1].moments[l - 1] if step else (math.nan, math.nan)
        same(told.batchnorm.batch_mean, np.broadcast_to(batch[0], HIDDEN[l - 1]))
        same(told.batchnorm.batch_var, np.broadcast_to(batch[1], HIDDEN[l - 1]))
        mean, var = running(task, step)[l - 1]
        same(told.batchnorm.running_mean, mean)
        same(told.batchnorm.running_var, var)
        same(told.batchnorm.gamma, run.weights[step][f"gamma{l}"][0])
        same(told.batchnorm.beta, run.weights[step][f"beta{l}"][0])


@pytest.mark.parametrize("task", ["classes", "regression"])
def test_the_gap_and_the_lag_of_running_statistics(task: str):
    run = watched(task)
    found, dev = run.inspection, run.splits.dev
    assert found is not None
    assert dev is not None
    same((found.gap.running_cost, found.gap.running_error), score(task, STEPS, dev, with_penalty=False))
    Z = np.concatenate([forward(run.weights[-1], run.activation, dev.X[s : s + 8])[-1].Z for s in range(0, len(dev.X), 8)])
    assert len(dev.X) % 8 != 1
    same((found.gap.batch_cost, found.gap.batch_error), (losses(run.task, Z, dev.Y).mean(), error(run.task, Z, dev.Y)))
    for lag, batch, (mean, var) in zip(found.lags, steps(task)[-1].moments, running(task, STEPS), strict=True):
        same(lag.distance, np.abs(mean - batch[0]) / np.sqrt(var + EPSILON))
        same(lag.log_ratio, np.log((var + EPSILON) / (batch[1] + EPSILON)))


# What the network says


@pytest.mark.parametrize("task", ["classes", "binary"])
def test_predictions_and_the_confusion_table(task: str):
    run, found = watched(task), watched(task).predictions
    dev = run.splits.dev
    assert dev is not None
    truth, predicted, sure = said(task, dev.X, dev.Y)
    assert found.confusion is not None
    assert found.examples is not None
    assert found.worst is not None
    C = len(run.splits.class_names)
    counts = [[int(((truth == t) & (predicted == p)).sum()) for p in range(C)] for t in range(C)]
    assert found.confusion.counts.tolist() == counts
    assert found.confusion.missing == 0
    assert counts != np.diag(np.diag(counts)).tolist()  # there are mistakes to be seen
    same(recall(found.confusion), [(predicted[truth == c] == c).mean() for c in range(C)])
    named = [(truth[predicted == c] == c).mean() if (predicted == c).any() else math.nan for c in range(C)]
    same(precision(found.confusion), named)
    shown = found.examples
    assert shown.truth.tolist() == truth[:24].tolist()
    assert shown.predicted.tolist() == predicted[:24].tolist()
    same(shown.confidence, sure[:24])
    norm = run.splits.normalization
    assert norm is not None
    np.testing.assert_allclose(shown.X, dev.X[:24].astype(np.float64) * norm.std + norm.mean, rtol=1e-6)
    wrong = sorted(np.flatnonzero(truth != predicted).tolist(), key=lambda row: -sure[row])
    same(found.worst.confidence, sure[wrong][:24])
    assert found.worst.truth.tolist() == truth[wrong][:24].tolist()


def said(task: str, X: Floats, Y: Floats) -> tuple[Floats, Floats, Floats]:
    """True and predicted class, and the probability of that."""
    Z = at_test_time(task, STEPS, X)[-1].Z
    P = softmax(Z) if task == "classes" else np.hstack([sigmoid(-Z), sigmoid(Z)])
    truth = Y.argmax(axis=1) if task == "classes" else Y[:, 0].astype(int)
    return truth, P.argmax(axis=1), P.max(axis=1)


@pytest.mark.parametrize("task", ["classes", "binary"])
def test_the_border_between_classes(task: str):
    run, border = watched(task), watched(task).predictions.boundary
    assert border is not None
    X = run.splits.train.X.astype(np.float64)
    margin = 0.08 * (X.max(axis=0) - X.min(axis=0))
    same((border.low, border.high), (X.min(axis=0) - margin, X.max(axis=0) + margin))
    rows, columns = border.classes.shape
    for r in (0, 3, rows - 1):
        for c in (0, 5, columns - 1):
            x = border.low[0] + (border.high[0] - border.low[0]) * c / (columns - 1)
            y = border.high[1] - (border.high[1] - border.low[1]) * r / (rows - 1)
            _, predicted, sure = said(task, np.array([[x, y]]), np.zeros((1, 4)))
            assert border.classes[r, c] == predicted[0]
            same(border.confidence[r, c], sure[0])


def test_the_fit_of_a_regression():
    run = watched("regression")
    found, dev = run.predictions.fit, run.splits.dev
    assert found is not None
    assert dev is not None
    truth, Z = dev.Y[:, 0].astype(np.float64), at_test_time("regression", STEPS, dev.X)[-1].Z[:, 0]
    same(found.truth, truth)
    same(found.predicted, Z)
    same(found.rmse, np.sqrt(((Z - truth) ** 2).mean()))
    same(found.r2, 1 - ((Z - truth) ** 2).sum() / ((truth - truth.mean()) ** 2).sum())


# Charts


def plot(task: str, quantity: str, **view: object) -> Plot:
    """A chart with room for everything."""
    return QUANTITIES[quantity].plot(watched(task).monitor, Frame(ChartView(**view), 0, STEPS, 1000))  # type: ignore[arg-type]


def average(values: list[float], beta: float, corrected: bool) -> list[float]:
    """v = βv + (1-β)θ from 0, divided by 1-βᵗ."""
    v, found = 0.0, []
    for t, value in enumerate(values, start=1):
        v = beta * v + (1 - beta) * value
        found.append(v / (1 - beta**t) if corrected else v)
    return found


@tasks
@pytest.mark.parametrize(("beta", "corrected"), [(0.98, True), (0.9, False), (0.0, True)])
def test_the_charts_of_every_step_and_their_averages(task: str, beta: float, corrected: bool):
    own = steps(task)
    costs = [each.cost for each in own]
    norms = [length(list(each.gradients.values())) for each in own]
    for quantity, values in (("cost", costs), ("gradient", norms)):
        band, smooth = plot(task, quantity, beta=beta, corrected=corrected).lines[:2]
        same(band.x, np.repeat(np.arange(1, STEPS + 1), 2))
        same(band.y, np.repeat(values, 2))
        same(smooth.x, np.arange(1, STEPS + 1))
        same(smooth.y, average(values, beta, corrected))
    (rate,) = plot(task, "learning_rate").lines
    same(rate.y, np.repeat([each.alpha for each in own], 2), scale=0.0)


@tasks
def test_the_charts_of_cost_and_error_at_evaluations(task: str):
    run = watched(task)
    at = list(run.evaluated)
    train, dev = ([score(task, step, part) for step in at] for part in (run.splits.train, run.splits.dev))
    dots, test = plot(task, "cost").lines[2:4]
    # What a series holds of step 0 goes with step 1.
    same(dots.x, at)
    same(dots.y, [cost for cost, _ in dev])
    same(test.y, [score(task, STEPS, run.splits.test)[0]])
    unit = 1 if task == "regression" else 100
    first, second = plot(task, "error").lines[:2]
    same(first.y, [unit * wrong for _, wrong in train])
    same(second.y, [unit * wrong for _, wrong in dev])
    if task != "regression":
        first, second = plot(task, "accuracy").lines[:2]
        same(first.y, [100 - 100 * wrong for _, wrong in train])
        same(second.y, [100 - 100 * wrong for _, wrong in dev])


@tasks
def test_the_charts_of_layers(task: str):
    run = watched(task)
    at = [step for step in run.evaluated if step]
    told = {name: plot(task, name).lines for name in ("weight_norms", "update_ratios", "dead", "drift")}
    for l in LAYERS:
        for lines in told.values():
            assert len(lines) == len(LAYERS)
            same(lines[l - 1].x, at)
        W = [run.weights[step][f"W{l}"] for step in at]
        moved = [run.weights[step][f"W{l}"] - run.weights[step - 1][f"W{l}"] for step in at]
        same(told["weight_norms"][l - 1].y, [length([each]) for each in W])
        same(told["update_ratios"][l - 1].y, [length([a]) / length([b]) for a, b in zip(moved, W, strict=True)])
        same(told["dead"][l - 1].y, [100 * run.evaluated[step].layers[l - 1].dead for step in at])
        same(told["drift"][l - 1].y, [drifted(task, l, before, step) for before, step in zip([0, *at], at, strict=False)])


def drifted(task: str, l: int, before: int, now: int) -> float:
    """√((Δμ)² + (Δσ)²) in σ of now, of each unit of a layer's input, root mean square; of inputs that never vary 0.

    The unit of measure is no less than half the pooled σ, and than a twentieth of the layer's.
    """
    X = watched(task).splits.train.X[:256]
    a, b = (at_test_time(task, step, X)[l - 1].input for step in (before, now))
    pooled = np.sqrt((a.var(axis=0) + b.var(axis=0)) / 2)
    squares = []
    for i in range(a.shape[1]):
        unit = max(b[:, i].std(), pooled[i] / 2, np.sqrt((pooled**2).mean()) / 20)
        moved = math.hypot(b[:, i].mean() - a[:, i].mean(), b[:, i].std() - a[:, i].std())
        squares.append((moved / unit) ** 2)
    return float(np.sqrt(np.mean(squares)))


@tasks
def test_the_chart_of_gradient_norms(task: str):
    at = [step for step in watched(task).evaluated if step]
    lines = plot(task, "gradient_norms").lines
    for l in LAYERS:
        same(lines[l].y, [length([steps(task)[step - 1].gradients[f"W{l}"]]) for step in at])
