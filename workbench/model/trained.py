"""A trained network as a value: it predicts from raw features, without the data it was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from workbench.data.dataset import Task
from workbench.data.preprocessing import Normalization, Preprocessing
from workbench.model.blueprint import Blueprint, NoModel
from workbench.nn.answers import answers, decided
from workbench.nn.buffer import Array
from workbench.nn.network import Network, layout

PREFIX = "preprocessing."
"""Of the tensors of a checkpoint that hold the preprocessing."""


class WrongColumns(ValueError):
    """Rows that do not have one column for each feature of the network."""


@dataclass(frozen=True, slots=True, eq=False)
class RunningStatistics:
    """By what batch norm normalizes a hidden layer: μ and σ², (1, n) each, their bias corrected."""

    mean: Array
    var: Array


@dataclass(frozen=True, eq=False)  # no slots: the network is made when it is first asked
class TrainedModel:
    """A network that is trained no more. All arrays are read-only.

    Attributes:
        blueprint: its shape, and what its inputs and outputs mean.
        preprocessing: from raw features to its inputs.
        tensors: weights and shifts by name: W1, b1 ..., with batch norm gamma1 and beta1 in b1's place.
        running: of each hidden layer under batch norm; none without.
    """

    blueprint: Blueprint
    preprocessing: Preprocessing
    tensors: Mapping[str, Array]
    running: tuple[RunningStatistics, ...]

    @classmethod
    def of(cls, network: Network, blueprint: Blueprint, preprocessing: Preprocessing) -> TrainedModel:
        """The network as it is now, whatever becomes of it."""
        tensors = {name: _own(view) for name, view in network.named(network.parameters).items()}
        running = (RunningStatistics(_own(mean), _own(var)) for mean, var in network.running_statistics())
        return cls(blueprint, preprocessing, tensors, tuple(running))

    @classmethod
    def from_checkpoint(cls, tensors: Mapping[str, Array], facts: Mapping[str, str]) -> TrainedModel:
        """The network in a checkpoint: in the state of its training, and in what `beside_the_state` gave. Raises `NoModel`."""
        blueprint = Blueprint.from_facts(facts)
        _try_tensors(blueprint, tensors)
        network = _network(blueprint, tensors)
        if network.running is not None:
            network.running.value[...] = tensors["running"]
            network.running.product = float(tensors["running.product"][0])
        normalization = None
        if f"{PREFIX}mean" in tensors:
            normalization = Normalization(_own(tensors[f"{PREFIX}mean"]), _own(tensors[f"{PREFIX}std"]))
        return cls.of(network, blueprint, Preprocessing(normalization))

    def logits(self, X: NDArray[np.floating]) -> Array:
        """Logits (m, k) of raw features `X` (m, n). Raises `WrongColumns`."""
        features = self.blueprint.sizes[0]
        if X.ndim != 2 or X.shape[1] != features:
            raise WrongColumns(f"expected rows of {features:,} features, got an array of shape {X.shape}")
        with np.errstate(all="ignore"):  # what is not finite is seen in the answer
            return self._network.infer(np.ascontiguousarray(self.preprocessing.apply(X)))

    def predict(self, X: NDArray[np.floating]) -> NDArray[np.float64]:
        """Probabilities (m, C) of raw features `X` (m, n); for a regression the values (m, k). Raises `WrongColumns`."""
        Z = self.logits(X)
        with np.errstate(all="ignore"):
            return answers(self.blueprint.task, Z)

    def classes(self, X: NDArray[np.floating]) -> NDArray[np.int64]:
        """Numbers of the classes (m,) that raw features `X` (m, n) are taken for; -1 where a logit is not finite.

        Raises `WrongColumns`, and `ValueError` for a regression.
        """
        if self.blueprint.task is Task.REGRESSION:
            raise ValueError("a regression has no classes")
        Z = self.logits(X)
        with np.errstate(all="ignore"):
            return decided(answers(self.blueprint.task, Z), Z)

    @cached_property
    def _network(self) -> Network:
        network = _network(self.blueprint, self.tensors)
        if network.running is not None:
            parts = [part for each in self.running for part in (each.mean[0], each.var[0])]
            network.running.value[...] = np.concatenate(parts)
            network.running.product = 0.0  # they are corrected already
        return network


def beside_the_state(blueprint: Blueprint, preprocessing: Preprocessing) -> tuple[dict[str, Array], dict[str, str]]:
    """The tensors and facts that a checkpoint needs for `from_checkpoint`, beside the state of the training."""
    norm = preprocessing.normalization
    return {} if norm is None else {f"{PREFIX}mean": norm.mean, f"{PREFIX}std": norm.std}, blueprint.facts()


def _network(blueprint: Blueprint, tensors: Mapping[str, Array]) -> Network:
    network = blueprint.network(tensors["W1"].dtype)
    for name, view in network.named(network.parameters).items():
        view[...] = tensors[name]
    return network


def _try_tensors(blueprint: Blueprint, tensors: Mapping[str, Array]) -> None:
    """Raises `NoModel` where a tensor is missing or of another shape."""
    expected: dict[str, tuple[int, ...]] = {each.name: each.shape for each in layout(blueprint.sizes, blueprint.batch_norm)}
    hidden = sum(blueprint.sizes[1:-1])
    if blueprint.batch_norm and hidden:
        expected |= {"running": (2 * hidden,), "running.product": (1,)}
    if f"{PREFIX}mean" in tensors or f"{PREFIX}std" in tensors:
        expected |= {f"{PREFIX}mean": blueprint.sizes[:1], f"{PREFIX}std": blueprint.sizes[:1]}
    for name, shape in expected.items():
        found = tensors[name].shape if name in tensors else None
        if found != shape:
            raise NoModel(f"its trained network cannot be read: tensor {name}: expected {shape}, found {found or 'none'}")


def _own(array: Array) -> Array:
    copy = array.copy()
    copy.flags.writeable = False
    return copy
