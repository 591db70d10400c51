"""The app's end of the connection: starts the engine process, sends it requests, and gives its reports."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import tempfile
from collections.abc import AsyncIterator

from workbench.protocol.reports import Report
from workbench.protocol.requests import Quit, Request
from workbench.protocol.wire import LENGTH, MAX_BYTES, REPORTS, REQUESTS

GRACE_SECONDS = 5.0
"""How long an engine that was told to end may take before it is killed."""


class EngineDied(Exception):
    """The engine process ended without being told to; the text says how, and its last words."""


class EngineConnection:
    """An engine process. Orders are sent at once; reports come in the order in which things happened."""

    def __init__(self, process: asyncio.subprocess.Process, errors: tempfile.SpooledTemporaryFile[bytes]) -> None:
        """See `start`."""
        self._process, self._errors = process, errors
        self._ending = False

    @classmethod
    async def start(cls) -> EngineConnection:
        """Start a process in a session of its own, so that the terminal's signals do not reach it."""
        errors = tempfile.SpooledTemporaryFile()  # noqa: SIM115 - lives as long as the process
        process = await asyncio.create_subprocess_exec(
            # -P: a folder named workbench where the user stands must not be taken for the package.
            sys.executable, "-P", "-m", "workbench.runtime",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=errors.fileno(), start_new_session=True,
        )  # fmt: skip
        return cls(process, errors)

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def send(self, request: Request) -> None:
        """Send a request; to an engine that is gone, nothing."""
        writer = self._process.stdin
        self._ending = self._ending or isinstance(request, Quit)
        if writer is not None and not writer.is_closing():
            writer.write(REQUESTS.encode(request))

    async def reports(self) -> AsyncIterator[Report]:
        """Everything the engine reports, until it ends. Raises `EngineDied` where it was not told to."""
        reader = self._process.stdout
        assert reader is not None
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                (size,) = LENGTH.unpack(await reader.readexactly(LENGTH.size))
                if size > MAX_BYTES:
                    raise EngineDied(f"it sent a message of {size:,} bytes")
                yield REPORTS.decode(await reader.readexactly(size))
        code = await self._process.wait()
        if not self._ending:
            raise EngineDied(self._last_words(code))

    def _last_words(self, code: int) -> str:
        self._errors.seek(0)
        lines = self._errors.read()[-4000:].decode("utf-8", "replace").strip().splitlines()
        how = f"killed by signal {-code}" if code < 0 else f"ended with status {code}"
        return f"{how}: {lines[-1]}" if lines else how

    async def close(self) -> None:
        """End the process: hang up, so that it saves what is new; wait a while, then kill it. No process is left behind."""
        self._ending = True
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            await asyncio.wait_for(self._end(), GRACE_SECONDS)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._end()
        self._errors.close()

    async def _end(self) -> None:
        """Wait for the end. What nobody reads would keep the process from ending, and asyncio from noticing that it has."""
        reader = self._process.stdout
        with contextlib.suppress(RuntimeError):  # somebody else is reading
            while reader is not None and await reader.read(2**16):
                pass
        await self._process.wait()
