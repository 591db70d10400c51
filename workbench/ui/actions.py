"""The one table of actions: what can be done by a key, where, and how it is told of.

The bindings of screens and panels, the footer, the command palette, help, the user's file of keys and every text that names
a key come from here. Who does an action is not said here: a screen or a panel has the bindings of its own part of the table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from textual.app import App
from textual.binding import Binding
from textual.keys import REPLACED_KEYS, key_to_character

from workbench.ui.state.layout import Slot


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """Something that a key does.

    Attributes:
        id: its part of the table and its name there, `travel.undo`: what the user's file of keys calls it.
        keys: by Textual's names, with commas between.
        about: what it does, for help and the file of keys.
        footer: its word in the footer; empty where it does not stand there.
        palette: its line in the command palette; empty where it does not stand there.
        does: the method of a panel that does it, as Textual writes actions; empty where a screen has it done by a part.
        display: how the key is spelt where Textual would spell it otherwise.
        priority: whether it comes before what the focused widget does with the key.
    """

    id: str
    keys: str
    about: str
    footer: str = ""
    palette: str = ""
    does: str = ""
    display: str = ""
    priority: bool = False

    @property
    def binding(self) -> Binding:
        """For the `BINDINGS` of whoever has it."""
        return Binding(
            self.keys, self.does or f"perform('{self.id}')", self.footer or self.about, show=bool(self.footer),
            key_display=self.display or None, priority=self.priority, tooltip=self.about, id=self.id,
        )  # fmt: skip

    @property
    def key(self) -> str:
        """Its first key, as it is on the keyboard."""
        return self.display or spelt(self.keys.split(",")[0])


Performers = Mapping[str, Callable[[], None]]
"""Who does what, by the ids of actions."""

RUN = (
    Action(id="training.pause", keys="space", about="Pause or go on", footer="Pause", palette="Pause or go on"),
    Action(id="training.step", keys="s", about="Take one step and pause", palette="Take one step"),
)
TRAVEL = (
    Action(
        id="travel.undo", keys="u", about="Undo the last edit: its value, or the model too", footer="Undo",
        palette="Undo the last edit",
    ),
    Action(id="travel.redo", keys="U", about="Take the last undo back", palette="Redo"),
    Action(
        id="travel.rewind", keys="r", about="Move a cursor along the curves, and go back to a step",
        footer="Rewind", palette="Rewind to an earlier step",
    ),
    Action(
        id="travel.what_if", keys="f", about="Train copies with other values beside this run", footer="What if",
        palette="What if: train copies with other values",
    ),
    Action(
        id="travel.branches", keys="v", about="The tree: switch, compare, rename, delete", footer="Branches", palette="Branches"
    ),
    Action(
        id="travel.go_to", keys="g", about="On after a stop; the best so far; the start",
        palette="Go to the best, the start, or on after a stop",
    ),
    Action(id="travel.find_rate", keys="a", about="Learning-rate finder", palette="Learning-rate finder"),
    Action(id="travel.note", keys="n", about="Write a note on this step, or on the chosen edit", palette="Write a note"),
    Action(id="travel.schedule", keys="w", about="Turn the edits into a preset's schedule", palette="Timeline to schedule"),
)  # fmt: skip
PANELS = tuple(
    Action(id=f"view.panel{slot.number}", keys=str(slot.number), about=slot.title, palette=f"Panel: {slot.title}")
    for slot in Slot
)
VIEW = (
    Action(id="view.zoom", keys="z", about="Give the panel the whole screen, and back", palette="Zoom the panel"),
    Action(id="view.next", keys="tab", about="Next panel", palette="Panel: the next"),
    Action(id="view.before", keys="shift+tab", about="Panel before", palette="Panel: the one before"),
    *PANELS,
    Action(id="view.layout", keys="y", about="Which panels are seen", palette="Layout: choose one"),
    Action(id="view.narrower", keys="less_than_sign", about="Left side narrower", display="<", palette="Left side narrower"),
    Action(id="view.wider", keys="greater_than_sign", about="Left side wider", display=">", palette="Left side wider"),
    Action(id="view.lower", keys="left_curly_bracket", about="Charts lower", display="{", palette="Charts lower"),
    Action(id="view.higher", keys="right_curly_bracket", about="Charts higher", display="}", palette="Charts higher"),
    Action(id="view.quantity", keys="c", about="What the chart shows", palette="Chart: choose what it shows"),
    Action(id="view.next_quantity", keys="t", about="Next quantity", palette="Chart: next quantity"),
    Action(
        id="view.axis", keys="x", about="x counts steps, epochs or seconds", palette="Chart: steps, epochs or seconds"
    ),
    Action(id="view.beta_down", keys="left_square_bracket", about="EWMA β down", display="[", palette="EWMA: fewer steps"),
    Action(id="view.beta_up", keys="right_square_bracket", about="EWMA β up", display="]", palette="EWMA: more steps"),
    Action(
        id="view.correction", keys="b", about="Bias correction of the EWMA", palette="EWMA: bias correction on or off"
    ),
    Action(id="view.log", keys="l", about="Logarithmic axis of the chart", palette="Chart: logarithmic or linear"),
    Action(
        id="view.twin", keys="m",
        about="The same run without batch norm (or with it), trained beside this one: drift side by side",
        palette="Twin: the same run without batch norm, or with it",
    ),
)  # fmt: skip
LEAVE = (
    Action(id="training.edit", keys="e", about="Go to the hyperparameters", footer="Edit", palette="Edit hyperparameters"),
    Action(id="training.save", keys="ctrl+s", about="Save the session", palette="Save the session"),
    Action(id="training.help", keys="question_mark", about="Help", footer="Help", display="?", palette="Help"),
    Action(id="training.quit", keys="q", about="Save and quit (ctrl+q too)", footer="Quit"),
    Action(
        id="training.library", keys="escape", about="Save and go to the library", palette="Save and go to the library"
    ),
)  # fmt: skip
CHART = (
    Action(id="chart.back", keys="left", about="Back", does="pan(-0.25)"),
    Action(id="chart.on", keys="right", about="On", does="pan(0.25)"),
    Action(id="chart.in", keys="plus,equals_sign", about="Zoom in", does="zoom(0.5)", display="+", palette="Chart: zoom in"),
    Action(id="chart.out", keys="minus", about="Zoom out", does="zoom(2)", display="-", palette="Chart: zoom out"),
    Action(id="chart.all", keys="0", about="All of the run", does="all", palette="Chart: all of the run"),
    Action(
        id="chart.recent", keys="full_stop", about="The last 500 steps", does="recent", display=".",
        palette="Chart: the last 500 steps",
    ),
    Action(id="chart.log", keys="l", about="Logarithmic axis", does="log"),
    Action(id="chart.export", keys="p", about="Save as SVG and CSV", does="export", palette="Chart: save as SVG and CSV"),
)  # fmt: skip
UNITS = (
    Action(id="norm.before", keys="left", about="Layer before", does="layer(-1)", priority=True),
    Action(id="norm.next", keys="right", about="Next layer", does="layer(1)", priority=True),
    Action(id="norm.sort", keys="o", about="Sort by the next column", does="sort"),
)
MODEL = (
    Action(id="model.before", keys="left", about="View before", does="view(-1)"),
    Action(id="model.next", keys="right", about="Next view", does="view(1)"),
)
CURSOR = (
    Action(id="cursor.back", keys="left", about="Back by a hundredth of the run", footer="Back", does="move(-1)"),
    Action(id="cursor.on", keys="right", about="On by a hundredth of the run", footer="On", does="move(1)"),
    Action(id="cursor.step_back", keys="comma", about="A step back", does="by(-1)", display=","),
    Action(id="cursor.step_on", keys="full_stop", about="A step on", does="by(1)", display="."),
    Action(id="cursor.far_back", keys="pageup", about="Far back", does="move(-10)"),
    Action(id="cursor.far_on", keys="pagedown", about="Far on", does="move(10)"),
    Action(id="cursor.start", keys="home", about="To the start", does="to(0)"),
    Action(id="cursor.end", keys="end", about="To the last step", does="end"),
    Action(id="cursor.best", keys="b", about="To the best dev cost", does="best"),
    Action(id="cursor.choose", keys="enter", about="Go there", footer="Go there", does="choose"),
    Action(id="cursor.leave", keys="escape,r", about="Leave", footer="Leave", does="close", display="esc"),
)
LIBRARY = (
    Action(id="library.open", keys="enter", about="Open", footer="Open", does="open"),
    Action(id="library.refresh", keys="r", about="Read the folders again", footer="Refresh", does="refresh"),
    Action(id="library.help", keys="question_mark", about="Help", footer="Help", does="help", display="?"),
    Action(id="library.quit", keys="q", about="Quit", footer="Quit", does="quit_saving"),
)
TRAINING = (*RUN, *TRAVEL, *VIEW, *LEAVE)
"""What the training screen has done by its parts."""
PARTS = (TRAINING, CHART, UNITS, MODEL, CURSOR, LIBRARY)
"""The table by who has the bindings: within a part, a key does one thing."""
ACTIONS: Mapping[str, Action] = {each.id: each for part in PARTS for each in part}


def bindings(actions: Iterable[Action]) -> list[Binding]:
    """The `BINDINGS` of a screen or a panel."""
    return [each.binding for each in actions]


_ARROWS = {"left": "←", "right": "→", "up": "↑", "down": "↓"}


def spelt(key: str) -> str:
    """A key by Textual's name as it is on the keyboard: `?` for `question_mark`, `/` for `slash`."""
    if key in _ARROWS:
        return _ARROWS[key]
    character = key_to_character(REPLACED_KEYS.get(key, key))
    return character if character is not None and character.isprintable() and character != " " else key


NO_KEY = "no key"


class KeyNames:
    """What the keys are called now: as the user has them, who may have chosen others than the table's.

    An action that has none of its keys left, because others of its part have got them, has `NO_KEY`.
    """

    def __init__(self, chosen: Mapping[str, str] | None = None) -> None:
        """`chosen` has keys by the ids of actions, as a keymap of Textual has them."""
        chosen = chosen or {}
        self._names = {id: spelt(keys.split(",")[0]) for id, keys in chosen.items()}
        for part in PARTS:
            taken = {key for each in part if each.id in chosen for key in chosen[each.id].split(",")}
            for each in part:
                first, *others = each.keys.split(",")
                left = [each.key] * (first not in taken) + [spelt(key) for key in others if key not in taken]
                self._names.setdefault(each.id, next(iter(left), NO_KEY))

    def of(self, id: str) -> str:
        """The key of an action."""
        return self._names[id]

    def fill(self, text: str) -> str:
        """A text with keys in the place of the ids in it: `{travel.undo} undoes the last edit`."""
        return _PLACE.sub(lambda found: self.of(found[1]), text)


_PLACE = re.compile(r"\{([a-z]+\.[a-z_0-9]+)\}")
_OWN = KeyNames()


def key_names(app: App[Any]) -> KeyNames:
    """Those of an app that has some, else the table's own."""
    found = getattr(app, "key_names", _OWN)
    return found if isinstance(found, KeyNames) else _OWN
