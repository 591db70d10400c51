"""The whole app with a real engine process, driven by keys as a person would."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from pathlib import Path

import pytest
from driving import SIZE, Open, resize, settle
from textual import events
from textual.binding import Binding
from textual.geometry import Size

from workbench.run.replay import replay
from workbench.session.store import list_sessions, read_session
from workbench.ui.dialogs.help import HelpScreen
from workbench.ui.engine_link import EngineLink
from workbench.ui.panels.panel import Panel
from workbench.ui.screens.library import LibraryScreen
from workbench.ui.screens.training import TrainingScreen
from workbench.ui.state.monitor import Phase

# -- training and editing -----------------------------------------------------------------------------------------------


async def test_from_the_library_to_an_edit_that_is_taken_while_it_trains(workbench_app: Open):
    async with workbench_app() as it:
        await it.until_seen("Three clouds", "Too fast", "none yet")
        await it.press("down", "up", "enter")
        await it.until_phase(Phase.TRAINING)
        await it.until_trained(50)
        await it.press("e", *"0.003", "enter")
        await it.until(lambda: it.monitor.hyperparameters.learning_rate == 0.003, "applied")
        taken = it.monitor.edit_states["learning_rate"].step
        assert it.monitor.edit_states["learning_rate"].kind == "applied"
        assert taken >= 50
        await it.until_trained(taken + 50)
        assert it.monitor.phase is Phase.TRAINING
        await it.pause()
        await it.until_seen(f"{taken:,}  α  0.01 → 0.003", f"✓ taken after step {taken:,}", "α 0.003")
        assert it.monitor.learning_rate == 0.003


async def test_a_refused_edit_says_why_and_changes_nothing(workbench_app: Open, presets: Path):
    async with workbench_app(presets / "clouds.toml") as it:
        await it.until_trained(5)
        await it.edit("batch_size", "1")
        assert it.monitor.edit_states["batch_size"].kind == "refused"
        assert it.monitor.hyperparameters.batch_size == 8
        await it.until_seen("✗ refused", "no variance")
        assert not it.monitor.happenings
        before = it.monitor.step
        await it.until_trained(before + 20)


async def test_pause_and_single_steps(workbench_app: Open, presets: Path):
    async with workbench_app(presets / "clouds.toml") as it:
        await it.until_trained(5)
        step = await it.pause()
        await it.until_seen("‖ paused", f"step {step:,}")
        for wanted in (step + 1, step + 2):
            await it.press("s")
            await it.until_trained(wanted)
            await it.until_phase(Phase.PAUSED)
            assert it.monitor.step == wanted
        await it.press("space")
        await it.until_phase(Phase.TRAINING)
        await it.until_trained(step + 50)


async def test_a_single_step_while_training_pauses(workbench_app: Open, presets: Path):
    async with workbench_app(presets / "clouds.toml") as it:
        await it.until_trained(5)
        await it.press("s")
        await it.until_phase(Phase.PAUSED)


async def test_edits_while_paused_are_taken_at_that_step(workbench_app: Open, presets: Path):
    async with workbench_app(presets / "clouds.toml") as it:
        await it.until_trained(5)
        step = await it.pause()
        await it.edit("l2", "0.01")
        await it.edit("keep_prob.2", "0.8")
        assert [each.step for each in it.monitor.happenings] == [step, step]
        assert it.monitor.hyperparameters.keep_prob == (1.0, 0.8)


# -- saving and coming back -----------------------------------------------------------------------------------------------


async def test_a_saved_session_replays_identically(workbench_app: Open, presets: Path, sessions: Path):
    async with workbench_app(presets / "clouds.toml") as it:
        await it.until_trained(5)
        await it.edit("learning_rate", "0.003")
        await it.press("s")  # so that not too many steps have to be replayed
        await it.until_phase(Phase.PAUSED)
        await it.edit("batch_size", "x2")
        await it.on("optimizer")
        await it.press("enter", "right", "right", "enter")
        await it.until(lambda: it.monitor.hyperparameters.optimizer == "momentum", "momentum")
        taken = it.monitor.step
        await it.press("space")
        await it.until_trained(taken + 50)
        step = await it.pause()
        path = await it.save()
        await it.until_told("Saved", f"at step {step:,}")
    assert path == sessions / "clouds-1.toml"
    session = read_session(path)
    assert session.step == step
    expected = [("learning_rate", 0.003), ("batch_size", 16), ("optimizer", "momentum")]
    assert [(edit.name, edit.new) for edit in session.branch.edits] == expected
    (found,) = replay(session)
    assert (found.identical, found.through_step, found.reason) == (True, step, "")


async def test_quitting_saves_and_the_session_comes_back_where_it_stopped(workbench_app: Open, presets: Path, sessions: Path):
    async with workbench_app(presets / "clouds.toml") as it:
        await it.until_trained(20)
        await it.edit("learning_rate", "0.02")
        await it.pause()
        before = it.monitor
        await it.press("q")
        await it.until_ended()
    path = sessions / "clouds-1.toml"
    async with workbench_app(path) as it:
        await it.until_phase(Phase.PAUSED)
        assert it.monitor.step == before.step
        assert it.monitor.hyperparameters == before.hyperparameters
        assert it.monitor.happenings == before.happenings
        curves = [monitor.history.series["cost"].curve() for monitor in (before, it.monitor)]
        assert curves[0].mean.tolist() == curves[1].mean.tolist()
        await it.until_seen("‖ paused", "0.01 → 0.02", "α 0.02")
        await it.press("space")
        await it.until_trained(before.step + 20)
        await it.pause()
        last = it.monitor.step
        await it.press("q")
        await it.until_ended()
    assert read_session(path).step == last
    assert list_sessions(sessions) == [path]


async def test_a_session_that_was_only_looked_at_is_not_written_again(workbench_app: Open, presets: Path):
    async with workbench_app(presets / "clouds.toml") as it:
        await it.until_trained(5)
        await it.pause()
        path = await it.save()
    before = path.stat().st_mtime_ns
    async with workbench_app(path) as it:
        await it.until_phase(Phase.PAUSED)
        await it.press("q")
        await it.until_ended()
    assert path.stat().st_mtime_ns == before


@pytest.mark.parametrize(("way", "on_top"), [("q", ""), ("q", "help"), ("ctrl+q", "help"), ("palette", "")])
async def test_every_way_to_quit_saves(workbench_app: Open, presets: Path, sessions: Path, way: str, on_top: str):
    async with workbench_app(presets / "clouds.toml") as it:
        await it.until_trained(5)
        if on_top:
            await it.press("?")
            await it.until(lambda: isinstance(it.app.screen, HelpScreen), "help")
        if way == "palette":
            it.app.call_later(it.app.action_quit)
        elif way == "q" and on_top:
            await it.press("q", "q")  # the first closes the help
        else:
            await it.press(way)
        await it.until_ended()
    assert read_session(sessions / "clouds-1.toml").step >= 5


async def test_back_in_the_library_the_new_session_is_listed(workbench_app: Open, sessions: Path):
    async with workbench_app() as it:
        await it.until_seen("Three clouds")
        for number in (1, 2):
            await it.press("enter")
            await it.until_phase(Phase.TRAINING)
            await it.until_trained(5)
            await it.press("escape")
            await it.until(lambda: isinstance(it.app.screen, LibraryScreen), "the library")
            await it.until_seen(f"clouds-{number}")
        assert len([screen for screen in it.app.screen_stack if isinstance(screen, LibraryScreen)]) == 1
        await it.press("q")
        await it.until_ended()
    assert [path.stem for path in list_sessions(sessions)] == ["clouds-1", "clouds-2"]


async def test_escape_leaves_a_draft_before_it_leaves_the_screen(workbench_app: Open, presets: Path):
    async with workbench_app(presets / "clouds.toml") as it:
        await it.press("e", "5", "escape")
        assert isinstance(it.app.screen, TrainingScreen)
        await it.press("escape")
        await it.until(lambda: isinstance(it.app.screen, LibraryScreen), "the library")


async def test_what_a_screen_is_made_of_is_not_looked_through_again_until_it_is_left(workbench_app: Open, presets: Path):
    """Else keys wait a tenth of a second for the collector of garbage, every few seconds."""
    async with workbench_app(presets / "clouds.toml") as it:
        await it.until_trained(5)
        assert gc.get_freeze_count() > len(gc.get_objects(generation=2))
        await it.press("escape")
        await it.until(lambda: isinstance(it.app.screen, LibraryScreen), "the library")
        await it.until(lambda: not gc.get_freeze_count(), "the screen put away")


# -- what goes wrong --------------------------------------------------------------------------------------------------------


async def test_a_killed_engine_is_said_and_r_goes_on_from_the_last_save(workbench_app: Open, presets: Path):
    async with workbench_app(presets / "clouds.toml") as it:
        await it.until_trained(5)
        await it.edit("l2", "0.01")
        await it.pause()
        path = await it.save()
        saved = it.monitor.step
        await it.press("space")
        await it.until_trained(saved + 50)
        assert it.training.link._engine is not None
        os.kill(it.training.link._engine.pid, signal.SIGKILL)
        await it.until_phase(Phase.LOST)
        await it.until_seen("✗ engine lost", "killed by signal 9", "Press r")
        await it.press("e", "5", "enter", "space", "s", "t", "z", "z")  # nothing of this can do harm
        await it.press("ctrl+s")
        assert isinstance(it.app.screen, TrainingScreen)
        await it.press("r")
        await it.until_seen("train forward", "go on from")
        await it.press("s")
        await it.until_phase(Phase.PAUSED)
        assert it.monitor.step == saved
        assert [edit.name for edit in it.monitor.edits] == ["l2"]
        await it.press("space")
        await it.until_trained(saved + 20)
        await it.pause()
        await it.save()
    assert all(each.identical for each in replay(read_session(path)))


async def test_an_engine_killed_before_any_save_starts_over_and_says_so(workbench_app: Open, presets: Path):
    async with workbench_app(presets / "clouds.toml") as it:
        await it.until_trained(5)
        assert it.training.link._engine is not None
        os.kill(it.training.link._engine.pid, signal.SIGKILL)
        await it.until_phase(Phase.LOST)
        await it.until_seen("nothing was saved")
        await it.press("r")
        await it.until_seen("nothing was saved", "train forward")
        await it.press("s")
        await it.until_phase(Phase.TRAINING)
        await it.until_trained(5)
        assert not it.monitor.happenings


async def test_r_does_nothing_to_an_engine_that_is_well(workbench_app: Open, presets: Path):
    async with workbench_app(presets / "clouds.toml") as it:
        await it.until_trained(5)
        engine = it.training.link._engine
        await it.press("r")
        before = it.monitor.step
        await it.until_trained(before + 20)
        assert it.training.link._engine is engine


@pytest.fixture
def impossible(tmp_path: Path) -> Path:
    """A folder that cannot be made, even by root: there is a file in its way."""
    (tmp_path / "file").write_text("not a folder")
    return tmp_path / "file" / "sessions"


async def test_a_failed_save_is_said_and_training_goes_on(workbench_app: Open, presets: Path, impossible: Path):
    async with workbench_app(presets / "clouds.toml", folder=impossible) as it:
        await it.until_trained(5)
        await it.press("ctrl+s")
        await it.until_told("not saved", "Training is not affected")
        await it.until_seen("not saved")
        assert it.monitor.unsaved
        before = it.monitor.step
        await it.until_trained(before + 20)
        assert it.app.return_code is None


async def test_quitting_without_saving_takes_a_second_q(workbench_app: Open, presets: Path, impossible: Path):
    async with workbench_app(presets / "clouds.toml", folder=impossible) as it:
        await it.until_trained(5)
        await it.press("q")
        await it.until_told("not saved", "Press q again to quit without saving")
        before = it.monitor.step
        await it.until_trained(before + 20)
        assert it.app.return_code is None
        await it.press("q")
        await it.until_ended()
    assert not impossible.exists()


async def test_the_offer_to_quit_without_saving_lapses(
    workbench_app: Open, presets: Path, impossible: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("workbench.ui.engine_link.AGAIN_SECONDS", 2.0)
    async with workbench_app(presets / "clouds.toml", folder=impossible) as it:
        await it.until_trained(5)
        await it.press("q")
        await it.until_told("Press q again")
        await it.until(lambda: it.training.link._goal is None, "the offer has lapsed")
        impossible.parent.unlink()
        await it.press("q")
        await it.until_ended()
    assert list_sessions(impossible), "the second q was a first one, and saved"


async def test_a_save_that_works_later_does_not_quit_because_an_earlier_q_failed(
    workbench_app: Open, presets: Path, impossible: Path
):
    async with workbench_app(presets / "clouds.toml", folder=impossible) as it:
        await it.until_trained(5)
        await it.press("q")
        await it.until_told("not saved")
        impossible.parent.unlink()
        path = await it.save()
        await it.until(path.exists, "the file")
        before = it.monitor.step
        await it.until_trained(before + 20)
        assert it.app.return_code is None


async def test_q_after_escape_failed_asks_again_before_it_quits(workbench_app: Open, presets: Path, impossible: Path):
    async with workbench_app(presets / "clouds.toml", folder=impossible) as it:
        await it.until_trained(5)
        await it.press("escape")
        await it.until_told("not saved", "Press escape again to leave without saving")
        await it.press("q")
        await it.until_told("Press q again to quit without saving")
        assert it.app.return_code is None
        await it.press("escape")
        await it.until(lambda: len(it.app._notifications) == 3, "told once more")
        assert isinstance(it.app.screen, TrainingScreen)
        await it.press("escape")
        await it.until(lambda: isinstance(it.app.screen, LibraryScreen), "the library")


async def test_a_run_that_diverges_says_so_and_goes_on_after_an_edit(workbench_app: Open, presets: Path):
    async with workbench_app(presets / "diverging.toml") as it:
        await it.until_phase(Phase.DIVERGED)
        await it.until_seen("✗ stopped by the guard", "is not finite", "g: α ÷ 3")
        step = it.monitor.step
        await it.press("space")  # as it was, it diverges again
        await it.until(lambda: it.monitor.phase is Phase.DIVERGED, "diverged again")
        assert it.monitor.step == step
        assert len(it.monitor.happenings) == 1, "the same stop is told once"
        await it.edit("learning_rate", "1e-9")
        await it.press("space")
        await it.until_trained(step + 5)
        assert it.monitor.phase in (Phase.TRAINING, Phase.FINISHED)
        await it.until(lambda: "✗ stopped" not in it.seen.splitlines()[0], "the status")
        await it.until_phase(Phase.FINISHED)
        path = await it.save()
    assert all(each.identical for each in replay(read_session(path)))


async def test_a_finished_run_stays_and_goes_on_with_more_epochs(workbench_app: Open, presets: Path):
    preset = presets / "short.toml"
    preset.write_text((presets / "clouds.toml").read_text().replace("epochs = 1000000", "epochs = 3"))
    async with workbench_app(preset) as it:
        await it.until_phase(Phase.FINISHED)
        await it.until_seen("✓ finished", "test error")
        step = it.monitor.step
        await it.edit("epochs", "6")
        await it.press("space")
        await it.until(lambda: it.monitor.step > step and it.monitor.phase is Phase.FINISHED, "finished again")
        assert it.monitor.step == 2 * step
        assert it.app.return_code is None


async def test_a_session_without_its_checkpoint_is_refused_in_words(workbench_app: Open, presets: Path, sessions: Path):
    async with workbench_app(presets / "clouds.toml") as it:
        await it.until_trained(5)
        path = await it.save()
    for each in sessions.glob("*.safetensors"):
        each.unlink()
    async with workbench_app(path, begins=False) as it:
        await it.until_seen("no such file", "train its")
        await it.press("escape")
        await it.until_seen("✗ engine lost")
        await it.press("escape")
        await it.until(lambda: isinstance(it.app.screen, LibraryScreen), "the library")


async def test_a_preset_with_a_hostile_name_trains_and_is_saved_under_a_harmless_one(
    workbench_app: Open, presets: Path, sessions: Path
):
    preset = presets / "[red]x\x1b[31m \u202e; rm -rf .toml"
    preset.write_bytes((presets / "clouds.toml").read_bytes())
    async with workbench_app(preset) as it:
        await it.until_seen("[red]x\\x1b[31m \\u202e", "● training")
        assert "\x1b" not in it.seen
        await it.press("q")
        await it.until_ended()
    (path,) = list_sessions(sessions)
    assert path.stem.replace("-", "").isalnum()
    assert all(each.identical for each in replay(read_session(path)))


# -- help, palette, panels --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
async def test_help_opens_and_closes_on_both_screens(workbench_app: Open, size: tuple[int, int]):
    async with workbench_app(size=size) as it:
        await it.until_seen("Three clouds")
        await it.press("?")
        await it.until_seen("Keys", "Read the folders again", "Command palette")
        await it.press("escape")
        await it.until(lambda: isinstance(it.app.screen, LibraryScreen), "closed")
        await it.press("enter")
        await it.until_phase(Phase.TRAINING)
        await it.press("?")
        await it.until_seen("Help", "exponentially weighted average")
        await it.press("end")
        await it.until_seen("Any edit can be taken back", "Escape closes this")
        await it.press("?")
        await it.until(lambda: isinstance(it.app.screen, TrainingScreen), "closed")


async def test_the_palette_has_every_action(workbench_app: Open, presets: Path):
    async with workbench_app(presets / "clouds.toml") as it:
        commands = {command.title: command for command in it.app.get_system_commands(it.app.screen)}
        keys = {str(command.help).replace(r"\[", "[") for command in commands.values()}
        for binding in it.training.BINDINGS:
            assert isinstance(binding, Binding)
            key = {"question_mark": "?"}.get(binding.key, binding.key_display or binding.key)
            assert key in keys or binding.id == "training.quit", f"{key} {binding.action}"
        assert "Quit" in commands
        await it.until_trained(5)
        for title, command in commands.items():
            if title.startswith(("Panel", "EWMA", "Cost axis", "Second chart", "Zoom", "Edit")):
                command.callback()
                await settle(it.pilot)
        commands["Pause or go on"].callback()
        await it.until_phase(Phase.PAUSED)


async def test_every_panel_can_be_reached_by_keys(workbench_app: Open, presets: Path):
    async with workbench_app(presets / "clouds.toml") as it:
        await it.until_trained(5)
        await it.pause()
        for size in ((120, 40), (80, 24), (60, 20)):
            await resize(it.pilot, *size)
            found = []
            for number in range(8):
                await it.press("e" if number == 0 else "tab" if number == 1 else str(number + 1))
                focused = it.app.focused
                assert focused is not None
                panel = next(each for each in focused.ancestors_with_self if isinstance(each, Panel))
                assert panel.region.size.area > 0, "what has the keys is seen"
                found.append(str(panel.border_title)[0])
            assert found == list("12345678")
            await it.press("e", "tab", "4")
            assert it.app.focused is not None
            assert it.app.focused.id == "layers"


# -- sizes --------------------------------------------------------------------------------------------------------------------


async def test_sixty_sizes_while_it_trains(workbench_app: Open, presets: Path):
    async with workbench_app(presets / "clouds.toml") as it:
        await it.until_trained(5)
        number = 12345
        for _ in range(60):
            number = (number * 1103515245 + 12345) % 2**31  # the same sizes every time
            await resize(it.pilot, 1 + (number >> 8) % 130, 1 + (number >> 20) % 45)
            assert it.app.return_code is None
        before = it.monitor.step
        await resize(it.pilot, *SIZE)
        await it.until_trained(before + 20)
        await it.until_seen("● training", "2 Cost", "4 Batch norm")


async def test_sizes_that_overtake_each_other_come_to_rest(workbench_app: Open, presets: Path):
    async with workbench_app(presets / "clouds.toml") as it:
        taken: list[Size] = []
        it.training.screen_layout_refresh_signal.subscribe(it.training, lambda screen: taken.append(screen.size))
        for width in (100, 110, SIZE[0]):
            it.training.post_message(events.Resize(Size(width, 40), Size(width, 40)))
            it.training.call_later(lambda: None)  # what lies between two keeps Textual from joining them
        await settle(it.pilot)
        await it.until(lambda: it.monitor.step > 100, "training seen")
        assert it.training.size == SIZE
        assert len(taken) < 20


async def test_what_the_engine_still_says_while_the_screen_goes_does_no_harm(workbench_app: Open, presets: Path):
    async with workbench_app(presets / "clouds.toml") as it:
        await it.pause()
        link, begun = it.training.link, it.monitor.begun
        assert begun is not None

        async def keep_saying() -> None:
            for _ in range(5_000):
                link.post_message(EngineLink.Heard(begun))
                await asyncio.sleep(0)

        saying = asyncio.create_task(keep_saying())
        await it.press("escape")
        await it.until(lambda: isinstance(it.app.screen, LibraryScreen), "the library")
        await saying
    assert it.app._exception is None
