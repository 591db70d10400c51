"""What is known of a run whose engine is gone, and of which no file has all."""

from __future__ import annotations

from workbench.session.branch import Branch
from workbench.session.session import Session


def caught_up(saved: Session, here: Branch) -> Session | None:
    """The saved session with what was done since on the same branch, `here`; None where nothing was, or not all is known."""
    there = saved.branch
    if here.name != there.name or here.edits[: len(there.edits)] != there.edits:
        return None
    if (here.step, len(here.edits)) <= (there.step, len(there.edits)):
        return None
    if any(stop.step >= there.step for stop in here.stops):
        return None  # what was decided at a stop is not known here
    return saved.with_branch(edits=here.edits, notes=here.notes, step=here.step)
