"""When the system or the terminal ends the app: leave in order if there is time, and leave in any case.

A terminal that is gone can block whoever writes to it for ever, and whoever reads from it spins. So that is noticed by a
thread of its own, and the process ends at once; the engine sees that, and saves. So it does where an orderly end takes too long.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

from workbench.runtime.terminal import reset

GRACE_SECONDS = 1.2
"""How long an orderly end may take."""


class Shutdown:
    """Watches for signals that end the app and for a dead standard input, from `watch` on; keeps what the terminal was like."""

    def __init__(self) -> None:
        """Remembers the terminal as it is now, to put it back."""
        self._leave: Callable[[], object] = lambda: None
        self._signal = 0
        self._attributes: list[Any] | None = None
        with contextlib.suppress(ImportError, OSError, ValueError):
            import termios

            self._attributes = termios.tcgetattr(0)

    def watch(self, leave: Callable[[], object]) -> None:
        """Call `leave` (from any thread) when it is time to go; end the process where that is not enough."""
        self._leave = leave
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._told)
        if sys.platform == "win32":
            return
        signal.signal(signal.SIGQUIT, self._told)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup wants the hang-up to pass unnoticed
            signal.signal(signal.SIGHUP, self._told)
        threading.Thread(target=self._watch_input, daemon=True).start()

    def restore(self) -> None:
        """Give the terminal the attributes that it had: echo, lines, signals. Does not fail."""
        if self._attributes is None or sys.platform == "win32":
            return
        import termios

        # Else a process that was put into the background meanwhile would be stopped for this.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
        with contextlib.suppress(termios.error):
            termios.tcsetattr(0, termios.TCSANOW, self._attributes)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _watch_input(self) -> None:
        poll = select.poll()
        poll.register(0, 0)  # hang-ups and errors are always reported, and nothing else is asked for
        with contextlib.suppress(OSError):
            poll.poll()
            self._signal = signal.SIGHUP
            self._go()

    def _told(self, number: int, frame: object = None) -> None:
        if not self._signal:
            self._signal = number
            timer = threading.Timer(GRACE_SECONDS, self._go)
            timer.daemon = True
            timer.start()
            with contextlib.suppress(RuntimeError):  # the app has ended already
                self._leave()

    def _go(self) -> None:
        with contextlib.suppress(Exception):
            self.restore()
            reset(1)
        os._exit(128 + self._signal)
