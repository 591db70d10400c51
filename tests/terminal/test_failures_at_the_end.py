"""The app in a real pseudo-terminal, broken on purpose: one line says so, a report says why, and the terminal is as it was."""

from __future__ import annotations

import re
import termios
from pathlib import Path

import pytest
from pseudo import Terminal

BROKEN = {
    "to begin": """
from workbench.ui.screens.library import LibraryScreen
def compose(self):
    secret = "of the locals"
    raise RuntimeError("broken on purpose")
    yield
LibraryScreen.compose = compose
""",
    "every drawing": """
from workbench.ui.panels.status import StatusLine
def render(self):
    secret = "of the locals"
    if self.screen.monitor.step:
        raise RuntimeError("broken on purpose")
    return ""
StatusLine.render = render
""",
    "style": """
from workbench.ui.app import WorkbenchApp
secret = "of the locals"
WorkbenchApp.CSS = "#status { height: broken on purpose }"
""",
    "input": """
from textual.drivers.linux_driver import XTermParser
def feed(self, data):
    secret = "of the locals"
    raise RuntimeError("broken on purpose")
XTermParser.feed = feed
""",
}


@pytest.mark.parametrize("what", BROKEN)
def test_where_it_cannot_go_on_it_ends_in_order(tmp_path: Path, crash_reports: Path, what: str):
    terminal = Terminal(tmp_path, broken=BROKEN[what])
    typed = "x" if what == "input" else ""
    if typed:
        terminal.until_trained()
    status, _ = terminal.ended(reading=True, within=20, typing=typed.encode())
    assert status == 1
    assert termios.tcgetattr(terminal.slave) == terminal.attributes
    terminal.close()
    assert b"secret" not in terminal.output
    assert b"Traceback" not in terminal.output
    before, _, last = terminal.output.rpartition(b"\x1b[?1049l")
    assert b"\x1b[?1049h" in before or what in ("to begin", "style")
    text = re.sub(r"\x1b\[[^a-zA-Z]*[a-zA-Z]", "", last.decode())
    (line,) = (each for each in text.splitlines() if each.strip(typed))
    found = re.fullmatch(r"x*workbench: something went wrong that should not have \((.*)\); a report is in (.*)", line)
    assert found is not None, text
    assert "Traceback" in Path(found[2]).read_text()
    if what == "every drawing":
        assert terminal.saved() > 0


def test_bytes_that_are_no_text_are_passed_over(tmp_path: Path):
    terminal = Terminal(tmp_path)
    terminal.until_trained()
    terminal.type(b"\xff\xfe\x80")
    status, _ = terminal.ended(reading=True, within=20, typing=b"q")
    assert status == 0
    terminal.close()
