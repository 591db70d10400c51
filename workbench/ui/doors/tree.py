"""Trees."""

from __future__ import annotations

from rich.text import Text as RichText
from textual import widgets
from textual.widgets.tree import TreeNode

from workbench.ui.doors.text import Text


class Tree(widgets.Tree[str]):
    """A tree whose nodes have names, which are not seen: what is seen are their labels."""

    def process_label(self, label: RichText | str) -> Text:
        """What every label goes through. A node takes a bare `str` too: it is no markup, and escaped."""
        return Text().append(label).lines()[0]


def grow(node: TreeNode[str], label: Text, name: str) -> TreeNode[str]:
    """One more node below another, open."""
    return node.add(label, data=name, expand=True)


def relabel(node: TreeNode[str], label: Text) -> None:
    """Another label for a node."""
    node.set_label(label)
