"""The types of arrays, for annotations, without NumPy.

A module of values names them and loads no NumPy by that; `isinstance` with one of them tells an array of that kind of
numbers, of any shape and width, from everything else.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Vector = NDArray[np.floating]
else:

    class _OfKind(type):
        """What has no NumPy loaded can have no array."""

        def __instancecheck__(cls, value: object) -> bool:
            numpy = sys.modules.get("numpy")
            return numpy is not None and isinstance(value, numpy.ndarray) and value.dtype.kind == cls.kind

    class Floats(metaclass=_OfKind):
        """Numbers with a fraction, float64."""

        kind = "f"

    class Ints(metaclass=_OfKind):
        """Whole numbers, int64."""

        kind = "i"

    class Vector(metaclass=_OfKind):
        """Numbers with a fraction, in the width that they were computed with."""

        kind = "f"
