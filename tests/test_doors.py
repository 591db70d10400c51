"""Nothing is shown or printed but through the doors, and they take only text that is safe: see `workbench/ui/doors/`."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOORS = ROOT / "workbench/ui/doors"
UI = [path for path in sorted((ROOT / "workbench/ui").rglob("*.py")) if path.parent != DOORS]
PRINTER = ROOT / "workbench/commands/output.py"
COMMANDS = [path for path in sorted((ROOT / "workbench/commands").glob("*.py")) if path != PRINTER]
MAKER = ROOT / "workbench/files/text.py"

# What a module of the screens may take from Rich and Textual: of widgets, only those that show no text of ours.
RICH: dict[str, set[str] | None] = {
    "rich.color": None,
    "rich.console": {"RenderableType"},
    "rich.segment": None,
    "rich.style": None,
}
TEXTUAL: dict[str, set[str] | None] = {
    "textual": {"events", "on", "work"}, "textual.widgets": {"Footer"}, "textual.widgets.tree": {"TreeNode"},
    "textual.app": {"App", "ComposeResult", "RenderResult", "SystemCommand"}, "textual_plotext": {"PlotextPlot"},
    **dict.fromkeys(
        f"textual.{each}" for each in (
            "binding", "color", "containers", "events", "geometry", "keys", "message", "reactive", "screen", "scroll_view",
            "strip", "timer", "widget", "worker",
            # What stands between Textual and trouble: it shows nothing of its own.
            "_context", "await_complete", "command", "css.query", "dom", "driver", "drivers.linux_driver", "theme",
        )
    ),
}  # fmt: skip
LIBRARIES = ("rich", "textual", "textual_plotext", "plotext")
RAW_CALLS = {
    "notify", "exit", "set_label", "replace_option_prompt", "from_markup", "from_ansi", "copy_to_clipboard", "panic",
    "with_tooltip", "add_columns", "append_tokens",
}  # fmt: skip
RAW_MAKERS = {"SystemCommand", "Segment", "Notification"}
RAW_ATTRIBUTES = {
    "border_title", "border_subtitle", "tooltip", "title", "sub_title", "placeholder", "plain", "prompt", "label", "content",
}  # fmt: skip
RAW_CONSTANTS = {"BORDER_TITLE", "BORDER_SUBTITLE", "TITLE", "SUB_TITLE"}


def called(node: ast.AST) -> str:
    """The bare name of what is called."""
    if not isinstance(node, ast.Call):
        return ""
    return node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id if isinstance(node.func, ast.Name) else ""


def imported(node: ast.AST) -> Iterator[str]:
    """What a statement takes from the libraries that it may not."""
    if isinstance(node, ast.Import):
        yield from (each.name for each in node.names if each.name.partition(".")[0] in LIBRARIES)
    if isinstance(node, ast.ImportFrom) and node.module is not None and node.module.partition(".")[0] in LIBRARIES:
        allowed = {**RICH, **TEXTUAL}
        names = allowed.get(node.module, set())
        yield from (f"{node.module}.{each.name}" for each in node.names if names is not None and each.name not in names)


def arguments(node: ast.Call) -> list[ast.expr]:
    return [*node.args, *(each.value for each in node.keywords)]


def targets(node: ast.AST) -> list[ast.expr]:
    match node:
        case ast.Assign(targets=found):
            return list(found)
        case ast.AnnAssign(target=target) | ast.AugAssign(target=target):
            return [target]
    return []


def shows(node: ast.Call) -> bool:
    """Whether it is given a text; what an app is ended with is none, but for the message."""
    if called(node) == "exit":
        return len(node.args) > 2 or any(each.arg == "message" for each in node.keywords)
    return bool(arguments(node))


def raw_doors(source: str) -> list[str]:
    """What a module of the screens does to show a text by another way than the doors."""
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        found += imported(node)
        name = called(node)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and name in RAW_CALLS and shows(node):
            found.append(f".{name}()")
        if name in RAW_MAKERS or name == "print":
            found.append(f"{name}()")
        for target in targets(node):
            if isinstance(target, ast.Attribute) and target.attr in RAW_ATTRIBUTES:
                found.append(f".{target.attr} =")
            if isinstance(target, ast.Name) and target.id in RAW_CONSTANTS and not constant(getattr(node, "value", None)):
                found.append(f"{target.id} =")
        if isinstance(node, ast.FunctionDef) and node.name == "render" and not safe_to_render(node.returns):
            found.append("render()")
    return found


def constant(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def safe_to_render(returns: ast.expr | None) -> bool:
    # What plotext draws is no text of ours; all that a chart is given to write on it is.
    return isinstance(returns, ast.Name) and returns.id in ("Text", "RenderResult")


def raw_prints(source: str) -> list[str]:
    """What a command does to print by another way than `output`."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if called(node) in ("echo", "secho", "print", "write", "writelines", "progressbar", "prompt", "confirm", "pager"):
            found.append(called(node))
    return found


def made_up(source: str) -> list[str]:
    """Where a text is called safe that no function has made so, or something else than words in the code is a literal."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        if called(node) == "SafeText" or (called(node) == "cast" and "SafeText" in ast.dump(node.args[0])):
            found.append("SafeText()")
        if called(node) == "literal" and not (len(node.args) == 1 and constant(node.args[0])):
            found.append("literal()")
    return found


def named(path: Path) -> str:
    return str(path.relative_to(ROOT / "workbench"))


@pytest.mark.parametrize("path", UI, ids=named)
def test_the_screens_show_nothing_but_through_the_doors(path: Path):
    assert raw_doors(path.read_text()) == []


@pytest.mark.parametrize("path", COMMANDS, ids=named)
def test_the_commands_print_nothing_but_through_output(path: Path):
    assert raw_prints(path.read_text()) == []


def test_only_the_cleaning_functions_make_a_safe_text_and_only_words_in_the_code_are_literal():
    sources = (path for path in sorted((ROOT / "workbench").rglob("*.py")) if path != MAKER)
    assert {named(path): found for path in sources if (found := made_up(path.read_text()))} == {}


@pytest.mark.parametrize(
    "source",
    [
        "from textual.widgets import Static", "from textual.widgets import Input, Footer", "from rich.text import Text",
        "from textual.widgets.option_list import Option", "from textual.content import Content", "import textual.widgets",
        "import rich", "from rich import print", "self.notify('x')", "box.border_title = name", "box.border_subtitle += name",
        "self.app.exit(message=text)", "SystemCommand(name, '', f)", "Segment(name, style)", "class A:\n BORDER_TITLE = f'{x}'",
        "def render(self) -> str:\n return ''", "def render(self):\n return ''", "widget.tooltip = name", "print(name)",
        "static.content = name", "table.add_columns(name)", "box.with_tooltip(name)", "self.app.panic(name)",
        "text.append_tokens(parts)",
    ],
)  # fmt: skip
def test_a_raw_door_is_noticed(source: str):
    assert raw_doors(source)


def test_what_is_no_door_is_let_by():
    assert raw_doors("self.app.exit()\nfrom textual.widgets import Footer\nTITLE = 'Workbench'\nself.title_of = 3") == []


@pytest.mark.parametrize("source", ["click.echo(name)", "print(name)", "sys.stdout.write(name)", "click.secho(name, fg='red')"])
def test_a_raw_print_is_noticed(source: str):
    assert raw_prints(source)


@pytest.mark.parametrize("source", ["SafeText(name)", "cast(SafeText, name)", "literal(name)", "literal(f'a {name}')"])
def test_a_text_that_is_only_called_safe_is_noticed(source: str):
    assert made_up(source)


RAW = """
from textual.app import App
from textual.widget import Widget
from textual.widgets.tree import TreeNode
from workbench.commands.output import complain, say
from workbench.files.text import SafeText, clean
from workbench.ui.dialogs.choice import ChoiceScreen
from workbench.ui.dialogs.prompt import PromptScreen
from workbench.ui.doors.border import set_subtitle, set_title
from workbench.ui.doors.input import Input
from workbench.ui.doors.notice import leave, notify
from workbench.ui.doors.options import Option, OptionList, palette_entry
from workbench.ui.doors.svg import svg_of
from workbench.ui.doors.table import DataTable
from workbench.ui.doors.text import Static, Text
from workbench.ui.doors.tree import grow, relabel
from workbench.ui.state.drawing import Drawing, Mark

app: App[None]
node: TreeNode[str]

def show(at: Widget, table: DataTable, options: OptionList, static: Static, raw: KIND, styled: STYLED) -> None:
    set_title(at, raw)
    set_subtitle(at, raw)
    notify(app, raw)
    leave(app, raw)
    palette_entry(raw, clean(""), print)
    palette_entry(clean(""), raw, print)
    Input(raw, max_length=9)
    svg_of(at, raw)
    say(raw)
    complain(raw)
    Mark(1.0, raw)
    Drawing(empty=raw)
    Drawing(x_name=raw)
    ChoiceScreen(raw, "", ())
    PromptScreen(raw, "")
    Static(styled)
    static.update(styled)
    Option(styled)
    options.add_option(styled)
    grow(node, styled, "")
    relabel(node, styled)
    table.add_column(styled, key="")
    table.add_row(styled)
    table.update_cell("", "", styled)
"""
KINDS = {"safe": ("SafeText", "Text"), "raw": ("str", "str"), "markup": ("str", "rich.text.Text")}


def test_the_type_checker_refuses_a_bare_text_at_every_door(tmp_path: Path):
    for name, (kind, styled) in KINDS.items():
        (tmp_path / f"{name}.py").write_text("import rich.text\n" + RAW.replace("KIND", kind).replace("STYLED", styled))
    command = [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml"), str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280, check=False)
    refused: dict[str, set[int]] = {name: set() for name in KINDS}
    for line in done.stdout.splitlines():
        place, _, told = line.partition(": error: ")
        if told:
            path, number = place.rsplit(":", 1)
            assert "incompatible type" in told, line
            refused[Path(path).stem].add(int(number))
    lines = ["", "", *RAW.splitlines()]
    doors = {number for number, line in enumerate(lines) if line.startswith("    ")}
    # A list takes an `Option` only, whatever text there is.
    assert refused["safe"] == {number for number in doors if "options.add_option" in lines[number]}
    assert refused["raw"] == refused["markup"] == doors
