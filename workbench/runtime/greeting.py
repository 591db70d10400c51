"""What the engine says of itself before anything else."""

from __future__ import annotations

import dataclasses

import workbench
from workbench.hyperparameters import LIVE
from workbench.optim.optimizers import OPTIMIZERS
from workbench.optim.schedules import SCHEDULES
from workbench.protocol.hello import PROTOCOL, Hello
from workbench.protocol.wire import REQUESTS
from workbench.spec import Spec


def greeting() -> Hello:
    """The protocol that it speaks, the requests that it takes, and the rows that may be edited while it trains."""
    rows = tuple(map(_with_formulas, LIVE.values()))
    return Hello(PROTOCOL, workbench.__version__, tuple(REQUESTS.kinds), rows)


def _with_formulas(row: Spec) -> Spec:
    if row.name == "optimizer":
        return dataclasses.replace(row, formulas=tuple(OPTIMIZERS[name].formula for name in row.choices))
    if row.name == "schedule":
        return dataclasses.replace(row, formulas=tuple(SCHEDULES[name].formula for name in row.choices))
    return row
