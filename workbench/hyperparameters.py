"""The one table of hyperparameters: names, symbols, ranges, scales, and what each is for.

The editor, the validator, the command line and the documentation all read this table; nothing else
lists hyperparameters. The table *is* the three dataclasses at the end, one per section of a preset:
each field carries its `Spec`. This module knows nothing of networks, optimizers or files.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar, cast

from workbench.files.errors import suggestion

Scalar = float | int | str | bool
Value = Scalar | tuple[float | int, ...]
Section = TypeVar("Section", "DataSettings", "Architecture", "Hyperparameters")


class Kind(StrEnum):
    """What values of a hyperparameter are."""

    REAL = "number"
    INTEGER = "whole number"
    CHOICE = "choice"
    FLAG = "true or false"


class Scale(StrEnum):
    """On which axis equal steps mean equal effect: x, log x, or log(1 - x)."""

    LINEAR = "linear"
    LOG = "log"
    ONE_MINUS_LOG = "one-minus-log"


class Applies(StrEnum):
    """When an edit takes effect."""

    STEP = "at the next step"
    RESET = "at a new start"


class InvalidValue(ValueError):
    """A value that a hyperparameter cannot take; the message says what was expected."""


class UnknownName(LookupError):
    """A name that is not in the table; the message suggests the nearest that is."""


# Steps of the editor on a logarithmic axis: about ten to a decade, each a number people write.
_TIDY = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)
_NEAREST_TO_ONE = 1e-9
"""How near to 1 the editor's steps go on the scale of 1 - x."""
_RELATIVE = re.compile(r"\s*([x×*/])\s*(.+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """One row of the table.

    `priority` is the course's order of tuning: 1 first (the learning rate), then 2 and 3; 4 is almost never
    tuned. `formulas` say what each of the `choices` computes; whoever knows them fills them in. `per_layer` values are
    tuples, one element for each hidden layer, edited together by `name` or one at a time by `name.LAYER`, counted from 1.
    """

    name: str = ""
    section: str = ""
    symbol: str = ""
    kind: Kind
    default: Value
    low: float = -math.inf
    high: float = math.inf
    low_open: bool = False
    high_open: bool = False
    scale: Scale = Scale.LINEAR
    increment: float = 1.0
    priority: int = 3
    applies: Applies = Applies.STEP
    choices: tuple[str, ...] = ()
    formulas: tuple[str, ...] = ()
    per_layer: bool = False
    zero_is_off: bool = False
    help: str = ""

    @property
    def expected(self) -> str:
        """What values are allowed, as the end of the sentence "expected ..."."""
        if self.kind is Kind.CHOICE:
            return "one of " + ", ".join(self.choices)
        if self.kind is Kind.FLAG:
            return "true or false"
        ends = []
        if self.low != -math.inf:
            ends.append(f"{'above' if self.low_open else 'at least'} {_shown(self.low)}")
        if self.high != math.inf:
            ends.append(f"{'below' if self.high_open else 'at most'} {_shown(self.high)}")
        text = " ".join([f"a {self.kind}", " and ".join(ends)]).strip()
        return f"{text}, or a list of them, one for each hidden layer" if self.per_layer else text

    def check(self, value: object) -> Value:
        """The value in the table's own type, or `InvalidValue`. Whole floats count as whole numbers."""
        if self.per_layer and isinstance(value, (list, tuple)):
            return cast(Value, tuple(self._check_scalar(each) for each in value))
        return self._check_scalar(value)

    def _check_scalar(self, value: object) -> Scalar:
        if self.kind is Kind.CHOICE:
            if isinstance(value, str) and value in self.choices:
                return value
            near = difflib.get_close_matches(value, self.choices, n=1) if isinstance(value, str) else []
            raise self._invalid(value, f"; did you mean {near[0]}?" if near else "")
        if self.kind is Kind.FLAG:
            if isinstance(value, bool):
                return value
            raise self._invalid(value)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self._invalid(value)
        if self.kind is Kind.INTEGER:
            if isinstance(value, float) and not value.is_integer():
                raise self._invalid(value)
            number: float | int = int(value)
        else:
            try:
                number = float(value)
            except OverflowError:
                raise self._invalid(value) from None
        # Written so that NaN fails.
        above = number > self.low if self.low_open else number >= self.low
        below = number < self.high if self.high_open else number <= self.high
        if not (above and below and math.isfinite(number)):
            raise self._invalid(value)
        return number

    def _invalid(self, value: object, more: str = "") -> InvalidValue:
        try:
            shown = repr(value) if isinstance(value, str) else str(value).lower()
        except (ValueError, RecursionError):  # a number of thousands of digits, or lists nested hundreds deep
            shown = "a value too long to show"
        shown = shown if len(shown) <= 60 else shown[:57] + "..."
        return InvalidValue(f"{shown}: expected {self.expected}{more}")

    def parse(self, text: str, current: Value | None = None) -> Value:
        """Read what a person typed: `0.003`, `3e-4`, `adam`, `true`, `64,32`; with `current` also `x0.5` and `/3`."""
        text = text.strip()
        if self.per_layer and ("," in text or text.startswith("[") or not text):
            parts = [part for part in text.strip("[]").split(",") if part.strip()]
            return self.check(tuple(self._parse_scalar(part, None) for part in parts))
        if self.per_layer and isinstance(current, tuple):
            return self.check(tuple(self._parse_scalar(text, each) for each in current))
        scalar = current if not isinstance(current, tuple) else None
        return self.check(self._parse_scalar(text, scalar))

    def _parse_scalar(self, text: str, current: Scalar | None) -> Scalar:
        text = text.strip()
        if self.kind is Kind.CHOICE:
            return text
        if self.kind is Kind.FLAG:
            flags = {"true": True, "on": True, "yes": True, "false": False, "off": False, "no": False}
            if text.lower() not in flags:
                raise self._invalid(text)
            return flags[text.lower()]
        relative = _RELATIVE.fullmatch(text)
        if relative and isinstance(current, (int, float)):
            factor = self._number(relative[2])
            if relative[1] == "/" and factor == 0:
                raise self._invalid(text)
            try:
                result = current / factor if relative[1] == "/" else current * factor
                # x0.1 should give 1e-4, not 1.0000000000000002e-04.
                rounded = float(f"{result:.12g}")
            except OverflowError:
                raise self._invalid(text) from None
            return round(rounded) if self.kind is Kind.INTEGER and math.isfinite(rounded) else rounded
        return self._number(text)

    def _number(self, text: str) -> float | int:
        try:
            return int(text) if self.kind is Kind.INTEGER else float(text)
        except ValueError:
            pass
        try:
            return float(text)
        except ValueError:
            raise self._invalid(text) from None

    def stepped(self, value: Scalar, direction: int) -> Scalar:
        """The next value up (+1) or down (-1) on the hyperparameter's own scale, kept inside its range."""
        if self.kind is Kind.CHOICE:
            return self.choices[(self.choices.index(str(value)) + direction) % len(self.choices)]
        if self.kind is Kind.FLAG:
            return not value
        assert isinstance(value, (int, float))
        if self.kind is Kind.INTEGER:
            # In whole numbers throughout: a seed has more digits than a float.
            halved_or_doubled = int(value) * 2 if direction > 0 else int(value) // 2
            moved: float = halved_or_doubled if self.scale is Scale.LOG else int(value) + direction * int(self.increment)
        elif self.scale is Scale.LOG:
            moved = _next_tidy(value, direction) if value > 0 else (self.increment if direction > 0 else 0.0)
            if self.zero_is_off and direction < 0 and value <= self.increment:
                moved = 0.0
        elif self.scale is Scale.ONE_MINUS_LOG:
            at_the_end = direction > 0 and 1 - value <= _NEAREST_TO_ONE
            moved = value if at_the_end else float(f"{1 - _next_tidy(max(1 - value, _NEAREST_TO_ONE), -direction):.12g}")
        else:
            moved = float(f"{value + direction * self.increment:.12g}")
        clamped = min(max(moved, self.low), self.high)
        try:
            return self._check_scalar(int(clamped) if self.kind is Kind.INTEGER else clamped)
        except InvalidValue:  # an open end
            return value


def _shown(end: float) -> str:
    return f"{end:,}" if isinstance(end, int) else f"{end:,.12g}"


def _next_tidy(x: float, direction: int) -> float:
    exponent = math.floor(math.log10(x))
    grid = [float(f"{m * 10.0 ** (exponent + k):.3g}") for k in (-1, 0, 1) for m in _TIDY]
    tolerance = 1e-9 * x
    if direction > 0:
        return min(g for g in grid if g > x + tolerance)
    return max(g for g in grid if g < x - tolerance)


def _row(**spec: Any) -> Any:
    row = Spec(**spec)
    return dataclasses.field(default=row.default, metadata={"spec": row})


def _real(default: float, **spec: Any) -> Any:
    return _row(kind=Kind.REAL, default=default, **spec)


def _integer(default: int, **spec: Any) -> Any:
    return _row(kind=Kind.INTEGER, default=default, **spec)


def _choice(default: str, *choices: str, **spec: Any) -> Any:
    return _row(kind=Kind.CHOICE, default=default, choices=(default, *choices), **spec)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSettings:
    """Section `[data]` of a preset: which examples, how many, and how they are split."""

    source: str = _choice(
        "digits",
        "spiral",
        "circles",
        "moons",
        "xor",
        "gaussians",
        "regression",
        applies=Applies.RESET,
        help="Where the examples come from: real handwritten digits (UCI), or a synthetic set made from the seed.",
    )
    examples: int = _integer(
        1000,
        symbol="m",
        low=1,
        high=1_000_000,
        scale=Scale.LOG,
        applies=Applies.RESET,
        help="How many examples in all, before the split. The digits have 1,797.",
    )
    classes: int = _integer(
        3,
        symbol="C",
        low=2,
        high=100,
        applies=Applies.RESET,
        help="Number of classes of the spiral and the Gaussians.",
    )
    noise: float = _real(
        0.1,
        low=0,
        high=100,
        increment=0.05,
        applies=Applies.RESET,
        help="Standard deviation of the noise that is added to a synthetic set.",
    )
    dev_fraction: float = _real(
        0.2,
        low=0,
        high=1,
        high_open=True,
        increment=0.05,
        applies=Applies.RESET,
        help="Share of the examples held out as dev set.",
    )
    test_fraction: float = _real(
        0.2,
        low=0,
        high=1,
        high_open=True,
        increment=0.05,
        applies=Applies.RESET,
        help="Share held out as test set. 0 means no test set, which is allowed.",
    )
    normalize: bool = _row(
        kind=Kind.FLAG,
        default=True,
        applies=Applies.RESET,
        help="Subtract μ and divide by σ of the train set, on train, dev and test alike.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """Section `[network]` of a preset: what is fixed when training starts."""

    hidden: tuple[int, ...] = _row(
        kind=Kind.INTEGER,
        default=(64, 32),
        symbol="n[l]",
        low=1,
        high=8192,
        scale=Scale.LOG,
        per_layer=True,
        priority=2,
        applies=Applies.RESET,
        help="Units of each hidden layer; [] is logistic or softmax regression.",
    )
    activation: str = _choice(
        "relu",
        "leaky_relu",
        "tanh",
        "sigmoid",
        "gelu",
        "silu",
        "elu",
        "linear",
        symbol="g",
        priority=3,
        applies=Applies.RESET,
        help="g of the hidden layers, A = g(Z). The output's is chosen by the data: softmax, sigmoid or linear.",
    )
    batch_norm: bool = _row(
        kind=Kind.FLAG,
        default=False,
        priority=3,
        applies=Applies.RESET,
        help="Normalize Z of every hidden layer over the mini-batch, then scale by γ and shift by β; b drops out.",
    )
    initializer: str = _choice(
        "he",
        "xavier",
        "glorot",
        "normal",
        "zeros",
        priority=3,
        applies=Applies.RESET,
        help="Spread of the first weights: He √(2/n_in), Xavier √(1/n_in), Glorot √(2/(n_in+n_out)), normal 0.01, or zeros.",
    )
    initializer_scale: float = _real(
        1.0,
        low=0,
        low_open=True,
        high=1000,
        scale=Scale.LOG,
        priority=3,
        applies=Applies.RESET,
        help="Factor on the initializer's spread. 1.5 over 30 layers explodes, 0.5 vanishes.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Hyperparameters:
    """Section `[training]` of a preset: everything that may be edited while it trains."""

    optimizer: str = _choice(
        "adam",
        "gradient_descent",
        "momentum",
        "nesterov",
        "rmsprop",
        "adamw",
        "adagrad",
        priority=3,
        help="How gradients become updates. Swapped while training, moments of the same meaning are carried over.",
    )
    learning_rate: float = _real(
        1e-3,
        symbol="α",
        low=0,
        low_open=True,
        high=1e30,
        scale=Scale.LOG,
        priority=1,
        help="The base rate α₀; a schedule and the warm-up multiply it. The first thing to tune.",
    )
    beta1: float = _real(
        0.9,
        symbol="β₁",
        low=0,
        high=1,
        high_open=True,
        scale=Scale.ONE_MINUS_LOG,
        priority=2,
        help="Share of the first moment kept at each step: about the last 1/(1-β₁) gradients. Momentum's β.",
    )
    beta2: float = _real(
        0.999,
        symbol="β₂",
        low=0,
        high=1,
        high_open=True,
        scale=Scale.ONE_MINUS_LOG,
        priority=4,
        help="Share of the second moment kept at each step: about the last 1/(1-β₂) squared gradients.",
    )
    epsilon: float = _real(
        1e-8,
        symbol="ε",
        low=0,
        low_open=True,
        high=1,
        scale=Scale.LOG,
        priority=4,
        help="Added outside the root, after the bias correction, so that nothing is divided by zero.",
    )
    batch_size: int = _integer(
        64,
        symbol="batch",
        low=1,
        high=1_000_000,
        scale=Scale.LOG,
        priority=2,
        help="Examples per step: 1 is stochastic, all of them is batch gradient descent. May change at any step.",
    )
    l2: float = _real(
        0.0,
        symbol="λ",
        low=0,
        high=1e6,
        scale=Scale.LOG,
        increment=1e-5,
        zero_is_off=True,
        priority=3,
        help="L2: adds (λ/2)·Σ‖W‖² to the cost, whatever the batch size. Biases, γ and β are left out.",
    )
    l1: float = _real(
        0.0,
        symbol="λ₁",
        low=0,
        high=1e6,
        scale=Scale.LOG,
        increment=1e-6,
        zero_is_off=True,
        priority=3,
        help="L1: adds λ₁·Σ|W| to the cost, which drives weights to zero.",
    )
    weight_decay: float = _real(
        0.01,
        low=0,
        high=1e6,
        scale=Scale.LOG,
        increment=1e-5,
        zero_is_off=True,
        priority=3,
        symbol="decay",
        help="AdamW's decoupled decay: W shrinks by α·decay·W at each step, outside the moments.",
    )
    keep_prob: tuple[float, ...] = _row(
        kind=Kind.REAL,
        default=1.0,
        symbol="keep",
        low=0,
        low_open=True,
        high=1,
        increment=0.05,
        per_layer=True,
        priority=3,
        help="Inverted dropout: the chance that a hidden unit is kept; kept ones are divided by it. 1 is no dropout.",
    )
    schedule: str = _choice(
        "constant",
        "inverse_time",
        "exponential",
        "inverse_sqrt",
        "staircase",
        "cosine",
        priority=3,
        help="How α falls from its base: α₀/(1+rate·epoch), factor^epoch·α₀, k/√epoch·α₀, steps, or a half cosine.",
    )
    decay_rate: float = _real(
        1.0,
        low=0,
        high=1e6,
        scale=Scale.LOG,
        increment=1e-3,
        zero_is_off=True,
        priority=3,
        symbol="rate",
        help="Rate of the inverse-time schedule, α₀/(1 + rate·epoch).",
    )
    decay_factor: float = _real(
        0.95,
        low=0,
        low_open=True,
        high=1,
        scale=Scale.ONE_MINUS_LOG,
        priority=3,
        symbol="factor",
        help="Factor per epoch of the exponential schedule, or per stair of the staircase.",
    )
    decay_every: int = _integer(
        10,
        low=1,
        high=1_000_000,
        priority=3,
        symbol="every",
        help="Epochs on one stair of the staircase schedule.",
    )
    decay_k: float = _real(
        1.0,
        low=0,
        low_open=True,
        high=1e6,
        scale=Scale.LOG,
        priority=3,
        symbol="k",
        help="k of the schedule k/√epoch·α₀.",
    )
    decay_epochs: int = _integer(
        50,
        low=1,
        high=1_000_000,
        scale=Scale.LOG,
        priority=3,
        symbol="over",
        help="Epochs over which the cosine schedule falls.",
    )
    decay_floor: float = _real(
        0.0,
        low=0,
        high=1,
        increment=0.05,
        priority=3,
        symbol="floor",
        help="Share of α₀ that the cosine schedule ends at.",
    )
    warmup_steps: int = _integer(
        0,
        low=0,
        high=1_000_000,
        increment=10,
        priority=3,
        symbol="warm-up",
        help="Steps over which α rises in a straight line from nothing, whatever the schedule. 0 is off.",
    )
    clip_norm: float = _real(
        0.0,
        low=0,
        high=1e30,
        scale=Scale.LOG,
        increment=0.01,
        zero_is_off=True,
        priority=3,
        symbol="clip",
        help="Gradients longer than this (all layers together) are shortened to it. 0 is off.",
    )
    label_smoothing: float = _real(
        0.0,
        low=0,
        high=1,
        high_open=True,
        increment=0.05,
        priority=3,
        symbol="smooth",
        help="Share of each target spread evenly over the classes while training. Evaluations use the plain labels.",
    )
    batchnorm_beta: float = _real(
        0.9,
        symbol="BN β",
        low=0,
        high=1,
        high_open=True,
        scale=Scale.ONE_MINUS_LOG,
        priority=4,
        help="Share of the running mean and variance kept at each step (0.9 is PyTorch's momentum 0.1).",
    )
    batchnorm_epsilon: float = _real(
        1e-5,
        symbol="BN ε",
        low=0,
        low_open=True,
        high=1,
        scale=Scale.LOG,
        priority=4,
        help="ε in √(σ²+ε) of batch norm.",
    )
    epochs: int = _integer(
        30,
        low=1,
        high=1_000_000,
        priority=3,
        increment=10,
        help="Passes through the train set before training stops by itself.",
    )
    evaluate_every: int = _integer(
        0,
        low=0,
        high=1_000_000,
        priority=4,
        increment=50,
        symbol="evaluate",
        help="Steps between evaluations on train and dev; 0 evaluates at the end of each epoch.",
    )
    patience: int = _integer(
        0,
        low=0,
        high=1_000_000,
        priority=3,
        help="Early stopping: evaluations without a better dev cost before training stops and goes back to the best. 0 is off.",
    )
    guard_factor: float = _real(
        10.0,
        low=0,
        high=1e6,
        scale=Scale.LOG,
        increment=1.2,
        zero_is_off=True,
        priority=4,
        symbol="guard k",
        help="The guard stops training where the cost is above k times its average for `guard steps` steps. 0 is off; what is "
        "not finite always stops it.",
    )
    guard_steps: int = _integer(
        10,
        low=1,
        high=100_000,
        priority=4,
        symbol="guard n",
        help="How many steps in a row the cost must be that high.",
    )
    bayes_error: float = _real(
        0.0,
        low=0,
        high=1.0,
        increment=0.005,
        priority=4,
        symbol="Bayes",
        help="The least error that anybody could reach, people or machines: a share of examples, the RMSE of a regression. The "
        "diagnosis measures bias from there; training does not read it.",
    )


SECTIONS: Mapping[str, type] = {"data": DataSettings, "network": Architecture, "training": Hyperparameters}

_SEED = Spec(
    name="seed",
    section="",
    kind=Kind.INTEGER,
    default=1,
    low=0,
    high=2**63 - 1,
    applies=Applies.RESET,
    help="Every random number is a function of it, a purpose and a step or epoch.",
)


def _rows() -> Iterator[Spec]:
    for section, cls in SECTIONS.items():
        for field in dataclasses.fields(cls):
            yield dataclasses.replace(field.metadata["spec"], name=field.name, section=section)
    yield _SEED


TABLE: Mapping[str, Spec] = {row.name: row for row in _rows()}


def find(name: str) -> tuple[Spec, int | None]:
    """The row of `name`, and the layer counted from 1 where it is `name.LAYER`. Raises `UnknownName`."""
    base, dot, layer = name.partition(".")
    spec = TABLE.get(base)
    if spec is None:
        raise UnknownName(f"{name}: no such hyperparameter{suggestion(base, TABLE)}")
    if not dot:
        return spec, None
    if not spec.per_layer or not re.fullmatch("[1-9][0-9]{0,5}", layer):
        raise UnknownName(f"{name}: " + ("expected a layer counted from 1" if spec.per_layer else f"{base} is not per layer"))
    return spec, int(layer)


def get(settings: DataSettings | Architecture | Hyperparameters, name: str) -> Value:
    """The value that `name` (or `name.LAYER`) has in its section."""
    spec, layer = find(name)
    value = getattr(settings, spec.name)
    return cast(Value, value if layer is None else value[layer - 1])


def assign(settings: Section, name: str, value: Value) -> Section:
    """A copy of the section with one value changed. `value` must have been checked.

    A single value given for a per-layer hyperparameter goes to every layer that the section has.
    Raises `InvalidValue` where a list's length or a layer's number does not fit.
    """
    spec, layer = find(name)
    new: Any = value
    if spec.per_layer and (layer is not None or spec.applies is Applies.STEP):
        present: Any = getattr(settings, spec.name)
        layers = len(present) if isinstance(present, tuple) else 0
        if layer is not None:
            if isinstance(value, tuple):
                raise InvalidValue(f"{len(value)} values: expected a single value for one layer")
            if layer > layers:
                raise InvalidValue(f"layer {layer}: the network has {layers} hidden layers")
            start: int = layer - 1
            new = (*present[:start], value, *present[start + 1 :])
        elif not isinstance(value, tuple):
            new = (value,) * layers
        elif len(value) != layers:
            raise InvalidValue(f"{len(value)} values: the network has {layers} hidden layers")
    elif spec.per_layer and not isinstance(value, tuple):
        new = (value,)
    return dataclasses.replace(settings, **{spec.name: new})


def conflicts(data: DataSettings, network: Architecture, training: Hyperparameters) -> list[tuple[str, str]]:
    """What does not go together, as pairs of `section.key` and what was expected."""
    found = []
    if data.dev_fraction + data.test_fraction >= 1:
        found.append(("data.dev_fraction", "dev and test fractions must leave something to train on (their sum is not below 1)"))
    if network.batch_norm and not network.hidden:
        found.append(("network.batch_norm", "batch norm is applied to hidden layers, and there are none"))
    if network.batch_norm and training.batch_size == 1:
        found.append(
            ("training.batch_size", "1: expected at least 2 with batch norm, because a mini-batch of one has no variance")
        )
    if len(network.hidden) > 200:
        found.append(("network.hidden", "expected at most 200 hidden layers"))
    if 0 < training.guard_factor <= 1:
        found.append(("training.guard_factor", "expected 0, which is off, or above 1: an average cost is no reason to stop"))
    if data.source == "regression" and training.label_smoothing:
        found.append(("training.label_smoothing", "a regression has no classes to smooth"))
    return found
