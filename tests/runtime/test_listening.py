"""An engine that listens on a Unix socket: who may come, and what becomes of the socket. And who is at the other end."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from workbench.protocol.hello import PROTOCOL, Hello
from workbench.protocol.reports import Begun, Paused, Report
from workbench.protocol.requests import Begin
from workbench.protocol.wire import LENGTH, REPORTS
from workbench.runtime.connection import EngineConnection, EngineDied

pytestmark = pytest.mark.skipif(os.name == "nt", reason="no Unix sockets")
Listening = Callable[..., tuple[subprocess.Popen[str], Path]]


def refusal(*arguments: str) -> str:
    """What an engine says that cannot begin: one line, and the status of bad input."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "workbench.runtime", *arguments], capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    return line.removeprefix("workbench.runtime: ")


def beside(path: Path) -> list[str]:
    return sorted(each.name for each in path.parent.iterdir() if each.name.lstrip(".").startswith(path.name))


async def greeted(path: Path) -> EngineConnection:
    engine = await EngineConnection.connect(path)
    assert isinstance(await anext(engine.reports()), Hello)
    return engine


def test_only_its_owner_may_open_the_socket(listening: Listening):
    _, path = listening()
    mode = path.stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600


async def test_at_the_end_nothing_is_left_of_the_socket(listening: Listening):
    engine, path = listening()
    client = await greeted(path)
    await client.close()
    assert await asyncio.to_thread(engine.wait, 30) == 0
    assert beside(path) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_end_while_nobody_has_come_it_leaves_nothing(listening: Listening, number: int):
    engine, path = listening()
    engine.send_signal(number)
    assert engine.wait(30) == 0
    assert engine.communicate() == ("", "")
    assert beside(path) == []


async def test_the_socket_of_an_engine_that_was_killed_is_replaced(listening: Listening):
    engine, path = listening()
    engine.kill()
    engine.wait(30)
    assert path.is_socket()
    other, again = listening(path)
    assert again == path
    client = await greeted(path)
    await client.close()
    assert await asyncio.to_thread(other.wait, 30) == 0


async def test_the_socket_of_an_engine_that_waits_is_left_to_it(listening: Listening):
    _, path = listening()
    assert refusal("--socket", str(path)) == f"{path}: another engine listens there"
    client = await greeted(path)  # to whom asking did no harm
    assert refusal("--socket", str(path)) == f"{path}: another engine listens there"
    await client.close()


def test_the_socket_of_somebody_else_is_left_to_him(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as other:
        other.bind("theirs")
        other.listen(1)
        assert refusal("--socket", "theirs") == "theirs: somebody listens there"
    assert (tmp_path / "theirs").is_socket()


def test_what_is_no_socket_is_left_as_it_is(tmp_path: Path):
    path = tmp_path / "file"
    path.write_text("kept")
    assert refusal("--socket", str(path)) == f"{path}: is there already, and is no socket"
    assert path.read_text() == "kept"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_a_path_that_cannot_be_listened_on_is_said_in_one_line(tmp_path: Path):
    assert "too long" in refusal("--socket", str(tmp_path / ("x" * 200)))
    (tmp_path / "file").touch()
    assert "file" in refusal("--socket", str(tmp_path / "file" / "x"))


def test_other_arguments_are_refused_in_one_line():
    assert refusal("--pipe") == refusal("--socket") == "expected nothing, or --socket PATH"


async def test_whoever_comes_second_is_refused_and_the_first_is_not_disturbed(listening: Listening, toml: Callable[..., str]):
    _, path = listening()
    first = await EngineConnection.connect(path)
    reports = first.reports()
    assert isinstance(await anext(reports), Hello)
    with pytest.raises(OSError):  # noqa: PT011 - whatever the system says of it
        await EngineConnection.connect(path)
    first.send(Begin(toml(), "", "", True))
    assert isinstance(await anext(reports), Begun)
    await first.close()


# What is at the other end ------------------------------------------------------------------------------------------

Serves = Callable[..., Awaitable[EngineConnection]]


@pytest.fixture
async def serving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A connection to somebody who says just this, and hangs up."""
    monkeypatch.chdir(tmp_path)

    async def connected(*frames: bytes, told: list[bytes]) -> EngineConnection:
        async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.writelines(frames)
            writer.write_eof()
            told.append(await reader.read())
            writer.close()

        servers.append(await asyncio.start_unix_server(speak, "somebody"))
        engines.append(await EngineConnection.connect("somebody"))
        return engines[-1]

    servers: list[asyncio.Server] = []
    engines: list[EngineConnection] = []
    yield connected
    for engine in engines:
        await engine.close()
    for server in servers:
        server.close()
        await server.wait_closed()


async def heard(engine: EngineConnection) -> list[Report]:
    return [report async for report in engine.reports()]


def framed(body: bytes) -> bytes:
    return LENGTH.pack(len(body)) + body


@pytest.mark.parametrize(
    "hello",
    [REPORTS.encode(Hello(PROTOCOL + 1, "9.0", (), ())), framed(b"\x92\xa5Hello\x81\xa8protocol\x02")],
    ids=["as ours", "otherwise"],
)
async def test_an_engine_of_another_protocol_is_not_talked_to_and_both_numbers_are_named(serving: Serves, hello: bytes):
    told: list[bytes] = []
    engine = await serving(hello, told=told)
    engine.send(Begin("", "", "", True))
    with pytest.raises(EngineDied, match=rf"^it speaks protocol {PROTOCOL + 1}, and this workbench protocol {PROTOCOL}$"):
        await heard(engine)
    await engine.close()
    async with asyncio.timeout(30):
        while not told:
            await asyncio.sleep(0)
    assert told == [b""]  # it would not have understood


@pytest.mark.parametrize(
    ("frames", "what"),
    [
        ([REPORTS.encode(Paused(1))], "no greeting: 'Paused' instead of a greeting"),
        ([b"HTTP/1.1 400 Bad Request\r\n\r\n"], "a message of 1,347,703,880 bytes|hung up"),
        ([framed(b"\xff\xff")], "no greeting"),
        ([framed(b"\x92\xa5Hello\x80")], "no greeting"),
        ([REPORTS.encode(Hello(PROTOCOL, "", (), ())), framed(b"\x92\xa5Pause\x80")], "no report: unknown message 'Pause'"),
        ([REPORTS.encode(Hello(PROTOCOL, "", (), ()))], "^hung up$"),
        ([], "^hung up$"),
    ],
    ids=["no greeting", "another protocol altogether", "no message", "no protocol", "a request", "nothing after it", "nothing"],
)
async def test_what_is_no_engine_is_said_in_one_line(serving: Serves, frames: list[bytes], what: str):
    with pytest.raises(EngineDied, match=what) as died:
        await heard(await serving(*frames, told=[]))
    assert "\n" not in str(died.value)


async def test_where_nobody_listens_there_is_no_connection(tmp_path: Path):
    with pytest.raises(OSError, match="No such file"):
        await EngineConnection.connect(tmp_path / "nobody")
