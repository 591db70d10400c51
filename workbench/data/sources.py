"""Where examples come from: the shipped digits, and synthetic sets that are a function of the settings and the seed.

Owns what an example looks like before the split. Must not know how examples are split or normalized. Features of the
synthetic sets are float64, of the digits float32; examples come in no useful order, and the split shuffles them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from workbench.data.dataset import DataError, Examples, Task
from workbench.data.stratify import shares
from workbench.data.uses import USES
from workbench.files.errors import suggestion
from workbench.hyperparameters import DataSettings
from workbench.randomness import Purpose, generator

Points = NDArray[np.float64]
Labels = NDArray[np.int64]

_CREDIT = (
    "E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998 "
    "(CC BY 4.0), test part as distributed with scikit-learn"
)


@dataclass(frozen=True, slots=True)
class Source:
    """One kind of examples.

    `make(settings, seed)` returns the same examples for the same arguments, and raises `DataError` where it cannot have as
    many as asked for.
    """

    name: str
    help: str
    make: Callable[[DataSettings, int], Examples]

    @property
    def uses(self) -> frozenset[str]:
        """The settings that it heeds, of those that only some sources do ("classes", "noise")."""
        return USES[self.name]


def load(settings: DataSettings, seed: int) -> Examples:
    """The examples that the settings ask for. Raises `DataError`."""
    source = SOURCES.get(settings.source)
    if source is None:
        raise DataError(f"data.source: {settings.source!r}: no such source{suggestion(settings.source, SOURCES)}")
    return source.make(settings, seed)


def digits(settings: DataSettings, seed: int) -> Examples:
    """Handwritten digits of 8×8 pixels from 0 to 1 (sixteenths); fewer than all are drawn in proportion to the classes."""
    with (files("workbench.data") / "digits.npz").open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        images, labels = arrays["images"], arrays["labels"].astype(np.int64)
    if settings.examples > len(images):
        raise DataError(f"data.examples: {settings.examples}: the digits have {len(images):,} examples")
    if settings.examples < len(images):
        kept = _subset(labels, settings.examples, generator(seed, Purpose.DATA))
        images, labels = images[kept], labels[kept]
    return Examples(
        X=images.reshape(len(images), 64).astype(np.float32) / np.float32(16),
        labels=labels,
        task=Task.CLASSES,
        class_names=tuple(str(digit) for digit in range(10)),
        image_shape=(8, 8),
        feature_names=tuple(f"pixel {row},{column}" for row in range(8) for column in range(8)),
        title="Handwritten digits, 8×8 pixels",
        credit=_CREDIT,
    )


def _subset(labels: Labels, size: int, random: np.random.Generator) -> NDArray[np.intp]:
    """Row numbers of `size` examples, each class within one of its share, in rising order."""
    wanted = shares(np.bincount(labels), np.array([size, len(labels) - size]))[:, 0]
    order = random.permutation(len(labels))
    return np.sort(np.concatenate([order[labels[order] == label][:count] for label, count in enumerate(wanted)]))


def spiral(settings: DataSettings, seed: int) -> Examples:
    """C arms that wind around each other; the noise is on the angle, in radians.

    After the spiral of Karpathy's notes (Stanford CS231n, 2015, "Putting it together: minimal neural network case study"):
    r from 0 to 1, 4 radians per arm, x = (r sin t, r cos t). There arm j begins at 4j, which for three arms is nearly a third
    of a turn apart; here at 2πj/C, so that any number of arms is evenly spaced. His noise is 0.2.
    """
    random = generator(seed, Purpose.DATA)
    sizes = _even(settings.examples, settings.classes)
    radius = np.concatenate([np.linspace(0, 1, size) for size in sizes])
    labels = np.repeat(np.arange(settings.classes), sizes)
    angle = 2 * np.pi * labels / settings.classes + 4 * radius + settings.noise * random.standard_normal(len(labels))
    X = radius[:, None] * np.column_stack([np.sin(angle), np.cos(angle)])
    return _plane(X, labels, tuple(f"arm {j + 1}" for j in range(settings.classes)), "Spiral")


def circles(settings: DataSettings, seed: int) -> Examples:
    """A circle of radius 1 (class 0) around one of radius 0.5 (class 1).

    As scikit-learn's `make_circles` with `factor=0.5`; its default 0.8 leaves the circles no room for the default noise.
    """
    outer, inner = settings.examples // 2, settings.examples - settings.examples // 2
    angle = np.concatenate([np.linspace(0, 2 * np.pi, size, endpoint=False) for size in (outer, inner)])
    labels = np.repeat([0, 1], [outer, inner])
    X = np.where(labels == 0, 1.0, 0.5)[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    return _plane(_jittered(X, settings, generator(seed, Purpose.DATA)), labels, ("outer", "inner"), "Circles")


def moons(settings: DataSettings, seed: int) -> Examples:
    """Two half circles that reach into each other, as scikit-learn's `make_moons`: the upper is class 0, the lower class 1."""
    upper, lower = settings.examples // 2, settings.examples - settings.examples // 2
    s, t = np.linspace(0, np.pi, upper), np.linspace(0, np.pi, lower)
    X = np.concatenate([np.column_stack([np.cos(s), np.sin(s)]), np.column_stack([1 - np.cos(t), 0.5 - np.sin(t)])])
    labels = np.repeat([0, 1], [upper, lower])
    return _plane(_jittered(X, settings, generator(seed, Purpose.DATA)), labels, ("upper", "lower"), "Moons")


def xor(settings: DataSettings, seed: int) -> Examples:
    """Points spread evenly over [-1, 1]², class 1 where x₁ and x₂ have the same sign; the noise moves points after that."""
    random = generator(seed, Purpose.DATA)
    X = random.uniform(-1, 1, (settings.examples, 2))
    labels = (X[:, 0] * X[:, 1] > 0).astype(np.int64)
    return _plane(_jittered(X, settings, random), labels, ("signs differ", "signs agree"), "XOR")


def gaussians(settings: DataSettings, seed: int) -> Examples:
    """C round clouds, their centres evenly spaced on a circle of radius 1; the noise is their standard deviation."""
    labels = np.repeat(np.arange(settings.classes), _even(settings.examples, settings.classes))
    angle = 2 * np.pi * labels / settings.classes
    X = _jittered(np.column_stack([np.cos(angle), np.sin(angle)]), settings, generator(seed, Purpose.DATA))
    return _plane(X, labels, tuple(f"cloud {j + 1}" for j in range(settings.classes)), "Gaussians")


def surface(x1: Points, x2: Points) -> Points:
    """What a regression is to find under the noise: sin(3x₁) + x₁x₂ + x₂/2."""
    return np.sin(3 * x1) + x1 * x2 + x2 / 2


def regression(settings: DataSettings, seed: int) -> Examples:
    """Points spread evenly over [-1, 1]², and the height of `surface` there; the noise is on the height."""
    random = generator(seed, Purpose.DATA)
    X = random.uniform(-1, 1, (settings.examples, 2))
    height = surface(X[:, :1], X[:, 1:])
    return Examples(
        X=X,
        labels=height + settings.noise * random.standard_normal(height.shape),
        task=Task.REGRESSION,
        feature_names=("x₁", "x₂"),
        title="Regression, y = sin(3x₁) + x₁x₂ + x₂/2 + noise",
    )


def _even(examples: int, classes: int) -> Labels:
    """Class sizes that differ by one at most, the larger ones first."""
    return examples // classes + (np.arange(classes) < examples % classes)


def _jittered(X: Points, settings: DataSettings, random: np.random.Generator) -> Points:
    return X + settings.noise * random.standard_normal(X.shape)


def _plane(X: Points, labels: Labels, class_names: tuple[str, ...], title: str) -> Examples:
    task = Task.BINARY if len(class_names) == 2 else Task.CLASSES
    return Examples(X=X, labels=labels, task=task, class_names=class_names, feature_names=("x₁", "x₂"), title=title)


SOURCES: Mapping[str, Source] = {
    source.name: source
    for source in (
        Source("digits", "1,797 handwritten digits of 8×8 pixels (UCI, 1998), ten classes.", digits),
        Source("spiral", "C arms that wind around each other; the noise is on the angle.", spiral),
        Source("circles", "One circle inside another, two classes.", circles),
        Source("moons", "Two half circles that reach into each other.", moons),
        Source("xor", "Four quadrants: class 1 where both coordinates have the same sign.", xor),
        Source("gaussians", "C round clouds on a circle; the noise is their spread.", gaussians),
        Source("regression", "A curved surface over two features, with noise on its height.", regression),
    )
}
