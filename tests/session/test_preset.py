from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest
import tomli
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.files.errors import MOST_PROBLEMS, InputError
from workbench.hyperparameters import SECTIONS, TABLE
from workbench.session import preset as presets
from workbench.session.preset import Preset, find_presets, load_preset, parse_preset, preset_to_table, read_preset
from workbench.spec import InvalidValue, Kind, Spec, UnknownName

HIDDEN = "expected a whole number at least 1 and at most 8,192, or a list of them, one for each hidden layer"


def problems(text: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        parse_preset(tomli.loads(text), "presets/x.toml", "x")
    return str(caught.value).split("\n")


def parsed(text: str) -> Preset:
    return parse_preset(tomli.loads(text), "x.toml", "x")


def test_an_empty_file_is_the_defaults() -> None:
    preset = parsed("")
    assert (preset.name, preset.title, preset.description) == ("x", "x", "")
    assert preset.network.hidden == (64, 32)
    assert preset.training.keep_prob == (1.0, 1.0)
    assert preset.training.learning_rate == 0.001


def test_keep_prob_has_one_element_for_each_hidden_layer() -> None:
    assert parsed("network.hidden = [5, 4, 3]\ntraining.keep_prob = 0.5").training.keep_prob == (0.5, 0.5, 0.5)
    assert parsed("network.hidden = [5, 4]\ntraining.keep_prob = [0.5, 1]").training.keep_prob == (0.5, 1.0)
    assert parsed("network.hidden = []\ntraining.keep_prob = 0.5").training.keep_prob == ()
    assert parsed("network.hidden = 12").network.hidden == (12,)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("training.lerning_rate = 0.1", "training.lerning_rate: unknown key; did you mean learning_rate?"),
        ("training.zzz = 0.1", "training.zzz: unknown key"),
        ("[trainin]\nbeta1 = 0.5", "trainin: unknown key; did you mean training?"),
        ("format2 = 1", "format2: unknown key"),
        ("training = 3", "training: 3: expected a table, [training]"),
        ("[[training]]\nbeta1 = 0.5", "training: [{'beta1': 0.5}]: expected a table, [training]"),
        ("title = 3", "title: 3: expected a text in quotes"),
        (f"title = '{'x' * 201}'", "title: longer than 200 characters"),
        ("training.learning_rate = 0.0", "training.learning_rate: 0.0: expected a number above 0 and at most 1e+30"),
        ("training.learning_rate = '0.1'", "training.learning_rate: '0.1': expected a number above 0 and at most 1e+30"),
        ("training.learning_rate = nan", "training.learning_rate: nan: expected a number above 0 and at most 1e+30"),
        ("training.learning_rate = inf", "training.learning_rate: inf: expected a number above 0 and at most 1e+30"),
        ("training.learning_rate = true", "training.learning_rate: true: expected a number above 0 and at most 1e+30"),
        (
            "training.learning_rate = 2020-01-02",
            "training.learning_rate: 2020-01-02: expected a number above 0 and at most 1e+30",
        ),
        ("training.learning_rate = [0.1]", "training.learning_rate: [0.1]: expected a number above 0 and at most 1e+30"),
        ("training.learning_rate.x = 1", "training.learning_rate: {'x': 1}: expected a number above 0 and at most 1e+30"),
        ("training.epochs = 2.5", "training.epochs: 2.5: expected a whole number at least 1 and at most 1,000,000"),
        ("training.beta1 = 1", "training.beta1: 1: expected a number at least 0 and below 1"),
        (
            "training.optimizer = 'adm'",
            "training.optimizer: 'adm': expected one of " + ", ".join(TABLE["optimizer"].choices) + "; did you mean adam?",
        ),
        ("network.batch_norm = 1", "network.batch_norm: 1: expected true or false"),
        (
            "network.hidden = [3, 0]",
            "network.hidden: 0: " + HIDDEN,
        ),
        (
            "network.hidden = [[3]]",
            "network.hidden: [3]: " + HIDDEN,
        ),
        ("training.keep_prob = [0.5]", "training.keep_prob: 1 values: the network has 2 hidden layers"),
        ("data = {source = 'moons', classes = 2}", "data.classes: not used by source moons"),
        ("data.noise = 0.5", "data.noise: not used by source digits"),
        (
            "training.batch_size = 1\nnetwork.batch_norm = true",
            "training.batch_size: 1: expected at least 2 with batch norm, because a mini-batch of one has no variance",
        ),
    ],
)
def test_a_problem_names_file_key_and_what_is_allowed(text: str, problem: str) -> None:
    assert problems(text) == [f"presets/x.toml: {problem}"]


def test_a_value_too_long_to_show_is_refused_all_the_same() -> None:
    for key, expected in (("learning_rate", "a number above 0 and at most 1e+30"), ("epochs", "a whole number at least 1")):
        (problem,) = problems(f"training.{key} = 0x{'f' * 5000}")
        assert problem.startswith(f"presets/x.toml: training.{key}: a value too long to show: expected {expected}")
        (problem,) = problems(f"training.{key}.{'a.' * 900}b = 1")
        assert problem.startswith(f"presets/x.toml: training.{key}: ")
        assert len(problem) < 300


def test_all_problems_are_said_at_once() -> None:
    text = "titel = 'x'\ntitle = 1\n"
    text += "data.source = 'mons'\ndata.classes = 1\nnetwork.hidden = 0\ntraining.keep_prob = [1, 1, 1]\ntraining.l2 = -1"
    assert [line.split(": ")[1] for line in problems(text)] == [
        "titel",
        "title",
        "data.source",
        "data.classes",
        "network.hidden",
        "training.l2",
    ]


def test_a_default_in_the_place_of_a_wrong_value_is_no_conflict() -> None:
    assert len(problems("data.dev_fraction = 0.9\ndata.test_fraction = 'none'")) == 1


def test_hostile_text_is_harmless_and_short_in_a_message() -> None:
    key, value = "\x1b[2J\u202e" + "k" * 10_000, "\x1b]0;\x9b" + "v" * 10_000
    with pytest.raises(InputError) as caught:
        parse_preset({key: 1, "training": {key: 1, "optimizer": value, "beta1": value}}, "\x1b[31m\n" + "f" * 10_000, "x")
    lines = str(caught.value).split("\n")
    assert len(lines) == 4
    assert all(line.isprintable() and len(line) <= 700 for line in lines)
    assert all(line.startswith(r"\x1b[31m fff") for line in lines)
    assert r": \x1b[2J\u202ekkk" in lines[0]


def test_a_flood_of_problems_is_cut_short() -> None:
    with pytest.raises(InputError) as caught:
        parse_preset({f"key{number}": 1 for number in range(20_000)}, "x.toml", "x")
    lines = str(caught.value).split("\n")
    assert len(lines) == MOST_PROBLEMS + 1
    assert lines[-1] == f"x.toml: … and {20_000 - MOST_PROBLEMS:,} more problems"


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"a = \nb = 1", "not TOML: Invalid value (at line 1, column 5)"),
        (b"a = 1\na = 2\n", "not TOML: Cannot overwrite a value (at line 2, column 6)"),
        (b"x = 1\n\xff\xfe", "not UTF-8 text (line 2)"),
        (b"\x00", "not TOML: Invalid statement (at line 1, column 1)"),
        (b"a = " + b"[" * 5000, "not read: nested too deeply"),
        (b"a." * 5000 + b"a = 1", "not read: nested too deeply"),
        (b"a = " + b"1" * 5000, "not read: a number in it is too long"),
        (b"#" * (256 * 1024 + 1), "larger than 256 KiB"),
    ],
)
def test_a_file_that_cannot_be_parsed_is_one_line(tmp_path: Path, data: bytes, problem: str) -> None:
    path = tmp_path / "p.toml"
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        read_preset(path)
    assert str(caught.value) == f"{path}: {problem}"


def test_a_file_of_just_the_allowed_size_is_read(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    path.write_bytes(b"#" * (256 * 1024))
    assert read_preset(path).name == "p"


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    path.write_bytes(b"\xef\xbb\xbftitle = 'Notepad'")
    assert read_preset(path).title == "Notepad"


def test_what_is_no_file_is_one_line(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    cases = {
        str(tmp_path / "none.toml"): "no such file",
        str(tmp_path): "is a folder, not a file",
        str(tmp_path / "pipe.toml"): "not a regular file",
    }
    for path, problem in cases.items():
        with pytest.raises(InputError) as caught:
            load_preset(path)
        assert str(caught.value) == f"{path}: {problem}"
    for path in ("nul\0.toml", "\ud800.toml", "n" * 5000 + ".toml"):
        with pytest.raises(InputError) as caught:
            load_preset(path)
        assert "\n" not in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    path.write_text("")
    path.chmod(0)
    with pytest.raises(InputError, match="permission denied"):
        read_preset(path)


def scalars(spec: Spec) -> st.SearchStrategy[object]:
    if spec.kind is Kind.CHOICE:
        return st.sampled_from(spec.choices)
    if spec.kind is Kind.FLAG:
        return st.booleans()
    if spec.kind is Kind.INTEGER:
        return st.integers(int(spec.low), int(spec.high))
    return st.floats(spec.low, spec.high, exclude_min=spec.low_open, exclude_max=spec.high_open)


@st.composite
def tables(draw: st.DrawFn) -> dict[str, object]:
    text = st.text(max_size=50)
    table: dict[str, object] = {"title": draw(text), "description": draw(text)}
    layers = draw(st.integers(0, 4))
    for section, cls in SECTIONS.items():
        values: dict[str, object] = {}
        for field in dataclasses.fields(cls):
            one = scalars(TABLE[field.name])
            values[field.name] = draw(st.lists(one, min_size=layers, max_size=layers) if TABLE[field.name].per_layer else one)
        table[section] = values
    table["data"].update(dev_fraction=0.1, test_fraction=0.2, source="gaussians")  # type: ignore[attr-defined]
    if not layers:
        table["network"]["batch_norm"] = False  # type: ignore[index]
    table["training"].update(batch_size=32, guard_factor=draw(st.just(0.0) | st.floats(1, 1e6, exclude_min=True)))  # type: ignore[attr-defined]
    names = [field.name for field in dataclasses.fields(SECTIONS["training"]) if not TABLE[field.name].per_layer]
    names = [name for name in names if name not in ("batch_size", "guard_factor")]
    steps = sorted(draw(st.lists(st.integers(1, 10**9), max_size=4)))
    chosen = [draw(st.sampled_from(names)) for _ in steps]
    plan = zip(steps, chosen, strict=True)
    table["plan"] = [{"step": step, "name": name, "value": draw(scalars(TABLE[name]))} for step, name in plan]
    return table


@settings(derandomize=True, deadline=None)
@given(tables())
def test_any_valid_preset_comes_back_from_its_table(table: dict[str, object]) -> None:
    preset = parse_preset(table, "x.toml", "x")
    assert parse_preset(preset_to_table(preset), "x.toml", "x") == preset


def test_the_table_has_every_key_and_is_accepted_whatever_the_source(preset: Preset) -> None:
    for source in TABLE["source"].choices:
        table = preset_to_table(preset.with_value("source", source))
        assert set(table["network"]) | set(table["training"]) < set(TABLE)
        assert parse_preset(table, "x.toml", "x").data.source == source
    assert preset_to_table(preset)["training"]["keep_prob"] == (0.9, 0.8)
    assert preset_to_table(preset.with_value("keep_prob", 0.5))["training"]["keep_prob"] == 0.5


def test_with_value_changes_one_setting(preset: Preset) -> None:
    assert preset.with_value("learning_rate", 1).training.learning_rate == 1.0
    assert preset.with_value("keep_prob.2", 0.5).training.keep_prob == (0.9, 0.5)
    assert preset.with_value("hidden.2", 5).network.hidden == (16, 5)
    assert preset.with_value("examples", 50).data.examples == 50
    assert preset.training.learning_rate == 0.01


def test_with_value_spreads_keep_prob_over_a_new_number_of_layers(preset: Preset) -> None:
    assert preset.with_value("keep_prob", 0.5).with_value("hidden", (4, 4, 4)).training.keep_prob == (0.5, 0.5, 0.5)
    assert preset.with_value("hidden", (4, 4)).training.keep_prob == (0.9, 0.8)
    none = preset.with_value("keep_prob", 0.5).with_value("hidden", ())
    assert none.training.keep_prob == ()
    assert none.with_value("hidden", 3).training.keep_prob == (1.0,)
    with pytest.raises(InvalidValue, match="keep_prob differs from layer to layer"):
        preset.with_value("hidden", (4, 4, 4))


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("lerning_rate", 1.0, UnknownName),
        ("seed", 1, UnknownName),
        ("learning_rate.1", 1.0, UnknownName),
        ("learning_rate", -1.0, InvalidValue),
        ("keep_prob", (0.5, 0.5, 0.5), InvalidValue),
        ("keep_prob.3", 0.5, InvalidValue),
        ("keep_prob.1", (0.5, 0.5), InvalidValue),
        ("hidden.3", 5, InvalidValue),
        ("hidden.1", (5, 5), InvalidValue),
    ],
)
def test_with_value_refuses(preset: Preset, name: str, value: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        preset.with_value(name, value)


def test_values_that_pass_a_conflict_on_the_way_can_be_set(preset: Preset) -> None:
    on_the_way = preset.with_value("batch_norm", True).with_value("batch_size", 1)
    assert [key for key, _ in on_the_way.conflicts()] == ["training.batch_size"]
    assert on_the_way.with_value("batch_norm", False).conflicts() == []


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "shipped"
    folder.mkdir()
    for name in ("spiral", "digits"):
        (folder / f"{name}.toml").write_text(f"title = 'shipped {name}'")
    (folder / "CREDITS.md").write_text("")
    monkeypatch.setattr(presets, "presets_folder", lambda: folder)
    monkeypatch.chdir(tmp_path)
    return folder


def test_shipped_presets_are_found_by_name(shipped: Path) -> None:
    assert [path.name for path in find_presets()] == ["digits.toml", "spiral.toml"]
    assert load_preset("digits").title == "shipped digits"


def test_a_file_comes_before_a_shipped_name_but_a_folder_does_not(shipped: Path, tmp_path: Path) -> None:
    (tmp_path / "digits").mkdir()
    assert load_preset("digits").title == "shipped digits"
    (tmp_path / "spiral").write_text("title = 'mine'")
    assert load_preset("spiral").title == "mine"


def test_an_unknown_name_gets_a_suggestion(shipped: Path) -> None:
    with pytest.raises(InputError) as caught:
        load_preset("digts")
    assert str(caught.value) == "digts: no such preset; did you mean digits?; see `workbench presets`"
    for name in ("", "\x1b[31m", "n" * 10_000):
        with pytest.raises(InputError) as caught:
            load_preset(name)
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 300


def test_the_presets_of_this_checkout_are_looked_for_beside_the_package() -> None:
    assert presets.presets_folder().name == "presets"
    assert presets.presets_folder().is_dir()
    for path in find_presets():
        assert read_preset(path).title
