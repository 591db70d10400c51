"""The spread of the first weights.

Standard deviations of a normal distribution, each multiplied by a scale factor:

    he       √(2 / n_in)             He et al. 2015, equation 10; keeps the variance of ReLU layers
    xavier   √(1 / n_in)             the course's form for tanh, LeCun 1998
    glorot   √(2 / (n_in + n_out))   Glorot and Bengio 2010, equation 12
    normal   0.01                    small, the same for every layer
    zeros    0                       every unit of a layer stays the same: what not to do
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

INITIALIZERS: Mapping[str, Callable[[int, int], float]] = {
    "he": lambda n_in, n_out: math.sqrt(2.0 / n_in),
    "xavier": lambda n_in, n_out: math.sqrt(1.0 / n_in),
    "glorot": lambda n_in, n_out: math.sqrt(2.0 / (n_in + n_out)),
    "normal": lambda n_in, n_out: 0.01,
    "zeros": lambda n_in, n_out: 0.0,
}
