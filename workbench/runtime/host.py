"""The engine process: one run, driven by orders from the app, telling what happens.

begin                      Begun, or Refused
train, flushing every      StepsTaken, Evaluated, HyperparameterChanged ...
so often                   between two steps: whatever orders have come
the app is gone            save, and end: no orphan
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from queue import SimpleQueue

from workbench.engine.commands import Command, SetHyperparameter
from workbench.runtime.messages import (
    Begin,
    Begun,
    Order,
    Pause,
    Paused,
    Quit,
    Refused,
    Report,
    Resume,
    Resumed,
    Save,
    Saved,
    SaveFailed,
    SeriesSent,
    TakeStep,
)
from workbench.session.errors import CheckpointError, InputError, SaveError
from workbench.session.notebook import parse_session
from workbench.session.run import Run, blas_threads

FLUSH_SECONDS = 0.1
"""How often the app hears of steps."""


class _End(Exception):
    """The conversation is over."""


class Host:
    """Carries out orders from `inbox` (None where the app is gone) and gives reports to `send`."""

    def __init__(
        self, inbox: SimpleQueue[Order | None], send: Callable[[Report], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._inbox, self._send, self._clock = inbox, send, clock
        self._flushed = clock()
        self._paused = self._stepping = False
        self._autosave = ""

    def serve(self) -> None:
        """From the first order to the last."""
        begin = self._inbox.get()
        if not isinstance(begin, Begin):
            return
        try:
            session = parse_session(begin.session, begin.path or "session")
            self._run = Run(session, Path(begin.path) if begin.path else None)
        except (InputError, CheckpointError) as error:
            self._send(Refused(str(error)))
            return
        self._paused, self._autosave = begin.paused, begin.autosave
        self._send(self._begun())
        if self._run.trainer.state.step:
            self._send(self._run.trainer.evaluate(None))
        if self._paused:
            self._send(Paused(self._run.trainer.state.step))
        try:
            while True:
                for report in self._run.events(self._commands, self._due):
                    self._send(report)  # type: ignore[arg-type]
                self._pause()  # it has finished or diverged, and stays to be looked at, edited and resumed
        except _End:
            return

    def _begun(self) -> Begun:
        trainer = self._run.trainer
        splits, state = trainer.splits, trainer.state
        live = {field.name: getattr(trainer.hyperparameters, field.name) for field in dataclasses.fields(trainer.hyperparameters)}
        return Begun(
            step=state.step,
            epoch=state.batches.epoch,
            hyperparameters=live,
            sizes=state.network.sizes,
            parameters=state.network.parameters.size,
            examples=(splits.train.examples, *(part.examples if part is not None else 0 for part in (splits.dev, splits.test))),
            task=splits.task.value,
            blas_threads=blas_threads(),
            history=tuple(SeriesSent(name, series.tensor()) for name, series in self._run.history.series.items() if len(series)),
        )

    def _due(self) -> bool:
        now = self._clock()
        if now - self._flushed < FLUSH_SECONDS:
            return False
        self._flushed = now
        return True

    def _commands(self, step: int) -> Iterable[Command]:
        """Asked between any two steps, and nearly always there is nothing."""
        if self._paused or self._stepping or not self._inbox.empty():
            return self._orders(step)
        return ()

    def _orders(self, step: int) -> Iterator[Command]:
        """Carry out what was ordered, and wait here while paused."""
        if self._stepping:
            self._stepping = False
            self._pause()
        while self._paused or not self._inbox.empty():
            order = self._inbox.get()
            match order:
                case SetHyperparameter():
                    yield order
                case Pause():
                    self._pause()
                case Resume():
                    if self._paused:
                        self._paused = False
                        self._send(Resumed(step))
                case TakeStep():
                    self._paused, self._stepping = False, True
                    return
                case Save(path=path):
                    self._save(path)
                case Begin():
                    pass  # it has begun
                case Quit():
                    raise _End
                case None:
                    if self._autosave:
                        self._save(self._autosave)
                    raise _End

    def _pause(self) -> None:
        self._paused, self._stepping = True, False
        steps = self._run.flush()
        if steps is not None:
            self._send(steps)
        self._send(Paused(self._run.trainer.state.step))

    def _save(self, path: str) -> None:
        steps = self._run.flush()
        if steps is not None:
            self._send(steps)
        try:
            session = self._run.save(Path(path))
        except SaveError as error:
            self._send(SaveFailed(path, str(error)))
        else:
            self._send(Saved(path, session.step))
