"""What a client tells the engine, in the imperative.

Each request says whether it changes the run (`changes_run`): trains it, edits it, or writes down something about it. To look
at it, to go elsewhere in it and to take something out of it changes nothing that was done.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from workbench.engine.commands import SetHyperparameter


@dataclass(frozen=True, slots=True)
class Begin:
    """Train this session. The first message to an engine.

    No path of the client's side is believed to be one of the engine's: `path` and `autosave` are those of the ENGINE's side.

    Attributes:
        session: the session in its TOML form.
        path: the file that it is in, beside which its checkpoints lie; empty for one that has no file there.
        autosave: the file it is saved in by itself: at every edit, every so often, and when the client is gone; empty for none.
            Where a new session finds this name taken, it takes the next that is free.
        paused: whether to wait for `Resume` before the first step.
        rebuild: whether to train it again from its seed and edits, whatever its checkpoint.
        autosave_seconds: how often.
        snapshot_bytes: memory for copies of the state to go back to.
        checkpoint: the content of the checkpoint of the current branch, of a session that has no file; empty for none. It may
            be of an earlier step: the rest of the way is trained again.
    """

    changes_run: ClassVar[bool] = False
    session: str
    path: str
    autosave: str
    paused: bool
    rebuild: bool = False
    autosave_seconds: float = 10.0
    snapshot_bytes: int = 256 * 2**20
    checkpoint: bytes = b""


@dataclass(frozen=True, slots=True)
class Pause:
    """Stop between two steps, and wait."""

    changes_run: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class Resume:
    """Go on."""

    changes_run: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class TakeStep:
    """Take one step and wait."""

    changes_run: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Save:
    """Save the session, between two steps, in a file of the engine's side."""

    changes_run: ClassVar[bool] = False
    path: str


@dataclass(frozen=True, slots=True)
class Quit:
    """End, without saving."""

    changes_run: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class RunTo:
    """Train until `step` steps are done in all, then wait."""

    changes_run: ClassVar[bool] = True
    step: int


@dataclass(frozen=True, slots=True)
class Repeat:
    """From here on, take the mini-batches and dropout masks of repeat `number`, from 1: what another order would have brought.

    That is no run of the session any more: it cannot be saved, and an engine that saves its run does not do it.
    """

    changes_run: ClassVar[bool] = True
    number: int


@dataclass(frozen=True, slots=True)
class Undo:
    """Take the last edit back: its value from now on, or with `model` the model too, to just before the edit."""

    changes_run: ClassVar[bool] = True
    model: bool


@dataclass(frozen=True, slots=True)
class Redo:
    """Take the last undo back."""

    changes_run: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class GoTo:
    """To where the current branch had done `step` steps, before the edits made there.

    As long as nothing was done since it was gone back on another branch, that one counts.
    """

    changes_run: ClassVar[bool] = False
    step: int


@dataclass(frozen=True, slots=True)
class GoToBest:
    """Back to where the dev cost was least."""

    changes_run: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class GoOn:
    """Go on from where the run stopped by itself, whatever the guard says of the next step."""

    changes_run: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Adopt:
    """Go to where the current branch had done `step` steps and taken `edits` of its edits, and make these changes there."""

    changes_run: ClassVar[bool] = True
    step: int
    edits: int
    changes: tuple[SetHyperparameter, ...]


@dataclass(frozen=True, slots=True)
class Switch:
    """To the tip of another branch."""

    changes_run: ClassVar[bool] = False
    branch: str


@dataclass(frozen=True, slots=True)
class Rename:
    """Give a branch another name."""

    changes_run: ClassVar[bool] = True
    branch: str
    name: str


@dataclass(frozen=True, slots=True)
class Describe:
    """Write something about a branch."""

    changes_run: ClassVar[bool] = True
    branch: str
    note: str


@dataclass(frozen=True, slots=True)
class Delete:
    """Forget a branch."""

    changes_run: ClassVar[bool] = True
    branch: str


@dataclass(frozen=True, slots=True)
class Annotate:
    """A note on a step, or on edit number `edit` (from 1) of the current branch; an empty text takes it away."""

    changes_run: ClassVar[bool] = True
    step: int
    text: str
    edit: int = 0


@dataclass(frozen=True, slots=True)
class Export:
    """Give the run as it was after `step` steps, before the edits made there, as a session of its own: `Exported`.

    A step below 0 is the place where the run stands. `number` is the client's own, and comes back with the answer.
    """

    changes_run: ClassVar[bool] = False
    number: int
    step: int


@dataclass(frozen=True, slots=True)
class MakePreset:
    """Give a preset whose plan does by itself what the edits of these hyperparameters did, up to here: `PresetMade`.

    Without `names` it is those of all. `number` is the client's own, and comes back with the answer.
    """

    changes_run: ClassVar[bool] = False
    number: int
    name: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FindRate:
    """From here, let α rise exponentially from `low` to `high` over `steps` steps, and report each. The run stays where it is."""

    changes_run: ClassVar[bool] = False
    low: float
    high: float
    steps: int


BATCHNORM, MODEL = "batchnorm", "model"


@dataclass(frozen=True, slots=True)
class Inspect:
    """Measure what is too dear to be told of by itself: `BATCHNORM`, `MODEL`. The run stays as it is."""

    changes_run: ClassVar[bool] = False
    at: tuple[str, ...]


Request = (
    Begin
    | Pause
    | Resume
    | TakeStep
    | RunTo
    | Repeat
    | Undo
    | Redo
    | GoTo
    | GoToBest
    | GoOn
    | Adopt
    | Switch
    | Rename
    | Describe
    | Delete
    | Annotate
    | Export
    | MakePreset
    | FindRate
    | Inspect
    | Save
    | Quit
    | SetHyperparameter
)
