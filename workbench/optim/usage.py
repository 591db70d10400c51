"""Which hyperparameters the present choice of optimizer and schedule reads, so that no edit is silently without effect."""

from __future__ import annotations

from workbench.hyperparameters import Hyperparameters
from workbench.optim.optimizers import OPTIMIZERS
from workbench.optim.schedules import SCHEDULES

_BY_OPTIMIZER = frozenset().union(*(each.uses for each in OPTIMIZERS.values()))
_BY_SCHEDULE = frozenset().union(*(each.uses for each in SCHEDULES.values()))


def unused_because(name: str, h: Hyperparameters, batch_norm: bool) -> str | None:
    """Why an edit of `name` would have no effect for now, or None where it has one."""
    if name in _BY_OPTIMIZER and name not in OPTIMIZERS[h.optimizer].uses:
        return f"not used by {h.optimizer}"
    if name in _BY_SCHEDULE and name not in SCHEDULES[h.schedule].uses:
        return f"not used by the {h.schedule} schedule"
    if name in ("batchnorm_beta", "batchnorm_epsilon") and not batch_norm:
        return "the network has no batch norm"
    if name == "guard_steps" and not h.guard_factor:
        return "the guard looks only for what is not finite"
    return None
