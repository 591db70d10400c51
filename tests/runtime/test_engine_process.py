"""The engine in its own process, as the app talks to it: the same over a pipe and over a Unix socket."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import workbench
from workbench.engine.commands import SetHyperparameter, scripted
from workbench.engine.events import (
    CommandRejected,
    Diverged,
    EpochEnded,
    EpochsEnded,
    Evaluated,
    Finished,
    HyperparameterChanged,
    StepsTaken,
)
from workbench.engine.history import Series
from workbench.engine.trainer import Trainer, Until
from workbench.hyperparameters import TABLE, Hyperparameters
from workbench.optim.optimizers import OPTIMIZERS
from workbench.optim.schedules import SCHEDULES
from workbench.protocol.hello import PROTOCOL, Hello
from workbench.protocol.reports import Arrived, Begun, Paused, Refused, Report, Resumed, Saved, SaveFailed, UnusedChanged
from workbench.protocol.requests import Begin, GoTo, Pause, Quit, Request, Resume, Save, TakeStep
from workbench.protocol.wire import LENGTH, REPORTS, REQUESTS
from workbench.run.replay import replay
from workbench.run.run import Run
from workbench.runtime.connection import GRACE_SECONDS
from workbench.session.session import Session
from workbench.session.store import load_session, read_session
from workbench.spec import Spec

# A conftest cannot be imported from, so its class is `Any` here.
Begins = Callable[..., Awaitable[Any]]
LONG = 1_000_000
"""Epochs of a run that does not end by itself."""


@pytest.fixture(params=["pipe", pytest.param("socket", marks=pytest.mark.skipif(os.name == "nt", reason="no Unix sockets"))])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


# What the app hears ------------------------------------------------------------------------------------------------


async def test_it_greets_before_it_is_told_anything(start: Begins):
    hello = await (await start()).hear(Hello)
    assert (hello.protocol, hello.workbench) == (PROTOCOL, workbench.__version__)
    assert set(hello.capabilities) == set(REQUESTS.kinds)
    assert [row.name for row in hello.rows] == [each.name for each in dataclasses.fields(Hyperparameters)]
    assert all(type(row) is Spec and dataclasses.replace(row, formulas=()) == TABLE[row.name] for row in hello.rows)
    formulas = {row.name: dict(zip(row.choices, row.formulas, strict=True)) for row in hello.rows if row.formulas}
    assert formulas.keys() == {"optimizer", "schedule"}
    assert formulas["optimizer"]["gradient_descent"] == OPTIMIZERS["gradient_descent"].formula
    assert formulas["schedule"]["staircase"] == SCHEDULES["staircase"].formula


async def test_it_says_what_it_has_begun_and_waits(begun: Begins):
    talk = await begun(keep_prob=[0.5, 1.0])
    (said,) = talk.of(Begun)
    assert (said.step, said.epoch, said.sizes, said.examples, said.task) == (0, 1, (2, 6, 5, 3), (54, 18, 18), "classes")
    assert said.parameters == 2 * 6 + 6 + 6 * 5 + 5 + 5 * 3 + 3
    assert said.hyperparameters.keep_prob == (0.5, 1.0)
    assert said.hyperparameters.optimizer == "adam"
    assert said.blas_threads >= 1
    assert said.history == ()
    assert (await talk.hear(Paused)).step == 0
    assert (await talk.hear(Evaluated)).step == 0


async def test_it_says_which_hyperparameters_have_no_effect_and_why_whenever_that_changes(begun: Begins):
    talk = await begun(batch_norm=True, dev_fraction=0.0)
    (said,) = talk.of(Begun)
    assert said.batch_norm
    assert "batchnorm_beta" not in said.unused
    assert said.unused["patience"] == "there is no dev set"
    assert said.unused["decay_rate"] == "not used by the constant schedule"
    await talk.hear(Evaluated)
    changed, told = await talk.told(SetHyperparameter("schedule", "inverse_time"))
    assert (type(changed), type(told)) == (HyperparameterChanged, UnusedChanged)
    assert said.unused.keys() - told.unused.keys() == {"decay_rate"}
    assert told.unused["decay_k"] == "not used by the inverse_time schedule"
    (changed,) = await talk.told(SetHyperparameter("learning_rate", 0.5))  # by which nothing else changes
    assert isinstance(changed, HyperparameterChanged)
    await talk.told(TakeStep())
    said = await talk.told(GoTo(0))
    (arrived,) = (each for each in said if isinstance(each, Arrived))
    assert (arrived.hyperparameters.schedule, arrived.unused["decay_rate"]) == ("constant", "not used by the constant schedule")


async def test_steps_arrive_without_a_gap_and_the_run_comes_to_its_end(begun: Begins):
    talk = await begun(paused=False, epochs=5)
    finished = await talk.hear(Finished)
    assert (finished.step, finished.epoch) == (35, 5)
    assert finished.test is not None
    assert (await talk.hear(Paused)).step == 35
    epochs = [each for ended in talk.of(EpochsEnded) for each in range(ended.epoch - len(ended.cost) + 1, ended.epoch + 1)]
    assert epochs == [1, 2, 3, 4, 5]
    assert [event.step for event in talk.of(Evaluated)] == [0, 7, 14, 21, 28, 35]
    done = 0
    for steps in talk.of(StepsTaken):
        assert steps.step - len(steps.cost) == done
        assert len(steps.cost) == len(steps.gradient_norm) == len(steps.learning_rate)
        done = steps.step
    assert done == 35
    # It stays, and goes on where the end is moved.
    talk.engine.send(SetHyperparameter("epochs", 6))
    talk.engine.send(Resume())
    assert (await talk.hear(Finished)).step == 42


async def test_it_can_be_paused_stepped_and_resumed(begun: Begins):
    talk = await begun(paused=False, epochs=LONG)
    await talk.hear(StepsTaken)
    talk.engine.send(Pause())
    at = (await talk.hear(Paused)).step
    assert talk.of(StepsTaken)[-1].step == at
    for step in range(at + 1, at + 4):
        talk.engine.send(TakeStep())
        assert (await talk.hear(StepsTaken)).step == step
        assert (await talk.hear(Paused)).step == step
    talk.engine.send(Pause())
    assert (await talk.hear(Paused)).step == at + 3
    talk.engine.send(Resume())
    assert (await talk.hear(Resumed)).step == at + 3
    assert (await talk.hear(StepsTaken)).step > at + 3


async def test_a_step_asked_for_while_it_trains_pauses_it_after_one(begun: Begins):
    talk = await begun(paused=False, epochs=LONG)
    await talk.hear(StepsTaken)
    talk.engine.send(TakeStep())
    at = (await talk.hear(Paused)).step
    assert talk.of(StepsTaken)[-1].step == at
    talk.engine.send(TakeStep())
    assert (await talk.hear(Paused)).step == at + 1


async def test_an_edit_is_applied_or_refused_at_the_step_that_the_engine_says(begun: Begins):
    talk = await begun(paused=False, epochs=LONG, learning_rate=0.01)
    await talk.hear(StepsTaken)
    talk.engine.send(SetHyperparameter("learning_rate", 0.5))
    talk.engine.send(SetHyperparameter("hidden", (3,)))
    talk.engine.send(SetHyperparameter("beta1", 1.0))
    changed = await talk.hear(HyperparameterChanged)
    assert (changed.name, changed.old, changed.new, changed.effect) == ("learning_rate", 0.01, 0.5, "")
    assert talk.of(StepsTaken)[-1].step == changed.step
    assert all((steps.learning_rate == 0.01).all() for steps in talk.of(StepsTaken))
    refused = [await talk.hear(CommandRejected), await talk.hear(CommandRejected)]
    assert [each.name for each in refused] == ["hidden", "beta1"]
    assert all(each.step >= changed.step for each in refused)
    assert refused[0].reason == "hidden needs a new start"
    await talk.hear(StepsTaken)
    after = next(each for each in talk.of(StepsTaken) if each.step > changed.step)
    assert after.step - len(after.cost) == changed.step
    assert (after.learning_rate == 0.5).all()


async def test_an_edit_is_taken_while_paused(begun: Begins):
    talk = await begun()
    talk.engine.send(SetHyperparameter("keep_prob.1", 0.5))
    changed = await talk.hear(HyperparameterChanged)
    assert (changed.step, changed.name, changed.old, changed.new) == (0, "keep_prob.1", 1.0, 0.5)


async def test_a_divergence_pauses_it_and_an_edit_lets_it_go_on(begun: Begins):
    talk = await begun(paused=False, optimizer="gradient_descent", hidden=[], l2=1e3, learning_rate=1e20, epochs=LONG)
    diverged = await talk.hear(Diverged)
    assert diverged.rows
    assert (await talk.hear(Paused)).step == diverged.good < diverged.step
    for name, value in (("learning_rate", 1e-9), ("l2", 0.0), ("clip_norm", 1.0)):
        talk.engine.send(SetHyperparameter(name, value))
    talk.engine.send(Resume())
    steps = await talk.hear(StepsTaken)
    assert steps.step - len(steps.cost) == diverged.good


async def test_a_session_that_cannot_be_begun_is_refused_with_the_reasons(start: Begins, toml: Callable[..., str]):
    for session, reason in (
        (toml().replace("batch_size = 8", "batch_size = 0"), "session: preset.training.batch_size: 0: expected"),
        ("no TOML", "session: not TOML"),
        (toml(examples=3, classes=2).replace("dev_fraction = 0.2", "dev_fraction = 0.001"), "small: data.dev_fraction"),
    ):
        talk = await start()
        talk.engine.send(Begin(session, "", "", False))
        refused = await talk.hear(Refused)
        assert reason in refused.problems
        await talk.died()


# Saving ------------------------------------------------------------------------------------------------------------


async def test_what_it_saves_can_be_loaded_replayed_and_gone_on_with(begun: Begins, start: Begins, tmp_path: Path):
    path = tmp_path / "saved.toml"
    talk = await begun(paused=False, epochs=LONG)
    await talk.hear(Evaluated, lambda event: event.step > 20)
    talk.engine.send(SetHyperparameter("optimizer", "momentum"))
    await talk.hear(Evaluated, lambda event: event.step > 40)
    talk.engine.send(Save(str(path)))
    saved = await talk.hear(Saved)
    assert saved.path == str(path)
    session, tensors, _ = load_session(path)
    assert session.step == saved.step
    assert [edit.name for edit in session.branch.edits] == ["optimizer"]
    assert tensors["W1"].shape == (2, 6)
    assert all(each.identical for each in replay(session))
    assert (await talk.hear(StepsTaken)).step > saved.step

    other = await start()
    other.engine.send(Begin(path.read_text(), str(path), "", True))
    again = await other.hear(Begun)
    assert (again.step, again.hyperparameters.optimizer) == (saved.step, "momentum")
    curves = {sent.name: Series.from_tensor(sent.values).curve() for sent in again.history}
    assert curves["cost"].count.sum() == saved.step
    assert curves["train_cost"].step.max() <= saved.step
    assert (await other.hear(Evaluated)).step == saved.step
    other.engine.send(TakeStep())
    assert (await other.hear(StepsTaken)).step == saved.step + 1


async def test_a_save_that_fails_is_said_and_does_no_harm(begun: Begins, tmp_path: Path):
    talk = await begun()
    talk.engine.send(TakeStep())
    await talk.hear(StepsTaken)
    (tmp_path / "file").write_text("kept")
    for path in (tmp_path / "file" / "s.toml", tmp_path):
        talk.engine.send(Save(str(path)))
        failed = await talk.hear(SaveFailed)
        assert failed.path == str(path)
        assert "not saved: " in failed.reason
        assert "\n" not in failed.reason
    assert (tmp_path / "file").read_text() == "kept"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
    talk.engine.send(TakeStep())
    assert (await talk.hear(StepsTaken)).step == 2
    talk.engine.send(Save(str(tmp_path / "good.toml")))
    assert (await talk.hear(Saved)).step == 2
    assert not talk.of(CommandRejected)


async def test_a_name_that_is_too_long_for_a_file_is_said_and_does_no_harm(begun: Begins, tmp_path: Path):
    talk = await begun()
    talk.engine.send(Save(str(tmp_path / ("x" * 300))))
    assert "not saved: " in (await talk.hear(SaveFailed)).reason


# The same as without a screen --------------------------------------------------------------------------------------


async def test_with_the_same_edits_it_comes_to_the_same_bits_as_without_a_process(
    begun: Begins, make_trainer: Callable[..., Trainer], make_preset: Callable[..., Any], tmp_path: Path
):
    settings = {"batch_norm": True, "keep_prob": 0.8, "schedule": "cosine", "epochs": 20}
    talk = await begun(**settings)
    for name, value, steps in (("learning_rate", 0.05, 3), ("optimizer", "rmsprop", 2), ("keep_prob.2", 0.5, 4)):
        talk.engine.send(SetHyperparameter(name, value))
        for _ in range(steps):
            talk.engine.send(TakeStep())
    await talk.hear(Paused, lambda paused: paused.step == 9)
    talk.engine.send(Resume())
    talk.engine.send(SetHyperparameter("batch_size", 5))
    talk.engine.send(SetHyperparameter("optimizer", "adamw"))
    finished = await talk.hear(Finished)
    talk.engine.send(Save(str(tmp_path / "app.toml")))
    await talk.hear(Saved)
    session = read_session(tmp_path / "app.toml")
    edits = session.branch.edits
    assert [edit.name for edit in edits] == ["learning_rate", "optimizer", "keep_prob.2", "batch_size", "optimizer"]
    assert [edit.step for edit in edits[:3]] == [0, 3, 5]

    headless = make_trainer(**settings)
    *_, last = headless.run(scripted((edit.step, edit.name, edit.new) for edit in edits))
    assert headless.state.digest() == session.branch.marks[-1].hash
    assert last == finished


async def test_how_often_the_app_listens_makes_no_difference(begun: Begins, make_trainer: Callable[..., Trainer], tmp_path: Path):
    stepped = await begun(epochs=2)
    for _ in range(14):
        stepped.engine.send(TakeStep())
    at_once = await begun(paused=False, epochs=2)
    hashes = set()
    for name, talk in (("stepped", stepped), ("at once", at_once)):
        await talk.hear(Paused, lambda paused: paused.step == 14)
        talk.engine.send(Save(str(tmp_path / f"{name}.toml")))
        await talk.hear(Saved)
        hashes.add(read_session(tmp_path / f"{name}.toml").branch.marks[-1].hash)
    trainer = make_trainer()
    list(trainer.run(until=Until(epochs=2)))
    assert hashes == {trainer.state.digest()}


# The end -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("paused", [True, False])
async def test_quit_ends_it_without_saving(begun: Begins, tmp_path: Path, paused: bool):
    talk = await begun(paused=paused, autosave=tmp_path / "auto.toml", epochs=LONG)
    talk.engine.send(Quit())
    await talk.rest()
    assert await talk.status() == 0
    assert not list(tmp_path.iterdir())


async def test_killed_it_says_so(begun: Begins):
    talk = await begun(paused=False, epochs=LONG)
    await talk.hear(StepsTaken)
    os.kill(talk.pid, signal.SIGKILL)
    await talk.died(-signal.SIGKILL)
    talk.engine.send(Pause())  # to nobody, and without harm


@pytest.mark.parametrize("paused", [True, False])
async def test_told_to_end_by_the_system_it_saves_first(begun: Begins, tmp_path: Path, paused: bool):
    path = tmp_path / "auto.toml"
    talk = await begun(paused=paused, autosave=path, autosave_seconds=1e9, epochs=LONG)
    if not paused:
        await talk.hear(StepsTaken)
    os.kill(talk.pid, signal.SIGTERM)
    await talk.died()
    (saved,) = talk.of(Saved)
    session, _, _ = load_session(path)
    assert session.step == saved.step
    assert all(each.identical for each in replay(session))


async def test_the_terminals_interrupt_is_not_for_it_but_for_one_that_was_started_there(begun: Begins, transport: str):
    talk = await begun()
    os.kill(talk.pid, signal.SIGINT)
    if transport == "socket":
        await talk.died()
        return
    talk.engine.send(TakeStep())
    assert (await talk.hear(StepsTaken)).step == 1


async def test_closing_leaves_no_process_even_one_that_nobody_listens_to(begun: Begins):
    talk = await begun(paused=False, epochs=LONG, evaluate_every=1)
    async with asyncio.timeout(20):
        while not talk.engine._reader._paused:  # the pipe is full, and so is the buffer behind it
            await asyncio.sleep(0)
    async with asyncio.timeout(GRACE_SECONDS - 1):  # by itself, not killed
        await talk.engine.close()
        await talk.status()
    with pytest.raises(ProcessLookupError):
        os.kill(talk.pid, 0)


# Seen from the other end of the line -------------------------------------------------------------------------------


class Line:
    """The process with a bare line to it, as whatever may be at its other end."""

    def __init__(self, process: subprocess.Popen[Any], path: Path | None) -> None:
        self.process = process
        self._ends: tuple[Any, Any] = process.stdin, process.stdout
        self._socket: socket.socket | None = None
        if path is not None:
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.connect(str(path))
            self._ends = self._socket.makefile("wb", buffering=0), self._socket.makefile("rb", buffering=0)

    def write(self, data: bytes) -> None:
        self._ends[0].write(data)

    def read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            data += self._ends[1].read(size - len(data)) or pytest.fail("it ended in the middle of a report")
        return data

    def report(self) -> Report:
        (size,) = LENGTH.unpack(self.read(LENGTH.size))
        return REPORTS.decode(self.read(size))

    def end(self) -> list[Report]:
        """Hang up; what was still said. Ends well, and without a word on standard error."""
        if self._socket is None:
            out, errors = self.process.communicate(timeout=30)
        else:
            self._socket.shutdown(socket.SHUT_WR)
            self._socket.settimeout(30)
            out = b"".join(iter(lambda: self._ends[1].read(2**16), b""))
            self._socket.close()
            said, errors = (text.encode() for text in self.process.communicate(timeout=30))
            assert said == b""
        assert (self.process.returncode, errors) == (0, b"")
        reports = []
        while out:
            (size,) = LENGTH.unpack(out[: LENGTH.size])
            reports.append(REPORTS.decode(out[LENGTH.size : LENGTH.size + size]))
            out = out[LENGTH.size + size :]
        return reports


Lines = Callable[..., Line]


@pytest.fixture
def line(transport: str, listening: Callable[..., Any]) -> Lines:
    def to(*requests: Request) -> Line:
        if transport == "socket":
            made = Line(*listening())
        else:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "workbench.runtime"],
                # Unbuffered, because `communicate` does not see what is in a buffer.
                bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )  # fmt: skip
            made = Line(process, None)
        made.write(b"".join(map(REQUESTS.encode, requests)))
        return made

    return to


@pytest.mark.parametrize("paused", [True, False])
def test_when_the_app_is_gone_it_saves_and_ends(line: Lines, toml: Callable[..., str], tmp_path: Path, paused: bool):
    path = tmp_path / "auto.toml"
    talk = line(Begin(toml(epochs=LONG), "", str(path), paused))
    assert isinstance(talk.report(), Hello)
    assert isinstance(talk.report(), Begun)
    saved = talk.end()[-1]
    assert isinstance(saved, Saved)
    assert load_session(path)[0].step == saved.step
    assert all(each.identical for each in replay(read_session(path)))


def test_it_ends_though_it_cannot_save(line: Lines, toml: Callable[..., str], tmp_path: Path):
    talk = line(Begin(toml(), "", str(tmp_path), True))
    assert isinstance(talk.end()[-1], SaveFailed)


def test_it_ends_where_there_is_nowhere_to_save(line: Lines, toml: Callable[..., str], tmp_path: Path):
    reports = line(Begin(toml(), "", "", True)).end()
    assert not any(isinstance(each, (Saved, SaveFailed)) for each in reports)


def test_gone_before_the_first_request_it_ends(line: Lines):
    assert [type(each) for each in line().end()] == [Hello]


@pytest.mark.parametrize(
    "garbage",
    [
        b"\xff" * 64,
        b"hello, who is there?\n",
        LENGTH.pack(5) + b"abcde",
        LENGTH.pack(0),
        LENGTH.pack(1000) + b"too short",
        b"\x01",
        LENGTH.pack(8) + b"\x92\xa5Paus\x80\x80",
        LENGTH.pack(1_000_007) + b"\x92\xa5Pause" + b"\x91" * 1_000_000,
    ],
    ids=["a length beyond all bounds", "text", "no message", "empty", "cut off", "half a length", "not UTF-8", "nested"],
)
def test_what_does_not_speak_the_protocol_counts_as_gone(line: Lines, toml: Callable[..., str], tmp_path: Path, garbage: bytes):
    path = tmp_path / "auto.toml"
    talk = line(Begin(toml(epochs=LONG), "", str(path), False))
    talk.write(garbage)
    saved = talk.end()[-1]
    assert isinstance(saved, Saved)
    assert all(each.identical for each in replay(read_session(path)))


def test_garbage_instead_of_the_first_request_ends_it(line: Lines):
    talk = line()
    talk.write(b"\xff" * 64)
    assert [type(each) for each in talk.end()] == [Hello]


APP = """
import asyncio, sys
from workbench.runtime.connection import EngineConnection
from workbench.protocol.requests import Begin
from workbench.protocol.reports import Begun

async def app():
    engine = await (EngineConnection.connect(*sys.argv[3:]) if sys.argv[3:] else EngineConnection.start())
    engine.send(Begin(open(sys.argv[1]).read(), "", sys.argv[2], False))
    async for report in engine.reports():
        if isinstance(report, Begun):
            print(engine.pid, flush=True)

asyncio.run(app())
"""


def test_an_app_that_is_killed_leaves_no_orphan_and_loses_no_work(
    toml: Callable[..., str], tmp_path: Path, ends: Callable[[int], None], transport: str, listening: Callable[..., Any]
):
    (tmp_path / "session.toml").write_text(toml(epochs=LONG))
    path = tmp_path / "auto.toml"
    server, address = listening() if transport == "socket" else (None, "")
    arguments = [str(tmp_path / "session.toml"), str(path), *([str(address)] if server is not None else [])]
    app = subprocess.Popen([sys.executable, "-P", "-c", APP, *arguments], stdout=subprocess.PIPE, text=True)
    assert app.stdout is not None
    said = app.stdout.readline().strip()
    pid = int(said) if server is None else server.pid
    app.kill()
    app.communicate(timeout=30)
    ends(pid)
    session, _, _ = load_session(path)
    assert all(each.identical for each in replay(session))


def test_the_columns_of_steps_are_the_steps(make_trainer: Callable[..., Trainer], make_preset: Callable[..., Any]):
    """What crosses the wire for a thousand steps is what the trainer said of each."""
    trainer = make_trainer()
    singles = [event for event in trainer.run(until=Until(steps=50)) if hasattr(event, "gradient_norm")]
    run = Run(Session(preset=make_preset(), seed=1))
    events = run.events(lambda step: (), lambda: False, Until(steps=50))
    columns = [event for event in events if isinstance(event, StepsTaken)]
    for name in ("cost", "gradient_norm", "learning_rate"):
        np.testing.assert_array_equal(
            np.concatenate([getattr(each, name) for each in columns]), [getattr(each, name) for each in singles]
        )


def test_the_ends_of_epochs_come_with_the_steps_and_none_is_lost(
    make_trainer: Callable[..., Trainer], make_preset: Callable[..., Any]
):
    """However often it is told of steps: seldom, after each, and after the last one of an epoch only."""
    trainer = make_trainer()
    ends = [event for event in trainer.run(until=Until(steps=50)) if isinstance(event, EpochEnded)]
    for due in (lambda: False, lambda: True):
        run = Run(Session(preset=make_preset(), seed=1))
        told = [event for event in run.events(lambda step: (), due, Until(steps=50)) if isinstance(event, EpochsEnded)]
        assert (told[-1].step, told[-1].epoch) == (ends[-1].step, ends[-1].epoch)
        np.testing.assert_array_equal(np.concatenate([each.cost for each in told]), [each.cost for each in ends])
    assert len(told) == len(ends)


def test_many_epochs_between_two_looks_come_at_once(make_preset: Callable[..., Any]):
    preset = make_preset()
    seldom = dataclasses.replace(preset, training=dataclasses.replace(preset.training, evaluate_every=5 * 7))
    run = Run(Session(preset=seldom, seed=1))
    told = [event for event in run.events(lambda step: (), lambda: False, Until(epochs=10)) if isinstance(event, EpochsEnded)]
    assert [len(each.cost) for each in told] == [5, 5]
