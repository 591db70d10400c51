"""The lab notebook: the TOML form of a session, written in a stable order and read strictly.

Owns every key of that form. Knows no folder and no checkpoint's content.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Any, TypeVar

from workbench.hyperparameters import TABLE, Bites, InvalidValue, Spec, UnknownName, Value, assign, find
from workbench.session.errors import InputError, Problems
from workbench.session.preset import Preset, check_value, preset_from, preset_to_table
from workbench.session.session import FORMAT, Divergence, Edit, Environment, Mark, Result, Score, Session
from workbench.session.text import clean
from workbench.session.toml import Reader, Table, parse_toml, shown, write_keys, write_table

HEADING = "# A session of Workbench: the preset, the seed and the edits that the run can be repeated from.\n"
MAX_NAME = 255
MAX_NOTE = 4000
# Longer names are none of the table's; a layer of thousands of digits is no number to Python.
_NAME = re.compile(r"[^\x00-\x1f]{1,60}")
_HASH = re.compile(r"[0-9a-f]{64}")
_CHECKPOINT = re.compile(r"[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]*\.safetensors")
_KEYS = ("format", "seed", "checkpoint", "preset", "edit", "mark", "divergence", "result", "environment")

Timed = TypeVar("Timed", Edit, Mark, Divergence)


def is_session(table: Table) -> bool:
    """Whether a document's top table means to be a session, not a preset."""
    return "format" in table


def session_to_toml(session: Session) -> str:
    """The session as a text to read and to compare line by line; `parse_session` gives the same session back."""
    head: dict[str, Any] = {"format": FORMAT, "seed": session.seed}
    if session.checkpoint is not None:
        head["checkpoint"] = session.checkpoint
    parts = [HEADING + write_keys(head), write_table("preset", {"name": session.preset.name, **preset_to_table(session.preset)})]
    parts += [write_table("edit", _edit_table(each), array=True) for each in session.edits]
    parts += [write_table("mark", {"step": each.step, "hash": each.hash}, array=True) for each in session.marks]
    parts += [write_table("divergence", _divergence_table(each), array=True) for each in session.divergences]
    if session.result is not None:
        parts.append(write_table("result", _result_table(session.result)))
    if session.environment is not None:
        parts.append(write_table("environment", dataclasses.asdict(session.environment)))
    return "\n".join(parts)


def _edit_table(edit: Edit) -> dict[str, Any]:
    table = {"step": edit.step, "name": edit.name, "old": edit.old, "new": edit.new}
    return {**table, "note": edit.note[:MAX_NOTE]} if edit.note else table


def _divergence_table(divergence: Divergence) -> dict[str, Any]:
    return {"step": divergence.step, "reason": divergence.reason[:MAX_NOTE]}


def _result_table(result: Result) -> dict[str, Any]:
    scores = {"train": result.train, "dev": result.dev, "test": result.test}
    tables = {name: {"cost": score.cost, "error": score.error} for name, score in scores.items() if score is not None}
    return {"step": result.step, "epoch": result.epoch, **tables}


def parse_session(text: str, where: str) -> Session:
    """The session in a TOML text. Raises one `InputError` with all problems, each named after `where`."""
    return session_from_table(parse_toml(text, where), where)


def session_from_table(table: Table, where: str) -> Session:
    """The session of a document's top table. Raises one `InputError` with all problems."""
    _refuse_newer(table, where)
    problems = Problems(where)
    reader = Reader(table, problems)
    reader.only(_KEYS)
    reader.integer("format", 1, FORMAT)
    preset = _preset(reader)
    session = Session(
        preset=preset,
        seed=_seed(reader),
        edits=_in_order(reader, "edit", [_edit(each) for each in reader.readers("edit")]),
        marks=_in_order(reader, "mark", [_mark(each) for each in reader.readers("mark")]),
        divergences=_in_order(reader, "divergence", [_divergence(each) for each in reader.readers("divergence")]),
        result=_result(reader),
        environment=_environment(reader),
        checkpoint=_checkpoint(reader),
    )
    if not problems:
        _try_edits(reader, session)
    problems.raise_if_any()
    return session


def _refuse_newer(table: Table, where: str) -> None:
    version = table.get("format")
    if isinstance(version, int) and not isinstance(version, bool) and version > FORMAT:
        # Its keys may mean anything: a list of what is wrong with them would mislead.
        raise InputError(
            f"{clean(where)}: format: written by a newer workbench (format {shown(version)}, this one reads up to {FORMAT})"
        )


def _preset(reader: Reader) -> Preset:
    inner = reader.reader("preset")
    if inner is None:
        if "preset" not in reader.table:
            reader.wrong("preset", "missing: expected a table, [preset]")
        return preset_from(Reader({}, Problems("")), "")
    name = inner.text("name", MAX_NAME)
    return preset_from(inner.without("name"), name)


def _seed(reader: Reader) -> int:
    spec = TABLE["seed"]
    return reader.integer("seed", int(spec.low), 2**63 - 1)


def _checkpoint(reader: Reader) -> str | None:
    if "checkpoint" not in reader.table:
        return None
    # A name with a folder in it could make a session from elsewhere read any file.
    return reader.matching("checkpoint", _CHECKPOINT, "the name of a .safetensors file in the same folder")


def _edit(reader: Reader) -> Edit:
    reader.only(("step", "name", "old", "new", "note"))
    step = reader.integer("step")
    name = reader.matching("name", _NAME, "the name of a hyperparameter")
    note = reader.text("note", MAX_NOTE, "")
    if not name:
        return Edit(step, name, 0, 0, note)
    try:
        spec, layer = find(name)
    except UnknownName as error:
        reader.wrong("name", str(error))
        return Edit(step, name, 0, 0, note)
    if spec.bites is Bites.RESET:
        reader.wrong("name", f"{name}: fixed when training starts, so it has no place in a timeline")
    return Edit(step, name, _value(reader, "old", spec, layer), _value(reader, "new", spec, layer), note)


def _value(reader: Reader, key: str, spec: Spec, layer: int | None) -> Value:
    if key not in reader.table:
        reader.wrong(key, f"missing: expected {spec.expected}")
        return spec.default
    try:
        return check_value(spec, layer, reader.table[key])
    except InvalidValue as error:
        reader.wrong(key, str(error))
        return spec.default


def _try_edits(reader: Reader, session: Session) -> None:
    """Note the edits that do not fit the network: a layer it has not, or a list of another length."""
    training = session.preset.training
    for number, edit in enumerate(session.edits, 1):
        try:
            training = assign(training, edit.name, edit.new)
        except InvalidValue as error:
            reader.wrong(f"edit[{number}].new", str(error))


def _mark(reader: Reader) -> Mark:
    reader.only(("step", "hash"))
    return Mark(reader.integer("step"), reader.matching("hash", _HASH, "64 hexadecimal digits"))


def _divergence(reader: Reader) -> Divergence:
    reader.only(("step", "reason"))
    return Divergence(reader.integer("step"), reader.text("reason", MAX_NOTE))


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
    train = _score(inner, "train") or Score(0.0, 0.0)
    return Result(inner.integer("step"), inner.integer("epoch"), train, _score(inner, "dev"), _score(inner, "test"))


def _score(reader: Reader, name: str) -> Score | None:
    inner = reader.reader(name)
    if inner is None:
        return None
    inner.only(("cost", "error"))
    return Score(inner.real("cost"), inner.real("error"))


def _environment(reader: Reader) -> Environment | None:
    inner = reader.reader("environment")
    if inner is None:
        return None
    inner.only(field.name for field in dataclasses.fields(Environment))
    texts = {name: inner.text(name, 1000) for name in ("workbench", "python", "numpy", "blas", "platform")}
    return Environment(**texts, blas_threads=inner.integer("blas_threads"))
