from __future__ import annotations

import dataclasses

import pytest
import tomli
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.engine.measurements import Score
from workbench.files.errors import InputError
from workbench.session.branch import Best, Branch, Edit, Mark, Note, Place, Result, Stop
from workbench.session.format import is_session, parse_session, session_to_toml
from workbench.session.plan import MOST_STEPS
from workbench.session.preset import Preset, parse_preset
from workbench.session.session import Session
from workbench.session.timeline import cut

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
ANY_FLOAT = st.floats()


def with_edit(session: Session, edit: Edit) -> Session:
    return session.with_branch(edits=(*session.branch.edits, edit))


def problems(text: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        parse_session(text, "sessions/s.toml")
    return str(caught.value).split("\n")


def test_a_session_comes_back_from_its_text(session: Session) -> None:
    session = session.with_branch(checkpoint="moons-1.step-000200-0badcafe.safetensors", note="the first")
    assert parse_session(session_to_toml(session), "s.toml") == session


def test_the_least_session_comes_back(preset: Preset) -> None:
    session = Session(preset=preset, seed=0)
    assert parse_session(session_to_toml(session), "s.toml") == session
    assert session.step == 0


def test_the_text_is_made_to_be_read_and_compared(session: Session) -> None:
    lines = session_to_toml(session).split("\n")
    assert lines[0].startswith("# A session of Workbench")
    assert lines[1:4] == ["format = 2", "seed = 7", 'current = "main"']
    assert lines.index("[[branch]]") > lines.index("[preset.training]")
    at = lines.index("[[branch.edit]]")
    assert lines[at : at + 12] == [
        "[[branch.edit]]",
        "step = 100",
        'name = "learning_rate"',
        "old = 0.01",
        "new = 0.003",
        'note = "it jumps about"',
        "",
        "[[branch.edit]]",
        "step = 100",
        'name = "keep_prob"',
        "old = [0.9, 0.8]",
        "new = 1.0",
    ]
    assert "hidden = [16, 8]" in lines
    assert "cost = inf" in lines


def test_one_more_edit_adds_lines_and_changes_none(session: Session) -> None:
    before = session_to_toml(session).split("\n")
    after = session_to_toml(with_edit(session, Edit(170, "l2", 0.0, 1e-4))).split("\n")
    assert [line for line in after if line not in before] == ["step = 170", 'name = "l2"', "old = 0.0", "new = 0.0001"]
    assert len(after) == len(before) + 6


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
    step=st.integers(0, MOST_STEPS),
)
def test_any_text_and_number_comes_back_exactly(
    note: str, reason: str, name: str, title: str, cost: float, error: float, rate: float, seed: int, step: int
) -> None:
    preset = parse_preset({"title": title, "description": note}, "x.toml", name)
    session = Session(
        preset=preset.with_value("learning_rate", rate),
        seed=seed,
        branches=(
            Branch(
                name=f"b{reason}"[:60],
                note=note,
                edits=(Edit(step, "learning_rate", rate, rate / 2 or rate, note),),
                notes=(Note(step, title),),
                stops=(Stop(step, 1, reason, (seed, 0, 1), passed=bool(step % 2)),),
                step=step,
                best=Best(step, error),
                result=Result(step, 1, Score.of(cost, error)),
            ),
        ),
        current=f"b{reason}"[:60],
    )
    back = parse_session(session_to_toml(session), "s.toml")
    # repr, because NaN equals nothing and -0.0 equals 0.0.
    assert repr(back) == repr(session)


def test_a_text_with_a_lone_surrogate_or_without_end_can_be_saved(session: Session) -> None:
    session = dataclasses.replace(session, preset=dataclasses.replace(session.preset, name="caf\udce9"))
    session = with_edit(session, Edit(160, "l2", 0.0, 1.0, "n" * 10_000))
    back = parse_session(session_to_toml(session).encode().decode(), "s.toml")
    assert back.preset.name == "caf?"
    assert back.branch.edits[-1].note == "n" * 4000


@pytest.mark.parametrize("number", [2**63 - 1, MOST_STEPS + 1])
@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("branch[1].step", 'checkpoint = "x.safetensors"\nstep = {}'),
        ("branch[1].edit[1].step", "[[branch.edit]]\nstep = {}\nname = 'l2'\nold = 0.0\nnew = 0.1"),
        ("branch[1].mark[1].step", "[[branch.mark]]\nstep = {}\nhash = '" + "ab" * 32 + "'"),
        ("branch[1].stop[1].step", "[[branch.stop]]\nstep = {}\nedits = 0\nreason = ''"),
        ("branch[1].stop[1].edits", "[[branch.stop]]\nstep = 1\nedits = {}\nreason = ''"),
        ("branch[1].comment[1].step", "[[branch.comment]]\nstep = {}\ntext = ''"),
        ("branch[1].best.step", "[branch.best]\nstep = {}\ncost = 1.0"),
        ("branch[1].result.step", "[branch.result]\nstep = {}\nepoch = 1\ntrain = {{cost = 1.0, error = 1.0}}"),
        ("branch[1].result.epoch", "[branch.result]\nstep = 1\nepoch = {}\ntrain = {{cost = 1.0, error = 1.0}}"),
    ],
)
def test_a_number_of_steps_that_no_run_can_come_to_is_refused_in_one_line(key: str, found: str, number: int) -> None:
    step = "" if "step = {}" in found.split("[[")[0].split("[branch")[0] else "step = 9\n"
    text = f"format = 2\nseed = 1\n[preset]\nname = 'x'\n[[branch]]\nname = 'main'\n{step}{found.format(number)}\n"
    with pytest.raises(InputError) as caught:
        parse_session(text, "s.toml")
    (line, *more) = caught.value.problems
    assert line.startswith(f"s.toml: {key}: {number}: expected a whole number from 0 to 1,000,000")
    assert all(each.startswith(f"s.toml: {key.rpartition('.')[0]}") for each in more)


def test_only_a_table_with_a_format_is_a_session(session: Session) -> None:
    assert is_session(tomli.loads(session_to_toml(session)))
    assert not is_session(tomli.loads("title = 'format'"))


@pytest.mark.parametrize(("version", "age"), [(0, "an older"), (1, "an older"), (3, "a newer"), (99, "a newer")])
def test_another_format_is_one_clear_line(version: int, age: str) -> None:
    text = f"format = {version}\npresets = []\nseed = 'new'"
    assert problems(text) == [f"sessions/s.toml: format: written by {age} workbench (format {version}, this one reads 2)"]


PRESET = "[preset]\nname = 'x'\n[preset.network]\nhidden = [4, 3]\n"
BRANCH = "[[branch]]\nname = 'main'\nstep = 9\n"
GOOD = "format = 2\nseed = 1\n" + PRESET + BRANCH
HASH = "0" * 64


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (GOOD.replace("format = 2", "format = '1'"), "format: '1': expected a whole number from 2 to 2"),
        (GOOD.replace("format = 2", ""), "format: missing: expected a whole number from 2 to 2"),
        (GOOD.replace("seed = 1", ""), "seed: missing: expected a whole number from 0"),
        (GOOD.replace("seed = 1", "seed = -1"), "seed: -1: expected a whole number from 0"),
        (GOOD.replace("seed = 1", "seed = 1.0"), "seed: 1.0: expected a whole number from 0"),
        (GOOD.replace("seed = 1", "seed = true"), "seed: true: expected a whole number from 0"),
        (GOOD.replace("seed = 1", f"seed = {2**63}"), f"seed: {2**63}: expected a whole number from 0"),
        ("format = 2\nseed = 1\n" + BRANCH, "preset: missing: expected a table, [preset]"),
        ("format = 2\nseed = 1\npreset = 'digits'\n" + BRANCH, "preset: 'digits': expected a table, [preset]"),
        (GOOD.replace("name = 'x'", ""), "preset.name: missing: expected a text in quotes"),
        (GOOD + "[preset.training]\nbeta_1 = 0.5", "preset.training.beta_1: unknown key; did you mean beta1?"),
        (GOOD + "[preset.training]\nbeta1 = 1.0", "preset.training.beta1: 1.0: expected a number at least 0 and below 1"),
        (GOOD + "[preset.data]\nsource = 'moons'\nclasses = 3", "preset.data.classes: not used by source moons"),
        (GOOD + "[[branch.edits]]\nstep = 1", "branch[1].edits: unknown key; did you mean edit?"),
        (GOOD + "[branch.edit]\nstep = 1", "branch[1].edit: {'step': 1}: expected tables, [[branch[1].edit]]"),
        (
            GOOD + "[[branch.edit]]\nstep = 1\nname = 'l2'\nold = 0\nnew = 1\nnotes = ''",
            "branch[1].edit[1].notes: unknown key; did you mean note?",
        ),
        (
            GOOD + "[[branch.edit]]\nname = 'l2'\nold = 0\nnew = 1",
            "branch[1].edit[1].step: missing: expected a whole number from 0 to 1,000,000,000,000",
        ),
        (
            GOOD + "[[branch.edit]]\nstep = 1\nold = 0\nnew = 1",
            "branch[1].edit[1].name: missing: expected the name of a hyperparameter",
        ),
        (
            GOOD + "[[branch.edit]]\nstep = 1\nname = ''\nold = 0\nnew = 1",
            "branch[1].edit[1].name: '': expected the name of a hyperparameter",
        ),
        (
            GOOD + "[[branch.edit]]\nstep = 1\nname = 'bata1'\nold = 0\nnew = 1",
            "branch[1].edit[1].name: bata1: no such hyperparameter; did you mean beta1?",
        ),
        (
            GOOD + "[[branch.edit]]\nstep = 1\nname = 'keep_prob.0'\nold = 1\nnew = 1",
            "branch[1].edit[1].name: keep_prob.0: expected a layer counted from 1",
        ),
        (
            GOOD + "[[branch.edit]]\nstep = 1\nname = 'batch_norm'\nold = true\nnew = false",
            "branch[1].edit[1].name: batch_norm: fixed when training starts, so it has no place in a timeline",
        ),
        (
            GOOD + "[[branch.edit]]\nstep = 1\nname = 'l2'\nold = 0\nnew = 'one'",
            "branch[1].edit[1].new: 'one': expected a number at least 0 and at most 1,000,000",
        ),
        (
            GOOD + "[[branch.edit]]\nstep = 1\nname = 'l2'\nnew = 1",
            "branch[1].edit[1].old: missing: expected a number at least 0 and at most 1,000,000",
        ),
        (
            GOOD + "[[branch.edit]]\nstep = 1\nname = 'keep_prob.3'\nold = 1\nnew = 1",
            "branch[1].edit[1].new: layer 3: the network has 2 hidden layers",
        ),
        (
            GOOD + "[[branch.edit]]\nstep = 1\nname = 'keep_prob'\nold = 1\nnew = [1, 1, 1]",
            "branch[1].edit[1].new: 3 values: the network has 2 hidden layers",
        ),
        (
            GOOD + "[[branch.edit]]\nstep = 1\nname = 'keep_prob.1'\nold = 1\nnew = [1, 1]",
            "branch[1].edit[1].new: [1, 1]: expected a single value for one layer",
        ),
        (
            GOOD + "[[branch.edit]]\nstep = 2\nname = 'l2'\nold = 0\nnew = 1\n"
            "[[branch.edit]]\nstep = 1\nname = 'l2'\nold = 1\nnew = 0",
            "branch[1].edit[2].step: 1: expected at least 2, the step of the one before",
        ),
        (
            GOOD + f"[[branch.mark]]\nstep = -1\nhash = '{HASH}'",
            "branch[1].mark[1].step: -1: expected a whole number from 0 to 1,000,000,000,000",
        ),
        (
            GOOD + f"[[branch.mark]]\nstep = 1\nhash = '{HASH[1:]}'",
            f"branch[1].mark[1].hash: '{HASH[:58]}…: expected 64 hexadecimal digits",
        ),
        (
            GOOD + f"[[branch.mark]]\nstep = 1\nhash = '{HASH[1:]}g'",
            f"branch[1].mark[1].hash: '{HASH[:58]}…: expected 64 hexadecimal digits",
        ),
        (GOOD + "[[branch.mark]]\nstep = 1\nhash = ''", "branch[1].mark[1].hash: '': expected 64 hexadecimal digits"),
        (GOOD + "[[branch.stop]]\nstep = 1\nedits = 0\nreason = 3", "branch[1].stop[1].reason: 3: expected a text in quotes"),
        (
            GOOD + "[branch.result]\nstep = 1\nepoch = 1",
            "branch[1].result.train: missing: expected a table, [branch[1].result.train]",
        ),
        (
            GOOD + "[branch.result]\nstep = 1\nepoch = 1\ntrain = {cost = 1}",
            "branch[1].result.train.error: missing: expected a number",
        ),
        (
            GOOD + f"[branch.result]\nstep = 1\nepoch = 1\ntrain = {{cost = 1, error = 0x{'f' * 400}}}",
            "branch[1].result.train.error: " + str(int("f" * 400, 16))[:59] + "…: expected a number",
        ),
        (
            GOOD + "[environment]\nworkbench = '1'\npython = '3'\nnumpy = '2'\nblas = 'x'\nplatform = 'y'",
            "environment.blas_threads: missing: expected a whole number from 0 to 65,536",
        ),
        (
            GOOD + "checkpoint = '../../etc/x.safetensors'\n",
            "branch[1].checkpoint: '../../etc/x.safetensors': expected the name of a .safetensors file in the same folder",
        ),
        (GOOD + "checkpoint = ''\n", "branch[1].checkpoint: '': expected the name of a .safetensors file in the same folder"),
        (
            GOOD + 'checkpoint = "a\\\\b.safetensors"\n',
            "branch[1].checkpoint: 'a\\\\b.safetensors': expected the name of a .safetensors file in the same folder",
        ),
    ],
)
def test_a_problem_names_file_key_and_what_is_allowed(text: str, problem: str) -> None:
    assert problems(text) == [f"sessions/s.toml: {problem}"]


def test_the_good_text_is_good() -> None:
    assert parse_session(GOOD, "s.toml").preset.network.hidden == (4, 3)


def test_all_problems_are_said_at_once() -> None:
    edits = "[[branch.edit]]\nstep = -1\nname = 'beta1'\nold = 0.5\nnew = 2\n" * 2
    text = "format = 2\nsed = 1\n[preset]\ntitle = 2\n[[branch]]\nstep = true\n" + edits + "[[branch.mark]]\nstep = 'x'\nhash = 1"
    assert [line.split(": ")[1] for line in problems(text)] == [
        "sed",
        "preset.name",
        "preset.title",
        "branch[1].name",
        "branch[1].step",
        "branch[1].edit[1].step",
        "branch[1].edit[1].new",
        "branch[1].edit[2].step",
        "branch[1].edit[2].new",
        "branch[1].mark[1].step",
        "branch[1].mark[1].hash",
        "seed",
        "current",
    ]


def test_hostile_text_is_harmless_in_a_message() -> None:
    evil = "\\u001b]0;\\u009b\\u202e" + "x" * 10_000
    first = f'[[branch.edit]]\nstep = "{evil}"\nname = "{evil}"\nold = "{evil}"\nnew = 1\n"{evil}" = 1\n'
    text = GOOD + first + '[[branch.edit]]\nname = "\\u001b[2J"\nstep = 0'
    lines = problems(text)
    assert len(lines) == 4
    assert all(line.isprintable() and len(line) < 700 for line in lines)


def test_layer_numbers_of_thousands_of_digits_are_refused() -> None:
    name = "keep_prob." + "1" * 5000
    (problem,) = problems(GOOD + f"[[branch.edit]]\nstep = 1\nname = '{name}'\nold = 1\nnew = 1")
    assert problem.endswith("expected the name of a hyperparameter")


# Branches ----------------------------------------------------------------------------------------------------------

COMMON = (Edit(2, "l2", 0.0, 0.1), Edit(5, "l2", 0.1, 0.0, undoes=1))


@pytest.fixture
def forked(preset: Preset) -> Session:
    """main ← hot (from 5) ← hotter (from 7), each with edits of its own."""
    main = Branch(
        edits=(*COMMON, Edit(9, "l1", 0.0, 0.1)), marks=(Mark(0, "0" * 64), Mark(5, "5" * 64), Mark(12, "c" * 64)), step=12,
        stops=(Stop(9, 2, "risen", (4, 2), passed=True), Stop(12, 3, "nan")), notes=(Note(1, "one"),), note="first",
        checkpoint="s.step-000012-00000000.safetensors",
    )  # fmt: skip
    hot = Branch(
        name="hot", parent="main", fork=5, edits=(*COMMON, Edit(5, "learning_rate", 0.01, 0.1)),
        marks=(Mark(0, "0" * 64), Mark(5, "5" * 64), Mark(8, "8" * 64)), step=8, notes=(Note(1, "one"), Note(6, "six")),
    )  # fmt: skip
    hotter = Branch(
        name="hotter", parent="hot", fork=7, edits=(*hot.edits, Edit(7, "learning_rate", 0.1, 0.01, undoes=3)), step=7,
        marks=(Mark(0, "0" * 64), Mark(5, "5" * 64), Mark(7, "7" * 64)),
    )  # fmt: skip
    return Session(preset=preset, seed=1, branches=(main, hot, hotter), current="hot")


def test_several_branches_come_back_and_what_they_share_is_written_once(forked: Session) -> None:
    text = session_to_toml(forked)
    assert parse_session(text, "s.toml") == forked
    main, hot, hotter = tomli.loads(text)["branch"]
    assert [len(each["edit"]) for each in (main, hot, hotter)] == [3, 1, 1]
    assert [(each["fork"], each["shared_edits"]) for each in (hot, hotter)] == [(5, 2), (7, 3)]
    assert [[mark["step"] for mark in each["mark"]] for each in (main, hot, hotter)] == [[0, 5, 12], [8], [7]]
    assert (text.count('hash = "' + "0" * 64), "parent" in main) == (1, False)


def test_hashes_beyond_the_fork_are_a_branchs_own_though_its_parent_has_the_same(forked: Session) -> None:
    twin = dataclasses.replace(forked.branches[0], name="twin", parent="main", fork=5, checkpoint=None)
    session = dataclasses.replace(forked, branches=(forked.branches[0], twin), current="main")
    assert parse_session(session_to_toml(session), "s.toml") == session


@st.composite
def trees(draw: st.DrawFn) -> Session:
    """Branches that left one another anywhere, with edits, hashes and notes of their own."""
    preset = parse_preset({"network": {"hidden": [4, 3]}}, "x.toml", "x")
    steps = st.integers(0, 30)

    def grown(branch: Branch) -> Branch:
        tip = branch.step + draw(st.integers(0, 20))
        fresh = sorted(draw(st.lists(st.integers(branch.step, tip), max_size=3)))
        edits = tuple(Edit(step, "l2", 0.0, draw(st.sampled_from([0.1, 0.2]))) for step in fresh)
        marks = {mark.step: mark for mark in branch.marks}
        hashes = st.sampled_from("abc")
        later = draw(st.sets(st.integers(branch.step + 1, tip + 1), max_size=3))
        marks |= {step: Mark(step, draw(hashes) * 64) for step in later}
        return dataclasses.replace(
            branch, edits=(*branch.edits, *edits), step=tip + 1, marks=tuple(marks[step] for step in sorted(marks))
        )

    branches = [grown(Branch())]
    for number in range(draw(st.integers(0, 4))):
        parent = draw(st.sampled_from(branches))
        step = min(draw(steps), parent.step)
        low, high = (sum(edit.step < step + more for edit in parent.edits) for more in (0, 1))
        child = cut(parent, Place(step, draw(st.integers(low, high))))
        branches.append(grown(dataclasses.replace(child, name=f"b{number}", parent=parent.name, fork=step)))
    return Session(preset=preset, seed=1, branches=tuple(branches), current=draw(st.sampled_from(branches)).name)


@settings(derandomize=True, deadline=None)
@given(trees())
def test_any_tree_of_branches_comes_back(session: Session) -> None:
    assert parse_session(session_to_toml(session), "s.toml") == session


CHILD = "[[branch]]\nname = 'child'\nparent = 'main'\nfork = 3\nshared_edits = 1\nstep = 9\n"
WITH_CHILD = GOOD + "[[branch.edit]]\nstep = 2\nname = 'l2'\nold = 0\nnew = 1\n" + CHILD
OWN = "[[branch.edit]]\nstep = 4\nname = 'l2'\nold = 1\nnew = 0\n"


def test_a_session_without_branches_is_none() -> None:
    assert problems(GOOD.partition("[[branch]]")[0]) == [
        "sessions/s.toml: branch: missing: expected tables, [[branch]]",
        "sessions/s.toml: current: 'main': expected the name of one of the branches",
    ]


def test_the_text_with_a_child_is_good() -> None:
    session = parse_session(WITH_CHILD + OWN, "s.toml")
    assert session.named("child").edits == (Edit(2, "l2", 0.0, 1.0), Edit(4, "l2", 1.0, 0.0))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (WITH_CHILD.replace("'child'", "'main'"), "branch[2].name: 'main': another branch has this name"),
        ("current = '  '\n" + GOOD.replace("'main'", "'  '"), "branch[1].name: expected a name"),
        (GOOD.replace("step = 9", ""), "branch[1].step: missing: expected a whole number from 0 to 1,000,000,000,000"),
        (GOOD + "fork = 3\n", "branch[1].fork: of no use without a parent"),
        (GOOD + "shared_edits = 3\n", "branch[1].shared_edits: of no use without a parent"),
        (
            WITH_CHILD.replace("parent = 'main'", "parent = 'mane'"),
            "branch[2].parent: 'mane': expected the name of a branch before this one",
        ),
        (
            WITH_CHILD.replace("parent = 'main'", "parent = 'child'"),
            "branch[2].parent: 'child': expected the name of a branch before this one",
        ),
        (WITH_CHILD.replace("fork = 3\n", ""), "branch[2].fork: missing: expected a whole number from 0 to 1,000,000,000,000"),
        (WITH_CHILD.replace("fork = 3", "fork = -3"), "branch[2].fork: -3: expected a whole number from 0 to 1,000,000,000,000"),
        (
            WITH_CHILD.replace("shared_edits = 1", "shared_edits = 2"),
            "branch[2].shared_edits: 2: expected a whole number from 0 to 1",
        ),
        (WITH_CHILD.replace("shared_edits = 1\n", ""), "branch[2].shared_edits: missing: expected a whole number from 0 to 1"),
        (WITH_CHILD + OWN.replace("step = 4", "step = 1"), "branch[2].edit[1].step: 1: expected at least 2, the parent's"),
        (WITH_CHILD + OWN + "undoes = 2\n", "branch[2].edit[1].undoes: 2: expected the number of an edit before this one"),
        (WITH_CHILD + OWN + "undoes = -1\n", "branch[2].edit[1].undoes: -1: expected a whole number from 0 to 1,000,000"),
        (GOOD + OWN + "undoes = 1\n", "branch[1].edit[1].undoes: 1: expected the number of an edit before this one"),
        (
            WITH_CHILD + "[[branch.stop]]\nstep = 4\nedits = 2\nreason = ''\n",
            "branch[2].stop[1].edits: 2: the branch has 1 edits",
        ),
        (
            GOOD + "[[branch.stop]]\nstep = 4\nedits = 0\nreason = ''\nrows = [-1]\n",
            "branch[1].stop[1].rows: expected a list of whole numbers from 0",
        ),
        (
            GOOD + "[[branch.stop]]\nstep = 4\nedits = 0\nreason = ''\npassed = 1\n",
            "branch[1].stop[1].passed: 1: expected true or false",
        ),
        (GOOD + "[[branch.comment]]\nstep = 4\n", "branch[1].comment[1].text: missing: expected a text in quotes"),
        (GOOD + "[branch.best]\nstep = 4\n", "branch[1].best.cost: missing: expected a number"),
        ("current = 'other'\n" + GOOD, "current: 'other': expected the name of one of the branches"),
        (
            WITH_CHILD + OWN.replace("'l2'", "'keep_prob.3'").replace("new = 0", "new = 1"),
            "branch[2].edit[1].new: layer 3: the network has 2 hidden layers",
        ),
    ],
)  # fmt: skip
def test_a_problem_of_a_branch_is_named(text: str, problem: str) -> None:
    assert problems(text) == [f"sessions/s.toml: {problem}"]
