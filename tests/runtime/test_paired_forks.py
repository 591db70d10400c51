"""What-if: forks of one run see the same mini-batches and the same dropout masks as the run that they left."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workbench.engine.commands import SetHyperparameter, scripted
from workbench.engine.events import Finished, HyperparameterChanged, StepsTaken, StepTaken, StoppedEarly
from workbench.engine.state import Snapshot
from workbench.engine.trainer import Trainer, Until
from workbench.protocol.reports import (
    Begun,
    Branches,
    Exported,
    ExportFailed,
    Paused,
    RateFound,
    Refused,
    Remark,
    Report,
    SaveFailed,
)
from workbench.protocol.requests import Begin, Export, FindRate, GoTo, Pause, Repeat, RunTo, Save
from workbench.run.run import Run
from workbench.run.saving import GIVEN
from workbench.runtime import forks, operations
from workbench.session.format import parse_session
from workbench.session.preset import find_presets, read_preset
from workbench.session.session import Session

# A conftest cannot be imported from, so its class is `Any` here.
Begins = Callable[..., Awaitable[Any]]
LONG = 1_000_000
SETTINGS: list[dict[str, Any]] = [
    {},
    {"keep_prob": 0.7},
    {"batch_norm": True},
    {"keep_prob": [0.5, 0.9], "batch_norm": True, "optimizer": "adamw", "schedule": "cosine", "weight_decay": 0.01},
]


def named(settings: dict[str, Any]) -> str:
    return " ".join(settings) or "plain"


def costs_of(reports: list[Report]) -> dict[int, float]:
    """The cost of each step; told twice, it must be the same."""
    found: dict[int, float] = {}
    for each in reports:
        if isinstance(each, StepsTaken):
            for step, cost in enumerate(each.cost.tolist(), start=each.step - len(each.cost) + 1):
                assert found.setdefault(step, cost) == cost
    return found


def beginning(exported: Exported) -> Begin:
    return Begin(exported.session, "", "", True, checkpoint=exported.checkpoint)


# In processes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", SETTINGS, ids=named)
async def test_an_unchanged_fork_has_the_costs_of_its_parent_to_the_bit_and_the_others_see_the_same_data(
    begun: Begins, start: Begins, settings: dict[str, Any]
):
    parent = await begun(paused=False, epochs=LONG, **settings)
    await parent.hear(StepsTaken)
    parent.engine.send(SetHyperparameter("beta1", 0.8))
    await parent.hear(StepsTaken, lambda steps: steps.step > 20)
    parent.engine.send(Export(1, -1))
    exported = await parent.hear(Exported)
    at = exported.step
    await parent.hear(StepsTaken, lambda steps: steps.step >= at + 40)  # it trains on meanwhile
    assert not parent.of(Paused)
    parent.engine.send(Pause())
    await parent.hear(Paused)
    expected = costs_of(parent.heard)

    async def fork(*changes: SetHyperparameter) -> dict[int, float]:
        talk = await start()
        for request in (beginning(exported), *changes, RunTo(at + 40)):
            talk.engine.send(request)
        said = await talk.hear(Begun)
        assert (said.step, said.hyperparameters.beta1, said.read_only) == (at, 0.8, False)
        assert (await talk.hear(Finished)).step == at + 40
        assert [changed.step for changed in talk.of(HyperparameterChanged)] == [at] * len(changes)
        return costs_of(talk.heard)

    steps = range(at + 1, at + 41)
    same, faster, slower = await asyncio.gather(
        fork(), fork(SetHyperparameter("learning_rate", 0.05)), fork(SetHyperparameter("learning_rate", 0.001))
    )
    assert [same[step] for step in steps] == [expected[step] for step in steps]
    for other in (faster, slower):
        # The first cost is taken before the first update: the same weights, the same examples, the same units dropped.
        assert other[at + 1] == expected[at + 1]
        assert all(other[step] != expected[step] for step in steps[1:])


async def test_a_place_in_the_past_is_exported_and_the_run_stays_where_it_is(paused: Begins, start: Begins):
    parent = await paused(keep_prob=0.7, snapshot_bytes=1)
    await parent.train_to(6)
    await parent.told(SetHyperparameter("learning_rate", 0.1))
    await parent.train_to(13)
    await parent.told(SetHyperparameter("learning_rate", 0.02))
    await parent.train_to(25)
    said = await parent.told(Export(5, 13))
    assert [type(each) for each in said] == [Exported, Branches]
    exported = said[0]
    assert (exported.number, exported.step, exported.edits) == (5, 13, 1)  # before the edits made there
    session = parse_session(exported.session, "export")
    assert [(branch.name, branch.step) for branch in session.branches] == [("main", 13)]
    child = await start()
    child.engine.send(beginning(exported))
    child.engine.send(SetHyperparameter("learning_rate", 0.02))
    child.engine.send(RunTo(25))
    begun = await child.hear(Begun)
    assert (begun.step, begun.hyperparameters.learning_rate) == (13, 0.1)
    await child.hear(Finished)
    expected = costs_of(parent.heard)
    assert {step: cost for step, cost in costs_of(child.heard).items() if step > 13} == {s: expected[s] for s in range(14, 26)}
    assert not child.of(Remark)


async def test_a_branch_is_exported_without_those_it_came_from(paused: Begins, start: Begins):
    parent = await paused()
    await parent.train_to(9)
    await parent.told(GoTo(4), SetHyperparameter("learning_rate", 0.5))
    await parent.train_to(12)
    child = await start()
    child.engine.send(beginning((await parent.told(Export(1, -1)))[0]))
    (sent,) = (await child.hear(Branches)).branches
    assert (sent.branch.name, sent.branch.parent, sent.branch.step) == ("main-2", None, 12)


def test_what_is_too_large_for_a_message_is_said_and_the_engine_lives(monkeypatch: pytest.MonkeyPatch):
    """In this process: two gigabytes are more than a test should want."""
    run = Run(Session(preset=read_preset(find_presets()[0]), seed=1))
    monkeypatch.setattr(operations, "LARGEST", 1000)
    said: list[Report] = []
    operations.carry_out(Export(3, -1), run, said.append)
    (failed,) = said
    assert isinstance(failed, ExportFailed)
    assert failed.number == 3
    assert "too many for one message" in failed.reason


@pytest.mark.parametrize("damage", [b"", b"short", b"\x00" * 1000])
async def test_a_checkpoint_that_came_damaged_is_refused(paused: Begins, start: Begins, damage: bytes):
    parent = await paused()
    await parent.train_to(3)
    exported = (await parent.told(Export(1, -1)))[0]
    child = await start()
    child.engine.send(dataclasses.replace(beginning(exported), checkpoint=exported.checkpoint[:-9] + damage))
    refused = await child.hear(Refused)
    assert (refused.problems, refused.rebuild) == (f"{GIVEN}: damaged, or not a checkpoint", True)


async def test_a_checkpoint_of_another_session_is_refused(paused: Begins, start: Begins, toml: Callable[..., str]):
    parent = await paused()
    await parent.train_to(3)
    exported = (await parent.told(Export(1, -1)))[0]
    child = await start()
    child.engine.send(Begin(toml(hidden=[7]), "", "", True, checkpoint=exported.checkpoint))
    assert f"{GIVEN}: not of this session" in (await child.hear(Refused)).problems


@pytest.fixture
async def fork(begun: Begins) -> Any:
    """The content that forks of a new run begin with."""

    async def make(**settings: Any) -> Exported:
        parent = await begun(**settings)
        parent.engine.send(Export(1, -1))
        return await parent.hear(Exported)

    return make


async def test_forks_are_trained_side_by_side_each_with_its_changes(fork: Begins):
    rates = 0.01, 0.05, 0.001
    heard: list[list[Report]] = [[], [], []]
    changes: list[forks.Changes] = [(SetHyperparameter("learning_rate", rate),) for rate in rates]
    async with asyncio.timeout(20):
        await forks.train(await fork(), changes, 15, lambda number, repeat, report: heard[number].append(report))
    for rate, reports in zip(rates, heard, strict=True):
        assert isinstance(reports[-1], Finished)
        assert reports[-1].step == 15
        (changed,) = (each for each in reports if isinstance(each, HyperparameterChanged))
        assert changed.new == rate
    assert len({costs_of(reports)[1] for reports in heard}) == 1
    assert len({costs_of(reports)[15] for reports in heard}) == 3


async def test_a_repeat_is_paired_with_the_repeats_of_other_forks_and_with_nothing_else(fork: Begins):
    """Other mini-batches and masks than the run itself; the same for all forks, and the same each time."""
    heard: dict[tuple[int, int], list[Report]] = {(number, repeat): [] for number in range(2) for repeat in range(3)}
    changes: list[forks.Changes] = [(), (SetHyperparameter("learning_rate", 0.05),)]
    async with asyncio.timeout(40):
        await forks.train(await fork(keep_prob=0.7), changes, 15, lambda *who: heard[who[:2]].append(who[2]), repeats=3)
    costs = {who: costs_of(reports) for who, reports in heard.items()}
    first = min(costs[0, 0])
    assert all(costs[0, repeat][first] == costs[1, repeat][first] for repeat in range(3))
    assert len({costs[0, repeat][first] for repeat in range(3)}) == 3
    assert all(isinstance(reports[-1], Finished) for reports in heard.values())


async def test_a_run_that_is_saved_is_not_repeated(begun: Begins, tmp_path: Path):
    talk = await begun(autosave=str(tmp_path / "s.toml"))
    talk.engine.send(Repeat(1))
    assert "cannot be repeated" in (await talk.hear(Remark)).text


async def test_what_was_repeated_cannot_be_saved(begun: Begins, tmp_path: Path):
    talk = await begun()
    talk.engine.send(Repeat(1))
    talk.engine.send(Save(str(tmp_path / "s.toml")))
    assert "no run of the session" in (await talk.hear(SaveFailed)).reason
    assert not list(tmp_path.glob("*.toml"))


async def test_forks_that_stop_early_come_to_an_end_too(fork: Begins):
    heard: list[Report] = []
    made = await fork(evaluate_every=1, patience=2, learning_rate=1.0)
    async with asyncio.timeout(5):
        await forks.train(made, [()], 1000, lambda number, repeat, report: heard.append(report))
    assert any(isinstance(each, StoppedEarly) for each in heard)


async def test_rates_are_looked_for_from_a_place_without_touching_the_run(fork: Begins):
    heard: list[Report] = []
    async with asyncio.timeout(20):
        await forks.find_rate(await fork(optimizer="gradient_descent"), FindRate(1e-3, 100.0, 40), heard.append)
    assert isinstance(heard[-1], RateFound)


async def test_rates_that_cannot_be_tried_come_to_an_end_too(fork: Begins):
    heard: list[Report] = []
    async with asyncio.timeout(5):
        await forks.find_rate(await fork(), FindRate(0.0, 1.0, 40), heard.append)
    assert any(getattr(each, "problem", "") for each in heard)


# On the data -------------------------------------------------------------------------------------------------------


def seen(trainer: Trainer, snapshot: Snapshot, rate: float, steps: int) -> list[tuple[Any, ...]]:
    """The examples of each mini-batch, and the units that each hidden layer kept, over so many steps with this rate."""
    trainer.restore(snapshot, trainer.hyperparameters)
    found = []
    edits = scripted([(trainer.state.step, "learning_rate", rate)])
    for event in trainer.run(edits, Until(steps=trainer.state.step + steps)):
        if isinstance(event, StepTaken):
            masks = [layer.dropout._mask.like(layer.A).copy() for layer in trainer.state.network.layers]
            found.append((trainer.state.batches.last_indices.copy(), *masks, event.cost))
    return found


@pytest.mark.parametrize("batch_norm", [False, True])
def test_forks_with_different_rates_take_the_same_examples_and_drop_the_same_units(
    make_trainer: Callable[..., Trainer], batch_norm: bool
):
    settings = {"keep_prob": 0.7, "batch_norm": batch_norm, "epochs": LONG}
    parent = make_trainer(**settings)
    list(parent.run(until=Until(steps=10)))
    snapshot = parent.state.snapshot()
    one, other = (seen(make_trainer(**settings), snapshot, rate, 30) for rate in (0.01, 0.3))
    assert len(one) == len(other) == 30
    for (rows, *masks, _), (other_rows, *other_masks, _) in zip(one, other, strict=True):
        np.testing.assert_array_equal(rows, other_rows)
        for mask, other_mask in zip(masks, other_masks, strict=True):
            np.testing.assert_array_equal(mask, other_mask)
    # The masks are real ones and not those of the step before, and the weights have parted.
    assert [mask.shape for mask in one[0][1:-1]] == [(8, 6), (8, 5)]
    shares = [mask.mean() for _, *masks, _ in one for mask in masks]
    assert 0.6 < np.mean(shares) < 0.8
    full = [masks[0].tobytes() for _, *masks, _ in one if len(masks[0]) == 8]
    assert len(set(full)) == len(full)
    assert one[-1][-1] != other[-1][-1]
