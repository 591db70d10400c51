"""Dialogs, each in an app of its own: they are given values, and are dismissed with a result."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from driving import STYLES, event_of, press, press_at_once, resize, seen, settle, until
from synthetic import begun, hyperparameters, steps
from textual.app import App
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input, Static, Tree

from workbench.files.text import literal
from workbench.protocol.reports import Branches, BranchSent, Exported
from workbench.protocol.requests import Delete, Describe, Rename, Request
from workbench.session.branch import Best, Branch, Edit
from workbench.ui.actions import LIBRARY, KeyNames
from workbench.ui.dialogs.branches import BranchesScreen
from workbench.ui.dialogs.choice import Answer, ChoiceScreen
from workbench.ui.dialogs.finder import FinderScreen
from workbench.ui.dialogs.fork import CannotDepart, Departure, ForkScreen
from workbench.ui.dialogs.help import HelpScreen
from workbench.ui.dialogs.prompt import PromptScreen
from workbench.ui.dialogs.whatif import WhatIfScreen
from workbench.ui.state.monitor import Monitor

NOTHING_YET = "not dismissed"
MAIN = Branch(step=40, edits=(Edit(20, "learning_rate", 0.01, 0.003),), best=Best(30, 0.25))
SIDE = Branch(name="main-2", parent="main", fork=20, step=30, note="slower\x1b[31m [red]")


class Host(App[None]):
    """One dialog, and what it is dismissed with."""

    CSS_PATH = STYLES

    def __init__(self, dialog: Screen[Any]) -> None:
        super().__init__()
        self.dialog = dialog
        self.result: object = NOTHING_YET

    def on_mount(self) -> None:
        def dismissed(result: object) -> None:
            self.result = result

        self.push_screen(self.dialog, dismissed)


@asynccontextmanager
async def opened(dialog: Screen[Any]) -> AsyncIterator[tuple[Host, Pilot[Any]]]:
    host = Host(dialog)
    async with host.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: host.screen is dialog, "the dialog")
        await settle(pilot)
        yield host, pilot


async def result_of(dialog: Screen[Any], *keys: str) -> object:
    async with opened(dialog) as (host, pilot):
        await press(pilot, *keys)
        await until(pilot, lambda: host.result is not NOTHING_YET, "dismissed")
        return host.result


# -- a question, a line -------------------------------------------------------------------------------------------------

ANSWERS = (Answer("yes", "y", "do it"), Answer("later", "", "do it later"), Answer("", "n", "leave it"))


@pytest.mark.parametrize(
    ("keys", "result"),
    [(("y",), "yes"), (("n",), ""), (("escape",), ""), (("q",), ""), (("down", "enter"), "later"), (("x", "enter"), "yes")],
)
async def test_a_question_is_answered_by_its_keys_or_by_choosing(keys: tuple[str, ...], result: str):
    assert await result_of(ChoiceScreen(literal("Title"), "Do it?", ANSWERS), *keys) == result


async def test_a_line_is_taken_without_the_blanks_around_it_or_left():
    assert await result_of(PromptScreen(literal("Title"), "", "old"), "space", "x", "space", "enter") == "old x"
    assert await result_of(PromptScreen(literal("Title"), "", "old"), "x", "escape") is None
    assert await result_of(PromptScreen(literal("Title"), "", "", 3), *"abcdef", "enter") == "abc"


async def test_a_line_that_is_not_touched_gives_back_what_is_stored_to_the_bit():
    for stored in (" a\u202eb\x1b[2J\n\x00 ", "[/]x", "", "x" * 9):
        assert await result_of(PromptScreen(literal("Title"), "", stored, 9), "enter") == stored
        assert await result_of(PromptScreen(literal("Title"), "", stored, 9), "home", "end", "enter") == stored


async def test_what_is_edited_is_what_is_seen():
    async with opened(PromptScreen(literal("Title"), "", "a\u202eb")) as (host, pilot):
        assert r"a\u202eb" in seen(host)
        await press(pilot, "c", "enter")
        await until(pilot, lambda: host.result is not NOTHING_YET, "dismissed")
        assert host.result == r"a\u202ebc"


async def test_what_is_too_long_once_it_is_escaped_can_be_shortened_and_is_told_of_till_then():
    async with opened(PromptScreen(literal("Title"), "", "\x1b" * 3, 9)) as (host, pilot):
        await press(pilot, "backspace", "enter")
        await until(pilot, lambda: "11 characters: expected at most 9" in seen(host), "told")
        await press(pilot, "backspace", "backspace", "enter")
        await until(pilot, lambda: host.result is not NOTHING_YET, "dismissed")
        assert host.result == "\\x1b\\x1b\\"


async def test_help_names_the_keys_it_is_given():
    keys = KeyNames({"library.refresh": "f5"})
    async with opened(HelpScreen((), LIBRARY, [("Here", "Press {library.refresh}.")], keys)) as (host, pilot):
        text = str(host.screen.query_one(Static).render())
        assert "Press f5." in text
        assert "  f5         Read the folders again\n" in text
        assert "Keys there" not in text
        await press(pilot, "?")
        await until(pilot, lambda: host.result is None, "closed")


async def test_two_answers_at_once_are_one_and_what_lies_below_stays():
    async with opened(ChoiceScreen(literal("Title"), "Do it?", ANSWERS)) as (host, pilot):
        await press_at_once(pilot, "y", "n", "enter", "escape")
        await until(pilot, lambda: host.result == "yes", "dismissed")
        await settle(pilot)
        assert len(host.screen_stack) == 1


@pytest.mark.parametrize("width", range(1, 8))
async def test_a_question_may_be_asked_where_there_is_no_room_for_it(width: int):
    async with opened(ChoiceScreen(literal("Title"), "Do it?", ANSWERS)) as (host, pilot):
        await resize(pilot, width, 20)
        await press(pilot, "pagedown", "pageup", "y")
        await until(pilot, lambda: host.result == "yes", "dismissed")


# -- branches -----------------------------------------------------------------------------------------------------------


def sent(*branches: Branch, current: str = "main") -> Branches:
    return Branches(tuple(BranchSent(each, ()) for each in branches), current)


@pytest.fixture
def monitor() -> Monitor:
    """A run on `main`, with another branch beside it."""
    monitor = Monitor()
    monitor.record(begun(), 0.0)
    monitor.record(sent(MAIN, SIDE), 0.0)
    return monitor


@pytest.mark.parametrize(
    ("keys", "result"),
    [(("down", "enter"), "main-2"), (("enter",), ""), (("escape",), ""), (("v",), ""), (("down", "down", "enter"), "main-2")],
)
async def test_a_branch_is_chosen_by_its_name_and_the_current_one_is_no_choice(
    monitor: Monitor, keys: tuple[str, ...], result: str
):
    asked: list[Request] = []
    assert await result_of(BranchesScreen(monitor, asked.append), *keys) == result
    assert asked == []


async def test_the_tree_says_of_each_branch_what_there_is(monitor: Monitor):
    async with opened(BranchesScreen(monitor, lambda request: None)) as (host, pilot):
        assert "● main  step 40  ★ 0.25  α 0.003" in seen(host)
        assert "★ best dev data cost 0.25, after step" in seen(host)
        assert "where you are" in seen(host)
        await press(pilot, "down")
        await until(pilot, lambda: "left main after step 20" in seen(host), "the other")
        assert "slower\\x1b[31m [red]" in seen(host)


async def test_what_is_done_with_a_branch_is_sent(monitor: Monitor):
    asked: list[Request] = []
    async with opened(BranchesScreen(monitor, asked.append)) as (host, pilot):
        await press(pilot, "d")
        assert host.screen is host.dialog, "the one that one stands on is not deleted"
        await press(pilot, "down", "m")
        await until(pilot, lambda: host.screen.query(Input), "a line")
        await press(pilot, "x", "enter")
        await press(pilot, "n")
        await until(pilot, lambda: host.screen.query(Input), "a line")
        host.screen.query_one(Input).value = "faster"
        await press(pilot, "enter", "d", "k", "d", "d")
        assert asked == [Rename("main-2", "main-2x"), Describe("main-2", "faster"), Delete("main-2")]
        assert host.result is NOTHING_YET


async def test_comparing_is_the_monitor_s_own(monitor: Monitor):
    async with opened(BranchesScreen(monitor, lambda request: None)) as (_, pilot):
        await press(pilot, "c")
        assert list(monitor.compared) == [], "not with itself"
        await press(pilot, "down", "c")
        assert list(monitor.compared) == ["main-2"]
        await press(pilot, "c")
        assert list(monitor.compared) == []


async def test_the_tree_follows_what_comes_while_it_is_open(monitor: Monitor):
    async with opened(BranchesScreen(monitor, lambda request: None)) as (host, pilot):
        tree = host.screen.query_one(Tree)
        monitor.record(steps(41, 50), 1.0)
        await until(pilot, lambda: seen(host).count("step 50") == 2, "told in the tree and beside it")
        await press(pilot, "down")
        monitor.record(steps(51, 60), 1.0)
        await until(pilot, lambda: "main  step 60" in seen(host), "it grows")
        renamed = Branch(name="slow", parent="main", fork=20, step=30)
        monitor.record(sent(MAIN, renamed), 1.0)
        await until(pilot, lambda: tree.cursor_node is not None and tree.cursor_node.data == "slow", "renamed, and still chosen")
        monitor.record(sent(MAIN), 1.0)
        await until(pilot, lambda: tree.cursor_node is not None and tree.cursor_node.data == "main", "deleted")
        assert "slow" not in seen(host)


# -- forks --------------------------------------------------------------------------------------------------------------


def nowhere(reason: str, step: int = 40) -> Departure:
    """A departure from a run that cannot be written down."""

    async def export() -> Exported:
        raise CannotDepart(reason)

    return Departure(lambda: step, lambda: hyperparameters(learning_rate=0.01), export)


@pytest.mark.parametrize(("kind", "tabs", "field"), [(WhatIfScreen, 1, "whatif-steps"), (FinderScreen, 2, "finder-steps")])
@pytest.mark.parametrize(
    "typed",
    [[*"500"], ["end", "backspace", "backspace", "backspace", *"500"], [*"59", "backspace", *"000", "left", "delete"]],
    ids=["over it", "behind it", "mended"],
)
async def test_keys_that_come_in_one_burst_are_all_taken_in_their_order(
    kind: Callable[[Departure], ForkScreen], tabs: int, field: str, typed: list[str]
):
    async with opened(kind(nowhere("as far as this"))) as (host, pilot):
        before = [line.value for line in host.screen.query(Input)]
        for key in (*["tab"] * tabs, *typed, "shift+tab", "home", "0", "delete", "enter"):
            host.post_message(event_of(key))
        await until(pilot, lambda: host.screen.query_one(f"#{field}", Input).value == "500", "typed")
        await until(pilot, lambda: "✗" in seen(host), "entered")
        changed = ["0" + value[1:] for value in before[tabs - 1 : tabs]]
        assert [line.value for line in host.screen.query(Input)] == [*before[: tabs - 1], *changed, "500", *before[tabs + 1 :]]


@pytest.mark.parametrize("kind", [WhatIfScreen, FinderScreen])
async def test_where_the_run_cannot_be_written_down_the_dialog_says_why_and_adopts_nothing(
    kind: Callable[[Departure], ForkScreen],
):
    async with opened(kind(nowhere("the disk [red] is full"))) as (host, pilot):
        await press(pilot, "enter")
        await until(pilot, lambda: "✗ the disk [red] is full" in seen(host), "said")
        await press(pilot, "enter")
        assert host.result is NOTHING_YET
        await press(pilot, "escape")
        await until(pilot, lambda: host.result is None, "dropped")


@pytest.mark.parametrize(
    ("kind", "field", "typed", "told"),
    [
        (WhatIfScreen, "whatif-forks", "nothing=3", "✗ nothing: no such hyperparameter"),
        (WhatIfScreen, "whatif-steps", "", "✗ steps: expected a number of steps from 1 to 1,000,000"),
        (WhatIfScreen, "whatif-repeats", "99", "✗ 99: expected a number of repeats from 1 to 50"),
        (FinderScreen, "finder-low", "1e3", "✗ expected the second rate to be above the first"),
        (FinderScreen, "finder-steps", "9", "✗ 9: expected a number of steps from 10 to 100,000"),
    ],
)
async def test_what_cannot_be_tried_is_said_and_can_be_put_right(
    kind: Callable[[Departure], ForkScreen], field: str, typed: str, told: str
):
    async with opened(kind(nowhere("as far as this"))) as (host, pilot):
        line = host.screen.query_one(f"#{field}", Input)
        before = line.value
        line.value = typed
        await press(pilot, "enter")
        await until(pilot, lambda: told in seen(host), "said")
        assert not line.disabled
        line.value = before
        await press(pilot, "enter")
        await until(pilot, lambda: "✗ as far as this" in seen(host), "begun")


@pytest.mark.parametrize("kind", [WhatIfScreen, FinderScreen])
async def test_a_line_that_is_entered_twice_at_once_is_tried_once(kind: Callable[[Departure], ForkScreen]):
    exports = 0

    async def export() -> Exported:
        nonlocal exports
        exports += 1
        raise CannotDepart("as far as this")

    departure = Departure(lambda: 40, lambda: hyperparameters(learning_rate=0.01), export)
    async with opened(kind(departure)) as (host, pilot):
        await press_at_once(pilot, "enter", "enter", "enter")
        await until(pilot, lambda: "✗ as far as this" in seen(host), "begun")
        assert exports == 1
