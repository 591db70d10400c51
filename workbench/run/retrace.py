"""Training once more along a timeline that was recorded."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.engine.events import Diverged, Event, StoppedEarly
from workbench.engine.trainer import Trainer, Until
from workbench.session.timeline import Script


class CannotFollow(Exception):
    """A timeline does not lead where it was recorded to lead: on this machine the run stops on the way."""


def retrace(trainer: Trainer, script: Script, steps: int, looking: bool = True) -> Iterator[Event]:
    """Train until `steps` are done in all, taking the script's edits and stopping where it stopped.

    Where nobody is `looking`, evaluations are made only as far as the state depends on them. Raises `CannotFollow` where
    the run stops by itself and was not recorded to.
    """
    ended = False
    while not ended:
        run = trainer.train(script, Until(steps=steps), looking)
        while True:
            try:
                event = next(run)
            except StopIteration as end:
                ended = end.value
                break
            yield event
            if isinstance(event, (Diverged, StoppedEarly)) and not script.stopped(trainer.state.step):
                raise CannotFollow(f"it stops after step {trainer.state.step:,}, and did not when it was recorded")
