"""The engine's process: one run, driven by requests from a client, telling what happens.

                           Hello
begin                      Begun, or Refused
train, flushing every      StepsTaken, Evaluated, HyperparameterChanged ...
so often                   between two steps: whatever requests have come; a save when one is due
a client who stood still   Arrived, in the place of what was not kept for it
an operation               Travelling while it takes long; Arrived where the run stands elsewhere then, and Branches
the client is gone         save, and end: no orphan
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from queue import Empty, SimpleQueue

from workbench.engine.commands import Command, SetHyperparameter
from workbench.engine.events import CommandRejected, Diverged, HyperparameterChanged, StoppedEarly
from workbench.engine.trainer import Until
from workbench.files.errors import CheckpointError, InputError
from workbench.protocol.reports import (
    Arrived,
    Begun,
    Branches,
    BranchSent,
    Paused,
    Refused,
    Remark,
    Report,
    Resumed,
    SeriesSent,
    Travelling,
    UnusedChanged,
)
from workbench.protocol.requests import (
    Begin,
    Inspect,
    Pause,
    Quit,
    Redo,
    Repeat,
    Request,
    Resume,
    Save,
    TakeStep,
    Undo,
)
from workbench.run.autosave import OTHERS
from workbench.run.environment import blas_threads
from workbench.run.run import CannotFollow, Run
from workbench.runtime.greeting import greeting
from workbench.runtime.inspect import inspect
from workbench.runtime.operations import CalledOff, carry_out
from workbench.runtime.saves import autosave_for
from workbench.session.format import parse_session
from workbench.session.store import read_session
from workbench.session.timeline import redoable, taking_back, undoable

FLUSH_SECONDS = 0.1
"""How often the client hears of steps."""
PATIENCE_SECONDS = 0.2
"""A journey that takes longer is reported on."""
CURVES_OF_OTHERS = ("cost", "dev_cost", "data_cost", "dev_data_cost")
"""What is sent of the branches beside the current one."""
RETRIES = 20
"""How often a session that another process is just saving is read again."""


class CaughtUp:
    """Comes among the requests when the client has read everything that was kept for it, and more was not kept."""


Inbox = SimpleQueue[Request | CaughtUp | None]


class _End(Exception):
    """The conversation is over; `saving` first what is new."""

    def __init__(self, saving: bool) -> None:
        self.saving = saving


class _Operation(Exception):
    """Training is to be left for a request that cannot be carried out in the middle of it."""

    def __init__(self, request: Request) -> None:
        self.request = request


class Host:
    """Carries out requests from `inbox` (None where the client is gone) and gives reports to `send`, which must not wait."""

    def __init__(self, inbox: Inbox, send: Callable[[Report], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._inbox, self._send, self._clock = inbox, send, clock
        self._flushed = self._departed = clock()
        self._early: deque[Request | CaughtUp | None] = deque()
        self._paused = self._stepping = False
        self._given: deque[Command] = deque()
        self._until: Until | None = None
        self._unused: dict[str, str] = {}

    def serve(self) -> None:
        """From the first request to the last."""
        self._send(greeting())
        begin = self._inbox.get()
        if not isinstance(begin, Begin):
            return
        self._autosave = autosave_for(begin, self._send, self._clock)
        try:
            self._run = self._opened(begin)
            self._autosave.keep(self._run)
            self._paused = begin.paused or self._autosave.read_only
            self._greet()
            while True:
                try:
                    self._train()
                except _Operation as operation:
                    self._carry_out(operation.request)
        except CheckpointError as error:
            self._send(Refused(str(error), rebuild=True))
        except (InputError, CannotFollow, CalledOff) as error:
            self._send(Refused(str(error)))
        except _End as end:
            if end.saving:
                self._autosave.save_if_new()
        finally:
            self._autosave.release()

    def _opened(self, begin: Begin) -> Run:
        """The run of the session. One that another process saves meanwhile may lose its checkpoint between two looks."""
        path = Path(begin.path) if begin.path else None
        session = parse_session(begin.session, begin.path or "session")
        for _ in range(RETRIES if path is not None and self._autosave.read_only else 0):
            with contextlib.suppress(CheckpointError):
                return Run(session, path, self._travelled, begin.rebuild, begin.snapshot_bytes, begin.checkpoint)
            assert path is not None
            session = read_session(path)
        return Run(session, path, self._travelled, begin.rebuild, begin.snapshot_bytes, begin.checkpoint)

    def _greet(self) -> None:
        self._send(self._begun())
        self._send(self._branches())
        self._remark()
        if self._run.trainer.state.step:
            self._send(self._run.trainer.look())
        if self._paused:
            self._send(Paused(self._run.trainer.state.step))

    def _train(self) -> None:
        """To the end, or to where it stops by itself; it stays there to be looked at, edited and resumed."""
        standing = self._run.journeys
        for report in self._run.events(self._commands, self._due, self._until):
            self._send(report)
            if isinstance(report, HyperparameterChanged):
                self._autosave.edited |= not report.planned
                self._tell_unused()
            if isinstance(report, (Diverged, StoppedEarly)):
                self._tell_where(moved=self._run.journeys != standing)
        self._until = None
        self._pause()
        self._look_around(self._run.journeys != standing)
        self._autosave.save_if_new()

    # -- what it says -------------------------------------------------------------------------------------------------

    def _begun(self) -> Begun:
        trainer = self._run.trainer
        splits, state = trainer.splits, trainer.state
        return Begun(
            step=state.step,
            epoch=state.batches.epoch,
            passage=self._run.passage,
            hyperparameters=trainer.hyperparameters,
            unused=self._known_unused(),
            sizes=state.network.sizes,
            batch_norm=trainer.architecture.batch_norm,
            parameters=state.network.parameters.size,
            examples=(splits.train.examples, *(part.examples if part is not None else 0 for part in (splits.dev, splits.test))),
            task=splits.task.value,
            blas_threads=blas_threads(),
            history=self._curves(),
            read_only=self._autosave.read_only,
            obstacle=self._autosave.obstacle,
        )

    def _tell_where(self, moved: bool) -> None:
        if moved:
            trainer, state = self._run.trainer, self._run.trainer.state
            place = state.step, state.batches.epoch, self._run.passage
            self._send(Arrived(*place, trainer.hyperparameters, self._known_unused(), self._curves()))
        self._send(self._branches())
        self._remark()

    def _look_around(self, moved: bool) -> None:
        """Scores and layers at another place; they take longer than everything else, and so come last."""
        if moved and self._run.trainer.state.step:
            self._send(self._run.trainer.look())

    def _remark(self) -> None:
        if self._run.remark:
            self._send(Remark(self._run.remark))

    def _known_unused(self) -> dict[str, str]:
        self._unused = self._run.trainer.unused
        return self._unused

    def _tell_unused(self) -> None:
        if self._unused != self._run.trainer.unused:
            self._send(UnusedChanged(self._known_unused()))

    def _curves(self) -> tuple[SeriesSent, ...]:
        return tuple(SeriesSent(name, series.tensor()) for name, series in self._run.history.series.items() if len(series))

    def _branches(self) -> Branches:
        session = self._run.session
        sent = []
        for branch in session.branches:
            series = self._run.history_of(branch.name).series if branch.name != session.current else {}
            curves = tuple(SeriesSent(name, series[name].tensor()) for name in CURVES_OF_OTHERS if name in series)
            plain = dataclasses.replace(branch, marks=(), stops=tuple(dataclasses.replace(s, rows=()) for s in branch.stops))
            sent.append(BranchSent(plain, curves))
        return Branches(tuple(sent), session.current, self._run.redo_branch)

    def _due(self) -> bool:
        now = self._clock()
        if now - self._flushed < FLUSH_SECONDS:
            return False
        self._flushed = now
        return True

    def _flush(self) -> None:
        for columns in self._run.flush():
            self._send(columns)

    def _travelled(self, done: int, total: int) -> None:
        if self._clock() - self._departed > PATIENCE_SECONDS and self._due():
            self._send(Travelling(done, total))
            while not self._inbox.empty():
                request = self._inbox.get()
                if request is None or isinstance(request, Quit):
                    raise _End(saving=request is None or any(isinstance(each, Save) for each in self._early))
                if isinstance(request, Pause):
                    raise CalledOff
                self._early.append(request)

    # -- what it is told ----------------------------------------------------------------------------------------------

    def _commands(self, step: int) -> Iterable[Command]:
        """Asked between any two steps, and nearly always there is nothing."""
        if self._paused or self._stepping or self._given or not self._idle or self._autosave.due(self._flushed):
            return self._requests(step)
        return ()

    @property
    def _idle(self) -> bool:
        return not self._early and self._inbox.empty()

    def _next(self) -> Request | CaughtUp | None:
        """The next request; while none comes, what is new is saved when it is time."""
        if self._early:
            return self._early.popleft()
        while True:
            try:
                return self._inbox.get(timeout=self._autosave.patience)
            except Empty:
                self._keep()

    def _requests(self, step: int) -> Iterator[Command]:
        """Carry out what was requested, and wait here while paused."""
        if self._stepping:
            self._stepping = False
            self._pause()
        while self._given:
            yield self._given.popleft()
        while True:
            if self._idle:
                self._keep()
                if not self._paused:
                    return
            request = self._next()
            match request:
                case CaughtUp():
                    self._flush()
                    self._tell_where(moved=True)
                    self._look_around(moved=True)
                case SetHyperparameter(name=name, value=value) if self._autosave.read_only:
                    self._send(CommandRejected(step, name, value, self._read_only()))
                case _ if self._autosave.read_only and request is not None and request.changes_run:
                    self._send(Remark(self._read_only()))
                case Repeat() if self._autosave.target is not None:
                    self._send(Remark("Not done: a run that is saved cannot be repeated with other mini-batches."))
                case SetHyperparameter():
                    yield request
                case Undo(model=False):
                    yield from self._taken_back(undoable(self._run.session.branch.edits), "undo")
                case Redo() if not self._run.redo_branch:
                    yield from self._taken_back(redoable(self._run.session.branch.edits), "redo")
                case Pause():
                    self._pause()
                case Resume():
                    self._resume(step)
                case TakeStep():
                    self._paused, self._stepping = False, True
                    return
                case Save(path=path):
                    self._flush()
                    self._autosave.save(path)
                case Quit():
                    raise _End(saving=False)
                case None:
                    self._flush()
                    raise _End(saving=True)
                case Begin():
                    pass  # it has begun
                case Inspect():
                    self._send(inspect(request, self._run))
                case _:
                    self._flush()
                    raise _Operation(request)

    def _read_only(self) -> str:
        advice = "; close it there, then open it here again" if self._autosave.obstacle == OTHERS else ""
        return f"opened read-only: {self._autosave.obstacle}{advice}"

    def _taken_back(self, number: int, what: str) -> Iterator[Command]:
        if number:
            yield taking_back(self._run.session.branch.edits, number)
        else:
            self._send(Remark(f"There is no edit to {what}."))

    def _keep(self) -> None:
        if self._autosave.due(self._clock()):
            self._flush()
            self._autosave.save_if_new()

    def _resume(self, step: int) -> None:
        if self._paused:
            self._paused = False
            self._send(Resumed(step))

    def _pause(self) -> None:
        self._paused, self._stepping = True, False
        self._flush()
        self._send(Paused(self._run.trainer.state.step))

    def _carry_out(self, request: Request) -> None:
        self._departed = self._clock()
        before = self._run.journeys
        outcome = carry_out(request, self._run, self._send)
        moved = self._run.journeys != before
        self._given.extend(outcome.commands)
        self._until = outcome.until if moved or outcome.trains is not None else self._until
        self._tell_where(moved)
        self._autosave.edited = True
        if outcome.trains is False and not self._paused:
            self._pause()
        elif outcome.trains:
            self._resume(self._run.trainer.state.step)
        self._look_around(moved)
