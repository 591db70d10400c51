"""One table of actions: whoever names a key asks it, and after a key is changed everything names the new one."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tomli
from driving import Driven, Open, press, seen, settle, until
from fed import FedApp
from textual.pilot import Pilot
from textual.widgets import Static

import workbench.ui
from workbench.engine.events import Diverged, Finished
from workbench.engine.measurements import Score
from workbench.protocol.reports import Paused, Travelling
from workbench.ui.actions import ACTIONS, CHART, CURSOR, LIBRARY, NO_KEY, PARTS, TRAINING, KeyNames, bindings, spelt
from workbench.ui.dialogs.choice import ChoiceScreen
from workbench.ui.dialogs.help import HelpScreen
from workbench.ui.engine_link import AGAIN
from workbench.ui.panels.area import PANELS
from workbench.ui.panels.curves import FirstChart
from workbench.ui.panels.panel import Panel
from workbench.ui.panels.status import Advice
from workbench.ui.panels.timeline import NOTHING
from workbench.ui.panels.units import UnitsPanel
from workbench.ui.preferences.keys import canonical_key
from workbench.ui.screens.library import LibraryScreen
from workbench.ui.screens.training import TrainingScreen
from workbench.ui.state.monitor import Monitor, Phase
from workbench.ui.travel import HELP as TRAVEL_HELP
from workbench.ui.widgets.cursor import HOW, StepCursor
from workbench.ui.widgets.editor import Editor

OWNERS = {TrainingScreen: TRAINING, StepCursor: CURSOR, LibraryScreen: LIBRARY}

# -- the table ----------------------------------------------------------------------------------------------------------


def test_each_action_is_in_the_table_once():
    assert [id for id, count in Counter(each.id for part in PARTS for each in part).items() if count > 1] == []
    assert set(ACTIONS) == {each.id for part in PARTS for each in part}
    assert all(each.about for each in ACTIONS.values())


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part[-1].id)
def test_within_a_part_a_key_does_one_thing_and_is_called_as_textual_reports_it(part: tuple[Any, ...]):
    keys = [key for each in part for key in each.keys.split(",")]
    assert [key for key, count in Counter(keys).items() if count > 1] == []
    assert [canonical_key(key) for key in keys] == keys


async def test_every_action_of_the_screen_has_somebody_who_does_it(presets: Path, sessions: Path):
    async with FedApp(sessions, presets / "clouds.toml").run_test() as pilot:
        await until(pilot, lambda: isinstance(pilot.app.screen, TrainingScreen), "the screen")
        screen = pilot.app.screen
        assert isinstance(screen, TrainingScreen)
        assert {each.id for each in TRAINING} <= set(screen.performers)
        assert set(screen.performers) <= set(ACTIONS)
        palette = {each.id for each in ACTIONS.values() if each.palette}
        assert palette <= set(screen.performers), "what stands in the palette can be done from anywhere"


@pytest.mark.parametrize("kind", PANELS.values())
def test_the_bindings_of_a_panel_are_its_part_of_the_table(kind: type[Panel]):
    assert list(kind.BINDINGS) == bindings(kind.ACTIONS)
    for each in kind.ACTIONS:
        assert hasattr(kind, f"action_{each.does.partition('(')[0]}"), each.id


@pytest.mark.parametrize("owner", OWNERS)
def test_the_bindings_of_a_screen_are_its_part_of_the_table(owner: Any):
    assert list(owner.BINDINGS) == bindings(OWNERS[owner])
    for each in OWNERS[owner]:
        assert hasattr(owner, f"action_{each.does.partition('(')[0] or 'perform'}"), each.id


# -- its names ----------------------------------------------------------------------------------------------------------


def test_a_key_is_called_as_it_is_on_the_keyboard():
    assert [spelt(key) for key in ("question_mark", "left", "space", "escape", "U", "ctrl+s", "plus", "slash", "f2")] == [
        "?", "←", "space", "escape", "U", "ctrl+s", "+", "/", "f2",
    ]  # fmt: skip


def test_the_names_are_the_table_s_until_the_user_has_chosen_others():
    keys = KeyNames()
    assert {id: keys.of(id) for id in ("travel.undo", "chart.in", "cursor.leave", "training.help", "chart.back")} == {
        "travel.undo": "u", "chart.in": "+", "cursor.leave": "esc", "training.help": "?", "chart.back": "←",
    }  # fmt: skip
    mine = KeyNames({"travel.undo": "f5,u", "training.help": "exclamation_mark", "chart.in": "up"})
    assert [mine.of(id) for id in ("travel.undo", "training.help", "chart.in", "travel.redo")] == ["f5", "!", "↑", "U"]


def test_ids_in_a_text_are_filled_in_and_nothing_else_is():
    keys = KeyNames({"travel.undo": "f5"})
    assert (
        keys.fill("{travel.undo} undoes, {view.panel6} goes there; {n} and {} stay") == "f5 undoes, 6 goes there; {n} and {} stay"
    )


def test_a_key_that_somebody_else_has_got_is_not_named_any_more():
    keys = KeyNames({"travel.undo": "b", "chart.out": "plus", "cursor.back": "r"})
    assert (keys.of("travel.undo"), keys.of("view.correction")) == ("b", NO_KEY)
    assert (keys.of("chart.out"), keys.of("chart.in")) == ("+", "="), "it has another"
    assert (keys.of("cursor.leave"), keys.of("cursor.best")) == ("esc", "b"), "the cursor has keys of its own"
    swapped = KeyNames({"travel.undo": "r", "travel.rewind": "u"})
    assert (swapped.of("travel.undo"), swapped.of("travel.rewind")) == ("r", "u")


# -- texts --------------------------------------------------------------------------------------------------------------

TEXTS = {
    **{f"help of {kind.__name__}": kind.HELP or "" for kind in PANELS.values()},
    "help of travel": TRAVEL_HELP,
    "the timeline without edits": NOTHING,
    "the cursor": HOW,
    **{f"leaving for the {goal}": text for goal, text in AGAIN.items()},
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_names_keys_by_actions_that_there_are(name: str):
    assert "{" not in KeyNames().fill(TEXTS[name])


def test_every_id_in_any_text_of_the_screens_is_an_action():
    found: dict[str, str] = {}
    for path in Path(workbench.ui.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found |= dict.fromkeys(re.findall(r"\{([a-z_]+\.[a-z_0-9]+)\}", node.value), path.name)
    assert len(found) > 20
    assert {id: where for id, where in found.items() if id not in ACTIONS} == {}


def test_the_file_of_keys_has_each_action_once_under_what_it_does(workbench: Callable[..., Any]):
    lines = workbench("keys").stdout.splitlines()
    entries = {line: number for number, line in enumerate(lines) if re.match('#"?[a-z]+[.]', line)}
    assert len(entries) == len(ACTIONS)
    for each in ACTIONS.values():
        number = entries[f'#"{each.id}" = ""']
        assert lines[number - 1] == f"# {each.about}"
    changed = "\n".join(line.removeprefix("#").replace('""', '"f2"') if line in entries else line for line in lines)
    assert tomli.loads(changed)["keys"] == dict.fromkeys(ACTIONS, "f2")


# -- after a key is changed ---------------------------------------------------------------------------------------------

CHANGED = {
    "training.pause": "f2", "training.edit": "f3", "training.quit": "f4", "travel.undo": "f5", "travel.go_to": "f6",
    "travel.rewind": "f7", "view.twin": "f8", "chart.export": "f9", "cursor.best": "f10", "cursor.choose": "f12",
    "norm.sort": "ctrl+n", "view.panel6": "ctrl+d", "training.library": "ctrl+l", "travel.note": "ctrl+t",
}  # fmt: skip
KEYS = "[keys]\n" + "\n".join(f'"{id}" = "{key}"' for id, key in CHANGED.items())


@pytest.fixture
def changed(config_folder: Path) -> None:
    """A user who has other keys for some actions."""
    config_folder.mkdir()
    (config_folder / "keys.toml").write_text(KEYS)


async def shown(pilot: Pilot[Any], what: Callable[[Monitor], None]) -> str:
    """What is advised once the monitor knows something more."""
    screen = pilot.app.screen
    assert isinstance(screen, TrainingScreen)
    what(screen.monitor)
    screen.redraw()
    await settle(pilot)
    return str(screen.query_one(Advice).render())


@pytest.mark.usefixtures("changed")
async def test_the_advice_names_the_keys_that_count(presets: Path, sessions: Path):
    score = Score.of(0.05, 0.01)

    def finished(monitor: Monitor) -> None:
        monitor.record(Finished(400, 20, score, score, score), 2.0)

    def stopped(monitor: Monitor) -> None:
        monitor.record(Diverged(401, "the cost is nan", (1, 2), 400), 2.0)

    def travelling(monitor: Monitor) -> None:
        monitor.record(Travelling(30, 120), 2.0)

    def lost(monitor: Monitor) -> None:
        monitor.record(Paused(400), 2.0)
        monitor.lost("the engine ended unexpectedly")

    async with FedApp(sessions, presets / "clouds.toml").run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: isinstance(pilot.app.screen, TrainingScreen), "the screen")
        assert await shown(pilot, finished) == (
            "✓ finished after epoch 20, test error 0.01. Raise epochs and press f2 to go on; "
            "ctrl+d: what next; f6: to the best; f4: save and quit."
        )
        assert (await shown(pilot, stopped)).startswith("✗ f6: α ÷ 3, what if, ")
        assert (await shown(pilot, travelling)).endswith("30 of 120 steps, 25%. f2 calls it off.")
        assert (await shown(pilot, lost)).endswith("Press f7 to start again: nothing was saved.")


async def test_what_is_told_of_a_trouble_is_no_text_of_ours(presets: Path, sessions: Path):
    async with FedApp(sessions, presets / "clouds.toml").run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: isinstance(pilot.app.screen, TrainingScreen), "the screen")
        told = await shown(pilot, lambda monitor: monitor.lost("{runs.a}/{travel.undo}.toml: no such file"))
        assert told == "✗ {runs.a}/{travel.undo}.toml: no such file. Press r to start again: nothing was saved."


@pytest.mark.usefixtures("changed")
async def test_footer_help_palette_and_cursor_name_the_keys_that_count(presets: Path, sessions: Path):
    async with FedApp(sessions, presets / "clouds.toml").run_test(size=(160, 40)) as pilot:
        await until(pilot, lambda: "f5 Undo" in seen(pilot.app), "the footer")
        footer = seen(pilot.app).splitlines()[-1]
        for word, key in (("Pause", "f2"), ("Undo", "f5"), ("Rewind", "f7"), ("What if", "f"), ("Edit", "f3"), ("Quit", "f4")):
            assert re.search(rf"(^|\s){key} {word}\b", footer), word

        screen = pilot.app.screen
        assert isinstance(screen, TrainingScreen)
        palette = {each.title: each.help for each in pilot.app.get_system_commands(screen)}
        for id, key in CHANGED.items():
            if ACTIONS[id].palette:
                assert palette[ACTIONS[id].palette] == key
        assert palette["Redo"] == "U"

        await press(pilot, "?")
        assert isinstance(pilot.app.screen, HelpScreen)
        text = str(pilot.app.screen.query_one(Static).render())
        listed = re.findall(r"^  (\S+) {2,}(.+)$", text, re.MULTILINE)
        expected = [(CHANGED.get(each.id, each.key), each.about) for each in (*CHART, *TRAINING)]
        assert listed == [*expected, ("ctrl+p", "Command palette: every action, and the themes")]
        assert "f9 saves the picture as SVG" in text
        assert "f5 undoes the last edit" in text
        assert "f7 puts a cursor on the curves; f12 goes back to that step" in text
        assert "ctrl+n the column that sorts" in text
        assert "and f8 trains the same run" in text
        assert "ctrl+t writes a note" in text
        await press(pilot, "escape", "f7")
        assert "f12 goes there, esc leaves; ← → , . f10" in seen(pilot.app)


@pytest.mark.usefixtures("changed")
async def test_the_units_name_the_keys_that_count(presets: Path, sessions: Path):
    async with FedApp(sessions, presets / "clouds.toml").run_test(size=(160, 40)) as pilot:
        await until(pilot, lambda: "f5 Undo" in seen(pilot.app), "the footer")
        await press(pilot, "7")
        screen = pilot.app.screen
        assert isinstance(screen, TrainingScreen)
        panel = screen.query_one(UnitsPanel)
        screen.redraw()
        await settle(pilot)
        assert "by unit ▲ (ctrl+n)" in str(panel.border_subtitle)
        assert "f8 trains the same run without batch norm" in str(panel.query_one("#norm-figures", Static).render())
        before = panel._sorted
        await press(pilot, "o")
        assert panel._sorted == before
        await press(pilot, "ctrl+n")
        assert panel._sorted != before


async def in_vain(it: Driven, *keys: str) -> None:
    """Keys that do nothing, so that nothing is asked and nothing is told."""
    told = len(it.app._notifications)
    await it.press(*keys)
    assert isinstance(it.app.screen, TrainingScreen)
    assert len(it.app._notifications) == told


@pytest.mark.usefixtures("changed")
async def test_the_new_keys_do_it_and_the_old_ones_do_not(workbench_app: Open, presets: Path, sessions: Path):
    async with workbench_app(presets / "clouds.toml", size=(160, 40)) as it:
        await it.until_seen("No edits yet. Press f3")
        await it.until_trained(600)
        await it.press("space")
        before = it.monitor.step
        await it.until_trained(before + 20)
        assert it.monitor.phase is Phase.TRAINING
        await it.press("f2")
        await it.until_phase(Phase.PAUSED)

        await in_vain(it, "u")
        await it.press("f5")
        await it.until_told("There is no edit to undo")
        await in_vain(it, "g")
        await it.press("f6")
        await it.until(lambda: isinstance(it.app.screen, ChoiceScreen), "asked where")
        await it.press("escape")

        await in_vain(it, "m")
        assert it.monitor.twin is None
        await it.press("f8")
        await it.until_told("The twin trains without batch norm", "f8 forgets it.")
        await it.press("f8")
        await it.until(lambda: it.monitor.twin is None, "forgotten")

        await it.press("2")
        await in_vain(it, "p")
        await it.press("f9")
        await it.until_told("Wrote", ".svg and .csv")

        await in_vain(it, "r")
        cursor = it.training.query_one(StepCursor)
        assert not cursor.display
        last = it.monitor.step
        await it.press("f7", "b", "enter")
        assert (cursor.display, it.monitor.cursor) == (True, last)
        await it.press("home", "f10")
        assert it.monitor.best is not None
        assert it.monitor.cursor == it.monitor.best.step > 0
        await it.press("escape")
        assert not cursor.display

        await it.press("2")
        await in_vain(it, "escape", "e")
        assert it.training.query_one(FirstChart).has_focus_within
        await it.press("f3")
        assert it.training.query_one(Editor).has_focus
        await in_vain(it, "q")
        assert it.app.return_code is None
        await it.press("f4")
        await it.until_ended()


@pytest.mark.usefixtures("changed")
@pytest.mark.parametrize(("id", "done"), [("training.quit", "quit"), ("training.library", "leave")])
async def test_after_a_failed_save_the_key_to_press_again_is_the_one_that_counts(
    workbench_app: Open, presets: Path, tmp_path: Path, id: str, done: str
):
    (tmp_path / "file").write_text("not a folder")
    async with workbench_app(presets / "clouds.toml", folder=tmp_path / "file" / "sessions") as it:
        await it.until_trained(5)
        await it.press(CHANGED[id])
        await it.until_told("not saved", f"Press {CHANGED[id]} again to {done} without saving.")
        await it.press(CHANGED[id])
        await it.until(lambda: it.app.return_code is not None or isinstance(it.app.screen, LibraryScreen), "gone")


@pytest.mark.usefixtures("changed")
async def test_a_run_opened_from_the_library_has_them_too(workbench_app: Open):
    async with workbench_app() as it:
        await it.until_seen("Three clouds")
        await it.press("enter")
        await it.until_phase(Phase.TRAINING)
        await it.until_seen("No edits yet. Press f3")


async def test_a_key_that_was_taken_from_an_action_is_not_named_in_help(presets: Path, sessions: Path, config_folder: Path):
    config_folder.mkdir()
    (config_folder / "keys.toml").write_text('[keys]\n"travel.undo" = "b"\n')
    async with FedApp(sessions, presets / "clouds.toml").run_test(size=(160, 40)) as pilot:
        await until(pilot, lambda: "b Undo" in seen(pilot.app), "the footer")
        screen = pilot.app.screen
        assert isinstance(screen, TrainingScreen)
        correction = screen.charts.view
        await press(pilot, "b")
        assert isinstance(pilot.app.screen, ChoiceScreen), "it does the other thing now"
        assert screen.charts.view == correction
        await press(pilot, "escape", "?")
        assert "no key     Bias correction" in str(pilot.app.screen.query_one(Static).render())
