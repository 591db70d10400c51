"""How a row of the table is written: as a field of a dataclass that carries its `Spec`."""

from __future__ import annotations

import dataclasses
from typing import Any

from workbench.spec import Kind, Scale, Search, Spec


def row(*, search: tuple[float, float] | None = None, scale: Scale = Scale.LINEAR, **spec: Any) -> Any:
    """A field with its row. What is searched is drawn on the row's own scale."""
    specified = Spec(scale=scale, search=search and Search(*search, scale), **spec)
    return dataclasses.field(default=specified.default, metadata={"spec": specified})


def real(default: float, **spec: Any) -> Any:
    """A number."""
    return row(kind=Kind.REAL, default=default, **spec)


def integer(default: int, **spec: Any) -> Any:
    """A whole number."""
    return row(kind=Kind.INTEGER, default=default, **spec)


def choice(default: str, *choices: str, **spec: Any) -> Any:
    """One of a few words."""
    return row(kind=Kind.CHOICE, default=default, choices=(default, *choices), **spec)
