"""Write what formulas give in 60 digits into `references.json`, with which the engine's float64 and float32 are compared.

    pip install -e '.[oracle]'
    python tests/oracle/references.py

Inputs are numbers that the type has exactly; what comes out is text of 30 digits. The formulas are written as mathematics has
them, in forms that cancel nothing. To be run anew where a case is added; `test_references.py` says whether the file is still
what this gives.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mpmath import mp, mpf

FILE = Path(__file__).parent / "references.json"
DIGITS, KEPT = 60, 30
VANISHED = "1e-400"
"""What is smaller is less than any number of either type, and is written as 0."""
TYPES: dict[str, type[np.floating]] = {"float64": np.float64, "float32": np.float32}

NEAR = (1e-300, 1e-45, 1e-38, 1e-30, 1e-16, 1e-8, 1e-4, 0.01, 0.1, 0.3, 0.5, 1.0, 1.7, 2.0, 3.0, 5.0, 6.0, 8.0, 10.0, 13.0)
FAR = (17.0, 18.0, 20.0, 25.0, 30.0, 36.0, 37.0, 40.0, 50.0, 87.0, 88.0, 100.0, 103.0, 700.0, 745.0, 1e3, 1e5, 1e10, 1e30)
POINTS = (0.0, *(sign * z for z in (*NEAR, *FAR) for sign in (1, -1)))


def _sigmoid(z: Any) -> Any:
    return 1 / (1 + mp.exp(-z)) if z >= 0 else mp.exp(z) / (1 + mp.exp(z))


def _gelu(z: Any) -> Any:
    """½z(1 + tanh u) = z·σ(2u) with u = √(2/π)(z + 0.044715z³)."""
    return z * _sigmoid(2 * _gelu_inner(z))


def _gelu_inner(z: Any) -> Any:
    return mp.sqrt(2 / mp.pi) * (z + mpf("0.044715") * z**3)


def _gelu_slope(z: Any) -> Any:
    u, inner = _gelu_inner(z), mp.sqrt(2 / mp.pi) * (1 + 3 * mpf("0.044715") * z**2)
    return _sigmoid(2 * u) + z * 2 * inner * _sigmoid(2 * u) * _sigmoid(-2 * u)


ACTIVATIONS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "sigmoid": (_sigmoid, lambda z: _sigmoid(z) * _sigmoid(-z)),
    "tanh": (mp.tanh, lambda z: mp.sech(z) ** 2),
    "relu": (lambda z: max(z, mpf(0)), lambda z: mpf(z > 0)),
    "leaky_relu": (lambda z: z if z > 0 else mpf("0.01") * z, lambda z: mpf(1) if z > 0 else mpf("0.01")),
    "elu": (lambda z: z if z > 0 else mp.expm1(z), lambda z: mpf(1) if z > 0 else mp.exp(z)),
    "silu": (lambda z: z * _sigmoid(z), lambda z: _sigmoid(z) + z * _sigmoid(z) * _sigmoid(-z)),
    "gelu": (_gelu, _gelu_slope),
    "linear": (lambda z: z, lambda z: mpf(1)),
}


def _digits(value: Any) -> str:
    return "0" if abs(value) < mpf(VANISHED) else mp.nstr(value, KEPT, strip_zeros=True)


def _exact(values: Sequence[float], kind: type[np.floating]) -> list[float]:
    """As that type has them, each once; float64 has every float32 exactly."""
    with np.errstate(under="ignore"):
        return list(dict.fromkeys(float(kind(value)) for value in values))


def activations(kind: type[np.floating]) -> dict[str, Any]:
    z = _exact(POINTS, kind)
    found: dict[str, Any] = {"z": z}
    for name, (value, slope) in ACTIVATIONS.items():
        found[name] = {"value": [_digits(value(mpf(each))) for each in z], "slope": [_digits(slope(mpf(each))) for each in z]}
    return found


LOGITS = (
    (5.0, 2.0, -1.0, 3.0), (1000.0, 1001.0, 1002.0), (1e8, 1e8), (0.0, -40.0, -80.0), (1e-8, -1e-8, 0.0), (1e30, -1e30, 0.0),
    (-745.0, -700.0, -750.0), (0.1, 0.2, 0.3), (17.0, -17.0, 17.5, 16.25), (1e-30, 0.0, -1e-30, 1e-20), (88.0, 0.0, -88.0),
)  # fmt: skip
SMOOTHING = (0.0, 0.25, 0.1)


def softmax_cross_entropy(kind: type[np.floating]) -> list[dict[str, Any]]:
    """The loss is log Σeᶻ - Σy·z, for each class in turn; targets are smoothed to (1-s)·y + s/C."""
    found = []
    for logits in LOGITS:
        z = [float(kind(each)) for each in logits]
        Z = [mpf(each) for each in z]
        total = mp.fsum(mp.exp(each - max(Z)) for each in Z)
        for smoothing in SMOOTHING:
            for label in range(len(z)):
                s, C = mpf(smoothing), len(z)
                Y = [(1 - s) * (c == label) + s / C for c in range(C)]
                # log Σeᶻ - Σy·z without its largest parts, which cancel: Σy is 1.
                loss = mp.log1p(total - 1) - mp.fsum(y * (each - max(Z)) for y, each in zip(Y, Z, strict=True))
                dz = [mp.exp(each - max(Z)) / total - y for y, each in zip(Y, Z, strict=True)]
                found.append(
                    {"z": z, "label": label, "smoothing": smoothing, "loss": _digits(loss), "dz": [_digits(each) for each in dz]}
                )
    return found


def sigmoid_cross_entropy(kind: type[np.floating]) -> list[dict[str, Any]]:
    """The loss is log(1 + eᶻ) - y·z = y·log(1 + e⁻ᶻ) + (1-y)·log(1 + eᶻ)."""
    found = []
    for z in _exact([*POINTS, 1e8, -1e8], kind):
        for smoothing in SMOOTHING:
            for label in (0, 1):
                Z, s = mpf(z), mpf(smoothing)
                y = (1 - s) * label + s / 2
                loss = y * _softplus(-Z) + (1 - y) * _softplus(Z)
                dz = _sigmoid(Z) - y if y != 1 else -_sigmoid(-Z)
                found.append({"z": z, "label": label, "smoothing": smoothing, "loss": _digits(loss), "dz": _digits(dz)})
    return found


def _softplus(z: Any) -> Any:
    return max(z, mpf(0)) + mp.log1p(mp.exp(-abs(z)))


COLUMNS: dict[str, tuple[float, ...]] = {
    "one to four": (1.0, 2.0, 3.0, 4.0),
    "symmetric": (-3.0, -1.0, 0.0, 0.0, 1.0, 3.0, 2.0, -2.0, 0.5, -0.5),
    "constant 0": (0.0,) * 10,
    "constant 0.1": (0.1,) * 10,
    "constant 1e4": (1e4,) * 14,
    "far from 0": tuple(1e4 + each / 4 for each in range(10)),
    "farther from 0": tuple(1e6 + each * each / 8 for each in range(7)),
    "next to nothing": tuple(1e-12 * each for each in range(10)),
    "large": tuple(1e8 * (each - 3.3) ** 3 for each in range(10)),
    "one apart": (*(0.0,) * 12, 1000.0),
    "two": (0.7, -0.2),
}
GAMMA, BETA = 1.25, -0.5
EPSILONS = (1e-5, 1e-3)


def batch_norm(kind: type[np.floating]) -> list[dict[str, Any]]:
    """Ioffe and Szegedy 2015, algorithm 1 and the gradients below it, written over the rows."""
    found = []
    for name, column in COLUMNS.items():
        for epsilon in EPSILONS:
            z = [float(kind(each)) for each in column]
            dy = [float(kind(math.sin(1 + i))) for i in range(len(z))]
            Z, dY, m = [mpf(each) for each in z], [mpf(each) for each in dy], len(z)
            mean = mp.fsum(Z) / m
            biased = mp.fsum((each - mean) ** 2 for each in Z) / m
            root = mp.sqrt(biased + mpf(epsilon))
            normalized = [(each - mean) / root for each in Z]
            dgamma = mp.fsum(d * n for d, n in zip(dY, normalized, strict=True))
            dbeta = mp.fsum(dY)
            dz = [GAMMA / root * (d - dbeta / m - n * dgamma / m) for d, n in zip(dY, normalized, strict=True)]
            found.append(
                {
                    "name": name, "epsilon": epsilon, "z": z, "dy": dy, "gamma": GAMMA, "beta": BETA,
                    "mean": _digits(mean), "variance": _digits(biased * m / (m - 1)), "root": _digits(root),
                    "y": [_digits(mpf(GAMMA) * each + mpf(BETA)) for each in normalized], "dz": [_digits(each) for each in dz],
                    "dgamma": _digits(dgamma), "dbeta": _digits(dbeta),
                }
            )  # fmt: skip
    return found


def initializers() -> list[dict[str, Any]]:
    spreads: dict[str, Callable[[int, int], Any]] = {
        "he": lambda n_in, n_out: mp.sqrt(mpf(2) / n_in),
        "xavier": lambda n_in, n_out: mp.sqrt(mpf(1) / n_in),
        "glorot": lambda n_in, n_out: mp.sqrt(mpf(2) / (n_in + n_out)),
        "normal": lambda n_in, n_out: mpf("0.01"),
        "zeros": lambda n_in, n_out: mpf(0),
    }
    sizes = ((1, 1), (2, 7), (3, 1), (64, 32), (784, 10), (8192, 8191))
    return [
        {"name": name, "n_in": n_in, "n_out": n_out, "std": _digits(spread(n_in, n_out))}
        for name, spread in spreads.items()
        for n_in, n_out in sizes
    ]


def schedules() -> list[dict[str, Any]]:
    """α of the course's formulas; the warm-up is a straight line to the full rate."""
    alpha, rate, factor, k, floor, every, over, warmup = 0.2, 1.0, 0.95, 1.5, 0.05, 10, 50, 100
    found = []
    for step, epoch, done in ((1, 1, 0.0), (7, 2, 1.25), (99, 3, 2.9375), (100, 4, 3.0), (5000, 47, 46.875), (9999, 200, 199.5)):
        warm = min(mpf(step) / warmup, mpf(1))
        share = min(mpf(done) / over, mpf(1))
        factors = {
            "constant": mpf(1),
            "inverse_time": 1 / (1 + mpf(rate) * epoch),
            "exponential": mpf(factor) ** epoch,
            "inverse_sqrt": mpf(k) / mp.sqrt(epoch),
            "staircase": mpf(factor) ** ((epoch - 1) // every),
            "cosine": mpf(floor) + (1 - mpf(floor)) * (1 + mp.cos(mp.pi * share)) / 2,
        }
        settings = {
            "learning_rate": alpha, "decay_rate": rate, "decay_factor": factor, "decay_k": k, "decay_floor": floor,
            "decay_every": every, "decay_epochs": over, "warmup_steps": warmup,
        }  # fmt: skip
        for name, value in factors.items():
            where = {"step": step, "epoch": epoch, "done": done}
            found.append({"settings": {"schedule": name, **settings}, **where, "rate": _digits(mpf(alpha) * value * warm)})
    return found


RUNS: tuple[tuple[tuple[float, int], ...], ...] = (
    ((0.9, 1),), ((0.9, 10),), ((0.999, 1000),), ((0.9999999, 100),), ((0.9, 10), (0.99, 20)), ((0.99, 5000),), ((0.0, 3),),
    ((0.5, 1), (0.999, 1), (0.0, 1), (0.9, 1)),
)  # fmt: skip
"""β's, each with the number of observations for which it was in force."""
WAVES = ((1.0,), (3.0, -1.5, 0.25, 1e3, -40.0, 0.0, 1e-3))


def averages() -> list[dict[str, Any]]:
    """Exponentially weighted averages of what was seen, over and over: each weighs (1-β) and all β's after it."""
    found = []
    for runs in RUNS:
        for wave in WAVES:
            betas = [mpf(beta) for beta, length in runs for _ in range(length)]
            seen = [mpf(wave[i % len(wave)]) for i in range(len(betas))]
            value, product = mpf(0), mpf(1)
            for beta, each in zip(reversed(betas), reversed(seen), strict=True):
                value += (1 - beta) * product * each
                product *= beta
            shown = {"value": _digits(value), "correction": _digits(1 - product), "corrected": _digits(value / (1 - product))}
            found.append({"runs": runs, "wave": wave, **shown})
    return found


def curves() -> list[dict[str, Any]]:
    """A smoothed curve: a value that stands for several is taken in as often, and one that is not finite is not."""
    values = [1.0, 3.0, 2.0, math.inf, 0.5, 100.0, -1.0, math.nan, 1e-3, 2.5]
    found = []
    for beta in (0.0, 0.5, 0.9, 0.98):
        for counts in ([1] * len(values), [1, 2, 4, 4, 64, 1, 3, 1, 1000, 2]):
            v, product, biased, corrected = mpf(0), mpf(1), [], []
            for value, count in zip(values, counts, strict=True):
                for _ in range(count if math.isfinite(value) else 0):
                    v, product = mpf(beta) * v + (1 - mpf(beta)) * mpf(value), product * mpf(beta)
                biased.append(_digits(v))
                corrected.append(_digits(v / (1 - product)))
            shown = [None if not math.isfinite(each) else each for each in values]
            found.append({"values": shown, "beta": beta, "counts": counts, "biased": biased, "corrected": corrected})
    return found


def references() -> dict[str, Any]:
    """All of them."""
    mp.dps = DIGITS
    by_type = (activations, softmax_cross_entropy, sigmoid_cross_entropy, batch_norm)
    found: dict[str, Any] = {make.__name__: {name: make(kind) for name, kind in TYPES.items()} for make in by_type}
    return {**found, "initializers": initializers(), "schedules": schedules(), "averages": averages(), "curves": curves()}


def main() -> None:
    """Write the file, a line for each entry."""
    FILE.write_text(written(references()), encoding="utf-8")
    print(f"{FILE.name}: {FILE.stat().st_size:,} bytes")


def written(found: dict[str, Any]) -> str:
    """As the file has it."""
    return json.dumps(found, indent=None, separators=(",", ":")).replace("},{", "},\n{").replace('},"', '},\n"') + "\n"


if __name__ == "__main__":
    main()
