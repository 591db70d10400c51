from __future__ import annotations

import asyncio
import os
import select
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import pytest

from workbench.runtime.engine import Engine
from workbench.runtime.messages import Begin, Begun, Report
from workbench.session.notebook import session_to_toml
from workbench.session.preset import Preset
from workbench.session.session import Session

SECONDS = 30.0
"""How long anything is waited for; nothing takes a hundredth of it."""
Kind = TypeVar("Kind")


class Conversation:
    """An engine process, and what it has said so far."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.heard: list[Report] = []
        self._reports = engine.reports()

    async def hear(self, kind: type[Kind], where: Callable[[Any], bool] = lambda report: True) -> Kind:
        """The next report of a kind."""
        async with asyncio.timeout(SECONDS):
            async for report in self._reports:
                self.heard.append(report)
                if isinstance(report, kind) and where(report):
                    return report
        raise AssertionError(f"it ended without {kind.__name__}: {self.heard}")

    async def rest(self) -> list[Report]:
        """All reports to the end."""
        start = len(self.heard)
        async with asyncio.timeout(SECONDS):
            async for report in self._reports:
                self.heard.append(report)
        return self.heard[start:]

    def of(self, kind: type[Kind]) -> list[Kind]:
        """What was heard of one kind."""
        return [report for report in self.heard if isinstance(report, kind)]


@pytest.fixture
async def start() -> AsyncIterator[Callable[[], Awaitable[Conversation]]]:
    """Engines, none of which is left over at the end."""
    engines = []

    async def one() -> Conversation:
        engines.append(await Engine.start())
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
async def begun(
    start: Callable[[], Awaitable[Conversation]], toml: Callable[..., str]
) -> Callable[..., Awaitable[Conversation]]:
    async def begin(paused: bool = True, autosave: object = "", path: object = "", **changes: Any) -> Conversation:
        talk = await start()
        talk.engine.send(Begin(toml(**changes), str(path), str(autosave), paused))
        await talk.hear(Begun)
        return talk

    return begin


def assert_gone(pid: int) -> None:
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def wait_for_the_end(pid: int) -> None:
    """Until a process that is no child of this one has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([descriptor], [], [], SECONDS)[0], "the process is still there"
    finally:
        os.close(descriptor)


@pytest.fixture
def ends() -> Callable[[int], None]:
    return wait_for_the_end
