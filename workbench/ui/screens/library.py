"""The library: presets and saved sessions, with what they are about."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.screen import Screen
from textual.widgets import Footer, OptionList, Static
from textual.widgets.option_list import Option

from workbench.session.errors import InputError
from workbench.session.opening import Opened, read_either
from workbench.session.preset import Preset, find_presets
from workbench.session.session import Session
from workbench.session.store import list_sessions
from workbench.session.text import clean, clean_lines
from workbench.ui.messages import Chosen
from workbench.ui.monitor import shown
from workbench.ui.screens.help import HelpScreen

INTRODUCTION = (
    "A preset is a network, its data and its hyperparameters: Enter starts training it, and everything under [training] can be "
    "edited while it trains. A session is a run that was saved, with every edit; Enter opens it where it stopped."
)


class LibraryScreen(Screen[None]):
    """A list on the left, the chosen entry on the right."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Open"),
        Binding("r", "refresh", "Refresh", tooltip="Read the folders again"),
        Binding("question_mark", "help", "Help", key_display="?"),
        Binding("q,ctrl+q", "app.quit", "Quit", key_display="q"),
    ]

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
        """Read the folders."""
        self.query_one("#entries").border_title = "Presets and sessions"
        self.query_one("#entries").border_subtitle = "Enter opens"
        self.query_one("#about").border_title = "About"

    def on_screen_resume(self) -> None:
        """Sessions may have been saved meanwhile."""
        self.action_refresh()

    def action_refresh(self) -> None:
        """Read presets and sessions anew; files that cannot be read are listed with the reason."""
        entries = self.query_one(OptionList)
        kept = entries.highlighted
        entries.clear_options()
        self._found.clear()
        entries.add_option(Option(Text("Presets", "bold"), disabled=True))
        for path in find_presets():
            self._add(entries, path)
        entries.add_option(Option(Text("Sessions", "bold"), disabled=True))
        try:
            paths = list_sessions(self._folder)
        except InputError as error:
            paths = []
            entries.add_option(Option(Text(f"  {error}", "italic"), disabled=True))
        # The newest is what one most likely comes back for.
        for path in sorted(paths, key=_modified, reverse=True):
            self._add(entries, path)
        if not paths:
            entries.add_option(Option(Text(f"  none yet in {clean(str(self._folder), 60)}", "italic dim"), disabled=True))
        entries.highlighted = kept if kept is not None and kept < entries.option_count else 1
        entries.focus()

    def _add(self, entries: OptionList, path: Path) -> None:
        key = str(path)
        try:
            self._found[key] = opened = read_either(path)
        except InputError as error:
            self._found[key] = error
            entries.add_option(Option(Text(f"  {clean(path.stem, 30)}  ✗ cannot be read", no_wrap=True), id=key))
            return
        content = opened.content
        text = Text("  ", no_wrap=True, overflow="ellipsis")
        if isinstance(content, Preset):
            text.append(f"{clean(path.stem, 24):<22}", "bold")
            text.append(clean(content.title, 60))
        else:
            text.append(f"{clean(path.stem, 24):<22}", "bold")
            text.append(f"step {content.step:,}, {len(content.edits)} edits")
        entries.add_option(Option(text, id=key))

    @on(OptionList.OptionHighlighted)
    def _highlighted(self, event: OptionList.OptionHighlighted) -> None:
        found = self._found.get(event.option.id or "")
        if found is not None:
            self.query_one("#description", Static).update(describe(found))
            self.query_one("#about", VerticalScroll).scroll_home(animate=False)

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        found = self._found.get(event.option.id or "")
        if isinstance(found, InputError):
            self.notify(str(found), severity="error", timeout=10, markup=False)
        elif found is not None:
            self.app.post_message(Chosen(found))

    def action_open(self) -> None:
        """Open what is highlighted."""
        self.query_one(OptionList).action_select()

    def action_help(self) -> None:
        """Keys, and what presets and sessions are."""
        self.app.push_screen(HelpScreen(self, [("Library", INTRODUCTION)]))


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
    text.append(f"Stopped after step {session.step:,}, seed {session.seed}\n")
    if session.result is not None:
        for name in ("train", "dev", "test"):
            score = getattr(session.result, name)
            if score is not None:
                text.append(f"{name:<6} cost {score.cost:.4g}  error {score.error:.4g}\n")
    for edit in session.edits[-12:]:
        text.append(f"{edit.step:>8,}  {edit.name}  {shown(edit.old)} → {shown(edit.new)}\n")
    text.append("\n")
