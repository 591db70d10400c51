"""The training loop, as a generator.

    while there is something left to do:
        the preset's plan for this step:       HyperparameterChanged
        for each command from outside:         HyperparameterChanged | CommandRejected | GuardPassed
        no better dev cost for too long:       StoppedEarly, and the run stops
        take a mini-batch, forward, cost, backward
        not finite, or the cost has risen:     Diverged; nothing is committed, and the run stops
        penalties, clipping, update, averages  StepTaken
        a pass is complete:                    EpochEnded
        every so often:                        Evaluated
    Finished

It is suspended only between two steps, so whoever drives it may read or copy the state at any event.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike

from workbench.data.splits import Splits
from workbench.engine.commands import Command, CommandSource, PassGuard, Planned, SetHyperparameter, no_commands
from workbench.engine.evaluation import LOOKED_AT, Update, best_guess, look_at_layers, score
from workbench.engine.events import (
    CommandRejected,
    Diverged,
    EpochEnded,
    Evaluated,
    Event,
    Finished,
    GuardPassed,
    HyperparameterChanged,
    StepTaken,
    StoppedEarly,
)
from workbench.engine.measurements import Score
from workbench.engine.state import Snapshot, State
from workbench.hyperparameters import LIVE, Architecture, DataSettings, Hyperparameters, assign, conflicts, find, get
from workbench.nn.buffer import Array
from workbench.nn.losses import LOSSES
from workbench.optim.penalties import add_penalty_gradients, clip, norm, penalty
from workbench.optim.schedules import learning_rate
from workbench.optim.usage import unused_because
from workbench.spec import Applies, InvalidValue, UnknownName

RUINED = 10.0
"""Weights with which the cost is so many times its average are not worth going on with."""
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
        plan: Sequence[Planned] = (),
        dtype: DTypeLike = np.float32,
    ) -> None:
        self.splits, self.data, self.architecture = splits, data, architecture
        self.hyperparameters = hyperparameters
        self.state = State(splits, architecture, hyperparameters.optimizer, seed, dtype)
        self.state.network.configure(hyperparameters)
        self._loss = LOSSES[splits.task](self.state.network.dtype)
        self._scratch = np.empty_like(self.state.network.weights)
        self._plan: dict[int, list[Planned]] = {}
        for each in plan:
            self._plan.setdefault(each.step, []).append(each)
        self._guess = best_guess(splits.task, splits.train, self._loss)
        self._planned_at = 0
        self._stepped = -1
        self.passes_guard = False
        """The next step is taken whatever the guard says."""

    def run(self, commands: CommandSource = no_commands, until: Until | None = None) -> Iterator[Event]:
        """Train, yielding events, until the end or a stop. May be called again to go on from there."""
        ended = yield from self.train(commands, until or Until())
        if ended:
            yield self.finish()

    def train(self, commands: CommandSource, until: Until, looking: bool = True) -> Generator[Event, None, bool]:
        """The same without `Finished`; whether it came to the end.

        Where nobody is `looking`, of an evaluation only the dev cost is computed, on which the state depends, and none is told.
        """
        if self.state.step == 0 and looking:
            yield self._evaluated(None)
        elif self.state.step == 0:
            self._score_dev()
        while True:
            yield from self._planned()
            for command in commands(self.state.step):
                yield self.apply(command)
            if self._ended(until):
                return True
            best, patience = self.state.best, self.hyperparameters.patience
            if best.gives_up(self.state.step, patience):
                if not self.passes_guard:
                    yield StoppedEarly(self.state.step, best.step, best.cost)
                    return False
                best.waited = 0
            for event in self._step(looking):
                yield event
                if isinstance(event, Diverged):
                    return False

    def restore(self, snapshot: Snapshot, hyperparameters: Hyperparameters, passes_guard: bool = False) -> None:
        """Go on from a copy of the state, with what was in force there: the preset's, its plan so far, and the edits.

        `passes_guard` says whether the guard was to be passed there. Raises `SnapshotMismatch`, and then changes nothing.
        """
        self.state.restore(snapshot)
        self.stand(hyperparameters)
        self.passes_guard = passes_guard

    def stand(self, hyperparameters: Hyperparameters) -> None:
        """Go on with these from now on; up to here the plan is in them. No step was taken yet, and no guard is passed."""
        self.hyperparameters = hyperparameters
        self.state.network.configure(hyperparameters)
        self._planned_at = self.state.step
        self._stepped = -1
        self.passes_guard = False

    @property
    def stepped(self) -> bool:
        """Whether what the network last saw is the mini-batch of the last step: not so after going elsewhere, or a stop."""
        return self._stepped == self.state.step

    def _planned(self) -> Iterator[Event]:
        """The changes that the plan makes at this step, once."""
        step = self.state.step
        if step > self._planned_at:
            self._planned_at = step
            for each in self._plan.get(step, ()):
                yield self._set(SetHyperparameter(each.name, each.value), planned=True)

    def _ended(self, until: Until) -> bool:
        batches, last = self.state.batches, until.epochs
        if until.steps is None and last is None:
            last = self.hyperparameters.epochs
        if until.steps is not None and self.state.step >= until.steps:
            return True
        return last is not None and (batches.epoch > last or (batches.epoch == last and batches.epoch_done))

    def apply(self, command: Command) -> HyperparameterChanged | CommandRejected | GuardPassed:
        """Apply an edit between two steps, or refuse it with the reason; the state's hash stays the same either way."""
        if isinstance(command, PassGuard):
            self.passes_guard = True
            return GuardPassed(self.state.step)
        return self._set(command)

    def _set(self, command: SetHyperparameter, planned: bool = False) -> HyperparameterChanged | CommandRejected:
        step, h = self.state.step, self.hyperparameters
        try:
            edited = self.edited(h, command)
        except (UnknownName, InvalidValue) as error:
            return CommandRejected(step, command.name, command.value, str(error))
        name = find(command.name)[0].name
        self.hyperparameters = edited
        self.state.network.configure(edited)
        was, now = get(h, command.name), get(edited, command.name)
        return HyperparameterChanged(step, command.name, was, now, self.unused.get(name, ""), command.undoes, planned)

    @property
    def unused(self) -> dict[str, str]:
        """The hyperparameters that have no effect now, each with the reason."""
        reasons = {name: unused_because(name, self.hyperparameters, self.architecture.batch_norm) for name in LIVE}
        if self.splits.dev is None:
            reasons["patience"] = "there is no dev set"
        return {name: reason for name, reason in reasons.items() if reason}

    def edited(self, h: Hyperparameters, command: SetHyperparameter) -> Hyperparameters:
        """`h` with an edit that this run can take. Raises `UnknownName` or `InvalidValue`."""
        spec, layer = find(command.name)
        if spec.applies is Applies.RESET:
            raise InvalidValue(f"{command.name} needs a new start")
        value = spec.check(command.value)
        if layer is not None and isinstance(value, tuple):
            raise InvalidValue(f"{len(value)} values: expected a single one for layer {layer}")
        edited = assign(h, command.name, value)
        problems = conflicts(self.data, self.architecture, edited)
        if problems:
            raise InvalidValue(problems[0][1])
        return edited

    def _step(self, looking: bool) -> Iterator[Event]:
        state, h = self.state, self.hyperparameters
        step, batches = state.step + 1, state.batches
        alpha = learning_rate(h, step, batches.epoch + batches.epoch_done, batches.progress)
        undo = state.snapshot() if alpha > _RISKY_RATE or alpha * h.weight_decay > 1.0 else None
        former = state.optimizer
        state.use_optimizer(h.optimizer)
        X, Y = self._mini_batch()
        due = step % h.evaluate_every == 0 if h.evaluate_every else batches.epoch_done
        with np.errstate(all="ignore"):  # what is not finite is found and reported
            data_cost, length = self._gradients(X, Y, step)
            penalty = self._penalty()
            cost = data_cost + penalty
            seen = Update.of(state.network) if due and looking else None
            trouble = self._trouble(cost, length)
            risen = "" if trouble else self._risen(cost)
            if not trouble and not risen:
                trouble = self._update(alpha, length, undo)
        self._stepped = -1 if trouble or risen else step
        if trouble or risen:
            rows = tuple(batches.last_indices.tolist())
            if undo is not None:
                state.restore(undo)
            else:
                batches.put_back()
                state.optimizer = former
            if not self.passes_guard:
                ruined = risen or self._ruined(rows)
                yield Diverged(step, trouble or risen, rows, max(step - 2 - state.guard.above, 0) if ruined else step - 1)
                return
            self._mini_batch()  # of which no update can be made
            cost = length = penalty = math.nan
        else:
            state.guard.record(cost, h, self._guess.cost)
        self.passes_guard = False
        state.step = step
        state.epoch_cost += cost * len(X)
        evaluated = self._evaluated(seen) if due and looking else None
        if due and not looking:
            self._score_dev()
        yield StepTaken(step, batches.epoch, cost, length, alpha, penalty, length > h.clip_norm > 0.0)
        if batches.epoch_done:
            yield EpochEnded(step, batches.epoch, state.epoch_cost / batches.examples)
        if evaluated is not None:
            yield evaluated

    def _ruined(self, rows: tuple[int, ...]) -> bool:
        """Whether the weights are at fault, not the mini-batch of these rows: other examples cost far too much as well."""
        train, h, network = self.splits.train, self.hyperparameters, self.state.network
        X, Y = train.X[:LOOKED_AT], train.Y[:LOOKED_AT]
        others = np.isfinite(X).all(axis=1) & ~np.isin(np.arange(len(X)), rows)
        if not others.any():
            return False
        with np.errstate(all="ignore"):
            cost = self._loss.forward(network.infer(X[others]), Y[others]) + self._penalty()
        return not cost <= max(h.guard_factor, RUINED) * self.state.guard.usual(h, self._guess.cost)

    def _mini_batch(self) -> tuple[Array, Array]:
        if self.state.batches.epoch_done:
            self.state.epoch_cost = 0.0
        return self.state.batches.next_batch(self.hyperparameters.batch_size)

    def _risen(self, cost: float) -> str:
        """What the guard has against this cost, or nothing. Where it is to be passed, it averages anew."""
        guard, h = self.state.guard, self.hyperparameters
        if not guard.trips(cost, h, self._guess.cost):
            return ""
        if self.passes_guard:
            guard.restart()
            return ""
        steps = f"for {h.guard_steps} steps" if h.guard_steps > 1 else "once"
        usual = guard.usual(h, self._guess.cost)
        return f"the cost is {cost:.3g}, {steps} more than {h.guard_factor:g} times its average of {usual:.3g}"

    def _gradients(self, X: Array, Y: Array, step: int) -> tuple[float, float]:
        """Forward and backward with the penalties: the mean loss alone, and the norm of all gradients before clipping."""
        h, network = self.hyperparameters, self.state.network
        cost = self._loss.forward(network.forward(X, step), Y, h.label_smoothing)
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
        if network.running is not None and not math.isfinite(np.add.reduce(network.statistics)):
            norms = enumerate((layer.batchnorm for layer in network.layers), start=1)
            bad_layers = [str(l) for l, norm in norms if norm is not None and not np.isfinite(norm.batch_var).all()]
            return f"the variance of the mini-batch is not finite in layer {', '.join(bad_layers)}"
        return ""

    def _penalty(self) -> float:
        return penalty(self.state.network.weights, self.hyperparameters.l2, self.hyperparameters.l1)

    def _score(self, part: str) -> Score | None:
        dataset = getattr(self.splits, part)
        return None if dataset is None else score(self.state.network, self.splits.task, dataset, self._penalty())

    def look(self) -> Evaluated:
        """Scores and layer statistics where the run was put; nothing of it is remembered."""
        return dataclasses.replace(self._look(None), look=True)

    def _look(self, update: Update | None) -> Evaluated:
        """Scores and layer statistics now, with what is known of the last update."""
        with np.errstate(all="ignore"):
            train = self._score("train")
            assert train is not None
            layers = look_at_layers(self.state.network, self.splits.train, update)
            dev = self._score("dev")
            return Evaluated(self.state.step, self.state.batches.epoch, train, dev, layers, guess=self._guess)

    def _score_dev(self) -> None:
        with np.errstate(all="ignore"):
            dev = self._score("dev")
        if dev is not None:
            self.state.best.record(self.state.step, dev.data_cost)

    def _evaluated(self, update: Update | None) -> Evaluated:
        """An evaluation of the run's own, whose dev cost may be the best so far."""
        found = self._look(update)
        if found.dev is not None:
            self.state.best.record(found.step, found.dev.data_cost)
        return found

    def finish(self) -> Finished:
        """Scores now, on all three parts."""
        with np.errstate(all="ignore"):
            train = self._score("train")
            assert train is not None
            return Finished(self.state.step, self.state.batches.epoch, train, self._score("dev"), self._score("test"))
