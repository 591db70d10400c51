"""A run of thousands of edits: each costs what the first did."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType

from workbench.engine.commands import scripted
from workbench.engine.trainer import Until
from workbench.run.run import Run
from workbench.session.branch import Branch, Edit, Place
from workbench.session.preset import Preset
from workbench.session.session import Session
from workbench.session.timeline import batch_sizes, past


def calls_of(work: Callable[[], object]) -> int:
    """How many functions are called, and generators resumed, by some work."""
    calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return calls


def trained(run: Run, edits: int) -> None:
    """Train a step after each of so many edits."""
    script = scripted([(step, "learning_rate", 0.001 + step * 1e-6) for step in range(edits)])
    for _ in run.events(script, lambda: False, Until(steps=edits)):
        pass


def test_the_thousandth_edit_takes_no_more_calls_than_the_first(make_preset: Callable[..., Preset]):
    few, many = (Run(Session(preset=make_preset(evaluate_every=10_000), seed=1)) for _ in range(2))
    calls = calls_of(lambda: trained(few, 250))
    assert calls_of(lambda: trained(many, 1000)) < 4.2 * calls
    assert len(many.session.branch.edits) == 1000


def test_the_thousandth_edit_of_the_batch_size_takes_no_more_calls_than_the_first(make_preset: Callable[..., Preset]):
    preset, sizes = make_preset(), [8 + number % 5 for number in range(1000)]
    edits = tuple(Edit(step, "batch_size", 8, size) for step, size in enumerate(sizes))
    branch = Branch(step=1000, edits=edits)
    calls = calls_of(lambda: batch_sizes(preset, branch, Place(250, 250)))
    assert calls_of(lambda: batch_sizes(preset, branch, Place(1000, 1000))) < 4.2 * calls
    assert batch_sizes(preset, branch, Place(1000, 1000)) == list(enumerate(sizes))


def test_what_was_decided_is_the_same_told_edit_by_edit_or_gathered_from_the_branch(make_preset: Callable[..., Preset]):
    run = Run(Session(preset=make_preset(), seed=1))
    trained(run, 40)
    tree = run._tree
    assert tree._recorder.past == past(run.session.branch, run.place)
    assert hash(tree._recorder.past) == hash(past(run.session.branch, run.place))
    run.annotate(3, "here", edit=2)
    run.go_to(Place(20, 20))
    assert tree._recorder.past == past(run.session.branch, run.place)
    assert len(tree._recorder.past.edits) == 20
