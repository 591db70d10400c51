"""The diagnosis: the course's cases, presets that are really trained, and what must hold of every finding."""

from __future__ import annotations

import dataclasses
import math
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.engine.commands import scripted
from workbench.engine.diagnosis import Facts, Finding, Level, diagnose, gaps
from workbench.engine.events import Evaluated, StepsTaken
from workbench.engine.history import History
from workbench.engine.measurements import Histogram, LayerStatistics, Score
from workbench.engine.trainer import Until
from workbench.hyperparameters import TABLE, Hyperparameters, get
from workbench.optim.usage import unused_because
from workbench.run.run import Run
from workbench.session.preset import load_preset
from workbench.session.session import Session

NOTHING = Histogram(0.0, 1.0, np.zeros(4, np.int64))
DEFAULTS = dataclasses.replace(Hyperparameters(), keep_prob=(1.0, 1.0))


def layer(number: int, units: int = 8, **changes: float) -> LayerStatistics:
    """A healthy one, or what it is changed to."""
    healthy = LayerStatistics(
        layer=number, units=units, gradient_norm=0.1, clipped_norm=0.1, weight_norm=3.0, update_ratio=1e-3,
        dead=0.0, saturated=0.0, twins=0.0,
        z=NOTHING, normalized=None, y=NOTHING, input_mean=np.zeros(2), input_std=np.ones(2), batchnorm=None,
    )  # fmt: skip
    return dataclasses.replace(healthy, **changes)  # type: ignore[arg-type]


def facts(
    train: float = 0.01, dev: float | None = 0.01, *layers: LayerStatistics, step: int = 1000, history: History | None = None,
    bayes: float = 0.0, task: str = "classes", settings: Hyperparameters = DEFAULTS, since: int = 0, spread: float | None = None,
) -> Facts:  # fmt: skip
    evaluated = Evaluated(
        step, 5, Score.of(0.1, train), None if dev is None else Score.of(0.1, dev), layers or (layer(1), layer(2), layer(3, 10)),
        guess=None if spread is None else Score.of(spread**2 / 2, spread),
    )  # fmt: skip
    return Facts(step, task, settings, False, history or History(), evaluated, bayes, since)


def curve(*costs: float, steps: int = 1000, scatter: float = 0.0) -> History:
    """A cost that goes from one of these to the next in straight lines, with a scatter in proportion to it."""
    history = History()
    noise = 1 + scatter * np.random.default_rng(1).standard_normal(steps)
    cost = np.interp(np.linspace(0, 1, steps), np.linspace(0, 1, len(costs)), costs) * noise
    history.record(StepsTaken(steps, 5, 5.0, cost, np.ones(steps), np.full(steps, 1e-3), *np.zeros((2, steps))))
    return history


def scores(steps: int, train: list[float], dev: list[float]) -> History:
    history = curve(1.0, 0.2, 0.2, steps=steps, scatter=0.1)
    for number, (t, d) in enumerate(zip(train, dev, strict=True), start=1):
        history.record(Evaluated(number * steps // len(train), number, Score.of(t, 0.0), Score.of(d, 0.1), ()))
    return history


def kinds(found: tuple[Finding, ...], least: Level = Level.WARNING) -> dict[str, Finding]:
    return {each.kind: each for each in found if each.level >= least}


@cache
def trained(preset: str, steps: int, edits: tuple[tuple[int, str, Any], ...] = (), **changes: Any) -> Facts:
    """What is known after so many steps; several tests ask for the same."""
    chosen = load_preset(preset)
    for name, value in changes.items():
        chosen = chosen.with_value(name, value)
    run = Run(Session(preset=chosen, seed=1))
    history, evaluated = History(), None
    for event in run.events(scripted(list(edits)), lambda: False, Until(steps=steps)):
        history.record(event)
        evaluated = event if isinstance(event, Evaluated) else evaluated
    trainer = run.trainer
    return Facts(
        trainer.state.step, str(trainer.splits.task), trainer.hyperparameters, trainer.architecture.batch_norm, history,
        evaluated, since=max((step for step, *_ in edits), default=0),
    )  # fmt: skip


# Bias and variance


@pytest.mark.parametrize(
    ("train", "dev", "bayes", "kind", "level"),
    [
        (0.01, 0.11, 0.0, "high variance", Level.BAD),
        (0.15, 0.16, 0.0, "high bias", Level.BAD),
        (0.15, 0.30, 0.0, "both", Level.BAD),
        (0.005, 0.01, 0.0, "neither", Level.GOOD),
        (0.15, 0.16, 0.15, "neither", Level.GOOD),
        (0.004, 0.028, 0.0, "high variance", Level.NOTE),
        (0.02, 0.02, 0.05, "neither", Level.GOOD),
    ],
)
def test_the_courses_cases(train: float, dev: float, bayes: float, kind: str, level: Level):
    (finding,) = diagnose(facts(train, dev, bayes=bayes))
    assert (finding.kind, finding.level) == (kind, level)
    assert f"{100 * train:g} %" in finding.text
    assert f"{100 * dev:g} %" in finding.text


def test_the_text_has_both_gaps_in_points():
    (finding,) = diagnose(facts(0.004, 0.028))
    assert finding.text == "train 0.4 %, dev 2.8 %, Bayes 0 %: avoidable bias 0.4, variance 2.4 points"
    assert "more data" in finding.advice


def test_gaps_are_differences_and_unknown_without_a_dev_set():
    assert gaps(0.15, 0.16, 0.14) == pytest.approx((0.01, 0.01))
    assert math.isnan(gaps(0.15, None, 0.0)[1])


def test_without_a_dev_set_bias_is_still_judged():
    assert set(kinds(diagnose(facts(0.2, None)), Level.NOTE)) == {"no dev set", "high bias"}


@pytest.mark.parametrize(
    ("train", "level", "advice"),
    [(0.15, Level.NOTE, "train longer before judging"), (0.4, Level.WARNING, "train far longer; or a bigger network")],
)
def test_while_the_cost_falls_bias_is_judged_by_what_will_be_left_of_it_after_as_many_steps_again(
    train: float, level: Level, advice: str
):
    (falling,) = diagnose(facts(train, train, history=curve(1.0, 0.5, 0.2)))
    assert (falling.kind, falling.level) == ("high bias", level)
    assert advice in falling.advice


@pytest.mark.parametrize(("l2", "level"), [(0.0, Level.NOTE), (0.5, Level.WARNING)])
def test_a_cost_that_has_only_begun_to_fall_is_given_time_unless_strong_regularization_is_in_its_way(l2: float, level: Level):
    h = dataclasses.replace(DEFAULTS, l2=l2)
    (falling,) = diagnose(facts(0.4, 0.4, step=300, history=curve(1.0, 0.7, 0.5, steps=300), settings=h))
    assert (falling.kind, falling.level) == ("high bias", level)


def test_where_units_are_dropped_it_is_the_evaluated_cost_that_must_fall():
    """That of a mini-batch calms down from what dropout makes of it, while the network without it learns nothing."""
    dropping = dataclasses.replace(DEFAULTS, keep_prob=(0.3, 0.3))
    history = curve(5.0, 2.0, 0.8)
    for step in range(0, 1001, 25):
        history.record(Evaluated(step, 1, Score.of(0.7 if step else 5.0, 0.08), None, ()))
    assert kinds(diagnose(facts(0.08, 0.08, history=history, settings=dropping)))["high bias"].name == "keep_prob"
    assert kinds(diagnose(facts(0.08, 0.08, history=history))) == {}


@pytest.mark.parametrize(
    ("train", "dev", "bayes", "kind", "level"),
    [
        (0.1, 0.11, 0.0, "neither", Level.GOOD),
        (0.25, 0.26, 0.0, "high bias", Level.NOTE),
        (0.25, 0.26, 0.24, "neither", Level.GOOD),
        (0.4, 0.41, 0.1, "high bias", Level.WARNING),
        (0.9, 0.9, 0.0, "high bias", Level.BAD),
        (0.1, 0.4, 0.0, "high variance", Level.WARNING),
        (0.001, 0.01, 0.0, "neither", Level.GOOD),
    ],
)
@pytest.mark.parametrize("unit", [1.0, 1e4])
def test_a_regression_is_measured_by_the_spread_of_its_targets_whatever_their_unit(
    unit: float, train: float, dev: float, bayes: float, kind: str, level: Level
):
    (finding,) = diagnose(facts(train * unit, dev * unit, task="regression", bayes=bayes * unit, spread=unit))
    assert (finding.kind, finding.level) == (kind, level)
    assert f"R² {1 - train**2:.3g} and {1 - dev**2:.3g}" in finding.text


def test_targets_that_are_all_the_same_have_no_r2():
    (finding,) = diagnose(facts(0.1, 0.1, task="regression", spread=0.0))
    assert (finding.kind, finding.text) == ("neither", "RMSE: train 0.1, dev 0.1")


@pytest.mark.parametrize(
    ("changes", "layers", "words", "setting"),
    [
        ({"l2": 0.5}, (), "less regularization first: λ = 0.5", ("l2", 0.05)),
        ({"keep_prob": (0.2, 0.9)}, (), "less regularization first: a keep probability of 0.2", ("keep_prob", (1.0, 1.0))),
        ({"l2": 0.004, "keep_prob": (0.2, 0.9)}, (), "a keep probability of 0.2", ("keep_prob", (1.0, 1.0))),
        ({}, (8, 2, 10), "a bigger network: layer 2 has no more than 2 units", ("", None)),
    ],
)
def test_what_most_probably_keeps_a_network_from_fitting_is_named_first(
    changes: dict[str, Any], layers: tuple[int, ...], words: str, setting: tuple[str, Any]
):
    h = dataclasses.replace(DEFAULTS, **changes)
    known = facts(0.3, 0.3, *(layer(l, units) for l, units in enumerate(layers, start=1)), settings=h)
    finding = kinds(diagnose(known))["high bias"]
    assert words in finding.advice
    assert (finding.name, finding.value) == setting


def test_a_classifier_that_guesses_is_told_so():
    tenth = facts(0.88, 0.9, layer(1), layer(2), layer(3, 10))
    assert "at chance" in kinds(diagnose(tenth))
    assert "at chance" not in kinds(diagnose(facts(0.6, 0.61)))
    coin = facts(0.49, 0.5, layer(1), layer(2), layer(3, 1), task="binary")
    assert "at chance" in kinds(diagnose(coin))


@pytest.mark.parametrize(("cost", "named"), [(0.68, True), (0.5, False)])
def test_a_classifier_that_errs_a_little_less_than_a_guess_at_the_cost_of_one_guesses(cost: float, named: bool):
    known = facts(0.43, 0.44, layer(1), layer(2), layer(3, 1), task="binary")
    assert known.evaluated is not None
    evaluated = dataclasses.replace(known.evaluated, train=Score.of(cost, 0.43), guess=Score.of(math.log(2), 0.5))
    assert ("at chance" in kinds(diagnose(dataclasses.replace(known, evaluated=evaluated)))) == named


def test_a_network_that_knows_train_by_heart_and_guesses_on_dev_is_told_to_look_at_its_labels():
    finding = kinds(diagnose(facts(0.2, 0.88, layer(1), layer(2), layer(3, 10))))["at chance"]
    assert "labels" in finding.advice
    assert "dev 88 %" in finding.text
    assert "at chance" not in kinds(diagnose(facts(0.2, 0.5, layer(1), layer(2), layer(3, 10))), Level.NOTE)


# Too early


@pytest.mark.parametrize("step", [0, 1, 49])
def test_it_accuses_nobody_of_an_error_rate_before_some_training(step: int):
    (finding,) = diagnose(facts(0.9, 0.9, step=step))
    assert (finding.kind, finding.level) == ("too early", Level.GOOD)


def test_without_an_evaluation_it_is_too_early():
    (finding,) = diagnose(dataclasses.replace(facts(), evaluated=None))
    assert finding.kind == "too early"


def test_curves_are_judged_from_the_last_edit_on():
    rested = curve(1.0, 0.5, 0.5, 0.5)
    assert "plateau" in kinds(diagnose(facts(0.1, 0.1, history=rested)))
    assert "plateau" not in kinds(diagnose(facts(0.1, 0.1, history=rested, since=950)))


# Layers


def test_gradients_that_vanish_are_named_with_their_layers():
    layers = [layer(l, gradient_norm=10.0 ** (l - 6), update_ratio=1e-6) for l in range(1, 7)]
    found = kinds(diagnose(facts(0.3, 0.3, *layers)))
    assert "from 1.0e+00 in layer 6 to 1.0e-05 in layer 1" in found["vanishing gradients"].text


def test_in_a_network_that_fits_gradients_that_vanish_are_but_a_note():
    layers = [layer(l, gradient_norm=10.0 ** (l - 6), update_ratio=1e-6) for l in range(1, 7)]
    found = diagnose(facts(0.001, 0.001, *layers))
    assert "vanishing gradients" in kinds(found, Level.NOTE)
    assert kinds(found) == {}


def test_a_small_first_gradient_is_but_a_note_where_the_layer_moves_all_the_same():
    layers = [layer(l, gradient_norm=10.0 ** (l - 6)) for l in range(1, 7)]
    assert "vanishing gradients" not in kinds(diagnose(facts(0.3, 0.3, *layers)))
    assert "vanishing gradients" in kinds(diagnose(facts(0.3, 0.3, *layers)), Level.NOTE)


def test_one_odd_mini_batch_among_several_evaluations_is_no_vanishing():
    history = History()
    for number in range(1, 6):
        odd = 1e-5 if number == 5 else 0.1
        layers = (layer(1, gradient_norm=odd), layer(2), layer(3))
        history.record(Evaluated(number * 200, number, Score.of(0.1, 0.01), Score.of(0.1, 0.01), layers))
    assert not kinds(diagnose(facts(0.01, 0.01, *layers, history=history)))


@pytest.mark.parametrize(("before", "named"), [(1e-7, True), (1e-2, False)])
def test_a_layer_that_died_of_outputs_next_to_nothing_does_not_hide_that_gradients_vanished(before: float, named: bool):
    history = History()
    history.record(Evaluated(0, 1, Score.of(2.3, 0.9), Score.of(2.3, 0.9), ()))
    for number in range(1, 13):
        norm = before if number <= 2 else 0.0
        layers = [layer(l, gradient_norm=norm, dead=float(l == 4 and number > 2), update_ratio=norm / 10) for l in range(1, 6)]
        history.record(Evaluated(number * 80, 1, Score.of(2.3, 0.9), Score.of(2.3, 0.9), tuple(layers)))
    found = kinds(diagnose(facts(0.9, 0.9, *layers, history=history)))
    assert "dead units" in found
    assert ("vanishing gradients" in found) == named


def test_exploding_gradients_are_clipped_where_the_optimizer_does_not_divide_their_size_out():
    layers = [layer(l, gradient_norm=1e4) for l in range(1, 5)]
    plain = dataclasses.replace(DEFAULTS, optimizer="gradient_descent")
    finding = kinds(diagnose(facts(0.3, 0.3, *layers, settings=plain)))["exploding gradients"]
    assert (finding.level, finding.name, finding.value) == (Level.BAD, "clip_norm", 1.0)
    assert kinds(diagnose(facts(0.3, 0.3, *layers)))["exploding gradients"].name == ""


def evaluated_often(*layers: LayerStatistics, starts: float = 1.0, train: float = 0.4) -> History:
    """Twelve evaluations of the same layers; the cost starts somewhere and then rests."""
    history = curve(0.6, 0.6, 0.6, scatter=0.05)
    history.record(Evaluated(0, 1, Score.of(starts, 0.5), Score.of(starts, 0.5), ()))
    for number in range(1, 13):
        history.record(Evaluated(number * 80, number, Score.of(0.6, train), Score.of(0.6, train), layers))
    return history


def test_gradients_that_vanish_in_most_of_a_poor_run_are_more_than_a_note_even_where_layer_1_moves():
    layers = [layer(l, gradient_norm=10.0 ** (l - 6)) for l in range(1, 7)]
    found = kinds(diagnose(facts(0.4, 0.4, *layers, history=evaluated_often(*layers))))
    assert "in most of 12 evaluations" in found["vanishing gradients"].text
    assert "vanishing gradients" not in kinds(diagnose(facts(0.01, 0.01, *layers, history=evaluated_often(*layers, train=0.01))))


@pytest.mark.parametrize(("lasting", "named"), [(3, False), (12, True)])
def test_gradients_that_vanished_in_the_first_quarter_of_a_poor_run_held_it_up(lasting: int, named: bool):
    history = curve(0.6, 0.6, 0.6, scatter=0.05)
    history.record(Evaluated(0, 1, Score.of(1.0, 0.5), Score.of(1.0, 0.5), ()))
    for number in range(1, 41):
        norms = [10.0 ** (l - 6) if number <= lasting else 0.1 for l in range(1, 7)]
        layers = [layer(l, gradient_norm=norm) for l, norm in enumerate(norms, start=1)]
        history.record(Evaluated(number * 24, number, Score.of(0.6, 0.4), Score.of(0.6, 0.4), tuple(layers)))
    found = kinds(diagnose(facts(0.4, 0.4, *layers, history=history)))
    assert ("vanishing gradients" in found) == named
    assert not named or "in most of the first 10 evaluations" in found["vanishing gradients"].text


@pytest.mark.parametrize(("weights", "named"), [(2.0, True), (80.0, False)])
def test_that_little_passes_is_laid_to_steps_too_large_only_where_the_weights_have_grown(weights: float, named: bool):
    layers = [layer(l, gradient_norm=weights * 10.0 ** (l - 6), weight_norm=weights) for l in range(1, 7)]
    history = evaluated_often(*layers)
    history.series["data_cost"].extend(np.arange(1, 11), np.full(10, 30.0))
    found = kinds(diagnose(facts(0.4, 0.4, *layers, history=history)))
    assert "thrown" in found
    assert ("vanishing gradients" in found) == named


def test_what_vanishes_forward_leaves_all_layers_with_small_gradients():
    small = [layer(l, gradient_norm=3e-3) for l in range(1, 5)]
    found = kinds(diagnose(facts(0.4, 0.4, *small, history=evaluated_often(*small))))
    assert "1.0e-03 of ‖W‖" in found["vanishing gradients"].text


def test_a_network_whose_first_weights_blew_up_is_told_so_as_long_as_it_fits_badly():
    layers = (layer(1), layer(2), layer(3, 10))
    bad = kinds(diagnose(facts(0.4, 0.4, *layers, history=evaluated_often(*layers, starts=3000.0))))
    assert "started at 3e+03" in bad["exploding gradients"].text
    assert bad["exploding gradients"].name == ""
    good = diagnose(facts(0.01, 0.01, *layers, history=evaluated_often(*layers, starts=3000.0, train=0.01)))
    assert "exploding gradients" not in kinds(good, Level.NOTE)


@pytest.mark.parametrize(("step", "value"), [(12, 1e-4), (1000, 3e-4)])
def test_where_the_guard_has_stopped_a_lower_rate_is_suggested_however_early(step: int, value: float):
    stopped = dataclasses.replace(facts(0.4, 0.4, step=step), stopped="the cost is inf")
    finding = kinds(diagnose(stopped))["stopped"]
    assert (finding.level, finding.name, finding.value) == (Level.BAD, "learning_rate", value)
    assert "the cost is inf" in finding.text
    assert "stopped" not in kinds(diagnose(facts(0.4, 0.4, step=step)))


def test_a_cost_that_rose_far_above_its_start_is_told_where_the_fit_stayed_poor():
    history = curve(30.0, 0.6, 0.6)
    history.record(Evaluated(0, 1, Score.of(0.7, 0.5), Score.of(0.7, 0.5), ()))
    finding = kinds(diagnose(facts(0.4, 0.4, history=history)))["thrown"]
    assert "from 0.7 to 29" in finding.text
    assert finding.name == "learning_rate"
    assert "thrown" not in kinds(diagnose(facts(0.01, 0.01, history=history)), Level.NOTE)
    dropping = dataclasses.replace(DEFAULTS, keep_prob=(0.3, 0.3))  # the first mini-batch costs 30 before any step
    assert "thrown" not in kinds(diagnose(facts(0.4, 0.4, history=history, settings=dropping)), Level.NOTE)


def test_where_the_guard_has_stopped_and_dropout_widens_what_passes_by_far_that_is_eased_first():
    h = dataclasses.replace(DEFAULTS, keep_prob=(0.1,) * 8)
    stopped = dataclasses.replace(facts(0.5, 0.5, step=12, settings=h), stopped="the cost is inf")
    found = {each.kind: each for each in diagnose(stopped)}
    assert "1e+04 times as wide" in found["stopped"].text
    assert (found["stopped"].name, found["stopped"].value) == ("keep_prob", (1.0,) * 8)
    assert found["too early"].advice == "mend first what stopped it"


@pytest.mark.parametrize(("field", "kind"), [("dead", "dead units"), ("saturated", "saturated units")])
def test_what_is_a_note_in_a_network_that_fits_is_a_warning_in_one_that_does_not(field: str, kind: str):
    layers = (layer(1), layer(2, 8, **{field: 0.55}), layer(3))
    assert kind in kinds(diagnose(facts(0.4, 0.4, *layers)))
    assert kind in kinds(diagnose(facts(0.01, 0.01, *layers)), Level.NOTE)
    assert kind not in kinds(diagnose(facts(0.01, 0.01, *layers)))


@pytest.mark.parametrize(
    ("field", "kind"), [("dead", "dead units"), ("saturated", "saturated units"), ("twins", "identical units")]
)
def test_units_that_do_no_work_of_their_own(field: str, kind: str):
    found = kinds(diagnose(facts(0.01, 0.01, layer(1), layer(2, 8, **{field: 1.0}), layer(3))))
    assert "layer 2" in found[kind].text
    assert "100 %" in found[kind].text
    assert kind not in kinds(diagnose(facts(0.01, 0.01, layer(1), layer(2, 8, **{field: 0.2}), layer(3))), Level.NOTE)


def test_equal_outputs_are_no_identical_units():
    assert not kinds(diagnose(facts(0.01, 0.01, layer(1), layer(2), layer(3, twins=1.0))), Level.NOTE)


def test_small_updates_are_no_fault_where_nothing_is_left_to_learn_or_the_schedule_wants_them():
    small = [layer(l, update_ratio=1e-6) for l in (1, 2, 3)]
    assert "small updates" in kinds(diagnose(facts(0.2, 0.2, *small)))
    assert "small updates" not in kinds(diagnose(facts(0.0, 0.0, *small)), Level.NOTE)
    fast = dataclasses.replace(DEFAULTS, learning_rate=1.0)  # and the curve says that 1e-3 is in force
    assert "small updates" not in kinds(diagnose(facts(0.2, 0.2, *small, history=curve(1.0, 0.5), settings=fast)), Level.NOTE)


def test_updates_that_were_never_usual_in_a_poor_run_are_small_whatever_the_schedule_does_now():
    small = [layer(l, update_ratio=3e-4) for l in (1, 2, 3)]
    finding = kinds(diagnose(facts(0.4, 0.4, *small, history=evaluated_often(*small))))["small updates"]
    assert "3.0e-04 at most in 12 evaluations" in finding.text
    assert finding.value == pytest.approx(3 * DEFAULTS.learning_rate)
    fits = evaluated_often(*small, train=0.01)
    assert "small updates" not in kinds(diagnose(facts(0.01, 0.01, *small, history=fits)), Level.NOTE)
    once = evaluated_often(*small)
    for l in (1, 2, 3):
        once.series[f"update{l}"].add(999, 2e-3)
    assert "small updates" not in kinds(diagnose(facts(0.4, 0.4, *small, history=once)), Level.NOTE)


# Curves


def test_overfitting_names_the_best_step_and_the_costs():
    dev = [0.9, 0.5, 0.3, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5]
    train = [0.9, 0.5, 0.3, 0.2, 0.15, 0.1, 0.08, 0.06, 0.05, 0.04]
    finding = kinds(diagnose(facts(0.0, 0.1, history=scores(1000, train, dev))))["overfitting"]
    assert "step 400" in finding.text
    assert (finding.name, finding.value) == ("patience", 10)


def test_a_dev_cost_that_rises_along_with_the_train_cost_is_no_overfitting():
    both = [0.9, 0.5, 0.3, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5]
    assert "overfitting" not in kinds(diagnose(facts(0.0, 0.1, history=scores(1000, both, both))), Level.NOTE)


def test_a_cost_that_jumps_and_does_not_fall_asks_for_a_lower_rate():
    finding = kinds(diagnose(facts(0.1, 0.1, history=curve(0.5, 0.5, 0.5, scatter=0.6))))["oscillation"]
    assert finding.name == "learning_rate"
    assert isinstance(finding.value, float)
    assert finding.value == pytest.approx(DEFAULTS.learning_rate / 3, rel=0.15)


@pytest.mark.parametrize("fits", [True, False])
def test_where_a_schedule_has_ended_the_run_no_rate_is_too_high(fits: bool):
    """The cost scatters as mini-batches do; the α in force is what counts, and the one to edit is the schedule."""
    h = dataclasses.replace(DEFAULTS, learning_rate=0.1, schedule="exponential", decay_factor=0.5)
    error, steps = 0.01 if fits else 0.3, 1000
    noise = 1 + 0.6 * np.random.default_rng(1).standard_normal(steps)
    history = History()
    rates = 0.1 * 0.5 ** (np.arange(steps) / 18)
    history.record(StepsTaken(steps, 5, 5.0, 0.5 * noise, np.ones(steps), rates, *np.zeros((2, steps))))
    found = diagnose(facts(error, error, *(layer(l, update_ratio=1e-16) for l in (1, 2, 3)), history=history, settings=h))
    assert all(each.name != "learning_rate" and each.kind != "oscillation" for each in found)
    if fits:
        assert kinds(found, Level.NOTE) == {}
        return
    assert (found[0].kind, found[0].name, found[0].value) == ("small updates", "schedule", "constant")
    assert "from 0.1 to 2e-18" in found[0].text


def test_the_noise_of_small_mini_batches_on_a_falling_cost_is_no_oscillation():
    assert not kinds(diagnose(facts(0.01, 0.01, history=curve(1.0, 0.5, 0.2, scatter=0.8))), Level.NOTE)


def test_a_cost_that_falls_in_a_straight_line_by_small_steps_asks_for_a_higher_rate():
    small = [layer(l, update_ratio=3e-5) for l in (1, 2, 3)]
    finding = kinds(diagnose(facts(0.2, 0.2, *small, history=curve(1.0, 0.9, scatter=0.01))))["slow descent"]
    assert isinstance(finding.value, float)
    assert finding.value > DEFAULTS.learning_rate


def test_a_plateau_is_none_at_the_bayes_error():
    rested = curve(1.0, 0.5, 0.5, 0.5, scatter=0.05)
    assert "plateau" in kinds(diagnose(facts(0.1, 0.1, history=rested)))
    assert not kinds(diagnose(facts(0.1, 0.1, history=rested, bayes=0.1)), Level.NOTE)


@pytest.mark.parametrize("steps", [200, 5000, 100_000])
def test_the_verdict_on_a_curve_does_not_depend_on_how_its_steps_were_merged(steps: int):
    jumping = curve(0.5, 0.5, 0.5, steps=steps, scatter=0.7)
    resting = curve(1.0, 0.5, 0.5, 0.5, steps=steps, scatter=0.2)
    assert "oscillation" in kinds(diagnose(facts(0.1, 0.1, history=jumping, step=steps)))
    assert "plateau" in kinds(diagnose(facts(0.1, 0.1, history=resting, step=steps)))


# What must hold of every finding

SHARES = st.sampled_from([0.0, 1e-12, 1e-6, 1e-4, 1e-2, 0.3, 0.5, 1.0])
NORMS = st.sampled_from([0.0, 1e-30, 1e-5, 0.1, 10.0, 1e6, 1e30, math.inf, math.nan])


@st.composite
def any_facts(draw: st.DrawFn) -> Facts:
    layers = [
        layer(
            l, gradient_norm=draw(NORMS), weight_norm=draw(NORMS), update_ratio=draw(NORMS), dead=draw(SHARES),
            saturated=draw(SHARES), twins=draw(SHARES),
        )
        for l in range(1, draw(st.integers(2, 6)))
    ]  # fmt: skip
    settings = dataclasses.replace(
        DEFAULTS,
        optimizer=draw(st.sampled_from(TABLE["optimizer"].choices)),
        learning_rate=draw(st.sampled_from([1e-300, 1e-6, 1e-3, 0.003, 0.3, 1e30])),
        l2=draw(st.sampled_from([0.0, 0.003, 0.3, 1e6])),
        keep_prob=draw(st.sampled_from([(), (1.0,), (0.5, 1.0), (0.01, 0.2)])),
        schedule=draw(st.sampled_from(TABLE["schedule"].choices)),
        clip_norm=draw(st.sampled_from([0.0, 1.0, 1e30])),
        patience=draw(st.sampled_from([0, 5])),
    )
    costs = draw(st.lists(st.sampled_from([0.0, 1e-9, 0.1, 2.0, 1e9, math.nan]), min_size=1, max_size=4))
    history = curve(*costs, steps=draw(st.sampled_from([10, 200, 3000])), scatter=draw(SHARES))
    dev = draw(st.none() | SHARES)
    task = draw(st.sampled_from(["classes", "binary", "regression"]))
    step = draw(st.sampled_from([0, 1, 60, 1000]))
    return facts(
        draw(SHARES), dev, *layers, history=history, settings=settings, task=task, bayes=draw(SHARES), step=step,
        spread=draw(st.none() | SHARES),
    )  # fmt: skip


@given(any_facts())
def test_whatever_the_facts_findings_are_sorted_and_suggest_what_can_be_set(known: Facts):
    found = diagnose(known)
    assert found
    assert [each.level for each in found] == sorted((each.level for each in found), reverse=True)
    settings = known.hyperparameters
    for each in found:
        assert each.text
        assert each.advice
        assert (each.name == "") == (each.value is None)
        if each.name:
            assert TABLE[each.name].check(each.value) == each.value
            assert each.value != get(settings, each.name)
            assert unused_because(each.name, settings, known.batch_norm) is None


# Presets


@pytest.mark.parametrize(
    ("preset", "steps"),
    [("digits", 0), ("digits", 300), ("digits", 1500), ("digits", 4000), ("spiral", 600), ("spiral", 3000), ("spiral", 9000),
     ("moons", 600), ("moons", 300), ("circles", 500), ("circles", 2000), ("regression", 500), ("regression", 3000),
     ("batchnorm-sigmoid", 1500)],
)  # fmt: skip
def test_a_healthy_run_gives_notes_at_most(preset: str, steps: int):
    assert kinds(diagnose(trained(preset, steps))) == {}


@pytest.mark.parametrize(
    ("preset", "steps", "kind"),
    [("exploding-gradients", 0, "exploding gradients"), ("exploding-gradients", 20, "exploding gradients"),
     ("exploding-gradients", 300, "exploding gradients"), ("vanishing-gradients", 300, "vanishing gradients"),
     ("vanishing-gradients", 2000, "vanishing gradients"), ("zero-init", 60, "identical units"),
     ("zero-init", 1500, "identical units"), ("digits-panda", 300, "small updates"), ("digits-panda", 1500, "slow descent"),
     ("overfit", 3000, "overfitting"), ("overfit", 3000, "high variance"), ("underfit", 1500, "high bias"),
     ("moons", 6000, "overfitting")],
)  # fmt: skip
def test_what_a_preset_is_there_to_show_is_found(preset: str, steps: int, kind: str):
    assert kind in kinds(diagnose(trained(preset, steps)))


def test_gradient_descent_that_explodes_at_once_is_told_though_the_guard_took_the_steps_back():
    assert next(iter(diagnose(trained("exploding-gradients", 50, optimizer="gradient_descent")))).kind == "exploding gradients"


@pytest.mark.parametrize(
    ("preset", "steps", "kind"),
    [("digits-panda", 500, "small updates"), ("underfit", 1500, "high bias"), ("overfit", 3000, "high variance")],
)
def test_the_suggested_edit_mends_it(preset: str, steps: int, kind: str):
    before = trained(preset, steps)
    finding = kinds(diagnose(before))[kind]
    after = trained(preset, steps + 1500, ((steps, finding.name, finding.value),))
    assert after.evaluated is not None
    assert before.evaluated is not None
    assert after.evaluated.dev is not None
    assert before.evaluated.dev is not None
    assert after.evaluated.dev.cost < 0.6 * before.evaluated.dev.cost


def test_vanishing_gradients_are_mended_in_the_two_steps_suggested():
    edits: tuple[tuple[int, str, Any], ...] = ()
    for step in (300, 600):
        finding = diagnose(trained("vanishing-gradients", step, edits))[0]
        edits += ((step, finding.name, finding.value),)
    assert [name for _, name, _ in edits] == ["learning_rate", "optimizer"]
    after = trained("vanishing-gradients", 4000, edits)
    assert after.evaluated is not None
    assert after.evaluated.train.error < 0.05


@pytest.mark.parametrize("preset", ["digits", "moons", "regression"])
def test_of_a_rate_that_is_far_too_low_the_first_thing_said_is_to_raise_it(preset: str):
    found = diagnose(trained(preset, 600, learning_rate=1e-6))
    assert found[0].name == "learning_rate"
    assert isinstance(found[0].value, float)
    assert found[0].value >= 1e-4
    assert all("bigger network" not in each.advice for each in found)


def test_a_rate_that_is_far_too_high_is_told():
    known = trained("digits", 1000, learning_rate=1.0, guard_factor=0.0)
    values = [each.value for each in kinds(diagnose(known)).values() if each.name == "learning_rate"]
    assert values
    assert all(isinstance(value, float) and value < 1 for value in values)
