"""The link to a run's engine: its process, what it reports, and seeing to it that nothing is lost.

Owns an engine in a worker for as long as it is part of a screen, folds what comes into the monitor and passes it on to
whoever listens; sends requests; saves, leaves, and starts another engine where one is gone. Knows no panel and no screen.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.message import Message
from textual.timer import Timer
from textual.widget import Widget
from textual.worker import WorkerCancelled, WorkerFailed

from workbench.engine.commands import SetHyperparameter
from workbench.files.errors import InputError
from workbench.files.text import clean, literal
from workbench.protocol.reports import Begun, Crashed, Exported, ExportFailed, Refused, Remark, Report, Saved, SaveFailed
from workbench.protocol.requests import Begin, Export, Pause, Request, Resume, Save, TakeStep
from workbench.runtime.connection import EngineConnection, EngineDied
from workbench.session.format import session_to_toml
from workbench.session.session import Session
from workbench.session.store import read_session
from workbench.spec import Value
from workbench.ui.actions import Performers, key_names
from workbench.ui.dialogs.choice import Answer, ChoiceScreen
from workbench.ui.dialogs.fork import CannotDepart
from workbench.ui.doors.notice import notify
from workbench.ui.state.monitor import Monitor, Phase
from workbench.ui.state.recovery import caught_up

LEAVING_SECONDS = 1.5
"""How long the engine is waited for once all is said and saved."""
MOST_UNHEARD = 256
"""So many reports may wait to be folded. Then the engine keeps what it has to tell, and trains on."""
AGAIN_SECONDS = 15.0
"""How long a failed save may be passed over by the key that asked for it, pressed again."""
Listener = Callable[[Report], None]


class Goal(StrEnum):
    """Where somebody goes who leaves a run."""

    SHELL = "shell"
    LIBRARY = "library"


AGAIN = {
    Goal.SHELL: " Press {training.quit} again to quit without saving.",
    Goal.LIBRARY: " Press {training.library} again to leave without saving.",
}


@dataclass(frozen=True, slots=True)
class Keeping:
    """How a run is kept: how often it is saved, and how many bytes of memory there are for going back."""

    autosave_seconds: float = 10.0
    snapshot_bytes: int = 256 * 2**20


class EngineLink(Widget):
    """Has one run. It is not seen: what is to be seen of the run is in `monitor`.

    The engine is a child of this process, so the paths of sessions mean the same on both sides.
    """

    DEFAULT_CSS: ClassVar[str] = "EngineLink { display: none; }"

    class Heard(Message):
        """The engine reported something."""

        def __init__(self, report: Report) -> None:
            """`report` as it came over the wire."""
            super().__init__()
            self.report = report

    class Lost(Message):
        """The engine ended without being told to."""

        def __init__(self, reason: str) -> None:
            """`reason` in one line."""
            super().__init__()
            self.reason = reason

    class Left(Message):
        """Nothing more is to be done here: the screen may go."""

        def __init__(self, goal: Goal, message: str) -> None:
            """`message` is for the shell; it may be empty."""
            super().__init__()
            self.goal, self.message = goal, message

    def __init__(self, session: Session, path: Path, source: Path | None, keeping: Keeping | None = None) -> None:
        """Train `session`, which came from `source` if it was saved before; it is saved to `path`, by itself every so often."""
        super().__init__()
        self.session, self.path = session, path
        self.monitor = Monitor.of(session)
        self._source, self._keeping = source, keeping or Keeping()
        self._rebuild = False
        self._engine: EngineConnection | None = None
        self._end: asyncio.Task[None] | None = None
        self._goal: Goal | None = None
        self._waits = False
        """It was paused in order to go."""
        self._asked = 0
        """How many saves were asked for and not answered yet."""
        self._offer: Timer | None = None
        self._listeners: list[Listener] = []
        self._room = asyncio.Semaphore(MOST_UNHEARD)
        self._numbers = itertools.count(1)
        self._exports: dict[int, asyncio.Future[Exported]] = {}

    @property
    def performers(self) -> Performers:
        """What it does of the table of actions."""
        return {
            "training.pause": self.toggle_pause,
            "training.step": lambda: void(self.send(TakeStep())),
            "training.save": self.save,
            "training.quit": lambda: self.leave(Goal.SHELL),
            "training.library": lambda: self.leave(Goal.LIBRARY),
        }

    # -- sending ------------------------------------------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        """Whether there is an engine."""
        return self._engine is not None

    def send(self, *requests: Request) -> bool:
        """Give requests to the engine; false, and said so, where there is none."""
        if self._engine is None:
            notify(self, literal("There is no engine to do that."), severity="warning")
            return False
        for request in requests:
            self._engine.send(request)
        return True

    def edit(self, name: str, value: Value) -> None:
        """Set a hyperparameter; it is pending until the engine has taken it."""
        if self.send(SetHyperparameter(name, value)):
            self.monitor.expect(name, value)

    def toggle_pause(self) -> None:
        """Pause or go on."""
        waits = self.monitor.phase is Phase.TRAINING or self.monitor.travelling is not None
        self.send(Pause() if waits else Resume())

    async def export(self, step: int | None) -> Exported:
        """The run as it was after `step` steps, or as it is now. Raises `CannotDepart`."""
        number = next(self._numbers)
        if not self.send(Export(number, -1 if step is None else step)):
            raise CannotDepart("there is no engine")
        exported = self._exports[number] = asyncio.get_running_loop().create_future()
        try:
            return await exported
        finally:
            self._exports.pop(number, None)

    # -- the engine ---------------------------------------------------------------------------------------------------

    def listen(self, listener: Listener) -> None:
        """Have every report passed on, once it is in the monitor."""
        self._listeners.append(listener)

    @work(exclusive=True, group="engine")
    async def start(self) -> None:
        """Own an engine process for as long as this worker lives, and post what it reports."""
        try:
            engine = await EngineConnection.start()
        except OSError as error:
            self.post_message(self.Lost(f"the engine could not be started: {error}"))
            return
        try:
            engine.send(
                Begin(
                    session=session_to_toml(self.session),
                    path=str(self._source) if self._source is not None else "",
                    autosave=str(self.path),
                    paused=bool(self.session.step),
                    rebuild=self._rebuild,
                    autosave_seconds=self._keeping.autosave_seconds,
                    snapshot_bytes=self._keeping.snapshot_bytes,
                )
            )
            self._engine, self._asked, self._waits = engine, 0, False
            self.monitor.loads()
            async for report in engine.reports():
                await self._room.acquire()
                self.post_message(self.Heard(report))
        except EngineDied as error:
            self.post_message(self.Lost(f"the engine ended unexpectedly ({error})"))
        except Exception:
            self.post_message(self.Lost("what it said could not be understood"))
            raise
        finally:
            self._engine = None
            # In a task of its own: Textual cancels a worker more than once, and this is to come to its end.
            self._end = asyncio.create_task(engine.close())
            await asyncio.shield(self._end)

    async def on_unmount(self) -> None:
        """Wait for the engine to end, or asyncio could not put it away; one that still writes after that does so alone."""
        for worker in self.workers.cancel_node(self):
            with contextlib.suppress(WorkerCancelled, WorkerFailed):
                await worker.wait()
        if self._end is not None:
            await asyncio.wait((self._end,), timeout=LEAVING_SECONDS)

    @on(Heard)
    def _heard(self, message: Heard) -> None:
        message.stop()
        self._room.release()
        if self.is_parent_active:  # else what listens is being taken down, part by part
            self.hear(message.report)

    def hear(self, report: Report) -> None:
        """Take a report in: fold it, see to what it asks for, and pass it on."""
        self.monitor.record(report, time.monotonic())
        match report:
            case Begun(read_only=True, obstacle=obstacle):
                text = f"{obstacle[:1].upper()}{obstacle[1:]}: it is read-only here."
                notify(self, clean(text, 300), severity="warning", timeout=15)
            case Saved():
                self._saved(report)
            case SaveFailed():
                self._save_failed(report)
            case Exported() | ExportFailed():
                self._exported(report)
            case Remark(text=text):
                notify(self, clean(text, 500), timeout=8)
            case Refused():
                self._refused(report)
            case Crashed():
                self.monitor.lost(f"{report.summary}; a report is in {report.report}")
            case _:
                pass
        for listener in self._listeners:
            listener(report)

    def _exported(self, report: Exported | ExportFailed) -> None:
        waiting = self._exports.get(report.number)
        if waiting is None or waiting.done():
            return
        if isinstance(report, Exported):
            waiting.set_result(report)
        else:
            waiting.set_exception(CannotDepart(report.reason))

    @on(Lost)
    def _lost(self, message: Lost) -> None:
        message.stop()
        if self.monitor.phase is not Phase.LOST:
            self.monitor.lost(message.reason)
        for waiting in self._exports.values():
            if not waiting.done():
                waiting.set_exception(CannotDepart(message.reason))

    # -- another engine -----------------------------------------------------------------------------------------------

    @property
    def kept(self) -> bool:
        """Whether there is a file to go on from."""
        return self._source is not None

    def restart(self) -> None:
        """Start another engine where there is none: from the last save, or trained forward to where the run was."""
        if self.monitor.phase is not Phase.LOST:
            return
        try:
            saved = read_session(self._source) if self._source is not None else self.session
        except InputError as error:
            notify(self, clean(str(error), 300), severity="error")
            return
        lost = caught_up(saved, self.monitor.branch)
        if lost is None:
            self._start_again(saved)
            return
        where = f"step {saved.step:,}, the last save" if self._source is not None else "the start: nothing was saved"
        answers = (
            Answer("forward", "f", f"train forward from there to step {lost.step:,}, with the same edits: the same bits"),
            Answer("saved", "s", f"go on from {where}"),
        )
        steps = lost.step - saved.step
        text = f"The engine is gone, and with it {steps:,} step{'' if steps == 1 else 's'} that no file has."

        def chosen(answer: str | None) -> None:
            if answer:
                self._start_again(lost if answer == "forward" else saved)

        self.app.push_screen(ChoiceScreen(literal("Engine lost"), text, answers), chosen)

    def _refused(self, report: Refused) -> None:
        self.monitor.lost(report.problems)
        if report.rebuild:
            self._offer_rebuild(report.problems)
        else:
            notify(self, clean(report.problems, 500), severity="error", timeout=30)

    def _offer_rebuild(self, problem: str) -> None:
        steps = self.session.step
        text = f"{clean(problem, 300)}\n\nNothing that made the run is lost: its preset, seed and edits are in the session."
        answers = (Answer("rebuild", "t", f"train its {steps:,} steps again"), Answer("", "l", "leave it as it is"))

        def chosen(answer: str | None) -> None:
            if answer == "rebuild":
                self._rebuild = True
                self._start_again(self.session)

        self.app.push_screen(ChoiceScreen(literal("The checkpoint cannot be used"), text, answers), chosen)

    def _start_again(self, session: Session) -> None:
        self.session = session
        self.monitor = Monitor.of(session)
        self.start()

    # -- saving and leaving -------------------------------------------------------------------------------------------

    def _saved(self, report: Saved) -> None:
        self._source = self.path = Path(report.path)
        self._rebuild = False
        self._asked = max(0, self._asked - report.asked)
        if self._goal is not None and report.asked and not self._asked:
            self._leave(f"saved {report.path} at step {report.step:,}; go on with: workbench {shlex.quote(report.path)}")
        elif report.asked:
            notify(self, clean(f"Saved {clean(report.path)} at step {report.step:,}", 300))

    def _save_failed(self, report: SaveFailed) -> None:
        how = f" It is tried again every {self._keeping.autosave_seconds:g} s."
        if report.asked:
            self._asked = max(0, self._asked - 1)
            how = key_names(self.app).fill(AGAIN[self._goal]) if self._goal is not None else ""
            self._go_on()
            self._offer = self.set_timer(AGAIN_SECONDS, self._stay)
        text = f"{clean(report.reason, 500)}. Training is not affected.{how}"
        notify(self, clean(text, 800), severity="error", timeout=AGAIN_SECONDS)

    def save(self) -> None:
        """Save the session."""
        self._stay()
        if self._engine is not None:
            self._ask_to_save(self._engine)

    def _ask_to_save(self, engine: EngineConnection) -> None:
        engine.send(Save(str(self.path)))
        self._asked += 1

    def leave(self, goal: Goal) -> None:
        """Save and go; where saving fails, a second time goes without."""
        again = self._goal is goal
        # While it trains there are steps that have not been heard of yet.
        trains = self._waits or self.monitor.phase is Phase.TRAINING
        self._stay()
        self._goal = goal
        if again or self._engine is None or not (self.monitor.unsaved or trains) or self.monitor.read_only:
            self._leave("")
            return
        if trains and self.monitor.travelling is None:
            # Or it would have trained on by the time it is hung up, and saved a later step than was said.
            self._engine.send(Pause())
            self._waits = True
        self._ask_to_save(self._engine)

    def _stay(self) -> None:
        self._goal = None
        self._go_on()
        if self._offer is not None:
            self._offer.stop()  # it must not end the next one

    def _go_on(self) -> None:
        """Train on, where that was left off in order to go."""
        if self._waits and self._engine is not None:
            self._engine.send(Resume())
        self._waits = False

    def _leave(self, message: str) -> None:
        self.post_message(self.Left(self._goal or Goal.SHELL, message))


def void(done: object) -> None:
    """Nothing: whoever does an action is not asked how it went."""
