"""The one table of hyperparameters: names, symbols, ranges, scales, and what each is for.

The editor, the validator, the command line and the documentation all read this table; nothing else lists hyperparameters.
The table *is* three dataclasses, one per section of a preset and one module each: each field carries its `Spec`. Knows
nothing of networks, optimizers or files.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar, cast

from workbench.files.errors import suggestion
from workbench.hyperparameters.data import SOURCES, DataSettings
from workbench.hyperparameters.network import Architecture
from workbench.hyperparameters.training import Hyperparameters
from workbench.spec import Applies, InvalidValue, Kind, Spec, UnknownName, Value

__all__ = [
    "LIVE",
    "SECTIONS",
    "SOURCES",
    "TABLE",
    "Architecture",
    "DataSettings",
    "Hyperparameters",
    "assign",
    "conflicts",
    "find",
    "get",
    "unused",
]

Section = TypeVar("Section", DataSettings, Architecture, Hyperparameters)

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
LIVE: Mapping[str, Spec] = {row.name: row for row in TABLE.values() if row.applies is Applies.STEP}
"""Those that can be edited while it trains."""


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


def unused(data: DataSettings) -> list[str]:
    """The settings of `[data]` that its source has no use for."""
    return [row.name for row in TABLE.values() if row.sources and data.source not in row.sources]


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
