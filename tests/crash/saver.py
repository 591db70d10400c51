"""A warm process that forks a child for each save and has it killed in the middle: `python saver.py SCENARIO PATH`.

Writes a line once the old session is there and the new one ready in memory, then answers each line
    {"kill_at": N, "torn": false}   the child is killed at its N-th call into the system that touches files
    {"held": true}                  the child waits for a byte on its own, and is somebody else's to kill
with a line of its own: the status (-9, or 0 where it came to its end) and the calls it made.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from aftermath import go, grow, two_branches  # the folder is not on the path of a process started with -P

from workbench.run.run import Run

# Those that only look (stat, listdir) are left out: killed there, a process leaves what it leaves at the next of these.
CALLS = (
    "open", "write", "fsync", "close", "replace", "rename", "link", "unlink", "remove", "mkdir", "rmdir", "fchmod", "chmod",
    "truncate", "ftruncate", "utime", "symlink",
)  # fmt: skip
ANY_TRACER = (0x59616D61, ctypes.c_ulong(-1))
"""prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY): Yama would let none but an ancestor trace."""


def grown(path: Path) -> Run:
    """Both branches have gone on."""
    run = two_branches()
    run.save(path)
    return grow(run)


def first(path: Path) -> Run:
    """Nothing is there yet, not even the folder."""
    return two_branches()


def annotated(path: Path) -> Run:
    """The states are the same, so their checkpoints have the names of those that are there."""
    run = two_branches()
    run.save(path)
    run.annotate(4, "a note")
    return run


def fewer(path: Path) -> Run:
    """A branch was deleted, and with it goes its checkpoint."""
    run = two_branches()
    run.save(path)
    run.delete("main")
    return run


def over_another(path: Path) -> Run:
    """Another session stands there, and is to be replaced."""
    two_branches().save(path)
    run = go(two_branches(), 9)
    run.save(path.parent.parent / "elsewhere" / "mine.toml")
    return run


SCENARIOS: dict[str, Callable[[Path], Run]] = {each.__name__: each for each in (grown, first, annotated, fewer, over_another)}


def die_at(at: int, torn: bool, report: int) -> None:
    """Let the `at`-th call be the last thing this process does: before it, or with `torn` in the middle of a write."""
    made: list[str] = []

    def deadly(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            if arguments[:1] != (report,):
                made.append(name)
                os_write(report, f"{name} ".encode())
                if len(made) == at:
                    if torn and name == "write":
                        real(arguments[0], arguments[1][: len(arguments[1]) // 2])
                    os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **options)

        return call

    os_write = os.write
    for name in CALLS:
        setattr(os, name, deadly(name, getattr(os, name)))


def save_in_child(run: Run, path: Path, order: dict[str, Any]) -> dict[str, Any]:
    told, tell = os.pipe()
    started, start = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            if order.get("held"):
                ctypes.CDLL(None).prctl(*ANY_TRACER)
                os.read(started, 1)
            else:
                die_at(order["kill_at"], order["torn"], tell)
            run.save(path)
        except BaseException as error:
            os.write(2, f"{error!r}\n".encode())
            os._exit(3)
        os._exit(0)
    os.close(tell)
    if order.get("held"):
        answer({"pid": pid})
        sys.stdin.readline()
        os.write(start, b".")
    _, status = os.waitpid(pid, 0)
    with os.fdopen(told, "rb") as calls:
        made = calls.read().decode().split()
    os.close(started)
    os.close(start)
    return {"status": os.waitstatus_to_exitcode(status), "calls": made}


def answer(message: dict[str, Any]) -> None:
    print(json.dumps(message), flush=True)


def main() -> None:
    path = Path(sys.argv[2])
    run = SCENARIOS[sys.argv[1]](path)
    run.result()  # so that what a first evaluation brings about is not in each child
    answer({})
    for line in sys.stdin:
        answer(save_in_child(run, path, json.loads(line)))


if __name__ == "__main__":
    main()
