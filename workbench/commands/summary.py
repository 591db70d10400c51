"""What `workbench train` prints when it has trained."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

from workbench.commands.output import json_number
from workbench.data.dataset import Task
from workbench.engine.measurements import Score
from workbench.files.text import SafeText, clean


@dataclass(frozen=True, slots=True)
class Summary:
    """Where a run stands after training, and how fast it went; `session` is the file it was saved to.

    The fields are the keys of the JSON object, in their order.
    """

    preset: str
    seed: int
    step: int
    epoch: int
    train: Score
    dev: Score | None
    test: Score | None
    seconds: float
    steps_per_second: float
    examples_per_second: float
    state_hash: str
    session: str | None

    def figures(self) -> dict[str, object]:
        """For JSON; a part of the data that is not there is null."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {name: _figures(value) if isinstance(value, Score) else value for name, value in values.items()}

    def lines(self, task: Task) -> Iterator[SafeText]:
        """For people."""
        for part, score in (("train", self.train), ("dev", self.dev), ("test", self.test)):
            if score is not None:
                error = f"RMSE {score.error:.4g}" if task is Task.REGRESSION else f"error {score.error:.2%}"
                penalty = f"  penalty {score.penalty:.4f}" if score.penalty > 0 else ""
                yield clean(f"{part:<6} cost {score.cost:.4f}  {error}{penalty}")
        speed = f"{self.seconds:.1f} s ({self.steps_per_second:,.0f} steps/s)"
        yield clean(f"{self.step:,} steps, {self.epoch:,} epochs, {speed}, state {self.state_hash[:12]}")
        if self.session is not None:
            yield clean(f"saved  {clean(self.session)}", 300)


def _figures(score: Score) -> dict[str, float | None]:
    return {name: json_number(getattr(score, name)) for name in ("cost", "error")}
