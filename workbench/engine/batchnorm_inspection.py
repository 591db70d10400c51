"""What a look into batch norm measures, on demand: the gap of test time, the noise of mini-batches, the lag of averages.

Owns the measurements and what counts as a concern. Everything here computes from what it is given and changes nothing:
no cache of the network, no running statistics, no random stream of the training. Must not know who asks, nor how a
finding is shown.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from workbench.arrays import Floats
from workbench.data.dataset import Dataset, Task
from workbench.data.splits import Splits
from workbench.engine.evaluation import best_guess
from workbench.engine.lag import distance, log_ratio
from workbench.engine.measurements import BatchNormInspection, BatchNormStatistics, Concern, Gap, Lag, Noise
from workbench.hyperparameters import Hyperparameters
from workbench.nn.batchnorm import BatchNorm
from workbench.nn.buffer import Array
from workbench.nn.losses import LOSSES, Loss
from workbench.nn.network import Network

GAP_EXAMPLES = 4096
NOISE_EXAMPLES = 1024
LARGEST = 512
"""The largest mini-batch whose noise is measured."""
DRAWS = 128
"""Mini-batches drawn for each size."""
NOISY = 0.25
"""A mini-batch's mean that is off by more than so many σ is a concern: fewer than 16 examples."""
FEW = 8
MUCH_WORSE = 0.25
"""The gap is a concern where the running statistics cost more by this share of the cost with those of mini-batches ..."""
WORTH_TELLING = 0.02
"""... and by this share of the cost of the best prediction that ignores X, so that costs near 0 do not alarm."""
STALE = 1.0
"""Running means that are off by more σ than this, in the median unit, are stale."""
NO_GAIN = 0.02
NEAR_EPSILON = 4.0
"""Below this many ε of variance, ẑ has a standard deviation under √(4/5) = 0.89 instead of 1."""
NAMED = 3
"""So many units of a layer are named one by one; more are counted."""
CONSTANT = 1e-6
"""A standard deviation below this share of the mean is the rounding of float32, not a spread."""
_KEY = 0x6E6F726D
"""Sets these random numbers apart from all of `workbench.randomness.Purpose`, whose numbers are small."""


def inspect_batchnorm(
    network: Network, splits: Splits, task: Task, h: Hyperparameters, seed: int, step: int, *, seen: bool = True
) -> BatchNormInspection | None:
    """Measure everything; None for a network without batch norm. A function of its arguments' values, and changes none.

    `seen` is False where the mini-batch that the network last saw is not that of `step`, as after a rewind: snapshots do not
    have its statistics.
    """
    if network.running is None:
        return None
    with np.errstate(all="ignore"):  # a network that has diverged may be looked at, too
        gap = measure_gap(network, splits, task, h.batch_size)
        noise = measure_noise(network, splits.train, seed, step)
        lags = measure_lags(network, seen)
        concerns = tuple(_concerns(network, splits, task, h, gap, noise, lags))
    return BatchNormInspection(step, gap, noise, lags, concerns)


def measure_gap(network: Network, splits: Splits, task: Task, batch_size: int) -> Gap:
    """Scores on dev, or on train where there is none, with running and with batch statistics."""
    part = splits.train if splits.dev is None else splits.dev
    X, Y = part.X[:GAP_EXAMPLES], part.Y[:GAP_EXAMPLES]
    loss = LOSSES[task](network.dtype)
    running = _score(loss, network.infer(X), Y)
    batch = (math.nan, math.nan) if len(X) < 2 else _score(loss, _infer_by_batch(network, X, batch_size), Y)
    return Gap("train" if splits.dev is None else "dev", len(X), min(max(batch_size, 2), len(X)), *running, *batch)


def _score(loss: Loss, Z: Array, Y: Array) -> tuple[float, float]:
    cost = loss.forward(Z, Y)
    return cost, loss.error(float(loss.mistakes(Z, Y).mean(dtype=np.float64)))


def _infer_by_batch(network: Network, X: Array, batch_size: int) -> Array:
    """Logits (m, n_out) as training computes them but without dropout: each mini-batch normalized by its own statistics."""
    size = max(batch_size, 2)
    starts = np.arange(0, len(X), size)
    if len(X) - starts[-1] == 1:
        starts = starts[:-1]  # no variance in a mini-batch of one: it goes to the one before
    lengths = np.diff(starts, append=len(X))
    A = X
    for layer in network.layers:
        Y = layer.dense.infer(A)
        if layer.batchnorm is not None:
            Y = _normalized_by_batch(layer.batchnorm, Y, starts, lengths).astype(network.dtype)
        A = layer.activation.forward(Y, np.empty_like(Y))
    return network.output.infer(A)


def _normalized_by_batch(norm: BatchNorm, Z: Array, starts: NDArray[np.intp], lengths: NDArray[np.intp]) -> Floats:
    """γ·ẑ+β (m, n) by the mean and the biased variance of the rows between one start and the next."""
    rows = lengths[:, None]
    Z = Z.astype(np.float64)
    for _ in range(2):  # the second time what rounding has left of the mean, as the layer does
        Z -= np.repeat(np.add.reduceat(Z, starts, axis=0) / rows, lengths, axis=0)
    variance = np.add.reduceat(Z * Z, starts, axis=0) / rows
    Z *= np.repeat(norm.gamma / np.sqrt(variance + norm.epsilon), lengths, axis=0)
    Z += norm.beta
    return Z


def measure_noise(network: Network, part: Dataset, seed: int, step: int, draws: int = DRAWS) -> Noise:
    """Draw mini-batches of 2, 4, 8, ... examples and compare their statistics with those of all examples looked at.

    The same rows serve every layer, and a small mini-batch is the beginning of a large one.
    """
    X = part.X[:NOISE_EXAMPLES]
    sizes = 2 ** np.arange(1, int(math.log2(min(LARGEST, len(X)))) + 1)
    counts = _draw(len(X), sizes, seed, step, draws)
    found = [_errors(trace.Z, counts, sizes) for _, trace in zip(network.layers, network.trace(X), strict=False)]
    mean, variance = (np.array([pair[i] for pair in found]).reshape(len(found), len(sizes)) for i in (0, 1))
    return Noise(len(X), draws, sizes, mean, variance, 1 / np.sqrt(sizes), np.sqrt(2 / (sizes - 1)))


def _draw(examples: int, sizes: NDArray[np.int64], seed: int, step: int, draws: int) -> Floats:
    """How often each example is in each mini-batch, (S, draws, examples)."""
    random = np.random.Generator(np.random.Philox(key=[seed, _KEY], counter=[0, 0, step, 0]))
    rows = random.integers(examples, size=(draws, int(sizes.max(initial=0))))
    rows += np.arange(draws)[:, None] * examples
    counts = np.empty((len(sizes), draws, examples))
    for found, m in zip(counts, sizes, strict=True):
        found[...] = np.bincount(rows[:, :m].ravel(), minlength=draws * examples).reshape(draws, examples)
    return counts


def _errors(Z: Array, counts: Floats, sizes: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Root mean square errors of μ and σ² over units and draws, (S,) each."""
    Z = Z.astype(np.float64)
    middle, spread = Z.mean(axis=0), Z.std(axis=0)
    varies = spread > CONSTANT * np.abs(middle)
    if not varies.any():
        return np.full(len(sizes), np.nan), np.full(len(sizes), np.nan)
    # In units of σ around μ, so that taking the square of the mean from the mean of the squares cancels next to nothing.
    Z = (Z[:, varies] - middle[varies]) / spread[varies]
    m = sizes[:, None, None]
    mean = counts @ Z / m
    variance = (counts @ (Z * Z) / m - mean**2) * (m / (m - 1))
    return np.sqrt((mean**2).mean(axis=(1, 2))), np.sqrt(((variance - 1) ** 2).mean(axis=(1, 2)))


def measure_lags(network: Network, seen: bool = True) -> tuple[Lag, ...]:
    """Running statistics against the last mini-batch's, layer by layer; NaN where that was not `seen`."""
    lags = []
    # A new network that was restored has running statistics before it has seen a mini-batch.
    seen = seen and network.running is not None and network.running.product < 1.0 and bool(network.statistics.any())
    for l, (layer, running) in enumerate(zip(network.layers, network.running_statistics(), strict=False), start=1):
        norm = layer.batchnorm
        assert norm is not None
        mean, var = running
        unseen = np.full_like(mean[0], np.nan)
        batch = (norm.batch_mean[0], norm.batch_var[0]) if seen else (unseen, unseen)
        told = BatchNormStatistics(*batch, mean[0], var[0], norm.gamma[0], norm.beta[0], norm.epsilon)
        lags.append(Lag(l, distance(told), log_ratio(told)))
    return tuple(lags)


def _concerns(
    network: Network, splits: Splits, task: Task, h: Hyperparameters, gap: Gap, noise: Noise, lags: tuple[Lag, ...]
) -> Iterator[Concern]:
    yield from _too_noisy(h.batch_size, splits.train.examples, noise)
    if network.running is not None and network.running.product < 1.0:
        part = splits.train if splits.dev is None else splits.dev
        yield from _stale(gap, lags, best_guess(task, part, LOSSES[task](network.dtype)).cost, h.batchnorm_beta)
    for l, (layer, running) in enumerate(zip(network.layers, network.running_statistics(), strict=False), start=1):
        if layer.batchnorm is not None:
            yield from _useless(l, layer.batchnorm, running[1])


def _too_noisy(batch_size: int, examples: int, noise: Noise) -> Iterator[Concern]:
    m = min(max(batch_size, 2), examples)
    if m == examples or not noise.sizes.size:
        return  # every mini-batch is the same one
    off = math.sqrt((1 / m) * (examples - m) / (examples - 1))
    if off <= NOISY and batch_size >= FEW:
        return
    text = f"mini-batches of {m} are small: μ of one is off by {off:.2g} σ"
    if np.isfinite(noise.variance).any():
        at_m = [float(np.interp(math.log(m), np.log(noise.sizes), row)) for row in noise.variance]
        worst = int(np.nanargmax(at_m))
        text += f", σ² by {at_m[worst]:.0%} (layer {worst + 1})"
    yield Concern(0, -1, text)


def _stale(gap: Gap, lags: tuple[Lag, ...], chance: float, beta: float) -> Iterator[Concern]:
    window = f"β {beta:g} averages about the last {1 / (1 - beta):,.0f} mini-batches"
    if gap.running_cost - gap.batch_cost > max(MUCH_WORSE * gap.batch_cost, WORTH_TELLING * chance):
        costs = f"{gap.running_cost:.3g} with the running statistics and {gap.batch_cost:.3g} with the mini-batches' own"
        yield Concern(0, -1, f"the {gap.part} cost is {costs}; {window}")
    for lag in lags:
        known = lag.distance[np.isfinite(lag.distance)]
        middle = float(np.median(known)) if known.size else 0.0
        if middle > STALE:
            text = f"the running μ is {middle:.2g} σ from the last mini-batch's in the median unit; {window}"
            yield Concern(lag.layer, -1, text)


def _useless(layer: int, norm: BatchNorm, running_var: Array) -> Iterator[Concern]:
    gamma, var, epsilon = norm.gamma[0], running_var[0], norm.epsilon
    idle = {i: f"γ is {gamma[i]:.2g}" for i in np.flatnonzero(np.abs(gamma) < NO_GAIN).tolist()}
    yield from _units(layer, idle, f"|γ| is below {NO_GAIN}", "so that next to nothing but β is passed on")
    spread = np.sqrt(var / (var + epsilon))
    flat = np.flatnonzero(var < NEAR_EPSILON * epsilon).tolist()
    numbers = {i: f"the running σ² of {var[i]:.2g} is near ε = {epsilon:g}" for i in flat}
    least = f"down to {min((float(spread[i]) for i in flat), default=1.0):.2g}"
    yield from _units(layer, numbers, f"the running σ² is near ε = {epsilon:g}", f"so that ẑ has a σ below 1, {least}")


def _units(layer: int, numbers: dict[int, str], all_of_them: str, effect: str) -> Iterator[Concern]:
    """One concern for each unit with its number, or one for the layer where there are more than `NAMED`."""
    if len(numbers) > NAMED:
        yield Concern(layer, -1, f"in {len(numbers)} units {all_of_them}, {effect}")
        return
    for unit, number in numbers.items():
        yield Concern(layer, unit, f"{number}, {effect}")


def drift(
    mean_then: NDArray[np.floating], std_then: NDArray[np.floating], mean_now: NDArray[np.floating], std_now: NDArray[np.floating]
) -> float:
    """How far the distribution of a layer's inputs has moved, in its own σ of now; root mean square over units, (n,) each.

    For a unit it is the 2-Wasserstein distance of two normal distributions, √((Δμ)² + (Δσ)²) (Dowson and Landau 1982;
    Givens and Shortt 1984, proposition 7). Its unit of measure is σ now, but no less than half of the σ pooled
    over then and now, √((σ_then² + σ_now²)/2), and no less than a twentieth of that of the layer: a ReLU that falls silent
    is 2.8 away from where it was, not infinitely far. A unit that is constant at both times counts 0.
    """
    m0, s0, m1, s1 = (np.asarray(a, np.float64) for a in (mean_then, std_then, mean_now, std_now))
    pooled = np.sqrt((s0**2 + s1**2) / 2)
    layer = math.sqrt(float((pooled**2).mean()))
    constant = (s0 <= CONSTANT * np.abs(m0)) & (s1 <= CONSTANT * np.abs(m1))
    scale = np.maximum(s1, np.maximum(pooled / 2, layer / 20))
    squares = ((m1 - m0) ** 2 + (s1 - s0) ** 2) / np.where(constant, 1.0, scale) ** 2
    return math.sqrt(float(np.where(constant, 0.0, squares).mean()))
