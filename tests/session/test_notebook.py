from __future__ import annotations

import dataclasses

import pytest
import tomli
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.session.errors import InputError
from workbench.session.notebook import is_session, parse_session, session_to_toml
from workbench.session.preset import Preset, parse_preset
from workbench.session.session import Divergence, Edit, Mark, Result, Score, Session

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=60)
ANY_FLOAT = st.floats()


def problems(text: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        parse_session(text, "sessions/s.toml")
    return str(caught.value).split("\n")


def test_a_session_comes_back_from_its_text(session: Session) -> None:
    session = dataclasses.replace(session, checkpoint="moons-1.step-000200-0badcafe.safetensors")
    assert parse_session(session_to_toml(session), "s.toml") == session


def test_the_least_session_comes_back(preset: Preset) -> None:
    session = Session(preset=preset, seed=0)
    assert parse_session(session_to_toml(session), "s.toml") == session
    assert session.step == 0


def test_the_text_is_made_to_be_read_and_compared(session: Session) -> None:
    lines = session_to_toml(session).split("\n")
    assert lines[0].startswith("# A session of Workbench")
    assert lines[1:3] == ["format = 1", "seed = 7"]
    at = lines.index("[[edit]]")
    assert lines[at : at + 12] == [
        "[[edit]]",
        "step = 100",
        'name = "learning_rate"',
        "old = 0.01",
        "new = 0.003",
        'note = "it jumps about"',
        "",
        "[[edit]]",
        "step = 100",
        'name = "keep_prob"',
        "old = [0.9, 0.8]",
        "new = 1.0",
    ]
    assert "hidden = [16, 8]" in lines
    assert "cost = inf" in lines


def test_one_more_edit_adds_lines_and_changes_none(session: Session) -> None:
    before = session_to_toml(session).split("\n")
    after = session_to_toml(session.with_edit(Edit(170, "l2", 0.0, 1e-4))).split("\n")
    assert [line for line in after if line not in before] == ["step = 170", 'name = "l2"', "old = 0.0", "new = 0.0001"]
    assert len(after) == len(before) + 6


def test_additions_go_to_the_end_of_their_kind(session: Session) -> None:
    result = Result(300, 4, Score(0.0, 0.0))
    more = session.with_edit(Edit(250, "l1", 0.0, 0.1)).with_mark(Mark(300, "cd" * 32)).with_divergence(Divergence(300, "x"))
    assert more.with_result(result).step == 300
    assert more.step == session.step == 200
    assert [each.step for each in (more.edits[-1], more.marks[-1], more.divergences[-1])] == [250, 300, 300]


@settings(derandomize=True, deadline=None)
@given(
    note=TEXT,
    reason=TEXT,
    name=TEXT,
    title=TEXT,
    cost=ANY_FLOAT,
    error=ANY_FLOAT,
    rate=st.floats(0, 1e30, exclude_min=True),
    seed=st.integers(0, 2**63 - 1),
    step=st.integers(0, 2**63 - 1),
)
def test_any_text_and_number_comes_back_exactly(
    note: str, reason: str, name: str, title: str, cost: float, error: float, rate: float, seed: int, step: int
) -> None:
    preset = parse_preset({"title": title, "description": note}, "x.toml", name)
    session = Session(
        preset=preset.with_value("learning_rate", rate),
        seed=seed,
        edits=(Edit(step, "learning_rate", rate, rate / 2 or rate, note),),
        divergences=(Divergence(step, reason),),
        result=Result(step, 1, Score(cost, error)),
    )
    back = parse_session(session_to_toml(session), "s.toml")
    # repr, because NaN equals nothing and -0.0 equals 0.0.
    assert repr(back) == repr(session)


def test_a_text_with_a_lone_surrogate_or_without_end_can_be_saved(session: Session) -> None:
    session = dataclasses.replace(session, preset=dataclasses.replace(session.preset, name="caf\udce9"))
    session = session.with_edit(Edit(160, "l2", 0.0, 1.0, "n" * 10_000))
    back = parse_session(session_to_toml(session).encode().decode(), "s.toml")
    assert back.preset.name == "caf?"
    assert back.edits[-1].note == "n" * 4000


def test_only_a_table_with_a_format_is_a_session(session: Session) -> None:
    assert is_session(tomli.loads(session_to_toml(session)))
    assert not is_session(tomli.loads("title = 'format'"))


def test_a_newer_format_is_one_clear_line() -> None:
    text = "format = 2\npresets = []\nseed = 'new'"
    assert problems(text) == ["sessions/s.toml: format: written by a newer workbench (format 2, this one reads up to 1)"]


GOOD = "format = 1\nseed = 1\n[preset]\nname = 'x'\n[preset.network]\nhidden = [4, 3]\n"
HASH = "0" * 64


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (GOOD.replace("format = 1", "format = '1'"), "format: '1': expected a whole number from 1 to 1"),
        (GOOD.replace("format = 1", "format = 0"), "format: 0: expected a whole number from 1 to 1"),
        (GOOD.replace("format = 1", ""), "format: missing: expected a whole number from 1 to 1"),
        (GOOD.replace("seed = 1", ""), "seed: missing: expected a whole number from 0"),
        (GOOD.replace("seed = 1", "seed = -1"), "seed: -1: expected a whole number from 0"),
        (GOOD.replace("seed = 1", "seed = 1.0"), "seed: 1.0: expected a whole number from 0"),
        (GOOD.replace("seed = 1", "seed = true"), "seed: true: expected a whole number from 0"),
        (GOOD.replace("seed = 1", f"seed = {2**63}"), f"seed: {2**63}: expected a whole number from 0"),
        ("format = 1\nseed = 1", "preset: missing: expected a table, [preset]"),
        ("format = 1\nseed = 1\npreset = 'digits'", "preset: 'digits': expected a table, [preset]"),
        (GOOD.replace("name = 'x'", ""), "preset.name: missing: expected a text in quotes"),
        (GOOD + "[preset.training]\nbeta_1 = 0.5", "preset.training.beta_1: unknown key; did you mean beta1?"),
        (GOOD + "[preset.training]\nbeta1 = 1.0", "preset.training.beta1: 1.0: expected a number at least 0 and below 1"),
        (GOOD + "[preset.data]\nsource = 'moons'\nclasses = 3", "preset.data.classes: not used by source moons"),
        (GOOD + "[[edits]]\nstep = 1", "edits: unknown key; did you mean edit?"),
        (GOOD + "[edit]\nstep = 1", "edit: {'step': 1}: expected tables, [[edit]]"),
        (
            GOOD + "[[edit]]\nstep = 1\nname = 'l2'\nold = 0\nnew = 1\nnotes = ''",
            "edit[1].notes: unknown key; did you mean note?",
        ),
        (GOOD + "[[edit]]\nname = 'l2'\nold = 0\nnew = 1", "edit[1].step: missing: expected a whole number from 0"),
        (GOOD + "[[edit]]\nstep = 1\nold = 0\nnew = 1", "edit[1].name: missing: expected the name of a hyperparameter"),
        (GOOD + "[[edit]]\nstep = 1\nname = ''\nold = 0\nnew = 1", "edit[1].name: '': expected the name of a hyperparameter"),
        (
            GOOD + "[[edit]]\nstep = 1\nname = 'bata1'\nold = 0\nnew = 1",
            "edit[1].name: bata1: no such hyperparameter; did you mean beta1?",
        ),
        (
            GOOD + "[[edit]]\nstep = 1\nname = 'keep_prob.0'\nold = 1\nnew = 1",
            "edit[1].name: keep_prob.0: expected a layer counted from 1",
        ),
        (
            GOOD + "[[edit]]\nstep = 1\nname = 'batch_norm'\nold = true\nnew = false",
            "edit[1].name: batch_norm: fixed when training starts, so it has no place in a timeline",
        ),
        (
            GOOD + "[[edit]]\nstep = 1\nname = 'l2'\nold = 0\nnew = 'one'",
            "edit[1].new: 'one': expected a number at least 0 and at most 1,000,000",
        ),
        (
            GOOD + "[[edit]]\nstep = 1\nname = 'l2'\nnew = 1",
            "edit[1].old: missing: expected a number at least 0 and at most 1,000,000",
        ),
        (
            GOOD + "[[edit]]\nstep = 1\nname = 'keep_prob.3'\nold = 1\nnew = 1",
            "edit[1].new: layer 3: the network has 2 hidden layers",
        ),
        (
            GOOD + "[[edit]]\nstep = 1\nname = 'keep_prob'\nold = 1\nnew = [1, 1, 1]",
            "edit[1].new: 3 values: the network has 2 hidden layers",
        ),
        (
            GOOD + "[[edit]]\nstep = 1\nname = 'keep_prob.1'\nold = 1\nnew = [1, 1]",
            "edit[1].new: [1, 1]: expected a single value for one layer",
        ),
        (
            GOOD + "[[edit]]\nstep = 2\nname = 'l2'\nold = 0\nnew = 1\n[[edit]]\nstep = 1\nname = 'l2'\nold = 1\nnew = 0",
            "edit[2].step: 1: expected at least 2, the step of the one before",
        ),
        (GOOD + f"[[mark]]\nstep = -1\nhash = '{HASH}'", "mark[1].step: -1: expected a whole number from 0"),
        (GOOD + f"[[mark]]\nstep = 1\nhash = '{HASH[1:]}'", f"mark[1].hash: '{HASH[:58]}…: expected 64 hexadecimal digits"),
        (GOOD + f"[[mark]]\nstep = 1\nhash = '{HASH[1:]}g'", f"mark[1].hash: '{HASH[:58]}…: expected 64 hexadecimal digits"),
        (GOOD + "[[mark]]\nstep = 1\nhash = ''", "mark[1].hash: '': expected 64 hexadecimal digits"),
        (GOOD + "[[divergence]]\nstep = 1\nreason = 3", "divergence[1].reason: 3: expected a text in quotes"),
        (GOOD + "[result]\nstep = 1\nepoch = 1", "result.train: missing: expected a table, [result.train]"),
        (GOOD + "[result]\nstep = 1\nepoch = 1\ntrain = {cost = 1}", "result.train.error: missing: expected a number"),
        (
            GOOD + f"[result]\nstep = 1\nepoch = 1\ntrain = {{cost = 1, error = 0x{'f' * 400}}}",
            "result.train.error: " + str(int("f" * 400, 16))[:59] + "…: expected a number",
        ),
        (
            GOOD + "[environment]\nworkbench = '1'\npython = '3'\nnumpy = '2'\nblas = 'x'\nplatform = 'y'",
            "environment.blas_threads: missing: expected a whole number from 0",
        ),
        (
            "checkpoint = '../../etc/x.safetensors'\n" + GOOD,
            "checkpoint: '../../etc/x.safetensors': expected the name of a .safetensors file in the same folder",
        ),
        ("checkpoint = ''\n" + GOOD, "checkpoint: '': expected the name of a .safetensors file in the same folder"),
        (
            'checkpoint = "a\\\\b.safetensors"\n' + GOOD,
            "checkpoint: 'a\\\\b.safetensors': expected the name of a .safetensors file in the same folder",
        ),
    ],
)
def test_a_problem_names_file_key_and_what_is_allowed(text: str, problem: str) -> None:
    assert problems(text) == [f"sessions/s.toml: {problem}"]


def test_the_good_text_is_good() -> None:
    assert parse_session(GOOD, "s.toml").preset.network.hidden == (4, 3)


def test_all_problems_are_said_at_once() -> None:
    edits = "[[edit]]\nstep = -1\nname = 'beta1'\nold = 0.5\nnew = 2\n" * 2
    text = "format = 1\nsed = 1\n[preset]\ntitle = 2\n" + edits + "[[mark]]\nstep = 'x'\nhash = 1"
    assert [line.split(": ")[1] for line in problems(text)] == [
        "sed",
        "preset.name",
        "preset.title",
        "seed",
        "edit[1].step",
        "edit[1].new",
        "edit[2].step",
        "edit[2].new",
        "mark[1].step",
        "mark[1].hash",
    ]


def test_hostile_text_is_harmless_in_a_message() -> None:
    evil = "\\u001b]0;\\u009b\\u202e" + "x" * 10_000
    first = f'[[edit]]\nstep = "{evil}"\nname = "{evil}"\nold = "{evil}"\nnew = 1\n"{evil}" = 1\n'
    text = GOOD + first + '[[edit]]\nname = "\\u001b[2J"\nstep = 0'
    lines = problems(text)
    assert len(lines) == 4
    assert all(line.isprintable() and len(line) < 700 for line in lines)


def test_layer_numbers_of_thousands_of_digits_are_refused() -> None:
    name = "keep_prob." + "1" * 5000
    (problem,) = problems(GOOD + f"[[edit]]\nstep = 1\nname = '{name}'\nold = 1\nnew = 1")
    assert problem.endswith("expected the name of a hyperparameter")
