"""The app in a real pseudo-terminal, told to end by the system, or left by its terminal: it saves, and leaves nothing behind."""

from __future__ import annotations

import os
import re
import signal
import termios
from pathlib import Path

import pytest
from pseudo import Terminal, assert_ends

from workbench.session.store import list_sessions

runs = pytest.mark.parametrize(
    "run", [1, 2, *(pytest.param(number, marks=pytest.mark.soak) for number in range(3, 21))]
)  # fmt: skip


@runs
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGINT], ids=lambda number: number.name)
def test_told_to_end_it_saves_and_puts_the_terminal_back(tmp_path: Path, number: signal.Signals, run: int):
    terminal = Terminal(tmp_path)
    terminal.until_trained()
    engine = terminal.engine()
    os.kill(terminal.pid, number)
    terminal.ended(reading=True)
    assert_ends(engine)
    assert b"\x1b[?1049l" in terminal.output
    assert b"\x1b[?25h" in terminal.output
    assert termios.tcgetattr(terminal.slave) == terminal.attributes
    terminal.close()
    assert terminal.saved() > 0


@runs
def test_left_by_its_terminal_it_saves_and_ends(tmp_path: Path, run: int):
    terminal = Terminal(tmp_path)
    terminal.until_trained()
    engine = terminal.engine()
    terminal.close()
    terminal.ended(reading=False)
    assert_ends(engine)
    assert terminal.saved() > 0


def test_a_dead_standard_input_does_not_make_it_spin_though_hang_ups_are_ignored(tmp_path: Path):
    terminal = Terminal(tmp_path, lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    terminal.until_trained()
    engine = terminal.engine()
    with open(f"/proc/{terminal.pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    used = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    terminal.close()
    _, seconds = terminal.ended(reading=False)
    assert seconds - used < 1.0
    assert_ends(engine)
    assert terminal.saved() > 0


def test_ctrl_c_does_not_end_it_and_q_does(tmp_path: Path):
    terminal = Terminal(tmp_path)
    terminal.until_trained()
    engine = terminal.engine()
    terminal.type(b"\x03")
    terminal.type(b" ")
    terminal.until_drawn("‖ paused".encode())
    terminal.type(b"q")
    status, _ = terminal.ended(reading=True)
    assert status == 0
    assert_ends(engine)
    terminal.close()
    assert terminal.saved() > 0


def test_when_it_ends_nothing_is_left_open_and_all_that_is_said_is_where_the_run_was_saved(tmp_path: Path):
    terminal = Terminal(tmp_path, lambda: os.environ.update(PYTHONWARNINGS="always::ResourceWarning", COLUMNS="1000"))
    terminal.until_trained()
    os.write(terminal.master, b"q")
    status, _ = terminal.ended(reading=True)
    assert status == 0
    terminal.close()
    (path,) = list_sessions(tmp_path)
    last = re.sub(rb"\x1b\[[^a-zA-Z]*[a-zA-Z]", b"", terminal.output.rsplit(b"\x1b[?1049l", 1)[1]).decode()
    assert " ".join(last.split()).replace(" ", "").startswith(f"saved{path}atstep{terminal.saved():,};"), last
    assert "Exception" not in last
    assert "Warning" not in last


def test_stopped_and_continued_it_is_drawn_anew_and_leaves_the_terminal_as_it_was(tmp_path: Path):
    terminal = Terminal(tmp_path)
    terminal.until_trained()
    raw = termios.tcgetattr(terminal.slave)
    assert raw != terminal.attributes
    os.kill(terminal.pid, signal.SIGSTOP)
    terminal.until_stopped()
    termios.tcsetattr(terminal.slave, termios.TCSANOW, terminal.attributes)  # as a shell does that has the terminal back
    terminal.output = b""
    os.kill(terminal.pid, signal.SIGCONT)
    terminal.until_trained()
    assert b"\x1b[?1049h" in terminal.output
    assert termios.tcgetattr(terminal.slave) == raw
    os.write(terminal.master, b"q")
    assert terminal.ended(reading=True)[0] == 0
    assert termios.tcgetattr(terminal.slave) == terminal.attributes
    terminal.close()


def test_stopped_and_continued_by_somebody_who_left_the_terminal_alone(tmp_path: Path):
    terminal = Terminal(tmp_path)
    terminal.until_trained()
    for _ in range(2):
        os.kill(terminal.pid, signal.SIGSTOP)
        terminal.until_stopped()
        terminal.output = b""
        os.kill(terminal.pid, signal.SIGCONT)
        terminal.until_trained()
    os.kill(terminal.pid, signal.SIGTERM)
    terminal.ended(reading=True)
    assert termios.tcgetattr(terminal.slave) == terminal.attributes
    terminal.close()


def test_put_into_the_background_it_gives_the_terminal_back_until_it_returns(tmp_path: Path):
    terminal = Terminal(tmp_path)
    terminal.until_trained()
    engine = terminal.engine()
    os.kill(terminal.pid, signal.SIGTSTP)
    terminal.until_stopped()
    assert termios.tcgetattr(terminal.slave) == terminal.attributes
    terminal.output = b""
    os.kill(terminal.pid, signal.SIGCONT)
    terminal.until_trained()
    os.write(terminal.master, b"q")
    assert terminal.ended(reading=True)[0] == 0
    assert_ends(engine)
    assert termios.tcgetattr(terminal.slave) == terminal.attributes
    terminal.close()
