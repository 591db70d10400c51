"""The app: which screen is seen, and what all screens share.

Imports what draws the first frame; NumPy, plotext and the engine's connection come when a run is opened.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import RenderableType
from textual import events, on
from textual._context import active_message_pump
from textual.app import App, SystemCommand
from textual.css.query import NoMatches
from textual.dom import DOMNode
from textual.driver import Driver
from textual.message import Message
from textual.screen import ModalScreen, Screen
from textual.theme import ThemeProvider
from textual.widget import Widget
from textual.worker import WorkerFailed

from workbench.files.text import clean, clean_lines
from workbench.ui.actions import ACTIONS, KeyNames
from workbench.ui.doors.notice import notify
from workbench.ui.failures import Failures
from workbench.ui.messages import Chosen
from workbench.ui.palette import Palette
from workbench.ui.screens.library import LibraryScreen
from workbench.ui.screens.screen import WorkbenchScreen
from workbench.ui.themes import READABLE

if TYPE_CHECKING:
    from workbench.runtime.shutdown import Shutdown
    from workbench.session.opening import Opened

WRONG = "something went wrong that should not have"


class WorkbenchApp(App[None]):
    """Opens on the library, or straight on what was named on the command line."""

    TITLE = "Workbench"
    CSS_PATH = Path(__file__).with_name("workbench.tcss")

    def __init__(
        self, folder: Path, opened: Opened | None = None, shutdown: Shutdown | None = None,
        autosave_seconds: float = 10.0, snapshot_bytes: int = 256 * 2**20,
    ) -> None:  # fmt: skip
        """Sessions are kept in `folder`; `shutdown` tells when the terminal, or the system, wants the app to end."""
        super().__init__()
        self._ending = shutdown
        self._keeping = autosave_seconds, snapshot_bytes
        self._folder, self._opened = folder, opened
        self.key_names = KeyNames()
        self.farewell = ""
        """What is to be said when the terminal is its own again."""
        self._failures = Failures()

    def get_css_variables(self) -> dict[str, str]:
        """Those of the theme, with text that can be read."""
        self.theme_variables = {**super().get_css_variables(), **READABLE.get(self.theme, {})}
        return self.theme_variables

    def get_driver_class(self) -> type[Driver]:
        """One that never waits for the terminal, where there is one."""
        kind = super().get_driver_class()
        if sys.platform != "win32" and kind.__name__ == "LinuxDriver":
            from workbench.ui.driver import TerminalDriver

            return TerminalDriver
        return kind

    def on_mount(self) -> None:
        """The library, and on it what was named on the command line; told to end, the app ends as `q` does."""
        if self._ending is not None:
            loop = asyncio.get_running_loop()
            self._ending.watch(lambda: loop.call_soon_threadsafe(self.call_later, self.action_quit))
        self.install_screen(LibraryScreen(self._folder), "library")
        self.push_screen("library")
        if self._opened is None:
            self.call_after_refresh(self._take_keys)
        else:
            self._take_keys()  # before anything names them
            self._train(self._opened)

    def _take_keys(self) -> None:
        """The keys of the user's own file, if there is one."""
        from workbench.ui.preferences.keys import keys_path, read_keys

        path = keys_path()
        if path.exists():
            found = read_keys(path, {action.id: action.about for action in ACTIONS.values()})
            self.key_names = KeyNames(found.keymap)
            self.set_keymap(found.keymap)
            self._complain(found.problems)

    def _complain(self, problems: tuple[str, ...]) -> None:
        for problem in problems[:5]:
            notify(self, clean(problem, 700), severity="warning", timeout=15)

    @on(Chosen)
    def _chosen(self, message: Chosen) -> None:
        self._train(message.opened)

    def _train(self, opened: Opened) -> None:
        from workbench.session.session import Session
        from workbench.ui.engine_link import EngineLink, Keeping
        from workbench.ui.preferences.layout import layout_path, read_layout
        from workbench.ui.screens.training import TrainingScreen

        content = opened.content
        layout, problems = read_layout(layout_path())
        self._complain(problems)
        if layout.theme in self.available_themes:
            self.theme = layout.theme
        keeping = Keeping(*self._keeping)
        if isinstance(content, Session):
            link = EngineLink(content, opened.path, opened.path, keeping)
        else:
            link = EngineLink(Session(preset=content, seed=1), self._new_path(content.name), None, keeping)
        self.call_next(self.push_screen, TrainingScreen(link, layout))  # once the theme's colours are known

    def _new_path(self, preset_name: str) -> Path:
        from workbench.files.errors import InputError
        from workbench.session.store import fresh_name

        try:
            return fresh_name(self._folder, preset_name)
        except InputError:
            return self._folder / f"{preset_name}-1.toml"  # the save will say what is wrong with the folder

    async def on_event(self, event: events.Event) -> None:
        """What is pasted is escaped, whoever takes it: Textual's own lines to type on would show it as it is."""
        if isinstance(event, events.Paste) and not event.is_forwarded:  # else nobody took it, and it comes back
            event = events.Paste(clean_lines(event.text, None))
        await super().on_event(event)

    def action_command_palette(self) -> None:
        """Every command, to be searched."""
        if not isinstance(self.screen, Palette):
            self.push_screen(Palette(id="--command-palette"))

    def search_themes(self) -> None:
        """Every theme, to be searched."""
        self.push_screen(Palette(providers=[ThemeProvider], placeholder="Search for themes…"))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Every action of the screen, then Textual's own."""
        if isinstance(screen, WorkbenchScreen):
            yield from screen.commands()
        yield from super().get_system_commands(screen)

    async def action_quit(self) -> None:
        """Quit as the screen does it: the training screen saves first."""
        screens = (screen for screen in reversed(self.screen_stack) if isinstance(screen, WorkbenchScreen))
        next(screens).action_quit_saving()  # the library is always there

    def exit(self, result: None = None, return_code: int = 0, message: RenderableType | None = None) -> None:
        """End; the message is kept for whoever runs the app, because the terminal takes nothing yet."""
        self.farewell = self.farewell or (f"{message}\n" if message is not None else "")
        super().exit(result, return_code)

    # -- what should not have gone wrong ------------------------------------------------------------------------------

    # A handler, a worker, a timer or a drawing that raises must take neither the screen nor the run with it. Whatever runs for
    # Textual ends in `_handle_exception`; but a message that raised ends whoever was to handle it, so it is not let so far.

    def _register_child(self, parent: DOMNode, child: Widget, before: int | None, after: int | None) -> None:
        self._guard(child)
        super()._register_child(parent, child, before, after)

    def _start_widget(self, parent: Widget, widget: Widget) -> None:
        self._guard(widget)  # a scroll bar: it is not registered
        super()._start_widget(parent, widget)

    def _guard(self, widget: Widget) -> None:
        if "_dispatch_message" not in vars(widget):
            dispatch = partial(self._dispatched, widget._dispatch_message)
            widget._dispatch_message = dispatch  # type: ignore[method-assign]

    async def _dispatch_message(self, message: Message) -> None:
        await self._dispatched(super()._dispatch_message, message)

    async def _dispatched(self, dispatch: Callable[[Message], Awaitable[None]], message: Message) -> None:
        try:
            await dispatch(message)
        except Exception as error:
            self._failed(error, asked_for=isinstance(message, events.InputEvent))

    def _handle_exception(self, error: Exception) -> None:
        self._failed(error, asked_for=False)

    def _failed(self, error: Exception, asked_for: bool) -> None:
        """Tell it in one line, save, and go on where that is possible; else end in order: the engine saves then."""
        error = error.error if isinstance(error, WorkerFailed) and isinstance(error.error, Exception) else error
        pump = active_message_pump.get(None)
        if isinstance(error, NoMatches) and isinstance(pump, Widget) and (pump._pruning or not pump.is_attached):
            return  # it looks for a part of its own while it is taken down, and the parts go first
        if self.is_headless and self._exception is None:
            self._exception = error  # a test fails of it
        failure = self._failures.record(error, asked_for)
        if self._exit:
            return
        unborn = pump if pump is not None and not pump._is_mounted else None  # what it is made of may be missing
        dialog = unborn if isinstance(unborn, ModalScreen) else None
        if failure.incessant or not self.is_running or (dialog is None and isinstance(unborn, (App, Screen))):
            self.farewell = clean(f"workbench: {WRONG} ({failure.what}); a report is in {failure.report}", 700) + "\n"
            self.exit(return_code=1)
            return
        if dialog is not None:
            self.call_later(self._put_away, dialog)
        if failure.new or asked_for:
            text = f"{WRONG.capitalize()} ({failure.what}). A report is in {failure.report}"
            notify(self, clean(text, 500), severity="error", timeout=15)
        if failure.new:
            self._keep()

    def _keep(self) -> None:
        for screen in self.screen_stack:
            if isinstance(screen, WorkbenchScreen):
                screen.keep()

    def _put_away(self, dialog: Screen[object]) -> None:
        if self.screen is dialog:
            self.pop_screen()
