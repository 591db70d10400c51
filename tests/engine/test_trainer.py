from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from workbench.engine.commands import PassGuard, scripted
from workbench.engine.events import EpochEnded, Evaluated, Finished, StepTaken
from workbench.engine.state import Snapshot, SnapshotMismatch
from workbench.engine.trainer import Trainer, Until

MakeTrainer = Callable[..., Trainer]


@pytest.mark.parametrize(
    ("until", "end"),
    [
        (Until(steps=0), (0, 1)),
        (Until(steps=9), (9, 2)),
        (Until(epochs=0), (0, 1)),
        (Until(epochs=2), (14, 2)),
        (Until(steps=9, epochs=2), (9, 2)),
        (Until(steps=100, epochs=2), (14, 2)),
        (Until(steps=40), (40, 6)),  # beyond the hyperparameter `epochs`, which is for a run without an end of its own
        (Until(), (21, 3)),
        (None, (21, 3)),
    ],
)
def test_a_run_ends_where_it_is_told_to(make_trainer: MakeTrainer, until: Until | None, end: tuple[int, int]):
    trainer = make_trainer(epochs=3)
    *_, last = trainer.run(until=until)
    assert isinstance(last, Finished)
    assert (last.step, last.epoch) == end == (trainer.state.step, trainer.state.batches.epoch)


def test_a_run_that_has_ended_says_so_again_and_can_go_on(make_trainer: MakeTrainer):
    trainer = make_trainer()
    list(trainer.run(until=Until(steps=5)))
    digest = trainer.state.digest()
    assert [type(event) for event in trainer.run(until=Until(steps=3))] == [Finished]
    assert trainer.state.digest() == digest
    assert [event.step for event in trainer.run(until=Until(steps=7)) if isinstance(event, StepTaken)] == [6, 7]


def test_an_epoch_tells_in_this_order_step_end_evaluation(make_trainer: MakeTrainer):
    events = list(make_trainer().run(until=Until(epochs=1)))
    assert [type(event) for event in events] == [Evaluated, *[StepTaken] * 7, EpochEnded, Evaluated, Finished]
    assert [event.step for event in events] == [0, 1, 2, 3, 4, 5, 6, 7, 7, 7, 7]


def test_before_any_mini_batch_there_is_no_gradient_no_update_and_no_mini_batch_to_tell_of(make_trainer: MakeTrainer):
    first, later = (event for event in make_trainer(batch_norm=True).run(until=Until(epochs=1)) if isinstance(event, Evaluated))
    for layer in (*first.layers, *later.layers):
        seen = np.array([layer.gradient_norm, layer.update_ratio])
        assert (np.isnan(seen) if any(layer is each for each in first.layers) else seen > 0).all()
        assert layer.weight_norm > 0
        if layer.batchnorm is not None:
            batch = np.concatenate([layer.batchnorm.batch_mean, layer.batchnorm.batch_var])
            assert (np.isnan(batch) if any(layer is each for each in first.layers) else np.isfinite(batch)).all()
            assert np.isfinite(layer.batchnorm.running_mean).all()


def test_evaluating_changes_nothing(make_trainer: MakeTrainer):
    often, seldom = (make_trainer(evaluate_every=n, batch_norm=True, keep_prob=0.8) for n in (1, 1000))
    list(often.run(until=Until(steps=20)))
    list(seldom.run(until=Until(steps=20)))
    assert often.state.digest() == seldom.state.digest()


def test_the_state_is_consistent_at_every_event(make_trainer: MakeTrainer):
    """Whoever stops listening anywhere and goes on later gets the same run."""
    whole = make_trainer(keep_prob=0.8)
    list(whole.run(scripted([(4, "l2", 0.1)]), Until(steps=9)))
    for stop in range(13):
        trainer = make_trainer(keep_prob=0.8)
        source = scripted([(4, "l2", 0.1)])
        for number, _ in enumerate(trainer.run(source, Until(steps=9))):
            if number == stop:
                break
        list(trainer.run(source, Until(steps=9)))
        assert trainer.state.digest() == whole.state.digest()


def test_runs_of_other_seeds_and_of_the_same_one(make_trainer: MakeTrainer):
    digests = []
    for seed in (1, 1, 2):
        trainer = make_trainer(seed=seed)
        list(trainer.run(until=Until(steps=3)))
        digests.append(trainer.state.digest())
    assert digests[0] == digests[1] != digests[2]


def test_the_hash_sees_every_part_of_the_state(make_trainer: MakeTrainer):
    trainer = make_trainer(batch_norm=True)
    list(trainer.run(until=Until(steps=3)))
    state = trainer.state
    seen = {state.digest()}
    state.network.parameters[-1] += 1e-6
    seen.add(state.digest())
    for moment in state.optimizer.moments.values():
        moment.value[0] += 1e-6
        seen.add(state.digest())
        moment.product *= 0.5
        seen.add(state.digest())
    assert state.network.running is not None
    state.network.running.value[-1] += 1e-6
    seen.add(state.digest())
    state.batches.seek(1, 16)
    seen.add(state.digest())
    state.step += 1
    seen.add(state.digest())
    state.use_optimizer("adamw")
    seen.add(state.digest())
    assert len(seen) == 10


# Snapshots ---------------------------------------------------------------------------------------------------------


def test_a_snapshot_is_a_copy(make_trainer: MakeTrainer):
    trainer = make_trainer()
    snapshot = trainer.state.snapshot()
    before = snapshot.tensors["W1"].copy()
    list(trainer.run(until=Until(steps=3)))
    np.testing.assert_array_equal(snapshot.tensors["W1"], before)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden": [7, 5]}, "tensor W1: expected float32"),
        ({"hidden": [6, 5, 4]}, "tensor W3: expected float32"),
        ({"batch_norm": True}, "missing"),
    ],
)
def test_a_snapshot_of_another_network_is_refused_and_changes_nothing(
    make_trainer: MakeTrainer, changes: dict[str, object], message: str
):
    trainer = make_trainer(**changes)
    digest = trainer.state.digest()
    with pytest.raises(SnapshotMismatch, match=message):
        trainer.state.restore(make_trainer().state.snapshot())
    assert trainer.state.digest() == digest


@pytest.mark.parametrize(
    "damage",
    [
        lambda tensors, facts: tensors.pop("W1"),
        lambda tensors, facts: tensors.pop("m.product"),
        lambda tensors, facts: tensors.pop("epoch_cost"),
        lambda tensors, facts: tensors.update({"s.product": np.array([])}),
        lambda tensors, facts: tensors.update({"m": tensors["m"].astype(np.float64)}),
        lambda tensors, facts: facts.pop("step"),
        lambda tensors, facts: facts.update(step="many"),
        lambda tensors, facts: facts.update(offset="55"),
        lambda tensors, facts: facts.update(epoch="0"),
        lambda tensors, facts: facts.update(optimizer="magic"),
        lambda tensors, facts: facts.pop("optimizer"),
    ],
)
def test_a_snapshot_with_something_missing_or_wrong_is_refused_and_changes_nothing(
    make_trainer: MakeTrainer, damage: Callable[[dict[str, object], dict[str, object]], object]
):
    trainer = make_trainer()
    list(trainer.run(until=Until(steps=3)))
    snapshot = trainer.state.snapshot()
    tensors, facts = dict(snapshot.tensors), dict(snapshot.facts)
    damage(tensors, facts)  # type: ignore[arg-type]
    other = make_trainer()
    digest = other.state.digest()
    with pytest.raises(ValueError, match=r"."):
        other.state.restore(Snapshot(tensors, facts))
    assert other.state.digest() == digest


def test_a_trainer_put_back_goes_on_as_it_did_with_what_was_in_force_there(make_trainer: MakeTrainer):
    trainer = make_trainer(keep_prob=0.7)
    list(trainer.run(scripted([(3, "learning_rate", 0.1)]), Until(steps=5)))
    snapshot, hyperparameters = trainer.state.snapshot(), trainer.hyperparameters
    list(trainer.run(scripted([(7, "keep_prob", 0.5)]), Until(steps=12)))
    digest = trainer.state.digest()
    trainer.apply(PassGuard())
    trainer.restore(snapshot, hyperparameters)
    assert not trainer.stepped
    assert not trainer.passes_guard
    assert trainer.hyperparameters == hyperparameters
    list(trainer.run(scripted([(7, "keep_prob", 0.5)]), Until(steps=12)))
    assert trainer.state.digest() == digest


def test_that_the_guard_was_to_be_passed_is_put_back_too(make_trainer: MakeTrainer):
    trainer = make_trainer()
    snapshot = trainer.state.snapshot()
    trainer.restore(snapshot, trainer.hyperparameters, passes_guard=True)
    assert trainer.passes_guard
    trainer.restore(snapshot, trainer.hyperparameters)
    assert not trainer.passes_guard


def test_a_trainer_refuses_the_snapshot_of_another_network_and_changes_nothing(make_trainer: MakeTrainer):
    trainer = make_trainer(hidden=[7, 5])
    list(trainer.run(until=Until(steps=2)))
    before, other = trainer.hyperparameters, make_trainer(learning_rate=0.5)
    with pytest.raises(SnapshotMismatch, match="tensor W1"):
        trainer.restore(other.state.snapshot(), other.hyperparameters)
    assert trainer.stepped
    assert trainer.hyperparameters == before
