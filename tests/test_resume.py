"""A run that was stopped and goes on equals one that never stopped, wherever it was cut and by whatever way it went on."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from workbench.engine.commands import scripted
from workbench.engine.events import EpochEnded
from workbench.engine.trainer import Trainer, Until
from workbench.files.errors import CheckpointError
from workbench.hyperparameters import TABLE
from workbench.run.run import Run
from workbench.session.preset import Preset
from workbench.session.session import Session
from workbench.session.store import read_session

MakeTrainer = Callable[..., Trainer]
MakePreset = Callable[..., Preset]
Command = Callable[..., "subprocess.CompletedProcess[str]"]

STEPS = 12
"""Into the second epoch, which begins after 7."""
OPTIMIZERS = TABLE["optimizer"].choices
KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "batch norm": {"batch_norm": True},
    "dropout": {"keep_prob": 0.7},
    "schedule": {"schedule": "cosine", "decay_epochs": 2, "warmup_steps": 5, "l2": 0.01},
}
EDITS = [(3, "learning_rate", 0.02), (5, "optimizer", "momentum"), (5, "batch_size", 5), (9, "keep_prob.1", 0.5)]

each_optimizer = pytest.mark.parametrize("optimizer", OPTIMIZERS)
each_kind = pytest.mark.parametrize("kind", KINDS)


def never() -> bool:
    return False


def go(run: Run, steps: int, edits: list[tuple[int, str, object]] | None = None) -> Run:
    for _ in run.events(scripted(edits or []), never, Until(steps=steps)):
        pass
    return run


@each_kind
@each_optimizer
def test_from_a_snapshot_at_any_event(make_trainer: MakeTrainer, optimizer: str, kind: str):
    settings = {"optimizer": optimizer, **KINDS[kind]}
    whole = make_trainer(**settings)
    snapshots, ends = [whole.state.snapshot()], []
    for event in whole.run(until=Until(steps=STEPS + 9)):
        snapshots.append(whole.state.snapshot())
        ends += [event] if isinstance(event, EpochEnded) else []
    for snapshot in snapshots:
        cut = make_trainer(**settings)
        cut.state.restore(snapshot)
        again = [event for event in cut.run(until=Until(steps=STEPS + 9)) if isinstance(event, EpochEnded)]
        assert cut.state.digest() == whole.state.digest()
        assert again == ends[len(ends) - len(again) :]
        assert len(again) >= sum(event.step > int(snapshot.facts["step"]) for event in ends)


@each_kind
@each_optimizer
def test_from_a_file_at_any_step(make_preset: MakePreset, tmp_path: Path, optimizer: str, kind: str):
    preset = make_preset(optimizer=optimizer, **KINDS[kind])
    run = Run(Session(preset=preset, seed=1))
    for step in range(STEPS):
        go(run, step).save(tmp_path / f"at-{step}.toml")
    digest = go(run, STEPS).trainer.state.digest()
    for step in range(STEPS):
        path = tmp_path / f"at-{step}.toml"
        cut = Run(read_session(path), path)
        assert cut.trainer.state.step == step
        assert go(cut, STEPS).trainer.state.digest() == digest


def test_with_edits_before_at_and_after_the_cut(make_preset: MakePreset, tmp_path: Path):
    whole = go(Run(Session(preset=make_preset(), seed=1)), STEPS, EDITS)
    written = whole.save(tmp_path / "whole.toml")
    for step in range(STEPS + 1):
        path = tmp_path / f"at-{step}.toml"
        go(Run(Session(preset=make_preset(), seed=1)), step, [edit for edit in EDITS if edit[0] <= step]).save(path)
        cut = go(Run(read_session(path), path), STEPS, [edit for edit in EDITS if edit[0] > step])
        assert cut.trainer.state.digest() == whole.trainer.state.digest()
        session = cut.save(path)
        assert session.branch.edits == written.branch.edits
        assert session.branch.result == written.branch.result
        assert set(written.branch.marks) <= set(session.branch.marks)


def test_the_curves_go_on_where_they_were(make_preset: MakePreset, tmp_path: Path):
    path = tmp_path / "cut.toml"
    whole = go(Run(Session(preset=make_preset(), seed=1)), 30)
    whole.save(tmp_path / "whole.toml")
    go(Run(Session(preset=make_preset(), seed=1)), 11).save(path)
    cut = go(Run(read_session(path), path), 30)
    cut.flush()
    for name, series in whole.history.series.items():
        assert cut.history.series[name].tensor().tolist() == series.tensor().tolist(), name


def test_a_session_that_is_cut_off_from_its_checkpoint_is_not_begun_anew(make_preset: MakePreset, tmp_path: Path):
    path = tmp_path / "s.toml"
    run = go(Run(Session(preset=make_preset(), seed=1)), 5)
    run.save(path)
    digest = run.trainer.state.digest()
    (checkpoint,) = tmp_path.glob("*.safetensors")
    checkpoint.unlink()
    with pytest.raises(CheckpointError, match="no such file"):
        Run(read_session(path), path)
    # Trained again where that is asked for, or where the session itself says that there is none.
    assert Run(read_session(path), path, rebuild=True).trainer.state.digest() == digest
    path.write_text("".join(line for line in path.read_text().splitlines(True) if not line.startswith("checkpoint")))
    again = Run(read_session(path), path)
    assert (again.trainer.state.step, again.trainer.state.digest()) == (5, digest)


def test_a_checkpoint_of_another_network_is_refused(make_preset: MakePreset, tmp_path: Path):
    path = tmp_path / "s.toml"
    go(Run(Session(preset=make_preset(), seed=1)), 5).save(path)
    path.write_text(path.read_text().replace("hidden = [6, 5]", "hidden = [6, 7]"))
    with pytest.raises(CheckpointError, match="not of this session: tensor W2"):
        Run(read_session(path), path)


# In a fresh process, through the command line ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cut", "settings"),
    [
        (5, ["--set", "batch_norm=true", "--set", "keep_prob=0.8", "--set", "schedule=cosine"]),
        (7, ["--set", "optimizer=nesterov", "--set", "warmup_steps=20"]),
    ],
)
def test_from_a_file_in_another_process(workbench: Command, tmp_path: Path, cut: int, settings: list[str]):
    (tmp_path / "small.toml").write_text(
        '[data]\nsource = "gaussians"\nexamples = 90\n[network]\nhidden = [6, 5]\n[training]\nbatch_size = 8\n'
    )

    def train(*arguments: object) -> dict[str, Any]:
        done = workbench("train", *arguments, "--json")
        assert (done.returncode, done.stderr) == (0, "")
        return json.loads(done.stdout)

    edits = ["--edit", "2:learning_rate=0.01", "--edit", f"{cut}:optimizer=adagrad", "--edit", "9:batch_size=11"]
    whole = train("small.toml", *settings, "--steps", 20, *edits)
    train("small.toml", *settings, "--steps", cut, *edits[:4], "--save", "cut.toml")
    rest = train("cut.toml", "--steps", 20, *edits[4:])
    assert (rest["step"], rest["epoch"]) == (20, whole["epoch"])
    for key in ("state_hash", "train", "dev", "test"):
        assert rest[key] == whole[key]
