"""Whatever somebody does to a session, in whatever order, the replay of every branch is bit-identical."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from workbench.engine.commands import Command, PassGuard, SetHyperparameter
from workbench.engine.events import Diverged, StoppedEarly
from workbench.engine.trainer import Until
from workbench.hyperparameters import TABLE
from workbench.run.replay import replay
from workbench.run.run import Run
from workbench.session.preset import Preset
from workbench.session.session import Session
from workbench.session.store import read_session
from workbench.session.timeline import hyperparameters_at, place_after, place_before, redoable, taking_back, undoable

SESSIONS = 50
MOST_STEPS = 60


def settings(dice: random.Random) -> dict[str, Any]:
    """Small networks of all kinds, some with settings that make the run stop by itself."""
    return {
        "hidden": dice.choice([[], [4], [5, 4]]),
        "source": dice.choice(["gaussians", "moons", "xor"]),
        "examples": dice.choice([40, 61]),
        "optimizer": dice.choice(TABLE["optimizer"].choices),
        "learning_rate": dice.choice([0.001, 0.01, 0.1, 3.0]),
        "keep_prob": dice.choice([1.0, 1.0, 0.7]),
        "schedule": dice.choice(TABLE["schedule"].choices),
        "decay_epochs": 3,
        "warmup_steps": dice.choice([0, 7]),
        "patience": dice.choice([0, 0, 0, 4]),
        "evaluate_every": dice.choice([0, 1, 5]),
        "guard_factor": dice.choice([0.0, 1.5, 10.0]),
        "guard_steps": dice.choice([1, 2, 10]),
    }


def any_edit(dice: random.Random, layers: int) -> tuple[str, Any]:
    edits: list[tuple[str, Any]] = [
        ("learning_rate", dice.choice([0.002, 0.05, 0.5, 50.0, 1e30])),
        ("optimizer", dice.choice(TABLE["optimizer"].choices)),
        ("batch_size", dice.choice([3, 7, 16, 1000])),
        ("l2", dice.choice([0.0, 0.1])),
        ("schedule", dice.choice(TABLE["schedule"].choices)),
        ("clip_norm", dice.choice([0.0, 0.5])),
        ("beta1", 0.5),
        ("evaluate_every", dice.choice([0, 2, 4])),
        ("patience", dice.choice([0, 3])),
        ("guard_factor", dice.choice([0.0, 2.0])),
        ("label_smoothing", dice.choice([0.0, 0.1])),
        ("weight_decay", 0.1),
    ]
    if layers:
        edits += [("keep_prob", dice.choice([0.5, 1.0])), (f"keep_prob.{dice.randint(1, layers)}", 0.6)]
    return dice.choice(edits)


class Somebody:
    """Does one thing after the other, and knows what each place they were at looked like."""

    def __init__(self, preset: Preset, dice: random.Random, path: Path) -> None:
        self.dice, self.path = dice, path
        self.layers = len(preset.network.hidden)
        self.run = Run(Session(preset=preset, seed=dice.randint(0, 99)), budget=dice.choice([1, 20_000, 10**8]))
        self.stopped = False

    def train(self) -> None:
        state, dice = self.run.trainer.state, self.dice
        end = min(state.step + dice.randint(0, 9), MOST_STEPS)
        waiting: list[tuple[int, Command]] = [
            (dice.randint(state.step, end), SetHyperparameter(*any_edit(dice, self.layers))) for _ in range(dice.randint(0, 2))
        ]
        if self.stopped and dice.random() < 0.5:
            self.run.pass_guard()
            waiting = [(self.run.trainer.state.step, PassGuard())]
        waiting.sort(key=lambda each: each[0])
        self.train_to(end, waiting)

    def train_to(self, end: int, waiting: list[tuple[int, Command]]) -> None:
        def source(step: int) -> Iterable[Command]:
            while waiting and waiting[0][0] <= step:
                yield waiting.pop(0)[1]

        self.stopped = False
        for event in self.run.events(source, lambda: self.dice.random() < 0.2, Until(steps=end)):
            self.stopped = isinstance(event, (Diverged, StoppedEarly))

    def take_back_or_again(self) -> None:
        edits = self.run.session.branch.edits
        number = redoable(edits) if self.dice.random() < 0.3 else undoable(edits)
        if number:
            step = self.run.place.step
            self.train_to(step, [(step, taking_back(edits, number))])

    def undo_what_the_model_learned(self) -> None:
        branch = self.run.session.branch
        if branch.edits:
            self.run.go_to(place_before(branch, self.dice.choice(branch.edits).step))

    def rewind(self) -> None:
        branch = self.run.session.branch
        place = self.dice.choice([place_before, place_after])(branch, self.dice.randint(0, branch.step))
        self.run.go_to(place)

    def switch(self) -> None:
        self.run.switch(self.dice.choice(self.run.session.branches).name)

    def tidy(self) -> None:
        names = [each.name for each in self.run.session.branches if each.name != self.run.session.current]
        if names and self.dice.random() < 0.4:
            self.run.delete(self.dice.choice(names))
        self.run.annotate(self.dice.randint(0, self.run.place.step), "seen")

    def save_and_open(self) -> None:
        self.run.save(self.path)
        self.check()
        if self.dice.random() < 0.7:
            digest, place = self.run.trainer.state.digest(), self.run.place
            self.run = Run(read_session(self.path), self.path, rebuild=self.dice.random() < 0.2)
            assert (self.run.trainer.state.digest(), self.run.place) == (digest, place)
            self.stopped = False

    def check(self) -> None:
        """Every branch that was ever left is as it was recorded."""
        assert self.run.remark == ""
        for branch in self.run.session.branches:
            assert branch.parent is None or branch.fork <= self.run.session.named(branch.parent).step

    def does(self) -> None:
        deeds: list[Callable[[], None]] = [
            self.train, self.train, self.train, self.take_back_or_again, self.undo_what_the_model_learned, self.rewind,
            self.switch, self.tidy, self.save_and_open,
        ]  # fmt: skip
        deed = self.dice.choice(deeds)
        deed()
        self.stopped = self.stopped and deed == self.train
        session = self.run.session
        assert self.run.remark == ""
        assert self.run.place == session.branch.tip
        assert self.run.trainer.hyperparameters == hyperparameters_at(session.preset, session.branch, self.run.place)


@pytest.mark.parametrize("number", range(SESSIONS))
def test_whatever_is_done_every_branch_replays_bit_identically(make_preset: Callable[..., Preset], tmp_path: Path, number: int):
    dice = random.Random(number)
    preset = make_preset(**settings(dice))
    if preset.network.hidden and dice.random() < 0.4:
        preset = preset.with_value("batch_norm", True)
    somebody = Somebody(preset, dice, tmp_path / "s.toml")
    for _ in range(20):
        somebody.does()
    written = somebody.run.save(tmp_path / "s.toml")
    assert repr(read_session(tmp_path / "s.toml")) == repr(written)  # NaN equals nothing
    found = replay(written)
    assert [each for each in found if not each.identical] == []
    assert [each.branch for each in found] == [each.name for each in written.branches]
