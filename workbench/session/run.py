"""From a session to a trainer that can go on with it, and back.

This is the one place where preset, seed, timeline and checkpoint come together; the screen, the command line and the
replay all start here.
"""

from __future__ import annotations

import dataclasses
import os
import platform
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

import workbench
from workbench.data.dataset import DataError
from workbench.data.splits import prepare
from workbench.engine.commands import Command, CommandSource, SetHyperparameter
from workbench.engine.events import Event, StepTaken
from workbench.engine.history import History, StepsTaken
from workbench.engine.state import Snapshot, SnapshotMismatch
from workbench.engine.trainer import Trainer, Until
from workbench.hyperparameters import assign
from workbench.session.errors import CheckpointError, InputError
from workbench.session.recorder import Recorder
from workbench.session.session import Edit, Environment, Result, Session
from workbench.session.store import load_session, save

SMALL_STEP = 8_000_000
"""Parameters times batch size up to which one thread is enough."""
MOST_PENDING = 4096
"""Steps that are held back at most, however seldom somebody wants them."""


def new_trainer(session: Session, edits: Iterable[Edit] = ()) -> Trainer:
    """A trainer at the start of the session's run, with the hyperparameters of its preset and of the given edits.

    Raises `InputError` where the data cannot be had as the preset asks.
    """
    preset = session.preset
    training = preset.training
    for edit in edits:
        training = assign(training, edit.name, edit.new)
    try:
        splits = prepare(preset.data, session.seed)
        return Trainer(splits, preset.data, preset.network, training, session.seed)
    except DataError as error:
        raise InputError(f"{preset.name}: {error}") from None
    except MemoryError:
        raise InputError(f"{preset.name}: network.hidden: this network does not fit into memory") from None


class Run:
    """A session that is being trained: its trainer, its recorder and its curves."""

    def __init__(self, session: Session, path: Path | None = None) -> None:
        """Go on from the session's checkpoint, which lies beside `path`; start from nothing where no step was done.

        Raises `InputError` and `CheckpointError`.
        """
        self.trainer = new_trainer(session, session.edits)
        fix_blas_threads(session, self.trainer)
        self.history = History()
        if path is not None and (session.checkpoint is not None or session.step):
            _, tensors, facts = load_session(path)
            try:
                self.trainer.state.restore(Snapshot(tensors, facts))
                self.history = History.from_tensors(tensors)
            except (SnapshotMismatch, ValueError) as error:
                raise CheckpointError(path.with_name(session.checkpoint or ""), f"not of this session: {error}") from None
        self._recorder = Recorder(dataclasses.replace(session, environment=environment()), self.trainer.state)
        self._pending: list[StepTaken] = []

    def events(
        self, commands: CommandSource, due: Callable[[], bool], until: Until | None = None
    ) -> Iterator[Event | StepsTaken]:
        """Train, writing down what happens; suspended where the trainer is.

        Steps come as columns (`StepsTaken`) instead of one by one: whenever `due` says so, and before any other event.
        """
        for event in self.trainer.run(commands, until):
            self._recorder.take(event)
            if isinstance(event, StepTaken):
                self._pending.append(event)
                if not due() and len(self._pending) < MOST_PENDING:
                    continue
            steps = self.flush()
            if steps is not None:
                yield steps
            if not isinstance(event, StepTaken):
                self.history.take(event)
                yield event

    def flush(self) -> StepsTaken | None:
        """The steps that were not yet given out, if any; they are in the history then."""
        if not self._pending:
            return None
        steps = columns(self._pending, self.trainer.state.batches.progress)
        self._pending.clear()
        self.history.take(steps)
        return steps

    def result(self) -> Result:
        """Scores now, on train and dev and test."""
        finished = self.trainer.finish()
        return Result(finished.step, finished.epoch, finished.train, finished.dev, finished.test)

    def save(self, path: Path) -> Session:
        """Write session and checkpoint. Raises `SaveError`; what was there before is still there then."""
        self.flush()
        session = self._recorder.session(self.result())
        snapshot = self.trainer.state.snapshot()
        save(session, {**snapshot.tensors, **self.history.tensors()}, snapshot.facts, path)
        return session


def columns(steps: list[StepTaken], progress: float) -> StepsTaken:
    """Consecutive steps as arrays, after which `progress` epochs are done."""
    table = np.array([(each.cost, each.gradient_norm, each.learning_rate) for each in steps], np.float64).T
    return StepsTaken(steps[-1].step, steps[-1].epoch, progress, *(np.ascontiguousarray(column) for column in table))


def scripted(edits: Iterable[Edit | tuple[int, str, object]]) -> CommandSource:
    """A source that gives each edit at its step; edits of one step in their order."""
    waiting = deque((edit.step, edit.name, edit.new) if isinstance(edit, Edit) else edit for edit in edits)

    def due(step: int) -> Iterable[Command]:
        while waiting and waiting[0][0] <= step:
            _, name, value = waiting.popleft()
            yield SetHyperparameter(name, value)  # type: ignore[arg-type]

    return due


def fix_blas_threads(session: Session, trainer: Trainer) -> None:
    """Set the number of threads for linear algebra: the session's own, because another number rounds differently.

    A new run gets one thread where a step is small, since waking others costs more than they bring. A large one gets all
    cores but one: where a thread has to wait for a core that the screen uses, all of them wait, many times as long.
    """
    if session.environment is not None and session.environment.blas_threads >= 1:
        threads = session.environment.blas_threads
    else:
        work = trainer.state.network.parameters.size * trainer.hyperparameters.batch_size
        threads = 1 if work < SMALL_STEP else max(1, (os.cpu_count() or 1) - 1)
    threadpool_limits(threads, user_api="blas")


def blas_threads() -> int:
    """How many threads the linear algebra may use now."""
    return max((pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"), default=1)


def environment() -> Environment:
    """What bit-identity depends on beside preset, seed and timeline."""
    # The library picks its kernels by the processor, and other kernels round differently.
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    blas = [f"{pool['internal_api']} {pool['version']} {pool.get('architecture', '')}".strip() for pool in pools]
    return Environment(
        workbench=workbench.__version__,
        python=platform.python_version(),
        numpy=np.__version__,
        blas=", ".join(sorted(set(blas))) or "unknown",
        blas_threads=blas_threads(),
        platform=f"{platform.system()} {platform.machine()}",
    )
