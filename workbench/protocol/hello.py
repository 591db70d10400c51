"""The greeting: the first report on every connection, before the engine has read anything.

From it a client knows whether it can talk to this engine, what the engine can do, and what may be edited while it trains.
"""

from __future__ import annotations

from dataclasses import dataclass

from workbench.spec import Spec

PROTOCOL = 1
"""Another number is another language: a client that does not know it hangs up."""


@dataclass(frozen=True, slots=True)
class Hello:
    """Who speaks.

    Attributes:
        protocol: `PROTOCOL` of the engine.
        workbench: its version.
        capabilities: the names of the requests that it takes.
        rows: the hyperparameters that it takes live edits of, in the order of the table.
    """

    protocol: int
    workbench: str
    capabilities: tuple[str, ...]
    rows: tuple[Spec, ...]
