"""A file that has changed on the disk is never taken for a good one, and never more than one line of trouble."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aftermath import go, hashes, litter, load_all, new_session, two_branches

from workbench.files.errors import CheckpointError, InputError
from workbench.run.environment import ARITHMETIC
from workbench.run.run import CannotFollow, Run
from workbench.session.format import session_to_toml
from workbench.session.preset import parse_preset
from workbench.session.session import Session
from workbench.session.store import load_branch, load_session, read_session

TINY: dict[str, Any] = {
    "data": {"source": "gaussians", "examples": 20, "classes": 2, "noise": 0.3},
    "network": {"hidden": []},
    "training": {"batch_size": 16, "optimizer": "gradient_descent"},
}
SAMPLE = 300
"""Flips of a session's text that are tried; with --soak, all its bytes."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tiny-1.toml"


@pytest.fixture
def tiny(path: Path) -> Path:
    """A session with as small a checkpoint as any, which is returned."""
    go(Run(Session(preset=parse_preset(TINY, "tiny.toml", "tiny"), seed=1)), 2).save(path)
    return checkpoint_of(path)


def checkpoint_of(path: Path, branch: str = "main") -> Path:
    return path.with_name(str(read_session(path).named(branch).checkpoint))


def refused(path: Path, checkpoint: Path) -> None:
    with pytest.raises(CheckpointError) as caught:
        load_session(path)
    text = str(caught.value)
    assert text.startswith(f"{checkpoint}: ")
    assert text.isprintable()


@pytest.mark.parametrize("flip", [0x01, 0x80], ids=hex)
def test_every_byte_of_a_checkpoint_counts(path: Path, tiny: Path, flip: int) -> None:
    good = tiny.read_bytes()
    assert 1000 < len(good) < 5000
    with tiny.open("r+b", buffering=0) as file:
        for at, byte in enumerate(good):
            file.seek(at)
            file.write(bytes([byte ^ flip]))
            refused(path, tiny)
            file.seek(at)
            file.write(bytes([byte]))
    assert load_session(path)[0].step == 2


def test_every_truncation_of_a_checkpoint_is_noticed(path: Path, tiny: Path) -> None:
    good = tiny.read_bytes()
    with tiny.open("r+b", buffering=0) as file:
        for length in reversed(range(len(good))):
            file.truncate(length)
            refused(path, tiny)
    tiny.write_bytes(good)
    assert load_session(path)[0].step == 2


def test_blocks_that_were_never_written_are_noticed(path: Path, tiny: Path) -> None:
    """A disk may give zeros, or what was there before, for a sector that was lost: of any size, at any place."""
    good = tiny.read_bytes()
    for size in (64, 512):
        for at in range(0, len(good), size):
            for other in (bytes(size), b"\xff" * size, good[:size]):
                damaged = (good[:at] + other + good[at + size :])[: len(good)]
                tiny.write_bytes(damaged)
                if damaged != good:
                    refused(path, tiny)


def flipped(good: bytes, at: int, rng: random.Random) -> bytes:
    return good[:at] + bytes([good[at] ^ rng.choice((0x01, 0x02, 0x10, 0x20, 0x80))]) + good[at + 1 :]


def test_a_damaged_text_of_a_session_is_refused_or_is_a_session(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    path = tmp_path / "small-1.toml"
    two_branches().save(path)
    good, rng = path.read_bytes(), random.Random(1)
    places = range(len(good)) if request.config.getoption("--soak") else rng.sample(range(len(good)), SAMPLE)
    lines: list[str] = []
    for at in places:
        path.write_bytes(flipped(good, at, rng))
        try:
            session = read_session(path)
            assert session_to_toml(session)
            Run(session, path)
        except InputError as error:
            lines.append(" ".join(error.problems))
        except (CheckpointError, CannotFollow) as error:
            lines.append(str(error))
    assert all(line.isprintable() for line in lines)
    assert 20 < len(lines) < len(places) - 20
    path.write_bytes(good)
    assert load_all(path) == read_session(path)


def test_every_truncation_of_a_session_is_refused_or_is_a_session(tmp_path: Path) -> None:
    path = tmp_path / "small-1.toml"
    two_branches().save(path)
    good, lines = path.read_bytes(), list[str]()
    lengths = range(0, len(good), 7)
    for length in lengths:
        path.write_bytes(good[:length])
        try:
            read_session(path)
        except InputError as error:
            lines.append(" ".join(error.problems))
    assert all(line.isprintable() for line in lines)
    assert len(lines) > len(lengths) // 2


# What can still be done ----------------------------------------------------------------------------------------------


def damage(checkpoint: Path) -> None:
    data = bytearray(checkpoint.read_bytes())
    data[-5] ^= 0x01
    checkpoint.write_bytes(data)


def cut_short(checkpoint: Path) -> None:
    checkpoint.write_bytes(checkpoint.read_bytes()[:-1])


def empty(checkpoint: Path) -> None:
    checkpoint.write_bytes(b"")


def lose(checkpoint: Path) -> None:
    checkpoint.unlink()


def make_it_a_folder(checkpoint: Path) -> None:
    checkpoint.unlink()
    checkpoint.mkdir()


HARMS = (damage, cut_short, empty, lose, make_it_a_folder)


@pytest.mark.parametrize("harm", HARMS)
def test_it_can_be_trained_again_to_the_recorded_hash(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    path = tmp_path / "small-1.toml"
    session = two_branches().save(path)
    recorded = hashes(session)
    checkpoint = checkpoint_of(path, session.current)
    harm(checkpoint)
    with pytest.raises(CheckpointError) as caught:
        Run(read_session(path), path)
    assert str(caught.value).startswith(f"{checkpoint}: ")
    run = Run(read_session(path), path, rebuild=True)
    assert (run.place.step, run.trainer.state.digest()) == recorded[session.current]
    assert not run.remark
    if harm is make_it_a_folder:
        return  # whose content is not ours to remove
    run.save(path)
    assert litter(tmp_path) == set()
    for name in recorded:
        run = Run(read_session(path), path)
        run.switch(name)
        assert (run.place.step, run.trainer.state.digest()) == recorded[name]
        assert not run.remark


@pytest.mark.parametrize(
    ("arithmetic", "who"),
    [
        (ARITHMETIC, "something on this machine computes otherwise"),
        (1, "an earlier workbench, which began this run, computed otherwise"),
    ],
)
def test_trained_again_to_another_state_it_says_who_computes_otherwise(tmp_path: Path, arithmetic: int, who: str) -> None:
    path = tmp_path / "small-1.toml"
    session = two_branches().save(path)
    _, recorded = hashes(session)[session.current]
    text = path.read_text().replace(recorded, "0" * 64)
    path.write_text(text.replace(f"\narithmetic = {ARITHMETIC}\n", f"\narithmetic = {arithmetic}\n"))
    run = Run(read_session(path), path, rebuild=True)
    assert run.remark == f"the state is not the one that was recorded: {who}"


def test_of_a_branch_one_does_not_stand_on_it_is_no_trouble(tmp_path: Path) -> None:
    """It is trained again when one goes there, and saved whole the next time."""
    path = tmp_path / "small-1.toml"
    recorded = hashes(two_branches().save(path))
    damage(checkpoint_of(path, "main"))
    run = Run(read_session(path), path)
    run.switch("main")
    assert (run.place.step, run.trainer.state.digest()) == recorded["main"]
    assert not run.remark
    run.save(path)
    assert hashes(load_all(path)) == recorded


def test_checkpoints_that_were_exchanged_are_noticed(tmp_path: Path) -> None:
    path = tmp_path / "small-1.toml"
    session = two_branches().save(path)
    one, other = checkpoint_of(path, "main"), checkpoint_of(path, "main-2")
    one_bytes, other_bytes = one.read_bytes(), other.read_bytes()
    one.write_bytes(other_bytes)
    other.write_bytes(one_bytes)
    for name in ("main", "main-2"):
        with pytest.raises(CheckpointError, match="another checkpoint was put in its place"):
            load_branch(session, name, path)


@pytest.mark.parametrize("harm", [damage, lose])
def test_the_command_line_offers_to_train_it_again(
    tmp_path: Path, workbench: Callable[..., Any], harm: Callable[[Path], None]
) -> None:
    path = tmp_path / "small-1.toml"
    run = go(Run(new_session()), 5, [(2, "learning_rate", 0.02)])
    run.save(path)
    expected = go(run, 9).trainer.state.digest()
    checkpoint = checkpoint_of(path)
    harm(checkpoint)
    text = path.read_text()

    done = workbench("train", path, "--steps", 9)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"workbench: {checkpoint}: ")
    assert "--rebuild" in done.stderr
    assert done.stderr.count("\n") == 1

    done = workbench("train", path, "--steps", 9, "--rebuild", "--json", "--save", path)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["state_hash"] == expected
    assert path.read_text() != text
    assert hashes(load_all(path)) == {"main": (9, expected)}
    assert litter(tmp_path) == set()
