"""Reports on their way to a client, who may be slower than the engine, or stand still: the engine does not wait for either.

Up to `ROOM` bytes of progress are kept for a client who does not read. What comes then is left out, until the client has read
everything that was kept, and the host tells where the run stands, with all its curves.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from workbench.engine.events import EpochsEnded, Evaluated, StepsTaken
from workbench.protocol.reports import Arrived, Report
from workbench.protocol.wire import REPORTS

ROOM = 16 * 2**20
"""Some minutes of a small network's steps."""
PROGRESS = (StepsTaken, EpochsEnded, Evaluated)
"""What the curves hold as well. All else is told in any case: a person or the clock is behind each of them, so they are few."""
LAST_SECONDS = 5.0
"""How long a client who is there is given to read the last words."""


class Outbox:
    """Sends reports in their order, from a thread of its own."""

    def __init__(
        self, write: Callable[[memoryview], int | None], gone: Callable[[], None], caught_up: Callable[[], None]
    ) -> None:
        """`write` takes a part of a frame, or raises `OSError` where the client is gone: then `gone` is called.

        `caught_up` is called when the client has read everything that was kept, after something was left out: an `Arrived` is
        to follow. Both are called from the thread.
        """
        self._write, self._gone, self._caught_up = write, gone, caught_up
        self._changed = threading.Condition()
        self._frames: deque[tuple[bytes, int]] = deque()
        self._progress = 0
        self._missed = self._told = self._ending = False
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
        self._thread.start()

    def send(self, report: Report) -> None:
        """Have a report sent; never waits."""
        is_progress = isinstance(report, PROGRESS)
        if is_progress and self._missed:
            return  # what follows a gap is told with what is in it
        frame = REPORTS.encode(report)
        size = len(frame) if is_progress else 0
        with self._changed:
            if self._progress + size > ROOM:
                self._missed = True
                return
            if isinstance(report, Arrived):
                self._missed = self._told = False
            self._progress += size
            self._frames.append((frame, size))
            self._changed.notify()

    def close(self) -> None:
        """Send what is left; a client who does not read it in `LAST_SECONDS` does without."""
        with self._changed:
            self._ending = True
            self._changed.notify()
        self._thread.join(LAST_SECONDS)

    def _run(self) -> None:
        while (taken := self._next()) is not None:
            frame, size = taken
            view = memoryview(frame)
            try:
                while view:
                    view = view[self._write(view) or 0 :]
            except OSError:
                self._missed = True
                self._gone()
                return
            with self._changed:
                self._progress -= size
                tell = self._missed and not self._told and not self._frames
                self._told = self._told or tell
            if tell:
                self._caught_up()

    def _next(self) -> tuple[bytes, int] | None:
        with self._changed:
            while not self._frames and not self._ending:
                self._changed.wait()
            return self._frames.popleft() if self._frames else None
