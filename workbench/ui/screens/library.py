"""The library: presets and saved sessions, with what they are about."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Footer

from workbench.files.errors import InputError
from workbench.files.text import clean, clean_lines, literal
from workbench.ui.actions import LIBRARY, bindings, key_names
from workbench.ui.dialogs.help import HelpScreen
from workbench.ui.doors.border import set_subtitle, set_title
from workbench.ui.doors.notice import notify
from workbench.ui.doors.options import Option, OptionList
from workbench.ui.doors.text import Static, Text
from workbench.ui.messages import Chosen
from workbench.ui.screens.screen import WorkbenchScreen

if TYPE_CHECKING:
    from workbench.session.opening import Opened

INTRODUCTION = (
    "A preset is a network, its data and its hyperparameters: Enter starts training it, and everything under [training] can be "
    "edited while it trains. A session is a run that was saved, with every edit; Enter opens it where it stopped."
)


class LibraryScreen(WorkbenchScreen):
    """A list on the left, the chosen entry on the right."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings(LIBRARY)]

    def __init__(self, folder: Path) -> None:
        """Sessions are looked for in `folder`."""
        super().__init__()
        self._folder = folder
        self._found: dict[str, Opened | InputError] = {}

    def compose(self) -> ComposeResult:
        """List and description."""
        yield Static(Text(" Workbench   train a network, and change it while it trains"), id="status")
        with Horizontal(id="library"):
            yield OptionList(id="entries")
            with VerticalScroll(id="about", can_focus=False):
                yield Static(Text(INTRODUCTION), id="description")
        yield Footer()

    def on_mount(self) -> None:
        """Say on the borders what is where."""
        entries = self.query_one(OptionList)
        set_title(entries, literal("Presets and sessions"))
        set_subtitle(entries, literal("Enter opens"))
        set_title(self.query_one("#about"), literal("About"))

    def on_screen_resume(self) -> None:
        """Read the folders after the first frame, and again whenever one comes back: sessions may have been saved."""
        self.set_timer(0.02, self.action_refresh)

    def action_refresh(self) -> None:
        """Read presets and sessions anew; files that cannot be read are listed with the reason."""
        from workbench.ui.screens.catalogue import presets, sessions

        entries = self.query_one(OptionList)
        kept = entries.highlighted_option.id if entries.highlighted_option is not None else None
        entries.clear_options()
        self._found.clear()
        self._list(entries, "Presets", presets(), "none found")
        self._list(entries, "Sessions", sessions(self._folder), f"none yet in {clean(str(self._folder), 60)}")
        entries.highlighted = entries.get_option_index(kept) if kept in self._found else 1
        entries.focus()

    def _list(self, entries: OptionList, title: str, found: Iterable[tuple[Path, Text, Opened | InputError]], none: str) -> None:
        entries.add_option(Option(Text(title, "bold"), disabled=True))
        count = entries.option_count
        for path, line, content in found:
            self._found[str(path)] = content
            entries.add_option(Option(line, id=str(path)))
        if entries.option_count == count:
            entries.add_option(Option(Text(f"  {none}", "italic dim"), disabled=True))

    @on(OptionList.OptionHighlighted)
    def _highlighted(self, event: OptionList.OptionHighlighted) -> None:
        found = self._found.get(event.option.id or "")
        if found is not None:
            from workbench.ui.screens.catalogue import describe

            self.query_one("#description", Static).update(describe(found))
            self.query_one("#about", VerticalScroll).scroll_home(animate=False)

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        found = self._found.get(event.option.id or "")
        if isinstance(found, InputError):
            notify(self, clean_lines(str(found)), severity="error", timeout=10)
        elif found is not None:
            self.app.post_message(Chosen(found))

    def action_open(self) -> None:
        """Open what is highlighted."""
        self.query_one(OptionList).action_select()

    def action_help(self) -> None:
        """Keys, and what presets and sessions are."""
        self.app.push_screen(HelpScreen((), LIBRARY, [("Library", INTRODUCTION)], key_names(self.app)))
