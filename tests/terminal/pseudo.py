"""The app in a real pseudo-terminal: its output, its engine, how it ends, and what it has saved."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

from workbench.session.store import list_sessions, load_session, read_session

PATIENCE = 20.0
LEAVE = 2.0
"""How long the app, and its engine, may take to end."""


class Terminal:
    """A pseudo-terminal with the app in it, on a preset."""

    def __init__(
        self, folder: Path, before: Callable[[], object] = lambda: None, preset: str = "digits-panda", *options: str,
        broken: str = "",
    ) -> None:  # fmt: skip
        """`broken` is run in the app's process before it starts, to break something."""
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
                arguments = [preset, "--sessions", str(folder), *options]
                start = ["-c", f"{broken}\nfrom workbench.__main__ import main\nmain()"] if broken else ["-m", "workbench"]
                command = [sys.executable, "-P", *start, *arguments]
                os.execv(sys.executable, command)
            finally:
                os._exit(127)

    def until_trained(self) -> None:
        """Until the status line counts steps."""
        self.until_drawn(rb" step [1-9]")

    def until_drawn(self, pattern: bytes) -> None:
        """Until something that matches was written to the terminal."""
        deadline = time.monotonic() + PATIENCE
        while not re.search(pattern, self.output):
            assert time.monotonic() < deadline, self.output[-2000:]
            self.read(0.1)

    def read(self, seconds: float) -> bool:
        """Read what comes in so many seconds; false where nothing does."""
        found = bool(select.select([self.master], [], [], seconds)[0])
        if found:
            self.output += os.read(self.master, 65536)
        return found

    def read_all(self) -> None:
        """Read what is there."""
        while self.read(0.05):
            pass

    def look_again(self) -> None:
        """Let a twentieth of a second pass, unless the app ends, which it must not."""
        process = os.pidfd_open(self.pid)
        try:
            assert not select.select([process], [], [], 0.05)[0], "the app has ended"
        finally:
            os.close(process)

    def type(self, keys: bytes) -> None:
        os.write(self.master, keys)

    def until_full(self) -> None:
        """Until nothing more goes into the terminal, because nobody reads it."""
        unread, same = -1, 0
        deadline = time.monotonic() + PATIENCE
        while same < 20:
            assert time.monotonic() < deadline, "it still takes something"
            self.look_again()
            before, unread = unread, struct.unpack("i", fcntl.ioctl(self.master, termios.FIONREAD, b"0000"))[0]
            same = same + 1 if unread == before and unread > 2000 else 0

    def until_saved(self, step: int) -> None:
        """Until the session was saved at that step or later."""
        deadline = time.monotonic() + PATIENCE
        while not list_sessions(self.folder) or self.last_saved() < step:
            assert time.monotonic() < deadline, "it trains no more"
            self.look_again()

    def until_stopped(self) -> None:
        """Until the process is stopped, as by a shell's job control."""
        _, status = os.waitpid(self.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)

    def engine(self) -> int:
        """A descriptor of the engine's process, which can be waited for though it is no child of ours."""
        children = subprocess.run(["pgrep", "-P", str(self.pid)], capture_output=True, text=True, check=True).stdout.split()
        (child,) = children
        return os.pidfd_open(int(child))

    def close(self) -> None:
        os.close(self.slave)
        os.close(self.master)

    def ended(self, reading: bool, within: float = LEAVE, typing: bytes = b"") -> tuple[int, float]:
        """The app's status and the seconds of processor it used, once it has ended; what it still says is read.

        Until then this is typed, again and again.
        """
        process = os.pidfd_open(self.pid)
        deadline = time.monotonic() + within
        while not select.select([process], [], [], 0.02)[0]:
            assert time.monotonic() < deadline, "the app is still there"
            if typing:
                self.type(typing)
            if reading:
                self.read(0.02)
        os.close(process)
        _, status, usage = os.wait4(self.pid, 0)
        if reading:
            self.read_all()
        return os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime

    def last_saved(self) -> int:
        """At which step the session was saved last; it may be saved anew at any moment, so its checkpoint is not looked at."""
        (path,) = list_sessions(self.folder)
        return read_session(path).step

    def saved(self) -> int:
        """At which step the session was saved, with a checkpoint that is whole; for when nobody writes it any more."""
        (path,) = list_sessions(self.folder)
        return load_session(path)[0].step


def assert_ends(descriptor: int) -> None:
    try:
        assert select.select([descriptor], [], [], LEAVE)[0], "the engine is still there"
    finally:
        os.close(descriptor)
