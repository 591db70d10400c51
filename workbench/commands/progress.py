"""What `workbench train` prints while it trains: nothing, plain lines, or a bar in a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from workbench.commands.output import complain, rewrite, say
from workbench.engine.events import Evaluated, HyperparameterChanged, StepsTaken
from workbench.files.text import clean, literal

if TYPE_CHECKING:
    from rich.progress import Progress


FIRST_SECONDS, LAST_SECONDS = 2.0, 60.0
"""After how long it is said for the first time how far it is, and how long it takes at most until it is said again."""


class Again:
    """Says on standard error how far a run is that is trained again, where that takes long.

    In a terminal that is one line, which goes again; anywhere else lines, in between which more and more time passes. Once it
    is left it says nothing: a run that goes back because it diverged has other things on the screen.
    """

    def __init__(self) -> None:
        self._terminal = sys.stderr is not None and sys.stderr.isatty()
        self._wait = FIRST_SECONDS
        self._due = every(self._wait)
        self._said = self._left = False

    def __enter__(self) -> Again:
        return self

    def __exit__(self, *_: object) -> None:
        self._left = True
        if self._said and self._terminal:
            rewrite(literal(""))

    def __call__(self, done: int, steps: int) -> None:
        """`done` of `steps` are trained again."""
        if self._left or not self._due():
            return
        self._said = True
        text = clean(f"trained again: step {done:,} of {steps:,}")
        if self._terminal:
            rewrite(text)
            self._due = every(0.2)
        else:
            complain(text)
            self._wait = min(2 * self._wait, LAST_SECONDS)
            self._due = every(self._wait)


class Reporter(Protocol):
    """What is said while it trains."""

    def progress(self, share: float, steps: StepsTaken) -> None:
        """`share` of the training is done, and these steps since it was last said."""

    def evaluated(self, event: Evaluated) -> None:
        """The scores at a step."""

    def edited(self, event: HyperparameterChanged) -> None:
        """An edit applies from now on."""


@contextmanager
def reporter_for(as_json: bool) -> Iterator[Reporter]:
    """Silent where only the result is to be printed, as JSON; else a bar in a terminal, and lines anywhere else."""
    if as_json:
        yield _Silent()
    elif sys.stdout.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        status = TextColumn("{task.fields[status]}")
        console = Console(highlight=False, markup=False)
        columns = (TextColumn("training"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn(), status)
        with Progress(*columns, console=console) as bar:
            yield _Bar(bar)
    else:
        yield _Lines()


class _Silent:
    def progress(self, share: float, steps: StepsTaken) -> None:
        pass

    def evaluated(self, event: Evaluated) -> None:
        pass

    def edited(self, event: HyperparameterChanged) -> None:
        pass


class _Lines:
    """Plain lines: every edit, and at most one evaluation a second."""

    def __init__(self) -> None:
        self._due = every(1.0)

    def progress(self, share: float, steps: StepsTaken) -> None:
        pass

    def evaluated(self, event: Evaluated) -> None:
        if self._due():
            dev = f"  dev cost {event.dev.cost_text}" if event.dev else ""
            say(clean(f"step {event.step:>7,}  epoch {event.epoch:>4,}  train cost {event.train.cost_text}{dev}"))

    def edited(self, event: HyperparameterChanged) -> None:
        _print_edit(event)


class _Bar:
    """A progress bar, with the edits above it."""

    def __init__(self, bar: Progress) -> None:
        self._bar, self._task = bar, bar.add_task("training", total=1.0, status="")

    def progress(self, share: float, steps: StepsTaken) -> None:
        self._bar.update(self._task, completed=share, status=f"step {steps.step:,}  cost {steps.cost[-1]:.4g}")

    def evaluated(self, event: Evaluated) -> None:
        pass

    def edited(self, event: HyperparameterChanged) -> None:
        _print_edit(event)


def _print_edit(event: HyperparameterChanged) -> None:
    effect = f" ({event.effect})" if event.effect else ""
    say(clean(f"step {event.step:>7,}  {event.name}: {event.old} → {event.new}{effect}", 500))


def every(seconds: float) -> Callable[[], bool]:
    """A function that says yes when so many seconds have passed since it last did."""
    last = time.monotonic()

    def due() -> bool:
        nonlocal last
        now = time.monotonic()
        if now - last < seconds:
            return False
        last = now
        return True

    return due
