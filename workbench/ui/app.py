"""The app: which screen is seen, and what all screens share."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import App, SystemCommand
from textual.binding import BindingType
from textual.screen import Screen

from workbench.session.errors import InputError
from workbench.session.opening import Opened
from workbench.session.preset import Preset
from workbench.session.session import Session
from workbench.session.store import fresh_name
from workbench.ui.messages import Chosen
from workbench.ui.screens.library import LibraryScreen
from workbench.ui.screens.training import TrainingScreen


class WorkbenchApp(App[None]):
    """Opens on the library, or straight on what was named on the command line."""

    TITLE = "Workbench"
    CSS_PATH = "workbench.tcss"
    BINDINGS: ClassVar[list[BindingType]] = []

    def __init__(self, folder: Path, opened: Opened | None = None) -> None:
        """Sessions are kept in `folder`."""
        super().__init__()
        self._folder, self._opened = folder, opened

    def on_mount(self) -> None:
        """The library, and on it what was named on the command line."""
        self.install_screen(LibraryScreen(self._folder), "library")
        self.push_screen("library")
        if self._opened is not None:
            self._train(self._opened)

    @on(Chosen)
    def _chosen(self, message: Chosen) -> None:
        self._train(message.opened)

    def _train(self, opened: Opened) -> None:
        content = opened.content
        if isinstance(content, Session):
            self.push_screen(TrainingScreen(content, opened.path, opened.path))
            return
        self.push_screen(TrainingScreen(Session(preset=content, seed=1), self._path_for(content), None))

    def _path_for(self, preset: Preset) -> Path:
        try:
            return fresh_name(self._folder, preset.name)
        except InputError:
            return self._folder / f"{preset.name}-1.toml"  # the save will say what is wrong with the folder

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Every action of the screen, then Textual's own."""
        if isinstance(screen, TrainingScreen):
            yield from screen.commands()
        yield from super().get_system_commands(screen)

    async def action_quit(self) -> None:
        """Quit as the screen does it: the training screen saves first."""
        if isinstance(self.screen, TrainingScreen):
            self.screen.action_quit_saving()
        else:
            self.exit()
