"""Going back and sideways: undo, rewind, branches, what-if, the guard's offers, notes, the timeline as a schedule."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Iterable
from typing import ClassVar

from textual.app import SystemCommand
from textual.binding import Binding, BindingType

from workbench.engine.commands import SetHyperparameter
from workbench.engine.events import Diverged
from workbench.files.text import clean
from workbench.protocol.reports import Exported, Report
from workbench.protocol.requests import (
    Adopt,
    Annotate,
    GoOn,
    GoTo,
    GoToBest,
    Redo,
    Request,
    Resume,
    Switch,
    Undo,
    WritePreset,
)
from workbench.session.branch import Branch
from workbench.session.timeline import hyperparameters_at, place_before, undoable
from workbench.spec import Value
from workbench.ui.dialogs.branches import BranchesScreen
from workbench.ui.dialogs.choice import Answer, ChoiceScreen
from workbench.ui.dialogs.finder import FinderScreen
from workbench.ui.dialogs.fork import ForkScreen
from workbench.ui.dialogs.prompt import PromptScreen
from workbench.ui.dialogs.whatif import WhatIfScreen
from workbench.ui.screens.engine import EngineScreen
from workbench.ui.state.monitor import NOTE, STOPPED, Phase, shown, symbol
from workbench.ui.widgets.cursor import StepCursor

LATE = 200
"""An edit so few steps before a stop may be the reason for it."""


class TravelScreen(EngineScreen):
    """Has one run, and every place it has been to."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("u", "undo", "Undo", id="travel.undo", tooltip="Undo the last edit: its value, or the model too"),
        Binding("U", "redo", "Redo", show=False, id="travel.redo", tooltip="Take the last undo back"),
        Binding("r", "rewind", "Rewind", id="travel.rewind", tooltip="Move a cursor along the curves, and go back to a step"),
        Binding("f", "what_if", "What if", id="travel.what_if", tooltip="Train copies with other values beside this run"),
        Binding("v", "branches", "Branches", id="travel.branches", tooltip="The tree: switch, compare, rename, delete"),
        Binding("g", "go_to", "Go to", show=False, id="travel.go_to", tooltip="On after a stop; the best so far; the start"),
        Binding("a", "find_rate", "Find α", show=False, id="travel.find_rate", tooltip="Learning-rate finder"),
        Binding("n", "note", "Note", show=False, id="travel.note", tooltip="Write a note on this step, or on the chosen edit"),
        Binding("w", "schedule", "Schedule", show=False, id="travel.schedule", tooltip="Turn the edits into a preset's schedule"),
    ]

    TRAVEL_HELP: ClassVar[str] = (
        "u undoes the last edit: its value from now on, or the model too, back to just before it. r puts a cursor on the curves; "
        "Enter goes back to that step. What was trained beyond stays, as a branch: v shows the tree. f trains copies with other "
        "values from here, or from the cursor, on the same mini-batches; a looks for a learning rate. The guard stops training "
        "before an update that is not finite is committed, or when the cost has been guard k times its average for guard n "
        "steps, and puts the model back; g then offers what to do. patience stops early and goes back to the best dev cost. "
        "Everything is saved at each edit and every few seconds."
    )

    # -- back ---------------------------------------------------------------------------------------------------------

    def action_undo(self) -> None:
        """Ask which meaning of undo is wanted."""
        monitor = self.monitor
        number = undoable(tuple(monitor.edits))
        if not number:
            self.notify("There is no edit to undo.")
            return
        edit = monitor.edits[number - 1]
        since = monitor.step - edit.step
        kept = f"; the {since:,} steps since stay, as a branch" if since else ""
        text = f"{symbol(edit.name)} {shown(edit.old)} → {shown(edit.new)}, made after step {edit.step:,}."
        answers = (
            Answer("value", "v", f"the value, from now on: {symbol(edit.name)} is {shown(edit.old)} again"),
            Answer("model", "m", f"the model too: back to step {edit.step:,}, just before the edit{kept}"),
        )

        def chosen(answer: str | None) -> None:
            if answer:
                self.send(Undo(model=answer == "model"))

        self.app.push_screen(ChoiceScreen("Undo", text, answers), chosen)

    def action_redo(self) -> None:
        """Take the last undo back."""
        self.send(Redo())

    def action_rewind(self) -> None:
        """Put a cursor on the curves; or start another engine, where there is none."""
        if self.monitor.phase is Phase.LOST:
            self.action_restart()
        elif self.monitor.reach == 0:
            self.notify("There is nothing to rewind yet.")
        else:
            self.query_one(StepCursor).open(self.monitor)

    def on_step_cursor_moved(self, message: StepCursor.Moved) -> None:
        """The charts are read at another step, or not at all."""
        self.monitor.cursor = message.step
        self.monitor.revision += 1
        self.redraw()

    def on_step_cursor_chosen(self, message: StepCursor.Chosen) -> None:
        """Go back to the step under the cursor."""
        self.send(GoTo(message.step))

    def action_go_to(self) -> None:
        """Offer what there is to do after a stop, and the places one goes back to most."""
        monitor = self.monitor
        answers: list[tuple[Answer, tuple[Request, ...]]] = []
        text = f"The run stands at step {monitor.step:,} on {clean(monitor.current, 40)}."
        if monitor.phase in STOPPED and monitor.stop is not None:
            text = f"{clean(monitor.trouble, 400)}\n\n{self._where_it_is()}"
            answers += self._after_a_stop()
        if monitor.best is not None:
            best = f"the best so far: dev cost {monitor.best.cost:.4g} after step {monitor.best.step:,}"
            answers.append((Answer("best", "b", best), (GoToBest(),)))
        if monitor.redo_branch:
            answers.append(
                (
                    Answer("back", "p", f"the branch that was left: {clean(monitor.redo_branch, 40)}"),
                    (Switch(monitor.redo_branch),),
                )
            )
        answers.append((Answer("start", "0", "the start, step 0"), (GoTo(0),)))

        def chosen(answer: str | None) -> None:
            if answer == "whatif":
                self.action_what_if()
            elif answer:
                self.send(*next(requests for each, requests in answers if each.id == answer))

        title = monitor.phase.value.capitalize() if monitor.phase in STOPPED else "Go to"
        self.app.push_screen(ChoiceScreen(title, text, [each for each, _ in answers]), chosen)

    def _where_it_is(self) -> str:
        monitor = self.monitor
        stop = monitor.stop
        rows = ""
        if isinstance(stop, Diverged) and stop.rows:
            some = ", ".join(f"{row:,}" for row in stop.rows[:8])
            rows = f" The mini-batch was of train examples {some}{' …' if len(stop.rows) > 8 else ''} ({len(stop.rows)} in all)."
        return f"The model is as it was after step {monitor.step:,}, the last good one.{rows}"

    def _after_a_stop(self) -> list[tuple[Answer, tuple[Request, ...]]]:
        monitor = self.monitor
        alpha = monitor.hyperparameters.get("learning_rate", 0.0)
        assert isinstance(alpha, float)
        third = float(f"{alpha / 3:.3g}")
        lower = SetHyperparameter("learning_rate", third)
        diverged = isinstance(monitor.stop, Diverged)
        how = ": what is not finite is left out, what has risen is taken" if diverged else ", from where it stopped"
        return [
            (Answer("third", "3", f"α ÷ 3, which is {shown(third)}, and go on"), (lower, Resume())),
            *self._undoing_a_late_edit(),
            (Answer("whatif", "f", "what if: try some values from here"), ()),
            (Answer("anyway", "a", f"go on anyway{how}"), (GoOn(),)),
            (Answer("", "s", "stay here"), ()),
        ]

    def _undoing_a_late_edit(self) -> list[tuple[Answer, tuple[Request, ...]]]:
        """The last edit may be what did the harm."""
        monitor = self.monitor
        number = undoable(tuple(monitor.edits))
        if not number or monitor.edits[number - 1].step < monitor.step - LATE:
            return []
        edit = monitor.edits[number - 1]
        text = f"undo {symbol(edit.name)} {shown(edit.old)} → {shown(edit.new)}, made after step {edit.step:,}, and go on"
        return [(Answer("undo", "u", text), (Undo(model=False), Resume()))]

    # -- sideways -----------------------------------------------------------------------------------------------------

    def action_what_if(self) -> None:
        """Fork copies from here, or from the cursor."""
        self._fork(WhatIfScreen(self, self.monitor.cursor))

    def action_find_rate(self) -> None:
        """Try learning rates from here."""
        self._fork(FinderScreen(self, self.monitor.cursor))

    def hyperparameters_at(self, step: int) -> dict[str, Value]:
        """What was in force on the current branch after `step` steps, before the edits made there."""
        branch = Branch(edits=tuple(self.monitor.edits), step=self.monitor.step)
        h = hyperparameters_at(self._session.preset, branch, place_before(branch, step))
        return {field.name: getattr(h, field.name) for field in dataclasses.fields(h)}

    def _fork(self, screen: ForkScreen) -> None:
        if self.monitor.begun is None or self._engine is None:
            self.notify("There is no engine to fork from.", severity="warning")
            return
        self._forking = screen
        self.app.push_screen(screen, self._adopt)

    _forking: ForkScreen | None = None

    def _adopt(self, adopted: Adopt | None) -> None:
        self._forking = None
        if adopted is not None:
            self.send(adopted)

    def heard(self, report: Report) -> None:
        """What a fork waits for goes to it; a preset that was written is told of."""
        super().heard(report)
        if self._forking is not None:
            self._forking.heard(report)
        if isinstance(report, Exported) and report.path == self._preset_path:
            seed = f" --seed {self._session.seed}" if self._session.seed != 1 else ""
            text = f"Wrote {report.path}; train it with: workbench train {shlex.quote(report.path)}{seed}"
            self.notify(clean(text, 500), markup=False, timeout=15)

    _preset_path = ""

    def action_branches(self) -> None:
        """Show the tree."""
        self.app.push_screen(BranchesScreen(self))

    # -- written down -------------------------------------------------------------------------------------------------

    def action_note(self) -> None:
        """Ask for a note on the step under the cursor, or on this one."""
        step = self.monitor.cursor if self.monitor.cursor is not None else self.monitor.step
        self.ask_note(step, 0, f"on step {step:,}")

    def ask_note(self, step: int, edit: int, about: str) -> None:
        """Ask for a note on a step, or on edit number `edit` (from 1)."""
        notes = (entry.text for entry in self.monitor.entries if entry.step == step and entry.name == NOTE)
        old = self.monitor.edits[edit - 1].note if edit else next(notes, "")

        def typed(text: str | None) -> None:
            if text is not None:
                self.send(Annotate(step, text, edit))

        self.app.push_screen(PromptScreen("Note", clean(about, 100), old), typed)

    def action_schedule(self) -> None:
        """Offer to write a preset that makes the edits by itself."""
        names = list(dict.fromkeys(edit.name.partition(".")[0] for edit in self.monitor.edits))
        if not names:
            self.notify("There are no edits to make a schedule of.")
            return
        answers = [Answer("*", "e", "every edit: trained without a hand on it, it comes to the same hash")]
        answers += [Answer(name, str(i), f"only those of {name}") for i, name in enumerate(names[:9], start=1)]

        def chosen(answer: str | None) -> None:
            if answer:
                self._ask_where(() if answer == "*" else (answer,))

        question = "Which edits should the new preset make by itself?"
        self.app.push_screen(ChoiceScreen("Timeline to schedule", question, answers), chosen)

    def _ask_where(self, names: tuple[str, ...]) -> None:
        def typed(path: str | None) -> None:
            if path:
                self._preset_path = path if path.endswith(".toml") else f"{path}.toml"
                self.send(WritePreset(self._preset_path, names))

        suggested = f"{clean(self._session.preset.name, 40)}-scheduled.toml"
        self.app.push_screen(PromptScreen("Timeline to schedule", "The file of the new preset:", suggested), typed)

    def commands(self) -> Iterable[SystemCommand]:
        """Every action of these, for the command palette."""
        yield from super().commands()
        yield SystemCommand("Undo the last edit", "u", self.action_undo)
        yield SystemCommand("Redo", "U", self.action_redo)
        yield SystemCommand("Rewind to an earlier step", "r", self.action_rewind)
        yield SystemCommand("What if: train copies with other values", "f", self.action_what_if)
        yield SystemCommand("Branches", "v", self.action_branches)
        yield SystemCommand("Go to the best, the start, or on after a stop", "g", self.action_go_to)
        yield SystemCommand("Learning-rate finder", "a", self.action_find_rate)
        yield SystemCommand("Write a note", "n", self.action_note)
        yield SystemCommand("Timeline to schedule", "w", self.action_schedule)
