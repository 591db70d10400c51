"""The trained network of a session: in every checkpoint that is written, and after a save in those of older sessions."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workbench.data.sources import load
from workbench.engine.commands import scripted
from workbench.engine.state import Snapshot
from workbench.engine.trainer import Until
from workbench.files.errors import CheckpointError
from workbench.model.blueprint import FACT
from workbench.model.trained import PREFIX, TrainedModel
from workbench.run.replay import replay
from workbench.run.run import Run
from workbench.session.branch import Place
from workbench.session.checkpoint import parse_checkpoint
from workbench.session.models import load_model
from workbench.session.preset import Preset
from workbench.session.session import Session
from workbench.session.store import load_branch, read_session, save

MakePreset = Callable[..., Preset]
OLDER = Path(__file__).parent / "older" / "digits-rescued.toml"
"""Trained with arithmetic 1, and saved before networks were part of it."""
TASKS: dict[str, dict[str, Any]] = {
    "classes": {},
    "binary": {"classes": 2},
    "regression": {"source": "regression"},
    "images": {"source": "digits", "examples": 200},
}


def trained(preset: Preset, steps: int, *edits: tuple[int, str, object], run: Run | None = None) -> Run:
    run = run or Run(Session(preset=preset, seed=1))
    for _ in run.events(scripted(edits), lambda: False, Until(steps=steps)):
        pass
    return run


def raw_features(preset: Preset) -> np.ndarray[Any, Any]:
    return load(preset.data, 1).X


def expected_logits(run: Run, raw: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """What the trainer's network says of raw features, normalized by hand."""
    norm, X = run.trainer.splits.normalization, raw.astype(np.float32)
    return run.trainer.state.network.infer(X if norm is None else (X - norm.mean) / norm.std)


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("task", TASKS)
def test_a_saved_network_answers_as_the_trained_one(
    make_preset: MakePreset, tmp_path: Path, task: str, normalize: bool, batch_norm: bool
):
    preset = make_preset(normalize=normalize, batch_norm=batch_norm, **TASKS[task])
    run = trained(preset, 20, *([(9, "batchnorm_beta", 0.5), (12, "batchnorm_epsilon", 0.01)] if batch_norm else []))
    run.save(tmp_path / "s.toml")
    raw, splits = raw_features(preset), run.trainer.splits
    for model in (run.model, load_model(tmp_path / "s.toml")):
        np.testing.assert_array_equal(model.logits(raw), expected_logits(run, raw))
        blueprint = model.blueprint
        assert (blueprint.task, blueprint.class_names) == (splits.task, splits.class_names)
        assert (blueprint.feature_names, blueprint.image_shape) == (splits.feature_names, splits.image_shape)
        assert blueprint.batchnorm_epsilon == run.trainer.hyperparameters.batchnorm_epsilon


@pytest.mark.parametrize("task", ["classes", "binary", "regression"])
def test_so_does_one_without_a_hidden_layer(make_preset: MakePreset, tmp_path: Path, task: str):
    preset = make_preset(hidden=[], **TASKS[task])
    run, raw = trained(preset, 20), raw_features(preset)
    run.save(tmp_path / "s.toml")
    np.testing.assert_array_equal(load_model(tmp_path / "s.toml").logits(raw), expected_logits(run, raw))


def test_it_makes_the_mistakes_that_the_scores_say(make_preset: MakePreset, tmp_path: Path):
    preset = make_preset(noise=0.8, dev_fraction=0.0, test_fraction=0.0)
    session = trained(preset, 30).save(tmp_path / "s.toml")
    examples = load(preset.data, 1)
    assert session.branch.result is not None
    wrong = load_model(tmp_path / "s.toml").classes(examples.X) != examples.labels
    assert wrong.any()
    assert wrong.mean() == pytest.approx(session.branch.result.train.error)


def test_no_weight_lies_in_a_checkpoint_twice(make_preset: MakePreset, tmp_path: Path):
    run = trained(make_preset(batch_norm=True), 5)
    session = run.save(tmp_path / "s.toml")
    tensors, facts = load_branch(session, "main", tmp_path / "s.toml")
    state = run.trainer.state.snapshot()
    added = {name for name in tensors if name not in state.tensors and not name.startswith("history.")}
    assert added == {f"{PREFIX}mean", f"{PREFIX}std"}
    assert set(facts) - set(state.facts) == {"edits", FACT, "trained_from"}


def test_every_branch_has_its_own_with_what_was_in_force_there(make_preset: MakePreset, tmp_path: Path):
    preset, path = make_preset(batch_norm=True), tmp_path / "s.toml"
    run = trained(preset, 9, (4, "batchnorm_epsilon", 0.1))
    raw = raw_features(preset)
    first = expected_logits(run, raw)
    run.go_to(Place(3, 0))
    trained(preset, 8, run=run)
    session = run.save(path)
    models = {each.name: TrainedModel.from_checkpoint(*load_branch(session, each.name, path)) for each in session.branches}
    assert {name: each.blueprint.batchnorm_epsilon for name, each in models.items()} == {"main": 0.1, "main-2": 1e-5}
    np.testing.assert_array_equal(models["main"].logits(raw), first)
    np.testing.assert_array_equal(models["main-2"].logits(raw), expected_logits(run, raw))
    np.testing.assert_array_equal(load_model(path).logits(raw), expected_logits(run, raw))
    run.switch("main")
    run.save(path)
    np.testing.assert_array_equal(load_model(path).logits(raw), first)


def test_a_model_stays_as_it_is_when_the_run_goes_on(make_preset: MakePreset):
    preset = make_preset(batch_norm=True)
    run = trained(preset, 5)
    model, raw = run.model, raw_features(preset)
    before = model.logits(raw)
    trained(preset, 9, run=run)
    np.testing.assert_array_equal(model.logits(raw), before)
    assert not np.array_equal(run.model.logits(raw), before)


def write_export(run: Run, place: Place, path: Path) -> None:
    """A place of a run as a session of its own, in a file."""
    session, checkpoint = run.export(place)
    save(session, {session.current: parse_checkpoint(checkpoint, "export")}, path)


def test_of_an_export_it_is_there_where_the_checkpoint_is_of_the_place(make_preset: MakePreset, tmp_path: Path):
    preset, path = make_preset(), tmp_path / "e.toml"
    run = trained(preset, 12)
    write_export(run, run.place, path)
    np.testing.assert_array_equal(load_model(path).logits(raw_features(preset)), run.model.logits(raw_features(preset)))


def test_a_checkpoint_of_an_earlier_step_is_never_taken_for_the_tip(make_preset: MakePreset, tmp_path: Path):
    path = tmp_path / "e.toml"
    run = trained(make_preset(), 30)
    write_export(run, Place(27, 0), path)
    with pytest.raises(CheckpointError, match=r"e\.step-.*: of step \d+, and the session of step 27: open the session"):
        load_model(path)
    opened = Run(read_session(path), path)
    opened.save(path)
    raw = raw_features(run.session.preset)
    np.testing.assert_array_equal(load_model(path).logits(raw), opened.model.logits(raw))


def test_a_network_that_has_run_away_has_no_answers_but_can_be_kept(make_preset: MakePreset, tmp_path: Path):
    preset, path = make_preset(), tmp_path / "s.toml"
    run = trained(preset, 5)
    run.trainer.state.network.parameters[3] = np.nan
    run.save(path)
    assert (load_model(path).classes(raw_features(preset)) == -1).any()


def test_it_needs_no_data_and_nothing_that_trains(make_preset: MakePreset, tmp_path: Path):
    preset, path = make_preset(), tmp_path / "s.toml"
    run = trained(preset, 12)
    run.save(path)
    raw = raw_features(preset)
    np.save(tmp_path / "raw.npy", raw)
    code = (
        "import sys, numpy as np\n"
        "from workbench.session.models import load_model\n"
        f"np.save({str(tmp_path / 'out.npy')!r}, load_model({str(path)!r}).logits(np.load({str(tmp_path / 'raw.npy')!r})))\n"
        "print(*sorted(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=60, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & {"workbench.data.sources", "workbench.data.splits", "workbench.engine.trainer", "workbench.run"}
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), expected_logits(run, raw), atol=1e-6)


# Older sessions ----------------------------------------------------------------------------------------------------


@pytest.fixture
def older(tmp_path: Path) -> Path:
    for each in OLDER.parent.glob(f"{OLDER.stem}*"):
        shutil.copy(each, tmp_path)
    return tmp_path / OLDER.name


def without_model(path: Path) -> Session:
    """Make a saved session as an earlier workbench wrote it, on all branches."""
    session = read_session(path)
    states = {}
    for each in session.branches:
        tensors, facts = load_branch(session, each.name, path)
        states[each.name] = (
            {name: tensor for name, tensor in tensors.items() if not name.startswith(PREFIX)},
            {name: fact for name, fact in facts.items() if name != FACT},
        )
    return save(session, states, path)


def test_an_older_session_opens_goes_on_and_has_a_model_when_it_was_saved(older: Path):
    with pytest.raises(CheckpointError) as caught:
        load_model(older)
    assert str(caught.value).startswith(str(older.with_name("digits-rescued.step-002000-")))
    assert "saved by an earlier workbench" in str(caught.value)
    run = Run(read_session(older), older)
    before = run.session.branch.marks[-1]
    assert run.trainer.state.digest() == before.hash
    assert not run.unsaved
    raw = raw_features(run.session.preset)
    np.testing.assert_array_equal(run.model.logits(raw), expected_logits(run, raw))
    run.save(older)
    np.testing.assert_array_equal(load_model(older).logits(raw), expected_logits(run, raw))
    again = Run(read_session(older), older)
    assert again.trainer.state.digest() == before.hash
    trained(again.session.preset, 2010, run=again)
    trained(run.session.preset, 2010, run=run)
    assert again.trainer.state.digest() == run.trainer.state.digest()
    assert len(list(older.parent.glob("*.safetensors"))) == 1


def test_what_an_older_session_says_of_its_own_replays_as_before_when_it_was_saved(older: Path):
    (before,) = replay(read_session(older))
    Run(read_session(older), older).save(older)
    (after,) = replay(read_session(older))
    for found in (before, after):
        assert (found.identical, found.as_recorded) == (False, True)
        assert found.comparison.startswith("arithmetic 1, this is 2: compared within a tolerance: final costs differ by ")


def test_all_branches_of_an_older_session_are_brought_up_to_date(make_preset: MakePreset, tmp_path: Path):
    preset, path = make_preset(batch_norm=True), tmp_path / "s.toml"
    run = trained(preset, 9)
    run.go_to(Place(3, 0))
    trained(preset, 8, run=run)
    run.save(path)
    older = without_model(path)
    opened = Run(older, path)
    assert not opened.unsaved
    session = opened.save(path)
    assert {each.checkpoint for each in session.branches}.isdisjoint({each.checkpoint for each in older.branches})
    for each in session.branches:
        TrainedModel.from_checkpoint(*load_branch(session, each.name, path))
    assert len(list(tmp_path.glob("*.safetensors"))) == 2
    kept = session.named("main").checkpoint
    assert Run(session, path).save(path).named("main").checkpoint == kept
    assert all(each.identical for each in replay(session))


def test_a_checkpoint_whose_model_is_broken_is_named(make_preset: MakePreset, tmp_path: Path):
    path = tmp_path / "s.toml"
    session = trained(make_preset(), 3).save(path)
    tensors, facts = load_branch(session, "main", path)
    broken = save(session, {"main": (tensors, {**facts, FACT: '{"format": 1}'})}, path)
    assert broken.branch.checkpoint is not None
    with pytest.raises(CheckpointError, match="cannot be read") as caught:
        load_model(path)
    assert broken.branch.checkpoint in str(caught.value)
    assert Run(broken, path).trainer.state.step == 3


def test_extra_tensors_and_facts_in_a_checkpoint_do_no_harm_to_an_earlier_reader(make_preset: MakePreset, tmp_path: Path):
    # An earlier workbench takes all but the history for the snapshot: the state passes over what it does not know.
    path = tmp_path / "s.toml"
    run = trained(make_preset(), 6)
    session = run.save(path)
    tensors, facts = load_branch(session, "main", path)
    fresh = trained(make_preset(), 0)
    fresh.trainer.state.restore(Snapshot({k: v for k, v in tensors.items() if not k.startswith("history.")}, facts))
    assert fresh.trainer.state.digest() == run.trainer.state.digest()
