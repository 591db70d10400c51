"""The tree of branches, and what can be done with each."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Footer
from textual.widgets.tree import TreeNode

from workbench.files.text import clean, literal
from workbench.protocol.requests import Delete, Describe, Rename, Request
from workbench.session.branch import Branch
from workbench.session.branches import MAX_NAME
from workbench.ui.dialogs.choice import Answer, ChoiceScreen
from workbench.ui.dialogs.prompt import PromptScreen
from workbench.ui.doors.border import set_title
from workbench.ui.doors.notice import notify
from workbench.ui.doors.text import Static, Text
from workbench.ui.doors.tree import Tree, grow, relabel
from workbench.ui.settling import SettlingScreen
from workbench.ui.state.monitor import Monitor
from workbench.ui.state.palette import branch_hue, branch_marker, style
from workbench.ui.state.wording import shown, symbol


class BranchesScreen(ModalScreen[str], SettlingScreen[str]):
    """The tree on the left, the chosen branch on the right; dismissed with the branch to switch to, or an empty text."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "switch", "Switch to it", priority=True),
        Binding("c", "compare", "Compare"),
        Binding("m", "rename", "Rename"),
        Binding("n", "note", "Note"),
        Binding("d", "delete", "Delete"),
        Binding("escape,q,v", "dismiss('')", "Close", key_display="esc"),
    ]

    def __init__(self, monitor: Monitor, send: Callable[[Request], object]) -> None:
        """The branches of what `monitor` watches; what is to be done with one is sent."""
        super().__init__()
        self._monitor, self._send = monitor, send
        self._told: object = None
        self._branch_nodes: dict[str | None, TreeNode[str]] = {}

    def compose(self) -> ComposeResult:
        """Tree, description, keys."""
        with Vertical(id="branches") as box:
            set_title(box, literal("Branches"))
            with Horizontal():
                yield Tree(Text("preset"), id="tree")
                with VerticalScroll(can_focus=False):
                    yield Static(id="branch")
            yield Footer()

    def on_mount(self) -> None:
        """Fill it in, and look now and then whether something has changed."""
        tree = self.query_one(Tree)
        tree.show_root = False
        tree.auto_expand = False
        self._refresh()
        tree.focus()
        self.set_interval(0.2, self._refresh)

    def _refresh(self) -> None:
        monitor = self._monitor
        tree = self.query_one(Tree)
        told = (tuple(monitor.others.values()), monitor.current, monitor.compared)
        if told == self._told:
            relabel(self._branch_nodes[monitor.current], self._label(monitor.branch))
            if self._chosen_name == monitor.current:
                self._describe()
            return
        self._told = told
        chosen, line = self._chosen_name or monitor.current, tree.cursor_line
        tree.clear()
        tree.cursor_line = -1
        nodes: dict[str | None, TreeNode[str]] = {None: tree.root}
        for branch in monitor.branches.values():
            nodes[branch.name] = grow(nodes.get(branch.parent, tree.root), self._label(branch), branch.name)
        self._branch_nodes = nodes
        tree.root.expand()
        there = tree.get_node_at_line(line)  # of a branch that was renamed, or the one after a branch that was deleted
        tree.move_cursor(nodes.get(chosen) or there or nodes[monitor.current])
        self._describe()

    def _label(self, branch: Branch) -> Text:
        monitor = self._monitor
        here = branch.name == monitor.current
        text = Text("● " if here else "  ", "bold" if here else "")
        if branch.name in monitor.compared:
            number = list(monitor.branches).index(branch.name)
            text.append(f"{branch_marker(number)} ", style(branch_hue(number), self.app.current_theme.dark))
        text.append(clean(branch.name, 30))
        text.append(f"  step {branch.step:,}", "dim")
        if branch.best is not None:
            text.append(f"  ★ {branch.best.cost:.4g}", "dim")
        own = [edit for edit in branch.edits if edit.step >= branch.fork][-2:]
        if own:
            text.append("  " + ", ".join(f"{symbol(edit.name)} {shown(edit.new)}" for edit in own), "italic")
        return text

    @property
    def _chosen_name(self) -> str | None:
        node = self.query_one(Tree).cursor_node
        return node.data if node is not None else None

    @property
    def _chosen(self) -> Branch | None:
        return self._monitor.branches.get(self._chosen_name or "")

    @on(Tree.NodeHighlighted)
    def _describe(self) -> None:
        branch, monitor = self._chosen, self._monitor
        if branch is None:
            return
        here = branch.name == monitor.current
        text = Text()
        text.append(f"{clean(branch.name, 60)}\n", "bold")
        text.append("where you are\n" if here else "")
        if branch.parent is not None:
            text.append(f"left {clean(branch.parent, 60)} after step {branch.fork:,}\n")
        text.append(f"step {branch.step:,}\n")
        if branch.best is not None:
            text.append(f"★ best dev data cost {branch.best.cost:.4g}, after step {branch.best.step:,}\n")
        if branch.result is not None:
            for name in ("train", "dev", "test"):
                score = getattr(branch.result, name)
                if score is not None:
                    text.append(f"{name:<6} cost {score.cost_text}  error {score.error:.4g}\n")
        if branch.note:
            text.append(f"\n{clean(branch.note, 500)}\n", "italic")
        text.append("\nEdits\n", "bold")
        for edit in branch.edits[-30:]:
            shared = "dim" if edit.step < branch.fork else ""
            text.append(f"{edit.step:>8,}  {clean(symbol(edit.name), 20)} {shown(edit.old)} → {shown(edit.new)}\n", shared)
        if not branch.edits:
            text.append("none\n", "dim")
        self.query_one("#branch", Static).update(text)

    # -- what the keys do ---------------------------------------------------------------------------------------------

    def action_switch(self) -> None:
        """Go to the tip of the chosen branch."""
        if self._chosen is not None:
            self.dismiss(self._chosen.name if self._chosen.name != self._monitor.current else "")

    def action_compare(self) -> None:
        """Draw the chosen branch beside the current one, or no more."""
        branch, monitor = self._chosen, self._monitor
        if branch is not None and branch.name != monitor.current:
            monitor.compare(branch.name)
            self._refresh()

    def action_rename(self) -> None:
        """Ask for another name."""
        branch = self._chosen
        if branch is not None:

            def typed(name: str | None) -> None:
                if name:
                    self._send(Rename(branch.name, name))

            question = f"Another name for {clean(branch.name, 60)}:"
            self.app.push_screen(PromptScreen(literal("Rename"), question, branch.name, MAX_NAME), typed)

    def action_note(self) -> None:
        """Ask for a note."""
        branch = self._chosen
        if branch is not None:

            def typed(note: str | None) -> None:
                if note is not None:
                    self._send(Describe(branch.name, note))

            self.app.push_screen(PromptScreen(literal("Note"), f"About {clean(branch.name, 60)}:", branch.note), typed)

    def action_delete(self) -> None:
        """Ask, then delete."""
        branch = self._chosen
        if branch is None:
            return
        if branch.name == self._monitor.current:
            refused = literal("The branch one stands on cannot be deleted. Switch to another first.")
            notify(self, refused, severity="warning")
            return
        steps = branch.step - branch.fork
        text = f"{clean(branch.name, 60)} has {steps:,} steps of its own. Deleted, it cannot be brought back."

        def chosen(answer: str | None) -> None:
            if answer == "delete":
                self._send(Delete(branch.name))

        answers = (Answer("", "k", "keep it"), Answer("delete", "d", "delete it"))
        self.app.push_screen(ChoiceScreen(literal("Delete a branch"), text, answers), chosen)
