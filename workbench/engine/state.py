"""All that a step reads and writes: network, moments, running statistics, place in the data, and the step count.

Hyperparameters are not part of it: they are the preset's with the timeline's edits folded in. An edit therefore leaves
the state, and its hash, bit-identical; even the swap of the optimizer happens inside the next step.
"""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike

from workbench.data.minibatches import MiniBatches
from workbench.data.splits import Splits
from workbench.engine.guard import BestSoFar, Guard
from workbench.hyperparameters import Architecture
from workbench.nn.buffer import Array
from workbench.nn.ewma import Ewma
from workbench.nn.network import Network
from workbench.optim.optimizers import OPTIMIZERS, Optimizer

_ALIGNMENT = 64
_LARGE = 2**21
"""From here on NumPy asks for huge pages, which are many times faster to touch first."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A copy of the state: `tensors` by name, `facts` as text. What a checkpoint holds."""

    tensors: Mapping[str, Array]
    facts: Mapping[str, str]


class SnapshotMismatch(ValueError):
    """A snapshot that is not one of this network: the message says what differs."""


class State:
    """The mutable state of one run."""

    def __init__(
        self, splits: Splits, architecture: Architecture, optimizer: str, seed: int, dtype: DTypeLike = np.float32
    ) -> None:
        self.network = Network(splits.n_features, splits.n_outputs, architecture, seed, dtype)
        self.optimizer = self._optimizer(optimizer)
        self.batches = MiniBatches(splits.train, seed, merge_single=architecture.batch_norm)
        self.step = 0
        self.guard = Guard()
        self.best = BestSoFar()
        self.epoch_cost = 0.0
        """Σ(cost·n) over the mini-batches of `batches.epoch` so far."""

    def _optimizer(self, name: str) -> Optimizer:
        return OPTIMIZERS[name](self.network.parameters, self.network.weights.size)

    def use_optimizer(self, name: str) -> None:
        """Swap the optimizer, if it is another: moments of the same meaning are carried over, the rest start at zero."""
        if name != self.optimizer.name:
            old, self.optimizer = self.optimizer, self._optimizer(name)
            self.optimizer.carry(old)

    def repeat(self, number: int) -> None:
        """From now on, take other mini-batches and draw other dropout masks: those of this repeat."""
        self.batches.repeat(number)
        self.network.repeat(number)

    def _averages(self) -> Iterator[tuple[str, Ewma]]:
        yield from self.optimizer.moments.items()
        if self.network.running is not None:
            yield "running", self.network.running

    def digest(self) -> str:
        """SHA-256 of parameters, moments, running statistics, step and place in the data, as 64 hex digits."""
        sha = hashlib.sha256(f"{self.step} {self.batches.epoch} {self.batches.offset} {self.optimizer.name}".encode())
        sha.update(self.network.parameters.data)
        for name, average in self._averages():
            sha.update(f" {name} {average.product!r} ".encode())
            sha.update(average.value.data)
        return sha.hexdigest()

    def snapshot(self) -> Snapshot:
        """A copy from which `restore` continues bit-identically. Weights by the names of their tensors."""
        tensors = dict(self.network.named(self.network.parameters))
        for name, average in self._averages():
            tensors[name] = average.value
            tensors[f"{name}.product"] = np.array([average.product])
        tensors["epoch_cost"] = np.array([self.epoch_cost])
        tensors["guard"], tensors["best"] = self.guard.tensor(), self.best.tensor()
        facts = {
            "step": str(self.step),
            "epoch": str(self.batches.epoch),
            "offset": str(self.batches.offset),
            "optimizer": self.optimizer.name,
        }
        return Snapshot(_copied(tensors), facts)

    def restore(self, snapshot: Snapshot) -> None:
        """Take over a snapshot of a network of the same shapes. Raises `SnapshotMismatch`, and then changes nothing."""
        tensors, facts = snapshot.tensors, snapshot.facts
        name = facts.get("optimizer", "")
        if name not in OPTIMIZERS:
            raise SnapshotMismatch(f"unknown optimizer {name!r}")
        fresh = self._optimizer(name)
        averages = dict(fresh.moments)
        if self.network.running is not None:
            averages["running"] = self.network.running
        targets = dict(self.network.named(self.network.parameters))
        targets.update((key, average.value) for key, average in averages.items())
        for key, target in targets.items():
            if key not in tensors or tensors[key].shape != target.shape or tensors[key].dtype != target.dtype:
                found = "missing" if key not in tensors else f"{tensors[key].dtype} {tensors[key].shape}"
                raise SnapshotMismatch(f"tensor {key}: expected {target.dtype} {target.shape}, found {found}")
        try:
            products = {key: float(tensors[f"{key}.product"][0]) for key in averages}
            epoch_cost = float(tensors["epoch_cost"][0])
            step, epoch, offset = (int(facts[key]) for key in ("step", "epoch", "offset"))
            guard, best = Guard(), BestSoFar()
            guard.restore(tensors["guard"])
            best.restore(tensors["best"])
        except (KeyError, ValueError, IndexError) as error:
            raise SnapshotMismatch(f"incomplete: {error}") from None
        self.batches.seek(epoch, offset)
        for key, target in targets.items():
            target[...] = tensors[key]
        for key, average in averages.items():
            average.product = products[key]
        self.optimizer, self.step, self.epoch_cost = fresh, step, epoch_cost
        self.guard, self.best = guard, best


def _copied(tensors: Mapping[str, Array]) -> dict[str, Array]:
    """Copies of the tensors, side by side.

    Small ones in memory that is mapped for them alone: many that live long would lie between the short-lived arrays of an
    evaluation on the heap, which then grows and shrinks at each, and makes training a sixth slower.
    """
    sizes = [-(-tensor.nbytes // _ALIGNMENT) * _ALIGNMENT for tensor in tensors.values()]
    memory = np.frombuffer(_mapped(sum(sizes)), np.uint8) if sum(sizes) < _LARGE else np.empty(sum(sizes), np.uint8)
    copies, offset = {}, 0
    for (name, tensor), size in zip(tensors.items(), sizes, strict=True):
        copy = memory[offset : offset + tensor.nbytes].view(tensor.dtype).reshape(tensor.shape)
        copy[...] = tensor
        copies[name] = copy
        offset += size
    return copies


def _mapped(size: int) -> mmap.mmap:
    if hasattr(mmap, "MAP_ANONYMOUS"):
        return mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    return mmap.mmap(-1, size)
