from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from workbench.engine.measurements import Score
from workbench.files.errors import CheckpointError, InputError, SaveError
from workbench.session.branch import Edit, Result
from workbench.session.checkpoint import Tensors
from workbench.session.session import Session
from workbench.session.store import fresh_name, list_sessions, load_session, read_session, save

FACTS = {"position": "12"}


def save_one(session: Session, tensors: Tensors, facts: Mapping[str, str], path: Path) -> Session:
    return save(session, {"main": (tensors, facts)}, path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sessions" / "moons-1.toml"


@pytest.fixture
def later(session: Session) -> Session:
    return session.with_branch(step=400, result=Result(400, 5, Score.of(0.05, 0.01)))


def with_edit(session: Session, edit: Edit) -> Session:
    return session.with_branch(edits=(*session.branch.edits, edit))


def later_tensors(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {**tensors, "W1": tensors["W1"] + 1}


def entries(path: Path) -> list[str]:
    return sorted(os.listdir(path.parent))


def assert_loads(path: Path, session: Session, tensors: dict[str, np.ndarray]) -> None:
    back, back_tensors, facts = load_session(path)
    assert back.with_branch(checkpoint=None) == session
    assert facts == FACTS
    assert back_tensors.keys() == tensors.keys()
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(back_tensors[name], tensor)


def test_a_saved_session_can_be_loaded(path: Path, session: Session, tensors: dict[str, np.ndarray]) -> None:
    save_one(session, tensors, FACTS, path)
    assert_loads(path, session, tensors)
    checkpoint, toml = entries(path)
    assert re.fullmatch(r"moons-1\.step-000200-[0-9a-f]{8}\.safetensors", checkpoint)
    assert toml == "moons-1.toml"
    assert read_session(path).branch.checkpoint == checkpoint


def test_saving_again_leaves_one_checkpoint_and_other_files_alone(
    path: Path, session: Session, later: Session, tensors: dict[str, np.ndarray]
) -> None:
    others = [
        "moons-10.step-000200-00000000.safetensors",
        "moons-1.safetensors",
        "moons-1.step-000200-0000000g.safetensors",
        "moons-1.step-2-00000000.safetensors",
        "xmoons-1.step-000200-00000000.safetensors",
        "moons-1.step-000200-00000000.safetensors.bak",
    ]
    path.parent.mkdir()
    for name in [*others, "moons-1.step-000001-00000000.safetensors"]:
        (path.parent / name).write_bytes(b"")
    save_one(session, tensors, FACTS, path)
    save_one(later, later_tensors(tensors), FACTS, path)
    assert_loads(path, later, later_tensors(tensors))
    assert set(entries(path)) == {*others, "moons-1.toml", read_session(path).branch.checkpoint}


def failing(patch: pytest.MonkeyPatch, call: str, at: int) -> None:
    """Let the `at`-th call fail, and all after it work."""
    real, calls = getattr(os, call), []

    def sometimes(*arguments: object) -> object:
        calls.append(arguments)
        if len(calls) == at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(*arguments)

    patch.setattr(os, call, sometimes)


# Each file takes one write and one replace: the checkpoint's is the first, the session's the second.
@pytest.mark.parametrize("at", [1, 2], ids=["checkpoint", "session"])
@pytest.mark.parametrize("call", ["write", "replace"])
def test_a_failed_save_leaves_the_old_pair_and_nothing_else(
    path: Path,
    session: Session,
    later: Session,
    tensors: dict[str, np.ndarray],
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    at: int,
) -> None:
    save_one(session, tensors, FACTS, path)
    before = {name: (path.parent / name).read_bytes() for name in entries(path)}
    with monkeypatch.context() as patch:
        failing(patch, call, at)
        with pytest.raises(SaveError, match="no space left on device"):
            save_one(later, later_tensors(tensors), FACTS, path)
    assert {name: (path.parent / name).read_bytes() for name in entries(path)} == before
    assert_loads(path, session, tensors)
    save_one(later, later_tensors(tensors), FACTS, path)
    assert_loads(path, later, later_tensors(tensors))


@pytest.mark.parametrize("at", [1, 2, 3, 4], ids=["checkpoint", "its folder", "session", "session's folder"])
def test_after_any_failed_flush_what_the_session_names_is_there(
    path: Path, session: Session, later: Session, tensors: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    save_one(session, tensors, FACTS, path)
    with monkeypatch.context() as patch:
        failing(patch, "fsync", at)
        with pytest.raises(SaveError) as caught:
            save_one(later, later_tensors(tensors), FACTS, path)
    if at == 4:
        assert caught.value.in_place
        assert_loads(path, later, later_tensors(tensors))
    else:
        assert_loads(path, session, tensors)


def test_a_failed_save_of_the_same_state_keeps_the_checkpoint_in_use(
    path: Path, session: Session, tensors: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    save_one(session, tensors, FACTS, path)
    with monkeypatch.context() as patch:
        failing(patch, "replace", 2)
        with pytest.raises(SaveError):
            save_one(with_edit(session, Edit(200, "l2", 0.0, 0.1)), tensors, FACTS, path)
    assert_loads(path, session, tensors)


def test_at_every_system_call_the_session_on_disk_has_its_own_checkpoint(
    path: Path, session: Session, later: Session, tensors: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    save_one(session, tensors, FACTS, path)
    steps = []

    def looked_at(call: str) -> None:
        real = getattr(os, call)

        def look(*arguments: object, **options: object) -> object:
            steps.append(load_session(path)[0].step)
            return real(*arguments, **options)

        monkeypatch.setattr(os, call, look)

    for call in ("write", "fsync", "replace", "unlink", "close"):
        looked_at(call)
    save_one(later, later_tensors(tensors), FACTS, path)
    assert steps == sorted(steps)
    assert set(steps) == {200, 400}


def test_a_session_that_could_not_be_read_back_does_not_replace_a_good_one(
    path: Path, session: Session, tensors: dict[str, np.ndarray]
) -> None:
    save_one(session, tensors, FACTS, path)
    before = entries(path)
    with pytest.raises(SaveError, match=r"it could not be read back: .*branch\[1\].edit\[5\].step"):
        save_one(with_edit(session, Edit(1, "l2", 0.0, 0.1)), tensors, FACTS, path)
    with pytest.raises(SaveError):
        save_one(session, tensors, {"name": "\udcff"}, path)
    assert entries(path) == before
    assert_loads(path, session, tensors)


def test_a_lost_damaged_or_foreign_checkpoint_leaves_the_session_readable(
    path: Path, session: Session, later: Session, tensors: dict[str, np.ndarray]
) -> None:
    save_one(session, tensors, FACTS, path)
    save_one(later, later_tensors(tensors), FACTS, path.with_name("other.toml"))
    checkpoint = path.with_name(str(read_session(path).branch.checkpoint))
    other = path.with_name(str(read_session(path.with_name("other.toml")).branch.checkpoint))
    for data, reason in (
        (other.read_bytes(), "another checkpoint was put in its place"),
        (checkpoint.read_bytes()[:-1], "damaged"),
        (None, "no such file"),
    ):
        checkpoint.unlink()
        if data is not None:
            checkpoint.write_bytes(data)
        with pytest.raises(CheckpointError, match=reason):
            load_session(path)
        assert read_session(path).step == 200
        if data is None:
            break
    save_one(session, tensors, FACTS, path)
    assert_loads(path, session, tensors)


def test_a_session_without_checkpoint_says_so(path: Path, session: Session, tensors: dict[str, np.ndarray]) -> None:
    save_one(session, tensors, FACTS, path)
    path.write_text(re.sub("checkpoint = .*\n", "", path.read_text()))
    with pytest.raises(CheckpointError) as caught:
        load_session(path)
    assert str(caught.value) == f"{path}: the session has no checkpoint"


def test_through_a_symbolic_link_the_pair_stays_together(
    tmp_path: Path, path: Path, session: Session, later: Session, tensors: dict[str, np.ndarray]
) -> None:
    save_one(session, tensors, FACTS, path)
    link = tmp_path / "latest.toml"
    link.symlink_to(path)
    save_one(later, later_tensors(tensors), FACTS, link)
    assert link.is_symlink()
    for each in (link, path):
        assert_loads(each, later, later_tensors(tensors))
    assert len(entries(path)) == 2


def test_a_private_session_stays_private(path: Path, session: Session, tensors: dict[str, np.ndarray]) -> None:
    save_one(session, tensors, FACTS, path)
    path.chmod(0o600)
    save_one(session, tensors, FACTS, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (checkpoint,) = path.parent.glob("*.safetensors")
    assert stat.S_IMODE(checkpoint.stat().st_mode) == 0o600
    checkpoint.chmod(0o644)  # as an earlier workbench left it
    save_one(session, tensors, FACTS, path)
    assert stat.S_IMODE(checkpoint.stat().st_mode) == 0o600


def test_a_first_save_is_as_private_as_the_umask_says(path: Path, session: Session, tensors: dict[str, np.ndarray]) -> None:
    before = os.umask(0o077)
    try:
        save_one(session, tensors, FACTS, path)
    finally:
        os.umask(before)
    assert {stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()} == {0o600}


def test_sessions_are_listed_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    assert list_sessions(tmp_path / "none") == []
    for name in (
        "digits-10.toml",
        "digits-2.toml",
        "a.toml",
        ".digits-3.toml.0.tmp",
        ".hidden.toml",
        "digits-2.step-000001-00000000.safetensors",
    ):
        (tmp_path / name).write_text("")
    (tmp_path / "folder.toml").mkdir()
    assert [path.name for path in list_sessions(tmp_path)] == ["a.toml", "digits-2.toml", "digits-10.toml"]
    with pytest.raises(InputError) as caught:
        list_sessions(tmp_path / "a.toml")
    assert str(caught.value) == f"{tmp_path / 'a.toml'}: not a directory"


def test_a_loop_of_links_hides_no_other_session(tmp_path: Path) -> None:
    for name in ("a.toml", "c.toml"):
        (tmp_path / name).touch()
    (tmp_path / "b.toml").symlink_to("b.toml")
    (tmp_path / "d.toml").symlink_to("nowhere.toml")
    assert [path.name for path in list_sessions(tmp_path)] == ["a.toml", "b.toml", "c.toml", "d.toml"]
    for name, reason in (("b.toml", "too many levels of symbolic links"), ("d.toml", "no such file")):
        with pytest.raises(InputError) as caught:
            read_session(tmp_path / name)
        assert str(caught.value) == f"{tmp_path / name}: {reason}"


def test_a_fresh_name_is_one_never_used(tmp_path: Path) -> None:
    assert fresh_name(tmp_path / "none", "digits") == tmp_path / "none" / "digits-1.toml"
    (tmp_path / "digits-1.toml").write_text("")
    (tmp_path / "digits-9.toml").write_text("")
    (tmp_path / "moons-20.toml").write_text("")
    assert fresh_name(tmp_path, "digits").name == "digits-10.toml"
    (tmp_path / "digits-11.step-000001-00000000.safetensors").write_text("")
    assert fresh_name(tmp_path, "digits").name == "digits-12.toml"


@pytest.mark.parametrize(
    ("preset_name", "name"),
    [
        ("../../etc/passwd", "etc-passwd-1.toml"),
        ("a b\x1b[c\n", "a-b-c-1.toml"),
        ("", "session-1.toml"),
        ("..", "session-1.toml"),
        (".hidden", "hidden-1.toml"),
        ("größe", "größe-1.toml"),
        ("日" * 200, "日" * 40 + "-1.toml"),
        ("x\udcff", "x-1.toml"),
    ],
)
def test_a_fresh_name_is_a_plain_one(
    tmp_path: Path, session: Session, tensors: dict[str, np.ndarray], preset_name: str, name: str
) -> None:
    path = fresh_name(tmp_path, preset_name)
    assert path == tmp_path / name
    save_one(session, tensors, FACTS, path)
    assert_loads(path, session, tensors)
