"""The options of `workbench train` as values: the session, its run, and the edits it is given on the way.

What cannot be is refused here, before anything is trained, in a line that names the option.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from workbench.engine.commands import SetHyperparameter
from workbench.engine.trainer import Trainer
from workbench.files.errors import CheckpointError, InputError, suggestion
from workbench.hyperparameters import find
from workbench.run.navigation import Progress
from workbench.run.run import CannotFollow, Run
from workbench.session.opening import Opened
from workbench.session.preset import Preset
from workbench.session.session import Session
from workbench.spec import Applies, InvalidValue, UnknownName, Value

TimedEdit = tuple[int, str, Value]
"""The steps that are done before it, the hyperparameter and its new value."""


def session_from(content: Preset | Session, seed: int | None, settings: Sequence[str], branch: str | None = None) -> Session:
    """The session to train: a saved one, on one of its branches, or a new one from a preset with `--set` and `--seed`.

    Raises `InputError`.
    """
    if isinstance(content, Session):
        if seed is not None or settings:
            option = "--seed" if seed is not None else "--set"
            name = content.preset.name
            raise InputError(f"{option}: {name} is a saved session, and this needs a new start; use --edit or a preset")
        names = [each.name for each in content.branches]
        if branch is not None and branch not in names:
            raise InputError(f"--branch {branch}: no such branch{suggestion(branch, names)}; there are {', '.join(names)}")
        return content if branch is None else dataclasses.replace(content, current=branch)
    if branch is not None:
        raise InputError(f"--branch {branch}: {content.name} is a preset, and has no branches yet")
    preset = content
    for each in settings:
        name, value = _assignment("--set", each)
        try:
            spec, _ = find(name)
            if name == "seed":
                raise InputError("--set seed: expected --seed N")
            preset = preset.with_value(name, spec.parse(value))
        except (UnknownName, InvalidValue) as error:
            raise _about("--set", name, error) from None
    problems = preset.conflicts()
    if problems:
        raise InputError(*(f"{preset.name}: {key}: {message}" for key, message in problems))
    return Session(preset=preset, seed=1 if seed is None else seed)


def edits_from(texts: Sequence[str]) -> list[TimedEdit]:
    """`--edit STEP:NAME=VALUE` as (step, name, value), in the order of their steps. Raises `InputError`."""
    edits = []
    for text in texts:
        step, colon, rest = text.partition(":")
        if not colon or not (step.strip().isascii() and step.strip().isdigit()) or len(step) > 18:
            raise InputError(f"--edit {text}: expected STEP:NAME=VALUE, with STEP a whole number")
        name, value = _assignment("--edit", rest)
        try:
            spec, _ = find(name)
            if spec.applies is Applies.RESET:
                raise InputError(f"--edit {name}: needs a new start, so it cannot be edited while training; use --set")
            edits.append((int(step), name, spec.check(spec.parse(value))))
        except (UnknownName, InvalidValue) as error:
            raise _about("--edit", name, error) from None
    return sorted(edits, key=lambda edit: edit[0])


def _assignment(option: str, text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise InputError(f"{option} {text}: expected NAME=VALUE")
    return name.strip(), value


def _about(option: str, name: str, error: Exception) -> InputError:
    return InputError(f"{option} {name}: {str(error).removeprefix(f'{name}: ')}")


def run_of(opened: Opened, session: Session, rebuild: bool, progress: Progress) -> Run:
    """The run of what was opened; `progress` is told of what is trained again.

    Raises `InputError`, also where its checkpoint is lost or damaged.
    """
    path = opened.path if isinstance(opened.content, Session) else None
    try:
        return Run(session, path, progress, rebuild)
    except CheckpointError as error:
        again = "--rebuild trains it again from its seed and edits"
        raise InputError(f"{error}; {again}") from None
    except CannotFollow as error:
        raise InputError(str(error)) from None


def try_edits(trainer: Trainer, edits: list[TimedEdit]) -> None:
    """Refuse now what would be refused after hours of training. Raises `InputError`."""
    h = trainer.hyperparameters
    for step, name, value in edits:
        if step < trainer.state.step:
            raise InputError(f"--edit {step}:{name}: the session has done {trainer.state.step} steps already")
        try:
            h = trainer.edited(h, SetHyperparameter(name, value))
        except InvalidValue as error:
            raise _about("--edit", name, error) from None
