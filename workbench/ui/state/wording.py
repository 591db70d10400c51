"""Names and values as people write them."""

from __future__ import annotations

import math

from workbench.hyperparameters import TABLE
from workbench.spec import Value


def symbol(name: str) -> str:
    """The sign of a hyperparameter where there is little room: `α`, `keep.2`, `optimizer`."""
    base, dot, layer = name.partition(".")
    return f"{TABLE[base].symbol or base}{dot}{layer}" if base in TABLE else name


def shown(value: Value) -> str:
    """A value as a person would write it."""
    if isinstance(value, tuple):
        return shown(value[0]) if len(set(value)) == 1 else " ".join(shown(each) for each in value) or "–"
    if isinstance(value, bool) or not isinstance(value, float):
        return str(value)
    if value and math.isfinite(value) and not 1e-3 <= abs(value) < 1e5:
        mantissa, _, exponent = f"{value:.5e}".partition("e")
        return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
    return f"{value:.6g}"
