"""A run on disk: its session, a checkpoint for each branch, and what of it all is new since it was last written or read.

A checkpoint holds the state that training goes on from, the curves, and what the trained network needs to be one without its
data. Those of earlier workbenches have no trained network; they are written anew when the run is saved.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workbench.engine.history import PREFIX as HISTORY
from workbench.engine.history import History
from workbench.engine.state import Snapshot, SnapshotMismatch
from workbench.engine.trainer import Trainer
from workbench.files.errors import CheckpointError
from workbench.hyperparameters import Hyperparameters
from workbench.model.blueprint import FACT, Blueprint
from workbench.model.trained import PREFIX as PREPROCESSING
from workbench.model.trained import beside_the_state
from workbench.run.snapshots import Kind
from workbench.run.tree import Tree
from workbench.session.branch import Branch, Place, Result
from workbench.session.checkpoint import Facts, Tensors, checkpoint_bytes, parse_checkpoint
from workbench.session.origin import difference, digest, origin
from workbench.session.session import Session
from workbench.session.store import TRAINED_FROM, load_branch, save
from workbench.session.timeline import cut, hyperparameters_at, is_place, past

GIVEN = "the checkpoint that came with the session"


class Saving:
    """Where a run is saved, and what is there of it."""

    def __init__(self, tree: Tree, trainer: Trainer, path: Path | None) -> None:
        """`path` is the file that the tree's session was read from; None for a new one."""
        self._tree, self._trainer, self._path = tree, trainer, path
        self._saved: Session | None = None
        self._outdated: set[str] = set()
        """Names of checkpoints that an earlier workbench wrote."""

    # -- reading back -------------------------------------------------------------------------------------------------

    def read_back(self) -> None:
        """Take in the branches' checkpoints. One that is behind its branch is not its checkpoint any more.

        Only the current branch must have a good one; others can be trained again. Raises `CheckpointError`. The trainer is
        left anywhere.
        """
        tree = self._tree
        tree.written = dataclasses.replace(tree.written, branches=tuple(map(self._read_branch, tree.written.branches)))
        self._saved = _content(tree.written) if tree.written.branch.checkpoint is not None else None

    def do_without(self) -> None:
        """Whatever checkpoints there are, all is to be trained again."""
        session = self._tree.written
        branches = tuple(each.without_checkpoint() for each in session.branches)
        self._tree.written = dataclasses.replace(session, branches=branches)

    def _read_branch(self, branch: Branch) -> Branch:
        if branch.checkpoint is None or self._path is None:
            return branch.without_checkpoint()
        try:
            tensors, facts = load_branch(self._tree.written, branch.name, self._path)
            place = self._remember(branch, tensors, facts, self._path.with_name(branch.checkpoint))
            if branch.trained_from not in (None, digest(self._origin(branch, place))):
                where = f"branch {branch.name}: trained_from"
                raise CheckpointError(self._path, f"{where}: not the digest of this preset, seed and timeline")
        except CheckpointError:
            if branch.name == self._tree.written.current:
                raise
            place = None
        return branch if place == branch.tip else branch.without_checkpoint()

    def take_in(self, checkpoint: bytes) -> None:
        """Keep what came with the session as the checkpoint of its current branch. Raises `CheckpointError`."""
        self._remember(self._tree.written.branch, *parse_checkpoint(checkpoint, GIVEN), GIVEN)

    def _remember(self, branch: Branch, tensors: Tensors, facts: Facts, where: str | Path) -> Place:
        """Keep the state and the curves of a branch's checkpoint; the place that it is of. Raises `CheckpointError`."""
        snapshot, state = _snapshot_in(tensors, facts), self._trainer.state
        try:
            self._trainer.restore(snapshot, self._trainer.hyperparameters)
            place = Place(state.step, int(facts["edits"]))
            if not is_place(branch, place):
                raise ValueError(f"of step {place.step:,}, and the session of step {branch.step:,}")
            if TRAINED_FROM in facts and (changed := difference(facts[TRAINED_FROM], self._origin(branch, place))):
                raise ValueError(f"when it was trained, {changed}")
            self._tree.take_history(branch.name, History.from_tensors(tensors))
        except (SnapshotMismatch, ValueError, KeyError) as error:
            raise CheckpointError(where, f"not of this session: {error}") from None
        self._tree.snapshots.add(past(branch, place), Kind.TIP, snapshot)
        if branch.checkpoint is not None and FACT not in facts:
            self._outdated.add(branch.checkpoint)
        return place

    # -- writing ------------------------------------------------------------------------------------------------------

    @property
    def unsaved(self) -> bool:
        """Whether there is anything that the last save has not."""
        return _content(self._tree.session) != self._saved

    def save(self, path: Path, result: Result | None) -> Session:
        """Write session and checkpoints. Raises `SaveError`; what was there before is still there then.

        `result` are the scores now; without them the scores are those of the last evaluation.
        """
        self._tree.write_down(result)
        session = self._tree.written
        states, branches = {}, []
        for each in session.branches:
            if each.name == session.current:
                states[each.name] = self._whole_of(each, self._trainer.state.snapshot())
            elif not self._is_at(path, each):
                snapshot = self._tree.snapshots.exactly(each, each.tip) or self._from_disk(each)
                if snapshot is None:
                    each = each.without_checkpoint()  # it can be trained again
                else:
                    states[each.name] = self._whole_of(each, snapshot)
            branches.append(each)
        session = save(dataclasses.replace(session, branches=tuple(branches)), states, path)
        self._path = path
        self._tree.take_over(session)
        self._saved = _content(session)
        return session

    def _is_at(self, path: Path, branch: Branch) -> bool:
        """Whether the branch's checkpoint lies beside `path` already, as it would be written now."""
        if self._path is None or branch.checkpoint is None or os.path.realpath(self._path) != os.path.realpath(path):
            return False
        if branch.checkpoint in self._outdated:
            return False
        return Path(os.path.realpath(path)).with_name(branch.checkpoint).is_file()

    def _whole_of(self, branch: Branch, snapshot: Snapshot) -> tuple[Tensors, Facts]:
        """What the checkpoint of a branch holds: the state at its tip, the network, and the curves."""
        tensors, facts = self._contents(branch, branch.tip, snapshot)
        return {**tensors, **self._tree.history_of(branch.name).tensors()}, facts

    def _contents(self, branch: Branch, place: Place, snapshot: Snapshot) -> tuple[Tensors, Facts]:
        """What a checkpoint holds of a place on a branch: the state, and what makes it a trained network."""
        h = hyperparameters_at(self._tree.written.preset, branch, place)
        tensors, facts = beside_the_state(blueprint_of(self._trainer, h), self._trainer.splits.preprocessing)
        return {**snapshot.tensors, **tensors}, {
            **snapshot.facts,
            **facts,
            "edits": str(place.edits),
            TRAINED_FROM: self._origin(branch, place),
        }

    def _origin(self, branch: Branch, place: Place) -> str:
        session = self._tree.written
        return origin(session.preset, session.seed, past(branch, place))

    def _from_disk(self, branch: Branch) -> Snapshot | None:
        """The tip of a branch whose copy had to go, from where it was saved last."""
        if self._path is None or branch.checkpoint is None:
            return None
        try:
            return _snapshot_in(*load_branch(self._tree.written, branch.name, self._path))
        except CheckpointError:
            return None

    def export(self, place: Place) -> tuple[Session, bytes]:
        """The run as it was at a place on the current branch, as a session of its own with one branch, and its checkpoint.

        The checkpoint may be of an earlier step; whoever begins with it trains the rest of the way. Raises `SaveError`.
        """
        branch = cut(self._tree.timeline, place)
        kept = self._tree.snapshots.nearest(branch, place)
        assert kept is not None  # the start is
        if place == self._tree.place:
            known, snapshot = past(branch, place), self._trainer.state.snapshot()
        else:
            known, snapshot = kept.past, kept.snapshot
        contents = self._contents(branch, Place(known.step, len(known.edits)), snapshot)
        alone = dataclasses.replace(branch, parent=None, fork=0)
        session = dataclasses.replace(self._tree.written, branches=(alone,), current=alone.name)
        return session, checkpoint_bytes(*contents)


def _content(session: Session) -> Session:
    """What of a session cannot be had again by training."""
    branches = (
        dataclasses.replace(each, marks=(), best=None, result=None, checkpoint=None, trained_from=None)
        for each in session.branches
    )
    return dataclasses.replace(session, branches=tuple(branches))


def _snapshot_in(tensors: Mapping[str, Any], facts: Mapping[str, str]) -> Snapshot:
    """The state among what a checkpoint holds."""
    state = {name: each for name, each in tensors.items() if not name.startswith((HISTORY, PREPROCESSING))}
    return Snapshot(state, {name: each for name, each in facts.items() if name not in (FACT, TRAINED_FROM)})


def blueprint_of(trainer: Trainer, h: Hyperparameters) -> Blueprint:
    """What the trainer's network is under these hyperparameters, beside its figures."""
    splits, architecture = trainer.splits, trainer.architecture
    return Blueprint(
        sizes=trainer.state.network.sizes,
        activation=architecture.activation,
        batch_norm=architecture.batch_norm,
        batchnorm_epsilon=h.batchnorm_epsilon,
        task=splits.task,
        class_names=splits.class_names,
        feature_names=splits.feature_names,
        image_shape=splits.image_shape,
    )
