"""What part of the run the charts show, and how: one value for all of them, so that a step stands at the same place in each."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import StrEnum

BETAS = (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999)
LEAST = 10
"""No zoom shows fewer steps."""
RECENT = 500


class Axis(StrEnum):
    """What x counts."""

    STEP = "step"
    EPOCH = "epoch"
    SECONDS = "seconds"


@dataclass(frozen=True, slots=True)
class ChartView:
    """Some steps of the run.

    Attributes:
        window: how many steps; None for the whole run.
        end: the last of them; None to follow the run.
        axis: what x counts.
        beta: of the exponentially weighted averages.
        corrected: whether their bias is taken out.
    """

    window: int | None = None
    end: int | None = None
    axis: Axis = Axis.STEP
    beta: float = 0.98
    corrected: bool = True

    def span(self, reach: int) -> tuple[int, int]:
        """The first and the last step, of a run of `reach` steps."""
        end = reach if self.end is None else min(self.end, reach)
        return (0 if self.window is None else max(0, end - self.window)), end

    def zoomed(self, factor: float, around: float | None, reach: int) -> ChartView:
        """So many times as many steps, with `around` where it was; the end where that is None."""
        first, last = self.span(reach)
        middle = min(max(last if around is None else around, first), last)
        window = max(LEAST, round((last - first) * factor))
        if window >= reach:
            return self.whole()
        return self._ending(round(middle + (last - middle) * window / max(1, last - first)), window, reach)

    def panned(self, share: float, reach: int) -> ChartView:
        """Moved by a share of what is seen, to the left where it is negative."""
        first, last = self.span(reach)
        if self.window is None:
            return self
        return self._ending(last + round(share * (last - first)), self.window, reach)

    def between(self, first: float, last: float, reach: int) -> ChartView:
        """These steps."""
        window = max(LEAST, round(last - first))
        return self.whole() if window >= reach else self._ending(round(last), window, reach)

    def _ending(self, end: int, window: int, reach: int) -> ChartView:
        end = max(end, window)
        return dataclasses.replace(self, window=window, end=None if end >= reach else end)

    def whole(self) -> ChartView:
        """All of the run."""
        return dataclasses.replace(self, window=None, end=None)

    def recent(self) -> ChartView:
        """The last steps, following the run; all of it where that was seen."""
        return dataclasses.replace(self, window=RECENT, end=None)

    def smoother(self, by: int) -> ChartView:
        """Averages over more steps, or over fewer where `by` is negative."""
        nearest = min(range(len(BETAS)), key=lambda number: abs(BETAS[number] - self.beta))
        return dataclasses.replace(self, beta=BETAS[min(max(nearest + by, 0), len(BETAS) - 1)])

    def next_axis(self) -> ChartView:
        """x counts the next thing."""
        axes = list(Axis)
        return dataclasses.replace(self, axis=axes[(axes.index(self.axis) + 1) % len(axes)])

    def biased(self) -> ChartView:
        """With the bias of the averages, or without it where they have it."""
        return dataclasses.replace(self, corrected=not self.corrected)
