"""Files with text in them that a terminal would obey, or an app read as markup: wherever it is shown, nothing of it gets through.

What is looked at is what the driver writes to the terminal, not what is on the screen.
"""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from driving import PATIENCE_SECONDS, Driven, Open, settle
from rich.cells import cell_len
from textual import events
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList

from tests import hostile
from tests.hostile import ALL, PIECES, got_through, obeyed
from workbench.session.preset import Preset
from workbench.session.session import Session
from workbench.session.store import read_session
from workbench.ui.actions import CHART, CURSOR, LIBRARY, MODEL, TRAINING, UNITS, Action
from workbench.ui.dialogs.branches import BranchesScreen
from workbench.ui.dialogs.prompt import PromptScreen
from workbench.ui.screens.library import LibraryScreen
from workbench.ui.screens.training import TrainingScreen
from workbench.ui.state.layout import Slot
from workbench.ui.state.monitor import Phase


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of sessions with a hostile name of its own, and with files that cannot be read."""
    folder = tmp_path / hostile.file_name(PIECES[0] + PIECES[2])
    folder.mkdir()
    (folder / f"{hostile.file_name(ALL)}.toml").write_text(f"format = 1\n{'x' * 3}\u202e = ")
    (folder / "unknown.toml").write_text('format = 1\n"\\u001b[2J\\u202e[/]x" = 3\ncurrent = "\\u009b2J[bold]"\n')
    return folder


@pytest.fixture
def session(make_session: Callable[..., Session], folder: Path, tmp_path: Path) -> Path:
    """A trained session in that folder, with hostile text wherever text is free."""
    plain = make_session(40, [(20, "learning_rate", 0.003)], batch_norm=True, evaluate_every=10, epochs=1000)
    return hostile.write_session(plain, tmp_path / "recorded.toml", folder)


@pytest.fixture
def shipped(make_preset: Callable[..., Preset], presets: Path) -> list[Path]:
    """Presets with hostile names and texts, in the place of the shipped ones."""
    return list(hostile.write_presets(make_preset(epochs=1_000_000), presets))


@pytest.fixture(autouse=True)
def somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written without a folder goes here."""
    monkeypatch.chdir(tmp_path)


def assert_nothing_got_through(written: list[str]) -> None:
    text = "".join(written)
    assert len(text) > 10_000, "the driver was not listened to"
    assert got_through(text) == []


async def drawn(it: Driven) -> None:
    """Whatever is on the screen now is written to the terminal, all of it anew."""
    await settle(it.pilot)
    it.app._display(it.app.screen, it.app.screen._compositor.render_update(full=True))


async def back(it: Driven) -> None:
    """Close what lies over the training screen."""
    while isinstance(it.app.screen, ModalScreen):
        before = len(it.app.screen_stack)
        await it.press("escape")
        await it.until(partial(lambda before: len(it.app.screen_stack) < before, before), "closed")


async def visit(it: Driven, action: Action) -> None:
    """Press the key of an action, see what comes, and come back."""
    await it.press(action.keys.split(",")[0])
    await drawn(it)
    await back(it)


def keys_of(*parts: tuple[Action, ...]) -> list[Action]:
    leaves = {"training.quit", "training.library", "cursor.choose", "library.quit", "library.open"}
    return [action for part in parts for action in part if action.id not in leaves]


async def test_every_action_of_a_hostile_session(workbench_app: Open, session: Path, written: list[str]):
    async with workbench_app(session, folder=session.parent) as it:
        await it.until_phase(Phase.PAUSED)
        for action in keys_of(TRAINING):
            await visit(it, action)
            if action.id == "travel.rewind":
                for each in keys_of(CURSOR):
                    await visit(it, each)
        for slot, part in ((Slot.FIRST_CHART, CHART), (Slot.UNITS, UNITS), (Slot.MODEL, MODEL)):
            it.training.area.go_to(slot)
            for action in keys_of(part):
                await visit(it, action)
        for slot in Slot:
            it.training.area.go_to(slot)
            await it.press("z", "down", "enter")
            await drawn(it)
            await back(it)
            await it.press("z")
        assert isinstance(it.app.screen, TrainingScreen)
    assert_nothing_got_through(written)


async def test_every_branch_its_prompts_and_the_chart_that_compares_them_all(
    workbench_app: Open, session: Path, written: list[str]
):
    async with workbench_app(session, folder=session.parent) as it:
        await it.until_phase(Phase.PAUSED)
        await it.press("v")
        await it.until(lambda: isinstance(it.app.screen, BranchesScreen), "the tree")
        tree = it.app.screen
        for number in range(len(PIECES)):
            await it.press("mn"[number % 2])
            await it.until(lambda: isinstance(it.app.screen, PromptScreen) and it.app.screen.query(Input), "a line")
            await drawn(it)
            await it.press("enter")  # untouched
            await it.until(lambda: it.app.screen is tree, "taken")
            await it.press("c", "d")
            await drawn(it)
            if it.app.screen is not tree:
                await it.press("k")
            if number + 1 < len(PIECES):
                await it.press("down")
        assert "[/]x" in it.seen
        assert len(it.monitor.compared) == len(PIECES) - 1
        await it.press("escape")
        await it.until(lambda: isinstance(it.app.screen, TrainingScreen), "closed")
        await drawn(it)
        await it.press("p")
        await it.until_told("Wrote")
        await it.press("ctrl+s")
        await it.until_told("Saved")
    assert_nothing_got_through(written)
    kept = read_session(session)
    assert [each.name for each in kept.branches] == [piece[:60] for piece in PIECES], "untouched is unchanged"
    assert [each.note for each in kept.branches] == [ALL, *PIECES[1:]]
    for path in session.parent.iterdir():
        if path.suffix in (".svg", ".csv") or path == session:
            assert obeyed(path.read_text()) == set(), path.suffix
        if path.suffix == ".svg":
            ElementTree.parse(path)
    assert {".svg", ".csv", ".toml"} <= {path.suffix for path in session.parent.iterdir()}


async def test_going_to_a_hostile_branch_and_making_a_preset_of_it(workbench_app: Open, session: Path, written: list[str]):
    async with workbench_app(session, folder=session.parent) as it:
        await it.until_phase(Phase.PAUSED)
        for number in (2, 4):
            await it.press("v")
            await it.until(lambda: isinstance(it.app.screen, BranchesScreen), "the tree")
            await it.press(*["down"] * (number - list(it.monitor.branches).index(it.monitor.current)), "enter")
            await it.until(lambda number=number: it.monitor.current == PIECES[number], "gone there")
            await drawn(it)
            await it.press("g")
            await drawn(it)
            await back(it)
        await it.press("w", "e")
        await it.until(lambda: isinstance(it.app.screen, PromptScreen), "where to")
        await it.press("enter")
        await it.until_told("Wrote")
        await drawn(it)
        await it.press("m")
        await it.until(lambda: it.monitor.twin is not None and it.monitor.twin.step, "a twin")
        await drawn(it)
    assert_nothing_got_through(written)
    (made,) = Path().glob("*scheduled.toml")
    assert obeyed(made.read_text()) == set()


async def test_the_library_of_hostile_files(
    workbench_app: Open, session: Path, shipped: list[Path], written: list[str], config_folder: Path
):
    config_folder.mkdir(parents=True)
    (config_folder / "keys.toml").write_text('[keys]\n"\\u001b[2J[/]x" = "a"\n"library.open" = "\\u202e"\n', encoding="utf-8")
    async with workbench_app(folder=session.parent) as it:
        await it.until(lambda: it.app.screen.query(OptionList), "the list")
        entries = it.app.screen.query_one(OptionList)
        await it.until(lambda: entries.option_count > len(shipped) + 4, "all of them")
        for number in range(entries.option_count):
            if not entries.get_option_at_index(number).disabled:
                entries.highlighted = number
                await drawn(it)
        for action in keys_of(LIBRARY):
            await visit(it, action)
        unread = next(path for path in session.parent.glob("*.toml") if path not in (session, session.parent / "unknown.toml"))
        for path in (unread, session.parent / "unknown.toml"):
            await it.until(lambda path=path: str(path) in it.app.screen._found, "read")
            entries.highlighted = entries.get_option_index(str(path))
            await it.press("enter")
            await drawn(it)
        assert isinstance(it.app.screen, LibraryScreen)
        entries.highlighted = entries.get_option_index(str(shipped[4]))
        await it.press("enter")
        await it.until(lambda: isinstance(it.app.screen, TrainingScreen) and it.monitor.begun, "begun")
        await it.until_trained(5)
        await it.pause()
        await it.press("ctrl+s")
        await it.until_told("Saved")
        await drawn(it)
    assert_nothing_got_through(written)


async def test_a_hostile_session_without_its_checkpoint(workbench_app: Open, session: Path, written: list[str]):
    for each in session.parent.glob("*.safetensors"):
        each.unlink()
    async with workbench_app(session, folder=session.parent, begins=False) as it:
        await it.until_seen("The checkpoint cannot be used")
        await drawn(it)
        await it.press("l")
        await drawn(it)
    assert_nothing_got_through(written)


async def test_what_is_pasted_into_a_prompt_is_seen_as_it_is_kept(workbench_app: Open, session: Path, written: list[str]):
    async with workbench_app(session, folder=session.parent) as it:
        await it.until_phase(Phase.PAUSED)
        await it.press("v", "down", "m")
        await it.until(lambda: isinstance(it.app.screen, PromptScreen) and it.app.screen.query(Input), "a line")
        line = it.app.screen.query_one(Input)
        assert line.value == r"\x1b]52;c;SE9TVElMRQ==\x07\x1b]0;hostile\x1b\ ".strip(), "escaped, and all of it"
        await it.press("ctrl+u")
        line.post_message(events.Paste("a\u202e[/]\x9b2J\x1b[2Jz\nsecond line"))
        await it.until(lambda: line.value, "pasted")
        assert line.value == r"a\u202e[/]\x9b2J\x1b[2Jz"
        assert line.cursor_position == len(line.value)
        await drawn(it)
        await it.press("enter")
        await it.until(lambda: r"a\u202e[/]\x9b2J\x1b[2Jz" in it.monitor.branches, "renamed to what was seen")
        await it.press("escape", "ctrl+p")
        await it.until(lambda: it.app.screen.query(Input), "the palette")
        it.app.post_message(events.Paste("pan\u202e\x9b2J"))
        await it.until(lambda: it.app.screen.query_one(Input).value == r"pan\u202e\x9b2J", "pasted")
        await drawn(it)
    assert_nothing_got_through(written)


# -- in a terminal ------------------------------------------------------------------------------------------------------


class Terminal:
    """A pseudo-terminal with `workbench` in it: the bytes that came out, and what they leave on the screen."""

    def __init__(self, *arguments: str) -> None:
        self.output = b""
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._rest = ""
        self._cells: dict[tuple[int, int], str] = {}
        self._row, self._column = 1, 1
        self.pid, self.fd = pty.fork()
        if not self.pid:
            os.environ["TERM"] = "xterm-256color"
            os.execv(sys.executable, [sys.executable, "-P", "-m", "workbench", *arguments])
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))

    def press(self, keys: str) -> None:
        os.write(self.fd, keys.encode())

    def until_seen(self, text: str, there: bool = True) -> None:
        """Until a text is on the screen, or is no more."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (text in self.screen) is not there:
            assert time.monotonic() < deadline, f"{text}\n{self.screen}"
            self.read(0.1)

    def read(self, seconds: float) -> bool:
        """What comes within so many seconds; false where nothing will come any more."""
        if not select.select([self.fd], [], [], seconds)[0]:
            return True
        try:
            more = os.read(self.fd, 65536)
        except OSError:  # nobody has the other end
            more = b""
        self.output += more
        self._draw(self._decoder.decode(more))
        return bool(more)

    def _draw(self, more: str) -> None:
        """As much as the app uses of what a terminal can do."""
        whole = self._rest + more
        begun = BEGUN.search(whole)  # the end of it is on its way still
        end = begun.start() if begun is not None else len(whole)
        self._rest = whole[end:]
        for found in TOKEN.finditer(whole[:end]):
            if found["final"] == "H":
                self._row, self._column = (int(each) for each in (found["numbers"] or "1;1").split(";"))
            elif found[0] == "\r":
                self._column = 1
            elif found[0] == "\n":
                self._row += 1
            elif len(found[0]) == 1:
                self._put(found[0])

    def _put(self, character: str) -> None:
        width = cell_len(character)
        if width:
            self._cells[self._row, self._column] = character
            self._cells.update({(self._row, self._column + each): "" for each in range(1, width)})
        self._column += width

    @property
    def screen(self) -> str:
        return "\n".join("".join(self._cells.get((row, column), " ") for column in range(1, 121)) for row in range(1, 41))

    def ended(self) -> int:
        while self.read(PATIENCE_SECONDS):
            pass
        _, status = os.waitpid(self.pid, 0)
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status)


BEGUN = re.compile(r"\x1b(\[[\d;:?<>= $]*|\][^\x07]*)?$")
TOKEN = re.compile(r"\x1b\[(?P<numbers>[\d;:?<>=]*)[ $]?(?P<final>[@-~])|\x1b\][^\x07]*\x07|\x1b[^\[\]]|[^\x1b]")


async def test_in_a_real_terminal_nothing_of_it_comes_out(session: Path):
    terminal = Terminal("--sessions", str(session.parent), str(session))
    terminal.until_seen("‖ paused")
    terminal.press("v")
    terminal.until_seen("where you are")
    terminal.press("c\x1b[B")
    for step in ("step 11", "step 12"):
        terminal.until_seen(step)
        for key, title in (("m", "Rename"), ("n", "Note")):
            terminal.press(key)
            terminal.until_seen(f"─ {title} ─")
            terminal.press("\r")
            terminal.until_seen(f"─ {title} ─", there=False)
        terminal.press("c\x1b[B")
    terminal.press("\x1b")
    terminal.until_seen("─ Branches ─", there=False)
    for key, title in (("g", "Go to"), ("n", "Note"), ("w", "Timeline to schedule"), ("?", "Help"), ("f", "What if")):
        terminal.press(key)
        terminal.until_seen(f"─ {title}")
        terminal.press("\x1b")
        terminal.until_seen(f"─ {title}", there=False)
    terminal.press("p")
    terminal.until_seen("Wrote")
    terminal.press("\x13")
    terminal.until_seen("Saved")
    terminal.press("\x1b")
    terminal.until_seen("Presets and sessions")
    terminal.press("q")
    assert terminal.ended() == 0
    assert got_through(terminal.output.decode()) == []
