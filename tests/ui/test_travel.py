"""Travel, in an app of its own and without an engine: what is asked, and which requests an answer sends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from driving import STYLES, press, seen, until
from synthetic import begun, evaluated, steps
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.widgets import Input

from workbench.engine.commands import Planned, SetHyperparameter
from workbench.engine.events import Diverged, HyperparameterChanged, StoppedEarly
from workbench.protocol.reports import Branches, BranchSent, Exported, Paused, PresetMade, Report
from workbench.protocol.requests import Adopt, Annotate, GoOn, GoTo, GoToBest, MakePreset, Redo, Request, Resume, Switch, Undo
from workbench.session.branch import Branch, Edit, Note, Stop
from workbench.session.preset import Preset
from workbench.session.session import Session
from workbench.ui.actions import TRAVEL
from workbench.ui.dialogs.branches import BranchesScreen
from workbench.ui.dialogs.choice import ChoiceScreen
from workbench.ui.dialogs.finder import FinderScreen
from workbench.ui.dialogs.fork import CannotDepart, ForkScreen
from workbench.ui.dialogs.prompt import PromptScreen
from workbench.ui.dialogs.whatif import WhatIfScreen
from workbench.ui.engine_link import EngineLink
from workbench.ui.state.timeline import Happening, Made
from workbench.ui.travel import LATE, Travel
from workbench.ui.widgets.cursor import StepCursor

Alone = Callable[..., Any]
EDIT = HyperparameterChanged(20, "learning_rate", 0.01, 0.003)
STOP = Diverged(41, "the cost is nan", (4, 1000), 40)


class RecordingLink(EngineLink):
    """A link without an engine: keeps what it is to send, and has its reports handed in by `hear`."""

    def __init__(self, session: Session, path: Path) -> None:
        super().__init__(session, path, None)
        self.sent: list[Request] = []
        self.departed: list[int | None] = []
        self.there = True

    @property
    def connected(self) -> bool:
        return self.there

    def send(self, *requests: Request) -> bool:
        self.sent += requests
        return True

    async def export(self, step: int | None) -> Exported:
        self.departed.append(step)
        raise CannotDepart("this run has no engine")


class Host(App[None]):
    """Travel and what it needs: a link, and a cursor over the steps."""

    CSS_PATH = STYLES

    def __init__(self, session: Session, path: Path) -> None:
        super().__init__()
        self.link, self.cursor = RecordingLink(session, path), StepCursor()
        self.chosen: Happening | None = None
        self.travel = Travel(self.link, self.cursor, lambda: self.chosen)

    def compose(self) -> ComposeResult:
        yield self.link
        yield self.cursor


class Travelled:
    """An app with travel in it that runs, and what a test wants to know of it."""

    def __init__(self, host: Host, pilot: Pilot[Any]) -> None:
        self.host, self.pilot, self.link, self.travel = host, pilot, host.link, host.travel

    @property
    def sent(self) -> list[Request]:
        return self.link.sent

    @property
    def text(self) -> str:
        """What is seen, without borders, and with no line broken."""
        return " ".join(seen(self.host).replace("│", " ").split())

    def hear(self, *reports: Report) -> None:
        for report in reports:
            self.link.hear(report)

    async def do(self, id: str) -> None:
        """Have an action done, and wait for what it asks."""
        self.travel.performers[id]()
        await self.until(lambda: len(self.host.screen_stack) > 1, "asked")
        await self.pilot.pause(0)

    async def press(self, *keys: str) -> None:
        await press(self.pilot, *keys)

    async def until(self, holds: Callable[[], object], what: str = "") -> None:
        await until(self.pilot, holds, what)

    async def answered(self, id: str, *keys: str) -> list[Request]:
        """What is sent when an action's question is answered."""
        before = len(self.sent)
        await self.do(id)
        assert isinstance(self.host.screen, ChoiceScreen)
        await self.press(*keys)
        await self.until(lambda: not isinstance(self.host.screen, ChoiceScreen), "answered")
        return self.sent[before:]

    async def typed(self, text: str) -> None:
        """Type into the one line that is asked for."""
        await self.until(lambda: isinstance(self.host.screen, PromptScreen) and self.host.screen.query(Input), "a line")
        self.host.screen.query_one(Input).value = text
        await self.press("enter")
        await self.until(lambda: not isinstance(self.host.screen, PromptScreen), "typed")

    async def until_told(self, *texts: str) -> None:
        def told() -> bool:
            return any(all(text in each.message for text in texts) for each in self.host._notifications)

        await self.until(told, f"told {texts}")


@pytest.fixture
def alone(make_preset: Callable[..., Preset], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Alone:
    """Travel on a run of which these reports have come; gives a `Travelled`."""
    monkeypatch.chdir(tmp_path)

    @asynccontextmanager
    async def opened(*reports: Report, seed: int = 1) -> AsyncIterator[Travelled]:
        host = Host(Session(preset=make_preset(), seed=seed), tmp_path / "run.toml")
        async with host.run_test(size=(120, 40), notifications=True) as pilot:
            it = Travelled(host, pilot)
            it.hear(*reports)
            yield it

    return opened


def run(*more: Report, last: int = 40) -> tuple[Report, ...]:
    """An edit after step 20, and the run trained on to step `last`."""
    return (begun(learning_rate=0.01), evaluated(0), steps(1, 20), EDIT, steps(21, last), evaluated(last), *more)


async def test_it_does_what_the_table_says_and_nothing_else(alone: Alone):
    async with alone() as it:
        assert set(it.travel.performers) == {each.id for each in TRAVEL}


# -- back ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("key", "model"), [("v", False), ("m", True)])
async def test_undo_asks_which_meaning_is_wanted(alone: Alone, key: str, model: bool):
    async with alone(*run()) as it:
        await it.do("travel.undo")
        text = it.text
        assert "α 0.01 → 0.003, made after step 20." in text
        assert "the value, from now on: α is 0.01 again" in text
        assert "back to step 20, just before the edit; the 20 steps since stay, as a branch" in text
        await it.press("escape")
        assert it.sent == [], "nothing, where it is left"
        assert await it.answered("travel.undo", key) == [Undo(model=model)]


async def test_without_an_edit_there_is_nothing_to_undo(alone: Alone):
    async with alone(begun(), steps(1, 20)) as it:
        it.travel.undo()
        await it.until_told("There is no edit to undo.")
        undone = HyperparameterChanged(20, "learning_rate", 0.003, 0.01, undoes=1)
        it.hear(EDIT, undone)
        it.travel.undo()
        await it.until(lambda: len(it.host._notifications) == 2, "what is undone is not undone again")
        assert it.sent == []
        it.travel.performers["travel.redo"]()
        assert it.sent == [Redo()]


AFTER_A_STOP = {
    "3": [SetHyperparameter("learning_rate", 0.001), Resume()],
    "u": [Undo(model=False), Resume()],
    "a": [GoOn()],
    "s": [],
    "b": [GoToBest()],
    "0": [GoTo(0)],
}


@pytest.mark.parametrize("key", AFTER_A_STOP)
async def test_after_the_guard_each_offer_does_what_it_says(alone: Alone, key: str):
    async with alone(*run(STOP, Paused(40))) as it:
        await it.do("travel.go_to")
        text = it.text
        for offer in (
            "step 41 was not taken: the cost is nan",
            "The model is as it was after step 40, the last good one. The mini-batch was of train examples 4, 1,000 (2 in all).",
            "α ÷ 3, which is 0.001, and go on",
            "undo α 0.01 → 0.003, made after step 20, and go on",
            "go on anyway: what is not finite is left out",
            "the best so far: dev data cost",
        ):
            assert offer in text, offer
        assert "the branch that was left" not in text
        await it.press("escape")
        assert await it.answered("travel.go_to", key) == AFTER_A_STOP[key]


async def test_after_early_stopping_there_is_the_branch_that_was_left(alone: Alone):
    main = Branch(step=40, edits=(Edit(20, "learning_rate", 0.01, 0.003),))
    back = Branch(name="main-2", parent="main", fork=30, step=30, edits=main.edits)
    sent = Branches((BranchSent(main, ()), BranchSent(back, ())), "main-2", redo_branch="main")
    async with alone(*run(StoppedEarly(40, 30, 0.25), sent)) as it:
        await it.do("travel.go_to")
        assert "go on anyway, from where it stopped" in it.text
        assert "after step 40: the dev cost without penalties was least, 0.25, at step 30" in it.text
        await it.press("escape")
        assert await it.answered("travel.go_to", "p") == [Switch("main")]


async def test_an_edit_that_was_long_before_the_stop_is_not_blamed(alone: Alone):
    last = 20 + LATE + 1
    async with alone(*run(Diverged(last + 1, "the cost is nan", (), last), Paused(last), last=last)) as it:
        await it.do("travel.go_to")
        assert "α ÷ 3" in it.text
        assert "undo α" not in it.text


async def test_without_a_stop_there_are_only_places_to_go_to(alone: Alone):
    async with alone(*run()) as it:
        await it.do("travel.go_to")
        assert "The run stands at step 40 on main." in it.text
        assert "÷ 3" not in it.text
        await it.press("escape")
        assert await it.answered("travel.go_to", "0") == [GoTo(0)]


async def test_the_cursor_is_opened_where_there_is_somewhere_to_go(alone: Alone):
    async with alone() as it:
        it.travel.rewind()
        await it.until_told("There is nothing to rewind yet.")
        assert not it.host.cursor.display
        it.hear(*run())
        it.travel.rewind()
        assert (it.host.cursor.display, it.link.monitor.cursor) == (True, 40)
        it.travel.rewind_to(17)
        assert it.sent == [GoTo(17)]


# -- sideways -----------------------------------------------------------------------------------------------------------


async def begin_forks(it: Travelled, id: str, screen: type[ForkScreen]) -> ForkScreen:
    """Open the dialog and begin; there is no place to fork from, which it says."""
    await it.do(id)
    found = it.host.screen
    assert isinstance(found, screen)
    await it.press("enter")
    await it.until(lambda: "✗ this run has no engine" in it.text, "said")
    return found


FORKS = [("travel.what_if", WhatIfScreen), ("travel.find_rate", FinderScreen)]


@pytest.mark.parametrize(("id", "screen"), FORKS)
async def test_forks_depart_from_the_step_under_the_cursor_before_its_edits(alone: Alone, id: str, screen: type[ForkScreen]):
    async with alone(*run()) as it:
        it.link.monitor.cursor = 20
        found = await begin_forks(it, id, screen)
        assert (found.departure.step(), found.departure.hyperparameters().learning_rate) == (20, 0.01)
        it.hear(steps(41, 60))
        assert found.departure.step() == 20
        assert it.link.departed == [20]


@pytest.mark.parametrize(("id", "screen"), FORKS)
async def test_without_a_cursor_they_depart_from_where_the_run_has_come_to_by_then(
    alone: Alone, id: str, screen: type[ForkScreen]
):
    async with alone(*run()) as it:
        found = await begin_forks(it, id, screen)
        it.hear(steps(41, 60))
        assert (found.departure.step(), found.departure.hyperparameters().learning_rate) == (60, 0.003)
        assert it.link.departed == [None]


@pytest.mark.parametrize(("id", "screen"), FORKS)
async def test_what_is_adopted_is_sent_and_what_is_dropped_is_not(alone: Alone, id: str, screen: type[ForkScreen]):
    adopted = Adopt(20, 0, (SetHyperparameter("learning_rate", 0.05),))
    async with alone(*run()) as it:
        await it.do(id)
        await it.press("escape")
        assert it.sent == []
        await it.do(id)
        assert isinstance(it.host.screen, screen)
        it.host.screen.dismiss(adopted)
        await it.until(lambda: it.sent, "sent")
        assert it.sent == [adopted]


async def test_without_an_engine_nothing_is_forked(alone: Alone):
    async with alone() as it:
        it.travel.what_if()
        await it.until_told("There is no engine to fork from.")
        it.hear(*run())
        it.link.there = False
        it.travel.performers["travel.find_rate"]()
        await it.until(lambda: len(it.host._notifications) == 2, "told again")
        assert len(it.host.screen_stack) == 1


async def test_what_if_can_be_asked_for_after_a_stop(alone: Alone):
    async with alone(*run(STOP, Paused(40))) as it:
        assert await it.answered("travel.go_to", "f") == []
        await it.until(lambda: isinstance(it.host.screen, WhatIfScreen), "the forks")


async def test_the_branch_that_is_chosen_is_switched_to(alone: Alone):
    branches = tuple(BranchSent(Branch(name=name, step=40), ()) for name in ("main", "main-2"))
    async with alone(*run(Branches(branches, "main"))) as it:
        await it.do("travel.branches")
        assert isinstance(it.host.screen, BranchesScreen)
        await it.press("down", "enter")
        await it.until(lambda: it.sent, "sent")
        assert it.sent == [Switch("main-2")]


# -- written down -------------------------------------------------------------------------------------------------------

NOTED: list[tuple[Happening | None, str, str, Annotate]] = [
    (Made(Edit(20, "learning_rate", 0.01, 0.003, "why"), 1), "on learning_rate after step 20", "why", Annotate(20, "so", 1)),
    (Stop(40, 1, "the cost is nan"), "on guard after step 40", "", Annotate(40, "so")),
    (Note(30, "half way"), "on note after step 30", "half way", Annotate(30, "so")),
    (Planned(10, "l2", 0.5), "on l2 after step 10", "", Annotate(10, "so")),
    (None, "on step 40", "", Annotate(40, "so")),
]


@pytest.mark.parametrize(("chosen", "about", "old", "sent"), NOTED, ids=lambda each: type(each).__name__)
async def test_a_note_is_on_what_is_chosen(alone: Alone, chosen: Happening | None, about: str, old: str, sent: Annotate):
    noted = Branch(step=40, edits=(Edit(20, "learning_rate", 0.01, 0.003),), notes=(Note(30, "half way"),))
    async with alone(*run(Branches((BranchSent(noted, ()),), "main"))) as it:
        it.host.chosen = chosen
        await it.do("travel.note")
        assert about in it.text
        assert it.host.screen.query_one(Input).value == old
        await it.press("escape")
        assert it.sent == []
        await it.do("travel.note")
        await it.typed("so")
        assert it.sent == [sent]


async def test_with_a_cursor_a_note_is_on_its_step_and_an_empty_one_takes_it_away(alone: Alone):
    noted = Branch(step=40, notes=(Note(30, "half way"),))
    async with alone(*run(Branches((BranchSent(noted, ()),), "main"))) as it:
        it.link.monitor.cursor = 30
        await it.do("travel.note")
        assert it.host.screen.query_one(Input).value == "half way"
        await it.typed("")
        assert it.sent == [Annotate(30, "")]


async def schedule(it: Travelled, path: str, answer: str = "e") -> MakePreset:
    """Ask for a schedule in a file; what was sent for it."""
    await it.answered("travel.schedule", answer)
    await it.typed(path)
    made = it.sent[-1]
    assert isinstance(made, MakePreset)
    return made


async def test_the_schedule_is_written_when_it_comes_and_its_folder_is_made(alone: Alone, tmp_path: Path):
    path = tmp_path / "new" / "folder" / "planned"
    async with alone(*run(), seed=7) as it:
        made = await schedule(it, str(path))
        assert (made.name, made.names) == ("planned", ())
        assert not path.parent.exists(), "nothing before it comes"
        it.hear(PresetMade(made.number + 1, "of somebody else", 40))
        assert not path.parent.exists()
        it.hear(PresetMade(made.number, "[plan]\nα\n", 40))
        assert path.with_suffix(".toml").read_text() == "[plan]\nα\n"
        await it.until_told("Wrote", "planned.toml", "workbench train", "--seed 7")


async def test_only_the_edits_of_one_hyperparameter_are_asked_for(alone: Alone):
    more = (HyperparameterChanged(40, "keep_prob.2", 1.0, 0.8), HyperparameterChanged(40, "keep_prob.1", 1.0, 0.9))
    async with alone(*run(*more)) as it:
        await it.do("travel.schedule")
        assert "only those of learning_rate" in it.text
        assert it.text.count("only those of keep_prob") == 1
        await it.press("escape")
        assert (await schedule(it, "kept", "2")).names == ("keep_prob",)


async def test_a_name_is_suggested_and_where_it_is_left_nothing_is_asked(alone: Alone):
    async with alone(*run()) as it:
        await it.answered("travel.schedule", "e")
        await it.until(lambda: it.host.screen.query(Input), "a line")
        assert it.host.screen.query_one(Input).value == "small-scheduled.toml"
        await it.press("escape")
        await it.until(lambda: len(it.host.screen_stack) == 1, "left")
        assert it.sent == []


async def test_without_edits_there_is_no_schedule(alone: Alone):
    async with alone(begun(), steps(1, 20)) as it:
        it.travel.schedule()
        await it.until_told("There are no edits to make a schedule of.")
        assert len(it.host.screen_stack) == 1


async def test_a_schedule_overwrites_nothing(alone: Alone, tmp_path: Path):
    (tmp_path / "planned.toml").write_text("mine")
    async with alone(*run()) as it:
        made = await schedule(it, "planned.toml")
        it.hear(PresetMade(made.number, "text", 40))
        await it.until_told("Not done: planned.toml is there already")
    assert (tmp_path / "planned.toml").read_text() == "mine"


@pytest.mark.parametrize("path", ["file/planned.toml", f"{'x' * 300}.toml", "folder"])
async def test_a_schedule_that_cannot_be_written_is_told(alone: Alone, tmp_path: Path, path: str):
    (tmp_path / "file").write_text("not a folder")
    (tmp_path / "folder.toml").mkdir()
    async with alone(*run()) as it:
        made = await schedule(it, path)
        it.hear(PresetMade(made.number, "text", 40))
        await it.until(lambda: it.host._notifications, "told")
        (told,) = it.host._notifications
        assert path[:10] in told.message
        assert "Wrote" not in told.message
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file", "folder.toml"]


async def test_schedules_go_each_to_its_own_file_whichever_comes_first(alone: Alone, tmp_path: Path):
    async with alone(*run()) as it:
        one, other = await schedule(it, "one"), await schedule(it, "other")
        assert one.number != other.number
        it.hear(PresetMade(other.number, "the other", 40), PresetMade(one.number, "the one", 40))
    assert [(tmp_path / f"{name}.toml").read_text() for name in ("one", "other")] == ["the one", "the other"]
