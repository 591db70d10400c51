"""The session that comes with the project is a real one: it opens, and its replay proves it."""

from pathlib import Path

from workbench.run.replay import replay
from workbench.run.run import Run
from workbench.session.store import load_session, read_session

EXAMPLE = Path(__file__).parent.parent / "sessions" / "digits-rescued.toml"


def test_the_example_replays_bit_identically_or_names_what_is_other_here():
    (found,) = replay(read_session(EXAMPLE))
    if found.other_environment:
        assert found.largest_gap is None or found.largest_gap < 0.05
        assert found.identical or found.largest_gap is not None
    else:
        assert found.identical
    assert not found.identical or found.through_step == 2000


def test_the_example_goes_on_from_its_checkpoint_with_its_curves_and_edits():
    session, _, facts = load_session(EXAMPLE)
    assert [edit.name for edit in session.branch.edits] == ["learning_rate", "learning_rate", "batch_size"]
    run = Run(session, EXAMPLE)
    assert run.trainer.state.step == int(facts["step"]) == 2000
    assert run.trainer.state.digest() == session.branch.marks[-1].hash
    assert run.trainer.hyperparameters.batch_size == 64
    assert len(run.history.series["cost"]) == 2000
