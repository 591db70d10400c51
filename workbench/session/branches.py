"""The branches of a session as a tree: rename, describe, delete. Pure functions from session to session."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from workbench.session.branch import Branch
from workbench.session.session import Session
from workbench.session.timeline import has_own, leads_to, past

MAX_NAME = 60


def renamed(session: Session, name: str, to: str) -> Session:
    """With another name for a branch. Raises `ValueError` where it is taken, empty or too long, and `LookupError`."""
    session.named(name)
    if to != name and (not to.strip() or len(to) > MAX_NAME or any(each.name == to for each in session.branches)):
        raise ValueError(f"{to!r}: expected a name of up to {MAX_NAME} characters that no other branch has")

    def new(each: str | None) -> str | None:
        return to if each == name else each

    branches = tuple(dataclasses.replace(each, name=new(each.name) or "", parent=new(each.parent)) for each in session.branches)
    return dataclasses.replace(session, branches=branches, current=new(session.current) or "")


def described(session: Session, name: str, note: str) -> Session:
    """With a note on a branch. Raises `LookupError`."""
    session.named(name)
    branches = tuple(dataclasses.replace(each, note=note) if each.name == name else each for each in session.branches)
    return dataclasses.replace(session, branches=branches)


def without(session: Session, name: str) -> Session:
    """Without a branch; its children become those of its parent. Raises `ValueError` for the current one, and `LookupError`."""
    gone = session.named(name)
    if name == session.current:
        raise ValueError(f"{name}: the branch one stands on cannot be deleted")

    def adopted(each: Branch) -> Branch:
        if each.parent != name:
            return each
        return dataclasses.replace(each, parent=gone.parent, fork=min(each.fork, gone.fork))

    return dataclasses.replace(session, branches=tuple(adopted(each) for each in session.branches if each.name != name))


def parting(branches: Mapping[str, Branch], one: str, other: str) -> int:
    """The last step that two branches share; 0 where they have nothing in common."""
    shared = _ancestors(branches, one)
    for name, step in _ancestors(branches, other).items():
        if name in shared:
            return min(step, shared[name])
    return 0


def _ancestors(branches: Mapping[str, Branch], name: str) -> dict[str, int]:
    """A branch and its ancestors, the nearest first, each with the last step that is its own and the branch's."""
    found: dict[str, int] = {}
    at, step = branches.get(name), 2**63
    while at is not None and at.name not in found:
        found[at.name] = step
        step = min(step, at.fork)
        at = branches.get(at.parent or "")
    return found


def is_empty(session: Session, name: str) -> bool:
    """Whether nothing would be lost without a branch: it has a parent, no children, and nothing that its parent has not."""
    branch = session.named(name)
    if branch.parent is None or any(each.parent == name for each in session.branches):
        return False
    return not has_own(branch, session.named(branch.parent))


def repeats(session: Session, name: str) -> bool:
    """Whether it did no more than come to the same stop as another branch: who resumes after one without an edit gets there."""
    branch = session.named(name)
    if branch.parent is None or branch.note or any(each.parent == name for each in session.branches):
        return False
    if not branch.stops or branch.stops[-1].step != branch.step:
        return False
    here = past(branch, branch.tip)
    others = (each for each in session.branches if each.name != name and leads_to(here, each, each.tip))
    return any(set(branch.notes) <= set(each.notes) and set(branch.stops) <= set(each.stops) for each in others)
