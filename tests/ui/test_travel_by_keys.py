"""Undo, rewind, branches, what-if and the guard, by keys, with a real engine."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from driving import Driven, Open
from textual.widgets import DataTable, Input

from workbench.engine.trainer import Until
from workbench.run.replay import replay
from workbench.run.run import Run
from workbench.session.preset import read_preset
from workbench.session.session import Session
from workbench.session.store import read_session
from workbench.ui.dialogs.branches import BranchesScreen
from workbench.ui.dialogs.choice import ChoiceScreen
from workbench.ui.dialogs.finder import FinderScreen
from workbench.ui.dialogs.whatif import WhatIfScreen
from workbench.ui.screens.training import TrainingScreen
from workbench.ui.state.monitor import Phase
from workbench.ui.widgets.cursor import StepCursor


def rate(it: Driven) -> object:
    return it.monitor.hyperparameters.learning_rate


async def asked(it: Driven, key: str, answer: str) -> None:
    """Press a key that asks, and answer."""
    await it.press(key)
    await it.until(lambda: isinstance(it.app.screen, ChoiceScreen), "a question")
    await it.press(answer)
    await it.until(lambda: isinstance(it.app.screen, TrainingScreen), "the answer is taken")


async def test_a_value_is_undone_and_redone_while_it_trains(workbench_app: Open, presets: Path):
    async with workbench_app(presets / "clouds.toml") as it:
        await it.until_trained(20)
        await it.edit("learning_rate", "0.002")
        await asked(it, "u", "v")
        await it.until(lambda: rate(it) == 0.01, "undone")
        await it.press("U")
        await it.until(lambda: rate(it) == 0.002, "redone")
        assert it.monitor.phase is Phase.TRAINING
        assert [edit.undoes for edit in it.monitor.edits] == [0, 1, 2]
        assert list(it.monitor.branches) == ["main"]
        await it.pause()
        path = await it.save()
    assert all(each.identical for each in replay(read_session(path)))


async def test_the_model_is_undone_and_what_was_trained_stays(workbench_app: Open, presets: Path):
    async with workbench_app(presets / "clouds.toml") as it:
        await it.until_trained(20)
        await it.edit("learning_rate", "0.002")
        edited = it.monitor.edits[0].step
        await it.until_trained(edited + 50)
        last = await it.pause()
        await asked(it, "u", "m")
        await it.until(lambda: it.monitor.step == edited and it.monitor.redo_branch == "main", "back")
        assert (rate(it), it.monitor.edits) == (0.01, ())
        await it.until_seen("main-2", "‖ paused")
        await it.press("U")
        await it.until(lambda: it.monitor.step == last and it.monitor.current == "main", "there again")
        assert list(it.monitor.branches) == ["main"]
        await asked(it, "u", "m")
        await it.until(lambda: it.monitor.step == edited, "back once more")
        await it.press("space")
        await it.until_trained(edited + 20)
        await it.pause()
        path = await it.save()
    session = read_session(path)
    assert [(each.name, each.fork) for each in session.branches] == [("main", 0), ("main-2", edited)]
    assert session.named("main").step == last
    assert all(each.identical for each in replay(session))


async def test_the_cursor_goes_back_to_exactly_the_step_it_shows(workbench_app: Open, presets: Path):
    async with workbench_app(presets / "clouds.toml") as it:
        await it.until_trained(300)
        last = await it.pause()
        await it.press("r", "left", "left", "comma")
        cursor = it.training.query_one(StepCursor)
        await it.until(lambda: cursor.display and it.monitor.cursor is not None, "the cursor")
        assert f"step {it.monitor.cursor:,} of {last:,}" in it.seen
        await it.press("escape")
        await it.until(lambda: not cursor.display, "closed")
        assert (it.monitor.step, it.monitor.current, it.monitor.cursor) == (last, "main", None)
        await it.press("r", "home", "right")
        await it.until(lambda: it.monitor.cursor, "another step")
        target = it.monitor.cursor
        await it.press("enter")
        await it.until(lambda: it.monitor.step == target, "there")
        assert not cursor.display
        # As long as nothing was done, the way back is open.
        await it.press("r", "end", "enter")
        await it.until(lambda: it.monitor.step == last and it.monitor.current == "main", "and back")


async def test_forks_are_compared_and_one_is_adopted(workbench_app: Open, presets: Path):
    async with workbench_app(presets / "clouds.toml") as it:
        await it.until_trained(20)
        at = await it.pause()
        await it.press("f")
        screen = it.app.screen
        assert isinstance(screen, WhatIfScreen)
        forks = screen.query_one("#whatif-forks", Input)
        forks.value = "nothing=3"
        await it.press("enter")
        await it.until_seen("✗ nothing: no such hyperparameter")
        forks.value = "learning_rate=/2; learning_rate=x2"
        screen.query_one("#whatif-steps", Input).value = "30"
        screen.query_one("#whatif-repeats", Input).value = "2"
        await it.press("enter")
        await it.until(lambda: [fork.state for fork in screen._forks] == ["done"] * 3, "three forks, the parent with them")
        await it.until_seen("of 2", "repeat 2/2", "All done.")
        assert all(len(fork.cost) == 30 for fork in screen._forks)
        screen.query_one(DataTable).move_cursor(row=1)
        await it.press("enter")
        await it.until(lambda: rate(it) == 0.02, "adopted")
        assert (it.monitor.step, it.monitor.current, it.monitor.edits[0].step) == (at, "main", at)


async def test_dropped_forks_change_nothing(workbench_app: Open, presets: Path):
    async with workbench_app(presets / "clouds.toml") as it:
        await it.until_trained(20)
        await it.press("f", "enter")
        await it.until(lambda: it.app.screen.origin is not None, "on the way")
        await it.press("escape")
        await it.until(lambda: isinstance(it.app.screen, TrainingScreen), "dropped")
        step = it.monitor.step
        await it.until_trained(step + 20)
        assert not it.monitor.edits


async def test_a_learning_rate_is_found_and_adopted(workbench_app: Open, presets: Path):
    async with workbench_app(presets / "clouds.toml") as it:
        await it.until_trained(1)
        await it.pause()
        await it.press("a", "enter")
        screen = it.app.screen
        assert isinstance(screen, FinderScreen)
        await it.until(lambda: screen._chosen == screen._chosen, "a rate")
        await it.press("right", "enter")
        await it.until(lambda: rate(it) != 0.01, "adopted")


async def test_branches_are_named_compared_and_deleted(workbench_app: Open, presets: Path):
    async with workbench_app(presets / "clouds.toml") as it:
        await it.until_trained(50)
        await it.pause()
        await it.press("r", "home", "right", "enter")
        await it.until(lambda: it.monitor.current == "main-2", "a branch")
        await it.press("space")
        await it.until_trained(it.monitor.step + 10)
        await it.pause()
        await it.press("v")
        assert isinstance(it.app.screen, BranchesScreen)
        await it.press("d")  # the one it stands on
        await it.until_told("cannot be deleted")
        await it.press("m", "x", "enter")
        await it.until(lambda: "main-2x" in it.monitor.branches, "renamed")
        await it.until(lambda: it.app.screen._chosen and it.app.screen._chosen.name == "main-2x", "the tree follows")
        await it.press("up")
        await it.until(lambda: it.app.screen._chosen and it.app.screen._chosen.name == "main", "another is chosen")
        compared = it.monitor.compared
        await it.press("c")
        await it.until(lambda: it.monitor.compared != compared, "compared, or no more")
        await it.press("enter")
        await it.until(lambda: it.monitor.current == "main", "switched")
        await it.press("v", "down", "d", "d")
        await it.until(lambda: list(it.monitor.branches) == ["main"], "deleted")


async def test_notes_and_the_schedule_are_written(workbench_app: Open, presets: Path, tmp_path: Path):
    async with workbench_app(presets / "clouds.toml") as it:
        await it.until_trained(20)
        await it.edit("learning_rate", "0.02")
        at = await it.pause()
        await it.press("n", "h", "o", "enter")
        await it.until(lambda: any(note.text == "ho" for note in it.monitor.branch.notes), "the note")
        await it.press("w", "e")
        await it.until(lambda: it.app.screen.query(Input), "asked where")
        it.app.screen.query_one(Input).value = str(tmp_path / "planned")
        await it.press("enter")
        await it.until_told("Wrote", "planned.toml")
        path = await it.save()
    session = read_session(path)
    assert [(note.step, note.text) for note in session.branch.notes] == [(at, "ho")]
    run = Run(Session(preset=read_preset(tmp_path / "planned.toml"), seed=session.seed))
    list(run.events(lambda step: (), lambda: False, Until(steps=at)))
    assert run.trainer.state.digest() == session.branch.marks[-1].hash


async def test_a_note_on_a_change_of_the_plan_is_asked_for_by_its_name(workbench_app: Open, presets: Path):
    planned = presets / "planned.toml"
    planned.write_text(f'{(presets / "clouds.toml").read_text()}\n[[plan]]\nstep = 5\nname = "l2"\nvalue = 0.1\n')
    async with workbench_app(planned) as it:
        await it.until_trained(20)
        await it.pause()
        await it.press("5")
        await it.until_seen("by the plan")
        await it.press("home", "n")
        await it.until_seen("on l2 after step 5")


async def test_after_the_guard_it_goes_on_with_a_third(workbench_app: Open, presets: Path):
    async with workbench_app(presets / "diverging.toml") as it:
        await it.until_phase(Phase.DIVERGED)
        await it.press("g")
        await it.until_seen("α ÷ 3", "go on anyway", "what if", "stay", "the start")
        await it.press("s")
        assert it.monitor.phase is Phase.DIVERGED
        await asked(it, "g", "3")
        await it.until(lambda: it.monitor.edits and it.monitor.edits[0].new == 3.33e29, "a third")


async def test_a_second_app_only_reads(workbench_app: Open, presets: Path):
    async with workbench_app(presets / "clouds.toml") as it:
        await it.until_trained(20)
        await it.pause()
        path = await it.save()
        async with workbench_app(path) as second:
            await second.until_seen("(read-only)")
            await second.press("space")
            await second.until_told("read-only")
            await second.press("q")
            await second.until_ended()
        await it.press("s")
        await it.until(lambda: it.monitor.step == read_session(path).step + 1, "the first goes on")


async def test_a_killed_engine_is_trained_forward(workbench_app: Open, presets: Path):
    async with workbench_app(presets / "clouds.toml") as it:
        await it.until_trained(20)
        await it.edit("learning_rate", "0.02")
        await it.until_trained(it.monitor.step + 200)
        os.kill(it.training.link._engine.pid, signal.SIGKILL)
        await it.until_phase(Phase.LOST)
        step = it.monitor.step
        await asked(it, "r", "f")
        await it.until_phase(Phase.PAUSED)
        assert it.monitor.step == step
        path = await it.save()
    assert all(each.identical for each in replay(read_session(path)))


async def test_a_damaged_checkpoint_is_trained_again(workbench_app: Open, presets: Path, sessions: Path):
    async with workbench_app(presets / "clouds.toml") as it:
        await it.until_trained(20)
        step = await it.pause()
        await it.save()
        await it.press("q")
        await it.until_ended()
    (checkpoint,) = sessions.glob("*.safetensors")
    checkpoint.write_bytes(checkpoint.read_bytes()[:-1])
    async with workbench_app(sessions / "clouds-1.toml", begins=False) as it:
        await it.until(lambda: isinstance(it.app.screen, ChoiceScreen), "the offer")
        await it.press("t")
        await it.until_phase(Phase.PAUSED)
        assert it.monitor.step == step


async def test_early_stopping_goes_back_to_the_best(workbench_app: Open, presets: Path):
    preset = presets / "patient.toml"
    text = (presets / "clouds.toml").read_text().replace("learning_rate = 0.01", "learning_rate = 1e-30\npatience = 2")
    preset.write_text(text.replace("evaluate_every = 500", "evaluate_every = 5"))
    async with workbench_app(preset) as it:
        await it.until_phase(Phase.EARLY)
        await it.until(lambda: it.monitor.current == "main-2", "back at the best")
        assert it.monitor.step == it.monitor.branches["main"].best.step
