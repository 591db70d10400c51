"""What going back costs for a network of about a million parameters: a snapshot, undo, a switch of branches, a rewind, a save.

    python tests/benchmarks/bench_travel.py [--steps N] [--rewinds N]

Trains N steps with an edit in the middle, then goes back to random steps, within the default memory for snapshots. Times are
of this machine; beside them stands what they are in training steps.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from workbench.engine.commands import scripted
from workbench.engine.trainer import Until
from workbench.run.run import Run
from workbench.session.branch import Place
from workbench.session.preset import parse_preset
from workbench.session.session import Session
from workbench.session.timeline import place_before

PRESET = {
    "data": {"source": "digits"},
    "network": {"hidden": [896, 896, 128], "batch_norm": True},
    "training": {"batch_size": 64, "learning_rate": 0.001, "epochs": 1_000_000},
}


def timed(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--rewinds", type=int, default=20)
    options = parser.parse_args()
    run = Run(Session(preset=parse_preset(PRESET, "benchmark", "benchmark"), seed=1))
    half = options.steps // 2

    def train(steps: int, edits: list[tuple[int, str, object]]) -> None:
        for _ in run.events(scripted(edits), lambda: False, Until(steps=steps)):
            pass

    seconds = timed(lambda: train(options.steps, [(half, "learning_rate", 3e-4)]))
    step = seconds / options.steps
    print(f"{run.trainer.state.network.parameters.size:,} parameters, {step * 1e3:.2f} ms a step (evaluations included)")
    print(f"{len(run.snapshots)} snapshots, {run.snapshots.size / 2**20:.0f} MiB, after {options.steps:,} steps")

    def row(name: str, times: list[float]) -> None:
        median, worst = statistics.median(times), max(times)
        print(f"{name:<22} median {median * 1e3:7.1f} ms ({median / step:5.1f} steps)   worst {worst * 1e3:7.1f} ms")

    kept: list[object] = []
    row("snapshot", [timed(lambda: kept.append(run.trainer.state.snapshot())) for _ in range(15)])
    kept.clear()
    undo, switch, rewind = [], [], []
    for _ in range(10):
        undo.append(timed(lambda: run.go_to(Place(half, 0))))
        switch.append(timed(lambda: run.switch("main")))
    for place in random.Random(1).sample(range(options.steps), options.rewinds):
        target = place_before(run.session.branch, place)
        rewind.append(timed(partial(run.go_to, target)))
        run.switch("main")
    row("undo, the model too", undo)
    row("switch of branches", switch)
    row("rewind", rewind)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "session.toml"
        row("save by itself", [timed(lambda: run.save(path, scored=False)) for _ in range(5)])


if __name__ == "__main__":
    main()
