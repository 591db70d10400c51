"""A client's end of the connection: to an engine of its own over pipes, or to one that listens on a Unix socket.

Whatever is at the other end, requests go there at once, and its reports come in the order in which things happened.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from typing import Protocol

import msgspec

from workbench.protocol.hello import PROTOCOL
from workbench.protocol.reports import Report
from workbench.protocol.requests import Quit, Request
from workbench.protocol.wire import LENGTH, MAX_BYTES, REPORTS, REQUESTS, spoken

GRACE_SECONDS = 5.0
"""How long an engine that was told to end may take before it is killed."""


class EngineDied(Exception):
    """The engine is gone without being told to end, or cannot be talked to; the text says how in one line."""


class _Engine(Protocol):
    """What is at the other end, apart from what is said."""

    def hang_up(self) -> None: ...
    def kill(self) -> None: ...
    async def ended(self) -> str: ...
    async def forget(self) -> None: ...


class EngineConnection:
    """A connection to an engine, from its greeting on."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, engine: _Engine, pid: int | None = None
    ) -> None:
        """See `start` and `connect`. `pid` is the number of the engine's process where it is ours."""
        self._reader, self._writer, self._engine = reader, writer, engine
        self.pid = pid
        self._ending = self._closed = self._greeted = False
        self._held: list[Request] = []

    @classmethod
    async def start(cls) -> EngineConnection:
        """An engine of one's own, in a process and a session of its own, so that the terminal's signals do not reach it."""
        errors = tempfile.SpooledTemporaryFile()  # noqa: SIM115 - lives as long as the process
        process = await asyncio.create_subprocess_exec(
            # -P: a folder named workbench where the user stands must not be taken for the package.
            sys.executable, "-P", "-m", "workbench.runtime",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=errors.fileno(), start_new_session=True,
        )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        return cls(process.stdout, process.stdin, _Child(process, process.stdin, errors), process.pid)

    @classmethod
    async def connect(cls, path: str | os.PathLike[str]) -> EngineConnection:
        """The engine that listens on a socket, of which this is the one client. Raises `OSError`."""
        if sys.platform == "win32":
            raise OSError("this system has no Unix sockets")
        reader, writer = await asyncio.open_unix_connection(path)
        return cls(reader, writer, _Listener(writer))

    def send(self, request: Request) -> None:
        """Send a request; to an engine that is gone, nothing. Before `reports` has given the greeting it is held back."""
        self._ending = self._ending or isinstance(request, Quit)
        if not self._greeted:
            self._held.append(request)
        elif not self._closed and not self._writer.is_closing():
            self._writer.write(REQUESTS.encode(request))

    async def reports(self) -> AsyncIterator[Report]:
        """Everything the engine reports, its greeting first, until it ends.

        Raises `EngineDied` where it was not told to, where it speaks another protocol, or none.
        """
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                (size,) = LENGTH.unpack(await self._reader.readexactly(LENGTH.size))
                if size > MAX_BYTES:
                    raise EngineDied(f"it sent a message of {size:,} bytes")
                body = await self._reader.readexactly(size)
                try:
                    if not self._greeted and (protocol := spoken(body)) != PROTOCOL:
                        raise EngineDied(f"it speaks protocol {protocol}, and this workbench protocol {PROTOCOL}")
                    report = REPORTS.decode(body)
                except msgspec.MsgspecError as error:
                    raise EngineDied(f"it sent what is no {'report' if self._greeted else 'greeting'}: {error}") from None
                if not self._greeted:
                    self._greeted = True
                    for request in self._held:
                        self.send(request)
                yield report
        how = await self._engine.ended()
        if not self._ending:
            raise EngineDied(how)

    async def close(self) -> None:
        """Hang up, so that the engine saves what is new and ends; an own one that takes too long is killed. None is left."""
        self._ending = self._closed = True
        self._engine.hang_up()
        try:
            await asyncio.wait_for(self._end(), GRACE_SECONDS)
        except TimeoutError:
            self._engine.kill()
            await self._end()
        await self._engine.forget()

    async def _end(self) -> None:
        """Wait for the end. What nobody reads would keep the process from ending, and asyncio from noticing that it has."""
        with contextlib.suppress(RuntimeError, ConnectionError):  # somebody else is reading; nobody is there
            while await self._reader.read(2**16):
                pass
        await self._engine.ended()


class _Child:
    """An engine that we have started."""

    def __init__(
        self, process: asyncio.subprocess.Process, writer: asyncio.StreamWriter, errors: tempfile.SpooledTemporaryFile[bytes]
    ) -> None:
        self._process, self._writer, self._errors = process, writer, errors

    def hang_up(self) -> None:
        self._writer.close()

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def ended(self) -> str:
        """Wait until the process has ended: how, and its last words."""
        code = await self._process.wait()
        how = f"killed by signal {-code}" if code < 0 else f"ended with status {code}"
        if self._errors.closed:
            return how
        self._errors.seek(0)
        lines = self._errors.read()[-4000:].decode("utf-8", "replace").strip().splitlines()
        return f"{how}: {lines[-1]}" if lines else how

    async def forget(self) -> None:
        self._errors.close()


class _Listener:
    """An engine that somebody else has started: of its end is known that it does not speak any more."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    def hang_up(self) -> None:
        # Half of it only: what it still says is heard.
        with contextlib.suppress(OSError):
            self._writer.write_eof()

    def kill(self) -> None:
        self._writer.transport.abort()

    async def ended(self) -> str:
        return "hung up"

    async def forget(self) -> None:
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()
