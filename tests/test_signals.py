"""The app in a real pseudo-terminal, told to end by the system, or left by its terminal: it saves, and leaves nothing behind."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from workbench.session.store import list_sessions, load_session

PATIENCE = 20.0
LEAVE = 2.0
"""How long the app, and its engine, may take to end."""


class Terminal:
    """A pseudo-terminal with the app in it."""

    def __init__(self, folder: Path, before: Callable[[], object] = lambda: None) -> None:
        self.folder = folder
        self.master, self.slave = pty.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 35, 100, 0, 0))
        self.attributes = termios.tcgetattr(self.slave)
        self.output = b""
        self.pid = os.fork()
        if not self.pid:
            try:
                os.close(self.master)
                os.setsid()
                fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)
                for descriptor in (0, 1, 2):
                    os.dup2(self.slave, descriptor)
                before()
                os.environ["TERM"] = "xterm-256color"
                command = [sys.executable, "-P", "-m", "workbench", "digits-panda", "--sessions", str(folder)]
                os.execv(sys.executable, command)
            finally:
                os._exit(127)

    def until_trained(self) -> None:
        """Until the status line counts steps."""
        deadline = time.monotonic() + PATIENCE
        while not re.search(rb" step [1-9]", self.output):
            assert time.monotonic() < deadline, self.output[-2000:]
            self.read(0.1)

    def read(self, seconds: float) -> None:
        if select.select([self.master], [], [], seconds)[0]:
            self.output += os.read(self.master, 65536)

    def engine(self) -> int:
        """A descriptor of the engine's process, which can be waited for though it is no child of ours."""
        children = subprocess.run(["pgrep", "-P", str(self.pid)], capture_output=True, text=True, check=True).stdout.split()
        (child,) = children
        return os.pidfd_open(int(child))

    def close(self) -> None:
        os.close(self.slave)
        os.close(self.master)

    def ended(self, reading: bool) -> tuple[int, float]:
        """The app's status and the seconds of processor it used, once it has ended; what it still says is read."""
        process = os.pidfd_open(self.pid)
        deadline = time.monotonic() + LEAVE
        while not select.select([process], [], [], 0.02)[0]:
            assert time.monotonic() < deadline, "the app is still there"
            if reading:
                self.read(0.02)
        os.close(process)
        _, status, usage = os.wait4(self.pid, 0)
        while reading and select.select([self.master], [], [], 0.05)[0]:
            self.output += os.read(self.master, 65536)
        return os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime

    def saved(self) -> int:
        """At which step the session was saved."""
        (path,) = list_sessions(self.folder)
        return load_session(path)[0].step


def assert_ends(descriptor: int) -> None:
    try:
        assert select.select([descriptor], [], [], LEAVE)[0], "the engine is still there"
    finally:
        os.close(descriptor)


runs = pytest.mark.parametrize(
    "run", [1, 2, *(pytest.param(number, marks=pytest.mark.soak) for number in range(3, 21))]
)  # fmt: skip


@runs
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
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
    os.write(terminal.master, b"\x03")
    os.write(terminal.master, b"q")
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
    assert " ".join(last.split()).replace(" ", "").startswith(f"saved{path}atstep"), last
    assert "Exception" not in last
    assert "Warning" not in last
