"""A checkpoint is bound to what it was trained from: a session edited by hand does not train on with another's weights."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from workbench.engine.commands import scripted
from workbench.engine.trainer import Until
from workbench.files.errors import CheckpointError
from workbench.run.run import Run
from workbench.session.checkpoint import write_checkpoint
from workbench.session.preset import Preset
from workbench.session.session import Session
from workbench.session.store import TRAINED_FROM, load_session, read_session


@pytest.fixture
def saved(make_preset: Callable[..., Preset], tmp_path: Path) -> Path:
    """A session of 30 steps with two edits."""
    run = Run(Session(preset=make_preset(batch_norm=True), seed=1))
    list(run.events(scripted([(10, "learning_rate", 0.05), (20, "bayes_error", 0.1)]), lambda: False, Until(steps=30)))
    run.annotate(10, "a note")
    run.save(tmp_path / "s.toml")
    return tmp_path / "s.toml"


def opened(path: Path) -> Run:
    return Run(read_session(path), path)


def edited(path: Path, pattern: str, by: str) -> None:
    text = path.read_text()
    changed = re.sub(pattern, by, text, count=1, flags=re.MULTILINE)
    assert changed != text
    path.write_text(changed)


@pytest.mark.parametrize(
    ("pattern", "by", "named"),
    [
        (r"^seed = 1$", "seed = 2", "seed was 1, and is 2 in the session"),
        (
            r"^new = 0.05$",
            "new = 0.5",
            r"edit 1 was learning_rate = 0.05 after step 10, and is learning_rate = 0.5 after step 10",
        ),
        (r"^examples = (\d+)$", r"examples = 1\1", r"data.examples was \d+, and is 1\d+ in the session"),
        (r"^l2 = 0.0$", "l2 = 0.25", "training.l2 was none, and is 0.25 in the session"),
        (r'^activation = "\w+"$', 'activation = "elu"', "network.activation was .*, and is elu in the session"),
        (r'^(trained_from = ")\w', r"\1x", None),
        (r'^(trained_from = ")\w{8}', r"\g<1>00000000", "trained_from: not the digest of this preset, seed and timeline"),
    ],
)
def test_what_was_changed_by_hand_is_named(saved: Path, pattern: str, by: str, named: str | None):
    edited(saved, pattern, by)
    if named is None:
        with pytest.raises(Exception, match="64 hexadecimal digits"):
            read_session(saved)
        return
    with pytest.raises(CheckpointError, match=named):
        opened(saved)
    # It can be had again as the text says now.
    again = Run(read_session(saved), saved, rebuild=True)
    assert again.trainer.state.step == 30


@pytest.mark.parametrize("text", ["", "[]", "[" * 200_000, '"seed"'], ids=["nothing", "list", "brackets", "text"])
def test_a_checkpoint_that_does_not_say_what_it_was_trained_from_is_refused(saved: Path, text: str):
    _, tensors, facts = load_session(saved)
    other = saved.with_name("other.safetensors")
    write_checkpoint(other, tensors, {**facts, TRAINED_FROM: text})
    edited(saved, r'^checkpoint = ".*"$', f'checkpoint = "{other.name}"')
    with pytest.raises(CheckpointError, match="not of this session: what it was trained from cannot be read"):
        opened(saved)


@pytest.mark.parametrize(
    ("pattern", "by"),
    [
        (r'^title = ".*"$', 'title = "Another"'),
        (r'^description = .*$', 'description = "Something else"'),
        (r'^text = "a note"$', 'text = "another"'),
        (r"^bayes_error = 0.0$", "bayes_error = 0.02"),
        (r'^name = "main"$', 'name = "trunk"'),
    ],
)  # fmt: skip
def test_what_is_only_read_may_be_changed(saved: Path, pattern: str, by: str):
    before = opened(saved).trainer.state.digest()
    edited(saved, pattern, by)
    if "trunk" in by:
        edited(saved, r'^current = "main"$', 'current = "trunk"')
    assert opened(saved).trainer.state.digest() == before


def test_a_session_of_an_earlier_workbench_opens_and_is_bound_when_it_is_saved(saved: Path):
    text = saved.read_text()
    saved.write_text(re.sub(r"^(trained_from|arithmetic) = .*\n", "", text, flags=re.MULTILINE))
    run = opened(saved)
    assert run.session.environment is not None
    assert run.session.environment.arithmetic == 1
    list(run.events(lambda step: (), lambda: False, Until(steps=31)))
    run.save(saved)
    again = read_session(saved)
    assert again.branch.trained_from is not None
    assert again.environment is not None
    assert again.environment.arithmetic == 1
