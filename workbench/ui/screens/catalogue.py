"""What the library lists: presets and sessions as read from their files, in lines and in paragraphs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from workbench.files.errors import InputError
from workbench.files.text import clean, clean_lines
from workbench.session.opening import Opened, read_either
from workbench.session.preset import Preset, find_presets
from workbench.session.session import Session
from workbench.session.store import list_sessions
from workbench.ui.doors.text import Text
from workbench.ui.state.wording import shown

Entry = tuple[Path, Text, Opened | InputError]


def presets() -> Iterator[Entry]:
    """The shipped presets by name."""
    return _entries(find_presets())


def sessions(folder: Path) -> Iterator[Entry]:
    """The saved sessions, the newest first: it is what one most likely comes back for."""
    try:
        paths = list_sessions(folder)
    except InputError as error:
        return iter([(folder, Text(f"  {error}", "italic"), error)])
    return _entries(sorted(paths, key=_modified, reverse=True))


def _entries(paths: Iterable[Path]) -> Iterator[Entry]:
    for path in paths:
        line = Text("  ", no_wrap=True, overflow="ellipsis")
        line.append(f"{clean(path.stem, 24):<22}", "bold")
        try:
            opened = read_either(path)
        except InputError as error:
            yield path, line.append("✗ cannot be read"), error
        else:
            yield path, line.append(_summary(opened)), opened


def _summary(opened: Opened) -> str:
    content = opened.content
    if isinstance(content, Preset):
        return clean(content.title, 60)
    count = len(content.branch.edits)
    branches = f", {len(content.branches)} branches" if len(content.branches) > 1 else ""
    return f"step {content.step:,}, {count} edit{'' if count == 1 else 's'}{branches}"


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def describe(found: Opened | InputError) -> Text:
    """What an entry is about."""
    if isinstance(found, InputError):
        return Text.assemble(("This file cannot be read\n\n", "bold"), str(found))
    content = found.content
    preset = content.preset if isinstance(content, Session) else content
    text = Text()
    text.append(f"{clean(preset.title, 200)}\n\n", "bold")
    paragraphs = clean_lines(preset.description).strip().split("\n\n")
    text.append("\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs) + "\n\n")
    if isinstance(content, Session):
        _describe_session(text, content)
    data, network, training = preset.data, preset.network, preset.training
    rows = {
        "data": f"{data.source}, {data.examples:,} examples, {1 - data.dev_fraction - data.test_fraction:.0%} to train on",
        "network": f"hidden {list(network.hidden)}, {network.activation}{', batch norm' if network.batch_norm else ''}",
        "start": f"{network.initializer} × {network.initializer_scale:g}",
        "optimizer": f"{training.optimizer}, α {shown(training.learning_rate)}, {training.schedule}",
        "batch size": f"{training.batch_size:,}, {training.epochs:,} epochs",
    }
    for name, value in rows.items():
        text.append(f"{name:<11}", "dim")
        text.append(f"{value}\n")
    text.append(f"\n{clean(str(found.path), 200)}", "dim")
    return text


def _describe_session(text: Text, session: Session) -> None:
    branch = session.branch
    text.append(f"Stopped after step {session.step:,}, seed {session.seed}\n")
    if len(session.branches) > 1:
        text.append(f"on branch {clean(branch.name)} of {', '.join(clean(each.name, 30) for each in session.branches[:8])}\n")
    if branch.result is not None:
        for name in ("train", "dev", "test"):
            score = getattr(branch.result, name)
            if score is not None:
                text.append(f"{name:<6} cost {score.cost_text}  error {score.error:.4g}\n")
    for edit in branch.edits[-12:]:
        note = f"  {clean(edit.note, 60)}" if edit.note else ""
        text.append(f"{edit.step:>8,}  {edit.name}  {shown(edit.old)} → {shown(edit.new)}{note}\n")
    text.append("\n")
