"""Going back and sideways: undo, rewind, branches, what-if, the guard's offers, notes, the timeline as a schedule."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from pathlib import Path

from workbench.engine.commands import Planned, SetHyperparameter
from workbench.engine.events import Diverged
from workbench.files.atomic import write_atomically
from workbench.files.errors import SaveError
from workbench.files.text import clean, literal
from workbench.hyperparameters import Hyperparameters
from workbench.protocol.reports import PresetMade, Report
from workbench.protocol.requests import Annotate, GoOn, GoTo, GoToBest, MakePreset, Redo, Request, Resume, Switch, Undo
from workbench.session.branch import Note, Stop
from workbench.session.timeline import hyperparameters_at, place_before, undoable
from workbench.ui.actions import Performers
from workbench.ui.dialogs.branches import BranchesScreen
from workbench.ui.dialogs.choice import Answer, ChoiceScreen
from workbench.ui.dialogs.finder import FinderScreen
from workbench.ui.dialogs.fork import Departure, ForkScreen
from workbench.ui.dialogs.prompt import PromptScreen
from workbench.ui.dialogs.whatif import WhatIfScreen
from workbench.ui.doors.notice import notify
from workbench.ui.engine_link import EngineLink, void
from workbench.ui.state.monitor import STOPPED, Phase
from workbench.ui.state.timeline import Happening, Made
from workbench.ui.state.wording import shown, symbol
from workbench.ui.widgets.cursor import StepCursor

LATE = 200
"""An edit so few steps before a stop may be the reason for it."""
HELP = (
    "{travel.undo} undoes the last edit: its value from now on, or the model too, back to just before it. {travel.rewind} "
    "puts a cursor on the curves; {cursor.choose} goes back to that step. What was trained beyond stays, as a branch: "
    "{travel.branches} shows the tree. {travel.what_if} trains copies with other values from here, or from the cursor, on the "
    "same mini-batches; {travel.find_rate} looks for a learning rate. The guard stops training before an update that is not "
    "finite is committed, or when the cost has been guard k times its average for guard n steps, and puts the model back; "
    "{travel.go_to} then offers what to do. patience stops early and goes back to the best dev cost. Everything is saved at "
    "each edit and every few seconds."
)


class Travel:
    """Every place that a run has been to, and how to get there."""

    def __init__(self, link: EngineLink, cursor: StepCursor, chosen: Callable[[], Happening | None]) -> None:
        """`chosen` gives the line of the timeline that has the keys, where one has."""
        self._link, self._cursor, self._chosen = link, cursor, chosen
        self._presets: dict[int, Path] = {}
        link.listen(self._heard)

    @property
    def performers(self) -> Performers:
        """What it does of the table of actions."""
        return {
            "travel.undo": self.undo,
            "travel.redo": lambda: void(self._link.send(Redo())),
            "travel.rewind": self.rewind,
            "travel.what_if": self.what_if,
            "travel.branches": self.branches,
            "travel.go_to": self.go_to,
            "travel.find_rate": lambda: self._fork(FinderScreen(self._departure())),
            "travel.note": self.note,
            "travel.schedule": self.schedule,
        }

    # -- back ---------------------------------------------------------------------------------------------------------

    def undo(self) -> None:
        """Ask which meaning of undo is wanted."""
        link, monitor = self._link, self._link.monitor
        number = undoable(monitor.edits)
        if not number:
            notify(link, literal("There is no edit to undo."))
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
                link.send(Undo(model=answer == "model"))

        link.app.push_screen(ChoiceScreen(literal("Undo"), text, answers), chosen)

    def rewind(self) -> None:
        """Put a cursor on the curves; or start another engine, where there is none."""
        monitor = self._link.monitor
        if monitor.phase is Phase.LOST:
            self._link.restart()
        elif monitor.reach == 0:
            notify(self._link, literal("There is nothing to rewind yet."))
        else:
            self._cursor.open(monitor)

    def rewind_to(self, step: int) -> None:
        """Go back to a step."""
        self._link.send(GoTo(step))

    def go_to(self) -> None:
        """Offer what there is to do after a stop, and the places one goes back to most."""
        link, monitor = self._link, self._link.monitor
        answers: list[tuple[Answer, tuple[Request, ...]]] = []
        text = f"The run stands at step {monitor.step:,} on {clean(monitor.current, 40)}."
        if monitor.phase in STOPPED and monitor.stop is not None:
            text = f"{clean(monitor.trouble, 400)}\n\n{self._where_it_is()}"
            answers += self._after_a_stop()
        if monitor.best is not None:
            best = f"the best so far: dev data cost {monitor.best.cost:.4g} after step {monitor.best.step:,}"
            answers.append((Answer("best", "b", best), (GoToBest(),)))
        left = monitor.redo_branch
        if left:
            answers.append((Answer("back", "p", f"the branch that was left: {clean(left, 40)}"), (Switch(left),)))
        answers.append((Answer("start", "0", "the start, step 0"), (GoTo(0),)))

        def chosen(answer: str | None) -> None:
            if answer == "whatif":
                self.what_if()
            elif answer:
                link.send(*next(requests for each, requests in answers if each.id == answer))

        title = monitor.phase.value.capitalize() if monitor.phase in STOPPED else "Go to"
        link.app.push_screen(ChoiceScreen(clean(title), text, [each for each, _ in answers]), chosen)

    def _where_it_is(self) -> str:
        monitor = self._link.monitor
        stop = monitor.stop
        rows = ""
        if isinstance(stop, Diverged) and stop.rows:
            some = ", ".join(f"{row:,}" for row in stop.rows[:8])
            rows = f" The mini-batch was of train examples {some}{' …' if len(stop.rows) > 8 else ''} ({len(stop.rows)} in all)."
        return f"The model is as it was after step {monitor.step:,}, the last good one.{rows}"

    def _after_a_stop(self) -> list[tuple[Answer, tuple[Request, ...]]]:
        monitor = self._link.monitor
        third = float(f"{monitor.hyperparameters.learning_rate / 3:.3g}")
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
        monitor = self._link.monitor
        number = undoable(monitor.edits)
        if not number or monitor.edits[number - 1].step < monitor.step - LATE:
            return []
        edit = monitor.edits[number - 1]
        text = f"undo {symbol(edit.name)} {shown(edit.old)} → {shown(edit.new)}, made after step {edit.step:,}, and go on"
        return [(Answer("undo", "u", text), (Undo(model=False), Resume()))]

    # -- sideways -----------------------------------------------------------------------------------------------------

    def what_if(self) -> None:
        """Fork copies from here, or from the cursor."""
        self._fork(WhatIfScreen(self._departure()))

    def _departure(self) -> Departure:
        """Where the cursor stands, or the run itself, which may train on until somebody departs."""
        link, step = self._link, self._link.monitor.cursor
        if step is None:
            return Departure(lambda: link.monitor.step, lambda: link.monitor.hyperparameters, lambda: link.export(None))
        return Departure(lambda: step, lambda: self._in_force_at(step), lambda: link.export(step))

    def _in_force_at(self, step: int) -> Hyperparameters:
        """On the current branch after `step` steps, before the edits made there."""
        branch = self._link.monitor.branch
        return hyperparameters_at(self._link.session.preset, branch, place_before(branch, step))

    def _fork(self, screen: ForkScreen) -> None:
        link = self._link
        if link.monitor.begun is None or not link.connected:
            notify(link, literal("There is no engine to fork from."), severity="warning")
        else:
            link.app.push_screen(screen, lambda adopted: void(adopted is not None and link.send(adopted)))

    def branches(self) -> None:
        """Show the tree."""
        link = self._link

        def chosen(name: str | None) -> None:
            if name:
                link.send(Switch(name))

        link.app.push_screen(BranchesScreen(link.monitor, link.send), chosen)

    # -- written down -------------------------------------------------------------------------------------------------

    def note(self) -> None:
        """Ask for a note on the chosen line of the timeline; else on the step under the cursor, or on this one."""
        monitor, chosen = self._link.monitor, self._chosen()
        match chosen:
            case Made():
                self._ask_note(chosen.step, chosen.edit.note, f"on {chosen.edit.name} after step {chosen.step:,}", chosen.number)
            case Stop() | Note() | Planned():
                name = chosen.name if isinstance(chosen, Planned) else {Stop: "guard", Note: "note"}[type(chosen)]
                self._ask_note(chosen.step, self._noted(chosen.step), f"on {name} after step {chosen.step:,}")
            case None:
                step = monitor.cursor if monitor.cursor is not None else monitor.step
                self._ask_note(step, self._noted(step), f"on step {step:,}")

    def _noted(self, step: int) -> str:
        return next((note.text for note in self._link.monitor.branch.notes if note.step == step), "")

    def _ask_note(self, step: int, old: str, about: str, edit: int = 0) -> None:
        def typed(text: str | None) -> None:
            if text is not None:
                self._link.send(Annotate(step, text, edit))

        self._link.app.push_screen(PromptScreen(literal("Note"), clean(about, 100), old), typed)

    def schedule(self) -> None:
        """Offer to write a preset that makes the edits by itself."""
        names = list(dict.fromkeys(edit.name.partition(".")[0] for edit in self._link.monitor.edits))
        if not names:
            notify(self._link, literal("There are no edits to make a schedule of."))
            return
        answers = [Answer("*", "e", "every edit: trained without a hand on it, it comes to the same hash")]
        answers += [Answer(name, str(i), f"only those of {name}") for i, name in enumerate(names[:9], start=1)]

        def chosen(answer: str | None) -> None:
            if answer:
                self._ask_where(() if answer == "*" else (answer,))

        question = "Which edits should the new preset make by itself?"
        self._link.app.push_screen(ChoiceScreen(literal("Timeline to schedule"), question, answers), chosen)

    def _ask_where(self, names: tuple[str, ...]) -> None:
        def typed(name: str | None) -> None:
            if name:
                path = Path(name if name.endswith(".toml") else f"{name}.toml")
                number = len(self._presets) + 1
                self._presets[number] = path
                self._link.send(MakePreset(number, path.stem, names))

        suggested = f"{clean(self._link.session.preset.name, 40)}-scheduled.toml"
        self._link.app.push_screen(PromptScreen(literal("Timeline to schedule"), "The file of the new preset:", suggested), typed)

    def _heard(self, report: Report) -> None:
        if isinstance(report, PresetMade) and report.number in self._presets:
            self._write(self._presets[report.number], report.text)

    def _write(self, path: Path, text: str) -> None:
        link = self._link
        if os.path.exists(path):  # false for a name that no file can have: writing says why
            notify(link, clean(f"Not done: {path} is there already", 300), timeout=8)
            return
        try:
            write_atomically(path, text.encode())
        except SaveError as error:
            notify(link, clean(str(error), 300), severity="error", timeout=15)
            return
        seed = f" --seed {link.session.seed}" if link.session.seed != 1 else ""
        told = f"Wrote {path}; train it with: workbench train {shlex.quote(str(path))}{seed}"
        notify(link, clean(told, 500), timeout=15)
