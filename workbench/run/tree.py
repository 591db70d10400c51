"""The branches of a run as a tree that grows: the session as it is now, the curves of each branch, and copies of the state.

Whatever is done to the tree moves no state: where the trainer stands is `navigation`'s.
"""

from __future__ import annotations

from workbench.engine.events import Event
from workbench.engine.history import History
from workbench.engine.state import State
from workbench.run.recorder import Recorder
from workbench.run.snapshots import Kind, Snapshots
from workbench.session.branch import Branch, Place, Result
from workbench.session.branches import described, renamed, without
from workbench.session.session import Session
from workbench.session.timeline import Past, fields_of, past, shared_steps


class Tree:
    """A session whose current branch grows as the state does.

    Attributes:
        written: the session without what has happened since it was last written down, which only the recorder knows.
        snapshots: copies of the state, at the start and at places that were come through.
    """

    def __init__(self, session: Session, state: State, budget: int) -> None:
        """`state` is at the start of the session's run; `budget` is for its copies, in bytes."""
        self.written = session
        self.snapshots = Snapshots(budget)
        self.snapshots.add(past(session.branch, Place(0, 0)), Kind.START, state.snapshot())
        self._state = state
        self._histories: dict[str, History] = {}
        self._recorder = Recorder(session.branch, state)

    # -- as it is now -------------------------------------------------------------------------------------------------

    @property
    def session(self) -> Session:
        """All branches as they are now."""
        return self.written.with_branch(**fields_of(self.timeline))

    @property
    def timeline(self) -> Branch:
        """The current branch as it is now, without a mark at its tip."""
        return self._recorder.timeline

    @property
    def place(self) -> Place:
        """Where the state is on the current branch: at its tip."""
        return self._recorder.place

    @property
    def last_edited(self) -> int:
        """The step of the current branch's last edit, 0 before the first."""
        return self._recorder.last_edited

    @property
    def history(self) -> History:
        """The curves of the current branch."""
        return self._histories[self.written.current]

    def history_of(self, name: str) -> History:
        """The curves of a branch, as far as they are known."""
        return self._histories.get(name) or History()

    # -- growing ------------------------------------------------------------------------------------------------------

    def grow(self, branch: Branch) -> None:
        """From now on the state is at the tip of this branch, the current one, and what happens is written down there."""
        self._recorder = Recorder(branch, self._state)

    def record(self, event: Event) -> None:
        """Write down one event, while the trainer is suspended at it."""
        self._recorder.record(event)

    def keep(self, kind: Kind) -> Past:
        """Have a copy of the state as it is, of this kind at least."""
        here = self._recorder.past
        if here not in self.snapshots:
            self.snapshots.add(here, kind, self._state.snapshot())
        self.snapshots.raise_to(here, kind)
        return here

    def write_down(self, result: Result | None = None) -> Branch:
        """Write down the current branch, with a mark at its tip, and this result instead of the last evaluation's."""
        branch = self._recorder.branch(result)
        self.written = self.written.with_branch(**fields_of(branch))
        return branch

    def park(self) -> Branch:
        """Write down the current branch, and keep the state at its tip."""
        branch = self.write_down()
        self.snapshots.add(past(branch, branch.tip), Kind.TIP, self._state.snapshot())
        return branch

    def take_history(self, name: str, history: History) -> None:
        """These are the curves of a branch."""
        self._histories[name] = history

    def share_history(self, branch: Branch) -> History:
        """The curves of a branch; where it has none yet, it gets them as far as another branch has them too."""
        if branch.name not in self._histories:
            known = [each for each in self.written.branches if each.name in self._histories]
            shared = {each.name: shared_steps(branch, each) for each in known}
            nearest = max(shared, key=shared.__getitem__, default="")
            self._histories[branch.name] = self.history_of(nearest).truncated(shared.get(nearest, 0))
        return self._histories[branch.name]

    # -- what is said of branches -------------------------------------------------------------------------------------

    def rename(self, name: str, to: str) -> None:
        """Give a branch another name. Raises `ValueError` where it is taken or none, and `LookupError`."""
        self.take_over(renamed(self.session, name, to))
        self._histories = {to if each == name else each: history for each, history in self._histories.items()}

    def describe(self, name: str, note: str) -> None:
        """Write something about a branch. Raises `LookupError`."""
        self.take_over(described(self.session, name, note))

    def delete(self, name: str) -> None:
        """Forget a branch that is not the current one. Raises `ValueError`, `LookupError`."""
        self.take_over(without(self.session, name))
        self._histories.pop(name, None)

    def annotate(self, step: int, text: str, edit: int = 0) -> None:
        """A note on a step of the current branch, or on its edit of that number (from 1). Raises `ValueError`."""
        place = self.place
        if not 0 <= step <= place.step:
            raise ValueError(f"step {step:,}: expected one from 0 to {place.step:,}")
        if not 0 <= edit <= place.edits:
            raise ValueError(f"edit {edit}: the branch has {place.edits} edits")
        self._recorder.annotate(step, text, edit)

    def take_over(self, session: Session) -> None:
        """The session is this one now: the same, but for what is said of its branches, and for their checkpoints."""
        self.written = session
        self._recorder.rebase(session.branch)
