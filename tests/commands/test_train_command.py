"""`workbench train`: what it prints, where, and with which status; what it saves, and when."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.commands.printed import SMALL, Command, errors_of, json_of
from workbench.commands import headless, progress
from workbench.engine.trainer import Until
from workbench.files.lock import SessionLock
from workbench.run.autosave import Autosave
from workbench.run.replay import replay
from workbench.run.run import Run
from workbench.session.preset import Preset
from workbench.session.session import Session
from workbench.session.store import load_session


@pytest.mark.usefixtures("small")
def test_training_prints_one_json_object_and_nothing_else(workbench: Command):
    done = workbench("train", "small.toml", "--json", "--seed", 7, "--edit", "5:l2=0.1")
    said = json_of(done)
    assert done.stderr == ""
    assert list(said) == [
        "preset", "seed", "step", "epoch", "train", "dev", "test", "seconds", "steps_per_second", "examples_per_second",
        "state_hash", "session",
    ]  # fmt: skip
    assert (said["preset"], said["seed"], said["step"], said["epoch"], said["session"]) == ("small", 7, 21, 3, None)
    for part in ("train", "dev", "test"):
        assert list(said[part]) == ["cost", "error"]
        assert said[part]["cost"] > 0
        assert 0 <= said[part]["error"] <= 1
    assert re.fullmatch(r"[0-9a-f]{64}", said["state_hash"])
    assert 0 < said["seconds"] < 60
    assert said["steps_per_second"] == pytest.approx(21 / said["seconds"], rel=0.01)
    assert said["examples_per_second"] == pytest.approx(3 * 54 / said["seconds"], rel=0.01)


@pytest.mark.usefixtures("small")
def test_parts_that_are_not_there_are_null(workbench: Command):
    settings = ("--set", "dev_fraction=0", "--set", "test_fraction=0")
    said = json_of(workbench("train", "small.toml", "--json", "--steps", 2, *settings))
    assert (said["dev"], said["test"], said["step"]) == (None, None, 2)


@pytest.mark.usefixtures("small")
def test_without_a_terminal_it_prints_plain_lines(workbench: Command, tmp_path: Path):
    edits = ("--edit", "4:optimizer=momentum", "--edit", "9:epsilon=0.1")
    done = workbench("train", "small.toml", *edits, "--save", "out/saved.toml")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert "step       4  optimizer: adam → momentum" in lines
    assert "step       9  epsilon: 1e-08 → 0.1 (not used by momentum)" in lines
    assert [line.split()[0] for line in lines[-5:]] == ["train", "dev", "test", "21", "saved"]
    assert lines[-2].startswith("21 steps, 3 epochs, ")
    assert all(line.isprintable() for line in lines)
    session, _, _ = load_session(tmp_path / "out" / "saved.toml")
    assert session.step == 21


@pytest.mark.usefixtures("small")
def test_settings_steps_and_epochs_are_heeded(workbench: Command):
    said = json_of(workbench("train", "small.toml", "--json", "--steps", 100, "--epochs", 2, "--set", "batch_size=27"))
    assert (said["step"], said["epoch"]) == (4, 2)
    assert json_of(workbench("train", "small.toml", "--json", "--steps", 0))["step"] == 0


@pytest.mark.usefixtures("small")
def test_an_edit_beyond_the_end_is_said_and_fails(workbench: Command):
    edits = ("--edit", "5:l2=0.1", "--edit", "6:l2=0.2", "--edit", "9:l1=1")
    done = workbench("train", "small.toml", "--json", "--steps", 5, *edits)
    assert json_of(done, 1)["step"] == 5
    assert errors_of(done, 1) == ["--edit 6:l2, 9:l1: not applied, the run ended at step 5"]


@pytest.mark.usefixtures("small")
def test_a_divergence_is_said_and_fails_and_the_result_is_json_still(workbench: Command, tmp_path: Path):
    settings = ("--set", "learning_rate=1e30", "--set", "batch_norm=false", "--set", "optimizer=gradient_descent")
    done = workbench("train", "small.toml", "--json", *settings, "--save", "diverged.toml")
    said = json_of(done, 1)
    (line,) = errors_of(done, 1)
    match = re.fullmatch(r"diverged at step (\d+): .+?(?:; back at step (\d+), the last good one)?", line)
    assert match is not None
    assert said["step"] == int(match[2] or int(match[1]) - 1)
    session = load_session(tmp_path / "diverged.toml")[0]
    assert session.step == said["step"]
    assert session.named("main").stops[0].step == int(match[1]) - 1


@pytest.mark.usefixtures("small")
def test_a_session_that_cannot_be_saved_is_said_and_fails(workbench: Command, tmp_path: Path):
    (line,) = errors_of(workbench("train", "small.toml", "--json", "--steps", 1, "--save", "small.toml/s.toml"), 1)
    assert re.fullmatch(r"\S+/small\.toml/s\.\S+: not saved: .+", line)
    assert (tmp_path / "small.toml").read_text() == SMALL
    (line,) = errors_of(workbench("train", "small.toml", "--json", "--steps", 1, "--save", "."))
    assert "'--save'" in line


@pytest.mark.usefixtures("small")
def test_a_session_that_somebody_else_has_open_is_not_trained_over(workbench: Command, tmp_path: Path):
    lock = SessionLock(tmp_path / "s.toml")
    assert lock.acquire()
    done = workbench("train", "small.toml", "--json", "--save", "s.toml")
    assert errors_of(done) == ["--save s.toml: another workbench has this session open"]
    assert done.stdout == ""
    lock.release()
    assert json_of(workbench("train", "small.toml", "--json", "--save", "s.toml"))["session"] == "s.toml"
    assert not [each.name for each in tmp_path.iterdir() if each.name.startswith(".")]


@pytest.mark.usefixtures("small")
def test_a_lock_that_cannot_be_taken_is_not_called_another_workbench(workbench: Command, tmp_path: Path):
    (tmp_path / ".s.toml.lock").mkdir()
    done = workbench("train", "small.toml", "--json", "--save", "s.toml")
    assert errors_of(done) == ["--save s.toml: its lock cannot be taken: is a folder, not a file"]
    assert done.stdout == ""


@pytest.mark.usefixtures("small")
def test_what_a_killed_training_left_half_written_goes_before_the_first_step(workbench: Command, tmp_path: Path):
    stale, other = tmp_path / ".s.toml.0123456789ab.tmp", tmp_path / ".t.toml.0123456789ab.tmp"
    stale.touch()
    other.touch()
    (tmp_path / ".t.toml.lock").touch()
    errors_of(workbench("train", "small.toml", "--save", "s.toml", "--edit", "5:keep_prob.9=1"))
    assert not stale.exists()
    assert other.exists()
    assert not [*tmp_path.glob("*.lock"), *tmp_path.glob(".*.lock")]
    assert not (tmp_path / "s.toml").exists()


def test_it_is_saved_on_the_way_and_in_the_end(make_preset: Callable[..., Preset], tmp_path: Path):
    run, path, told = Run(Session(preset=make_preset(), seed=1)), tmp_path / "s.toml", list[tuple[int, bool, bool]]()

    class Told:
        def saved(self, path: str, step: int, asked: bool) -> None:
            told.append((step, asked, load_session(path)[0].branch.result is not None))

        def remade(self, folder: str, path: str) -> None:
            pytest.fail(folder)

        def failed(self, path: str, reason: str, asked: bool) -> None:
            pytest.fail(reason)

    assert headless.train(run, [], Until(steps=30), Autosave(path, 0.0, Told()), as_json=True) == 0
    *on_the_way, last = told
    assert on_the_way[0] == (0, False, False)  # at once
    assert len(on_the_way) >= 5  # at each evaluation at least, and one comes at each end of the 7 steps of an epoch
    assert [step for step, _, _ in on_the_way] == sorted({step for step, _, _ in on_the_way})
    assert not any(asked for _, asked, _ in on_the_way)
    assert last == (30, True, True)


def test_a_save_on_the_way_that_fails_is_said_once_and_training_goes_on(
    make_preset: Callable[..., Preset], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    run, path = Run(Session(preset=make_preset(), seed=1)), tmp_path / "s.toml"

    class InTheWay(Autosave):
        def begin(self) -> None:
            super().begin()
            path.unlink()
            path.mkdir()

    autosave = InTheWay(path, 0.0, headless._Failures())
    assert headless.train(run, [], Until(steps=30), autosave, as_json=True) == 1
    assert run.trainer.state.step == 30
    out, errors = capsys.readouterr()
    assert out == ""
    on_the_way, last = errors.splitlines()
    assert on_the_way.startswith(f"workbench: {path}: not saved: ")
    assert on_the_way == f"{last}; training goes on"


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
@pytest.mark.parametrize("save", [(), ("--save", "s.toml")], ids=["not saved", "saved"])
def test_interrupted_it_ends_between_two_steps_and_saves(tmp_path: Path, number: int, status: int, save: tuple[str, ...]):
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "workbench", "train", "small.toml", "--epochs", "1000000", "--edit", "20:l2=0.1", *save],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert process.stdout is not None
    assert any("l2: 0.0 → 0.1" in line for line in process.stdout)
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == status
    match = re.fullmatch(r"workbench: interrupted after step ([\d,]+)(; saved s\.toml)?\n", errors)
    assert match
    assert bool(match[2]) == bool(save)
    if save:
        session, _, _ = load_session(tmp_path / "s.toml")
        assert session.step == int(match[1].replace(",", ""))
        assert all(each.identical for each in replay(session))


def test_only_while_a_session_is_opened_it_is_told_what_is_trained_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(progress, "FIRST_SECONDS", 0.0)
    with progress.Again() as again:
        again(1, 9)
    again(2, 9)  # as where the run has diverged, and goes back to a place between two copies
    assert capsys.readouterr().err == "workbench: trained again: step 1 of 9\n"


def test_a_session_without_its_checkpoint_is_said_in_one_line(workbench: Command, saved: Path):
    (checkpoint,) = saved.parent.glob("*.safetensors")
    data = bytearray(checkpoint.read_bytes())
    data[-1] ^= 1
    checkpoint.write_bytes(data)
    (line,) = errors_of(workbench("train", "runs/mine.toml", "--steps", 20))
    assert line.endswith("damaged: its checksum does not match; --rebuild trains it again from its seed and edits")
    checkpoint.unlink()
    (line,) = errors_of(workbench("train", "runs/mine.toml", "--steps", 20))
    assert line.endswith("no such file; --rebuild trains it again from its seed and edits")
    assert json_of(workbench("replay", "runs/mine.toml", "--json"))["identical"]


@pytest.mark.parametrize("put", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")], ids=["pipe", "device"])
def test_what_has_the_name_of_a_checkpoint_and_is_no_file_is_said_in_one_line(
    workbench: Command, saved: Path, put: Callable[[Path], None]
):
    (checkpoint,) = saved.parent.glob("*.safetensors")
    checkpoint.unlink()
    put(checkpoint)
    (line,) = errors_of(workbench("train", "runs/mine.toml", "--steps", 20))
    assert line.endswith(": not a regular file; --rebuild trains it again from its seed and edits")


@pytest.mark.parametrize("what", ["train", "replay", "gradcheck"])
def test_what_has_the_name_of_a_session_or_preset_and_is_no_file_is_said_in_one_line(
    workbench: Command, tmp_path: Path, what: str
):
    os.mkfifo(tmp_path / "pipe.toml")
    assert errors_of(workbench(what, "pipe.toml")) == ["pipe.toml: not a regular file"]
    (tmp_path / "zero.toml").symlink_to("/dev/zero")
    assert errors_of(workbench(what, "zero.toml")) == ["zero.toml: not a regular file"]


def test_a_session_without_its_checkpoint_is_rebuilt_if_that_is_asked_for(workbench: Command, saved: Path, trained: Path):
    whole = json_of(workbench("train", str(trained / "runs" / "mine.toml"), "--steps", 20, "--json"))
    (checkpoint,) = saved.parent.glob("*.safetensors")
    checkpoint.unlink()
    said = json_of(workbench("train", "runs/mine.toml", "--steps", 20, "--rebuild", "--json", "--save", "runs/mine.toml"))
    assert (said["step"], said["state_hash"]) == (20, whole["state_hash"])
    assert json_of(workbench("replay", "runs/mine.toml", "--json"))["identical"]
    assert json_of(workbench("train", "runs/mine.toml", "--steps", 20, "--json"))["state_hash"] == whole["state_hash"]


def test_training_without_a_screen_loads_nothing_of_the_screen(small: Path):
    code = """
import sys
from workbench.__main__ import main
sys.argv[1:] = ["train", "small.toml", "--steps", "3", "--json"]
try:
    main()
finally:
    loaded = {name.partition(".")[0] for name in sys.modules}
    print(*sorted(loaded & {"textual", "plotext", "textual_plotext", "rich", "asyncio"}), file=sys.stderr)
"""
    arguments = [sys.executable, "-P", "-c", code]
    done = subprocess.run(arguments, cwd=small.parent, capture_output=True, text=True, timeout=60, check=False)
    assert json_of(done)["step"] == 3
    assert done.stderr == "\n"
