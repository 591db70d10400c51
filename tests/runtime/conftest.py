from __future__ import annotations

import asyncio
import os
import select
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from workbench.engine.commands import SetHyperparameter
from workbench.engine.events import CommandRejected, Evaluated, Finished
from workbench.protocol.reports import Begun, Paused, Report, Saved
from workbench.protocol.requests import Begin, Request, RunTo, Save
from workbench.runtime.connection import EngineConnection, EngineDied
from workbench.session.format import session_to_toml
from workbench.session.preset import Preset
from workbench.session.session import Session
from workbench.session.store import read_session

SECONDS = 30.0
"""How long anything is waited for; nothing takes a hundredth of it."""
Kind = TypeVar("Kind")


class Conversation:
    """An engine process, and what it has said so far."""

    def __init__(self, engine: EngineConnection) -> None:
        self.engine = engine
        self.heard: list[Report] = []
        self._told = 0
        self._reports = engine.reports()

    async def hear(
        self, kind: type[Kind] | tuple[type[Kind], ...], where: Callable[[Any], bool] = lambda report: True,
        seconds: float = SECONDS,
    ) -> Kind:  # fmt: skip
        """The next report of a kind."""
        async with asyncio.timeout(seconds):
            async for report in self._reports:
                self.heard.append(report)
                if isinstance(report, kind) and where(report):
                    return report
        raise AssertionError(f"it ended without {kind}: {self.heard}")

    async def rest(self) -> list[Report]:
        """All reports to the end."""
        start = len(self.heard)
        async with asyncio.timeout(SECONDS):
            async for report in self._reports:
                self.heard.append(report)
        return self.heard[start:]

    async def told(self, *requests: Request) -> list[Report]:
        """What is said of these requests, up to when all were carried out; training may go on meanwhile."""
        self._told += 1
        start, last = len(self.heard), self._told
        # A request that is refused with a number of its own, and changes nothing.
        for request in (*requests, SetHyperparameter("nothing", last)):
            self.engine.send(request)
        await self.hear(CommandRejected, lambda refused: (refused.name, refused.value) == ("nothing", last))
        return self.heard[start:-1]

    async def train_to(self, step: int) -> None:
        """Train to a step, and wait there."""
        self.engine.send(RunTo(step))
        assert (await self.hear(Finished)).step == step
        assert (await self.hear(Paused)).step == step

    async def saved(self, path: object) -> Session:
        """The session as it is now, from a file it was saved in."""
        self.engine.send(Save(str(path)))
        await self.hear(Saved, lambda saved: saved.asked)
        return read_session(str(path))

    async def hang_up(self) -> list[Report]:
        """What it says when the app is gone, to its end."""
        self.engine._process.stdin.close()  # type: ignore[union-attr]
        start = len(self.heard)
        with pytest.raises(EngineDied, match=r"ended with status 0$"):
            await self.rest()
        return self.heard[start:]

    def of(self, kind: type[Kind]) -> list[Kind]:
        """What was heard of one kind."""
        return [report for report in self.heard if isinstance(report, kind)]


@pytest.fixture
async def start() -> AsyncIterator[Callable[[], Awaitable[Conversation]]]:
    """Engines, none of which is left over at the end."""
    engines = []

    async def one() -> Conversation:
        engines.append(await EngineConnection.start())
        return Conversation(engines[-1])

    yield one
    for engine in engines:
        async with asyncio.timeout(SECONDS):
            await engine.close()
        assert_gone(engine.pid)


@pytest.fixture
def toml(make_preset: Callable[..., Preset]) -> Callable[..., str]:
    """A new session in its TOML form."""

    def make(**changes: Any) -> str:
        return session_to_toml(Session(preset=make_preset(**changes), seed=1))

    return make


@pytest.fixture
async def begun(start: Callable[[], Awaitable[Conversation]], toml: Callable[..., str]) -> Callable[..., Awaitable[Conversation]]:
    """An engine that has begun a new session with these settings, or the one in the file `path`."""

    async def begin(
        paused: bool = True, autosave: object = "", path: object = "", autosave_seconds: float = 10.0,
        snapshot_bytes: int = 2**20, **changes: Any,
    ) -> Conversation:  # fmt: skip
        talk = await start()
        text = Path(str(path)).read_text() if path else toml(**changes)
        request = Begin(
            text, str(path), str(autosave), paused, autosave_seconds=autosave_seconds, snapshot_bytes=snapshot_bytes
        )  # fmt: skip
        talk.engine.send(request)
        await talk.hear(Begun)
        return talk

    return begin


@pytest.fixture
async def paused(begun: Callable[..., Awaitable[Conversation]]) -> Callable[..., Awaitable[Conversation]]:
    """The same of a run that does not end by itself, once it has said all that it says at first; it waits."""

    async def begin(**settings: Any) -> Conversation:
        talk = await begun(**{"epochs": 1_000_000, **settings})
        await talk.hear(Evaluated)
        return talk

    return begin


def assert_gone(pid: int) -> None:
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def wait_for_the_end(pid: int, seconds: float = SECONDS) -> None:
    """Until a process that is no child of this one has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([descriptor], [], [], seconds)[0], "the process is still there"
    finally:
        os.close(descriptor)


@pytest.fixture
def ends() -> Callable[..., None]:
    return wait_for_the_end
