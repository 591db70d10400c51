"""The doors to the screen: what they are given is shown, and none of it is obeyed or read as markup."""

from __future__ import annotations

from collections.abc import Iterable

from driving import Bench, press, seen, settle, until
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.text import Text as RichText
from textual.app import App, ComposeResult, SystemCommand
from textual.containers import Vertical
from textual.screen import Screen

from tests.hostile import ALL, PIECES, obeyed
from workbench.files.text import clean
from workbench.ui.doors.border import set_subtitle, set_title
from workbench.ui.doors.input import Input
from workbench.ui.doors.options import Option, OptionList, palette_entry
from workbench.ui.doors.table import DataTable
from workbench.ui.doors.text import Static, Text
from workbench.ui.doors.tree import Tree, grow

ANY_TEXT = st.text(st.characters(exclude_categories=[]), max_size=60)


@settings(derandomize=True, deadline=None)
@given(ANY_TEXT, ANY_TEXT)
def test_a_text_is_safe_whatever_it_is_made_of(one: str, other: str):
    overwritten = Text("-" * len(other))
    overwritten.overwrite(dict(enumerate(other)))
    texts = (
        overwritten, Text(one, "bold"), Text().append(other, "red"), Text.assemble(one, (other, "dim"), RichText(one)),
        Text().append(RichText(one)), Text(one).append_text(RichText(other)), Text(one).copy(), *Text(one).lines(),
    )  # fmt: skip
    for text in texts:
        assert obeyed(text.plain) == set()
        assert len(text) == len(text.plain)


def test_a_text_is_what_rich_makes_of_it_where_there_is_nothing_to_escape():
    mine = Text("a[b]\n", "bold", no_wrap=True).append("日本 👩\u200d🔬", "red")
    theirs = RichText("a[b]\n", "bold", no_wrap=True).append("日本 👩\u200d🔬", "red")
    assert (mine.plain, mine.spans, mine.style, mine.no_wrap) == (theirs.plain, theirs.spans, theirs.style, theirs.no_wrap)
    assert mine.copy() == mine
    mine.overwrite({1: "x", 3: "y"})
    assert mine.plain == "axby\n日本 👩\u200d🔬"
    assert mine.spans == theirs.spans
    assert [line.plain for line in mine.lines()] == ["axby", "日本 👩\u200d🔬"]


class Doors(Vertical):
    """Something of each kind, with a piece of hostile text in it."""

    def compose(self) -> ComposeResult:
        self.styles.border = ("round", "white")
        set_title(self, clean(PIECES[4]))
        set_subtitle(self, clean(PIECES[5], 60))
        yield Static(Text(ALL))
        yield OptionList(*(Option(Text(each)) for each in PIECES))
        yield Input(clean(ALL, None), max_length=9)
        yield DataTable(id="table")
        yield Tree(Text(ALL))

    def on_mount(self) -> None:
        table, tree = self.query_one(DataTable), self.query_one(Tree)
        table.add_column(Text(ALL), key="a")
        for each in PIECES:
            table.add_row(Text(each))
            grow(tree.root, Text(each), "")
            tree.root.add(each)


async def test_every_kind_of_widget_shows_it_escaped_and_reads_no_markup():
    app = Bench(Doors())
    async with app.run_test(size=(200, 120)) as pilot:
        await settle(pilot)
        screen = seen(app)
        assert obeyed(screen) == set()
        for text in ("─ [/]x ─", "[bold]b[/bold] [@click=app.bell]c[/] [red", r"\x1b[2J\x1b[3;77r", r"\u202eesrever"):
            assert text in screen


class Early(Vertical):
    """A list of which a page is turned before it is laid out."""

    def compose(self) -> ComposeResult:
        yield OptionList(*(Option(Text(each)) for each in "abc"))

    def on_mount(self) -> None:
        entries = self.query_one(OptionList)
        entries.action_last()
        entries.action_page_up()  # type: ignore[no-untyped-call]


async def test_a_page_of_a_list_may_be_turned_before_there_is_one():
    app = Bench(Early())
    async with app.run_test():
        assert app.query_one(OptionList).highlighted == 2


MARKUP = ("[/]x", PIECES[5], "[B] [ b] [$b]")


class Commands(App[None]):
    """A command palette with hostile entries."""

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        for each in MARKUP:
            yield palette_entry(clean(f"title {each}"), clean(f"about {each}"), self.bell)


async def test_the_palette_reads_no_markup_whether_it_is_searched_or_not():
    app = Commands()
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "ctrl+p")
        for typed in ("", "title"):
            await press(pilot, *typed)
            await until(pilot, lambda: all(f"{kind} {each}" in seen(app) for kind in ("title", "about") for each in MARKUP))
