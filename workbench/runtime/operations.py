"""What is done to a run between two spells of training: going elsewhere, its branches, and what is taken out of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from workbench.engine.commands import Command, PassGuard
from workbench.engine.rate_finder import steepest, try_rates
from workbench.engine.trainer import Until
from workbench.files.errors import SaveError
from workbench.protocol.reports import Exported, ExportFailed, PresetMade, RateFound, RateTried, Remark, Report
from workbench.protocol.requests import (
    Adopt,
    Annotate,
    Delete,
    Describe,
    Export,
    FindRate,
    GoOn,
    GoTo,
    GoToBest,
    MakePreset,
    Redo,
    Rename,
    Repeat,
    Request,
    RunTo,
    Switch,
    Undo,
)
from workbench.protocol.wire import MAX_BYTES
from workbench.run.run import CannotFollow, Run
from workbench.session.branch import Place
from workbench.session.format import session_to_toml
from workbench.session.preset import preset_to_toml
from workbench.session.timeline import place_before, scheduled, undoable

LARGEST = MAX_BYTES - 2**20
"""So much may be in an export, beside what a message needs for itself."""


class CalledOff(Exception):
    """Somebody did not want to wait for the end of a journey."""

    def __init__(self) -> None:
        super().__init__("called off on the way")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How training goes on after an operation.

    Attributes:
        commands: to be given before the next step.
        trains: whether it trains on; None leaves that as it was.
        until: where it ends.
    """

    commands: tuple[Command, ...] = ()
    trains: bool | None = None
    until: Until | None = None


def carry_out(request: Request, run: Run, send: Callable[[Report], None]) -> Outcome:
    """Do what was requested; what goes wrong is reported, and the run is as it was then."""
    try:
        return _carry_out(request, run, send)
    except (LookupError, ValueError, CannotFollow, CalledOff) as error:
        send(Remark(f"Not done: {error}"))
    return Outcome()


def _carry_out(request: Request, run: Run, send: Callable[[Report], None]) -> Outcome:
    branch = run.session.branch
    match request:
        case Undo():
            number = undoable(branch.edits)
            if not number:
                raise ValueError("there is no edit to undo")
            run.go_to(Place(branch.edits[number - 1].step, number - 1))
        case Redo():
            run.switch(run.redo_branch)
        case GoTo(step=step):
            reach = run.session.named(run.redo_branch) if run.redo_branch else branch
            if not 0 <= step <= reach.step:
                raise ValueError(f"step {step:,}: expected one from 0 to {reach.step:,}")
            run.go_to(place_before(reach, step) if step < reach.step else reach.tip)
        case GoToBest():
            if branch.best is None:
                raise ValueError("no dev cost was measured yet, so there is no best")
            run.go_to(place_before(branch, branch.best.step))
        case GoOn():
            run.pass_guard()
            return Outcome((PassGuard(),), trains=True)
        case Adopt(step=step, edits=edits, changes=changes):
            run.go_to(Place(step, edits))
            return Outcome(changes)
        case Repeat(number=number):
            run.repeat(number)
            return Outcome()
        case RunTo(step=step):
            return Outcome(trains=True, until=Until(steps=step))
        case Switch(branch=name):
            run.switch(name)
        case Rename(branch=name, name=to):
            run.rename(name, to)
            return Outcome()
        case Describe(branch=name, note=note):
            run.describe(name, note)
            return Outcome()
        case Delete(branch=name):
            run.delete(name)
            return Outcome()
        case Annotate(step=step, text=text, edit=edit):
            run.annotate(step, text, edit)
            return Outcome()
        case Export():
            send(_exported(request, run))
            return Outcome()
        case MakePreset(number=number, name=name, names=names):
            if any(stop.passed for stop in branch.stops):
                send(Remark("The guard was passed on the way. No preset can do that: trained by it, the run stops there."))
            send(PresetMade(number, preset_to_toml(scheduled(run.session, names, name)), run.place.step))
            return Outcome()
        case FindRate(low=low, high=high, steps=steps):
            if not (0.0 < low < high < math.inf and 2 <= steps <= 1_000_000):
                send(RateFound(math.nan, "the rates must rise from above 0, in 2 to 1,000,000 steps"))
            else:
                for report in _find_rate(request, run):
                    send(report)
            return Outcome()
        case _:
            raise ValueError(f"{type(request).__name__} cannot be done now")
    return Outcome(trains=False)


def _exported(request: Export, run: Run) -> Exported | ExportFailed:
    branch, step = run.session.branch, request.step
    place = run.place if step < 0 or step >= branch.step else place_before(branch, step)
    try:
        session, checkpoint = run.export(place)
    except (SaveError, MemoryError) as error:
        return ExportFailed(request.number, str(error) or "there is not enough memory for it")
    text = session_to_toml(session)
    if len(text.encode()) + len(checkpoint) > LARGEST:
        return ExportFailed(request.number, f"its {len(checkpoint):,} bytes are too many for one message")
    return Exported(request.number, text, checkpoint, place.step, place.edits)


def _find_rate(request: FindRate, run: Run) -> Iterator[Report]:
    rates: list[float] = []
    costs: list[float] = []
    sent = 0
    for rate, cost in try_rates(run.trainer, request.low, request.high, request.steps):
        rates.append(rate)
        costs.append(cost)
        if len(rates) - sent >= max(1, request.steps // 20):
            yield RateTried(np.array(rates[sent:]), np.array(costs[sent:]))
            sent = len(rates)
    if rates[sent:]:
        yield RateTried(np.array(rates[sent:]), np.array(costs[sent:]))
    yield RateFound(steepest(np.array(rates), np.array(costs)))
