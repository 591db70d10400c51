from __future__ import annotations

import math
from typing import Any

import pytest

from workbench.hyperparameters import (
    SECTIONS,
    SOURCES,
    TABLE,
    Architecture,
    DataSettings,
    Hyperparameters,
    assign,
    conflicts,
    find,
    get,
    unused,
)
from workbench.spec import Applies, InvalidValue, Kind, Scale, Search, Spec, UnknownName, Value

ROWS = list(TABLE.values())
NUMBERS = [row for row in ROWS if row.kind in (Kind.REAL, Kind.INTEGER)]


def named(rows: list[Spec]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("row", rows, ids=lambda row: row.name)


# The table ---------------------------------------------------------------------------------------------------------


@named(ROWS)
def test_default_is_one_of_the_values(row: Spec) -> None:
    assert row.check(row.default) == (row.default if not isinstance(row.default, tuple) else tuple(row.default))


@named(ROWS)
def test_row_can_be_shown(row: Spec) -> None:
    assert row.help
    assert row.expected
    assert row.priority in (1, 2, 3, 4)
    assert (row.kind is Kind.CHOICE) == bool(row.choices)
    assert row.section in (*SECTIONS, "")


@named(NUMBERS)
def test_numbers_have_two_finite_ends(row: Spec) -> None:
    assert math.isfinite(row.low)
    assert math.isfinite(row.high)
    assert row.low < row.high


def test_sections_default_to_the_defaults_of_the_table() -> None:
    for name, section in SECTIONS.items():
        made = section()
        for row in ROWS:
            if row.section == name:
                assert getattr(made, row.name) == row.default


def test_everything_in_training_can_be_edited_while_it_trains_and_nothing_else_can() -> None:
    for row in ROWS:
        assert (row.applies is Applies.STEP) == (row.section == "training"), row.name


def test_tuning_order_is_that_of_the_course() -> None:
    assert [row.name for row in ROWS if row.priority == 1] == ["learning_rate"]
    assert {row.name for row in ROWS if row.priority == 2} == {"hidden", "beta1", "batch_size"}
    assert {TABLE[name].priority for name in ("beta2", "epsilon")} == {4}


@named([row for row in NUMBERS if row.search is not None])
def test_what_is_searched_is_legal_and_has_the_default_in_it(row: Spec) -> None:
    assert row.search is not None
    for end in (row.search.low, row.search.high):
        assert row.check(end) == end
    assert row.search.low < row.search.high
    assert row.search.scale is row.scale
    defaults = row.default if isinstance(row.default, tuple) else (row.default,)
    for default in defaults:
        assert isinstance(default, (int, float))
        assert row.search.low <= default <= row.search.high or (default == 0 and row.zero_is_off)


def test_the_learning_rate_is_legal_to_1e30_and_searched_from_1e_minus_4_to_1() -> None:
    row = TABLE["learning_rate"]
    assert row.check(1e30) == row.high == 1e30
    assert row.search == Search(1e-4, 1, Scale.LOG)


def test_every_number_that_decides_what_is_learned_is_searched_for() -> None:
    searched = {row.name for row in ROWS if row.search is not None}
    learned_by = {row.name for row in NUMBERS if row.section in ("network", "training")}
    of_the_loop = {"epochs", "evaluate_every", "patience", "guard_factor", "guard_steps", "bayes_error"}
    against_zero = {"epsilon", "batchnorm_epsilon"}
    assert searched == learned_by - of_the_loop - against_zero


def test_searches_are_those_of_the_course() -> None:
    found = {name: TABLE[name].search for name in ("beta1", "beta2", "batch_size", "keep_prob", "label_smoothing")}
    assert found == {
        "beta1": Search(0.9, 0.999, Scale.ONE_MINUS_LOG),
        "beta2": Search(0.9, 0.9999, Scale.ONE_MINUS_LOG),
        "batch_size": Search(16, 512, Scale.LOG),
        "keep_prob": Search(0.5, 1, Scale.LINEAR),
        "label_smoothing": Search(0, 0.3, Scale.LINEAR),
    }


def test_scales_are_those_of_the_course() -> None:
    assert TABLE["learning_rate"].scale is Scale.LOG
    assert TABLE["beta1"].scale is TABLE["beta2"].scale is TABLE["batchnorm_beta"].scale is Scale.ONE_MINUS_LOG


# Sources -----------------------------------------------------------------------------------------------------------


def test_the_choices_of_source_are_the_sources() -> None:
    assert TABLE["source"].choices == tuple(SOURCES)
    assert TABLE["source"].default == next(iter(SOURCES)) == "digits"


@named([row for row in ROWS if row.sources])
def test_only_settings_of_the_data_belong_to_sources_and_to_known_ones(row: Spec) -> None:
    assert row.section == "data"
    assert row.sources < set(SOURCES)


@pytest.mark.parametrize(
    ("source", "names"),
    [("digits", ["classes", "noise"]), ("moons", ["classes"]), ("regression", ["classes"]), ("spiral", []), ("gaussians", [])],
)
def test_settings_that_a_source_has_no_use_for(source: str, names: list[str]) -> None:
    assert unused(DataSettings(source=source)) == names


# Names -------------------------------------------------------------------------------------------------------------


def test_find_gives_the_row_and_the_layer() -> None:
    assert find("learning_rate") == (TABLE["learning_rate"], None)
    assert find("keep_prob") == (TABLE["keep_prob"], None)
    assert find("keep_prob.2") == (TABLE["keep_prob"], 2)
    assert find("seed")[0].section == ""


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("lerning_rate", "lerning_rate: no such hyperparameter; did you mean learning_rate?"),
        ("zzz", "zzz: no such hyperparameter"),
        ("", ": no such hyperparameter"),
        ("batch_sise.2", "batch_sise.2: no such hyperparameter; did you mean batch_size?"),
        ("l2.1", "l2.1: l2 is not per layer"),
        ("keep_prob.0", "keep_prob.0: expected a layer counted from 1"),
        ("keep_prob.", "keep_prob.: expected a layer counted from 1"),
        ("keep_prob.-1", "keep_prob.-1: expected a layer counted from 1"),
        ("keep_prob.1.2", "keep_prob.1.2: expected a layer counted from 1"),
        ("keep_prob.²", "keep_prob.²: expected a layer counted from 1"),
    ],
)
def test_unknown_names_are_refused_with_the_nearest(name: str, message: str) -> None:
    with pytest.raises(UnknownName) as error:
        find(name)
    assert str(error.value) == message


def test_layer_of_thousands_of_digits_is_refused() -> None:
    with pytest.raises(UnknownName):
        find("keep_prob." + "9" * 5000)


# Assignment --------------------------------------------------------------------------------------------------------


def test_assign_changes_one_value_of_a_copy() -> None:
    h = Hyperparameters()
    edited = assign(h, "learning_rate", 0.5)
    assert (h.learning_rate, edited.learning_rate) == (1e-3, 0.5)
    assert assign(edited, "learning_rate", 1e-3) == h
    assert get(edited, "learning_rate") == 0.5


def test_assign_to_one_layer_or_to_all() -> None:
    h = Hyperparameters(keep_prob=(1.0, 0.9, 0.8))
    assert assign(h, "keep_prob.2", 0.5).keep_prob == (1.0, 0.5, 0.8)
    assert assign(h, "keep_prob", 0.5).keep_prob == (0.5, 0.5, 0.5)
    assert assign(h, "keep_prob", (0.1, 0.2, 0.3)).keep_prob == (0.1, 0.2, 0.3)
    assert get(h, "keep_prob") == (1.0, 0.9, 0.8)
    assert [get(h, f"keep_prob.{layer}") for layer in (1, 2, 3)] == [1.0, 0.9, 0.8]


def test_assign_to_no_layers_leaves_none() -> None:
    assert assign(Hyperparameters(keep_prob=()), "keep_prob", 0.5).keep_prob == ()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("keep_prob.3", 0.5, "layer 3: the network has 2 hidden layers"),
        ("keep_prob", (0.5,), "1 values: the network has 2 hidden layers"),
        ("keep_prob", (), "0 values: the network has 2 hidden layers"),
    ],
)
def test_assign_refuses_layers_that_are_not_there(name: str, value: Value, message: str) -> None:
    with pytest.raises(InvalidValue) as error:
        assign(Hyperparameters(keep_prob=(1.0, 1.0)), name, value)
    assert str(error.value) == message


def test_assign_refuses_a_list_for_one_layer() -> None:
    with pytest.raises(InvalidValue):
        assign(Hyperparameters(keep_prob=(1.0, 1.0)), "keep_prob.1", (0.5, 0.5))


def test_assign_of_the_hidden_layers() -> None:
    network = Architecture(hidden=(64, 32))
    assert assign(network, "hidden", (8, 4, 2)).hidden == (8, 4, 2)
    assert assign(network, "hidden", 16).hidden == (16,)
    assert assign(network, "hidden", ()).hidden == ()
    assert assign(network, "hidden.2", 128).hidden == (64, 128)
    with pytest.raises(InvalidValue):
        assign(network, "hidden.3", 128)


# Conflicts ---------------------------------------------------------------------------------------------------------


def blamed(*sections: DataSettings | Architecture | Hyperparameters) -> list[str]:
    """What is to blame with these sections, the others at their defaults."""
    given: dict[type, Any] = {type(section): section for section in sections}
    found = conflicts(*(given.get(section, section()) for section in (DataSettings, Architecture, Hyperparameters)))
    assert all(reason for _, reason in found)
    return [key for key, _ in found]


def test_defaults_go_together() -> None:
    assert blamed() == []


def test_splits_must_leave_something_to_train_on() -> None:
    assert blamed(DataSettings(dev_fraction=0.5, test_fraction=0.5)) == ["data.dev_fraction"]
    assert blamed(DataSettings(dev_fraction=0.5, test_fraction=0.49)) == []
    assert blamed(DataSettings(dev_fraction=0.0, test_fraction=0.0)) == []


def test_batch_norm_needs_a_batch_and_a_hidden_layer() -> None:
    normed = Architecture(batch_norm=True)
    assert blamed(normed, Hyperparameters(batch_size=1)) == ["training.batch_size"]
    assert blamed(normed, Hyperparameters(batch_size=2)) == []
    assert blamed(Hyperparameters(batch_size=1)) == []
    assert blamed(Architecture(batch_norm=True, hidden=())) == ["network.batch_norm"]


def test_networks_have_a_greatest_depth() -> None:
    assert blamed(Architecture(hidden=(2,) * 200)) == []
    assert blamed(Architecture(hidden=(2,) * 201)) == ["network.hidden"]


def test_regression_has_no_labels_to_smooth() -> None:
    regression = DataSettings(source="regression")
    assert blamed(regression, Hyperparameters(label_smoothing=0.1)) == ["training.label_smoothing"]
    assert blamed(regression) == []


def test_all_conflicts_are_told_at_once() -> None:
    found = blamed(
        DataSettings(source="regression", dev_fraction=0.6, test_fraction=0.6),
        Architecture(batch_norm=True, hidden=()),
        Hyperparameters(batch_size=1, label_smoothing=0.1),
    )
    assert len(found) == 4
