"""A preset's plan: read strictly, written back, and trained as the edits would have been."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeGuard

import pytest
import tomli

from workbench.engine.commands import Planned, scripted
from workbench.engine.events import HyperparameterChanged, StepsTaken
from workbench.engine.trainer import Until
from workbench.files.errors import InputError
from workbench.run.replay import replay
from workbench.run.run import Run
from workbench.session.branch import Place
from workbench.session.preset import Preset, parse_preset, preset_to_toml
from workbench.session.session import Session
from workbench.session.store import read_session
from workbench.session.timeline import scheduled

Edits = list[tuple[int, str, Any]]
EDITS: Edits = [
    (0, "beta1", 0.8), (3, "learning_rate", 0.05), (5, "optimizer", "momentum"), (5, "keep_prob.1", 0.6), (9, "batch_size", 5),
    (9, "batch_size", 6), (16, "l2", 0.1), (17, "keep_prob", 1.0),
]  # fmt: skip
STEPS = 24


def problems(plan: str, training: str = "") -> list[str]:
    with pytest.raises(InputError) as caught:
        parse_preset(tomli.loads(f"[network]\nhidden = [4, 3]\n[training]\n{training}\n{plan}"), "p.toml", "p")
    return [each.removeprefix("p.toml: ") for each in caught.value.problems]


@pytest.mark.parametrize(
    ("plan", "problem"),
    [
        ("step = 0\nname = 'l2'\nvalue = 0.1", "plan[1].step: 0: expected a whole number from 1 to 1,000,000,000,000"),
        ("name = 'l2'\nvalue = 0.1", "plan[1].step: missing: expected a whole number from 1 to 1,000,000,000,000"),
        ("step = 1.5\nname = 'l2'\nvalue = 0.1", "plan[1].step: 1.5: expected a whole number from 1 to 1,000,000,000,000"),
        ("step = 1\nvalue = 0.1", "plan[1].name: missing: expected a text in quotes"),
        ("step = 1\nname = 'l3'\nvalue = 0.1", "plan[1].name: l3: no such hyperparameter"),
        (
            "step = 1\nname = 'hidden'\nvalue = [3]",
            "plan[1].name: hidden: fixed when training starts, so it has no place in a timeline",
        ),
        ("step = 1\nname = 'l2'", "plan[1].value: missing: expected a number at least 0 and at most 1,000,000"),
        ("step = 1\nname = 'l2'\nvalue = -1", "plan[1].value: -1: expected a number at least 0 and at most 1,000,000"),
        ("step = 1\nname = 'l2'\nvalue = nan", "plan[1].value: nan: expected a number at least 0 and at most 1,000,000"),
        ("step = 1\nname = 'keep_prob.3'\nvalue = 0.5", "plan[1].value: layer 3: the network has 2 hidden layers"),
        ("step = 1\nname = 'keep_prob'\nvalue = [0.5]", "plan[1].value: 1 values: the network has 2 hidden layers"),
        ("step = 1\nname = 'keep_prob.1'\nvalue = [0.5]", "plan[1].value: [0.5]: expected a single value for one layer"),
        ("step = 1\nname = 'l2'\nvalue = 0.1\nnote = ''", "plan[1].note: unknown key"),
        (
            "step = 2\nname = 'l2'\nvalue = 0.1\n[[plan]]\nstep = 1\nname = 'l2'\nvalue = 0.1",
            "plan[2].step: 1: expected at least 2, the step of the one before",
        ),
        (
            "step = 2\nname = 'guard_factor'\nvalue = 0.5",
            "plan[1].value: expected 0, which is off, or above 1: an average cost is no reason to stop",
        ),
    ],
)
def test_what_is_wrong_is_named(plan: str, problem: str):
    assert [each.partition("; did")[0] for each in problems(f"[[plan]]\n{plan}")] == [problem]


def test_a_plan_is_a_list_of_tables():
    assert problems("[plan]\nstep = 1") == ["plan: {'step': 1}: expected tables, [[plan]]"]


@pytest.fixture
def preset(make_preset: Callable[..., Preset]) -> Preset:
    return make_preset(keep_prob=0.8, evaluate_every=4, batch_norm=True)


@pytest.fixture
def edited(preset: Preset) -> Run:
    return go(Run(Session(preset=preset, seed=1)), STEPS, EDITS)


def go(run: Run, steps: int, edits: Edits | None = None) -> Run:
    for _ in run.events(scripted(edits or []), lambda: False, Until(steps=steps)):
        pass
    return run


def test_it_comes_back_from_its_file(edited: Run):
    planned = scheduled(edited.session, [], "planned")
    assert parse_preset(tomli.loads(preset_to_toml(planned)), "planned.toml", "planned") == planned
    assert [each.step for each in planned.plan] == [3, 5, 5, 9, 9, 16, 17]


def test_it_makes_the_run_that_the_edits_made(edited: Run):
    run = Run(Session(preset=scheduled(edited.session, [], "planned"), seed=1))
    changes = [event for event in run.events(scripted([]), lambda: False, Until(steps=STEPS)) if is_change(event)]
    assert run.trainer.state.digest() == edited.trainer.state.digest()
    assert run.trainer.hyperparameters == edited.trainer.hyperparameters
    assert [(event.step, event.name, event.planned) for event in changes] == [(step, name, True) for step, name, _ in EDITS[1:]]
    assert run.session.branch.edits == ()


def is_change(event: object) -> TypeGuard[HyperparameterChanged]:
    return isinstance(event, HyperparameterChanged)


def test_of_the_chosen_hyperparameters_only(edited: Run):
    planned = scheduled(edited.session, ["learning_rate", "keep_prob"], "planned")
    assert [each.name for each in planned.plan] == ["learning_rate", "keep_prob.1", "keep_prob"]
    assert planned.training.beta1 == 0.9


def test_saved_at_any_step_of_the_plan_it_goes_on(edited: Run, tmp_path: Path):
    planned = scheduled(edited.session, [], "planned")
    for step in range(STEPS + 1):
        path = tmp_path / f"at-{step}.toml"
        go(Run(Session(preset=planned, seed=1)), step).save(path)
        cut = Run(read_session(path), path)
        whole = go(Run(Session(preset=planned, seed=1)), step)
        assert cut.trainer.hyperparameters == whole.trainer.hyperparameters
        go(cut, STEPS)
        assert cut.trainer.state.digest() == edited.trainer.state.digest()
        assert [each.identical for each in replay(cut.save(path))] == [True]


def test_going_back_and_on_again_the_plan_is_kept_to(edited: Run):
    run = go(Run(Session(preset=scheduled(edited.session, [], "planned"), seed=1)), STEPS)
    for step in (20, 17, 16, 9, 5, 4, 3, 0):
        run.switch("main")
        run.go_to(Place(step, 0))
        assert run.trainer.hyperparameters == go(Run(Session(preset=run.session.preset, seed=1)), step).trainer.hyperparameters
        go(run, STEPS)
        assert run.trainer.state.digest() == edited.trainer.state.digest()


def test_an_edit_by_hand_holds_until_the_plan_comes_to_the_same_hyperparameter(preset: Preset, tmp_path: Path):
    plan = (Planned(5, "l2", 0.1), Planned(5, "learning_rate", 0.02), Planned(12, "learning_rate", 0.03))
    run = Run(Session(preset=dataclasses.replace(preset, plan=plan), seed=1))
    rates = {}
    for event in run.events(scripted([(5, "learning_rate", 0.5), (8, "l2", 0.0)]), lambda: True, Until(steps=15)):
        if isinstance(event, StepsTaken):
            rates[event.step] = float(event.learning_rate[-1])
    assert [rates[step] for step in (5, 6, 12, 13)] == [0.01, 0.5, 0.5, 0.03]
    assert [(each.old, each.new) for each in run.session.branch.edits] == [(0.02, 0.5), (0.1, 0.0)]
    path = tmp_path / "s.toml"
    session = run.save(path)
    assert [each.identical for each in replay(session)] == [True]
    assert Run(read_session(path), path, rebuild=True).trainer.hyperparameters == run.trainer.hyperparameters


def test_a_changed_plan_shows_in_the_replay(edited: Run, tmp_path: Path):
    run = go(Run(Session(preset=scheduled(edited.session, [], "planned"), seed=1)), STEPS)
    session = run.save(tmp_path / "s.toml")
    plan = list(session.preset.plan)
    plan[1] = dataclasses.replace(plan[1], step=4)
    changed = dataclasses.replace(session, preset=dataclasses.replace(session.preset, plan=tuple(plan)))
    (found,) = replay(changed)
    assert not found.identical
    assert found.first_difference == 5
