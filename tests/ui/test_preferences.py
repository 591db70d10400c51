"""The user's own keys and layout: what is good in a file counts, what is not is told in a line, and nothing is raised."""

from __future__ import annotations

import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import ClassVar

import platformdirs
import pytest
import tomli
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from textual.app import App
from textual.binding import Binding, BindingType

from workbench.files.errors import MOST_PROBLEMS, SaveError
from workbench.ui.preferences.files import MAX_BYTES, config_folder
from workbench.ui.preferences.keys import InvalidKey, canonical_key, example_keys, keys_path, read_keys
from workbench.ui.preferences.layout import Layout, layout_path, read_layout, write_layout
from workbench.ui.state.chart_view import Axis

KNOWN = {"training.save": "Save the session", "training.quit": "Quit", "chart.in": "Zoom in", "chart.out": ""}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.toml"


def keymap(path: Path, body: str) -> dict[str, str]:
    """What a file without problems says."""
    path.write_text(f"[keys]\n{body}", encoding="utf-8")
    keys = read_keys(path, KNOWN)
    assert keys.problems == ()
    return keys.keymap


def problems(path: Path, text: str) -> list[str]:
    """The problems of a file, without its name."""
    path.write_text(text, encoding="utf-8")
    found = read_keys(path, KNOWN).problems
    assert all(each.startswith(f"{path}: ") and "\n" not in each for each in found)
    return [each.removeprefix(f"{path}: ") for each in found]


def test_the_folder_is_the_platforms_unless_the_environment_names_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("WORKBENCH_CONFIG", str(tmp_path))
    assert (keys_path(), layout_path()) == (tmp_path / "keys.toml", tmp_path / "layout.toml")
    monkeypatch.setenv("WORKBENCH_CONFIG", "")
    assert config_folder() == platformdirs.user_config_path("workbench")
    monkeypatch.delenv("WORKBENCH_CONFIG")
    assert config_folder() == platformdirs.user_config_path("workbench")


def test_no_file_is_no_problem(path: Path):
    for missing in (path, path.parent / "no folder" / "keys.toml"):
        assert read_keys(missing, KNOWN) == read_keys(missing, {})
        assert (read_keys(missing, KNOWN).keymap, read_keys(missing, KNOWN).problems) == ({}, ())
        assert read_layout(missing) == (Layout(), ())


def test_a_key_or_a_list_of_keys_for_each_binding(path: Path):
    assert keymap(path, '"training.save" = "ctrl+w"\n"training.quit" = ["x", "f2", "x"]') == {
        "training.save": "ctrl+w", "training.quit": "x,f2",
    }  # fmt: skip
    assert keymap(path, "") == {}


def test_ids_need_no_quotes(path: Path):
    assert keymap(path, 'training.save = "f2"\n[keys.chart]\nin = "i"') == {"training.save": "f2", "chart.in": "i"}


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("a", "a"), ("A", "A"), ("shift+a", "A"), ("é", "é"), ("?", "question_mark"), (",", "comma"), ("+", "plus"),
        (" ", "space"), ("-", "minus"), ("minus", "minus"), ("question_mark", "question_mark"), ("solidus", "slash"),
        ("☃", "snowman"),
        ("escape", "escape"), ("f24", "f24"), ("shift+tab", "shift+tab"), ("ctrl+s", "ctrl+s"), ("ctrl++", "ctrl+plus"),
        ("shift+ctrl+up", "ctrl+shift+up"), ("ctrl+alt+x", "alt+ctrl+x"), ("ctrl+shift+s", "ctrl+shift+s"), ("ctrl+@", "ctrl+@"),
        ("ctrl+?", "ctrl+question_mark"), ("alt+,", "alt+comma"), ("shift+space", "shift+space"),
    ],
)  # fmt: skip
def test_a_key_is_named_as_textual_reports_it(written: str, name: str):
    assert canonical_key(written) == name
    assert canonical_key(name) == name, "what is canonical stays as it is"


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("", "an empty key: expected a character or the name of a key"),
        ("  ", "an empty key: expected a character or the name of a key"),
        ("Ctrl+S", "'Ctrl+S': no such key; did you mean ctrl+s?"),
        ("ctrl + s", "'ctrl + s': no such key; did you mean ctrl+s?"),
        ("ctrl+S", "'ctrl+S': no such key; did you mean ctrl+s?"),
        ("ctrl+pgdn", "'ctrl+pgdn': no such key; did you mean ctrl+pagedown?"),
        ("↑", "'↑': no such key; did you mean up?"),
        ("esc", "'esc': no such key; did you mean escape?"),
        ("entr", "'entr': no such key; did you mean enter?"),
        ("return", "'return': no such key; did you mean enter?"),
        ("ctrl+s,f2", '\'ctrl+s,f2\': no such key; several keys are a list, as ["ctrl+s", "f2"]'),
        ("control+s", "'control+s': no such key; before the + expected ctrl, alt or shift, each once"),
        ("xyzzy", "'xyzzy': no such key; expected a character, or a name such as enter, f2, ctrl+s"),
        ("shift+1", "'shift+1': expected the character that this makes, as a terminal sends nothing else"),
    ],
)
def test_what_is_no_key_is_told_with_what_may_be_meant(written: str, told: str):
    with pytest.raises(InvalidKey) as caught:
        canonical_key(written)
    assert str(caught.value) == told


@pytest.mark.parametrize(
    "written", ["ctrl+", "ctrl+ctrl+s", "+s", "++", "a+b", "f25", "\x1b", "\u202e", "<any>", "newline", "a" * 9_999]
)
def test_these_are_no_keys(written: str):
    with pytest.raises(InvalidKey) as caught:
        canonical_key(written)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 200


@given(st.text())
@settings(deadline=None)
def test_any_text_is_a_key_or_is_refused(text: str):
    try:
        name = canonical_key(text)
    except InvalidKey:
        return
    assert name
    assert "," not in name


def test_each_bad_entry_is_told_and_the_good_ones_count(path: Path):
    text = """
        [keys]
        "training.sav" = "f2"
        "training.save" = 3
        "training.quit" = ["f3", "bogus key"]
        "chart.in" = "i"
        "chart.out" = "i"
        [key]
    """
    assert problems(path, text) == [
        "key: unknown key; did you mean keys?; expected every binding under [keys]",
        "keys.training.sav: unknown binding; did you mean training.save?",
        "keys.training.save: 3: expected a key in quotes, or a list of them",
        "keys.training.quit: 'bogus key': no such key; expected a character, or a name such as enter, f2, ctrl+s",
        "keys.chart.out: 'i': already the key of chart.in; expected another",
    ]
    assert read_keys(path, KNOWN).keymap == {"chart.in": "i"}


@pytest.mark.parametrize("value", ["true", "1.5", "[]", '["a", 1]', "{}", "1979-05-27", '[["a"]]'])
def test_a_value_that_is_no_text_is_told(path: Path, value: str):
    (problem,) = problems(path, f'[keys]\n"training.save" = {value}')
    assert problem.startswith("keys.training.save: ")
    assert problem.endswith(": expected a key in quotes, or a list of them")


def test_one_key_in_two_spellings_is_still_one_key(path: Path):
    (problem,) = problems(path, '[keys]\n"chart.in" = ["+", "shift+ctrl+up"]\n"chart.out" = ["o", "ctrl+shift+up"]')
    assert problem == "keys.chart.out: 'ctrl+shift+up': already the key of chart.in; expected another"
    assert read_keys(path, KNOWN).keymap == {"chart.in": "plus,ctrl+shift+up"}


def test_an_entry_that_does_not_count_takes_no_key(path: Path):
    (problem,) = problems(path, '[keys]\n"chart.in" = ["i", "bogus"]\n"chart.out" = "i"')
    assert problem.startswith("keys.chart.in: 'bogus'")
    assert read_keys(path, KNOWN).keymap == {"chart.out": "i"}


def test_a_binding_with_and_without_quotes_is_given_twice(path: Path):
    assert problems(path, '[keys]\nchart.in = "i"\n"chart.in" = "j"') == ["keys.chart.in: given twice: expected one list of keys"]
    assert read_keys(path, KNOWN).keymap == {"chart.in": "i"}


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"[keys]\n'a' = \n", "not TOML: Invalid value (at line 2, column 7)"),
        (b"[keys]\n\n# \xff", "not UTF-8 text (line 3)"),
        (b"#" * (MAX_BYTES + 1), "larger than 256 KiB"),
        (b"a = " + b"[" * 50_000, "not read: nested too deeply"),
    ],
    ids=["not TOML", "not UTF-8", "too large", "too deep"],
)
def test_a_file_that_cannot_be_understood_is_one_problem(path: Path, data: bytes, told: str):
    path.write_bytes(data)
    assert (read_keys(path, KNOWN).keymap, read_keys(path, KNOWN).problems) == ({}, (f"{path}: {told}",))
    assert read_layout(path) == (Layout(), (f"{path}: {told}",))


def test_a_file_of_the_most_bytes_is_read(path: Path):
    start = b'[keys]\n"chart.in" = "i"\n'
    path.write_bytes(start + b"#" * (MAX_BYTES - len(start)))
    assert (read_keys(path, KNOWN).keymap, read_keys(path, KNOWN).problems) == ({"chart.in": "i"}, ())


def test_what_cannot_be_opened_is_one_problem(path: Path):
    path.mkdir()
    assert read_keys(path, KNOWN).problems == (f"{path}: is a folder, not a file",)
    assert read_layout(path) == (Layout(), (f"{path}: is a folder, not a file",))
    assert read_keys(Path("a\0b"), KNOWN).problems == (r"a\x00b: not a possible path",)
    pipe = path / "pipe"
    os.mkfifo(pipe)
    assert read_keys(pipe, KNOWN).problems == (f"{pipe}: not a regular file",)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_one_problem(path: Path):
    path.write_text("[keys]")
    path.chmod(0)
    assert read_keys(path, KNOWN).problems == (f"{path}: permission denied",)


@pytest.mark.parametrize(
    "text",
    ["keys = 1", "keys = []", '[keys]\ntraining = {}', "[keys]\n" + "a." * 50_000 + 'b = "x"',
     "[keys]\ntraining = 1", '[keys]\n"\\u001b[31m" = "\\u001b"'],
)  # fmt: skip
def test_an_odd_table_is_one_printable_problem(path: Path, text: str):
    (problem,) = problems(path, text)
    assert problem.isprintable()
    assert len(problem) < 500


def test_of_thousands_of_problems_the_first_are_told(path: Path):
    found = problems(path, "[keys]\n" + "\n".join(f'training.save{number} = "x"' for number in range(9_000)))
    assert len(found) == MOST_PROBLEMS + 1
    assert found[-1] == "… and 8,950 more problems"


def test_the_example_changes_nothing_and_names_every_binding(path: Path):
    known = {**KNOWN, "odd": 'Say "x"\nand # y \x1b', 'with "quotes"': "z"}
    text = example_keys(known)
    path.write_text(text, encoding="utf-8")
    assert (read_keys(path, known).keymap, read_keys(path, known).problems) == ({}, ())
    filled = "\n".join(line.removeprefix("#") if line[:2] != "# " else line for line in text.splitlines())
    assert tomli.loads(filled) == {"keys": dict.fromkeys(known, "")}
    assert '# Save the session\n#"training.save" = ' in text


class Bound(App[None]):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "note('save')", id="training.save"),
        Binding("x", "note('quit')", id="training.quit"),
        Binding("i", "note('in')", id="chart.in"),
    ]
    noted: ClassVar[list[str]] = []

    def action_note(self, what: str) -> None:
        self.noted.append(what)


async def test_textual_takes_the_keymap(path: Path):
    found = keymap(path, 'training.save = ["?", ","]\ntraining.quit = "i"\nchart.in = ["x", "shift+ctrl+up"]')
    app = Bound()
    app.noted.clear()
    async with app.run_test() as pilot:
        app.set_keymap(found)
        await pilot.press("s", "question_mark", "comma", "i", "x", "ctrl+shift+up")
    assert app.noted == ["save", "save", "quit", "in", "in"]


OTHER = Layout(
    name="batch norm", lower="γ and β", charts=("β", "µ"), left=24, split=80, x_axis=Axis.EPOCH, theme="nord", ewma_beta=0.0
)


@pytest.mark.parametrize("layout", [Layout(), OTHER, replace(OTHER, ewma_beta=0.1 + 0.2, lower='"\\')])
def test_a_layout_reads_back_as_it_was_written(tmp_path: Path, layout: Layout):
    path = tmp_path / "new" / "folder" / "layout.toml"
    write_layout(path, Layout())
    write_layout(path, layout)
    assert read_layout(path) == (layout, ())
    assert [each.name for each in path.parent.iterdir()] == ["layout.toml"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('name = "pandas"', '\'pandas\': expected "panda", "batch norm", "diagnosis" or "minimal"'),
        ("name = []", '[]: expected "panda", "batch norm", "diagnosis" or "minimal"'),
        ('x_axis = "hours"', '\'hours\': expected "step", "epoch" or "seconds"'),
        ("left = 23", "23: expected a whole number from 24 to 80"),
        ("left = 81", "81: expected a whole number from 24 to 80"),
        ("left = 40.0", "40.0: expected a whole number from 24 to 80"),
        ("split = 19", "19: expected a whole number from 20 to 80"),
        ("split = true", "true: expected a whole number from 20 to 80"),
        ('lower = ""', "'': expected a name in quotes, of at most 64 characters"),
        ('lower = "\\u001b[2J"', r"'\x1b[2J': expected a name in quotes, of at most 64 characters"),
        ("theme = 3", "3: expected a name in quotes, of at most 64 characters, or nothing in the quotes"),
        ('charts = ["cost"]', "['cost']: expected a list of two names in quotes"),
        ('charts = "cost"', "'cost': expected a list of two names in quotes"),
        ('charts = ["cost", 1]', "['cost', 1]: expected a list of two names in quotes"),
        ("ewma_beta = 1.0", "1.0: expected a number from 0 to less than 1"),
        ("ewma_beta = -0.1", "-0.1: expected a number from 0 to less than 1"),
        ("ewma_beta = nan", "nan: expected a number from 0 to less than 1"),
        ("ewma_beta = false", "false: expected a number from 0 to less than 1"),
    ],
)
def test_a_bad_value_is_told_and_the_others_count(tmp_path: Path, line: str, told: str):
    path = tmp_path / "layout.toml"
    field = line.partition(" ")[0]
    others = {"left": "33", "split": "66", "theme": '"nord"'}
    rest = "\n".join(f"{name} = {value}" for name, value in others.items() if name != field)
    path.write_text(f"{line}\n{rest}", encoding="utf-8")
    layout, found = read_layout(path)
    assert found == (f"{path}: {field}: {told}",)
    expected = replace(Layout(), left=33, split=66, theme="nord")
    assert asdict(layout) == {**asdict(expected), field: getattr(Layout(), field)}


def test_a_file_that_calls_the_layout_a_preset_is_still_read(tmp_path: Path):
    path = tmp_path / "layout.toml"
    path.write_text('preset = "diagnosis"\nleft = 40\n')
    assert read_layout(path) == (Layout(name="diagnosis", left=40), ())
    path.write_text('preset = "diagnosis"\nname = "minimal"\n')
    assert read_layout(path) == (Layout(name="minimal"), (f"{path}: preset: unknown key",))


def test_an_unknown_field_of_a_layout_is_told(tmp_path: Path):
    path = tmp_path / "layout.toml"
    path.write_text("splt = 30\nleft = 80\newma_beta = 0")
    assert read_layout(path) == (Layout(left=80, ewma_beta=0.0), (f"{path}: splt: unknown key; did you mean split?",))


def test_a_layout_that_cannot_be_saved_says_so_and_leaves_what_was_there(tmp_path: Path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(SaveError, match="not saved"):
        write_layout(tmp_path / "file" / "layout.toml", Layout())
    assert (tmp_path / "file").read_text() == "mine"


@given(st.binary(max_size=200) | st.text(alphabet="[]{}=.,\"'#\n keys1left").map(str.encode))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_file_raises(tmp_path: Path, data: bytes):
    path = tmp_path / "any.toml"
    path.write_bytes(data)
    assert all("\n" not in each for each in (*read_keys(path, KNOWN).problems, *read_layout(path)[1]))
