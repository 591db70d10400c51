"""The plan of a preset: changes of hyperparameters that it makes by itself, each after so many steps.

Owns the TOML form of `[[plan]]`. A plan is to a preset what edits are to a session: a schedule in pieces, of any live
hyperparameter.
"""

from __future__ import annotations

from typing import Any

from workbench.engine.commands import Planned
from workbench.files.toml import Reader, shown
from workbench.hyperparameters import find
from workbench.spec import Applies, InvalidValue, Spec, UnknownName, Value

MOST_STEPS = 10**12
"""More than any run can come to: the most epochs that there may be, of the most examples, one by one."""


def plan_from(reader: Reader) -> tuple[Planned, ...]:
    """The plan of a preset's table, its problems noted with the reader."""
    found: list[Planned] = []
    for number, each in enumerate(reader.readers("plan"), start=1):
        each.only(("step", "name", "value"))
        step = each.integer("step", 1, MOST_STEPS)
        if found and step < found[-1].step:
            reader.wrong(f"plan[{number}].step", f"{step}: expected at least {found[-1].step}, the step of the one before")
        name = each.text("name", 60)
        spec = live(each, "name", name) if name else None
        if spec is not None:
            found.append(Planned(step, name, value_of(each, "value", spec[0], spec[1])))
    return tuple(found)


def plan_to_tables(plan: tuple[Planned, ...]) -> list[dict[str, Any]]:
    """The TOML form of a plan."""
    return [{"step": each.step, "name": each.name, "value": each.value} for each in plan]


def live(reader: Reader, key: str, name: str) -> tuple[Spec, int | None] | None:
    """The row, and the layer, of a hyperparameter that may change while it trains; any other is noted as a problem."""
    try:
        spec, layer = find(name)
    except UnknownName as error:
        reader.wrong(key, str(error))
        return None
    if spec.applies is Applies.RESET:
        reader.wrong(key, f"{name}: fixed when training starts, so it has no place in a timeline")
    return spec, layer


def value_of(reader: Reader, key: str, spec: Spec, layer: int | None) -> Value:
    """The value under a key in the row's own type; what is wrong is noted as a problem."""
    if key not in reader.table:
        reader.wrong(key, f"missing: expected {spec.expected}")
        return spec.default
    try:
        return check_value(spec, layer, reader.table[key])
    except InvalidValue as error:
        reader.wrong(key, str(error))
        return spec.default


def check_value(spec: Spec, layer: int | None, value: object) -> Value:
    """`value` in the table's own type, for all layers or for one. Raises `InvalidValue`."""
    if layer is not None and isinstance(value, (list, tuple)):
        raise InvalidValue(f"{shown(value)}: expected a single value for one layer")
    try:
        return spec.check(value)
    except InvalidValue:
        raise
    except (ValueError, RecursionError):
        # The table cannot show a number of thousands of digits, or tables nested hundreds deep.
        raise InvalidValue(f"{shown(value)}: expected {spec.expected}") from None
