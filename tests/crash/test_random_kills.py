"""Whenever the engine or the app that owns it is killed, the session on disk is whole, and the next engine goes on with it."""

from __future__ import annotations

import contextlib
import os
import random
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from aftermath import hashes, litter, load_all, new_session

from workbench.engine.commands import SetHyperparameter
from workbench.engine.events import Diverged, HyperparameterChanged, StepsTaken, StoppedEarly
from workbench.protocol.reports import Begun, Branches, Crashed, Refused, Report, Saved, SaveFailed
from workbench.protocol.requests import Annotate, Begin, GoOn, GoTo, Quit, Request, Resume, Save, Switch, Undo
from workbench.protocol.wire import LENGTH, REPORTS, REQUESTS
from workbench.run.replay import replay
from workbench.session.format import session_to_toml

SECONDS = 30.0
"""How long anything is waited for."""
AUTOSAVE_SECONDS = 0.02
LONG = 1_000_000
MOST_BYTES = 150_000
"""What an engine may say before it is killed, beside its greeting."""


class Frames:
    """Reports out of a stream of bytes that may end anywhere."""

    def __init__(self) -> None:
        self._rest = b""
        self.reports: list[Report] = []

    def record(self, data: bytes) -> list[Report]:
        self._rest += data
        new: list[Report] = []
        while len(self._rest) >= LENGTH.size:
            (size,) = LENGTH.unpack(self._rest[: LENGTH.size])
            if len(self._rest) < LENGTH.size + size:
                break
            new.append(REPORTS.decode(self._rest[LENGTH.size : LENGTH.size + size]))
            self._rest = self._rest[LENGTH.size + size :]
        self.reports += new
        return new


class Killable:
    """An engine process on bare pipes."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "workbench.runtime"],
            bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self.frames = Frames()
        self.bytes = 0

    def send(self, *requests: Request) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"".join(map(REQUESTS.encode, requests)))

    def hear(self, most: int = 2**16) -> list[Report]:
        """At most so many bytes of what it says, as soon as there are any; the reports that they complete."""
        assert self.process.stdout is not None
        assert select.select([self.process.stdout], [], [], SECONDS)[0], "it has fallen silent"
        data = os.read(self.process.stdout.fileno(), most)
        assert data, f"it has ended: {self.frames.reports[-3:]}"
        self.bytes += len(data)
        return self.frames.record(data)

    def hear_of(self, kind: type[Report]) -> None:
        while not any(isinstance(each, kind) for each in self.hear()):
            pass

    def kill(self) -> list[Report]:
        """End it at once; all that it has said."""
        self.process.kill()
        out, errors = self.process.communicate(timeout=SECONDS)
        assert self.process.returncode == -signal.SIGKILL
        assert errors == b""
        self.frames.record(out)
        return self.frames.reports

    def end(self) -> list[Report]:
        out, errors = self.process.communicate(timeout=SECONDS)
        assert (self.process.returncode, errors) == (0, b"")
        self.frames.record(out)
        return self.frames.reports


def begin(path: Path) -> Begin:
    """Go on with what is there, as the app does; or anew, where there is nothing yet."""
    if path.exists():
        return Begin(path.read_text(), str(path), str(path), False, autosave_seconds=AUTOSAVE_SECONDS)
    session = new_session(epochs=LONG, evaluate_every=1)
    return Begin(session_to_toml(session), "", str(path), False, autosave_seconds=AUTOSAVE_SECONDS)


def any_order(rng: random.Random, step: int, branches: list[str]) -> tuple[Request, ...]:
    """What a user may do: edit, take it back, travel, write a note. After a journey the engine waits to be resumed."""
    match rng.randrange(8):
        case 0:
            return (GoTo(rng.randrange(step + 1)), Resume())
        case 1:
            return (Undo(model=True), Resume())
        case 2:
            return (Undo(model=False),)
        case 3:
            return (Switch(rng.choice(branches)), Resume())
        case 4:
            return (Annotate(rng.randrange(step + 1), "seen"),)
        case _:
            return edit(rng)


def edit(rng: random.Random) -> tuple[Request, ...]:
    name, low, high = rng.choice((("learning_rate", 0.001, 0.02), ("l2", 0.0, 0.01), ("beta1", 0.8, 0.95)))
    return (SetHyperparameter(name, rng.uniform(low, high)),)


def live(engine: Killable, path: Path, rng: random.Random) -> None:
    """Train and edit, up to a random number of bytes heard."""
    engine.send(begin(path))
    engine.hear_of(Begun)
    step, branches = 0, ["main"]
    end = engine.bytes + int(MOST_BYTES ** rng.uniform(0.5, 1.0))
    order_due = engine.bytes + rng.randrange(1, 6000)
    while engine.bytes < end:
        for report in engine.hear(max(1, min(end, order_due) - engine.bytes)):
            match report:
                case StepsTaken():
                    step = report.step
                case Branches():
                    branches = [each.branch.name for each in report.branches]
                case Diverged() | StoppedEarly():
                    engine.send(GoOn())
                case _:
                    pass
        if engine.bytes >= order_due:
            engine.send(*any_order(rng, min(step, 50), branches))
            order_due = engine.bytes + rng.randrange(1, 6000)
    if rng.random() < 0.7:
        # An edit is saved as soon as it is said: die in the middle of that. A look at the folder takes microseconds.
        engine.send(*edit(rng))
        engine.hear_of(HyperparameterChanged)
        for _ in range(rng.randrange(4000)):
            path.parent.exists()


def furthest(path: Path) -> int:
    return max(branch.step for branch in load_all(path).branches) if path.exists() else -1


def assert_nothing_is_lost(path: Path, reports: list[Report], before: int) -> int:
    """All that was said to be saved is on disk; how far the session has come."""
    bad = [each for each in reports if isinstance(each, (Refused, Crashed, SaveFailed))]
    assert not bad
    saved = [each for each in reports if isinstance(each, Saved)]
    assert {each.path for each in saved} <= {str(path)}
    now = furthest(path)
    assert now >= max([before, *(each.step for each in saved)])
    return now


def finish(path: Path) -> None:
    """The last engine saves and ends in peace: nothing lies about, and everything can be replayed."""
    engine = Killable()
    engine.send(begin(path))
    engine.hear_of(Begun)
    engine.send(Save(str(path)), Quit())
    said = engine.end()
    assert isinstance([each for each in said if isinstance(each, (Saved, SaveFailed))][-1], Saved)
    assert litter(path.parent) == set()
    session = load_all(path)
    assert all(each.identical for each in replay(session)), replay(session)
    assert hashes(session)[session.current][0] == session.step


def kill_again_and_again(path: Path, lives: int, rng: random.Random) -> None:
    reached = -1
    following = Killable()
    for _ in range(lives):
        engine, following = following, Killable()
        live(engine, path, rng)
        reached = assert_nothing_is_lost(path, engine.kill(), reached)
    following.end()
    finish(path)


# Chains of five lives of one session each, so that an early life of a session is killed as often as a late one.
@pytest.mark.parametrize("seed", range(3))
def test_an_engine_that_is_killed_at_any_moment_loses_nothing(tmp_path: Path, seed: int) -> None:
    kill_again_and_again(tmp_path / "sessions" / "small-1.toml", 5, random.Random(seed))


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 134))
def test_many_engines_that_are_killed_lose_nothing(tmp_path: Path, seed: int) -> None:
    kill_again_and_again(tmp_path / "sessions" / "small-1.toml", 5, random.Random(seed))


# The app that owns the engine is killed -------------------------------------------------------------------------------

APP = """
import asyncio, pathlib, sys
from workbench.engine.events import StepsTaken
from workbench.runtime.connection import EngineConnection
from workbench.protocol.wire import REQUESTS

async def app():
    engine = await EngineConnection.start()
    print(engine.pid, flush=True)
    engine.send(REQUESTS.decode(pathlib.Path(sys.argv[1]).read_bytes()))
    async for report in engine.reports():
        step = report.step if isinstance(report, StepsTaken) else -1
        print(type(report).__name__, step, flush=True)

asyncio.run(app())
"""


@contextlib.contextmanager
def owned(path: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """An app and its engine's number; neither is there any more at the end."""
    request = path.parent.parent / "request"
    request.write_bytes(REQUESTS.encode(begin(path))[LENGTH.size :])
    app = subprocess.Popen([sys.executable, "-P", "-c", APP, str(request)], stdout=subprocess.PIPE, text=True)
    assert app.stdout is not None
    pid = int(app.stdout.readline())
    engine = os.pidfd_open(pid)
    try:
        yield app, pid
        assert select.select([engine], [], [], SECONDS)[0], "the engine has outlived its app"
    finally:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(engine, signal.SIGKILL)
        os.close(engine)
        app.kill()
        app.communicate(timeout=SECONDS)


def kill_apps(path: Path, lives: int, rng: random.Random) -> None:
    reached = -1
    for _ in range(lives):
        seen = -1
        with owned(path) as (app, _):
            assert app.stdout is not None
            for _ in range(rng.choice((0, 1, 2, 5, 20, 60))):
                seen = max(seen, int(app.stdout.readline().split()[1]))
            app.kill()
        assert furthest(path) >= max(reached, seen), "the engine saves before it ends"
        reached = furthest(path)
    if path.exists():
        finish(path)


@pytest.mark.parametrize("seed", range(2))
def test_an_app_that_is_killed_at_any_moment_loses_nothing_and_leaves_no_process(tmp_path: Path, seed: int) -> None:
    kill_apps(tmp_path / "sessions" / "small-1.toml", 3, random.Random(seed))


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 110))
def test_many_apps_that_are_killed_lose_nothing_and_leave_no_process(tmp_path: Path, seed: int) -> None:
    kill_apps(tmp_path / "sessions" / "small-1.toml", 5, random.Random(seed))
