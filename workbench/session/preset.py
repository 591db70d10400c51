"""Presets: what to train, on which examples, with which hyperparameters. Strict parsing, and the shipped ones.

Owns the TOML form of a preset. Knows no session, seed or timeline, no examples, and no network beyond its settings.
"""

from __future__ import annotations

import dataclasses
import difflib
import importlib.resources
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import workbench
from workbench.engine.commands import Planned
from workbench.files.errors import InputError, Problems
from workbench.files.text import clean
from workbench.files.toml import Reader, Table, parse_toml, read_bounded, write_keys, write_table
from workbench.hyperparameters import (
    SECTIONS,
    TABLE,
    Architecture,
    DataSettings,
    Hyperparameters,
    assign,
    conflicts,
    find,
    unused,
)
from workbench.session.plan import check_value, plan_from, plan_to_tables
from workbench.spec import InvalidValue, Scalar, UnknownName, Value

MAX_BYTES = 256 * 2**10
MAX_TITLE = 200
MAX_DESCRIPTION = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """All that a run is made from, apart from the seed and the edits.

    `training.keep_prob` always has one element for each hidden layer. `title` and `description` are as the
    file has them: `clean` them before they reach a terminal.
    """

    name: str
    title: str
    description: str
    data: DataSettings
    network: Architecture
    training: Hyperparameters
    plan: tuple[Planned, ...] = ()

    def with_value(self, name: str, value: object) -> Preset:
        """A copy with one setting changed, `name` as in `hyperparameters.find`.

        Other hidden layers get the `keep_prob` that all layers have in common. What does not go together is
        not looked at here, so that several values can be set one after the other: see `conflicts`.

        Raises:
            UnknownName: there is no such setting in a preset.
            InvalidValue: the value is none of its values, or does not fit the network.
        """
        spec, layer = find(name)
        if spec.section not in SECTIONS:
            raise UnknownName(f"{name}: not part of a preset")
        checked = check_value(spec, layer, value)
        if spec.name == "hidden":
            return self._with_hidden(checked, layer)
        section = assign(getattr(self, spec.section), name, checked)
        return dataclasses.replace(self, **{spec.section: section})

    def conflicts(self) -> list[tuple[str, str]]:
        """What does not go together, as pairs of `section.key` and what was expected."""
        return conflicts(self.data, self.network, self.training)

    def _with_hidden(self, value: Value, layer: int | None) -> Preset:
        present = self.network.hidden
        if layer is not None:
            if layer > len(present):
                raise InvalidValue(f"layer {layer}: the network has {len(present)} hidden layers")
            value = cast(Value, (*present[: layer - 1], value, *present[layer:]))
        network = assign(self.network, "hidden", value)
        keep_prob = _respread(self.training.keep_prob, len(network.hidden))
        return dataclasses.replace(self, network=network, training=dataclasses.replace(self.training, keep_prob=keep_prob))


def _respread(keep_prob: tuple[float, ...], layers: int) -> tuple[float, ...]:
    if len(keep_prob) == layers:
        return keep_prob
    if len(set(keep_prob)) > 1:
        raise InvalidValue(
            f"{layers} hidden layers: keep_prob differs from layer to layer ({len(keep_prob)} values); set it to one value first"
        )
    return (keep_prob[0] if keep_prob else cast(float, TABLE["keep_prob"].default),) * layers


def parse_preset(table: Table, where: str, name: str) -> Preset:
    """The preset of a TOML document's top table. Raises one `InputError` with all problems, each named after `where`."""
    problems = Problems(where)
    preset = preset_from(Reader(table, problems), name)
    problems.raise_if_any()
    return preset


def read_preset(path: str | os.PathLike[str]) -> Preset:
    """The preset in a file, named after the file. Raises `InputError`."""
    path = Path(path)
    return parse_preset(parse_toml(read_bounded(path, MAX_BYTES), str(path)), str(path), path.stem)


def preset_from(reader: Reader, name: str) -> Preset:
    """The preset of one table, its problems noted with the reader; of no use where there are any."""
    reader.only(("title", "description", *SECTIONS, "plan"))
    title = reader.text("title", MAX_TITLE, name[:MAX_TITLE])
    description = reader.text("description", MAX_DESCRIPTION, "")
    values: dict[str, dict[str, Any]] = {}
    good: dict[str, bool] = {}
    for section in SECTIONS:
        values[section], good[section] = _section(reader, section)
    data = DataSettings(**values["data"])
    _note_unused(reader, data)
    hidden = values["network"].get("hidden", Architecture().hidden)
    values["network"]["hidden"] = hidden if isinstance(hidden, tuple) else (hidden,)
    network = Architecture(**values["network"])
    keep_prob = values["training"].pop("keep_prob", TABLE["keep_prob"].default)
    values["training"]["keep_prob"] = keep_prob if isinstance(keep_prob, tuple) else (keep_prob,) * len(network.hidden)
    training = Hyperparameters(**values["training"])
    # With a default in the place of a wrong value, what seems not to go together may be no fault of the file.
    given, layers = len(training.keep_prob), len(network.hidden)
    if good["network"] and given != layers:
        reader.wrong("training.keep_prob", f"{given} values: the network has {layers} hidden layers")
    if all(good.values()):
        for key, message in conflicts(data, network, training):
            reader.wrong(key, message)
    plan = plan_from(reader)
    if not reader.problems:
        _try_plan(reader, data, network, training, plan)
    return Preset(name=name, title=title, description=description, data=data, network=network, training=training, plan=plan)


def _try_plan(
    reader: Reader, data: DataSettings, network: Architecture, training: Hyperparameters, plan: tuple[Planned, ...]
) -> None:
    """Note what of the plan does not fit the network, or what is in force by then."""
    for number, each in enumerate(plan, start=1):
        try:
            training = assign(training, each.name, each.value)
        except InvalidValue as error:
            reader.wrong(f"plan[{number}].value", str(error))
            return
        for _, message in conflicts(data, network, training):
            reader.wrong(f"plan[{number}].value", message)
            return


def _section(reader: Reader, section: str) -> tuple[dict[str, Any], bool]:
    """The checked values of one section, and whether every value in it was good."""
    values: dict[str, Any] = {}
    inner = reader.reader(section)
    if inner is None:
        return values, section not in reader.table
    good = True
    specs = {field.name: TABLE[field.name] for field in dataclasses.fields(SECTIONS[section])}
    inner.only(specs)
    for name in inner.table:
        if name not in specs:
            continue
        try:
            values[name] = check_value(specs[name], None, inner.table[name])
        except InvalidValue as error:
            inner.wrong(name, str(error))
            good = False
    return values, good


def _note_unused(reader: Reader, data: DataSettings) -> None:
    table = reader.table.get("data")
    # The default source says nothing about a file that names one wrongly.
    if isinstance(table, Mapping) and table.get("source", data.source) == data.source:
        for name in unused(data):
            if name in table:
                reader.wrong(f"data.{name}", f"not used by source {data.source}")


def preset_to_table(preset: Preset) -> dict[str, Any]:
    """The TOML form of a preset: every key, in the order of the table of hyperparameters.

    Left out are settings of [data] that the source has no use for, because a file that has them is refused.
    """
    table: dict[str, Any] = {"title": preset.title, "description": preset.description}
    for section in SECTIONS:
        settings = getattr(preset, section)
        table[section] = {field.name: getattr(settings, field.name) for field in dataclasses.fields(settings)}
    for name in unused(preset.data):
        del table["data"][name]
    table["training"]["keep_prob"] = _collapsed(preset.training.keep_prob)
    if preset.plan:
        table["plan"] = plan_to_tables(preset.plan)
    return table


def preset_to_toml(preset: Preset) -> str:
    """A preset's file; `parse_preset` gives the same preset back."""
    table = preset_to_table(preset)
    parts = [write_keys({key: table[key] for key in ("title", "description")})]
    parts += [write_table(section, table[section]) for section in SECTIONS]
    parts += [write_table("plan", each, array=True) for each in table.get("plan", ())]
    return "\n".join(parts)


def _collapsed(keep_prob: tuple[float, ...]) -> Scalar | tuple[float, ...]:
    if not keep_prob:
        return cast(float, TABLE["keep_prob"].default)
    return keep_prob[0] if len(set(keep_prob)) == 1 else keep_prob


def presets_folder() -> Path:
    """Where the shipped presets are: inside the installed package, else beside the package in a checkout."""
    installed = Path(str(importlib.resources.files("workbench"))) / "presets"
    return installed if installed.is_dir() else Path(workbench.__file__).parent.parent / "presets"


def find_presets() -> list[Path]:
    """The files of the shipped presets, sorted by name."""
    try:
        found = (path for path in presets_folder().glob("*.toml") if not path.name.startswith("."))
        return sorted(found, key=lambda path: path.stem)
    except OSError:
        return []


def load_preset(name_or_path: str) -> Preset:
    """The preset in a file, or the shipped one of that name. Raises `InputError`."""
    path = Path(name_or_path)
    if looks_like_path(name_or_path) or is_file(path):
        return read_preset(path)
    shipped = {each.stem: each for each in find_presets()}
    if name_or_path in shipped:
        return read_preset(shipped[name_or_path])
    raise unknown_name(name_or_path, "preset", list(shipped), "workbench presets")


def unknown_name(name: str, what: str, known: list[str], command: str) -> InputError:
    """The error for a name that is not one of the `known`, with the nearest that is."""
    near = difflib.get_close_matches(name[:100], known, n=1)
    return InputError(f"{shown_name(name)}: no such {what}{f'; did you mean {near[0]}?' if near else ''}; see `{command}`")


def shown_name(name: str) -> str:
    """A name as it may stand at the start of a message, even an empty one."""
    return clean(name) or "''"


def looks_like_path(argument: str) -> bool:
    """Whether an argument can only mean a file: it has a suffix or a separator."""
    separators = {os.sep, os.altsep or os.sep}
    return bool(Path(argument).suffix) or any(each in argument for each in separators)


def is_file(path: Path) -> bool:
    """Whether a file is there; false too for a name that no file can have."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
