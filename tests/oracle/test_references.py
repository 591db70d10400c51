"""The engine's formulas in float64 and float32 against 60 digits by mpmath, where rounding is worst.

An error is counted in ulps: units in the last place of the exact value. Where a formula takes the difference of larger
numbers, the unit is that of those, which a test then says as the `floor`. Limits are some twice of what was measured, because
another build of NumPy may round e^z another way.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from decimal import Decimal, localcontext
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workbench.hyperparameters import TABLE, Hyperparameters
from workbench.nn.activations import ACTIVATIONS
from workbench.nn.batchnorm import BatchNorm
from workbench.nn.ewma import Ewma, smooth
from workbench.nn.initializers import INITIALIZERS
from workbench.nn.losses import SigmoidCrossEntropy, SoftmaxCrossEntropy
from workbench.optim.schedules import learning_rate

FILE = Path(__file__).parent / "references.json"
KINDS: dict[str, type[np.floating[Any]]] = {"float64": np.float64, "float32": np.float32}
Kind = type[np.floating[Any]]

by_type = pytest.mark.parametrize("kind", KINDS)


@cache
def references() -> Any:
    return json.loads(FILE.read_text(encoding="utf-8"))


def ulps(found: Any, exact: str, kind: Kind, floor: float = 0.0) -> float:
    """How far off, in the spacing of numbers of this type at the exact value, or at `floor` where that is larger."""
    value = Decimal(exact)
    with np.errstate(over="ignore"):
        near = kind(float(max(abs(value), Decimal(floor))))
    if not np.isfinite(near) or not np.isfinite(found):
        return 0.0 if found == near else math.inf
    with localcontext(prec=60):
        return float(abs(Decimal(float(found)) - value) / Decimal(float(np.spacing(near))))


def worst(found: Sequence[Any] | np.ndarray, exact: Sequence[str], kind: Kind, floor: float = 0.0) -> float:
    return max(ulps(f, e, kind, floor) for f, e in zip(found, exact, strict=True))


def test_the_references_are_what_mpmath_gives():
    pytest.importorskip("mpmath")
    from references import references as computed
    from references import written

    assert written(computed()) == FILE.read_text(encoding="utf-8")


# Activations


def activation(name: str, kind: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, Any]:
    """z, g(z), g'(z) as the backward pass gives it, and the references."""
    stored, each = references()["activations"][kind], ACTIVATIONS[name]
    Z = np.array([stored["z"]], KINDS[kind])
    kept = Z.copy()
    with np.errstate(all="ignore"):  # as in the loop
        A = each.forward(Z, np.empty_like(Z))
        slope = each.backward(np.ones_like(Z), Z if each.keeps_input else A.copy())
    assert A.dtype == slope.dtype == kept.dtype
    return kept[0], A[0], slope[0], stored[name]


def test_there_are_references_for_every_activation_initializer_and_schedule():
    assert set(references()["activations"]["float64"]) == {"z", *TABLE["activation"].choices}
    assert {each["name"] for each in references()["initializers"]} == set(TABLE["initializer"].choices)
    assert {each["settings"]["schedule"] for each in references()["schedules"]} == set(TABLE["schedule"].choices)


@by_type
@pytest.mark.parametrize(
    "name",
    ["tanh", "relu", "leaky_relu", "elu", "linear", "sigmoid", "silu"],
)
def test_an_activation_is_right_to_the_last_digits_however_far_the_tail(name: str, kind: str):
    _, A, _, exact = activation(name, kind)
    # Next to the least normal number digits go by necessity: σ has few there, and z·σ as few.
    floor = 1e4 * float(np.finfo(KINDS[kind]).tiny) if name in ("sigmoid", "silu") else 0.0
    assert worst(A, exact["value"], KINDS[kind], floor) <= 6


@by_type
def test_gelu_is_right_beside_1_where_its_tail_cancels(kind: str):
    _, A, _, exact = activation("gelu", kind)
    assert worst(A, exact["value"], KINDS[kind], floor=1.0) <= 4


SLOPES = {"silu": 24.0, "gelu": 24.0}
"""In units of a slope of 1; of the others 3. What is multiplied by z there keeps z times the rounding of σ."""


@pytest.mark.parametrize(
    ("name", "kind"),
    [(name, kind) for name in ACTIVATIONS for kind in KINDS],
)
def test_a_slope_is_right_beside_1(name: str, kind: str):
    _, _, slope, exact = activation(name, kind)
    assert worst(slope, exact["slope"], KINDS[kind], floor=1.0) <= SLOPES.get(name, 3.0)


# Losses

smoothed = pytest.mark.parametrize(
    ("kind", "smoothing"),
    [(kind, s) for kind in KINDS for s in (0.0, 0.25)] + [("float32", 0.1), ("float64", 0.1)],
)


@smoothed
def test_softmax_cross_entropy_and_its_gradient(kind: str, smoothing: float):
    # log Σeᶻ is that of the largest plus log of a sum from 1 on, so the unit is 1 or that of the loss.
    loss = SoftmaxCrossEntropy(np.dtype(kind))
    for each in references()["softmax_cross_entropy"][kind]:
        if each["smoothing"] == smoothing:
            Z = np.array([each["z"]], KINDS[kind])
            loss.forward(Z, np.eye(Z.shape[1], dtype=np.float32)[[each["label"]]], smoothing)
            assert ulps(loss.losses[0], each["loss"], KINDS[kind], floor=1.0) <= 4
            assert worst(loss.backward()[0], each["dz"], KINDS[kind], floor=1.0) <= 4


@smoothed
def test_sigmoid_cross_entropy_and_its_gradient(kind: str, smoothing: float):
    # max(z, 0) - z·y cancels where the example is right beyond doubt: the unit is that of z.
    loss = SigmoidCrossEntropy(np.dtype(kind))
    for each in references()["sigmoid_cross_entropy"][kind]:
        if each["smoothing"] == smoothing:
            z = each["z"]
            loss.forward(np.array([[z]], KINDS[kind]), np.array([[each["label"]]], np.float32), smoothing)
            assert ulps(loss.losses[0], each["loss"], KINDS[kind], floor=max(1.0, abs(z))) <= 4
            assert ulps(loss.backward().item(), each["dz"], KINDS[kind], floor=1.0) <= 4


# Batch norm


def normalized(each: Any, kind: Kind) -> tuple[np.ndarray, np.ndarray, dict[str, float]]:
    """Output and gradient of one column, and mean, variance, dγ and dβ by name."""
    gamma, beta, dgamma, dbeta, mean, variance = (np.zeros((1, 1), kind) for _ in range(6))
    gamma[...], beta[...] = each["gamma"], each["beta"]
    norm = BatchNorm(gamma, beta, dgamma, dbeta, mean, variance, each["epsilon"])
    Y = norm.forward(np.array(each["z"], kind)[:, None]).copy()
    dZ = norm.backward(np.array(each["dy"], kind)[:, None])
    statistics = {"mean": mean.item(), "variance": variance.item(), "dgamma": dgamma.item(), "dbeta": dbeta.item()}
    return Y[:, 0], dZ[:, 0], statistics


def off(found: Any, exact: Sequence[str]) -> float:
    return float(np.abs(np.asarray(found, np.float64) - np.array([float(e) for e in exact])).max())


columns = pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind in KINDS for name in ("one to four", "symmetric", "constant 0", "two", "large",
    "one apart", "next to nothing", "far from 0", "farther from 0")]
)  # fmt: skip


@columns
def test_batch_norm_of_a_hard_column(kind: str, name: str):
    # The mean has an error of one unit of the largest z, which all else inherits in units of √(σ²+ε).
    chosen = [each for each in references()["batch_norm"][kind] if each["name"] == name]
    assert len(chosen) == 2
    for each in chosen:
        eps = float(np.finfo(kind).eps)
        largest, root = max(map(abs, each["z"])), float(each["root"])
        hardness = 1 + largest / root
        Y, dZ, statistics = normalized(each, KINDS[kind])
        assert off(Y, each["y"]) <= 4 * eps * hardness
        assert off(dZ, each["dz"]) <= 4 * eps * hardness * each["gamma"] / root
        assert off(statistics["mean"], [each["mean"]]) <= 4 * eps * largest
        unit = root**2 + (eps * largest) * largest  # of (z-μ)², where μ is off by a unit
        assert off(statistics["variance"], [each["variance"]]) <= 4 * eps * unit
        assert off(statistics["dgamma"], [each["dgamma"]]) <= 4 * eps * hardness * np.abs(each["dy"]).sum()
        assert off(statistics["dbeta"], [each["dbeta"]]) <= 4 * eps * np.abs(each["dy"]).sum()


@by_type
@pytest.mark.parametrize("name", ["constant 0", "constant 0.1", "constant 1e4"])
def test_a_constant_column_is_normalized_to_beta(kind: str, name: str):
    for each in references()["batch_norm"][kind]:
        if each["name"] == name:
            Y, _, statistics = normalized(each, KINDS[kind])
            eps = float(np.finfo(kind).eps)
            assert off(Y, each["y"]) <= 4 * eps
            assert off(statistics["dgamma"], [each["dgamma"]]) <= 4 * eps


# Numbers of the loop


def test_the_spread_of_first_weights():
    for each in references()["initializers"]:
        assert ulps(INITIALIZERS[each["name"]](each["n_in"], each["n_out"]), each["std"], np.float64) <= 1


def test_schedules_and_the_warm_up():
    for each in references()["schedules"]:
        h = Hyperparameters(keep_prob=(), **each["settings"])
        assert ulps(learning_rate(h, each["step"], each["epoch"], each["done"]), each["rate"], np.float64) <= 3


@by_type
@pytest.mark.parametrize("number", range(16))
def test_averages_and_the_correction_of_their_bias(kind: str, number: int):
    assert len(references()["averages"]) == 16
    each = references()["averages"][number]
    wave, average = each["wave"], Ewma(np.zeros(1, KINDS[kind]))
    betas = [beta for beta, length in each["runs"] for _ in range(length)]
    for i, beta in enumerate(betas):
        average.update(np.array([wave[i % len(wave)]], KINDS[kind]), beta)
    # A product of β's near 1 has an error of some units of 1, whatever is left of 1 beside it.
    largest, correction = max(map(abs, wave)), float(each["correction"])
    assert ulps(average.value[0], each["value"], KINDS[kind], floor=largest) <= 64
    assert ulps(average.correction, each["correction"], np.float64, floor=1.0) <= 4
    limit = 64 + 4 * np.finfo(np.float64).eps / np.finfo(kind).eps / correction
    assert ulps(average.corrected()[0], each["corrected"], KINDS[kind], floor=largest) <= limit


def test_smoothed_curves():
    for each in references()["curves"]:
        values = np.array([math.nan if value is None else value for value in each["values"]])
        biased, corrected = smooth(values, each["beta"], np.array(each["counts"]))
        assert worst(biased, each["biased"], np.float64, floor=1.0) <= 8
        assert worst(corrected, each["corrected"], np.float64, floor=1.0) <= 8
