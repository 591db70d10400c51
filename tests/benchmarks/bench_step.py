"""Time of one training step: this engine against PyTorch, JAX and scikit-learn, all on the CPU.

    pip install -e '.[bench]'
    python tests/benchmarks/bench_step.py [--json FILE] [--seconds S] [--rounds N] [--threads N]

Everybody trains the same fully connected ReLU network in float32 by Adam on softmax cross-entropy, on the same data in
the same order (scikit-learn shuffles by itself), with the same number of threads. A step is everything a real loop does:
gather the mini-batch by a permutation, forward, backward, update, and the cost as a Python float (scikit-learn sums it
up). Ours is `Trainer.run()` as the app runs it, with the gradients' norm, the search for what is not finite, and an
event per step; evaluations are off. The others:

    torch     eager, `torch.optim.Adam(fused=True)`, `index_select`, `loss.item()`
    jax       one jitted function from the row numbers to the cost, buffers donated, the data held by JAX, `float(cost)`
    sklearn   `MLPClassifier.fit`, its time divided by its steps; it has no batch norm

Each system is measured in a fresh process, in rounds A B C D, A B C D, ... so that a slow minute hits all alike.
Ratios are taken within a round; the table shows medians over rounds. Below 1 ours is the faster one.
"""

from __future__ import annotations

import argparse
import functools
import json
import math
import os
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from workbench.data.dataset import Dataset, Task, one_hot
from workbench.data.splits import Splits
from workbench.engine.events import StepTaken
from workbench.engine.trainer import Trainer, Until
from workbench.hyperparameters import Architecture, DataSettings, Hyperparameters
from workbench.randomness import Purpose, generator

EXAMPLES = 8192
SEED = 1
ALPHA, BETA1, BETA2, EPSILON = 1e-3, 0.9, 0.999, 1e-8
BLOCKS = 10
SYSTEMS = ("ours", "torch", "jax", "sklearn")


@dataclass(frozen=True)
class Shape:
    """A network and its batch size."""

    sizes: tuple[int, ...]
    batch_size: int
    batch_norm: bool = False

    @property
    def name(self) -> str:
        return "-".join(map(str, self.sizes)) + f" batch {self.batch_size}" + (" batch norm" if self.batch_norm else "")


SHAPES = tuple(
    Shape(sizes, batch_size, batch_norm)
    for batch_norm in (False, True)
    for sizes, batch_size in (
        ((2, 32, 32, 4), 32),
        ((64, 64, 32, 10), 64),
        ((784, 256, 128, 10), 64),
        ((784, 256, 128, 10), 256),
        ((784, 512, 512, 10), 128),
    )
)


def examples(shape: Shape) -> tuple[np.ndarray, np.ndarray]:
    """X (m, n), normally distributed, and classes (m,) that can be learned: what a random linear map ranks highest."""
    random = generator(SEED, Purpose.DATA)
    X = random.standard_normal((EXAMPLES, shape.sizes[0]), dtype=np.float32)
    return X, (X @ random.standard_normal((shape.sizes[0], shape.sizes[-1]), dtype=np.float32)).argmax(axis=1)


def first_weights(shape: Shape) -> Iterator[np.ndarray]:
    random = generator(SEED, Purpose.INITIALIZATION)
    for n_in, n_out in zip(shape.sizes, shape.sizes[1:], strict=False):
        yield random.standard_normal((n_in, n_out), dtype=np.float32) * np.float32(math.sqrt(2 / n_in))


def orders() -> Iterator[np.ndarray]:
    """The order of each epoch as our engine has it."""
    epoch = 0
    while epoch := epoch + 1:
        yield generator(SEED, Purpose.SHUFFLE, epoch).permutation(EXAMPLES)


def costs_of_ours(shape: Shape) -> Iterator[float]:
    X, labels = examples(shape)
    splits = Splits(
        train=Dataset(X, one_hot(labels, shape.sizes[-1])),
        dev=None, test=None, task=Task.CLASSES, class_names=tuple(map(str, range(shape.sizes[-1]))),
        image_shape=None, feature_names=tuple(map(str, range(shape.sizes[0]))), normalization=None,
    )  # fmt: skip
    architecture = Architecture(hidden=shape.sizes[1:-1], activation="relu", batch_norm=shape.batch_norm)
    hyperparameters = Hyperparameters(
        optimizer="adam", learning_rate=ALPHA, beta1=BETA1, beta2=BETA2, epsilon=EPSILON, batch_size=shape.batch_size,
        keep_prob=(1.0,) * len(architecture.hidden), evaluate_every=10**9,
    )  # fmt: skip
    trainer = Trainer(splits, DataSettings(), architecture, hyperparameters, SEED)
    for event in trainer.run(until=Until(steps=10**9)):
        if type(event) is StepTaken:
            yield event.cost


def costs_of_torch(shape: Shape) -> Iterator[float]:
    import torch
    from torch import nn

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    X, labels = map(torch.from_numpy, examples(shape))
    modules: list[nn.Module] = []
    for W in first_weights(shape):
        hidden = len(modules) < 2 * (len(shape.sizes) - 2) * (1 + shape.batch_norm / 2)
        linear = nn.Linear(*W.shape, bias=not (shape.batch_norm and hidden))
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(W.T))
        modules.append(linear)
        if hidden and shape.batch_norm:
            modules.append(nn.BatchNorm1d(W.shape[1]))
        if hidden:
            modules.append(nn.ReLU())
    network = nn.Sequential(*modules)
    adam = torch.optim.Adam(network.parameters(), lr=ALPHA, betas=(BETA1, BETA2), eps=EPSILON, fused=True)
    cross_entropy = nn.CrossEntropyLoss()
    for order in map(torch.from_numpy, orders()):
        for start in range(0, EXAMPLES, shape.batch_size):
            rows = order[start : start + shape.batch_size]
            cost = cross_entropy(network(X.index_select(0, rows)), labels.index_select(0, rows))
            adam.zero_grad()
            cost.backward()
            adam.step()
            yield cost.item()


def costs_of_jax(shape: Shape) -> Iterator[float]:
    import jax
    import jax.numpy as jnp

    last = len(shape.sizes) - 2
    layers = []
    for i, W in enumerate(first_weights(shape)):
        zeros = np.zeros(W.shape[1], np.float32)
        normalized = shape.batch_norm and i < last
        layers.append({"W": W, "beta": zeros, "gamma": zeros + 1} if normalized else {"W": W, "b": zeros})
    parameters = jax.tree.map(jnp.array, layers)
    moments = (jax.tree.map(jnp.zeros_like, parameters), jax.tree.map(jnp.zeros_like, parameters))
    running = [(jnp.zeros(n), jnp.ones(n)) for n in shape.sizes[1:-1]] if shape.batch_norm else []

    def cost_of(parameters: Any, running: Any, X: Any, labels: Any) -> tuple[Any, Any]:
        A, tracked = X, []
        for i, layer in enumerate(parameters):
            Z = A @ layer["W"]
            if "gamma" in layer:
                mean, var = Z.mean(axis=0), Z.var(axis=0)
                Z = (Z - mean) * (jax.lax.rsqrt(var + 1e-5) * layer["gamma"]) + layer["beta"]
                tracked.append(jax.tree.map(lambda old, new: 0.9 * old + 0.1 * new, running[i], (mean, var)))
            else:
                Z = Z + layer["b"]
            A = jax.nn.relu(Z) if i < last else Z
        logarithms = jax.nn.log_softmax(A)
        return -jnp.take_along_axis(logarithms, labels[:, None], axis=1).mean(), tracked

    @functools.partial(jax.jit, donate_argnums=(0, 1, 2))
    def step(parameters: Any, moments: Any, running: Any, t: Any, X: Any, labels: Any, order: Any, start: Any) -> Any:
        rows = jax.lax.dynamic_slice(order, (start,), (shape.batch_size,))
        (cost, running), gradients = jax.value_and_grad(cost_of, has_aux=True)(parameters, running, X[rows], labels[rows])
        m = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, moments[0], gradients)
        s = jax.tree.map(lambda s, g: BETA2 * s + (1 - BETA2) * g * g, moments[1], gradients)
        root = jnp.sqrt(1 - BETA2**t)
        rate = ALPHA * root / (1 - BETA1**t)
        parameters = jax.tree.map(lambda p, m, s: p - rate * m / (jnp.sqrt(s) + EPSILON * root), parameters, m, s)
        return parameters, (m, s), running, cost

    X, labels = map(jnp.array, examples(shape))
    t = 0
    for order in map(jnp.array, orders()):
        for start in range(0, EXAMPLES, shape.batch_size):
            t += 1
            parameters, moments, running, cost = step(parameters, moments, running, float(t), X, labels, order, start)
            yield float(cost)


def seconds_per_step(costs: Iterator[float], seconds: float) -> float:
    """The median over blocks of steps, after a warm-up. Raises where the cost did not fall."""
    first = next(costs)

    def block(steps: int) -> float:
        started = time.perf_counter()
        for _ in range(steps):
            next(costs)
        return (time.perf_counter() - started) / steps

    block(10)
    steps = 1 + int(seconds / BLOCKS / block(20))
    block(steps)  # the caches and the processor's clock settle
    times = [block(steps) for _ in range(BLOCKS)]
    if not next(costs) < 0.9 * first:
        raise RuntimeError(f"nothing was learned: the first cost was {first:.3g}")
    return statistics.median(times)


def seconds_per_step_of_sklearn(shape: Shape, seconds: float) -> float:
    from sklearn.neural_network import MLPClassifier

    warnings.simplefilter("ignore")  # it warns that it has not converged
    X, labels = examples(shape)

    def fit(epochs: int) -> float:
        """Seconds per step, of which each fit's own start is a small part."""
        network = MLPClassifier(
            shape.sizes[1:-1], activation="relu", solver="adam", alpha=0.0, batch_size=shape.batch_size, random_state=SEED,
            learning_rate_init=ALPHA, beta_1=BETA1, beta_2=BETA2, epsilon=EPSILON,
            max_iter=epochs, tol=0.0, n_iter_no_change=10**9,
        )  # fmt: skip
        started = time.perf_counter()
        network.fit(X, labels)
        return (time.perf_counter() - started) / (epochs * math.ceil(EXAMPLES / shape.batch_size))

    once = fit(1)
    epochs = max(1, round(seconds / 3 / (once * EXAMPLES / shape.batch_size)))
    return statistics.median(fit(epochs) for _ in range(3))


def worker(system: str, seconds: float) -> dict[str, float]:
    """Seconds per step by the name of the shape."""
    sources: dict[str, Callable[[Shape], Iterator[float]]] = {"ours": costs_of_ours, "torch": costs_of_torch, "jax": costs_of_jax}
    if system == "sklearn":
        return {s.name: seconds_per_step_of_sklearn(s, seconds) for s in SHAPES if not s.batch_norm}
    return {s.name: seconds_per_step(sources[system](s), seconds) for s in SHAPES}


def environment(threads: int) -> dict[str, Any]:
    """What the figures depend on: versions, processor, threads, and which kernels NumPy's BLAS has chosen."""
    from importlib.metadata import version

    from threadpoolctl import threadpool_info

    processor = Path("/proc/cpuinfo")
    lines = processor.read_text().splitlines() if processor.exists() else []
    blas = [each for each in threadpool_info() if each["user_api"] == "blas"]
    return {
        "python": sys.version.split()[0],
        "versions": {name: version(name) for name in ("workbench", "numpy", "torch", "jax", "scikit-learn")},
        "processor": next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown"),
        "threads": threads,
        "blas": [f"{each['internal_api']} {each['version']} {each.get('architecture', '')}" for each in blas],
        "set": {key: value for key, value in os.environ.items() if key.startswith(("OPENBLAS_", "MKL_", "OMP_", "XLA_"))},
    }


def measure(rounds: int, seconds: float, threads: int) -> list[dict[str, dict[str, float]]]:
    """Per round: system → shape → seconds per step."""
    limits = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    found: list[dict[str, dict[str, float]]] = []
    for number in range(rounds):
        found.append({})
        for system in SYSTEMS:
            print(f"\rround {number + 1} of {rounds}: {system:8}", end="", file=sys.stderr, flush=True)
            done = subprocess.run(
                [sys.executable, __file__, "--worker", system, "--seconds", str(seconds)],
                env={**os.environ, **limits}, stdout=subprocess.PIPE, text=True, check=True,
            )  # fmt: skip
            found[-1][system] = json.loads(done.stdout)
    print("\r" + " " * 40 + "\r", end="", file=sys.stderr)
    return found


def summarize(rounds: list[dict[str, dict[str, float]]]) -> list[dict[str, Any]]:
    """Per shape: median microseconds of each system, and median ratios, each taken within a round."""
    rows = []
    for shape in SHAPES:
        name = shape.name
        others = [system for system in SYSTEMS[1:] if name in rounds[0][system]]
        ratios = {o: statistics.median(r["ours"][name] / r[o][name] for r in rounds) for o in others}
        fastest = statistics.median(r["ours"][name] / min(r[o][name] for o in others) for r in rounds)
        times = {s: 1e6 * statistics.median(r[s][name] for r in rounds) for s in ("ours", *others)}
        rows.append({"shape": name, "microseconds": times, "ratio": ratios, "ratio_to_fastest": fastest})
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """The figures for people."""
    heads = [*(f"{system} µs" for system in SYSTEMS), *(f"/{system}" for system in SYSTEMS[1:]), "/fastest"]
    lines = [f"{'':37}" + "".join(f"{head:>11}" for head in heads)]
    for row in rows:
        cells = [f"{row['microseconds'][s]:,.0f}" if s in row["microseconds"] else "-" for s in SYSTEMS]
        cells += [f"{row['ratio'][s]:.2f}" if s in row["ratio"] else "-" for s in SYSTEMS[1:]]
        lines.append(f"{row['shape']:37}" + "".join(f"{cell:>11}" for cell in (*cells, f"{row['ratio_to_fastest']:.2f}")))
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Time of one training step against PyTorch, JAX and scikit-learn.")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures here as well")
    parser.add_argument("--seconds", type=float, default=0.3, help="measured per system, shape and round (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=7, help="default: %(default)s")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="for every system (default: %(default)s)")
    parser.add_argument("--worker", choices=SYSTEMS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(worker(options.worker, options.seconds)))
        return
    about = environment(options.threads)
    print(json.dumps(about, indent=2))
    if "OPENBLAS_CORETYPE" in os.environ:
        print("OPENBLAS_CORETYPE is set: it may keep NumPy and scikit-learn, and only them, from the best kernels.")
    rounds = measure(options.rounds, options.seconds, options.threads)
    rows = summarize(rounds)
    print(table(rows))
    if options.json:
        options.json.write_text(json.dumps({"environment": about, "rows": rows, "rounds": rounds}, indent=2) + "\n")


if __name__ == "__main__":
    main()
