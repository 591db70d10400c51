"""Where the run was when: epochs and seconds of training for each step, as far as the screen has seen them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from workbench.ui.state.chart_view import Axis

Floats = NDArray[np.float64]
MOST = 4096


class Clock:
    """Points between which steps, epochs and seconds go on evenly. Pauses do not count as seconds."""

    def __init__(self) -> None:
        self._points: list[tuple[int, float, float]] = [(0, 0.0, 0.0)]
        self._ticked: float | None = None

    def stand(self, passage: Sequence[tuple[int, float]]) -> None:
        """The run stands at the end of this passage of (steps, epochs); how many seconds that took is as known from here."""
        self._ticked = None
        step = passage[-1][0]
        self._points = [point for point in self._points if point[0] <= step]
        if self._points[-1][:2] != passage[-1]:  # not seen so far, or seen on another branch, with other mini-batches
            seconds = self._points[-1][2]
            self._points = [(at, epochs, seconds if at else 0.0) for at, epochs in passage]

    def start(self, now: float) -> None:
        """Training goes on at `now`, in seconds of any clock."""
        self._ticked = now

    def stop(self) -> None:
        """Training stands still."""
        self._ticked = None

    def tick(self, step: int, epoch: float, now: float) -> None:
        """After `step` steps it is `now`."""
        spent = max(0.0, now - self._ticked) if self._ticked is not None else 0.0
        self._ticked = now
        if step > self._points[-1][0]:
            self._points.append((step, epoch, self._points[-1][2] + spent))
        if len(self._points) > MOST:
            self._points = [*self._points[:-1:2], self._points[-1]]

    def shown(self, axis: Axis, steps: Floats) -> Floats:
        """Steps on an axis."""
        return self._between(0, self._column(axis), steps)

    def step(self, axis: Axis, x: float) -> float:
        """The step that stands at a place of an axis."""
        return float(self._between(self._column(axis), 0, np.array([x]))[0])

    @staticmethod
    def _column(axis: Axis) -> int:
        return {Axis.STEP: 0, Axis.EPOCH: 1, Axis.SECONDS: 2}[axis]

    def _between(self, known: int, wanted: int, values: Floats) -> Floats:
        if known == wanted:
            return values
        points = np.array(self._points, np.float64)
        return np.asarray(np.interp(values, points[:, known], points[:, wanted]), np.float64)
