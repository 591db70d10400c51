"""The status line: what is running, how far it is, how fast, and how well it does."""

from __future__ import annotations

import math

from rich.text import Text
from textual.widgets import Static

from workbench.files.text import clean
from workbench.ui.state.monitor import Monitor, Phase

SYMBOLS = {
    Phase.STARTING: "…",
    Phase.LOADING: "…",
    Phase.TRAINING: "●",
    Phase.PAUSED: "‖",
    Phase.FINISHED: "✓",
    Phase.DIVERGED: "✗",
    Phase.EARLY: "✓",
    Phase.LOST: "✗",
}


class StatusLine(Static):
    """One line, cut from the right where the terminal is narrow."""

    def __init__(self, name: str, seed: int) -> None:
        super().__init__(Text(""), id="status")
        self._run, self._seed = clean(name, 30), seed

    def show(self, monitor: Monitor) -> None:
        """Redraw."""
        for phase in Phase:
            self.set_class(monitor.phase is phase, f"-{phase.name.lower()}")
        where = f" · {clean(monitor.current, 20)}" if len(monitor.branches) > 1 else ""
        lock = " (read-only)" if monitor.read_only else ""
        parts = [f"{self._run}{where}{lock}", f"{SYMBOLS[monitor.phase]} {monitor.phase.value}"]
        if monitor.begun is not None:
            epochs = monitor.hyperparameters["epochs"]
            parts += [f"step {monitor.step:,}", f"epoch {monitor.epoch}/{epochs}", self._error(monitor)]
            rate, left = monitor.steps_per_second, monitor.seconds_left
            if monitor.phase is Phase.TRAINING:
                parts.append(f"{rate:,.0f} steps/s" if math.isfinite(rate) else "– steps/s")
                if math.isfinite(left):
                    parts.append(f"{duration(left)} left")
        between = "   " if self.size.width >= 100 else "  "
        parts = [part for part in parts if part]
        while len(parts) > 2 and len(between.join(parts)) + 1 > self.size.width:
            parts.pop()  # half a number would be worse than none
        self.update(Text(f" {between.join(parts)}", no_wrap=True, overflow="ellipsis"))

    def _error(self, monitor: Monitor) -> str:
        scores = monitor.finished or monitor.evaluated
        if scores is None or monitor.begun is None:
            return ""
        train, dev = scores.train, scores.dev
        if monitor.begun.task == "regression":
            return f"RMSE {train.error:.3g}" + (f" dev {dev.error:.3g}" if dev else "")
        return f"error {train.error:.1%}" + (f" dev {dev.error:.1%}" if dev else "")


def duration(seconds: float) -> str:
    """`0:42`, `12:05`, `1:02:05`."""
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
