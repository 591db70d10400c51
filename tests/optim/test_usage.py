from __future__ import annotations

from typing import Any

import pytest

from workbench.hyperparameters import TABLE, Hyperparameters
from workbench.optim.usage import unused_because


@pytest.mark.parametrize(
    ("name", "settings", "reason"),
    [
        ("beta1", {"optimizer": "gradient_descent"}, "not used by gradient_descent"),
        ("beta2", {"optimizer": "momentum"}, "not used by momentum"),
        ("weight_decay", {"optimizer": "adam"}, "not used by adam"),
        ("epsilon", {"optimizer": "nesterov"}, "not used by nesterov"),
        ("decay_rate", {"schedule": "constant"}, "not used by the constant schedule"),
        ("decay_factor", {"schedule": "cosine"}, "not used by the cosine schedule"),
        ("batchnorm_beta", {}, "the network has no batch norm"),
        ("batchnorm_epsilon", {}, "the network has no batch norm"),
        ("weight_decay", {"optimizer": "adamw"}, None),
        ("beta1", {"optimizer": "nesterov"}, None),
        ("decay_factor", {"schedule": "staircase"}, None),
        ("learning_rate", {"optimizer": "adagrad", "schedule": "cosine"}, None),
        ("keep_prob", {}, None),
        ("l2", {"optimizer": "adamw"}, None),
    ],
)
def test_edit_without_effect_is_explained(name: str, settings: dict[str, Any], reason: str | None) -> None:
    assert unused_because(name, Hyperparameters(**settings), batch_norm=False) == reason


def test_batch_norm_settings_are_used_by_batch_norm() -> None:
    for name in ("batchnorm_beta", "batchnorm_epsilon"):
        assert unused_because(name, Hyperparameters(), batch_norm=True) is None


def test_every_training_setting_has_an_effect_somewhere() -> None:
    combinations = [
        Hyperparameters(optimizer=optimizer, schedule=schedule)
        for optimizer in TABLE["optimizer"].choices
        for schedule in TABLE["schedule"].choices
    ]
    for row in TABLE.values():
        if row.section == "training":
            assert any(unused_because(row.name, h, batch_norm=True) is None for h in combinations), row.name
