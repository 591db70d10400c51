"""Going back and elsewhere, as the app requests it of a real engine process."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workbench.engine.commands import SetHyperparameter, scripted
from workbench.engine.events import Diverged, Evaluated, Finished, GuardPassed, HyperparameterChanged, StepsTaken, StoppedEarly
from workbench.engine.history import Series
from workbench.engine.trainer import Trainer, Until
from workbench.protocol.reports import (
    Arrived,
    Begun,
    Branches,
    Paused,
    PresetMade,
    RateFound,
    RateTried,
    Remark,
    Report,
    Resumed,
    Travelling,
)
from workbench.protocol.requests import (
    Adopt,
    Annotate,
    Begin,
    Delete,
    Describe,
    FindRate,
    GoOn,
    GoTo,
    GoToBest,
    MakePreset,
    Pause,
    Redo,
    Rename,
    Request,
    Resume,
    RunTo,
    Switch,
    TakeStep,
    Undo,
)
from workbench.run.replay import replay
from workbench.run.run import Run
from workbench.session.branch import Branch
from workbench.session.format import session_to_toml
from workbench.session.preset import Preset, read_preset
from workbench.session.session import Session
from workbench.session.store import load_branch

# A conftest cannot be imported from, so its class is `Any` here.
Begins = Callable[..., Awaitable[Any]]
LONG = 1_000_000


def kinds(reports: list[Report], without: tuple[type, ...] = ()) -> list[type]:
    return [type(each) for each in reports if not isinstance(each, without)]


def one(reports: list[Report], kind: type[Any]) -> Any:
    (found,) = (each for each in reports if isinstance(each, kind))
    return found


def rate(value: float) -> SetHyperparameter:
    return SetHyperparameter("learning_rate", value)


def names(branches: Branches) -> list[str]:
    return [each.branch.name for each in branches.branches]


def hash_of(session: Session, branch: str = "") -> str:
    last = session.named(branch or session.current).marks[-1]
    assert last.step == session.named(branch or session.current).step
    return last.hash


@pytest.fixture
def straight(make_trainer: Callable[..., Trainer]) -> Callable[..., str]:
    """The hash after so many steps with these edits, trained without a detour."""

    def train(steps: int, *edits: tuple[int, str, object], **settings: Any) -> str:
        trainer = make_trainer(**{"epochs": LONG, **settings})
        list(trainer.run(scripted(edits), Until(steps=steps)))
        assert trainer.state.step == steps
        return trainer.state.digest()

    return train


# Undo and redo -----------------------------------------------------------------------------------------------------


async def test_undo_takes_values_back_one_by_one_and_redo_brings_them_again(paused: Begins):
    talk = await paused()
    await talk.train_to(3)
    await talk.told(rate(0.5))
    await talk.train_to(5)
    await talk.told(rate(0.25))
    for request, value, of in ((Undo(False), 0.5, 2), (Undo(False), 0.01, 1), (Redo(), 0.5, 4), (Redo(), 0.25, 3)):
        (changed,) = await talk.told(request)
        assert isinstance(changed, HyperparameterChanged)
        assert (changed.step, changed.new, changed.undoes) == (5, value, of)
    (nothing,) = await talk.told(Redo())
    assert nothing == Remark("There is no edit to redo.")
    # A new edit ends what could be redone.
    await talk.told(Undo(False), SetHyperparameter("beta1", 0.5))
    assert kinds(await talk.told(Redo())) == [Remark]
    assert one(await talk.told(Undo(False)), HyperparameterChanged).name == "beta1"


async def test_where_there_is_no_edit_neither_kind_of_undo_does_anything(paused: Begins):
    talk = await paused()
    await talk.train_to(2)
    for request in (Undo(False), Undo(True), Redo()):
        said = await talk.told(request)
        assert "no edit" in one(said, Remark).text
        assert not {HyperparameterChanged, Arrived, Paused} & set(kinds(said))


async def test_a_value_is_taken_back_while_it_trains_and_training_goes_on(begun: Begins):
    talk = await begun(paused=False, epochs=LONG)
    await talk.hear(StepsTaken)
    talk.engine.send(rate(0.02))
    await talk.hear(HyperparameterChanged)
    assert ((await talk.hear(StepsTaken)).learning_rate == 0.02).all()
    for request, value in ((Undo(False), 0.01), (Redo(), 0.02)):
        talk.engine.send(request)
        assert (await talk.hear(HyperparameterChanged)).new == value
        assert ((await talk.hear(StepsTaken)).learning_rate == value).all()
    assert not talk.of(Paused)


async def test_undo_of_the_model_goes_to_just_before_the_edit_and_redo_back_to_the_same_bits(
    paused: Begins, straight: Callable[..., str], tmp_path: Path
):
    talk = await paused(keep_prob=0.8, batch_norm=True)
    await talk.train_to(10)
    await talk.told(rate(0.1))
    await talk.train_to(25)
    there = await talk.saved(tmp_path / "there.toml")

    said = await talk.told(Undo(True))
    assert kinds(said) == [Arrived, Branches, Evaluated]
    arrived, branches, evaluated = said
    assert (arrived.step, arrived.epoch, arrived.hyperparameters.learning_rate) == (10, 2, 0.01)
    assert arrived.passage[-1][1] == pytest.approx(1 + 24 / 54)
    curves = {sent.name: Series.from_tensor(sent.values).curve() for sent in arrived.history}
    assert curves["cost"].count.sum() == 10
    assert max(curves["train_cost"].step) <= 10
    assert (names(branches), branches.current, branches.redo_branch) == (["main", "main-2"], "main-2", "main")
    assert evaluated.step == 10
    back = await talk.saved(tmp_path / "back.toml")
    assert hash_of(back) == straight(10, keep_prob=0.8, batch_norm=True)
    assert back.branch.edits == ()

    said = await talk.told(Redo())
    assert kinds(said) == [Arrived, Branches, Evaluated]
    assert (said[0].step, said[0].hyperparameters.learning_rate) == (25, 0.1)
    # The branch that was gone to holds nothing, and is forgotten.
    assert (names(said[1]), said[1].current, said[1].redo_branch) == (["main"], "main", "")
    again = await talk.saved(tmp_path / "again.toml")
    assert hash_of(again) == hash_of(there) == straight(25, (10, "learning_rate", 0.1), keep_prob=0.8, batch_norm=True)
    assert again.branch.edits == there.branch.edits


async def test_after_an_undo_of_the_model_something_else_can_be_tried_and_both_are_kept(
    paused: Begins, straight: Callable[..., str], tmp_path: Path
):
    talk = await paused()
    await talk.train_to(10)
    await talk.told(rate(0.1))
    await talk.train_to(20)
    await talk.told(Undo(True), rate(0.2))
    await talk.train_to(15)
    assert kinds(await talk.told(Redo())) == [Remark]  # there is something here now, so redo goes nowhere
    session = await talk.saved(tmp_path / "both.toml")
    assert hash_of(session, "main") == straight(20, (10, "learning_rate", 0.1))
    assert hash_of(session, "main-2") == straight(15, (10, "learning_rate", 0.2))
    assert all(each.identical for each in replay(session))


@pytest.mark.parametrize("asked", [Undo(True), GoTo(3), GoToBest()], ids=lambda asked: type(asked).__name__)
async def test_a_run_that_was_training_waits_where_it_has_gone(begun: Begins, asked: Request):
    # With such a rate nothing gets better, so the best is at the start.
    talk = await begun(paused=False, epochs=LONG, evaluate_every=5, learning_rate=1e-30)
    await talk.hear(Evaluated, lambda event: event.step > 20)
    talk.engine.send(rate(2e-30))
    await talk.hear(HyperparameterChanged)
    await talk.hear(StepsTaken)
    talk.engine.send(asked)
    arrived = await talk.hear(Arrived)
    said = await talk.told()
    assert kinds(said)[:3] == [Branches, Paused, Evaluated]
    assert {each.step for each in said[1:]} == {arrived.step}
    talk.engine.send(Resume())
    assert (await talk.hear(Resumed)).step == arrived.step
    steps = await talk.hear(StepsTaken)
    assert steps.step - len(steps.cost) == arrived.step


# To a step, to the best --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("snapshot_bytes", [2**20, 1], ids=["with copies", "from the start"])
async def test_training_after_going_back_makes_a_branch_and_leaves_its_parent_as_it_was(
    paused: Begins, straight: Callable[..., str], tmp_path: Path, snapshot_bytes: int
):
    talk = await paused(snapshot_bytes=snapshot_bytes)
    await talk.train_to(6)
    await talk.told(rate(0.05))
    await talk.train_to(30)
    said = await talk.told(GoTo(13))
    assert kinds(said) == [Arrived, Branches, Evaluated]
    assert (said[0].step, said[0].hyperparameters.learning_rate) == (13, 0.05)
    await talk.train_to(17)
    path = tmp_path / "s.toml"
    session = await talk.saved(path)
    assert (session.current, session.step, session.branch.parent, session.branch.fork) == ("main-2", 17, "main", 13)
    edit = (6, "learning_rate", 0.05)
    assert hash_of(session, "main") == straight(30, edit)
    assert hash_of(session, "main-2") == straight(17, edit)
    if session.named("main").checkpoint is not None:
        assert load_branch(session, "main", path)[1]["step"] == "30"
    assert all(each.identical for each in replay(session))


async def test_before_the_edits_of_a_step_is_where_one_goes(paused: Begins):
    talk = await paused()
    await talk.train_to(4)
    await talk.told(rate(0.05))
    await talk.train_to(8)
    assert one(await talk.told(GoTo(4)), Arrived).hyperparameters.learning_rate == 0.01
    await talk.told(Redo())
    assert one(await talk.told(GoTo(5)), Arrived).hyperparameters.learning_rate == 0.05


async def test_to_where_it_stands_it_need_not_go(paused: Begins):
    talk = await paused()
    await talk.train_to(4)
    await talk.told(rate(0.05))
    for request in (GoTo(4), Switch("main")):
        said = await talk.told(request)
        assert not {Arrived, Remark} & set(kinds(said))
        assert names(one(said, Branches)) == ["main"]


async def test_to_the_best_is_where_the_dev_cost_was_least(paused: Begins, straight: Callable[..., str], tmp_path: Path):
    settings = {"evaluate_every": 2, "learning_rate": 0.3, "noise": 1.0}
    talk = await paused(**settings)
    await talk.train_to(60)
    costs = {event.step: event.dev.cost for event in talk.of(Evaluated)}
    best = min(costs, key=costs.__getitem__)
    assert 0 < best < 60, "of no use to this test"
    said = await talk.told(GoToBest())
    assert one(said, Arrived).step == best
    assert one(said, Evaluated).dev.cost == costs[best]
    assert hash_of(await talk.saved(tmp_path / "best.toml")) == straight(best, **settings)


# Branches ----------------------------------------------------------------------------------------------------------


async def test_branches_are_switched_renamed_described_and_deleted(paused: Begins, straight: Callable[..., str], tmp_path: Path):
    talk = await paused()
    await talk.train_to(9)
    await talk.told(GoTo(5), rate(0.1))
    await talk.train_to(7)
    said = await talk.told(Switch("main"))
    assert kinds(said) == [Arrived, Branches, Evaluated]
    assert (said[0].step, said[0].hyperparameters.learning_rate, said[1].current) == (9, 0.01, "main")
    for request in (Rename("main-2", "größer α"), Rename("main", "first"), Describe("größer α", "α × 10")):
        assert kinds(await talk.told(request)) == [Branches]
    said = await talk.told(Switch("größer α"))
    assert said[0].step == 7
    assert names(said[1]) == ["first", "größer α"]
    sent = said[1].branches[1].branch
    assert (sent.parent, sent.fork, sent.note, sent.marks) == ("first", 5, "α × 10", ())
    # The curves of the one that is not current come along, because nobody hears of its steps any more.
    curves = {each.name: Series.from_tensor(each.values) for each in said[1].branches[0].curves}
    assert len(curves["cost"]) == 9
    session = await talk.saved(tmp_path / "s.toml")
    assert [branch.name for branch in session.branches] == ["first", "größer α"]
    assert hash_of(session, "first") == straight(9)
    (branches,) = await talk.told(Delete("first"))
    assert names(branches) == ["größer α"]
    session = await talk.saved(tmp_path / "s.toml")
    assert [branch.name for branch in session.branches] == ["größer α"]
    assert hash_of(session) == straight(7, (5, "learning_rate", 0.1))
    assert all(each.identical for each in replay(session))
    assert len(list(tmp_path.glob("*.safetensors"))) == 1


BRANCHES = [
    *(Switch("nobody"), Rename("nobody", "x"), Describe("nobody", "x"), Delete("nobody")),
    *(Delete("main-2"), Rename("main", "main-2"), Rename("main", ""), Rename("main", "x" * 61)),
]
IMPOSSIBLE = {
    "branches": BRANCHES,
    "places": [GoTo(-1), GoTo(8), GoTo(2**62), Adopt(8, 0, ()), Adopt(3, 9, ())],
    "a place before the start": [Adopt(-1, 0, ())],
    "a place of fewer than no edits": [Adopt(5, -1, ())],
    "going on where it did not stop": [GoOn()],
    "a note before the start": [Annotate(-1, "x")],
    "a note beyond the end": [Annotate(8, "x")],
    "a note on an edit that is not there": [Annotate(0, "x", 9)],
    "a note on an edit before the first": [Annotate(0, "x", -1)],
}


@pytest.mark.parametrize("requests", IMPOSSIBLE.values(), ids=IMPOSSIBLE.keys())
async def test_what_cannot_be_done_is_said_and_nothing_is_changed(paused: Begins, tmp_path: Path, requests: list[Request]):
    talk = await paused()
    await talk.train_to(9)
    await talk.told(GoTo(5), rate(0.1))
    await talk.train_to(7)
    before = await talk.saved(tmp_path / "s.toml")
    for request in requests:
        said = await talk.told(request)
        assert kinds(said) == [Remark, Branches], request
        assert said[0].text.startswith("Not done: ")
        assert len(said[0].text) > len("Not done: 'nobody'"), f"this says nothing: {said[0].text}"
        assert await talk.saved(tmp_path / "s.toml") == before, request
    talk.engine.send(TakeStep())
    assert (await talk.hear(StepsTaken)).step == 8


async def test_what_cannot_be_done_while_it_trains_does_not_stop_it(begun: Begins):
    talk = await begun(paused=False, epochs=LONG, dev_fraction=0.0)
    await talk.hear(StepsTaken)
    said = [each for request in (Switch("nobody"), GoTo(-1), Undo(True), GoToBest()) for each in await talk.told(request)]
    assert kinds(said).count(Remark) == 4
    assert not {Paused, Arrived} & set(kinds(said))
    await talk.hear(StepsTaken)


async def test_an_end_that_was_given_stays_whatever_is_written_down_on_the_way(paused: Begins, tmp_path: Path):
    talk = await paused()
    await talk.train_to(2)
    for request in (RunTo(7), Annotate(2, "here"), Describe("main", "x"), Rename("main", "x"), Switch("nobody")):
        talk.engine.send(request)
    said = await talk.told()  # by when it may have come there already
    ends = [report for report in said if isinstance(report, Paused)] or [await talk.hear(Paused, seconds=3.0)]
    assert ends[-1].step == 7


async def test_notes_on_steps_and_edits_are_in_the_file(paused: Begins, tmp_path: Path):
    talk = await paused()
    await talk.train_to(4)
    await talk.told(rate(0.1))
    (said,) = await talk.told(Annotate(4, "a step"))
    assert [note.text for note in said.branches[0].branch.notes] == ["a step"]
    await talk.told(Annotate(2, 'earlier\n"quoted"\x1b[1m'), Annotate(4, "an edit", edit=1), Annotate(3, "gone"), Annotate(3, ""))
    branch = (await talk.saved(tmp_path / "s.toml")).branch
    assert [(note.step, note.text) for note in branch.notes] == [(2, 'earlier\n"quoted"\x1b[1m'), (4, "a step")]
    assert branch.edits[0].note == "an edit"


# Adopting, presets -------------------------------------------------------------------------------------------------


async def test_adopted_changes_are_made_at_the_place_they_were_tried_from(
    paused: Begins, straight: Callable[..., str], tmp_path: Path
):
    talk = await paused()
    await talk.train_to(10)
    await talk.told(rate(0.1), SetHyperparameter("beta1", 0.5))
    await talk.train_to(20)
    said = await talk.told(Adopt(10, 1, (rate(0.2), SetHyperparameter("batch_size", 4))))
    assert kinds(said) == [Arrived, Branches, Evaluated, HyperparameterChanged, HyperparameterChanged]
    assert (said[0].step, said[0].hyperparameters.learning_rate, said[0].hyperparameters.beta1) == (10, 0.1, 0.9)
    assert [(each.step, each.name, each.new) for each in said[3:]] == [(10, "learning_rate", 0.2), (10, "batch_size", 4)]
    await talk.train_to(14)
    session = await talk.saved(tmp_path / "s.toml")
    edits = (10, "learning_rate", 0.1), (10, "learning_rate", 0.2), (10, "batch_size", 4)
    assert hash_of(session) == straight(14, *edits)
    assert hash_of(session, "main") == straight(20, edits[0], (10, "beta1", 0.5))


async def test_changes_are_adopted_by_a_run_that_trains_and_it_trains_on(begun: Begins):
    talk = await begun(paused=False, epochs=LONG)
    await talk.hear(Evaluated, lambda event: event.step > 20)
    talk.engine.send(Adopt(12, 0, (rate(0.2),)))
    assert (await talk.hear(Arrived)).step == 12
    assert (await talk.hear(HyperparameterChanged)).step == 12
    steps = await talk.hear(StepsTaken)
    assert steps.step - len(steps.cost) == 12
    assert (steps.learning_rate == 0.2).all()
    assert not talk.of(Paused)


async def test_a_preset_written_from_edits_trains_to_the_same_bits_by_itself(paused: Begins, tmp_path: Path):
    talk = await paused(keep_prob=0.8)
    await talk.told(SetHyperparameter("batch_size", 6), rate(0.03))
    await talk.train_to(5)
    await talk.told(rate(0.1), SetHyperparameter("optimizer", "momentum"), SetHyperparameter("keep_prob.2", 0.5))
    await talk.train_to(11)
    await talk.told(Undo(False), rate(0.2))
    await talk.train_to(19)
    said = await talk.told(MakePreset(7, "again", ()))
    assert kinds(said) == [PresetMade, Branches]
    assert (said[0].number, said[0].step) == (7, 19)
    path = tmp_path / "again.toml"
    path.write_text(said[0].text)
    session = await talk.saved(tmp_path / "s.toml")
    run = Run(Session(preset=read_preset(path), seed=session.seed))
    events = list(run.events(lambda step: (), lambda: False, Until(steps=19)))
    assert run.trainer.state.digest() == hash_of(session)
    assert {event.step for event in events if isinstance(event, HyperparameterChanged) and event.planned} == {5, 11}
    assert run.session.branch.edits == ()

    other = tmp_path / "only.toml"
    other.write_text(one(await talk.told(MakePreset(8, "only", ("learning_rate",))), PresetMade).text)
    only = read_preset(other)
    assert [(each.step, each.name, each.value) for each in only.plan] == [(5, "learning_rate", 0.1), (11, "learning_rate", 0.2)]
    assert (only.training.learning_rate, only.training.batch_size) == (0.03, 8)


# Where it stops by itself ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["adam", "gradient_descent"])
async def test_after_a_divergence_it_stands_where_all_was_well_and_goes_on_with_a_better_rate(
    paused: Begins, tmp_path: Path, optimizer: str
):
    talk = await paused(optimizer=optimizer)
    await talk.train_to(10)
    await talk.told(rate(1e30))
    talk.engine.send(Resume())
    diverged = await talk.hear(Diverged)
    waits = await talk.hear(Paused)
    assert waits.step == diverged.good < diverged.step
    await talk.told(rate(0.01))
    talk.engine.send(RunTo(waits.step + 20))
    finished = await talk.hear((Finished, Diverged))
    assert isinstance(finished, Finished), f"the weights were spoiled already: {finished.reason}"
    assert np.isfinite(finished.train.cost)
    session = await talk.saved(tmp_path / "s.toml")
    assert all(each.identical for each in replay(session))


async def test_a_cost_that_has_risen_sends_it_back_and_it_can_go_on_all_the_same(paused: Begins, tmp_path: Path):
    talk = await paused(optimizer="gradient_descent", l2=0.0, guard_factor=3.0, guard_steps=4)
    await talk.train_to(20)
    await talk.told(rate(30.0))
    talk.engine.send(Resume())
    diverged = await talk.hear(Diverged)
    said = await talk.told()
    assert kinds(said)[:3] == [Arrived, Branches, Paused]
    assert said[0].step == diverged.good < diverged.step - 1
    assert said[1].redo_branch == "main"
    assert said[2].step == diverged.good
    stop = said[1].branches[0].branch.stops[-1]
    assert (stop.step, stop.passed, stop.rows) == (diverged.step - 1, False, ())  # the rows stay in the engine

    talk.engine.send(GoOn())
    arrived = await talk.hear(Arrived)
    assert arrived.step == diverged.step - 1
    assert (await talk.hear(Resumed)).step == diverged.step - 1
    assert (await talk.hear(GuardPassed)).step == diverged.step - 1
    assert (await talk.hear(StepsTaken)).step >= diverged.step
    talk.engine.send(Pause())
    await talk.hear(Paused)
    session = await talk.saved(tmp_path / "s.toml")
    assert session.current == "main"
    assert session.branch.stops[0].passed
    assert session.branch.stops[0].rows == diverged.rows
    assert all(each.identical for each in replay(session))


async def test_going_on_where_nothing_stopped_leaves_a_session_that_can_be_replayed(paused: Begins, tmp_path: Path):
    """What the guard was not asked about before must not be passed without a word in the timeline."""
    talk = await paused(optimizer="gradient_descent")
    await talk.train_to(3)
    await talk.told(rate(1e30), TakeStep())
    for request in (GoOn(), Pause(), TakeStep()):
        talk.engine.send(request)
    await talk.told(rate(0.01))
    session = await talk.saved(tmp_path / "s.toml")
    assert all(each.identical for each in replay(session))


async def test_without_a_better_dev_cost_it_stops_at_the_best(paused: Begins, straight: Callable[..., str], tmp_path: Path):
    settings = {"evaluate_every": 2, "learning_rate": 0.3, "noise": 1.0, "patience": 4}
    talk = await paused(**settings)
    talk.engine.send(Resume())
    stopped = await talk.hear(StoppedEarly)
    assert stopped.step == stopped.best + 8
    said = await talk.told()
    assert kinds(said, without=(Evaluated,)) == [Arrived, Branches, Paused]
    assert (said[0].step, said[1].current, said[1].redo_branch) == (stopped.best, "main-2", "main")
    costs = {event.step: event.dev.cost for event in talk.of(Evaluated)}
    assert min(costs.values()) == costs[stopped.best] == stopped.cost
    session = await talk.saved(tmp_path / "s.toml")
    assert hash_of(session) == straight(stopped.best, **settings)
    assert all(each.identical for each in replay(session))
    # Whoever wants to go on there can.
    talk.engine.send(GoOn())
    await talk.hear(GuardPassed)
    assert (await talk.hear(StepsTaken)).step > stopped.step


# The learning-rate range test --------------------------------------------------------------------------------------


async def test_looking_for_a_rate_leaves_the_run_where_it_is_to_the_bit(
    paused: Begins, straight: Callable[..., str], tmp_path: Path
):
    settings = {"optimizer": "gradient_descent", "batch_norm": True, "keep_prob": 0.8}
    talk = await paused(**settings)
    await talk.train_to(5)
    before = await talk.saved(tmp_path / "s.toml")
    said = await talk.told(FindRate(1e-4, 100.0, 80))
    assert kinds(said, without=(RateTried,)) == [RateFound, Branches]
    assert isinstance(said[0], RateTried)
    tried = [each for each in said if isinstance(each, RateTried)]
    assert len(tried) > 5, "it is told as it goes"
    rates = np.concatenate([each.learning_rate for each in tried])
    costs = np.concatenate([each.cost for each in tried])
    assert len(rates) == len(costs) <= 80
    assert rates[0] == 1e-4
    np.testing.assert_allclose(np.diff(np.log(rates)), np.log(1e6) / 79)
    assert np.isfinite(costs).all()
    # So small a rate does nothing, so great a one harm; in between it falls fastest.
    assert 1e-3 < one(said, RateFound).steepest < 10.0
    assert await talk.saved(tmp_path / "s.toml") == before
    await talk.train_to(12)
    assert hash_of(await talk.saved(tmp_path / "s.toml")) == straight(12, **settings)


async def test_looking_for_a_rate_lets_a_run_go_on_that_trains(begun: Begins):
    talk = await begun(paused=False, epochs=LONG)
    await talk.hear(StepsTaken)
    talk.engine.send(FindRate(1e-3, 0.1, 30))
    await talk.hear(RateFound)
    await talk.hear(StepsTaken)
    assert not talk.of(Paused)


@pytest.mark.parametrize(
    ("low", "high", "steps"),
    [(0.0, 1.0, 10), (0.1, 1.0, -1), (-1.0, -0.1, 10), (math.nan, 1.0, 10), (0.1, math.inf, 10), (1.0, 0.1, 10)],
)
async def test_rates_that_cannot_be_tried_are_said_to_be_so(paused: Begins, low: float, high: float, steps: int):
    talk = await paused()
    talk.engine.send(FindRate(low, high, steps))
    found = await talk.hear(RateFound)
    assert math.isnan(found.steepest)
    assert "rise" in found.problem
    assert not talk.of(RateTried)


# Long journeys -----------------------------------------------------------------------------------------------------

FAR = 1_000_000


@pytest.fixture
def far(make_preset: Callable[..., Preset]) -> Begin:
    """A session that stands at the start, and has a branch whose tip is a long way from there, without a checkpoint."""
    branches = Branch(step=FAR), Branch(name="main-2", parent="main")
    session = Session(preset=make_preset(epochs=LONG), seed=1, branches=branches, current="main-2")
    return Begin(session_to_toml(session), "", "", True)


async def test_a_long_journey_is_reported_on_and_can_be_left_by_ending(start: Begins, far: Begin):
    talk = await start()
    talk.engine.send(far)
    await talk.hear(Begun)
    talk.engine.send(Switch("main"))
    first = await talk.hear(Travelling)
    second = await talk.hear(Travelling)
    assert 0 < first.done < second.done < second.total == first.total == FAR
    await talk.engine.close()
    assert await talk.status() == 0, "it had to be killed"


async def test_on_a_long_journey_it_notices_that_the_app_is_gone(start: Begins, far: Begin, ends: Callable[..., None]):
    talk = await start()
    talk.engine.send(far)
    await talk.hear(Begun)
    talk.engine.send(Switch("main"))
    await talk.hear(Travelling)
    talk.engine._engine.hang_up()
    await asyncio.sleep(0)  # it is closed by the loop
    ends(talk.pid, 3.0)
