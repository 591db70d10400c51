"""`workbench gradcheck`: a figure for each tensor, and a status."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.commands.printed import Command, errors_of, json_of

TENSORS = ["W1", "W2", "W3", "gamma1", "beta1", "gamma2", "beta2", "b3"]


@pytest.mark.usefixtures("small")
def test_gradcheck_has_a_figure_for_every_tensor_and_says_who_judges(workbench: Command):
    said = json_of(workbench("gradcheck", "small.toml", "--json"))
    assert list(said["tensors"]) == list(said["two_sided"]) == list(said["rounding"]) == TENSORS
    assert 0 < said["largest"] == max(said["tensors"].values()) < 1e-12
    assert max(said["two_sided"].values()) < 1e-6
    assert said["judge"] == "complex step"
    assert said["right"] is True
    assert said["elements"] == said["parameters"] > 0
    assert said["directions"] is None


@pytest.mark.usefixtures("small")
def test_gradcheck_says_in_words_what_was_judged_and_how(workbench: Command):
    done = workbench("gradcheck", "small.toml")
    assert done.returncode == 0
    first, *rows, largest, judged, beside = done.stdout.splitlines()
    assert first.split() == ["complex", "step", "two-sided"]
    assert [row.split()[0] for row in rows] == TENSORS
    assert all(row.split()[2] == "fine" for row in rows)
    assert largest.startswith("largest    ")
    parameters = json_of(workbench("gradcheck", "small.toml", "--json"))["parameters"]
    expected = f"Judged by the complex step at all {parameters:,} parameters: fine up to 1e-12 of a tensor's largest element."
    assert judged == expected
    assert beside.startswith("The two-sided differences, at up to 200 elements of a tensor, ")


def test_of_a_large_network_it_says_how_many_elements_and_directions(workbench: Command, tmp_path: Path):
    (tmp_path / "p.toml").write_text("[data]\nsource = 'moons'\n[network]\nhidden = [150, 150]\n")
    said = json_of(workbench("gradcheck", "p.toml", "--json"))
    assert said["right"] is True
    assert said["parameters"] == 2 * 150 + 150 + 150 * 150 + 150 + 150 + 1
    assert said["elements"] == 200 + 150 + 200 + 150 + 150 + 1
    assert said["directions"]["number"] == 20
    assert 0 < said["directions"]["largest"] < 1e-12
    lines = workbench("gradcheck", "p.toml").stdout.splitlines()
    assert any(line.split()[0] == "directions" and line.split()[2] == "fine" for line in lines)
    assert "at 851 of 23,251 parameters and in 20 directions over all: " in lines[-2]


def test_weights_out_of_scale_are_no_wrong_gradient(workbench: Command, tmp_path: Path):
    for scale in (1e-9, 2.55, 1000.0):
        text = f"[network]\nhidden = [8, 8, 8]\nactivation = 'tanh'\ninitializer_scale = {scale}\n"
        (tmp_path / "p.toml").write_text(text)
        assert "WRONG" not in workbench("gradcheck", "p.toml").stdout
        assert json_of(workbench("gradcheck", "p.toml", "--json"))["right"] is True


def test_gradients_that_are_not_finite_are_not_right(workbench: Command, tmp_path: Path):
    layers = ", ".join(["2"] * 120)
    text = f"[network]\nhidden = [{layers}]\nactivation = 'linear'\ninitializer_scale = 1000.0\n"
    (tmp_path / "p.toml").write_text(text)
    done = workbench("gradcheck", "p.toml", "--json")
    said = json_of(done, 1)
    assert said["right"] is False
    assert said["largest"] is None
    assert None in said["tensors"].values()
    assert done.stderr == ""
    done = workbench("gradcheck", "p.toml")
    assert done.returncode == 1
    assert "not finite" in done.stdout


def test_gradcheck_refuses_what_training_would(workbench: Command, tmp_path: Path):
    (tmp_path / "p.toml").write_text("[data]\nsource = 'moons'\nexamples = 3\ndev_fraction = 0.3\ntest_fraction = 0.3\n"
                                     "[network]\nbatch_norm = true\n")  # fmt: skip
    for command in ("gradcheck", "train"):
        (line,) = errors_of(workbench(command, "p.toml", "--json"))
        assert line == "p: data.examples: only 1 to train on: expected at least 2 with batch norm, because one has no variance"
