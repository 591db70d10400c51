"""What a trained network is, beside its figures: its shape, and what its inputs and outputs mean."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import DTypeLike

from workbench.data.dataset import Task
from workbench.hyperparameters import Architecture, Hyperparameters
from workbench.nn.activations import ACTIVATIONS
from workbench.nn.network import Network

FACT = "model"
"""The fact of a checkpoint that is the blueprint, as JSON."""
FORMAT = 1


class NoModel(ValueError):
    """There is no trained network in what was kept: the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blueprint:
    """All of a trained network but its figures.

    Raises `ValueError` where the parts do not belong together.

    Attributes:
        sizes: units of each layer, inputs first, outputs last.
        activation: of the hidden layers.
        batch_norm: whether the hidden layers have it; `batchnorm_epsilon` is its ε.
        task: what the outputs mean.
        class_names: in the order of their numbers; none for a regression.
        feature_names: one for each input.
        image_shape: height and width of an example that is an image.
    """

    sizes: tuple[int, ...]
    activation: str
    batch_norm: bool
    batchnorm_epsilon: float
    task: Task
    class_names: tuple[str, ...]
    feature_names: tuple[str, ...]
    image_shape: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if len(self.sizes) < 2 or min(self.sizes) < 1:
            raise ValueError(f"sizes {self.sizes}")
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"activation {self.activation!r}")
        inputs, outputs = self.sizes[0], self.sizes[-1]
        if len(self.feature_names) != inputs or (self.image_shape is not None and math.prod(self.image_shape) != inputs):
            raise ValueError(f"{len(self.feature_names)} features, image {self.image_shape}, and {inputs} inputs")
        classes = {Task.CLASSES: outputs, Task.BINARY: 2 * outputs, Task.REGRESSION: 0}[self.task]
        if len(self.class_names) != classes:
            raise ValueError(f"{len(self.class_names)} classes, and {outputs} outputs")

    def network(self, dtype: DTypeLike = np.float32) -> Network:
        """A network of this shape, into which the figures are to be put."""
        hidden = self.sizes[1:-1]
        architecture = Architecture(hidden=hidden, activation=self.activation, batch_norm=self.batch_norm, initializer="zeros")
        network = Network(self.sizes[0], self.sizes[-1], architecture, 0, dtype)
        network.configure(Hyperparameters(keep_prob=(1.0,) * len(hidden), batchnorm_epsilon=self.batchnorm_epsilon))
        return network

    def facts(self) -> dict[str, str]:
        """As a fact of a checkpoint, in ASCII whatever the names."""
        return {FACT: json.dumps({"format": FORMAT, **dataclasses.asdict(self)})}

    @classmethod
    def from_facts(cls, facts: Mapping[str, str]) -> Blueprint:
        """The blueprint among the facts of a checkpoint. Raises `NoModel`."""
        if FACT not in facts:
            raise NoModel("saved by an earlier workbench, without the trained network; open the session and save it once")
        try:
            table = json.loads(facts[FACT])
            if table["format"] != FORMAT:
                raise ValueError(f"it is of format {table['format']}, and this workbench reads format {FORMAT}")
            return msgspec.convert(table, cls)
        except (ValueError, KeyError, TypeError, RecursionError, msgspec.ValidationError) as error:
            raise NoModel(f"its trained network cannot be read: {error}") from None
