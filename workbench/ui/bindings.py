"""Every binding that has an id, with what it does: what the user's file of keys may change."""

from __future__ import annotations

from textual.binding import Binding

from workbench.ui.screens.training import TrainingScreen
from workbench.ui.screens.viewing import PANELS


def described() -> dict[str, str]:
    """The description of each binding of the training screen and its panels, by id."""
    found: dict[str, str] = {}
    for kind in (*reversed(TrainingScreen.__mro__), *(each for panel in PANELS for each in reversed(panel.__mro__))):
        for binding in vars(kind).get("BINDINGS", ()):
            if isinstance(binding, Binding) and binding.id and kind.__module__.startswith("workbench."):
                found[binding.id] = binding.tooltip or binding.description
    return found
