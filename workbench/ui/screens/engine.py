"""A screen with an engine: owns it in a worker, folds what it reports into the monitor, and sees to it that nothing is lost.

Saving, leaving, and starting another engine where one is gone. Knows no panel.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import on, work
from textual.app import SystemCommand
from textual.binding import Binding, BindingType

from workbench.engine.commands import SetHyperparameter
from workbench.files.errors import InputError
from workbench.files.text import clean
from workbench.protocol.reports import Begun, Crashed, Refused, Remark, Report, Saved, SaveFailed
from workbench.protocol.requests import Begin, Pause, Request, Resume, Save, TakeStep
from workbench.runtime.connection import EngineConnection, EngineDied
from workbench.session.branch import Note
from workbench.session.format import session_to_toml
from workbench.session.session import Session
from workbench.session.store import read_session
from workbench.ui.dialogs.choice import Answer, ChoiceScreen
from workbench.ui.messages import Edited, EngineLost, Reported
from workbench.ui.screens.screen import WorkbenchScreen
from workbench.ui.state.monitor import GUARD, NOTE, Monitor, Phase

AGAIN_SECONDS = 15.0
"""How long a failed save may be passed over by the key that asked for it, pressed again."""


class EngineScreen(WorkbenchScreen):
    """Has one run."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "toggle_pause", "Pause", id="training.pause", tooltip="Pause or go on"),
        Binding("s", "take_step", "Step", show=False, id="training.step", tooltip="Take one step and pause"),
    ]

    def __init__(
        self, session: Session, path: Path, source: Path | None,
        autosave_seconds: float = 10.0, snapshot_bytes: int = 256 * 2**20,
    ) -> None:  # fmt: skip
        """Train `session`, which came from `source` if it was saved before; it is saved to `path`, by itself every so often."""
        super().__init__()
        self._autosave_seconds, self._snapshot_bytes = autosave_seconds, snapshot_bytes
        self._session, self._path, self._source = session, path, source
        self._rebuild = False
        self.monitor = Monitor.of(session)
        self._engine: EngineConnection | None = None
        self._leaving: str | None = None

    def redraw(self) -> None:
        """Let everything visible catch up with the monitor."""

    def send(self, *requests: Request) -> bool:
        """Give requests to the engine; false, and said so, where there is none."""
        if self._engine is None:
            self.notify("There is no engine to do that.", severity="warning")
            return False
        for request in requests:
            self._engine.send(request)
        return True

    def action_toggle_pause(self) -> None:
        """Pause or go on."""
        waits = self.monitor.phase is Phase.TRAINING or self.monitor.travelling is not None
        self.send(Pause() if waits else Resume())

    def action_take_step(self) -> None:
        """Take one step and pause."""
        self.send(TakeStep())

    def commands(self) -> Iterable[SystemCommand]:
        """Every action of these, for the command palette."""
        yield SystemCommand("Pause or go on", "space", self.action_toggle_pause)
        yield SystemCommand("Take one step", "s", self.action_take_step)

    # -- the engine ---------------------------------------------------------------------------------------------------

    @work(exclusive=True, group="engine", exit_on_error=False)
    async def run_engine(self) -> None:
        """Own an engine process for as long as this worker lives, and post what it reports."""
        try:
            engine = await EngineConnection.start()
        except OSError as error:
            self.post_message(EngineLost(f"the engine could not be started: {error}"))
            return
        try:
            source = str(self._source) if self._source is not None else ""
            paused = bool(self._session.step)
            engine.send(
                Begin(
                    session=session_to_toml(self._session),
                    path=source,
                    autosave=str(self._path),
                    paused=paused,
                    rebuild=self._rebuild,
                    autosave_seconds=self._autosave_seconds,
                    snapshot_bytes=self._snapshot_bytes,
                )
            )
            self._engine = engine
            self.monitor.loads()
            async for report in engine.reports():
                self.post_message(Reported(report))
        except EngineDied as error:
            self.post_message(EngineLost(f"the engine ended unexpectedly ({error})"))
        finally:
            self._engine = None
            await engine.close()

    @on(Reported)
    def _reported(self, message: Reported) -> None:
        self.monitor.record(message.report, time.monotonic())
        self.heard(message.report)

    def heard(self, report: Report) -> None:
        """What is to be done about a report, besides showing it."""
        match report:
            case Begun():
                if report.read_only:
                    text = "Another workbench has this session open: it is read-only here."
                    self.notify(text, severity="warning", timeout=15)
                self.redraw()  # before anybody types
            case Saved():
                self._saved(report)
            case SaveFailed():
                self._save_failed(report)
            case Remark(text=text):
                self.notify(clean(text, 500), markup=False, timeout=8)
            case Refused():
                self.monitor.lost(report.problems)
                if report.rebuild:
                    self._offer_rebuild(report.problems)
                else:
                    self.notify(clean(report.problems, 500), severity="error", timeout=30, markup=False)
            case Crashed():
                self.monitor.lost(f"{report.summary}; a report is in {report.report}")
            case _:
                pass

    @on(EngineLost)
    def _engine_lost(self, message: EngineLost) -> None:
        if self.monitor.phase is not Phase.LOST:
            self.monitor.lost(message.reason)

    @on(Edited)
    def _edited(self, message: Edited) -> None:
        if self.send(SetHyperparameter(message.name, message.value)):
            self.monitor.expect(message.name, message.value)
            self.redraw()

    # -- another engine -----------------------------------------------------------------------------------------------

    def action_restart(self) -> None:
        """Start another engine where there is none: from the last save, or trained forward to where the run was."""
        if self.monitor.phase is not Phase.LOST:
            return
        try:
            saved = read_session(self._source) if self._source is not None else self._session
        except InputError as error:
            self.notify(clean(str(error), 300), severity="error", markup=False)
            return
        lost = self._caught_up(saved)
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

        self.app.push_screen(ChoiceScreen("Engine lost", text, answers), chosen)

    def _caught_up(self, saved: Session) -> Session | None:
        """The saved session with what was done since on the same branch; None where nothing was."""
        monitor, branch = self.monitor, saved.branch
        same = monitor.current == saved.current and tuple(monitor.edits[: len(branch.edits)]) == branch.edits
        if not same or (monitor.step, len(monitor.edits)) <= (branch.step, len(branch.edits)):
            return None
        if any(entry.name == GUARD and entry.step >= branch.step for entry in monitor.entries):
            return None  # what was decided at a stop is not known here
        notes = tuple(Note(entry.step, entry.text) for entry in monitor.entries if entry.name == NOTE)
        return saved.with_branch(edits=tuple(monitor.edits), notes=notes, step=monitor.step)

    def _offer_rebuild(self, problem: str) -> None:
        steps = self._session.step
        text = f"{clean(problem, 300)}\n\nNothing that made the run is lost: its preset, seed and edits are in the session."
        answers = (Answer("rebuild", "t", f"train its {steps:,} steps again"), Answer("", "l", "leave it as it is"))

        def chosen(answer: str | None) -> None:
            if answer == "rebuild":
                self._rebuild = True
                self._start_again(self._session)

        self.app.push_screen(ChoiceScreen("The checkpoint cannot be used", text, answers), chosen)

    def _start_again(self, session: Session) -> None:
        self._session = session
        self.monitor = Monitor.of(session)
        self.redraw()
        self.run_engine()

    # -- saving and leaving -------------------------------------------------------------------------------------------

    def _saved(self, report: Saved) -> None:
        self._source = self._path = Path(report.path)
        self._rebuild = False
        if self._leaving is not None and report.asked:
            self._leave(f"saved {report.path} at step {report.step:,}; go on with: workbench {shlex.quote(report.path)}")
        elif report.asked:
            self.notify(f"Saved {clean(report.path)} at step {report.step:,}", markup=False)

    def _save_failed(self, report: SaveFailed) -> None:
        again = {"quit": " Press q again to quit without saving.", "library": " Press escape again to leave without saving."}
        soon = f" It is tried again every {self._autosave_seconds:g} s."
        leaving = again.get(self._leaving or "", "") if report.asked else soon
        text = f"{clean(report.reason)}. Training is not affected.{leaving}"
        self.notify(text, severity="error", timeout=AGAIN_SECONDS, markup=False)
        if report.asked:
            self.set_timer(AGAIN_SECONDS, self._stay)

    def action_save(self) -> None:
        """Save the session."""
        self._stay()
        if self._engine is not None:
            self._engine.send(Save(str(self._path)))

    def action_quit_saving(self) -> None:
        """Save and quit; where saving fails, a second time quits without."""
        self._save_and("quit")

    def action_library(self) -> None:
        """Save and go to the library."""
        self._save_and("library")

    def _save_and(self, leave: str) -> None:
        again = self._leaving == leave
        self._leaving = leave
        # While it trains there are steps that have not been heard of yet.
        new = self.monitor.unsaved or self.monitor.phase is Phase.TRAINING
        if again or self._engine is None or not new or self.monitor.read_only:
            self._leave("")
        else:
            self._engine.send(Save(str(self._path)))

    def _stay(self) -> None:
        self._leaving = None

    def _leave(self, message: str) -> None:
        if self._leaving == "library":
            while self in self.app.screen_stack:  # something may lie on top
                self.app.pop_screen()
        else:
            self.app.exit(message=Text(clean(message, 500)) if message else None)
