"""A program in a pseudo-terminal of its own, for benchmarks: type into it, and wait for what it draws."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time


class Terminal:
    """Starts `command` in a terminal of the given size."""

    def __init__(self, command: list[str], columns: int = 120, rows: int = 40) -> None:
        self.started = time.perf_counter()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="xterm-256color", COLORTERM="truecolor")
            os.execvp(command[0], command)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self._seen = b""

    def type(self, keys: str) -> None:
        """Send keys, and forget what was drawn before."""
        self._seen = b""
        os.write(self.fd, keys.encode())

    def wait_for(self, text: str, seconds: float = 30.0) -> float:
        """The moment at which `text` was drawn since the last `type`. Raises `TimeoutError`."""
        wanted, end = text.encode(), time.perf_counter() + seconds
        while wanted not in self._seen:
            if time.perf_counter() > end:
                raise TimeoutError(f"{text!r} was not drawn; the last was {self._seen[-300:]!r}")
            self._read(0.05)
        return time.perf_counter()

    def drain(self, seconds: float) -> None:
        """Let it draw for a while."""
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            self._read(0.02)

    def drain_slowly(self, seconds: float, rate: int) -> bool:
        """Read `rate` bytes a second for a while, or until the program ends; whether it runs still."""
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            time.sleep(0.05)
            if select.select([self.fd], [], [], 0)[0]:
                try:
                    os.read(self.fd, max(1, rate // 20))
                except OSError:
                    return False
            if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                return False
        return True

    def _read(self, wait: float) -> None:
        if select.select([self.fd], [], [], wait)[0]:
            try:
                self._seen = (self._seen + os.read(self.fd, 65536))[-200_000:]
            except OSError:
                raise TimeoutError(f"the program ended: {self._seen[-300:]!r}") from None

    def close(self) -> None:
        """End it."""
        for how in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.kill(self.pid, how)
                end = time.perf_counter() + 3
                while time.perf_counter() < end:
                    if os.waitpid(self.pid, os.WNOHANG)[0]:
                        os.close(self.fd)
                        return
                    time.sleep(0.02)
            except (ProcessLookupError, ChildProcessError):
                break
