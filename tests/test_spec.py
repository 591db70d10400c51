from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.hyperparameters import TABLE
from workbench.spec import InvalidValue, Kind, Scale, Search, Spec, Value

ROWS = list(TABLE.values())
NUMBERS = [row for row in ROWS if row.kind in (Kind.REAL, Kind.INTEGER)]
BIGGEST_SEED = 2**63 - 1


def named(rows: list[Spec]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("row", rows, ids=lambda row: row.name)


def values_of(row: Spec) -> st.SearchStrategy[float | int]:
    """Any number that the row allows, often one near its ends."""
    if row.kind is Kind.INTEGER:
        return st.integers(int(row.low), int(row.high))
    return st.floats(row.low, row.high, exclude_min=row.low_open, exclude_max=row.high_open)


# Checks ------------------------------------------------------------------------------------------------------------


@named(NUMBERS)
def test_ends_belong_to_the_range_unless_open(row: Spec) -> None:
    for end, is_open in ((row.low, row.low_open), (row.high, row.high_open)):
        whole = int(end) if row.kind is Kind.INTEGER else end
        if is_open:
            with pytest.raises(InvalidValue):
                row.check(whole)
        else:
            assert row.check(whole) == whole


@named(NUMBERS)
def test_beyond_the_ends_is_refused(row: Spec) -> None:
    beyond: list[float]
    if row.kind is Kind.INTEGER:
        beyond = [int(row.low) - 1, int(row.high) + 1]
    else:
        beyond = [math.nextafter(row.low, -math.inf), math.nextafter(row.high, math.inf)]
    for value in beyond:
        with pytest.raises(InvalidValue):
            row.check(value)


@named(NUMBERS)
@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, True, False, "0.5", "1", None, b"1", 1j, {}, 10**400, -(10**400), [[0.5]]]
)
def test_what_is_no_finite_number_is_refused(row: Spec, value: object) -> None:
    with pytest.raises(InvalidValue):
        row.check(value)


@named([row for row in NUMBERS if not row.per_layer])
@pytest.mark.parametrize("value", [[], [1], (1,), (1, 2)])
def test_lists_are_refused_where_a_value_is_not_per_layer(row: Spec, value: object) -> None:
    with pytest.raises(InvalidValue):
        row.check(value)


@named([row for row in ROWS if row.kind is Kind.CHOICE])
@pytest.mark.parametrize("value", [0, True, None, "", "Adam ", ["adam"]])
def test_choices_are_the_exact_words(row: Spec, value: object) -> None:
    with pytest.raises(InvalidValue):
        row.check(value)
    for choice in row.choices:
        assert row.check(choice) == choice


@named([row for row in ROWS if row.kind is Kind.FLAG])
@pytest.mark.parametrize("value", [0, 1, 1.0, "true", None])
def test_flags_are_true_or_false_only(row: Spec, value: object) -> None:
    with pytest.raises(InvalidValue):
        row.check(value)
    assert row.check(True) is True
    assert row.check(False) is False


@pytest.mark.parametrize(
    ("name", "value", "expected"), [("batch_size", 32.0, 32), ("l2", 1, 1.0), ("seed", BIGGEST_SEED, BIGGEST_SEED)]
)
def test_whole_floats_and_whole_numbers_become_the_type_of_the_table(name: str, value: object, expected: float) -> None:
    checked = TABLE[name].check(value)
    assert checked == expected
    assert type(checked) is type(expected)


def test_fraction_is_no_whole_number() -> None:
    with pytest.raises(InvalidValue):
        TABLE["batch_size"].check(32.5)


def test_per_layer_values_are_one_or_a_list() -> None:
    keep, hidden = TABLE["keep_prob"], TABLE["hidden"]
    assert keep.check(0.5) == 0.5
    assert keep.check([0.5, 1]) == (0.5, 1.0)
    assert keep.check(()) == ()
    assert hidden.check([64.0, 32]) == (64, 32)
    assert [type(units) for units in hidden.check([64.0, 32])] == [int, int]  # type: ignore[union-attr]
    for bad in ([0.5, 0.0], [0.5, math.nan], [0.5, True], [0.5, "1"]):
        with pytest.raises(InvalidValue):
            keep.check(bad)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("learning_rate", 0, "0: expected a number above 0 and at most 1e+30"),
        ("learning_rate", math.nan, "nan: expected a number above 0 and at most 1e+30"),
        ("beta1", 1, "1: expected a number at least 0 and below 1"),
        ("batch_size", "64", "'64': expected a whole number at least 1 and at most 1,000,000"),
        ("batch_size", 0.5, "0.5: expected a whole number at least 1 and at most 1,000,000"),
        ("normalize", "yes", "'yes': expected true or false"),
        ("l2", True, "true: expected a number at least 0 and at most 1,000,000"),
        ("keep_prob", 2, "2: expected a number above 0 and at most 1, or a list of them, one for each hidden layer"),
        ("seed", -1, "-1: expected a whole number at least 0 and at most 9,223,372,036,854,775,807"),
        (
            "schedule",
            "cosin",
            "'cosin': expected one of constant, inverse_time, exponential, inverse_sqrt, staircase, cosine; did you mean cosine?",
        ),
    ],
)
def test_error_says_what_was_given_and_what_is_expected(name: str, value: object, message: str) -> None:
    with pytest.raises(InvalidValue) as error:
        TABLE[name].check(value)
    assert str(error.value) == message


@pytest.mark.parametrize("name", ["learning_rate", "seed", "keep_prob", "optimizer", "normalize"])
def test_error_about_a_long_value_is_short(name: str) -> None:
    # TOML reads a hexadecimal number of any length; Python refuses to write out more than 4,300 decimal digits.
    nested: list[Any] = []
    for _ in range(5000):
        nested = [nested]
    for value in ("x" * 10_000, 10**3000, 16**5000, list(range(5000)), nested):
        with pytest.raises(InvalidValue) as error:
            TABLE[name].check(value)
        assert len(str(error.value)) < 200


# Parsing -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "current", "expected"),
    [
        ("learning_rate", "0.003", None, 0.003),
        ("learning_rate", " 3e-4 ", 0.1, 3e-4),
        ("learning_rate", "x0.5", 0.01, 0.005),
        ("learning_rate", "x 0.1", 1e-3, 1e-4),
        ("learning_rate", "×2", 0.01, 0.02),
        ("learning_rate", "*3", 0.1, 0.3),
        ("learning_rate", "/3", 0.3, 0.1),
        ("learning_rate", "/ 10", 1e-3, 1e-4),
        ("batch_size", "128", 64, 128),
        ("batch_size", "1e3", 64, 1000),
        ("batch_size", "x2", 64, 128),
        ("batch_size", "/3", 64, 21),
        ("seed", str(BIGGEST_SEED), None, BIGGEST_SEED),
        ("l2", "0", 0.1, 0.0),
        ("optimizer", " adamw ", "adam", "adamw"),
        ("normalize", "true", None, True),
        ("normalize", "OFF", True, False),
        ("batch_norm", "yes", False, True),
        ("hidden", "64,32", None, (64, 32)),
        ("hidden", "[64, 32]", None, (64, 32)),
        ("hidden", "[64]", (3, 3), (64,)),
        ("hidden", "[]", None, ()),
        ("hidden", "", None, ()),
        ("hidden", "x2", (64, 32), (128, 64)),
        ("keep_prob", "0.8", (1.0, 0.5), (0.8, 0.8)),
        ("keep_prob", "x0.5", (1.0, 0.5), (0.5, 0.25)),
        ("keep_prob", "/2", (1.0, 0.5), (0.5, 0.25)),
        ("keep_prob", "x0.5", 0.5, 0.25),
        ("keep_prob", "1, 0.5", (1.0, 1.0), (1.0, 0.5)),
        ("keep_prob", "0.8", None, 0.8),
    ],
)
def test_what_a_person_types_is_read(name: str, text: str, current: Value | None, expected: Value) -> None:
    value = TABLE[name].parse(text, current)
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("name", "text", "current"),
    [
        ("learning_rate", "/0", 0.1),
        ("learning_rate", "/0.0", 0.1),
        ("learning_rate", "x0", 0.1),
        ("learning_rate", "x-1", 0.1),
        ("learning_rate", "xnan", 0.1),
        ("learning_rate", "/inf", 0.1),
        ("learning_rate", "x", 0.1),
        ("learning_rate", "/ ", 0.1),
        ("learning_rate", "x2x2", 0.1),
        ("learning_rate", "x2", None),
        ("learning_rate", "", 0.1),
        ("learning_rate", "nan", None),
        ("learning_rate", "inf", None),
        ("learning_rate", "1e400", None),
        ("learning_rate", "0.1,0.2", None),
        ("learning_rate", "fast", None),
        ("learning_rate", "1 e-3", None),
        ("learning_rate", "/1e-320", 1.0),
        ("batch_size", "64.5", None),
        ("batch_size", "/1000", 64),
        ("batch_size", "xinf", 64),
        ("optimizer", "x2", "adam"),
        ("optimizer", "sgd", "adam"),
        ("normalize", "maybe", None),
        ("normalize", "1", None),
        ("keep_prob", "0.5,,x", (1.0, 1.0)),
        ("keep_prob", "x2", (1.0, 0.4)),
        ("keep_prob", "x0.5, 1", (1.0, 1.0)),
        ("hidden", "64;32", None),
    ],
)
def test_what_cannot_be_meant_is_refused(name: str, text: str, current: Value | None) -> None:
    with pytest.raises(InvalidValue):
        TABLE[name].parse(text, current)


@pytest.mark.parametrize("sign", ["", "-", "x"])
@pytest.mark.parametrize("digits", [20, 400, 5000])
def test_endless_digits_are_refused(sign: str, digits: int) -> None:
    for name in ("batch_size", "seed", "hidden", "l2"):
        with pytest.raises(InvalidValue):
            TABLE[name].parse(sign + "9" * digits, 64)
    with pytest.raises(InvalidValue):
        TABLE["batch_size"].parse("/" + "9" * digits, 64)


@named(ROWS)
@settings(derandomize=True, max_examples=50, deadline=None)
@given(text=st.text(alphabet="0123456789.,+-eE_x*/×[] naif", max_size=12), relative=st.booleans())
def test_whatever_is_typed_gives_a_value_or_an_error(row: Spec, text: str, relative: bool) -> None:
    try:
        value = row.parse(text, row.default if relative else None)
    except InvalidValue:
        return
    assert row.check(value) == value


@named(NUMBERS)
@settings(derandomize=True, max_examples=50, deadline=None)
@given(data=st.data())
def test_shown_value_reads_back_as_itself(row: Spec, data: st.DataObject) -> None:
    value = data.draw(values_of(row))
    assert row.parse(repr(value)) == value


# Stepping ----------------------------------------------------------------------------------------------------------


@named(NUMBERS)
@settings(derandomize=True, max_examples=100, deadline=None)
@given(data=st.data())
def test_steps_stay_in_range_and_go_the_way_they_are_told(row: Spec, data: st.DataObject) -> None:
    value = data.draw(values_of(row))
    up, down = row.stepped(value, +1), row.stepped(value, -1)
    assert row.check(up) == up
    assert row.check(down) == down
    assert down <= value <= up  # type: ignore[operator]


@named(NUMBERS)
def test_no_step_is_stuck_inside_the_range(row: Spec) -> None:
    default = row.default if not isinstance(row.default, tuple) else row.default[0]
    assert isinstance(default, (int, float))
    for direction, end in ((+1, row.high), (-1, row.low)):
        moved = row.stepped(default, direction)
        assert moved != default or default == end


@pytest.mark.parametrize(
    ("name", "starts"),
    [
        ("learning_rate", [1e-8, 1e-5, 3e-4, 1e-3, 0.003, 0.01, 0.05, 0.1, 0.5, 1.0, 2.0]),
        ("beta1", [0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999]),
        ("beta2", [0.9, 0.99, 0.999, 0.9999]),
        ("epsilon", [1e-12, 1e-8, 1e-5]),
        ("decay_factor", [0.5, 0.9, 0.95, 0.99]),
        ("batch_size", [1, 2, 32, 64, 100, 512]),
        ("hidden", [1, 16, 64, 100]),
        ("l2", [0.0, 1e-5, 1e-4, 0.001, 0.1]),
        ("l1", [0.0, 1e-6, 1e-4]),
        ("clip_norm", [0.0, 0.01, 1.0, 5.0]),
        ("keep_prob", [0.05, 0.5, 0.8, 0.95]),
        ("label_smoothing", [0.0, 0.1, 0.3]),
        ("warmup_steps", [0, 10, 500]),
        ("epochs", [1, 30]),
        ("evaluate_every", [0, 50]),
        ("seed", [0, 1, 10**15, 2**62]),
    ],
)
def test_step_up_and_down_again_comes_back(name: str, starts: list[float]) -> None:
    row = TABLE[name]
    for start in starts:
        up = row.stepped(start, +1)
        assert up > start  # type: ignore[operator]
        assert row.stepped(up, -1) == start


def test_ten_steps_are_a_decade() -> None:
    rate, beta = 1e-3, 0.9
    for _ in range(10):
        rate, beta = TABLE["learning_rate"].stepped(rate, +1), TABLE["beta1"].stepped(beta, +1)  # type: ignore[assignment]
    assert rate == 0.01
    assert beta == 0.99


def test_steps_are_numbers_that_people_write() -> None:
    assert TABLE["learning_rate"].stepped(1e-3, +1) == 0.0012
    assert TABLE["learning_rate"].stepped(1e-3, -1) == 0.0008
    assert TABLE["learning_rate"].stepped(0.00123, +1) == 0.0015
    assert TABLE["beta1"].stepped(0.9, +1) == 0.92
    assert TABLE["beta1"].stepped(0.9, -1) == 0.88
    assert TABLE["batch_size"].stepped(64, +1) == 128
    assert TABLE["keep_prob"].stepped(0.8, -1) == 0.75


def test_open_end_is_approached_and_never_reached() -> None:
    beta = 0.9
    for _ in range(200):
        beta = TABLE["beta1"].stepped(beta, +1)  # type: ignore[assignment]
    assert 0.999999 < beta < 1
    assert TABLE["keep_prob"].stepped(0.05, -1) == 0.05


def test_what_can_be_switched_off_steps_to_zero_and_back_on() -> None:
    for row in NUMBERS:
        if row.zero_is_off:
            first = row.stepped(0.0, +1)
            assert first == row.increment
            assert row.stepped(first, -1) == 0.0
            assert row.stepped(0.0, -1) == 0.0


def test_choices_go_round_and_flags_flip() -> None:
    row = TABLE["optimizer"]
    seen = [row.choices[0]]
    for _ in row.choices:
        seen.append(row.stepped(seen[-1], +1))  # type: ignore[arg-type]
    assert tuple(seen[:-1]) == row.choices
    assert seen[-1] == seen[0]
    assert row.stepped(row.stepped("adam", -1), +1) == "adam"
    assert TABLE["normalize"].stepped(True, -1) is False
    assert TABLE["normalize"].stepped(False, -1) is True


# Searches ----------------------------------------------------------------------------------------------------------


def searching(low: float, high: float, scale: Scale, **spec: Any) -> Spec:
    return Spec(**{"kind": Kind.REAL, "default": 0.5, "low": 0, "high": 1, "search": Search(low, high, scale), **spec})


def test_a_search_may_go_from_end_to_end_of_what_is_legal() -> None:
    assert searching(0, 1, Scale.LINEAR).search == Search(0, 1, Scale.LINEAR)


@pytest.mark.parametrize(
    ("low", "high", "scale", "spec"),
    [
        (-0.1, 1, Scale.LINEAR, {}),
        (0, 1.1, Scale.LINEAR, {}),
        (0, 1, Scale.LINEAR, {"low_open": True}),
        (0, 1, Scale.LINEAR, {"high_open": True}),
        (0, math.nan, Scale.LINEAR, {}),
        (0.5, 0.5, Scale.LINEAR, {}),
        (0.9, 0.1, Scale.LINEAR, {}),
        (0, 1, Scale.LOG, {}),
        (0.5, 1, Scale.ONE_MINUS_LOG, {}),
        (0, 0.5, Scale.LINEAR, {"kind": Kind.INTEGER, "default": 0}),
        (0, 1, Scale.LINEAR, {"kind": Kind.FLAG, "default": False}),
        (0, 1, Scale.LINEAR, {"kind": Kind.TEXT, "default": ""}),
        (0, 1, Scale.LINEAR, {"kind": Kind.CHOICE, "default": "a", "choices": ("a", "b")}),
    ],
)
def test_a_search_outside_what_is_legal_is_no_row(low: float, high: float, scale: Scale, spec: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"a search|expected a"):
        searching(low, high, scale, **spec)


# Texts and paths ---------------------------------------------------------------------------------------------------

TARGET = Spec(name="target", section="data", kind=Kind.TEXT, default="", help="The column to predict.")
FILE = Spec(name="file", section="data", kind=Kind.PATH, default="", longest=4096, help="Where the examples are.")
WORDS = pytest.mark.parametrize("row", [TARGET, FILE], ids=lambda row: row.name)


@WORDS
@pytest.mark.parametrize("value", ["", "species", "iris.csv", "/data/größer α/iris.csv", "x2", "/3", "[a]", "a,b", "true", " a "])
def test_a_text_and_a_path_are_taken_as_they_are(row: Spec, value: str) -> None:
    assert row.check(value) == value
    assert row.check(row.default) == row.default


def test_it_is_said_which_of_the_two_is_expected() -> None:
    assert (TARGET.expected, FILE.expected) == ("a text", "the path of a file")


@WORDS
@pytest.mark.parametrize("value", [0, 1.5, True, None, b"iris.csv", ["species"], ("a", "b"), {"a": 1}])
def test_what_is_no_text_is_refused_where_one_is_expected(row: Spec, value: object) -> None:
    with pytest.raises(InvalidValue, match=rf": expected {row.expected}$"):
        row.check(value)


@WORDS
def test_a_text_has_a_greatest_length(row: Spec) -> None:
    assert row.check("x" * row.longest) == "x" * row.longest
    with pytest.raises(InvalidValue) as error:
        row.check("x" * (row.longest + 1))
    assert str(error.value) == f"'{'x' * 56}...: expected {row.expected}, no longer than {row.longest:,} characters"


@pytest.mark.parametrize("character", ["\0", "\n", "\r", "\t", "\x1b", "\x7f", "\x9b"])
def test_a_path_has_no_control_characters_but_a_column_may_be_called_anything(character: str) -> None:
    assert TARGET.check(f"a{character}b") == f"a{character}b"
    with pytest.raises(InvalidValue) as error:
        FILE.check(f"a{character}b")
    assert str(error.value) == f"{f'a{character}b'!r}: expected the path of a file, without control characters"
    assert str(error.value).isprintable()


@WORDS
def test_a_text_can_be_saved_as_utf_8(row: Spec) -> None:
    with pytest.raises(InvalidValue) as error:
        row.check("caf\udce9.csv")
    assert str(error.value) == rf"'caf\udce9.csv': expected {row.expected}, in UTF-8"


@WORDS
@pytest.mark.parametrize("text", ["iris.csv", "  iris.csv ", "x2", "/3", "64,32", "[a]", ""])
def test_what_a_person_types_is_the_text_without_spaces_around(row: Spec, text: str) -> None:
    assert row.parse(text) == row.parse(text, "before") == text.strip()


@WORDS
@settings(derandomize=True, max_examples=200, deadline=None)
@given(text=st.text(max_size=300))
def test_any_text_that_is_typed_is_a_value_or_an_error(row: Spec, text: str) -> None:
    try:
        value = row.parse(text, row.default)
    except InvalidValue:
        return
    assert isinstance(value, str)
    assert row.check(value) == value == text.strip()
    assert value.encode().decode() == value


@WORDS
def test_a_text_has_no_next_value(row: Spec) -> None:
    assert row.stepped("iris.csv", +1) == row.stepped("iris.csv", -1) == "iris.csv"
