"""Autosave by itself: when it saves, what it tells, and whose files it leaves alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from workbench.engine.commands import scripted
from workbench.engine.trainer import Until
from workbench.files.lock import SessionLock
from workbench.run.autosave import Autosave
from workbench.run.run import Run
from workbench.session.preset import Preset
from workbench.session.session import Session
from workbench.session.store import load_session


class Heard:
    """A listener that writes down what it is told."""

    def __init__(self) -> None:
        self.saves: list[tuple[str, int, bool]] = []
        self.failures: list[tuple[str, str, bool]] = []
        self.folders: list[tuple[str, str]] = []

    def saved(self, path: str, step: int, asked: bool) -> None:
        self.saves.append((path, step, asked))

    def remade(self, folder: str, path: str) -> None:
        self.folders.append((folder, path))

    def failed(self, path: str, reason: str, asked: bool) -> None:
        self.failures.append((path, reason, asked))


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def run(make_preset: Callable[..., Preset]) -> Run:
    return Run(Session(preset=make_preset(), seed=1))


def train_to(run: Run, steps: int) -> None:
    for _ in run.events(scripted([]), lambda: False, Until(steps=steps)):
        pass


def test_it_saves_when_it_is_time_and_there_is_something_new(run: Run, heard: Heard, tmp_path: Path):
    now = [100.0]
    path = tmp_path / "s.toml"
    autosave = Autosave(path, 10.0, heard, lambda: now[0])
    autosave.keep(run)
    assert autosave.hold()
    autosave.save_if_new()  # a run that was never saved is new
    train_to(run, 3)
    autosave.save_if_due()
    now[0] += 9.9
    autosave.save_if_due()
    assert [step for _, step, _ in heard.saves] == [0]
    now[0] += 0.2
    autosave.save_if_due()
    assert heard.saves[1:] == [(str(path), 3, False)]
    now[0] += 10.1
    autosave.save_if_due()
    assert len(heard.saves) == 2
    train_to(run, 5)
    autosave.edited = True
    autosave.save_if_due()
    assert heard.saves[2:] == [(str(path), 5, False)]
    assert load_session(path)[0].step == 5
    autosave.release()


def test_a_failure_is_told_once_and_again_when_it_went_well_meanwhile(run: Run, heard: Heard, tmp_path: Path):
    path = tmp_path / "s.toml"
    path.mkdir()
    autosave = Autosave(path, 0.0, heard)
    autosave.keep(run)
    assert autosave.hold()
    autosave.save_if_new()
    autosave.save_if_new()
    ((told, reason, asked),) = heard.failures
    assert (told, asked) == (str(path), False)
    assert reason.startswith(f"{path}: not saved: ")
    path.rmdir()
    autosave.save_if_new()
    assert len(heard.saves) == 1
    path.unlink()
    path.mkdir()
    train_to(run, 2)
    autosave.save_if_new()
    assert len(heard.failures) == 2
    # Who asks is told each time, and knows how it went.
    assert not autosave.save(path)
    assert not autosave.save(str(path))
    assert [asked for _, _, asked in heard.failures] == [False, False, True, True]
    path.rmdir()
    assert autosave.save(path)
    autosave.release()


def test_a_folder_that_has_another_name_now_is_made_again_and_that_is_told_once(run: Run, heard: Heard, tmp_path: Path):
    path, moved = tmp_path / "sessions" / "s.toml", tmp_path / "moved"
    autosave = Autosave(path, 0.0, heard)
    autosave.keep(run)
    assert autosave.hold()
    autosave.save_if_new()
    path.parent.rename(moved)
    train_to(run, 2)
    autosave.save_if_new()
    train_to(run, 4)
    autosave.save_if_new()
    assert heard.folders == [(str(path.parent), str(path))]
    assert [step for _, step, _ in heard.saves] == [0, 2, 4]
    assert (load_session(path)[0].step, load_session(moved / "s.toml")[0].step) == (4, 0)
    assert not SessionLock(path).acquire()
    autosave.release()
    assert not [*path.parent.glob(".*")]


def test_a_lock_that_somebody_removed_is_taken_again_unless_another_has_it_by_then(run: Run, heard: Heard, tmp_path: Path):
    path = tmp_path / "s.toml"
    autosave = Autosave(path, 0.0, heard)
    autosave.keep(run)
    assert autosave.hold()
    (tmp_path / ".s.toml.lock").unlink()
    assert autosave.save(path)
    assert not SessionLock(path).acquire()
    (tmp_path / ".s.toml.lock").unlink()
    other = SessionLock(path)
    assert other.acquire()
    assert not autosave.save(path)
    assert not autosave.save(path)
    assert [reason for _, reason, _ in heard.failures] == [f"{path}: not saved: another workbench has this session open"] * 2
    autosave.release()
    assert not SessionLock(path).acquire()
    other.release()
    assert heard.folders == []


def test_without_a_place_it_saves_only_where_it_is_asked_to(run: Run, heard: Heard, tmp_path: Path):
    autosave = Autosave(None, 0.0, heard)
    autosave.keep(run)
    assert autosave.hold()
    autosave.save_if_new()
    assert not list(tmp_path.iterdir())
    assert autosave.save(tmp_path / "asked.toml")
    assert heard.saves == [(str(tmp_path / "asked.toml"), 0, True)]
    assert autosave.target is None


def test_what_somebody_else_holds_is_not_written(run: Run, heard: Heard, tmp_path: Path):
    path = tmp_path / "s.toml"
    other = SessionLock(path)
    assert other.acquire()
    autosave = Autosave(path, 0.0, heard)
    autosave.keep(run)
    assert not autosave.hold()
    assert (autosave.read_only, autosave.target) == (True, None)
    autosave.save_if_new()
    assert not autosave.save(path)
    assert [asked for _, _, asked in heard.failures] == [True]
    assert not path.exists()
    other.release()


def test_a_name_that_is_held_is_written_though_a_session_is_there(
    make_session: Callable[..., Session], run: Run, heard: Heard, tmp_path: Path
):
    make_session(3)
    path = tmp_path / "recorded.toml"
    autosave = Autosave(path, 0.0, heard)
    autosave.keep(run)
    assert autosave.hold()
    assert autosave.save(path)
    assert load_session(path)[0].step == 0
    autosave.release()
    assert not [each for each in tmp_path.iterdir() if each.name.startswith(".")]
