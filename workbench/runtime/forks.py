"""What-if: the same run trained on from one place with different hyperparameters, each fork in an engine of its own.

Every fork begins with the content of one export, so no folder and no path is shared. All see the same mini-batches and
dropout masks, because those are functions of the seed and the step.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from workbench.engine.commands import SetHyperparameter
from workbench.engine.events import Diverged, Finished, StoppedEarly
from workbench.protocol.reports import Exported, RateFound, Refused, Report
from workbench.protocol.requests import Begin, FindRate, Repeat, Request, RunTo
from workbench.runtime.connection import EngineConnection, EngineDied

Changes = tuple[SetHyperparameter, ...]
Listener = Callable[[int, int, Report], None]
"""Told each report with the number of the fork and that of the repeat, from 0."""
ENDS = (Finished, Diverged, StoppedEarly)


async def train(exported: Exported, forks: list[Changes], to_step: int, listen: Listener, repeats: int = 1) -> None:
    """Train every fork of a place to a step, as many at once as there are cores. Cancelled, it leaves no process.

    The first time on the mini-batches and dropout masks of the run itself; each further one of `repeats` on others, the same
    for all forks. A fork that could not be trained is heard of as `Refused`.
    """
    slots = asyncio.Semaphore(os.cpu_count() or 1)

    async def one(number: int, changes: Changes, repeat: int) -> None:
        async with slots:
            anew = (Repeat(repeat),) if repeat else ()
            requests: tuple[Request, ...] = (_beginning(exported), *anew, *changes, RunTo(to_step))
            await converse(requests, (*ENDS, Refused), lambda report: listen(number, repeat, report))

    async with asyncio.TaskGroup() as group:
        for repeat in range(repeats):
            for number, changes in enumerate(forks):
                group.create_task(one(number, changes, repeat))


async def find_rate(exported: Exported, request: FindRate, listen: Callable[[Report], None]) -> None:
    """Try learning rates from a place. What goes wrong is heard of as `Refused`."""
    await converse((_beginning(exported), request), (RateFound, Refused), listen)


def _beginning(exported: Exported) -> Begin:
    return Begin(exported.session, "", "", paused=True, checkpoint=exported.checkpoint)


async def converse(requests: tuple[Request, ...], last: tuple[type, ...], listen: Callable[[Report], None]) -> None:
    """Give an engine of its own some requests and hear it until one of the `last` reports. Cancelled, it leaves no process.

    What goes wrong is heard of as `Refused`.
    """
    try:
        engine = await EngineConnection.start()
    except OSError as error:
        listen(Refused(f"the engine could not be started: {error}"))
        return
    try:
        for request in requests:
            engine.send(request)
        async for report in engine.reports():
            listen(report)
            if isinstance(report, last):
                return
    except (EngineDied, OSError) as error:
        listen(Refused(f"the fork ended unexpectedly ({error})"))
    finally:
        await engine.close()
