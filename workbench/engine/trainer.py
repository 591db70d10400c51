"""The training loop, as a generator.

    while there is something left to do:
        for each command from outside:         HyperparameterChanged | CommandRejected
        take a mini-batch, forward, cost, backward
        cost or gradients not finite:          Diverged; nothing is committed, and the run stops
        penalties, clipping, update, averages  StepTaken
        a pass is complete:                    EpochEnded
        every so often:                        Evaluated
    Finished

It is suspended only where the state is consistent, so whoever drives it may read or copy the state at any event.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike

from workbench.data.splits import Splits
from workbench.engine.commands import Command, CommandSource, no_commands
from workbench.engine.evaluation import look_at_layers, score
from workbench.engine.events import (
    CommandRejected,
    Diverged,
    EpochEnded,
    Evaluated,
    Event,
    Finished,
    HyperparameterChanged,
    Score,
    StepTaken,
)
from workbench.engine.state import Snapshot, State
from workbench.hyperparameters import (
    Architecture,
    Bites,
    DataSettings,
    Hyperparameters,
    InvalidValue,
    UnknownName,
    assign,
    conflicts,
    find,
    get,
)
from workbench.nn.buffer import Array
from workbench.nn.losses import LOSSES
from workbench.optim.penalties import add_penalty_gradients, clip, norm, penalty
from workbench.optim.schedules import learning_rate
from workbench.optim.usage import unused_because

_RISKY_RATE = 1e6
"""Above this α one finite gradient may push a float32 parameter to infinity, so the update is checked as well.

So it is where α·decay is above 1: weights that decay by more than all of themselves grow.
"""


@dataclass(frozen=True, slots=True)
class Until:
    """Where a run ends: after so many steps or epochs in total, whichever comes first; with neither, as `epochs` says."""

    steps: int | None = None
    epochs: int | None = None


class Trainer:
    """One run: its state, its hyperparameters as edited so far, and the loop."""

    def __init__(
        self,
        splits: Splits,
        data: DataSettings,
        architecture: Architecture,
        hyperparameters: Hyperparameters,
        seed: int,
        dtype: DTypeLike = np.float32,
    ) -> None:
        self.splits, self.data, self.architecture = splits, data, architecture
        self.hyperparameters = hyperparameters
        self.state = State(splits, architecture, hyperparameters.optimizer, seed, dtype)
        self.state.network.configure(hyperparameters)
        self._loss = LOSSES[splits.task](self.state.network.dtype)
        self._scratch = np.empty_like(self.state.network.weights)

    def run(self, commands: CommandSource = no_commands, until: Until | None = None) -> Iterator[Event]:
        """Train, yielding events, until the end or a divergence. May be called again to go on from there."""
        until = until or Until()
        if self.state.step == 0:
            yield self.evaluate(None)
        while True:
            for command in commands(self.state.step):
                yield self.take(command)
            if self._ended(until):
                yield self.finish()
                return
            for event in self._step():
                yield event
                if isinstance(event, Diverged):
                    return

    def _ended(self, until: Until) -> bool:
        batches, last = self.state.batches, until.epochs
        if until.steps is None and last is None:
            last = self.hyperparameters.epochs
        if until.steps is not None and self.state.step >= until.steps:
            return True
        return last is not None and (batches.epoch > last or (batches.epoch == last and batches.epoch_done))

    def take(self, command: Command) -> HyperparameterChanged | CommandRejected:
        """Apply an edit between two steps, or refuse it with the reason; the state stays bit-identical either way."""
        step, h = self.state.step, self.hyperparameters
        try:
            edited = self.edited(h, command)
        except (UnknownName, InvalidValue) as error:
            return CommandRejected(step, command.name, command.value, str(error))
        self.hyperparameters = edited
        self.state.network.configure(edited)
        effect = unused_because(find(command.name)[0].name, edited, self.architecture.batch_norm) or ""
        return HyperparameterChanged(step, command.name, get(h, command.name), get(edited, command.name), effect)

    def edited(self, h: Hyperparameters, command: Command) -> Hyperparameters:
        """`h` with an edit that this run can take. Raises `UnknownName` or `InvalidValue`."""
        spec, layer = find(command.name)
        if spec.bites is Bites.RESET:
            raise InvalidValue(f"{command.name} needs a new start")
        value = spec.check(command.value)
        if layer is not None and isinstance(value, tuple):
            raise InvalidValue(f"{len(value)} values: expected a single one for layer {layer}")
        edited = assign(h, command.name, value)
        problems = conflicts(self.data, self.architecture, edited)
        if problems:
            raise InvalidValue(problems[0][1])
        return edited

    def _step(self) -> Iterator[Event]:
        state, h = self.state, self.hyperparameters
        step, batches = state.step + 1, state.batches
        alpha = learning_rate(h, step, batches.epoch + batches.epoch_done, batches.progress)
        undo = state.snapshot() if alpha > _RISKY_RATE or alpha * h.weight_decay > 1.0 else None
        former = state.optimizer
        state.use_optimizer(h.optimizer)
        if batches.epoch_done:
            state.epoch_cost = 0.0
        X, Y = batches.take(h.batch_size)
        due = step % h.evaluate_every == 0 if h.evaluate_every else batches.epoch_done
        before = state.network.parameters.copy() if due else None
        with np.errstate(all="ignore"):  # what is not finite is found and reported
            cost, length = self._gradients(X, Y, step)
            trouble = self._trouble(cost, length) or self._update(alpha, length, undo)
        if trouble:
            rows = tuple(batches.last_indices.tolist())
            if undo is not None:
                state.restore(undo)
            else:
                batches.untake()
                state.optimizer = former
            yield Diverged(step, trouble, rows)
            return
        state.step = step
        state.epoch_cost += cost * len(X)
        yield StepTaken(step, batches.epoch, cost, length, alpha)
        if batches.epoch_done:
            yield EpochEnded(step, batches.epoch, state.epoch_cost / batches.examples)
        if due:
            yield self.evaluate(before)

    def _gradients(self, X: Array, Y: Array, step: int) -> tuple[float, float]:
        """Forward and backward with the penalties: the cost, and the gradients' norm before clipping."""
        h, network = self.hyperparameters, self.state.network
        cost = self._loss.forward(network.forward(X, step), Y, h.label_smoothing)
        cost += penalty(network.weights, h.l2, h.l1)
        network.backward(self._loss.backward())
        add_penalty_gradients(network.weight_gradients, network.weights, h.l2, h.l1, self._scratch)
        return cost, self._gradient_norm()

    def _update(self, alpha: float, length: float, undo: Snapshot | None) -> str:
        """Clip, update, and let the running statistics take the mini-batch in. Where `undo` is kept, the update is checked."""
        h, state, network = self.hyperparameters, self.state, self.state.network
        clip(network.gradients, length, h.clip_norm)
        state.optimizer.update(network.gradients, alpha, h)
        if undo is not None and not np.isfinite(network.parameters).all():
            return f"the update with learning rate {alpha:.3g} is not finite"
        network.track_statistics()
        return ""

    def _gradient_norm(self) -> float:
        length = norm(self.state.network.gradients)
        # The squares of a float32 gradient beyond 1e19 overflow though it is finite; clipping may still save it.
        return length if math.isfinite(length) else float(np.linalg.norm(self.state.network.gradients.astype(np.float64)))

    def _trouble(self, cost: float, length: float) -> str:
        """Why this update must not be committed, or nothing."""
        network = self.state.network
        if not math.isfinite(cost):
            for l, layer in enumerate(network.layers, start=1):
                if not np.isfinite(layer.A).all():
                    return f"the cost is {cost}; layer {l} is the first whose output is not finite"
            return f"the cost is {cost}"
        if not math.isfinite(length):
            bad = [name for name, view in network.named(network.gradients).items() if not np.isfinite(view).all()]
            return f"the gradient of {', '.join(bad)} is not finite"
        if min(length, self.hyperparameters.clip_norm or math.inf) > 1e18:
            return f"the gradient has exploded: its norm is {length:.3g}"
        return ""

    def _penalty(self) -> float:
        return penalty(self.state.network.weights, self.hyperparameters.l2, self.hyperparameters.l1)

    def _score(self, part: str) -> Score | None:
        dataset = getattr(self.splits, part)
        return None if dataset is None else score(self.state.network, self.splits.task, dataset, self._penalty())

    def evaluate(self, before: Array | None) -> Evaluated:
        """Scores and layer statistics now; `before` are the parameters before the last update, for the update ratio."""
        with np.errstate(all="ignore"):
            train = self._score("train")
            assert train is not None
            layers = look_at_layers(self.state.network, self.splits.train, before)
            return Evaluated(self.state.step, self.state.batches.epoch, train, self._score("dev"), layers)

    def finish(self) -> Finished:
        """Scores now, on all three parts."""
        with np.errstate(all="ignore"):
            train = self._score("train")
            assert train is not None
            return Finished(self.state.step, self.state.batches.epoch, train, self._score("dev"), self._score("test"))
