"""The engine keeps the session on disk by itself, and no two engines write the same one."""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from workbench.engine.commands import SetHyperparameter
from workbench.engine.events import CommandRejected, HyperparameterChanged, StepsTaken
from workbench.protocol.reports import Arrived, Begun, Exported, Paused, Remark, Resumed, Saved, SaveFailed
from workbench.protocol.requests import (
    Adopt,
    Annotate,
    Begin,
    Describe,
    Export,
    GoOn,
    GoTo,
    Quit,
    Redo,
    Rename,
    Request,
    Resume,
    RunTo,
    Save,
    Switch,
    TakeStep,
    Undo,
)
from workbench.protocol.wire import REQUESTS
from workbench.run.replay import replay
from workbench.session.session import Session
from workbench.session.store import load_session, read_session

# A conftest cannot be imported from, so its class is `Any` here.
Begins = Callable[..., Awaitable[Any]]
NEVER = 1e9


def rate(value: float) -> SetHyperparameter:
    return SetHyperparameter("learning_rate", value)


def on_disk(path: Path) -> dict[str, tuple[int, int]]:
    """Every file beside a session, but its lock, and what would change where it were written again."""
    stats = {each.name: each.stat() for each in path.parent.iterdir() if not each.name.endswith(".lock")}
    return {name: (stat.st_mtime_ns, stat.st_ino) for name, stat in stats.items()}


def litter(path: Path) -> list[str]:
    return [each.name for each in path.parent.iterdir() if each.name.startswith(".")]


# When --------------------------------------------------------------------------------------------------------------


async def test_each_edit_is_on_disk_at_once_while_it_waits(paused: Begins, tmp_path: Path):
    path = tmp_path / "auto.toml"
    talk = await paused(autosave=path, autosave_seconds=NEVER)
    assert not path.exists()  # nothing was done yet that could be lost
    values = [0.5, 0.25, 0.125]
    for number, value in enumerate(values, start=1):
        talk.engine.send(TakeStep())
        talk.engine.send(rate(value))
        saved = await talk.hear(Saved)
        assert (saved.path, saved.step, saved.asked) == (str(path), number, False)
        session, tensors, facts = load_session(path)
        assert [edit.new for edit in session.branch.edits] == values[:number]
        assert (facts["step"], tensors["W1"].shape) == (str(number), (2, 6))
    # A step alone is no edit, and neither is an edit that is refused.
    talk.engine.send(TakeStep())
    said = await talk.told(rate(-1.0))
    assert not any(isinstance(each, Saved) for each in said)


async def test_each_edit_is_on_disk_soon_while_it_trains_and_training_goes_on(begun: Begins, tmp_path: Path):
    path = tmp_path / "auto.toml"
    talk = await begun(paused=False, autosave=path, autosave_seconds=NEVER, epochs=1_000_000)
    await talk.hear(StepsTaken)
    talk.engine.send(rate(0.02))
    changed = await talk.hear(HyperparameterChanged)
    saved = await talk.hear(Saved)
    assert saved.step == changed.step
    session, _, _ = load_session(path)
    assert [(edit.step, edit.new) for edit in session.branch.edits] == [(changed.step, 0.02)]
    assert (await talk.hear(StepsTaken)).step > saved.step
    assert not talk.of(Paused)
    assert all(each.identical for each in replay(session))


@pytest.mark.parametrize(
    "asked",
    [Undo(False), Undo(True), GoTo(2), Rename("main", "x"), Describe("main", "x"), Annotate(1, "x"), Annotate(0, "x", 1)],
    ids=repr,
)
async def test_what_changes_the_branches_is_on_disk_at_once_too(paused: Begins, tmp_path: Path, asked: Request):
    path = tmp_path / "auto.toml"
    talk = await paused(autosave=path, autosave_seconds=NEVER)
    await talk.train_to(3)
    await talk.hear(Saved)  # where it comes to rest
    talk.engine.send(rate(0.1))
    await talk.hear(Saved)
    await talk.train_to(5)
    await talk.hear(Saved)
    before = read_session(path)
    talk.engine.send(asked)
    await talk.hear(Saved)
    after, _, _ = load_session(path)
    assert after != before
    assert all(each.identical for each in replay(after))


async def test_every_so_often_it_is_saved_while_it_trains(begun: Begins, tmp_path: Path):
    path = tmp_path / "auto.toml"
    talk = await begun(paused=False, autosave=path, autosave_seconds=0.2, epochs=1_000_000)
    steps = []
    for _ in range(3):
        saved = await talk.hear(Saved)
        steps.append(saved.step)
        assert not saved.asked
    assert steps == sorted(set(steps))
    await talk.hang_up()  # else the checkpoint that a session names may be another by the time that it is read
    assert load_session(path)[0].step >= steps[-1]


async def test_what_was_trained_before_it_was_paused_is_on_disk_before_long(paused: Begins, tmp_path: Path):
    path = tmp_path / "auto.toml"
    talk = await paused(autosave=path, autosave_seconds=0.2)
    talk.engine.send(TakeStep())
    await talk.hear(Paused, lambda paused: paused.step == 1)
    assert (await talk.hear(Saved, seconds=3.0)).step == 1
    assert load_session(path)[0].step == 1


async def test_where_the_run_has_come_to_its_end_it_is_saved(begun: Begins, tmp_path: Path):
    path = tmp_path / "auto.toml"
    talk = await begun(paused=False, autosave=path, autosave_seconds=NEVER, epochs=2)
    assert (await talk.hear(Saved)).step == 14
    result = load_session(path)[0].branch.result
    assert result is not None
    assert result.test is not None


# When not ----------------------------------------------------------------------------------------------------------


async def test_nothing_is_written_again_where_nothing_is_new(
    paused: Begins, make_session: Callable[..., Session], tmp_path: Path
):
    make_session(10, [(4, "learning_rate", 0.1)])
    path = tmp_path / "recorded.toml"
    before = on_disk(path)
    talk = await paused(path=path, autosave=path, autosave_seconds=0.0)
    await talk.told(rate(-1.0), Switch("nobody"))
    assert not [each for each in await talk.hang_up() if isinstance(each, (Saved, SaveFailed))]
    assert not talk.of(Saved)
    assert on_disk(path) == before
    assert not litter(path)


async def test_there_and_back_is_nothing_new(paused: Begins, make_session: Callable[..., Session], tmp_path: Path):
    make_session(10)
    path = tmp_path / "recorded.toml"
    talk = await paused(path=path, autosave=path, autosave_seconds=NEVER)
    talk.engine._writer.writelines(REQUESTS.encode(request) for request in (GoTo(4), Redo()))  # at once: no time to save between
    await talk.told()
    session = read_session(path)
    assert (session.current, session.step, len(session.branches)) == ("main", 10, 1)
    assert load_session(path)[2]["step"] == "10"


async def test_a_note_is_kept_though_another_was_saved_before_on_another_branch(paused: Begins, tmp_path: Path):
    path = tmp_path / "auto.toml"
    talk = await paused(autosave=path, autosave_seconds=NEVER)
    await talk.train_to(5)
    await talk.told(GoTo(2), TakeStep())
    talk.engine.send(Annotate(1, "first"))
    await talk.hear(Saved, lambda saved: "first" in path.read_text())
    await talk.told(Switch("main"), Switch("main-2"), Annotate(1, "second"))
    await talk.hang_up()
    assert [note.text for note in read_session(path).branch.notes] == ["second"]


async def test_quit_saves_nothing(paused: Begins, make_session: Callable[..., Session], tmp_path: Path):
    make_session(3)
    path = tmp_path / "recorded.toml"
    before = on_disk(path)
    talk = await paused(path=path, autosave=path, autosave_seconds=NEVER)
    talk.engine.send(TakeStep())
    talk.engine.send(Quit())
    await talk.rest()
    assert on_disk(path) == before
    assert not litter(path)


# What goes wrong ---------------------------------------------------------------------------------------------------


async def test_a_failure_is_said_once_and_tried_again_while_training_goes_on(begun: Begins, tmp_path: Path):
    path = tmp_path / "auto.toml"
    path.mkdir()
    talk = await begun(paused=False, autosave=path, autosave_seconds=0.05, epochs=1_000_000)
    failed = await talk.hear(SaveFailed)
    assert (failed.path, failed.asked) == (str(path), False)
    assert "not saved: " in failed.reason
    for _ in range(4):  # each of them longer than the time to try again
        await talk.hear(StepsTaken)
    assert len(talk.of(SaveFailed)) == 1
    path.rmdir()
    saved = await talk.hear(Saved)
    assert Path(saved.path) == path
    assert not talk.of(Paused)
    await talk.hang_up()
    assert load_session(path)[0].step >= saved.step


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
async def test_a_session_in_a_folder_that_cannot_be_written_to_can_be_trained(
    paused: Begins, make_session: Callable[..., Session], tmp_path: Path
):
    make_session(3)
    path = tmp_path / "recorded.toml"
    tmp_path.chmod(0o500)
    try:
        talk = await paused(path=path, autosave=path, autosave_seconds=NEVER)
        assert not talk.of(Begun)[0].read_only
        talk.engine.send(rate(0.1))
        assert not (await talk.hear(SaveFailed)).asked
        talk.engine.send(TakeStep())
        assert (await talk.hear(StepsTaken)).step == 4
        assert read_session(path).step == 3
    finally:
        tmp_path.chmod(0o700)


async def test_a_folder_that_has_another_name_now_is_said_and_where_it_was_saved(
    paused: Begins, make_session: Callable[..., Session], tmp_path: Path
):
    make_session(3)
    folder = tmp_path / "sessions"
    folder.mkdir()
    for each in (*tmp_path.glob("recorded*"),):
        each.rename(folder / each.name)
    path = folder / "recorded.toml"
    talk = await paused(path=path, autosave=path, autosave_seconds=NEVER)
    folder.rename(tmp_path / "moved")
    talk.engine.send(rate(0.1))
    said = f"The folder {folder} was not there any more; it was made again, and the session saved to {path}."
    assert (await talk.hear(Remark)).text == said
    assert [edit.new for edit in read_session(path).branch.edits] == [0.1]
    talk.engine.send(rate(0.2))
    await talk.hear(Saved)
    assert len(talk.of(Remark)) == 1


# One writer --------------------------------------------------------------------------------------------------------


@pytest.fixture
async def two(paused: Begins, make_session: Callable[..., Session], tmp_path: Path) -> tuple[Any, Any, Path]:
    """Two engines on one session of 10 steps, an undo on its mind."""
    make_session(10, [(4, "learning_rate", 0.1)])
    path = tmp_path / "recorded.toml"
    first = await paused(path=path, autosave=path, autosave_seconds=NEVER)
    first.engine.send(Undo(False))
    await first.hear(Saved)
    return first, await paused(path=path, autosave=path, autosave_seconds=0.0), path


async def test_the_second_engine_on_a_session_can_look_and_not_touch(two: tuple[Any, Any, Path]):
    first, second, path = two
    assert [talk.of(Begun)[0].read_only for talk in two[:2]] == [False, True]
    assert second.of(Begun)[0].step == 10
    before = on_disk(path)
    second.engine.send(rate(0.5))
    assert "read-only" in (await second.hear(CommandRejected)).reason
    for request in (Resume(), TakeStep(), RunTo(12), Undo(False), Undo(True)):
        (said,) = await second.told(request)
        assert isinstance(said, Remark)
        assert "another workbench" in said.text
    second.engine.send(Save(str(path)))
    failed = await second.hear(SaveFailed)
    assert (failed.path, failed.asked) == (str(path), True)
    assert "another workbench has this session open" in failed.reason
    await second.hang_up()
    assert on_disk(path) == before
    # The first is not disturbed.
    first.engine.send(rate(0.5))
    assert (await first.hear(Saved)).path == str(path)
    assert read_session(path).branch.edits[-1].new == 0.5


@pytest.mark.parametrize("asked", [Redo(), GoOn(), Adopt(2, 0, (rate(0.5),))], ids=repr)
async def test_no_request_trains_or_edits_a_session_that_was_opened_read_only(two: tuple[Any, Any, Path], asked: Request):
    _, second, _ = two
    said = await second.told(asked)
    assert not {HyperparameterChanged, Resumed} & {type(each) for each in said}
    assert any(isinstance(each, Remark) and "another workbench" in each.text for each in said)


async def test_a_session_that_was_opened_read_only_can_be_looked_at_everywhere_and_taken_along(two: tuple[Any, Any, Path]):
    _, second, path = two
    before = on_disk(path)
    said = await second.told(GoTo(2), Export(1, -1), Switch("main"))
    assert [each.step for each in said if isinstance(each, (Arrived, Exported))] == [2, 2, 10]
    await second.hang_up()
    assert on_disk(path) == before


async def test_a_session_that_was_opened_read_only_waits_though_it_was_to_train(two: tuple[Any, Any, Path], start: Begins):
    _, _, path = two
    talk = await start()
    talk.engine.send(Begin(path.read_text(), str(path), str(path), False))
    assert (await talk.hear(Begun)).read_only
    assert isinstance(await talk.hear((Paused, StepsTaken)), Paused)


async def test_a_session_whose_lock_cannot_be_taken_is_read_only_and_says_why(
    paused: Begins, make_session: Callable[..., Session], tmp_path: Path
):
    make_session(3)
    path = tmp_path / "recorded.toml"
    (tmp_path / ".recorded.toml.lock").mkdir()
    talk = await paused(path=path, autosave=path, autosave_seconds=NEVER)
    why = "its lock cannot be taken: is a folder, not a file"
    assert (talk.of(Begun)[0].read_only, talk.of(Begun)[0].obstacle) == (True, why)
    talk.engine.send(rate(0.1))
    assert (await talk.hear(CommandRejected)).reason == f"opened read-only: {why}"
    talk.engine.send(Save(str(path)))
    assert (await talk.hear(SaveFailed)).reason.endswith(f"not saved: opened read-only, because {why}")


async def test_when_the_first_has_ended_the_next_may_write(two: tuple[Any, Any, Path], paused: Begins):
    first, _, path = two
    await first.engine.close()
    third = await paused(path=path, autosave=path, autosave_seconds=NEVER)
    assert not third.of(Begun)[0].read_only
    third.engine.send(rate(0.5))
    await third.hear(Saved)
    assert read_session(path).branch.edits[-1].new == 0.5


async def test_an_engine_does_not_save_over_a_session_that_another_has_open(two: tuple[Any, Any, Path], paused: Begins):
    _, _, path = two
    before = on_disk(path)
    other = await paused()
    other.engine.send(Save(str(path)))
    assert "another workbench has this session open" in (await other.hear(SaveFailed)).reason
    assert on_disk(path) == before


async def test_a_lock_ends_with_its_engine_however_that_ends(two: tuple[Any, Any, Path], paused: Begins):
    first, second, path = two
    await second.engine.close()
    assert litter(path) == [".recorded.toml.lock"]  # the first still has it
    os.kill(first.pid, signal.SIGKILL)
    await first.died(-signal.SIGKILL)
    assert litter(path) == [".recorded.toml.lock"]
    third = await paused(path=path, autosave=path, autosave_seconds=NEVER)
    assert not third.of(Begun)[0].read_only
    third.engine.send(TakeStep())
    await third.hang_up()
    assert read_session(path).step == 11
    assert not litter(path)


async def test_a_new_session_leaves_no_lock(paused: Begins, tmp_path: Path):
    path = tmp_path / "small-1.toml"
    talk = await paused(autosave=path, autosave_seconds=NEVER)
    talk.engine.send(rate(0.1))
    await talk.hear(Saved)
    assert litter(path) == [".small-1.toml.lock"]
    await talk.engine.close()
    assert not litter(path)


async def test_new_sessions_of_the_same_name_go_to_two_files(paused: Begins, tmp_path: Path):
    path = tmp_path / "small-1.toml"
    talks = [await paused(autosave=path, autosave_seconds=NEVER) for _ in range(2)]
    found = {}
    for value, talk in zip((0.5, 0.25), talks, strict=True):
        talk.engine.send(rate(value))
        saved = await talk.hear(Saved)
        found[Path(saved.path).name] = value
    assert found == {"small-1.toml": 0.5, "small-2.toml": 0.25}
    # Each stays with its own, asked or not.
    for (name, value), talk in zip(found.items(), talks, strict=True):
        talk.engine.send(TakeStep())
        talk.engine.send(rate(value / 2))
        assert Path((await talk.hear(Saved)).path).name == name
        session, _, _ = load_session(tmp_path / name)
        assert [edit.new for edit in session.branch.edits] == [value, value / 2]
    assert len(list(tmp_path.glob("*.safetensors"))) == 2


async def test_a_new_session_does_not_overwrite_one_that_is_there(
    paused: Begins, make_session: Callable[..., Session], tmp_path: Path
):
    make_session(3)
    path = (tmp_path / "recorded.toml").rename(tmp_path / "small-1.toml")
    before = path.read_bytes()
    talk = await paused(autosave=path, autosave_seconds=NEVER)
    talk.engine.send(rate(0.1))
    assert Path((await talk.hear(Saved)).path).name == "small-2.toml"
    assert path.read_bytes() == before


async def test_what_a_killed_writer_left_half_written_is_swept_and_nothing_else(
    paused: Begins, make_session: Callable[..., Session], tmp_path: Path
):
    make_session(3)
    path = tmp_path / "recorded.toml"
    stale = [".recorded.toml.0123456789ab.tmp", ".recorded.step-000003-01234567.safetensors.0123456789ab.tmp"]
    others = [".other.toml.0123456789ab.tmp", ".recorded-2.toml.0123456789ab.tmp", ".recorded.toml.tmp", "recorded.toml.tmp"]
    for name in (*stale, *others):
        (tmp_path / name).touch()
    talk = await paused(path=path, autosave=path, autosave_seconds=NEVER)
    names = {each.name for each in tmp_path.iterdir()}
    assert not names & set(stale)
    assert names >= set(others)
    assert talk.of(Begun)[0].step == 3


async def test_saved_elsewhere_the_session_stays_where_it_is_and_leaves_no_lock_there(
    paused: Begins, make_session: Callable[..., Session], tmp_path: Path
):
    make_session(3)
    path, copy = tmp_path / "recorded.toml", tmp_path / "copies" / "copy.toml"
    talk = await paused(path=path, autosave=path, autosave_seconds=NEVER)
    talk.engine.send(TakeStep())
    await talk.saved(copy)
    assert not litter(copy)
    assert (load_session(path)[0].step, load_session(copy)[0].step) == (3, 4)
    talk.engine.send(rate(0.1))
    assert Path((await talk.hear(Saved)).path) == path
    assert load_session(path)[0].step == 4
    assert load_session(copy)[0].branch.edits == ()


async def test_saved_elsewhere_the_session_is_still_saved_in_its_own_file_when_the_app_is_gone(
    paused: Begins, make_session: Callable[..., Session], tmp_path: Path
):
    make_session(3)
    path = tmp_path / "recorded.toml"
    talk = await paused(path=path, autosave=path, autosave_seconds=NEVER)
    talk.engine.send(TakeStep())
    await talk.saved(tmp_path / "copy.toml")
    await talk.hang_up()
    assert load_session(path)[0].step == 4
