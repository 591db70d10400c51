"""What the screen costs: throughput with it open, also on a slow line, key to echo, first frame.

    python tests/benchmarks/bench_app.py [throughput] [slow] [echo] [frame] [--rounds N]

Each figure is measured in a real pseudo-terminal of 120×40, in pairs taken in turn, and told as a ratio of medians of
one run. The preset is the smallest of the speed benchmark: 2-32-32-4, mini-batches of 32.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from terminal import Terminal

PRESET = """
[data]
source = "spiral"
classes = 4
[network]
hidden = [32, 32]
[training]
batch_size = 32
epochs = 1000000
evaluate_every = 2000
"""

# Both children note the step at two moments, so that starting up is not measured.
HEADLESS = """
import json, sys, time
from pathlib import Path
from workbench.session.preset import read_preset
from workbench.run.run import Run
from workbench.session.session import Session
preset, out, first, last = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])
run = Run(Session(preset=read_preset(preset), seed=1))
flushed = start = time.monotonic()
notes = []
def due():
    global flushed
    now = time.monotonic()
    if now - flushed < 0.1:
        return False
    flushed = now
    return True
for event in run.events(lambda step: (), due):
    now = time.monotonic() - start
    if len(notes) == 0 and now > first or now > last:
        notes.append((now, run.trainer.state.step))
    if now > last:
        break
(t0, s0), (t1, s1) = notes[0], notes[-1]
out.write_text(json.dumps((s1 - s0) / (t1 - t0)))
"""

WITH_SCREEN = """
import json, sys, time
from pathlib import Path
from workbench.session.opening import read_either
from workbench.ui.app import WorkbenchApp
preset, out, first, last = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])
class Timed(WorkbenchApp):
    def on_mount(self):
        self.notes = []
        self.set_interval(0.05, self.look)
    def look(self):
        monitor = getattr(self.screen, "monitor", None)
        if monitor is None or not monitor.step:
            return
        arrived, step = monitor._arrivals[-1] if monitor._arrivals else (0.0, 0)
        if not self.notes:
            self.start = arrived
        if not self.notes or self.notes[-1][0] != arrived:
            self.notes.append((arrived, step))
        if arrived - self.start > last:
            kept = [note for note in self.notes if note[0] - self.start > first]
            (t0, s0), (t1, s1) = kept[0], kept[-1]
            out.write_text(json.dumps((s1 - s0) / (t1 - t0)))
            self.exit()
Timed(Path(sys.argv[2] + ".sessions"), read_either(preset)).run()
"""

BARE = """
from textual.app import App
from textual.widgets import Static
class Bare(App):
    def compose(self):
        yield Static("READY")
Bare().run()
"""


def throughput(folder: Path, preset: Path, rounds: int) -> None:
    """Steps per second of the engine, with the screen open and headless."""
    compare_throughput(folder, preset, rounds, "screen", lambda terminal: terminal.drain(0.1))


def compare_throughput(folder: Path, preset: Path, rounds: int, name: str, read: Callable[[Terminal], object]) -> None:
    """Both kinds in turn, while the terminal is read as it is told."""
    rates: dict[str, list[float]] = {name: [], "headless": []}
    for number in range(rounds):
        for kind, script in (("headless", HEADLESS), (name, WITH_SCREEN)):
            out = folder / f"{name}-{kind}-{number}.json"
            terminal = Terminal([sys.executable, "-c", script, str(preset), str(out), "2", "8"])
            for _ in range(200):
                if out.exists() and out.stat().st_size:
                    break
                try:
                    read(terminal)
                except TimeoutError:
                    break
            terminal.close()
            rates[kind].append(json.loads(out.read_text()))
    ratios = [a / b for a, b in zip(rates[name], rates["headless"], strict=True)]
    for kind, each in rates.items():
        print(f"throughput {kind:<9} {statistics.median(each):>9,.0f} steps/s (median of {rounds})")
    print(f"throughput {name} / headless, pair by pair: {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})")


def slow(folder: Path, preset: Path, rounds: int) -> None:
    """Throughput on lines that take 1, 4 and 64 KB/s, and the seconds from `q` to the end of the process."""
    for rate in (1, 4, 64):
        reading = partial(Terminal.drain_slowly, seconds=0.1, rate=1024 * rate)
        compare_throughput(folder, preset, rounds, f"{rate} KB", reading)
        ends: list[float] = []
        for number in range(rounds):
            sessions = folder / f"slow{rate}-{number}"
            terminal = Terminal([sys.executable, "-m", "workbench", str(preset), "--sessions", str(sessions)])
            terminal.wait_for("steps/s")
            terminal.drain_slowly(5, 1024 * rate)
            terminal.type("q")
            sent = time.perf_counter()
            while terminal.drain_slowly(0.1, 1024 * rate):
                pass
            ends.append(time.perf_counter() - sent)
            terminal.close()
        print(f"slow       {rate} KB/s: {statistics.median(ends):.2f} s from q to the end ({min(ends):.2f} to {max(ends):.2f})")


def echo(folder: Path, preset: Path, samples: int) -> None:
    """From a digit typed into a value to its being drawn, while training."""
    terminal = Terminal([sys.executable, "-m", "workbench", str(preset), "--sessions", str(folder / "echo")])
    terminal.wait_for("steps/s")
    terminal.drain(3)
    terminal.type("e")
    rng = random.Random(1)
    times: list[float] = []
    while len(times) < samples:
        typed = ""
        for _ in range(10):
            typed += str(rng.randint(1, 9))
            terminal.drain(rng.uniform(0.05, 0.25))
            terminal.type(typed[-1])
            sent = time.perf_counter()
            times.append(terminal.wait_for(f"{typed}▏") - sent)
        terminal.type("\x1b")
        terminal.drain(0.3)
    terminal.close()
    times.sort()
    p99 = times[int(len(times) * 0.99)]
    figures = {"median": statistics.median(times), "99th percentile": p99, "worst": times[-1]}
    print("echo       " + ", ".join(f"{name} {each * 1e3:.0f} ms" for name, each in figures.items()), f"({len(times)} keys)")


def frame(folder: Path, rounds: int) -> None:
    """From the start of the process to the first frame: our library against an app of one line."""
    times: dict[str, list[float]] = {"workbench": [], "bare": []}
    commands = {
        "bare": ([sys.executable, "-c", BARE], "READY"),
        "workbench": ([sys.executable, "-m", "workbench", "--sessions", str(folder / "none")], "Presets"),
    }
    for number in range(rounds + 1):
        for kind, (command, text) in commands.items():
            terminal = Terminal(command)
            drawn = terminal.wait_for(text) - terminal.started
            terminal.close()
            if number:  # the first warms the disk's cache
                times[kind].append(drawn)
    ratios = [a / b for a, b in zip(times["workbench"], times["bare"], strict=True)]
    for kind, each in times.items():
        print(f"frame      {kind:<9} {statistics.median(each):.3f} s (median of {rounds})")
    print(f"frame      workbench / bare, pair by pair: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


def main() -> None:
    """Measure what is asked for; all by default."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", metavar="WHAT", help="throughput, slow, echo, frame")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--keys", type=int, default=300)
    options = parser.parse_args()
    what = options.what or ["throughput", "slow", "echo", "frame"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        preset = folder / "smallest.toml"
        preset.write_text(PRESET)
        if "frame" in what:
            frame(folder, options.rounds)
        if "throughput" in what:
            throughput(folder, preset, options.rounds)
        if "slow" in what:
            slow(folder, preset, options.rounds)
        if "echo" in what:
            echo(folder, preset, options.keys)


if __name__ == "__main__":
    main()
