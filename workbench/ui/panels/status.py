"""The status line: what is running, how far it is, how fast, how well it does; and what there is to be done about it."""

from __future__ import annotations

import math

from workbench.files.text import clean
from workbench.ui.actions import KeyNames, key_names
from workbench.ui.doors.text import Static, Text
from workbench.ui.state.monitor import STOPPED, Monitor, Phase

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
        super().__init__(id="status")
        self._run, self._seed = clean(name, 30), seed

    def show(self, monitor: Monitor) -> None:
        """Redraw."""
        for phase in Phase:
            self.set_class(monitor.phase is phase, f"-{phase.name.lower()}")
        where = f" · {clean(monitor.current, 20)}" if len(monitor.others) > 1 else ""
        lock = " (read-only)" if monitor.read_only else ""
        parts = [f"{self._run}{where}{lock}", f"{SYMBOLS[monitor.phase]} {monitor.phase.value}"]
        if monitor.begun is not None:
            epochs = monitor.hyperparameters.epochs
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


class Advice(Static):
    """What somebody may want to do now, with the keys; not there where there is nothing to be said."""

    def show(self, monitor: Monitor, kept: bool) -> None:
        """Redraw; `kept` says whether there is a file to go on from."""
        text = self._advice(monitor, kept, key_names(self.app))
        self.display = bool(text)
        self.update(Text(text))

    def _advice(self, monitor: Monitor, kept: bool, keys: KeyNames) -> str:
        if monitor.travelling is not None:
            done, total = monitor.travelling.done, monitor.travelling.total
            share = f"{done:,} of {total:,} steps, {done / max(total, 1):.0%}"
            return f"⏪ training the way there again: {share}. {keys.of('training.pause')} calls it off."
        trouble = clean(monitor.trouble, 300)
        if monitor.phase in STOPPED:
            back = f" Back at step {monitor.step:,}." if monitor.redo_branch else ""
            return f"✗ {keys.of('travel.go_to')}: α ÷ 3, what if, go on anyway, stay. {trouble.capitalize()}.{back}"
        if monitor.phase is Phase.LOST:
            how = "go on from the last save" if kept else "start again: nothing was saved"
            return f"✗ {trouble}. Press {keys.of('travel.rewind')} to {how}."
        if monitor.finished is not None:
            test = f", test error {monitor.finished.test.error:.3g}" if monitor.finished.test else ""
            went = f"✓ finished after epoch {monitor.finished.epoch}{test}."
            go_on = "Raise epochs and press {training.pause} to go on"
            what_next = "{view.panel6}: what next; {travel.go_to}: to the best; {training.quit}: save and quit."
            return f"{went} {keys.fill(f'{go_on}; {what_next}')}"
        return trouble


def duration(seconds: float) -> str:
    """`0:42`, `12:05`, `1:02:05`."""
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
