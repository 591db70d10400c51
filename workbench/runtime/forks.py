"""What-if: the same run trained on from one place with different hyperparameters, each fork in an engine of its own.

All forks see the same mini-batches and dropout masks, because those are functions of the seed and the step.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from workbench.engine.commands import SetHyperparameter
from workbench.engine.events import Diverged, Finished, StoppedEarly
from workbench.protocol.reports import RateFound, Refused, Report
from workbench.protocol.requests import Begin, FindRate, Request, RunTo
from workbench.runtime.connection import EngineConnection, EngineDied

Changes = tuple[SetHyperparameter, ...]
Listener = Callable[[int, Report], None]
"""Told each report with the number of the fork, from 0."""
PREFIX = "workbench-fork-"
STALE_SECONDS = 86_400
ENDS = (Finished, Diverged, StoppedEarly)


class Forks:
    """A place to fork from: a folder of its own, in which an engine writes the session that all forks begin with."""

    def __init__(self) -> None:
        _sweep()
        self._folder = tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True)
        self.path = Path(self._folder.name) / "fork.toml"

    def close(self) -> None:
        """Remove the folder."""
        self._folder.cleanup()

    async def train(self, forks: list[Changes], to_step: int, listen: Listener) -> None:
        """Train every fork to a step, as many at once as there are cores. Cancelled, it leaves no process.

        A fork that could not be trained is heard of as `Refused`.
        """
        slots = asyncio.Semaphore(os.cpu_count() or 1)

        async def one(number: int, changes: Changes) -> None:
            async with slots:
                await self._run((*changes, RunTo(to_step)), ENDS, lambda report: listen(number, report))

        async with asyncio.TaskGroup() as group:
            for number, changes in enumerate(forks):
                group.create_task(one(number, changes))

    async def find_rate(self, request: FindRate, listen: Callable[[Report], None]) -> None:
        """Try learning rates from the place."""
        await self._run((request,), (RateFound,), listen)

    async def _run(self, requests: tuple[Request, ...], last: tuple[type, ...], listen: Callable[[Report], None]) -> None:
        try:
            begin = Begin(self.path.read_text(encoding="utf-8"), str(self.path), "", paused=True)
        except OSError as error:
            listen(Refused(f"the place cannot be read: {error}"))
        else:
            await converse((begin, *requests), last, listen)


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


def _sweep() -> None:
    """Remove the folders of apps that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            if time.time() - folder.stat().st_mtime > STALE_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
