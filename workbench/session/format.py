"""The TOML form of a session, a lab notebook to read: written in a stable order and read strictly.

A branch is written from where it left its parent; what they share stands with the parent. Owns every key of that form.
Knows no folder and no checkpoint's content.
"""

from __future__ import annotations

import dataclasses
import math
import re
from typing import Any, TypeVar

from workbench.engine.measurements import Score
from workbench.files.errors import InputError, Problems
from workbench.files.text import clean
from workbench.files.toml import Reader, Table, parse_toml, shown, write_keys, write_table
from workbench.hyperparameters import TABLE, assign
from workbench.session.branch import MAIN, Best, Branch, Edit, Mark, Note, Result, Stop
from workbench.session.plan import MOST_STEPS, live, value_of
from workbench.session.preset import Preset, preset_from, preset_to_table
from workbench.session.session import FORMAT, Environment, Session
from workbench.spec import InvalidValue

HEADING = "# A session of Workbench: the preset, the seed and the edits that the run can be repeated from.\n"
MAX_NAME = 255
MAX_NOTE = 4000
MAX_BRANCH_NAME = 60
MAX_ROWS = 1_000_000
MOST_EDITS = 1_000_000
MOST_THREADS = 65_536
# Longer names are none of the table's; a layer of thousands of digits is no number to Python.
_NAME = re.compile(r"[^\x00-\x1f]{1,60}")
_HASH = re.compile(r"[0-9a-f]{64}")
_CHECKPOINT = re.compile(r"[^./\\\x00][^/\\\x00]*\.safetensors")
_KEYS = ("format", "seed", "current", "preset", "branch", "environment")
_SCORE_KEYS = ("cost", "error", "data_cost", "penalty")
_BRANCH_KEYS = (
    "name", "parent", "fork", "shared_edits", "note", "step", "checkpoint", "trained_from", "edit", "mark", "stop", "comment",
    "best", "result",
)  # fmt: skip

Timed = TypeVar("Timed", Edit, Mark, Stop, Note)


def is_session(table: Table) -> bool:
    """Whether a document's top table means to be a session, not a preset."""
    return "format" in table


def begins_as_session(text: str) -> bool:
    """Whether a text is the beginning of a session's file, or has its first line: then it is no preset, whatever is cut off."""
    return HEADING.startswith(text) or text.startswith(HEADING.rstrip("\n"))


def session_to_toml(session: Session) -> str:
    """The session as a text to read and to compare line by line; `parse_session` gives the same session back."""
    head = {"format": FORMAT, "seed": session.seed, "current": session.current}
    parts = [HEADING + write_keys(head), write_table("preset", {"name": session.preset.name, **preset_to_table(session.preset)})]
    parents: dict[str, Branch] = {}
    for branch in session.branches:
        parts.append(write_table("branch", _branch_table(branch, parents.get(branch.parent or "")), array=True))
        parents[branch.name] = branch
    if session.environment is not None:
        parts.append(write_table("environment", dataclasses.asdict(session.environment)))
    return "\n".join(parts)


def _branch_table(branch: Branch, parent: Branch | None) -> dict[str, Any]:
    table: dict[str, Any] = {"name": branch.name}
    edits, marks = branch.edits, branch.marks
    if parent is not None:
        pairs = zip(branch.edits, parent.edits, strict=False)
        shared = next((i for i, (mine, theirs) in enumerate(pairs) if mine != theirs), min(len(edits), len(parent.edits)))
        table |= {"parent": parent.name, "fork": branch.fork, "shared_edits": shared}
        edits, marks = edits[shared:], tuple(each for each in marks if each.step > branch.fork or each not in parent.marks)
    if branch.note:
        table["note"] = branch.note[:MAX_NOTE]
    table["step"] = branch.step
    if branch.checkpoint is not None:
        table["checkpoint"] = branch.checkpoint
    if branch.trained_from is not None:
        table["trained_from"] = branch.trained_from
    table["edit"] = [_edit_table(each) for each in edits]
    table["stop"] = [_stop_table(each) for each in branch.stops]
    table["comment"] = [{"step": each.step, "text": each.text[:MAX_NOTE]} for each in branch.notes]
    table["mark"] = [{"step": each.step, "hash": each.hash} for each in marks]
    if branch.best is not None:
        table["best"] = {"step": branch.best.step, "cost": branch.best.cost}
    if branch.result is not None:
        table["result"] = _result_table(branch.result)
    return table


def _edit_table(edit: Edit) -> dict[str, Any]:
    table: dict[str, Any] = {"step": edit.step, "name": edit.name, "old": edit.old, "new": edit.new}
    if edit.undoes:
        table["undoes"] = edit.undoes
    return {**table, "note": edit.note[:MAX_NOTE]} if edit.note else table


def _stop_table(stop: Stop) -> dict[str, Any]:
    table: dict[str, Any] = {"step": stop.step, "edits": stop.edits, "reason": stop.reason[:MAX_NOTE]}
    if stop.rows:
        table["rows"] = stop.rows
    return {**table, "passed": True} if stop.passed else table


def _result_table(result: Result) -> dict[str, Any]:
    scores = {"train": result.train, "dev": result.dev, "test": result.test}
    tables = {name: _score_table(each) for name, each in scores.items() if each is not None}
    return {"step": result.step, "epoch": result.epoch, **tables}


def _score_table(score: Score) -> dict[str, float]:
    return {name: getattr(score, name) for name in _SCORE_KEYS}


def parse_session(text: str, where: str) -> Session:
    """The session in a TOML text. Raises one `InputError` with all problems, each named after `where`."""
    return session_from_table(parse_toml(text, where), where)


def session_from_table(table: Table, where: str) -> Session:
    """The session of a document's top table. Raises one `InputError` with all problems."""
    _refuse_other_format(table, where)
    problems = Problems(where)
    reader = Reader(table, problems)
    reader.only(_KEYS)
    reader.integer("format", FORMAT, FORMAT)
    preset = _preset(reader)
    branches = _branches(reader)
    session = Session(
        preset=preset,
        seed=_seed(reader),
        branches=branches,
        current=reader.text("current", MAX_BRANCH_NAME, MAIN),
        environment=_environment(reader),
    )
    if not any(each.name == session.current for each in branches):
        reader.wrong("current", f"{shown(session.current)}: expected the name of one of the branches")
    if not problems:
        for each, branch in zip(reader.readers("branch"), branches, strict=True):
            _try_edits(each, preset, branch)
    problems.raise_if_any()
    return session


def _refuse_other_format(table: Table, where: str) -> None:
    version = table.get("format")
    if isinstance(version, int) and not isinstance(version, bool) and version != FORMAT:
        # Its keys may mean anything: a list of what is wrong with them would mislead.
        age = "a newer" if version > FORMAT else "an older"
        raise InputError(f"{clean(where)}: format: written by {age} workbench (format {shown(version)}, this one reads {FORMAT})")


def _preset(reader: Reader) -> Preset:
    inner = reader.reader("preset")
    if inner is None:
        if "preset" not in reader.table:
            reader.wrong("preset", "missing: expected a table, [preset]")
        return preset_from(Reader({}, Problems("")), "")
    name = inner.text("name", MAX_NAME)
    return preset_from(inner.without("name"), name)


def _steps(reader: Reader, name: str) -> int:
    """A number of steps, or of epochs, that some run may come to."""
    return reader.integer(name, 0, MOST_STEPS)


def _seed(reader: Reader) -> int:
    spec = TABLE["seed"]
    return reader.integer("seed", int(spec.low), 2**63 - 1)


def _branches(reader: Reader) -> tuple[Branch, ...]:
    found: dict[str, Branch] = {}
    readers = reader.readers("branch")
    if not readers:
        reader.wrong("branch", "missing: expected tables, [[branch]]")
    for each in readers:
        branch = _branch(each, found)
        if branch.name in found:
            each.wrong("name", f"{shown(branch.name)}: another branch has this name")
        found[branch.name] = branch
    return tuple(found.values())


def _branch(reader: Reader, before: dict[str, Branch]) -> Branch:
    reader.only(_BRANCH_KEYS)
    name = reader.text("name", MAX_BRANCH_NAME)
    if not name.strip() and isinstance(reader.table.get("name"), str):
        reader.wrong("name", "expected a name")
    step = _steps(reader, "step")
    parent, fork, shared = _parent(reader, before)
    edits = _in_order(reader, "edit", [_edit(each) for each in reader.readers("edit")])
    marks = _in_order(reader, "mark", [_mark(each) for each in reader.readers("mark")])
    if parent is not None:
        if edits and shared and edits[0].step < parent.edits[shared - 1].step:
            reader.wrong("edit[1].step", f"{edits[0].step}: expected at least {parent.edits[shared - 1].step}, the parent's")
        edits = (*parent.edits[:shared], *edits)
        own = {each.step: each for each in marks}
        marks = (*(each for each in parent.marks if each.step <= fork and each.step not in own), *marks)
        marks = tuple(sorted(marks, key=lambda mark: mark.step))
    for number, edit in enumerate(edits, start=1):
        if edit.undoes >= number:
            reader.wrong(f"edit[{number - shared}].undoes", f"{edit.undoes}: expected the number of an edit before this one")
    stops = _in_order(reader, "stop", [_stop(each) for each in reader.readers("stop")])
    for number, stop in enumerate(stops, start=1):
        if stop.edits > len(edits):
            reader.wrong(f"stop[{number}].edits", f"{stop.edits}: the branch has {len(edits)} edits")
    return Branch(
        name=name,
        parent=None if parent is None else parent.name,
        fork=fork,
        note=reader.text("note", MAX_NOTE, ""),
        edits=edits,
        notes=_in_order(reader, "comment", [_note(each) for each in reader.readers("comment")]),
        stops=stops,
        marks=marks,
        step=step,
        best=_best(reader),
        result=_result(reader),
        checkpoint=_checkpoint(reader),
        trained_from=_digest(reader, "trained_from") if "trained_from" in reader.table else None,
    )


def _parent(reader: Reader, before: dict[str, Branch]) -> tuple[Branch | None, int, int]:
    """The branch that this one left, after how many steps, and how many edits they share."""
    if "parent" not in reader.table:
        for key in ("fork", "shared_edits"):
            if key in reader.table:
                reader.wrong(key, "of no use without a parent")
        return None, 0, 0
    name = reader.text("parent", MAX_BRANCH_NAME)
    parent = before.get(name)
    if parent is None:
        reader.wrong("parent", f"{shown(name)}: expected the name of a branch before this one")
        return None, 0, 0
    return parent, _steps(reader, "fork"), reader.integer("shared_edits", 0, len(parent.edits))


def _checkpoint(reader: Reader) -> str | None:
    if "checkpoint" not in reader.table:
        return None
    # A name with a folder in it could make a session from elsewhere read any file.
    return reader.matching("checkpoint", _CHECKPOINT, "the name of a .safetensors file in the same folder")


def _edit(reader: Reader) -> Edit:
    reader.only(("step", "name", "old", "new", "note", "undoes"))
    step = _steps(reader, "step")
    name = reader.matching("name", _NAME, "the name of a hyperparameter")
    note = reader.text("note", MAX_NOTE, "")
    undoes = reader.integer("undoes", 0, MOST_EDITS) if "undoes" in reader.table else 0
    spec = live(reader, "name", name) if name else None
    if spec is None:
        return Edit(step, name, 0, 0, note, undoes)
    return Edit(step, name, value_of(reader, "old", *spec), value_of(reader, "new", *spec), note, undoes)


def _try_edits(reader: Reader, preset: Preset, branch: Branch) -> None:
    """Note the edits that do not fit the network: a layer it has not, or a list of another length."""
    training = preset.training
    first = len(branch.edits) - len(reader.readers("edit"))
    for number, edit in enumerate(branch.edits):
        try:
            training = assign(training, edit.name, edit.new)
        except InvalidValue as error:
            if number >= first:  # else its parent has said so
                reader.wrong(f"edit[{number - first + 1}].new", str(error))


def _stop(reader: Reader) -> Stop:
    reader.only(("step", "edits", "reason", "rows", "passed"))
    rows = reader.table.get("rows", [])
    good = isinstance(rows, list) and len(rows) <= MAX_ROWS
    if not good or not all(isinstance(row, int) and not isinstance(row, bool) and 0 <= row < 2**63 for row in rows):
        reader.wrong("rows", "expected a list of whole numbers from 0")
        rows = []
    passed = reader.table.get("passed", False)
    if not isinstance(passed, bool):
        reader.wrong("passed", f"{shown(passed)}: expected true or false")
        passed = False
    return Stop(
        _steps(reader, "step"),
        reader.integer("edits", 0, MOST_EDITS),
        reader.text("reason", MAX_NOTE),
        tuple(rows),
        passed,
    )


def _note(reader: Reader) -> Note:
    reader.only(("step", "text"))
    return Note(_steps(reader, "step"), reader.text("text", MAX_NOTE))


def _best(reader: Reader) -> Best | None:
    inner = reader.reader("best")
    if inner is None:
        return None
    inner.only(("step", "cost"))
    return Best(_steps(inner, "step"), inner.real("cost"))


def _mark(reader: Reader) -> Mark:
    reader.only(("step", "hash"))
    return Mark(_steps(reader, "step"), _digest(reader, "hash"))


def _digest(reader: Reader, name: str) -> str:
    return reader.matching(name, _HASH, "64 hexadecimal digits")


def _in_order(reader: Reader, name: str, entries: list[Timed]) -> tuple[Timed, ...]:
    for number in range(1, len(entries)):
        before, step = entries[number - 1].step, entries[number].step
        if step < before:
            reader.wrong(f"{name}[{number + 1}].step", f"{step}: expected at least {before}, the step of the one before")
    return tuple(entries)


def _result(reader: Reader) -> Result | None:
    inner = reader.reader("result")
    if inner is None:
        return None
    inner.only(("step", "epoch", "train", "dev", "test"))
    if "train" not in inner.table:
        inner.wrong("train", f"missing: expected a table, [{inner.key('train')}]")
    train = _score(inner, "train") or Score.of(0.0, 0.0)
    return Result(
        _steps(inner, "step"),
        _steps(inner, "epoch"),
        train,
        _score(inner, "dev"),
        _score(inner, "test"),
    )


def _score(reader: Reader, name: str) -> Score | None:
    inner = reader.reader(name)
    if inner is None:
        return None
    inner.only(_SCORE_KEYS)
    cost, error = inner.real("cost"), inner.real("error")
    # Earlier workbenches did not tell them apart.
    penalty, data_cost = (inner.real(key) if key in inner.table else math.nan for key in ("penalty", "data_cost"))
    return Score(cost, error, penalty, data_cost)


def _environment(reader: Reader) -> Environment | None:
    inner = reader.reader("environment")
    if inner is None:
        return None
    inner.only(field.name for field in dataclasses.fields(Environment))
    texts = {name: inner.text(name, 1000) for name in ("workbench", "python", "numpy", "blas", "platform")}
    arithmetic = inner.integer("arithmetic", 1) if "arithmetic" in inner.table else 1
    return Environment(**texts, blas_threads=inner.integer("blas_threads", 0, MOST_THREADS), arithmetic=arithmetic)
