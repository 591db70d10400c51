"""A terminal whose line may be slow, or dead: nobody waits for it who has something better to do.

What is written goes out from a thread of its own. At the end the line is given a moment; then what it has not taken is dropped,
and the terminal is told to forget the modes that it was put in.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator

# What was cut off, called off; a synchronized frame ended; Kitty's keyboard off, main screen, mouse and focus reports, reports of
# the size and bracketed paste off, lines wrapped, cursor on, colours as before.
RESET = (
    b"\x18\x1b[?2026l\x1b[<u\x1b[?1049l\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?1004l\x1b[?2048l\x1b[?2004l\x1b[?7h"
    b"\x1b[?25h\x1b[0m"
)
LAST_SECONDS = 0.3
"""How long the line is waited for when all is said."""
MOST_WRITES = 1000
"""So many may be on their way. A frame is begun only when none is, so these are bells and modes, and never part of a frame."""
_LOOK_SECONDS = 0.05


def _opened(descriptor: int) -> int:
    """The terminal of a descriptor once more, for writes that do not wait: the flag is of this opening, not of the shell's."""
    return os.open(os.ttyname(descriptor), os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)


@contextlib.contextmanager
def _without_waiting(descriptor: int) -> Iterator[int]:
    """A descriptor on which a write takes what there is room for."""
    try:
        own = _opened(descriptor)
    except OSError:  # it has no name here, as in some containers; or is no terminal
        os.set_blocking(descriptor, False)
        try:
            yield descriptor
        finally:
            os.set_blocking(descriptor, True)
    else:
        try:
            yield own
        finally:
            os.close(own)


def _drop_unread(descriptor: int) -> None:
    """Make room: forget what the system holds for a terminal that does not read it."""
    with contextlib.suppress(ImportError):
        import termios

        with contextlib.suppress(termios.error):
            termios.tcflush(descriptor, termios.TCOFLUSH)


def reset(descriptor: int) -> None:
    """Take the terminal out of all modes, whatever it has not read. Does not wait, and does not fail."""
    _drop_unread(descriptor)
    with contextlib.suppress(OSError), _without_waiting(descriptor) as own:
        os.write(own, RESET)


def say(descriptor: int, text: str) -> None:
    """Write last words. A terminal that does not take them for `LAST_SECONDS` loses what it has not read; it does not fail."""
    data = text.encode("utf-8", "replace")
    if sys.platform == "win32" or not os.isatty(descriptor):
        with contextlib.suppress(OSError):
            os.write(descriptor, data)
        return
    with contextlib.suppress(OSError), _without_waiting(descriptor) as own:
        rest = _written(own, data)
        if rest:
            reset(descriptor)
            _written(own, rest)


def _written(descriptor: int, data: bytes) -> bytes:
    """What was not taken in `LAST_SECONDS`."""
    while data and select.select([], [descriptor], [], LAST_SECONDS)[1]:
        with contextlib.suppress(BlockingIOError):
            data = data[os.write(descriptor, data) :]
    return data


class Outlet:
    """Writes to a terminal from a thread of its own. What is given to it stays whole, until it is closed."""

    def __init__(self, descriptor: int, drained: Callable[[], object]) -> None:
        """`drained` is called, from the thread, when nothing is on its way any more and somebody has asked `busy` meanwhile."""
        self._shared, self._drained = descriptor, drained
        try:
            self._descriptor = _opened(descriptor)
        except OSError:
            self._descriptor = os.dup(descriptor)
        self._changed = threading.Condition()
        self._waiting: deque[bytes] = deque()
        self._writing = self._asked = self._ending = self._cut = False
        self._thread = threading.Thread(target=self._run, name="terminal", daemon=True)
        self._thread.start()

    def write(self, text: str) -> None:
        """Have text written; never waits."""
        with self._changed:
            if text and not self._cut and len(self._waiting) < MOST_WRITES:
                self._waiting.append(text.encode("utf-8", "replace"))
                self._changed.notify()

    def busy(self) -> bool:
        """Whether something is on its way still; then whoever asks hears of its end."""
        with self._changed:
            self._asked = bool(self._writing or self._waiting)
            return self._asked

    def close(self) -> None:
        """Write what is left, if the line takes it in `LAST_SECONDS`; else cut it off, and put the terminal back without it."""
        with self._changed:
            self._ending = True
            self._changed.notify()
        self._thread.join(LAST_SECONDS)
        if self._thread.is_alive():
            self._cut = True
            self._thread.join(2 * _LOOK_SECONDS)
            reset(self._shared)

    def _run(self) -> None:
        while data := self._next():
            self._put(data)
            with self._changed:
                self._writing = False
                tell = self._asked and not self._waiting
                self._asked = self._asked and not tell
            if tell:
                self._drained()
        os.close(self._descriptor)

    def _next(self) -> bytes:
        """All that waits, once there is any; nothing at the end."""
        with self._changed:
            while not self._waiting and not self._ending:
                self._changed.wait()
            data = b"".join(self._waiting)
            self._waiting.clear()
            self._writing = True
            return b"" if self._cut else data

    def _put(self, data: bytes) -> None:
        view = memoryview(data)
        while view and not self._cut:
            try:
                if select.select([], [self._descriptor], [], _LOOK_SECONDS)[1]:
                    view = view[os.write(self._descriptor, view) :]
            except BlockingIOError:
                pass
            except OSError:  # nobody is there any more
                self._cut = True
