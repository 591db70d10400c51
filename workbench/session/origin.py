"""What a state was trained from: all that decides its bits, as a text that a checkpoint keeps and a session is held against.

Not in it: titles, notes, names of branches, and what is only shown. What has its default is left out as well, so that a
workbench with more settings finds the same text.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from workbench.hyperparameters import SECTIONS, TABLE
from workbench.session.preset import Preset, preset_to_table
from workbench.session.timeline import Past

ONLY_SHOWN = frozenset({"bayes_error"})


def origin(preset: Preset, seed: int, known: Past) -> str:
    """JSON of what the state at the end of `known` was trained from."""
    table = preset_to_table(preset)
    found: dict[str, Any] = {"seed": seed}
    for section in SECTIONS:
        settings = table[section].items()
        found |= {
            f"{section}.{name}": value for name, value in settings if name not in ONLY_SHOWN and value != TABLE[name].default
        }
    plan = tuple((each.step, each.name, each.value) for each in preset.plan if each.step <= known.step)
    for what, changes in (("planned change", plan), ("edit", known.edits)):
        kept = [change for change in changes if not ONLY_SHOWN.intersection(map(str, change))]
        found |= {f"{what} {number}": change for number, change in enumerate(kept, start=1)}
    found |= {f"passed stop {number}": each for number, each in enumerate(known.passes, start=1)}
    return json.dumps(found, ensure_ascii=True)


def digest(text: str) -> str:
    """SHA-256 of an origin, as 64 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def difference(then: str, now: str) -> str:
    """The first thing in which two origins differ, for people; empty where they are the same. Raises `ValueError`."""
    try:
        was = json.loads(then)
    except (ValueError, RecursionError):  # no JSON, or thousands of brackets
        was = None
    if not isinstance(was, dict):
        raise ValueError("what it was trained from cannot be read")
    told = json.loads(now)
    for name in dict.fromkeys((*told, *was)):
        if was.get(name) != told.get(name):
            return f"{name} was {_shown(was.get(name))}, and is {_shown(told.get(name))} in the session"
    return ""


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, list) and len(value) == 3 and isinstance(value[1], str):
        return f"{value[1]} = {value[2]} after step {value[0]}"
    return str(value)[:80]
