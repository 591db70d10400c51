"""The app in a real pseudo-terminal that takes nothing: training does not notice, and the app ends when it is told to."""

from __future__ import annotations

import os
import re
import signal
import termios
from collections.abc import Callable
from pathlib import Path

import pytest
from pseudo import Terminal, assert_ends

from workbench.runtime.terminal import RESET

FAST = """
[data]
source = "moons"
examples = 100
[network]
hidden = [4]
[training]
batch_size = 4
epochs = 1000000
evaluate_every = 100000
"""
MORE_THAN_PIPES_HOLD = 40_000
"""Steps, of 24 bytes each."""


@pytest.fixture
def trained(tmp_path: Path) -> Callable[[], Terminal]:
    def start() -> Terminal:
        (tmp_path / "fast.toml").write_text(FAST)
        terminal = Terminal(tmp_path / "sessions", lambda: None, str(tmp_path / "fast.toml"), "--autosave", "0.2")
        terminal.until_trained()
        return terminal

    return start


@pytest.mark.parametrize("number", [0, signal.SIGTERM], ids=["q", "SIGTERM"])
def test_a_terminal_that_reads_nothing_holds_up_neither_training_nor_the_end(trained: Callable[[], Terminal], number: int):
    terminal = trained()
    engine = terminal.engine()
    terminal.until_saved(1)
    terminal.type(b"e" + b"\x1b[B\x1b[A" * 100)  # each of these would be drawn
    terminal.until_full()
    terminal.until_saved(terminal.last_saved() + MORE_THAN_PIPES_HOLD)
    before = terminal.last_saved()
    if number:
        os.kill(terminal.pid, number)
    else:
        terminal.type(b"q")
    status, _ = terminal.ended(reading=False)
    assert status in (0, 128 + number)  # on a busy machine, an orderly end may take longer than a signal gives it
    assert_ends(engine)
    assert terminal.saved() > before
    assert termios.tcgetattr(terminal.slave) == terminal.attributes
    terminal.read_all()
    assert RESET in terminal.output
    assert b"saved" in terminal.output.rsplit(RESET, 1)[1] or status
    terminal.close()


def test_while_the_app_stands_still_the_engine_trains_on_and_then_the_app_catches_up(trained: Callable[[], Terminal]):
    terminal = trained()
    terminal.until_saved(1)
    os.kill(terminal.pid, signal.SIGSTOP)
    terminal.until_stopped()
    terminal.until_saved(terminal.last_saved() + MORE_THAN_PIPES_HOLD)
    os.kill(terminal.pid, signal.SIGCONT)
    terminal.output = b""
    terminal.until_trained()
    terminal.type(b"q")
    assert terminal.ended(reading=True)[0] == 0
    terminal.close()


def test_after_a_while_without_a_reader_what_comes_is_whole(trained: Callable[[], Terminal]):
    terminal = trained()
    terminal.until_full()
    seen = len(terminal.output)
    while len(re.findall(rb" step [1-9]", terminal.output[seen:])) < 5:
        assert terminal.read(5), "nothing more is drawn"
    terminal.type(b"q")
    assert terminal.ended(reading=True)[0] == 0
    rest = re.sub(rb"\x1b(\[[0-9;?<=>$]*[a-zA-Z]|\][^\x07\x1b]*(\x07|\x1b\\))", b"", terminal.output)
    assert b"\x1b" not in rest
    assert re.search(rb"[\[;][0-9;]+m", rest) is None
    rest.decode()
    terminal.close()
