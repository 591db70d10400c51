"""What a row of a table of hyperparameters is: its values, range, scale, and how it is checked, read and stepped.

Knows nothing of which hyperparameters there are, nor of networks, optimizers or files.
"""

from __future__ import annotations

import difflib
import math
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import cast

Scalar = float | int | str | bool
Value = Scalar | tuple[float | int, ...]


class Kind(StrEnum):
    """What values of a hyperparameter are.

    Texts and paths are for what only a user's own data can say: the file it is in, the column that is the target. An empty
    one says that none is named; whether one must be is for the whole section to say.
    """

    REAL = "number"
    INTEGER = "whole number"
    CHOICE = "choice"
    FLAG = "true or false"
    TEXT = "text"
    PATH = "path"


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
# By Unicode category. A lone surrogate has no place in UTF-8, so it could be neither saved nor sent; a column may be called
# anything else, a file whose name breaks a line may not be named.
_REFUSED: Mapping[Kind, tuple[tuple[str, str], ...]] = {
    Kind.TEXT: (("Cs", "in UTF-8"),),
    Kind.PATH: (("Cs", "in UTF-8"), ("Cc", "without control characters")),
}
_RELATIVE = re.compile(r"\s*([x×*/])\s*(.+)")


@dataclass(frozen=True, slots=True)
class Search:
    """From where to where a random search draws a number, and on which axis it draws evenly. Both ends can be drawn."""

    low: float
    high: float
    scale: Scale


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """One row of the table.

    `priority` is the course's order of tuning: 1 first (the learning rate), then 2 and 3; 4 is almost never
    tuned. `per_layer` values are tuples, one element for each hidden layer, edited together by `name` or
    one at a time by `name.LAYER`, counted from 1. `longest` is how many characters a text or a path may have.
    `sources` are the sources of examples that use the row; with none named, all do. `formulas` say what each of the `choices`
    computes; whoever knows them fills them in.

    `low` and `high` are what is legal, `search` is the part of it where good values are found: α may be 1e30, and nobody looks
    for it above 1. None for what is not searched for, and for choices and flags, all of which can be drawn. Raises
    `ValueError` where the one does not lie within the other.
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
    longest: int = 200
    search: Search | None = None
    sources: frozenset[str] = frozenset()
    help: str = ""

    def __post_init__(self) -> None:
        if self.search is None:
            return
        low, high, scale = self.search.low, self.search.high, self.search.scale
        if self.kind not in (Kind.REAL, Kind.INTEGER) or not low < high:
            raise ValueError(f"a search of a {self.kind} from {low} to {high}")
        if (scale is Scale.LOG and low <= 0) or (scale is Scale.ONE_MINUS_LOG and high >= 1):
            raise ValueError(f"a search from {low} to {high} has no {scale} scale")
        self._check_scalar(low)
        self._check_scalar(high)

    @property
    def expected(self) -> str:
        """What values are allowed, as the end of the sentence "expected ..."."""
        if self.kind is Kind.CHOICE:
            return "one of " + ", ".join(self.choices)
        if self.kind is Kind.FLAG:
            return "true or false"
        if self.kind is Kind.TEXT:
            return "a text"
        if self.kind is Kind.PATH:
            return "the path of a file"
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
        if self.kind in _REFUSED:
            return self._check_text(value)
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

    def _check_text(self, value: object) -> str:
        if not isinstance(value, str):
            raise self._invalid(value)
        if len(value) > self.longest:
            raise self._invalid(value, f", no longer than {self.longest:,} characters")
        categories = set(map(unicodedata.category, value))
        for refused, wanted in _REFUSED[self.kind]:
            if refused in categories:
                raise self._invalid(value, f", {wanted}")
        return value

    def _invalid(self, value: object, more: str = "") -> InvalidValue:
        try:
            shown = repr(value) if isinstance(value, str) else str(value).lower()
        except (ValueError, RecursionError):  # a number of thousands of digits, or lists nested hundreds deep
            shown = "a value too long to show"
        shown = shown if len(shown) <= 60 else shown[:57] + "..."
        return InvalidValue(f"{shown}: expected {self.expected}{more}")

    def parse(self, text: str, current: Value | None = None) -> Value:
        """Read what a person typed: `0.003`, `3e-4`, `adam`, `true`, `64,32`; with `current` also `x0.5` and `/3`.

        Spaces at the ends are not part of it, of a text neither.
        """
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
        if self.kind is Kind.CHOICE or self.kind in _REFUSED:
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
        """The next value up (+1) or down (-1) on the hyperparameter's own scale, kept inside its range.

        A text or a path has no next one, and stays.
        """
        if self.kind is Kind.CHOICE:
            return self.choices[(self.choices.index(str(value)) + direction) % len(self.choices)]
        if self.kind is Kind.FLAG:
            return not value
        if self.kind in _REFUSED:
            return value
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
