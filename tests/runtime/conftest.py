from __future__ import annotations

import asyncio
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
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

    def __init__(self, engine: EngineConnection, server: subprocess.Popen[str] | None) -> None:
        """`server` is the engine where it listens, and so is not the connection's own."""
        self.engine, self._server = engine, server
        self.pid = engine.pid if server is None else server.pid
        assert self.pid is not None
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
        self.engine._engine.hang_up()
        return await self.died()

    async def died(self, status: int = 0) -> list[Report]:
        """What it still says until it ends with this status, without having been told to."""
        how = f"ended with status {status}$" if status >= 0 else f"killed by signal {-status}$"
        start = len(self.heard)
        with pytest.raises(EngineDied, match=how if self._server is None else "hung up$"):
            await self.rest()
        assert await self.status() == status
        return self.heard[start:]

    async def status(self) -> int:
        """How the process has ended."""
        if self._server is not None:
            return await asyncio.to_thread(self._server.wait, SECONDS)
        async with asyncio.timeout(SECONDS):
            return await self.engine._engine._process.wait()  # type: ignore[attr-defined]

    def of(self, kind: type[Kind]) -> list[Kind]:
        """What was heard of one kind."""
        return [report for report in self.heard if isinstance(report, kind)]


@pytest.fixture
def transport() -> str:
    """What carries the messages; where the same tests are for pipe and socket, their module says so."""
    return "pipe"


@pytest.fixture
def listening() -> Iterator[Callable[..., tuple[subprocess.Popen[str], Path]]]:
    """Starts engines that listen, on a socket of their own or on one that is named; none of them is left over."""
    engines: list[subprocess.Popen[str]] = []
    with tempfile.TemporaryDirectory() as folder:  # a socket's path must be short

        def listen(path: Path | None = None) -> tuple[subprocess.Popen[str], Path]:
            path = path or Path(folder) / f"{len(engines)}.socket"
            engine = subprocess.Popen(
                [sys.executable, "-P", "-m", "workbench.runtime", "--socket", str(path)],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )  # fmt: skip
            engines.append(engine)
            assert engine.stdout is not None
            assert engine.stdout.readline() == f"listening on {path}\n"
            return engine, path

        yield listen
        for engine in engines:
            engine.kill()
            engine.communicate(timeout=SECONDS)


@pytest.fixture
async def start(transport: str, listening: Callable[..., Any]) -> AsyncIterator[Callable[[], Awaitable[Conversation]]]:
    """Engines, none of which is left over at the end."""
    talks: list[Conversation] = []

    async def one() -> Conversation:
        if transport == "pipe":
            talks.append(Conversation(await EngineConnection.start(), None))
        else:
            server, path = listening()
            talks.append(Conversation(await EngineConnection.connect(path), server))
        return talks[-1]

    yield one
    for talk in talks:
        async with asyncio.timeout(SECONDS):
            await talk.engine.close()
        await talk.status()
        assert talk.pid is not None
        assert_gone(talk.pid)


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
