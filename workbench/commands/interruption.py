"""Ending a training from outside: between two steps where one ends soon enough, else in the middle of it.

Python looks at signals between two of its own instructions, and a large product of matrices is one. So the system is asked to
write their numbers to a pipe as well, and a thread reads that whatever the loop is doing.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from workbench.commands.output import last_words
from workbench.engine.commands import Command, CommandSource
from workbench.files.text import SafeText

GRACE_SECONDS = 4.0
"""How long a step, or an evaluation, may take to its end once somebody wants the process to end."""
_SETTLING_SECONDS = 1.0
"""How long it may take from the end of a save to where the loop looks."""


class Interrupted(Exception):
    """A signal came; the run stands between two steps."""


class Interruption:
    """Ctrl+C, SIGTERM and a hang-up, from `watching` on; the second of a kind ends the process as it would any other."""

    def __init__(self, words: Callable[[], SafeText]) -> None:
        """`words` gives up what must not be left behind, and says in a line what there is."""
        self.saving = threading.Lock()
        """Held while something is saved: that is let come to its end."""
        self._words = words
        self._told: list[int] = []
        self._heeded = threading.Event()

    @property
    def number(self) -> int:
        """The first signal that came, 0 where none did."""
        return self._told[0] if self._told else 0

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Look out for signals. nohup wants the hang-up to pass unnoticed."""
        numbers = [signal.SIGINT, signal.SIGTERM]
        if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            numbers.append(signal.SIGHUP)

        def tell(number: int, frame: object) -> None:
            self._told.append(number)
            signal.signal(number, before[number])

        reading, writing = os.pipe()
        if sys.platform != "win32":  # where Python 3.11 cannot, and need not
            os.set_blocking(writing, False)
        before: dict[int, Any] = {number: signal.signal(number, tell) for number in numbers}
        former = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        watch = threading.Thread(target=self._watch, args=(reading, {int(number) for number in numbers}), daemon=True)
        watch.start()
        try:
            yield
        finally:
            self._heeded.set()
            for number, handler in before.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(former)
            os.close(writing)
            watch.join()
            os.close(reading)

    def source(self, commands: CommandSource) -> CommandSource:
        """The same commands; where a signal has come, asking for them raises `Interrupted`."""

        def source(step: int) -> Iterable[Command]:
            if self._told:
                self._heeded.set()
                raise Interrupted
            return commands(step)

        return source

    def _watch(self, reading: int, numbers: set[int]) -> None:
        """Wait for a signal; where it is not heeded in time, end the process."""
        number = 0
        while number not in numbers:
            data = os.read(reading, 1)
            if not data:
                return
            number = data[0]
        if self._heeded.wait(GRACE_SECONDS):
            return
        with self.saving:
            pass
        if self._heeded.wait(_SETTLING_SECONDS):
            return
        last_words(self._words())
        os._exit(128 + number)
