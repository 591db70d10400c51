"""`workbench gradcheck`: a figure for each tensor, and a status."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.commands.printed import Command, errors_of, json_of


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
