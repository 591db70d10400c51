"""The gradient check: right where backpropagation is, wrong where it is not, and it says where."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from workbench.data.dataset import DataError
from workbench.data.splits import prepare
from workbench.engine.gradcheck import FINE, GradientCheck, check_gradients
from workbench.nn.layers import Dense
from workbench.session.preset import Preset

MakePreset = Callable[..., Preset]


def checked(preset: Preset) -> GradientCheck:
    return check_gradients(prepare(preset.data, 1), preset.network, preset.training, 1)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"classes": 2, "activation": "tanh", "label_smoothing": 0.1},
        {"source": "regression", "l2": 0.1, "l1": 0.01},
        {"batch_norm": True, "keep_prob": 0.5, "activation": "gelu"},
    ],
)
def test_every_tensor_has_a_figure_and_backpropagation_is_right(make_preset: MakePreset, changes: dict[str, object]):
    found = checked(make_preset(**changes))
    shifts = ["gamma1", "beta1", "gamma2", "beta2"] if "batch_norm" in changes else ["b1", "b2"]
    assert [each.name for each in found.tensors] == ["W1", "W2", "W3", *shifts, "b3"]
    assert found.largest <= FINE


def test_a_wrong_gradient_is_found_and_its_worst_element_named(make_preset: MakePreset, monkeypatch: pytest.MonkeyPatch):
    right = Dense.accumulate

    def wrong(self: Dense, dZ: np.ndarray) -> None:
        right(self, dZ)
        self.dW[0, 1] += 0.5

    monkeypatch.setattr(Dense, "accumulate", wrong)
    found = checked(make_preset())
    assert found.largest > FINE
    assert all("worst at [0, 1]" in each.worst for each in found.tensors if each.name.startswith("W"))
    assert all(each.difference <= FINE for each in found.tensors if each.name.startswith("b"))


def test_data_that_cannot_be_trained_on_is_the_callers_to_tell(make_preset: MakePreset):
    preset = make_preset(batch_norm=True, examples=3, dev_fraction=0.4, test_fraction=0.4)
    with pytest.raises(DataError, match=r"data\.examples: only 1"):
        checked(preset)
