"""What went wrong in the app though it should not have: a report for each fault, and whether there is any going on."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from workbench.files.text import clean

OFTEN, WITHIN_SECONDS = 20, 10.0
"""A fault that comes so often in so many seconds comes with every frame."""
Fault = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Failure:
    """One time that something went wrong.

    Attributes:
        what: it is, in one line.
        report: where its crash report is.
        new: the fault was not met before.
        incessant: it comes again and again.
    """

    what: str
    report: Path
    new: bool
    incessant: bool


class Failures:
    """All of a run of the app. A fault is known by the kind of error and by where it was raised."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._reports: dict[Fault, Path] = {}
        self._times: dict[Fault, deque[float]] = {}

    def record(self, error: BaseException, asked_for: bool) -> Failure:
        """Take an error in, and write a report where it is the first of its fault.

        What was asked for by a key or a click does not come by itself, however often it is asked for.
        """
        from workbench.runtime.crash import write_crash_report

        fault = _fault(error)
        new = fault not in self._reports
        if new:
            self._reports[fault] = write_crash_report(error)
        times = self._times.setdefault(fault, deque(maxlen=OFTEN))
        if not asked_for:
            times.append(self._clock())
        incessant = len(times) == OFTEN and times[-1] - times[0] < WITHIN_SECONDS
        what = clean(f"{type(error).__name__}: {error}".splitlines()[0], 100)
        return Failure(what, self._reports[fault], new, incessant)


def _fault(error: BaseException) -> Fault:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return type(error).__name__, trace.tb_frame.f_code.co_filename if trace else "", trace.tb_lineno if trace else 0
