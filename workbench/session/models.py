"""The trained network of a saved session, without its data and without training."""

from __future__ import annotations

import os
from pathlib import Path

from workbench.files.errors import CheckpointError
from workbench.model.blueprint import NoModel
from workbench.model.trained import TrainedModel
from workbench.session.branch import Place
from workbench.session.store import load_session


def load_model(path: str | os.PathLike[str]) -> TrainedModel:
    """The network at the tip of a session's current branch. Raises `InputError` and `CheckpointError`."""
    session, tensors, facts = load_session(path)
    checkpoint, tip = Path(os.path.realpath(path)).with_name(session.branch.checkpoint or ""), session.branch.tip
    try:
        model, place = TrainedModel.from_checkpoint(tensors, facts), Place(int(facts["step"]), int(facts["edits"]))
    except (NoModel, KeyError, ValueError) as error:
        raise CheckpointError(checkpoint, str(error)) from None
    if place != tip:
        what = f"of step {place.step:,}, and the session of step {tip.step:,}: open the session and save it once"
        raise CheckpointError(checkpoint, what)
    return model
