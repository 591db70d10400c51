"""`workbench train` ended by what is around it: what it has done is kept, and it does not let itself be waited for."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.commands.printed import Command, errors_of
from workbench.commands import headless, interruption, progress
from workbench.engine.commands import no_commands
from workbench.engine.trainer import Until
from workbench.files.text import SafeText
from workbench.run.autosave import Autosave
from workbench.run.replay import replay
from workbench.run.run import Run
from workbench.session.preset import Preset
from workbench.session.session import Session
from workbench.session.store import load_session

LONG = ("--epochs", "1000000", "--save", "s.toml")
HUGE = ("--set", "hidden=[3072,3072]", "--set", "examples=1000000")
"""An evaluation of it takes about a minute; it is told of where it takes half of one, so a machine may be twice as fast."""


@contextmanager
def training(folder: Path, *arguments: str, by: tuple[str, ...] = ()) -> Iterator[subprocess.Popen[str]]:
    """`workbench train small.toml` in a process of its own, which does not outlive the test."""
    process = subprocess.Popen(
        [*by, sys.executable, "-P", "-m", "workbench", "train", "small.toml", *arguments],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        with contextlib.suppress(ValueError):
            process.communicate()


def until_there(path: Path) -> None:
    deadline = time.monotonic() + 60.0
    while not path.exists():
        assert time.monotonic() < deadline, "never saved"
        select.select([], [], [], 0.01)


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


@pytest.mark.usefixtures("small")
def test_where_nobody_reads_on_it_saves_and_ends(tmp_path: Path):
    with training(tmp_path, *LONG) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith("step ")
        process.stdout.close()
        errors = process.stderr.read()
        assert process.wait(30) == 1
    match = re.fullmatch(r"workbench: nobody reads the output; ended after step ([\d,]+); saved s\.toml\n", errors)
    assert match
    session, _, _ = load_session(tmp_path / "s.toml")
    assert session.step == int(match[1].replace(",", "")) > 0
    assert all(each.identical for each in replay(session))


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")
@pytest.mark.usefixtures("small")
def test_where_the_output_cannot_be_written_it_saves_and_says_why(tmp_path: Path):
    arguments = [sys.executable, "-P", "-u", "-m", "workbench", "train", "small.toml", *LONG]
    with open("/dev/full", "w") as full:
        done = subprocess.run(arguments, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert done.returncode == 1
    ended, why = done.stderr.splitlines()
    match = re.fullmatch(r"workbench: ended after step ([\d,]+); saved s\.toml", ended)
    assert match
    assert why == "workbench: cannot go on: No space left on device"
    assert load_session(tmp_path / "s.toml")[0].step == int(match[1].replace(",", ""))


def test_the_save_of_a_run_whose_output_is_gone_is_let_come_to_its_end(
    make_preset: Callable[..., Preset], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """However long it takes after a signal that came with it, as with the hang-up of a terminal."""
    seen: list[bool] = []

    class Watched(interruption.Interruption):
        def __init__(self, words: Callable[[], SafeText]) -> None:
            super().__init__(words)
            self.saving = saving

    class Keeping(Autosave):
        def save(self, path: str | os.PathLike[str], scored: bool = True) -> bool:
            seen.append(saving.locked())
            return super().save(path, scored)

    def nobody_reads(text: SafeText) -> None:
        raise BrokenPipeError

    saving = threading.Lock()
    monkeypatch.setattr(headless, "Interruption", Watched)
    monkeypatch.setattr(progress, "say", nobody_reads)
    run, path = Run(Session(preset=make_preset(), seed=1)), tmp_path / "s.toml"
    with pytest.raises(BrokenPipeError):
        headless.train(run, [(3, "l2", 0.1)], Until(steps=9), Keeping(path, 1e9, headless._Failures()), as_json=False)
    assert seen == [True]
    assert load_session(path)[0].step == 3


@pytest.mark.usefixtures("small")
def test_a_hang_up_that_nohup_ignores_passes_unnoticed(tmp_path: Path):
    with training(tmp_path, *LONG, by=("nohup",)) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("step ")
        process.send_signal(signal.SIGHUP)
        assert process.stdout.readline().startswith("step ")
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
        assert process.returncode == 143


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_in_the_middle_of_what_takes_long_it_leaves_within_seconds_with_what_was_saved(tmp_path: Path, number: signal.Signals):
    with training(tmp_path, *HUGE, "--save", "s.toml") as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("workbench: this network takes long here: a step about ")
        process.send_signal(number)
        begun = time.monotonic()
        _, errors = process.communicate(timeout=60)
        assert time.monotonic() - begun < interruption.GRACE_SECONDS + interruption._SETTLING_SECONDS + 5.0
    assert process.returncode == 128 + number
    why = "interrupted in the middle of a step or an evaluation, which would not end soon"
    assert errors == f"workbench: {why}; s.toml is as of step 0\n"
    assert load_session(tmp_path / "s.toml")[0].step == 0
    (checkpoint,) = tmp_path.glob("*.safetensors")
    assert names(tmp_path) == sorted(["small.toml", "s.toml", checkpoint.name])


@pytest.mark.usefixtures("small")
def test_it_is_there_from_the_start(tmp_path: Path):
    with training(tmp_path, *HUGE, "--save", "s.toml"):
        until_there(tmp_path / "s.toml")
        session, tensors, _ = load_session(tmp_path / "s.toml")
    assert session.step == 0
    assert tensors["W2"].shape == (3072, 3072)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("made", [Path.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_what_cannot_be_saved_is_known_before_the_first_step(workbench: Command, tmp_path: Path, made: Callable[[Path], None]):
    made(tmp_path / "s.toml")
    done = workbench("train", "small.toml", "--epochs", 1_000_000, "--save", "s.toml")
    (line,) = errors_of(done, 1 if (tmp_path / "s.toml").is_fifo() else 2)
    assert "s.toml" in line
    assert done.stdout == ""


@pytest.mark.skipif(not os.path.isdir("/sys"), reason="no folder that even root cannot write to")
@pytest.mark.usefixtures("small")
def test_a_folder_that_cannot_be_written_to_is_known_before_the_first_step(workbench: Command):
    done = workbench("train", "small.toml", "--epochs", 1_000_000, "--save", "/sys/s.toml")
    (line,) = errors_of(done, 1)
    assert re.fullmatch(r"/sys/\S+: not saved: .+", line)
    assert done.stdout == ""


@pytest.mark.usefixtures("small")
def test_a_step_that_does_not_fit_into_memory_is_refused_with_figures(workbench: Command):
    settings = [f"--set={each}" for each in (f"hidden={[8192] * 20}", "examples=1000000", "batch_size=1000000")]
    (line,) = errors_of(workbench("train", "small.toml", *settings))
    assert re.fullmatch(
        r"small: network\.hidden, training\.batch_size, data\.examples: training needs at least [\d,]{5,}\.\d GB of memory, "
        r"and this machine has [\d,]+\.\d GB",
        line,
    )


def test_after_a_step_in_which_nobody_would_be_waited_for_it_is_saved(make_preset: Callable[..., Preset], tmp_path: Path):
    run, path = Run(Session(preset=make_preset(), seed=1)), tmp_path / "s.toml"
    with headless.autosaving(path, 1e9) as autosave:
        autosave.keep(run)
        autosave.begin()
        for _ in run.events(no_commands, lambda: True, Until(steps=3)):
            pass
        headless._keep(autosave, interruption.GRACE_SECONDS / 2)
        assert load_session(path)[0].step == 0
        headless._keep(autosave, interruption.GRACE_SECONDS)
        assert load_session(path)[0].step == 3
