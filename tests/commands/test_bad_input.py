"""Bad input is said in one line for each problem, with status 2 and before anything is trained.

The long tables go through the same `main` in this process.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.commands.printed import Command, errors_of


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["digit"], r"digit: no such preset or session; did you mean digits\?; see `workbench presets`"),
        (["nothing.toml"], r"nothing\.toml: no such file"),
        (["."], r"\.: .+"),
        ([], r"Missing argument 'PRESET\|SESSION'\."),
        (["small.toml", "--steps", "-1"], r"Invalid value for '--steps': -1 is not in the range x>=0\."),
        (["small.toml", "--steps", "few"], r"Invalid value for '--steps': 'few' is not a valid integer range\."),
        (["small.toml", "--seed", "-1"], r"Invalid value for '--seed': .+"),
        (["small.toml", "--save", "s.txt"], r"--save s\.txt: expected a name that ends in \.toml"),
        (["small.toml", "--stops", "1"], r"No such option.*--stops.*"),
        (["small.toml", "--set", "learnig_rate=1"], r"--set learnig_rate: no such hyperparameter; did you mean learning_rate\?"),
        (["small.toml", "--set", "learning_rate"], r"--set learning_rate: expected NAME=VALUE"),
        (["small.toml", "--set", "learning_rate=nan"], r"--set learning_rate: nan: expected a number above 0 and at most 1e\+30"),
        (["small.toml", "--set", "learning_rate=fast"], r"--set learning_rate: 'fast': expected a number above 0 .+"),
        (["small.toml", "--set", "learning_rate=-1"], r"--set learning_rate: -1\.0: expected a number above 0 .+"),
        (["small.toml", "--set", "examples=0"], r"--set examples: 0: expected a whole number at least 1 and at most 1,000,000"),
        (["small.toml", "--set", "examples=1"], r"small: data\.(dev|test)_fraction: .+"),
        (["small.toml", "--set", "source=digits", "--set", "examples=5000"], r"small: data\.examples: 5000: the digits .+"),
        (["small.toml", "--set", "hidden="], r"small: network\.batch_norm: batch norm is applied to hidden layers, .+"),
        (["small.toml", "--set", "batch_size=1"], r"small: training\.batch_size: 1: expected at least 2 with batch norm, .+"),
        (["small.toml", "--set", "seed=3"], r"--set seed: expected --seed N"),
        (["small.toml", "--set", "optimizer=\x1b[31mred"], r"--set optimizer: '\\x1b\[31mred': expected one of .+"),
        (["small.toml", "--edit", "5"], r"--edit 5: expected STEP:NAME=VALUE, with STEP a whole number"),
        (["small.toml", "--edit", "l2=0.1"], r"--edit l2=0\.1: expected STEP:NAME=VALUE, with STEP a whole number"),
        (["small.toml", "--edit", "-5:l2=0.1"], r"--edit -5:l2=0\.1: expected STEP:NAME=VALUE, with STEP a whole number"),
        (["small.toml", "--edit", "5:l2"], r"--edit l2: expected NAME=VALUE"),
        (["small.toml", "--edit", "9" * 5000 + ":l2=0.1"], r"--edit 9{300,}.*"),
        (["small.toml", "--edit", "5:l3=0.1"], r"--edit l3: no such hyperparameter"),
        (["small.toml", "--edit", "5:l2=nan"], r"--edit l2: nan: expected a number at least 0 and at most 1,000,000"),
        (["small.toml", "--edit", "5:hidden=3"], r"--edit hidden: needs a new start, so it cannot be edited .+"),
        (["small.toml", "--edit", "1:l2=0.1", "--edit", "5:batch_size=1"], r"--edit batch_size: 1: expected at least 2 .+"),
        (["small.toml", "--edit", "5:keep_prob.3=0.5"], r"--edit keep_prob\.3: layer 3: the network has 2 hidden layers"),
        (["small.toml", "--edit", "5:keep_prob.1=0.5,0.5"], r"--edit keep_prob\.1: 2 values: expected a single one for layer 1"),
        (["small.toml", "--edit", "5:keep_prob." + "1" * 5000 + "=1"], r"--edit keep_prob\.1{100,}.+"),
    ],
    ids=lambda each: " ".join(each)[:60].replace("\x1b", "ESC") if isinstance(each, list) else "",
)  # fmt: skip
def test_bad_input_is_said_in_one_line_before_anything_is_trained(here: Command, arguments: list[str], line: str):
    done = here("train", *arguments)
    (said,) = errors_of(done)
    assert re.fullmatch(line, said), said
    assert len(said) <= 720
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("[data\nsource = 1", [r"p\.toml: not TOML: .+line 1.+"]),
        ("[training]\nlerning_rate = 0.1", [r"p\.toml: training\.lerning_rate: unknown key; did you mean learning_rate\?"]),
        ("[training]\nlearning_rate = 'fast'", [r"p\.toml: training\.learning_rate: 'fast': expected a number above 0 .+"]),
        ("[training]\nbatch_size = 2.5", [r"p\.toml: training\.batch_size: 2\.5: expected a whole number .+"]),
        ("[training]\nbeta1 = 1.0", [r"p\.toml: training\.beta1: 1\.0: expected a number at least 0 and below 1"]),
        ("[training]\nlearning_rate = nan", [r"p\.toml: training\.learning_rate: nan: expected .+"]),
        ("[data]\nexamples = 0", [r"p\.toml: data\.examples: 0: expected a whole number at least 1 .+"]),
        ("[network]\nbatch_norm = true\nhidden = []", [r"p\.toml: network\.batch_norm: batch norm is applied to hidden .+"]),
        ("[network]\nbatch_norm = true\n[training]\nbatch_size = 1", [r"p\.toml: training\.batch_size: 1: expected .+"]),
        (
            "[netwrok]\nhidden = 3\n[data]\nsource = 'digit'\n[training]\nlearning_rate = -1\nbatch_size = true\nkeep_prob = 0",
            [
                r"p\.toml: netwrok: unknown key; did you mean network\?",
                r"p\.toml: data\.source: 'digit': expected one of .+; did you mean digits\?",
                r"p\.toml: training\.learning_rate: -1: expected .+",
                r"p\.toml: training\.batch_size: true: expected .+",
                r"p\.toml: training\.keep_prob: 0: expected .+",
            ],
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_said_in_one_line_each(here: Command, tmp_path: Path, text: str, lines: list[str]):
    (tmp_path / "p.toml").write_text(text)
    done = here("train", "p.toml", "--json")
    said = errors_of(done)
    assert len(said) == len(lines)
    for one, line in zip(said, lines, strict=True):
        assert re.fullmatch(line, one), one
    assert done.stdout == ""


@pytest.mark.usefixtures("small")
def test_so_it_is_in_a_process_of_its_own(workbench: Command, tmp_path: Path):
    (tmp_path / "p.toml").write_text("[network]\nbatch_norm = 1\n[training]\nlerning_rate = 0.1\n")
    assert len(errors_of(workbench("train", "p.toml", "--json"))) == 2
    for arguments in (["--edit", "5:l2=nan"], ["--set", "hidden="], ["--steps", "-1"], ["--set", "examples=1"]):
        assert len(errors_of(workbench("train", "small.toml", *arguments))) == 1


def test_files_that_cannot_be_read_are_said_in_one_line(here: Command, tmp_path: Path):
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00\x1b[31m")
    (tmp_path / "large.toml").write_bytes(b"#" * 300_000)
    (tmp_path / "bad\x1b[31m.toml").write_text("x = 1")
    for name, line in (
        ("binary.toml", "binary.toml: not UTF-8 text (line 1)"),
        ("large.toml", "large.toml: larger than 256 KiB"),
        ("bad\x1b[31m.toml", r"bad\x1b[31m.toml: x: unknown key"),
    ):
        assert errors_of(here("train", name)) == [line]


@pytest.mark.usefixtures("saved", "small")
def test_a_preset_is_no_session_and_a_session_no_preset(workbench: Command):
    (line,) = errors_of(workbench("replay", "small.toml", "--json"))
    assert line == "small.toml: a preset, not a saved session: there is nothing to compare with"
    for option in (("--set", "l2=0.1"), ("--seed", "3")):
        (line,) = errors_of(workbench("train", "runs/mine.toml", *option))
        assert line.startswith(f"{option[0]}: small is a saved session")
    (line,) = errors_of(workbench("train", "runs/mine.toml", "--edit", "11:l2=0.1"))
    assert line == "--edit 11:l2: the session has done 12 steps already"
