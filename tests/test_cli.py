"""The command line as a contract: what it prints, where, and with which status.

Every call is a process of its own, but for the long tables of bad input, which go through the same `main` in this one.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tomli

from workbench.__main__ import main
from workbench.run.replay import replay
from workbench.session.store import load_session

Done = subprocess.CompletedProcess[str]
Command = Callable[..., Done]

SMALL = """\
title = "A small one"

[data]
source = "gaussians"
examples = 90

[network]
hidden = [6, 5]
batch_norm = true

[training]
batch_size = 8
learning_rate = 0.01
epochs = 3
"""
NO_CONSTANT: dict[str, Any] = {"parse_constant": lambda name: pytest.fail(f"{name} is no JSON")}


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    return path


def json_of(done: Done, status: int = 0) -> Any:
    """The one object on standard output, where nothing else is."""
    assert done.returncode == status, done.stderr
    assert done.stdout.count("\n") == 1
    return json.loads(done.stdout, **NO_CONSTANT)


def errors_of(done: Done, status: int = 2) -> list[str]:
    """The lines on standard error, without what each begins with."""
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert "\x1b" not in done.stderr + done.stdout
    lines = done.stderr.splitlines()
    assert all(line.startswith("workbench: ") for line in lines)
    return [line.removeprefix("workbench: ") for line in lines]


# Training ----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("small")
def test_training_prints_one_json_object_and_nothing_else(workbench: Command):
    done = workbench("train", "small.toml", "--json", "--seed", 7, "--edit", "5:l2=0.1")
    said = json_of(done)
    assert done.stderr == ""
    assert list(said) == [
        "preset", "seed", "step", "epoch", "train", "dev", "test", "seconds", "steps_per_second", "examples_per_second",
        "state_hash", "session",
    ]  # fmt: skip
    assert (said["preset"], said["seed"], said["step"], said["epoch"], said["session"]) == ("small", 7, 21, 3, None)
    for part in ("train", "dev", "test"):
        assert list(said[part]) == ["cost", "error"]
        assert said[part]["cost"] > 0
        assert 0 <= said[part]["error"] <= 1
    assert re.fullmatch(r"[0-9a-f]{64}", said["state_hash"])
    assert 0 < said["seconds"] < 60
    assert said["steps_per_second"] == pytest.approx(21 / said["seconds"], rel=0.01)
    assert said["examples_per_second"] == pytest.approx(3 * 54 / said["seconds"], rel=0.01)


@pytest.mark.usefixtures("small")
def test_parts_that_are_not_there_are_null(workbench: Command):
    settings = ("--set", "dev_fraction=0", "--set", "test_fraction=0")
    said = json_of(workbench("train", "small.toml", "--json", "--steps", 2, *settings))
    assert (said["dev"], said["test"], said["step"]) == (None, None, 2)


@pytest.mark.usefixtures("small")
def test_without_a_terminal_it_prints_plain_lines(workbench: Command, tmp_path: Path):
    edits = ("--edit", "4:optimizer=momentum", "--edit", "9:epsilon=0.1")
    done = workbench("train", "small.toml", *edits, "--save", "out/saved.toml")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert "step       4  optimizer: adam → momentum" in lines
    assert "step       9  epsilon: 1e-08 → 0.1 (not used by momentum)" in lines
    assert [line.split()[0] for line in lines[-5:]] == ["train", "dev", "test", "21", "saved"]
    assert lines[-2].startswith("21 steps, 3 epochs, ")
    assert all(line.isprintable() for line in lines)
    session, _, _ = load_session(tmp_path / "out" / "saved.toml")
    assert session.step == 21


@pytest.mark.usefixtures("small")
def test_settings_steps_and_epochs_are_heeded(workbench: Command):
    said = json_of(workbench("train", "small.toml", "--json", "--steps", 100, "--epochs", 2, "--set", "batch_size=27"))
    assert (said["step"], said["epoch"]) == (4, 2)
    assert json_of(workbench("train", "small.toml", "--json", "--steps", 0))["step"] == 0


@pytest.mark.usefixtures("small")
def test_an_edit_beyond_the_end_is_said_and_fails(workbench: Command):
    edits = ("--edit", "5:l2=0.1", "--edit", "6:l2=0.2", "--edit", "9:l1=1")
    done = workbench("train", "small.toml", "--json", "--steps", 5, *edits)
    assert json_of(done, 1)["step"] == 5
    assert errors_of(done, 1) == ["--edit 6:l2, 9:l1: not applied, the run ended at step 5"]


@pytest.mark.usefixtures("small")
def test_a_divergence_is_said_and_fails_and_the_result_is_json_still(workbench: Command, tmp_path: Path):
    settings = ("--set", "learning_rate=1e30", "--set", "batch_norm=false", "--set", "optimizer=gradient_descent")
    done = workbench("train", "small.toml", "--json", *settings, "--save", "diverged.toml")
    said = json_of(done, 1)
    (line,) = errors_of(done, 1)
    match = re.fullmatch(r"diverged at step (\d+): .+?(?:; back at step (\d+), the last good one)?", line)
    assert match is not None
    assert said["step"] == int(match[2] or int(match[1]) - 1)
    session = load_session(tmp_path / "diverged.toml")[0]
    assert session.step == said["step"]
    assert session.named("main").stops[0].step == int(match[1]) - 1


@pytest.mark.usefixtures("small")
def test_a_session_that_cannot_be_saved_is_said_and_fails(workbench: Command, tmp_path: Path):
    (line,) = errors_of(workbench("train", "small.toml", "--json", "--steps", 1, "--save", "small.toml/s.toml"), 1)
    assert re.fullmatch(r"\S+/small\.toml/s\.\S+: not saved: .+", line)
    assert (tmp_path / "small.toml").read_text() == SMALL
    (line,) = errors_of(workbench("train", "small.toml", "--json", "--steps", 1, "--save", "."))
    assert "'--save'" in line


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("save", [(), ("--save", "s.toml")], ids=["not saved", "saved"])
def test_interrupted_it_ends_between_two_steps_and_saves(tmp_path: Path, number: int, status: int, save: tuple[str, ...]):
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "workbench", "train", "small.toml", "--epochs", "1000000", "--edit", "20:l2=0.1", *save],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert process.stdout is not None
    assert "l2: 0.0 → 0.1" in process.stdout.readline()
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == status
    match = re.fullmatch(r"workbench: interrupted after step ([\d,]+)(; saved s\.toml)?\n", errors)
    assert match
    assert bool(match[2]) == bool(save)
    if save:
        session, _, _ = load_session(tmp_path / "s.toml")
        assert session.step == int(match[1].replace(",", ""))
        assert all(each.identical for each in replay(session))


# Bad input ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Command:
    """The command in this process, with all that stands between it and the exit status."""

    def call(*arguments: str) -> Done:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["workbench", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return Done(arguments, int(ended.value.code or 0), *capfd.readouterr())

    return call


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


# Sessions ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a preset, and a session saved after 12 steps in its folder `runs`."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "small.toml").write_text(SMALL)
    arguments = ("train", "small.toml", "--steps", "12", "--edit", "5:learning_rate=0.02", "--save", "runs/mine.toml")
    subprocess.run([sys.executable, "-P", "-m", "workbench", *arguments], cwd=folder, check=True, capture_output=True, timeout=60)
    return folder


@pytest.fixture
def saved(trained: Path, tmp_path: Path) -> Path:
    """A copy of the session, to be tampered with."""
    return Path(shutil.copytree(trained / "runs", tmp_path / "runs")) / "mine.toml"


@pytest.mark.usefixtures("saved")
def test_sessions_are_found_by_name_in_the_folder_that_the_environment_says(workbench: Command, tmp_path: Path):
    done = workbench("sessions", WORKBENCH_SESSIONS="runs")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"mine +A small one  step 12  1 edits  dev error [\d.]+%\n", done.stdout)
    assert json_of(workbench("replay", "mine", "--json", WORKBENCH_SESSIONS=str(tmp_path / "runs")))["identical"]
    assert json_of(workbench("replay", "mine", "--json", "--sessions", "runs", WORKBENCH_SESSIONS="nowhere"))["identical"]
    (line,) = errors_of(workbench("replay", "mine", "--json"))
    assert line.startswith("mine: no such preset or session")


def test_a_session_that_cannot_be_read_does_not_hide_the_others(workbench: Command, saved: Path):
    (saved.parent / "broken.toml").write_text("format = 2\nseed = \x1b[31m")
    done = workbench("sessions", "--sessions", "runs")
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["broken", "mine"]
    assert "cannot be read" in done.stdout
    assert "\x1b" not in done.stdout


@pytest.mark.usefixtures("saved")
def test_a_replay_says_through_which_step_it_is_identical(workbench: Command):
    said = json_of(workbench("replay", "runs/mine.toml", "--json"))
    branches = {"main": {"identical": True, "through_step": 12}}
    assert said == {"identical": True, "through_step": 12, "first_difference": None, "branches": branches}
    done = workbench("replay", "runs/mine.toml")
    assert (done.returncode, done.stdout, done.stderr) == (0, "bit-identical through step 12\n", "")


def test_a_replay_that_differs_fails_and_says_where(workbench: Command, saved: Path):
    saved.write_text(saved.read_text().replace("new = 0.02", "new = 0.03"))
    said = json_of(workbench("replay", "runs/mine.toml", "--json"), 1)
    branches = {"main": {"identical": False, "through_step": 5}}
    assert said == {"identical": False, "through_step": 5, "first_difference": 6, "branches": branches}
    done = workbench("replay", "runs/mine.toml")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("differs at step 6: ")


@pytest.mark.usefixtures("saved", "small")
def test_a_preset_is_no_session_and_a_session_no_preset(workbench: Command):
    (line,) = errors_of(workbench("replay", "small.toml", "--json"))
    assert line == "small.toml: a preset, not a saved session: there is nothing to compare with"
    for option in (("--set", "l2=0.1"), ("--seed", "3")):
        (line,) = errors_of(workbench("train", "runs/mine.toml", *option))
        assert line.startswith(f"{option[0]}: small is a saved session")
    (line,) = errors_of(workbench("train", "runs/mine.toml", "--edit", "11:l2=0.1"))
    assert line == "--edit 11:l2: the session has done 12 steps already"


def test_a_session_without_its_checkpoint_is_said_in_one_line(workbench: Command, saved: Path):
    (checkpoint,) = saved.parent.glob("*.safetensors")
    data = bytearray(checkpoint.read_bytes())
    data[-1] ^= 1
    checkpoint.write_bytes(data)
    (line,) = errors_of(workbench("train", "runs/mine.toml", "--steps", 20))
    assert line.endswith("damaged: its checksum does not match; --rebuild trains it again from its seed and edits")
    checkpoint.unlink()
    (line,) = errors_of(workbench("train", "runs/mine.toml", "--steps", 20))
    assert line.endswith("no such file; --rebuild trains it again from its seed and edits")
    assert json_of(workbench("replay", "runs/mine.toml", "--json"))["identical"]


def test_a_session_without_its_checkpoint_is_rebuilt_if_that_is_asked_for(workbench: Command, saved: Path, trained: Path):
    whole = json_of(workbench("train", str(trained / "runs" / "mine.toml"), "--steps", 20, "--json"))
    (checkpoint,) = saved.parent.glob("*.safetensors")
    checkpoint.unlink()
    said = json_of(workbench("train", "runs/mine.toml", "--steps", 20, "--rebuild", "--json", "--save", "runs/mine.toml"))
    assert (said["step"], said["state_hash"]) == (20, whole["state_hash"])
    assert json_of(workbench("replay", "runs/mine.toml", "--json"))["identical"]
    assert json_of(workbench("train", "runs/mine.toml", "--steps", 20, "--json"))["state_hash"] == whole["state_hash"]


# Gradients ---------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("small")
def test_gradcheck_has_a_figure_for_every_tensor(workbench: Command):
    said = json_of(workbench("gradcheck", "small.toml", "--json"))
    assert list(said) == ["largest", "tensors"]
    assert list(said["tensors"]) == ["W1", "W2", "W3", "gamma1", "beta1", "gamma2", "beta2", "b3"]
    assert 0 < said["largest"] == max(said["tensors"].values()) < 1e-6


def test_gradients_that_are_not_finite_are_wrong(workbench: Command, tmp_path: Path):
    layers = ", ".join(["2"] * 120)
    text = f"[network]\nhidden = [{layers}]\nactivation = 'linear'\ninitializer_scale = 1000.0\n"
    (tmp_path / "p.toml").write_text(text)
    done = workbench("gradcheck", "p.toml", "--json")
    said = json_of(done, 1)
    assert said["largest"] is None
    assert None in said["tensors"].values()
    assert done.stderr == ""


def test_gradcheck_refuses_what_training_would(workbench: Command, tmp_path: Path):
    (tmp_path / "p.toml").write_text("[data]\nsource = 'moons'\nexamples = 3\ndev_fraction = 0.3\ntest_fraction = 0.3\n"
                                     "[network]\nbatch_norm = true\n")  # fmt: skip
    for command in ("gradcheck", "train"):
        (line,) = errors_of(workbench(command, "p.toml", "--json"))
        assert line == "p: data.examples: only 1 to train on: expected at least 2 with batch norm, because one has no variance"


# The command itself ------------------------------------------------------------------------------------------------


def test_presets_are_listed_one_a_line(workbench: Command):
    done = workbench("presets")
    assert (done.returncode, done.stderr) == (0, "")
    assert "digits" in [line.split()[0] for line in done.stdout.splitlines()]


def test_the_file_of_keys_that_is_printed_names_every_binding_and_changes_nothing(workbench: Command, tmp_path: Path):
    done = workbench("keys", WORKBENCH_CONFIG=str(tmp_path / "config"))
    assert (done.returncode, done.stderr) == (0, "")
    assert str(tmp_path / "config" / "keys.toml") in done.stdout.splitlines()[0]
    assert tomli.loads(done.stdout).get("keys", {}) == {}
    for name in ("training.pause", "travel.undo", "view.zoom", "chart.in", "norm.sort", "model.next"):
        assert f'"{name}"' in done.stdout


@pytest.mark.parametrize("command", ["presets", "hyperparameters", "keys"])
def test_it_is_quiet_when_nobody_reads_on(command: str):
    """`workbench presets | head -1`, with a reader that is gone for sure."""
    reading, writing = os.pipe()
    os.close(reading)
    arguments = [sys.executable, "-P", "-m", "workbench", command]
    done = subprocess.run(arguments, stdout=writing, stderr=subprocess.PIPE, timeout=60, check=False)
    os.close(writing)
    assert done.stderr == b""


def test_the_app_needs_a_terminal(workbench: Command):
    for arguments in ((), ("digits",)):
        assert errors_of(workbench(*arguments)) == ["the app needs a terminal; `workbench train` runs without one"]
    (line,) = errors_of(workbench("digist"))
    assert line.startswith("digist: no such preset or session; did you mean digits?")


def test_it_says_its_version_and_how_it_is_used(workbench: Command):
    assert re.fullmatch(r"workbench, version \d+\.\d+\.\d+\S*\n", workbench("--version").stdout)
    for arguments in (("--help",), ("train", "-h")):
        done = workbench(*arguments)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("Usage: workbench")


def test_training_without_a_screen_loads_nothing_of_the_screen(small: Path):
    code = """
import sys
from workbench.__main__ import main
sys.argv[1:] = ["train", "small.toml", "--steps", "3", "--json"]
try:
    main()
finally:
    loaded = {name.partition(".")[0] for name in sys.modules}
    print(*sorted(loaded & {"textual", "plotext", "textual_plotext", "rich", "asyncio"}), file=sys.stderr)
"""
    arguments = [sys.executable, "-P", "-c", code]
    done = subprocess.run(arguments, cwd=small.parent, capture_output=True, text=True, timeout=60, check=False)
    assert json_of(done)["step"] == 3
    assert done.stderr == "\n"
