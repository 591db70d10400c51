"""What is measured of a network, as values: scores, statistics of layers, what a look into it found.

Owns the form and the meaning of each figure, so that whoever shows one need not load what measures it. Must not compute,
and loads no NumPy.
"""

from __future__ import annotations

from dataclasses import dataclass

from workbench.arrays import Floats, Ints, Vector


@dataclass(frozen=True, slots=True)
class Score:
    """How the network does on one part of the data, without dropout and label smoothing.

    Attributes:
        cost: J, the mean loss plus the penalty.
        error: share of wrong examples; the root mean squared error for a regression.
        penalty: (λ/2)·Σ‖W‖² + λ₁·Σ|W|.
        data_cost: the mean loss alone: what may be compared across values of λ and λ₁. It is kept, because what is left of the
            sum without the penalty differs in the last digits, and no such digit may make a best.

    Penalty and data cost are NaN where only their sum is known: earlier workbenches did not tell them apart.
    """

    cost: float
    error: float
    penalty: float
    data_cost: float

    @classmethod
    def of(cls, data_cost: float, error: float, penalty: float = 0.0) -> Score:
        """The score of a mean loss and a penalty: their sum is J."""
        return cls(data_cost + penalty, error, penalty, data_cost)

    @property
    def cost_text(self) -> str:
        """The cost for people, who are told how much of it is penalty."""
        return f"{self.cost:.4g}" + (f" ({self.penalty:.3g} of it penalty)" if self.penalty > 0 else "")


@dataclass(frozen=True, slots=True)
class BatchNormStatistics:
    """One layer's batch norm: mean and variance of the last mini-batch (NaN before the first) and running ones, γ and β.

    Each is (n,), but for ε, which is added to a variance before its root is taken.
    """

    batch_mean: Vector
    batch_var: Vector
    running_mean: Vector
    running_var: Vector
    gamma: Vector
    beta: Vector
    epsilon: float


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts (bins,) in equal bins from `low` to `high`; values beyond are in the end bins."""

    low: float
    high: float
    counts: Ints


@dataclass(frozen=True, slots=True)
class LayerStatistics:
    """One layer, 1 to L, at an evaluation.

    Attributes:
        gradient_norm: ‖dW‖ at the last step, before clipping; NaN where there was none.
        clipped_norm: the same after clipping, of what the optimizer was given.
        weight_norm: ‖W‖.
        update_ratio: ‖ΔW‖/‖W‖ of the last step; about 1e-3 is healthy; NaN where there was none.
        dead: share of units whose slope g' is below 1e-3 on every example looked at: ReLUs that never fire, sigmoids
            that are saturated throughout. 0 for the output.
        saturated: share of outputs, over units and examples, where a function with two flat ends (sigmoid, tanh) has a slope
            below a twentieth of its greatest; 0 for other functions and for the output.
        twins: share of units whose weights are all but a copy of another unit's.
        z: distribution of Z before batch norm, over examples and units.
        normalized: that of Ẑ, after the normalization and before γ and β; None without batch norm.
        y: that of γẑ+β, which goes into the activation; of Z without batch norm.
        input_mean, input_std: of each unit of the layer's input, over examples, (n_in,).
    """

    layer: int
    units: int
    gradient_norm: float
    clipped_norm: float
    weight_norm: float
    update_ratio: float
    dead: float
    saturated: float
    twins: float
    z: Histogram
    normalized: Histogram | None
    y: Histogram
    input_mean: Vector
    input_std: Vector
    batchnorm: BatchNormStatistics | None


@dataclass(frozen=True, slots=True)
class Gap:
    """What the running statistics do to the scores: the same weights, normalized in two ways.

    Neither cost has penalties in it, which would be the same in both, and there is no dropout in either; so this differs
    from the dev cost of an evaluation by the penalties. Errors are shares of wrong examples, for a regression the root mean
    squared error.

    Attributes:
        part: "dev", or "train" where there is no dev set.
        examples: how many were looked at, at most `GAP_EXAMPLES`.
        batch_size: of the mini-batches; the last one has what is left, or one example more.
        running_cost, running_error: with the running statistics, as at test time.
        batch_cost, batch_error: with the statistics of each mini-batch, as in training; weighted by length. NaN for a
            single example, which has no variance.
    """

    part: str
    examples: int
    batch_size: int
    running_cost: float
    running_error: float
    batch_cost: float
    batch_error: float


@dataclass(frozen=True, slots=True, eq=False)
class Noise:
    """How far the statistics of a random mini-batch are from those of all examples looked at, by its size.

    Measured on z of each hidden layer as at test time, so the noise that the batch norm of a lower layer passes on is not in
    it. Mini-batches are drawn with replacement, as from endless data: those of an epoch, which share out the N train examples
    between them, are quieter by √((N-m)/(N-1)). Units whose z is constant are left out; a layer without others has NaN.

    Attributes:
        examples: the train examples looked at, at most `NOISE_EXAMPLES`.
        draws: mini-batches per size.
        sizes: m, (S,).
        mean: (L, S); error of μ in σ of the unit, root mean square over units and draws.
        variance: (L, S); error of the unbiased σ² as a share of σ², root mean square over units and draws.
        mean_theory: (S,); 1/√m, for any distribution.
        variance_theory: (S,); √(2/(m-1)), for a normal distribution. Heavy tails make it more.
    """

    examples: int
    draws: int
    sizes: Ints
    mean: Floats
    variance: Floats
    mean_theory: Floats
    variance_theory: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Lag:
    """How far one layer's running statistics are from the last mini-batch's; each (n,), NaN before the first mini-batch.

    A σ is √(σ²+ε) here, by which batch norm divides: `distance` is what the difference makes in ẑ.

    Attributes:
        layer: from 1.
        distance: |running μ - batch μ| in running σ.
        log_ratio: ln(running σ² / batch σ²).
    """

    layer: int
    distance: Floats
    log_ratio: Floats


@dataclass(frozen=True, slots=True)
class Concern:
    """Something that batch norm suffers from, with its numbers.

    Attributes:
        layer: from 1; 0 for the whole network.
        unit: from 0; -1 for the whole layer.
        text: one sentence for people.
    """

    layer: int
    unit: int
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class BatchNormInspection:
    """All that was found after `step` steps; `lags` has one for each hidden layer."""

    step: int
    gap: Gap
    noise: Noise
    lags: tuple[Lag, ...]
    concerns: tuple[Concern, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Boundary:
    """The classes over a plane of inputs, in the units they are trained on.

    Attributes:
        low, high: corners of the map, (2,) each: x and y.
        classes: of each place, (rows, columns), the greatest y in the first row; -1 where there is no prediction.
        confidence: probability of that class, the same shape.
        points, labels: some train examples, (k, 2) and (k,).
    """

    low: Floats
    high: Floats
    classes: Ints
    confidence: Floats
    points: Floats
    labels: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """Predicted against true targets of a regression, (k,) each, and what is said of all examples looked at."""

    truth: Floats
    predicted: Floats
    rmse: float
    r2: float


@dataclass(frozen=True, slots=True, eq=False)
class Confusion:
    """How often (C, C) a true class (row) was predicted as another (column); without a prediction it is in no column."""

    counts: Ints
    missing: int


@dataclass(frozen=True, slots=True, eq=False)
class ShownExamples:
    """Some examples: inputs as they were before normalization (k, n), true and predicted classes, and the confidence in these."""

    X: Floats
    truth: Ints
    predicted: Ints
    confidence: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """All that applies to the task; None for the rest.

    Attributes:
        part: which part of the data was looked at: dev, or train where there is none.
        class_names: in the order of their numbers.
        image: height and width of an example that is an image; empty otherwise.
        filters: weights of the first layer as images, (units, height, width).
    """

    part: str
    class_names: tuple[str, ...]
    image: tuple[int, ...]
    boundary: Boundary | None
    fit: Fit | None
    confusion: Confusion | None
    examples: ShownExamples | None
    worst: ShownExamples | None
    filters: Floats | None
