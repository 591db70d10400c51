"""A client who does not read for a while: nobody waits for it, what is kept for it is bounded, and then it has all curves."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue

import numpy as np
import pytest

from workbench.engine.events import StepsTaken
from workbench.protocol.reports import Arrived, Branches, Paused, Remark, Report, Saved
from workbench.protocol.requests import Begin, Pause, Quit, Request, Save
from workbench.protocol.wire import LENGTH, REPORTS, REQUESTS
from workbench.runtime import outbox
from workbench.runtime.__main__ import serve
from workbench.runtime.outbox import Outbox
from workbench.session.store import read_session
from workbench.ui.state.monitor import Monitor

SECONDS = 30.0
Pipe = tuple[io.FileIO, io.FileIO]


@pytest.fixture
def pipe() -> Iterator[Callable[[], Pipe]]:
    ends: list[io.FileIO] = []

    def make() -> Pipe:
        reader, writer = os.pipe()
        ends.extend((io.FileIO(reader, "r"), io.FileIO(writer, "w")))
        return ends[-2], ends[-1]

    yield make
    for end in ends:
        end.close()


def reports(stream: io.FileIO) -> Iterator[Report]:
    whole = io.BufferedReader(stream)
    while head := whole.read(LENGTH.size):
        yield REPORTS.decode(whole.read(LENGTH.unpack(head)[0]))


def steps(last: int) -> StepsTaken:
    return StepsTaken(last, 1, 0.5, *(np.full(1000, float(last)) for _ in range(5)))


def test_what_does_not_fit_is_left_out_and_everything_else_comes_in_order(
    pipe: Callable[[], Pipe], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(outbox, "ROOM", 300_000)
    reader, writer = pipe()
    caught_up = threading.Event()
    box = Outbox(writer.write, lambda: None, caught_up.set)
    for number in range(1000):
        box.send(steps(1000 * number))
        box.send(Remark(str(number)))
    assert sum(len(frame) for frame, size in box._frames if size) <= 300_000
    assert not caught_up.is_set()
    found = reports(reader)
    heard: list[Report] = []
    while len([each for each in heard if isinstance(each, Remark)]) < 1000:
        heard.append(next(found))
    assert [each.text for each in heard if isinstance(each, Remark)] == [str(number) for number in range(1000)]
    kept = [each.step for each in heard if isinstance(each, StepsTaken)]
    assert kept == [1000 * number for number in range(len(kept))]
    assert 5 < len(kept) < 30
    assert caught_up.wait(SECONDS)
    box.send(steps(7000))  # nobody has told where the run stands
    box.send(Remark("now"))
    assert isinstance(next(found), Remark)
    box.close()


def test_a_client_who_is_gone_is_noticed(pipe: Callable[[], Pipe]):
    reader, writer = pipe()
    gone = threading.Event()
    box = Outbox(writer.write, gone.set, lambda: None)
    reader.close()
    box.send(Remark("is anybody there?"))
    assert gone.wait(SECONDS)
    box.close()


def test_what_was_said_last_is_still_sent(pipe: Callable[[], Pipe]):
    reader, writer = pipe()
    box = Outbox(writer.write, lambda: None, lambda: None)
    heard: list[Report] = []
    listener = threading.Thread(target=lambda: heard.extend(reports(reader)))
    listener.start()
    for number in range(100):
        box.send(steps(number))
    box.send(Saved("here", 3, True))
    box.close()
    writer.close()
    listener.join(SECONDS)
    assert len(heard) == 101
    assert isinstance(heard[-1], Saved)


def test_a_client_who_did_not_read_for_a_while_then_has_all_curves(
    pipe: Callable[[], Pipe], toml: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(outbox, "ROOM", 100_000)
    (requests, to_engine), (from_engine, to_client) = pipe(), pipe()
    before = threading.enumerate()
    threading.Thread(target=serve, args=(requests, to_client, SimpleQueue()), daemon=True).start()

    def tell(request: Request) -> None:
        to_engine.write(REQUESTS.encode(request))

    path = tmp_path / "run.toml"
    text = toml(epochs=1_000_000, evaluate_every=100_000)
    tell(Begin(text, "", str(path), paused=False, autosave_seconds=0.1))
    look = threading.Event()
    while not path.exists() or read_session(path).step < 20_000:  # of 24 bytes each, more than the pipe and the box hold
        assert not look.wait(0.02)
    found, monitor = reports(from_engine), Monitor()
    heard: list[Report] = []
    while not any(isinstance(each, Arrived) for each in heard):
        heard.append(next(found))
        monitor.record(heard[-1], float(len(heard)))
    last = max(each.step for each in heard if isinstance(each, StepsTaken))
    (here,) = (each for each in heard if isinstance(each, Arrived))
    assert here.step > last + 100, "nothing was left out"
    tell(Pause())
    while not isinstance(heard[-1], Paused):
        heard.append(next(found))
        monitor.record(heard[-1], float(len(heard)))
    assert len(monitor.history.series["cost"]) == monitor.step == monitor.branch.step
    assert any(isinstance(each, Branches) for each in heard)
    tell(Save(str(path)))
    tell(Quit())
    assert any(isinstance(each, Saved) and each.asked and each.step == monitor.step for each in iter(lambda: next(found), None))
    to_engine.close()
    for thread in threading.enumerate():
        if thread not in before:
            thread.join(SECONDS)
            assert not thread.is_alive()
