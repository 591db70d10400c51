"""A save that is killed at any of its system calls leaves the old session or the new one, whole, and no trouble for the next."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from aftermath import Witness, contents, put_back

SCENARIOS = ("grown", "first", "annotated", "fewer", "over_another")
STRACE = shutil.which("strace")
SECONDS = 30
# What a save cannot do without; of each, every single call is interrupted.
NEEDED = {"openat", "write", "fsync", "rename", "close", "mkdir"}


class Saver:
    """The process that forks the saves, and the folder as it was before each of them."""

    def __init__(self, scenario: str, folder: Path) -> None:
        self.path = folder / "sessions" / "small-1.toml"
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(Path(__file__).with_name("saver.py")), scenario, str(self.path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._listen()
        self._old = contents(self.path.parent) if self.path.parent.is_dir() else None
        assert self._ask(kill_at=0, torn=False)["status"] == 0
        self.witness = Witness(self.path, None if self._old is None else self._old[self.path.name], self.path.read_bytes())

    def interrupted(self, **order: Any) -> dict[str, Any]:
        """A save over the old session, with what is done to it in the middle."""
        put_back(self.path.parent, self._old)
        return self._ask(**order)

    def traced(self, *options: str) -> dict[str, Any]:
        """A save under strace from its first call on."""
        put_back(self.path.parent, self._old)
        pid = self._ask(held=True)["pid"]
        assert STRACE is not None
        strace = subprocess.Popen([STRACE, "-p", str(pid), *options], stderr=subprocess.PIPE, text=True)
        assert strace.stderr is not None
        said = strace.stderr.readline()
        attached = "attached" in said
        self._send({})
        done = self._listen()
        strace.communicate(timeout=SECONDS)
        if not attached:
            pytest.skip(f"strace may not attach here: {said.strip()}")
        return done

    def close(self) -> None:
        self._process.communicate(timeout=SECONDS)

    def _ask(self, **order: Any) -> dict[str, Any]:
        self._send(order)
        return self._listen()

    def _send(self, order: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def _listen(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


@contextmanager
def saver(scenario: str, folder: Path) -> Iterator[Saver]:
    one = Saver(scenario, folder)
    try:
        yield one
    finally:
        one.close()


def assert_old_then_new(seen: list[str]) -> None:
    """There is one moment at which the old session becomes the new one."""
    assert seen == sorted(seen, key=["old", "new"].index)
    assert set(seen) == {"old", "new"}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_killed_before_each_call(tmp_path: Path, scenario: str) -> None:
    seen: list[str] = []
    with saver(scenario, tmp_path) as one:
        while True:
            done = one.interrupted(kill_at=len(seen) + 1, torn=False)
            if done["status"] != -9:
                break
            seen.append(one.witness.look())
        assert done["status"] == 0
        assert len(seen) == len(done["calls"]), "one death for each call, and then none"
        assert one.witness.look() == "new"
    assert_old_then_new(seen)
    # Three files (or two, where one branch is left), each with its folder.
    files = 2 if scenario in ("annotated", "fewer") else 3
    assert Counter(done["calls"]) >= Counter({"write": files, "fsync": 2 * files, "replace": files, "open": 2 * files})
    assert len(seen) >= 8 * files


@pytest.mark.parametrize("scenario", ["grown", "first"])
def test_killed_in_the_middle_of_each_write(tmp_path: Path, scenario: str) -> None:
    seen = []
    with saver(scenario, tmp_path) as one:
        calls = one.interrupted(kill_at=0, torn=False)["calls"]
        for at in (number for number, call in enumerate(calls, start=1) if call == "write"):
            assert one.interrupted(kill_at=at, torn=True)["status"] == -9
            seen.append(one.witness.look())
    assert seen == ["old"] * 3


def killed_by_strace(one: Saver, log: Path, each: int) -> Counter[str]:
    """Kill a save at every `each`-th of the system calls that it makes on files; how many deaths there were at which calls."""
    assert one.traced("-o", str(log), "-e", "trace=%file,%desc")["status"] == 0
    made = Counter(re.findall(r"^(\w+)\(", log.read_text(), re.MULTILINE))
    del made["read"]  # the byte it waits for
    assert made.keys() >= NEEDED
    deaths: Counter[str] = Counter()
    targets = [(call, when) for call, times in made.items() for when in range(1, times + 1)]
    for call, when in targets[::each]:
        done = one.traced("-o", str(log), "-e", f"trace={call}", "-e", f"inject={call}:signal=SIGKILL:when={when}")
        assert done["status"] == -9, f"it survived {call} number {when}"
        one.witness.look()
        deaths[call] += 1
    return deaths


@pytest.mark.skipif(STRACE is None, reason="strace is not here; the calls of Python's os module are tested without it")
def test_killed_by_strace_at_some_system_calls(tmp_path: Path) -> None:
    with saver("grown", tmp_path) as one:
        assert killed_by_strace(one, tmp_path / "log", each=7).total() >= 8


@pytest.mark.soak
@pytest.mark.skipif(STRACE is None, reason="strace is not here; the calls of Python's os module are tested without it")
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_killed_by_strace_at_every_system_call(tmp_path: Path, scenario: str) -> None:
    with saver(scenario, tmp_path) as one:
        deaths = killed_by_strace(one, tmp_path / "log", each=1)
    print(f"{scenario}: {deaths.total()} deaths: {dict(deaths)}")
    assert deaths.total() >= 40
    assert deaths["fsync"] >= 4
