"""Which settings of [data] each source heeds, of those that not all do. Known without the sources, so that reading a preset,
a session or a trained network loads none of them.
"""

from __future__ import annotations

from collections.abc import Mapping

_NOISE = frozenset({"noise"})
_CLASSES = frozenset({"classes", "noise"})

USES: Mapping[str, frozenset[str]] = {
    "digits": frozenset(),
    "spiral": _CLASSES,
    "circles": _NOISE,
    "moons": _NOISE,
    "xor": _NOISE,
    "gaussians": _CLASSES,
    "regression": _NOISE,
}
