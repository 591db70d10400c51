"""What the app tells the engine process, in the imperative."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.engine.commands import SetHyperparameter


@dataclass(frozen=True, slots=True)
class Begin:
    """Train this session. The first message to an engine.

    Attributes:
        session: the session in its TOML form.
        path: the file that it was read from, beside which its checkpoint lies; empty for a new one.
        autosave: the file it is saved in by itself: at every edit, every so often, and when the app dies; empty for none.
            Where a new session finds this name taken, it takes the next that is free.
        paused: whether to wait for `Resume` before the first step.
        rebuild: whether to train it again from its seed and edits, whatever its checkpoint.
        autosave_seconds: how often.
        snapshot_bytes: memory for copies of the state to go back to.
    """

    session: str
    path: str
    autosave: str
    paused: bool
    rebuild: bool = False
    autosave_seconds: float = 10.0
    snapshot_bytes: int = 256 * 2**20


@dataclass(frozen=True, slots=True)
class Pause:
    """Stop between two steps, and wait."""


@dataclass(frozen=True, slots=True)
class Resume:
    """Go on."""


@dataclass(frozen=True, slots=True)
class TakeStep:
    """Take one step and wait."""


@dataclass(frozen=True, slots=True)
class Save:
    """Save the session, between two steps."""

    path: str


@dataclass(frozen=True, slots=True)
class Quit:
    """End, without saving."""


@dataclass(frozen=True, slots=True)
class RunTo:
    """Train until `step` steps are done in all, then wait."""

    step: int


@dataclass(frozen=True, slots=True)
class Undo:
    """Take the last edit back: its value from now on, or with `model` the model too, to just before the edit."""

    model: bool


@dataclass(frozen=True, slots=True)
class Redo:
    """Take the last undo back."""


@dataclass(frozen=True, slots=True)
class GoTo:
    """To where the current branch had done `step` steps, before the edits made there.

    As long as nothing was done since it was gone back on another branch, that one counts.
    """

    step: int


@dataclass(frozen=True, slots=True)
class GoToBest:
    """Back to where the dev cost was least."""


@dataclass(frozen=True, slots=True)
class GoOn:
    """Go on from where the run stopped by itself, whatever the guard says of the next step."""


@dataclass(frozen=True, slots=True)
class Adopt:
    """Go to where the current branch had done `step` steps and taken `edits` of its edits, and make these changes there."""

    step: int
    edits: int
    changes: tuple[SetHyperparameter, ...]


@dataclass(frozen=True, slots=True)
class Switch:
    """To the tip of another branch."""

    branch: str


@dataclass(frozen=True, slots=True)
class Rename:
    """Give a branch another name."""

    branch: str
    name: str


@dataclass(frozen=True, slots=True)
class Describe:
    """Write something about a branch."""

    branch: str
    note: str


@dataclass(frozen=True, slots=True)
class Delete:
    """Forget a branch."""

    branch: str


@dataclass(frozen=True, slots=True)
class Annotate:
    """A note on a step, or on edit number `edit` (from 1) of the current branch; an empty text takes it away."""

    step: int
    text: str
    edit: int = 0


@dataclass(frozen=True, slots=True)
class Export:
    """Write the run as it was after `step` steps, before the edits made there, as a session of its own.

    A step below 0 is the place where the run stands.
    """

    path: str
    step: int


@dataclass(frozen=True, slots=True)
class WritePreset:
    """Write a preset whose plan does by itself what the edits of these hyperparameters did, up to here."""

    path: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FindRate:
    """From here, let α rise exponentially from `low` to `high` over `steps` steps, and report each. The run stays where it is."""

    low: float
    high: float
    steps: int


BATCHNORM, MODEL = "batchnorm", "model"


@dataclass(frozen=True, slots=True)
class Inspect:
    """Measure what is too dear to be told of by itself: `BATCHNORM`, `MODEL`. The run stays as it is."""

    at: tuple[str, ...]


Request = (
    Begin
    | Pause
    | Resume
    | TakeStep
    | RunTo
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
    | WritePreset
    | FindRate
    | Inspect
    | Save
    | Quit
    | SetHyperparameter
)
