"""A list of hyperparameters that can be edited in place, in the course's order of tuning.

Shows the applied value of each, never the wished one; what becomes of an edit stands beside it. Knows the table, and is
told values and states; it posts `Edited` and does not wait.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from workbench.files.text import clean
from workbench.hyperparameters import LIVE, Hyperparameters, get
from workbench.spec import InvalidValue, Kind, Spec, Value
from workbench.ui.doors.text import segment
from workbench.ui.messages import Edited
from workbench.ui.state.monitor import EditState
from workbench.ui.state.wording import shown

HEADINGS = {1: "tune first", 2: "then", 3: "later", 4: "almost never"}
LABEL, VALUE = 16, 9
MOST_LAYER_ROWS = 6
_NUMBER_STARTS = frozenset("0123456789.x/*×")


@dataclass(frozen=True, slots=True)
class Row:
    """One line: a hyperparameter (or one layer of it), or a heading where `name` is empty."""

    name: str
    label: str


def rows_for(specs: Iterable[Spec], hidden_layers: int) -> list[Row]:
    """The lines of the editor for these hyperparameters of a network with so many hidden layers."""
    rows: list[Row] = []
    live = list(specs)
    for priority, heading in HEADINGS.items():
        rows.append(Row("", heading))
        for spec in live:
            if spec.priority != priority or (spec.per_layer and not hidden_layers):
                continue
            rows.append(Row(spec.name, _label(spec)))
            if spec.per_layer and 1 < hidden_layers <= MOST_LAYER_ROWS:
                rows += [Row(f"{spec.name}.{l}", f"  layer {l}") for l in range(1, hidden_layers + 1)]
    return rows


def _label(spec: Spec) -> str:
    words = spec.name.replace("batchnorm", "BN").replace("_", " ")
    greek = spec.symbol if any(ord(each) > 127 for each in spec.symbol) and not spec.symbol.startswith("BN") else ""
    return f"{words} {greek}".strip()


class Editor(ScrollView, can_focus=True):
    """The list. ↑ ↓ choose, ← → or + - step on the parameter's own scale, typing starts a value, Enter applies, Escape leaves."""

    class Described(Message):
        """The cursor stands on another row, or there is something new to say about it."""

        def __init__(self, name: str, problem: str) -> None:
            """`problem` is why what was typed cannot be applied, or empty."""
            super().__init__()
            self.name, self.problem = name, problem

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "editor--heading", "editor--cursor", "editor--draft", "editor--pending", "editor--applied", "editor--refused",
        "editor--unused",
    }  # fmt: skip

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._specs = LIVE
        self._rows = rows_for(self._specs.values(), 0)
        self._cursor = 1
        self._draft: str | None = None
        self._typed = False
        self._values: Hyperparameters | None = None
        self._states: Mapping[str, EditState] = {}
        self._unused: frozenset[str] = frozenset()
        self._alpha_now = ""

    @property
    def current(self) -> str:
        """The name under the cursor."""
        return self._rows[self._cursor].name

    def tell(
        self, specs: Mapping[str, Spec], values: Hyperparameters, states: Mapping[str, EditState], unused: frozenset[str],
        alpha_now: str,
    ) -> None:  # fmt: skip
        """What can be edited, what is applied, how edits stand, what has no effect now, and the scheduled learning rate."""
        self._specs = specs
        rows = rows_for(specs.values(), len(values.keep_prob))
        if rows != self._rows:
            name = self.current
            self._rows = rows
            self._cursor = next((i for i, row in enumerate(rows) if row.name == name), 1)
        self._values, self._states, self._unused, self._alpha_now = values, dict(states), unused, alpha_now
        self.virtual_size = Size(self._width, len(self._rows))
        self.refresh()

    def value_of(self, name: str) -> Value | None:
        """The applied value of a row, None before it is known."""
        return None if self._values is None else get(self._values, name)

    def go_to(self, name: str) -> None:
        """Put the cursor on a hyperparameter."""
        self._move_to(next((i for i, row in enumerate(self._rows) if row.name == name), self._cursor))

    def suggest(self, name: str, value: Value) -> None:
        """Begin to edit a hyperparameter, with a value typed in; Enter applies it."""
        self.go_to(name)
        if self.value_of(self.current) is not None:
            self._draft, self._typed = shown(value), self._spec().kind is not Kind.CHOICE
            self._describe()
            self.refresh()

    def on_mount(self) -> None:
        """Say what the cursor stands on."""
        self.virtual_size = Size(self._width, len(self._rows))
        self._describe()

    def _describe(self, problem: str = "") -> None:
        self.post_message(self.Described(self.current, problem))

    # -- keys ---------------------------------------------------------------------------------------------------------

    def on_key(self, event: events.Key) -> None:
        """All keys of the editor; what it does not know goes on to the screen."""
        used = self._key_in_list(event) if self._draft is None else self._key_in_draft(event)
        if used:
            event.stop()
            event.prevent_default()
            self.refresh()

    def _key_in_list(self, event: events.Key) -> bool:
        match event.key:
            case "up" | "k":
                self._move(-1)
            case "down" | "j":
                self._move(1)
            case "home":
                self._move_to(1)
            case "end":
                self._move_to(len(self._rows) - 1)
            case "pageup":
                self._move(-max(1, self.size.height - 2))
            case "pagedown":
                self._move(max(1, self.size.height - 2))
            case "right" | "plus" | "equals_sign":
                self._step(1)
            case "left" | "minus":
                self._step(-1)
            case "enter":
                self._begin()
            case _ if event.character in _NUMBER_STARTS and self._spec().kind is not Kind.CHOICE:
                if self.value_of(self.current) is not None:
                    self._draft, self._typed = event.character, True
            case _:
                return False
        return True

    def _key_in_draft(self, event: events.Key) -> bool:
        assert self._draft is not None
        choice = self._spec().kind is Kind.CHOICE
        exponent = self._typed and self._draft[-1:] in ("e", "E")
        match event.key:
            case "escape":
                self._leave()
            case "enter":
                self._apply()
            case "up" | "down":
                self._leave()
                self._move(1 if event.key == "down" else -1)
            case "backspace":
                self._draft, self._typed = self._draft[:-1], True
                self._describe()
            case "right":
                self._step(1)
            case "left":
                self._step(-1)
            case "plus" | "minus" if not exponent and not choice:
                self._step(1 if event.key == "plus" else -1)
            case _ if event.is_printable and event.character is not None and not choice:
                self._draft = (self._draft if self._typed else "") + event.character
                self._typed = True
                self._describe()
            case "tab" | "shift+tab":
                self._leave()
                return False
            case _:
                return bool(event.is_printable)  # a letter must not pause or quit while a value is being chosen
        return True

    def _spec(self) -> Spec:
        return self._specs[self.current.partition(".")[0]]

    def _move(self, by: int) -> None:
        target = min(max(self._cursor + by, 1), len(self._rows) - 1)
        if not self._rows[target].name:  # a heading
            target += 1 if by > 0 else -1
        self._move_to(target)

    def _move_to(self, row: int) -> None:
        if 0 < row < len(self._rows) and self._rows[row].name:
            self._cursor = row
            top = 0 if row == 1 and self.size.height > 1 else row
            self.scroll_to_region(Region(0, top, self.size.width, 1), animate=False, force=True)
            self._describe()
            self.refresh()

    def _step(self, direction: int) -> None:
        value = self.value_of(self.current)
        if value is None:
            return
        spec = self._spec()
        if self._draft is not None:
            try:
                value = spec.parse(self._draft, value)
            except InvalidValue as error:
                self._describe(str(error))
                return
        stepped = spec.stepped(value[0] if isinstance(value, tuple) else value, direction)
        self._draft, self._typed = shown(stepped), False
        self._describe()

    def _begin(self) -> None:
        value = self.value_of(self.current)
        if value is not None:
            text = ",".join(shown(each) for each in value) if isinstance(value, tuple) and len(set(value)) > 1 else shown(value)
            self._draft, self._typed = text, self._spec().kind is not Kind.CHOICE

    def _apply(self) -> None:
        assert self._draft is not None
        name, current = self.current, self.value_of(self.current)
        try:
            value = self._spec().parse(self._draft, current)
        except InvalidValue as error:
            self._describe(str(error))
            return
        self._draft = None
        if value != current:
            self.post_message(Edited(name, value))
        self._describe()

    def _leave(self) -> None:
        self._draft = None
        self._describe()

    def on_blur(self) -> None:
        """Leaving the editor leaves the value."""
        if self._draft is not None:
            self._leave()
            self.refresh()

    def on_click(self, event: events.Click) -> None:
        """A click chooses a row, another one on it edits its value."""
        row = event.y + self.scroll_offset.y
        if not 0 <= row < len(self._rows) or not self._rows[row].name:
            return
        if row == self._cursor and self._draft is None:
            self._begin()
        elif row != self._cursor:
            self._draft = None
            self._move_to(row)
        self.refresh()

    # -- lines --------------------------------------------------------------------------------------------------------

    @property
    def _width(self) -> int:
        """Beside the scrollbar."""
        return self.scrollable_content_region.width

    def render_line(self, y: int) -> Strip:
        """One line of the list."""
        number = y + self.scroll_offset.y
        width = self._width
        base = self.rich_style
        if number >= len(self._rows):
            return Strip.blank(width, base)
        row = self._rows[number]
        if not row.name:
            style = base + self.get_component_rich_style("editor--heading", partial=True)
            return Strip([segment(f"{row.label} ".ljust(width, "─")[:width], style)])
        here = number == self._cursor
        if row.name in self._unused:
            base += self.get_component_rich_style("editor--unused", partial=True)
        if here and self.has_focus:
            base += self.get_component_rich_style("editor--cursor", partial=True)
        segments = [segment(f"{'▸' if here else ' '}{row.label[:LABEL]:<{LABEL}}", base), *self._value_segments(row, here, base)]
        return Strip(segments).adjust_cell_length(width, base)

    def _value_segments(self, row: Row, here: bool, base: Style) -> list[Segment]:
        room = max(self._width - LABEL - 1, 4)
        value = self.value_of(row.name)
        text = "–" if value is None else shown(value)
        if here and self._draft is not None:
            style = base + self.get_component_rich_style("editor--draft", partial=True)
            ends = "◂ ▸" if self._spec().kind is Kind.CHOICE else "   "
            draft = f"{ends[0]}{clean(self._draft, 30)}{'▏' if self._typed else ''}{ends[2]}".strip()
            return [segment(f"{draft} ⏎"[:room], style)]
        kind, note = self._state(row.name)
        segments = [segment(f"{text:<{VALUE}}"[: max(min(VALUE, len(text)), room - len(note) - 1)], base)]
        if note:
            style = base + self.get_component_rich_style(f"editor--{kind}", partial=True)
            segments.append(segment(f" {note}"[: max(0, room - len(segments[0].text))], style))
        return segments

    def _state(self, name: str) -> tuple[str, str]:
        state = self._states.get(name)
        if state is not None and state.kind == "pending":
            return "pending", f"… {shown(state.value)}"
        if state is not None and state.kind == "refused":
            return "refused", "✗ refused"
        if name == "learning_rate" and self._alpha_now:
            return "applied", f"now {self._alpha_now}"
        if state is not None:
            return "applied", f"✓@{state.step if state.step < 10_000 else f'{state.step / 1000:.0f}k'}"
        return "unused", "·" if name in self._unused else ""
