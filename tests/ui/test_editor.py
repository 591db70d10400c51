"""The editor: one keystroke at a time, and exactly one edit where one was meant."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from driving import Bench, press, seen, settle
from synthetic import begun, steps, trained, unused_rows
from textual.pilot import Pilot

from workbench.engine.events import CommandRejected, HyperparameterChanged
from workbench.hyperparameters import TABLE
from workbench.protocol.reports import UnusedChanged
from workbench.runtime.greeting import greeting
from workbench.spec import Value
from workbench.ui.panels.hyperparameters import HyperparameterPanel
from workbench.ui.state.monitor import Monitor
from workbench.ui.widgets.editor import Editor, rows_for

SIZE = (40, 36)
LIVE = [spec for spec in TABLE.values() if spec.section == "training"]


class Driven:
    """The panel of hyperparameters in an app of its own, fed by a monitor."""

    def __init__(self, app: Bench, pilot: Pilot[Any], monitor: Monitor) -> None:
        self.app, self.pilot, self.monitor = app, pilot, monitor
        self.panel = app.query_one(HyperparameterPanel)
        self.editor = app.query_one(Editor)

    async def show(self) -> None:
        self.panel.show(self.monitor)
        await settle(self.pilot)

    async def press(self, *keys: str) -> None:
        await press(self.pilot, *keys)

    async def type(self, text: str) -> None:
        await press(self.pilot, *text)

    async def on(self, name: str) -> None:
        self.editor.go_to(name)
        await settle(self.pilot)

    def row(self, label: str) -> str:
        """The line on the screen that begins with this label."""
        lines = [line.strip("│ ▸") for line in seen(self.app).splitlines()]
        return next(line for line in lines if line.startswith(label))

    @property
    def screen(self) -> str:
        """Everything on the screen, with the line breaks of the explanation taken out."""
        return " ".join(line.strip("│ ") for line in seen(self.app).splitlines())


@asynccontextmanager
async def driven(monitor: Monitor | None = None, size: tuple[int, int] = SIZE, **values: Value) -> AsyncIterator[Driven]:
    if monitor is None:
        monitor = Monitor()
        monitor.record(greeting(), 0.0)
        monitor.record(begun(**values), 0.0)  # type: ignore[arg-type]
    app = Bench(HyperparameterPanel())
    async with app.run_test(size=size) as pilot:
        one = Driven(app, pilot, monitor)
        one.editor.focus()
        await one.show()
        yield one


async def test_before_the_engine_has_begun_no_value_is_made_up_and_none_can_be_edited():
    async with driven(Monitor()) as it:
        assert it.row("learning rate").endswith("–")
        await it.press("enter", "right", "enter")
        await it.type("0.5")
        await it.press("enter")
        assert it.app.edits == []


async def test_every_live_hyperparameter_has_a_row_under_its_priority():
    async with driven(size=(40, 60)) as it:
        for spec in TABLE.values():
            if spec.section == "training":
                await it.on(spec.name)
                assert it.editor.current == spec.name
        text = seen(it.app)
        assert text.index("tune first") < text.index("learning rate") < text.index("then") < text.index("batch size")
        assert text.index("almost never") < text.index("beta2")


@pytest.mark.parametrize(
    ("name", "typed", "value"),
    [
        ("learning_rate", "0.003", 0.003),
        ("learning_rate", "3e-4", 3e-4),
        ("learning_rate", "3E-4", 3e-4),
        ("learning_rate", "1e+2", 100.0),
        ("learning_rate", ".5", 0.5),
        ("learning_rate", "x0.5", 0.0005),
        ("learning_rate", "/4", 0.00025),
        ("learning_rate", "*2", 0.002),
        ("batch_size", "128", 128),
        ("batch_size", "x2", 128),
        ("batch_size", "1e3", 1000),
        ("beta1", "0.99", 0.99),
        ("l2", "0.01", 0.01),
        ("keep_prob", "0.8", (0.8, 0.8)),
        ("keep_prob", "0.8,0.5", (0.8, 0.5)),
        ("keep_prob.2", "0.5", 0.5),
        ("warmup_steps", "100", 100),
    ],
)
async def test_what_is_typed_is_applied_once(name: str, typed: str, value: Value):
    async with driven() as it:
        await it.on(name)
        await it.type(typed)
        assert it.app.edits == []
        await it.press("enter")
        assert it.app.edits == [(name, value)]
        assert type(it.app.edits[0][1]) is type(value)


async def test_a_draft_shows_what_is_typed_and_backspace_takes_it_back():
    async with driven() as it:
        await it.type("0.03")
        assert "0.03▏" in it.row("learning rate")
        await it.press("backspace", "backspace")
        await it.type("2")
        await it.press("enter")
        assert it.app.edits == [("learning_rate", 0.2)]


async def test_escape_leaves_without_an_edit_and_a_second_one_is_the_screens():
    async with driven() as it:
        await it.type("0.5")
        await it.press("escape")
        assert it.app.edits == []
        assert it.app.came_through == []
        assert it.row("learning rate").split()[-1] == "0.001"
        await it.press("escape")
        assert it.app.came_through == ["escape"]


@pytest.mark.parametrize("name", ["learning_rate", "optimizer"])
async def test_no_letter_reaches_the_screen_while_a_value_is_being_chosen(name: str):
    async with driven() as it:
        await it.on(name)
        await it.press("enter", *"abcdfghilmnopqrstuvwyz", "space", "e", "x", "1")
        assert it.app.came_through == []
        await it.press("escape", "q", "space")
        assert it.app.came_through == ["q", "space"]


async def test_letters_reach_the_screen_while_none_is_chosen():
    async with driven() as it:
        await it.press("s", "q", "z", "t", "b", "l", "space")
        assert it.app.came_through == ["s", "q", "z", "t", "b", "l", "space"]
        assert it.app.edits == []


@pytest.mark.parametrize(
    ("name", "typed", "reason"),
    [
        ("learning_rate", "0", "above 0"),
        ("learning_rate", "0.1.2", "expected a number"),
        ("learning_rate", "1e", "expected a number"),
        ("learning_rate", "1e99", "at most 1e+30"),
        ("learning_rate", "/0", "expected a number"),
        ("beta1", "1", "below 1"),
        ("batch_size", "0", "at least 1"),
        ("batch_size", "2.5", "whole number"),
        ("keep_prob", "1.5", "at most 1"),
    ],
)
async def test_what_cannot_be_is_explained_and_not_sent(name: str, typed: str, reason: str):
    async with driven() as it:
        await it.on(name)
        await it.type(typed)
        await it.press("enter")
        assert it.app.edits == []
        assert "✗" in it.screen
        assert reason in it.screen
        assert "▏" in seen(it.app), "the draft stays to be put right"
        await it.press("escape")
        assert "✗" not in it.screen


async def test_an_empty_draft_is_no_edit():
    async with driven() as it:
        await it.type("5")
        await it.press("backspace", "backspace", "enter")
        assert it.app.edits == []
        assert "✗" in it.screen


@pytest.mark.parametrize(("up", "down"), [("right", "left"), ("plus", "minus"), ("equals_sign", "minus")])
@pytest.mark.parametrize(
    ("name", "higher", "lower"), [("learning_rate", 0.0012, 0.0008), ("beta1", 0.92, 0.88), ("batch_size", 128, 32)]
)
async def test_arrows_and_signs_step_on_the_own_scale(name: str, higher: Value, lower: Value, up: str, down: str):
    async with driven() as it:
        await it.on(name)
        await it.press(up)
        assert it.app.edits == []
        await it.press("enter")
        await it.press(down, "enter")
        assert it.app.edits == [(name, higher), (name, lower)]


async def test_steps_add_up_within_one_draft():
    async with driven(batch_size=64) as it:
        await it.on("batch_size")
        await it.press("right", "right", "right", "left", "enter")
        assert it.app.edits == [("batch_size", 256)]


async def test_stepping_back_to_the_applied_value_is_no_edit():
    async with driven() as it:
        await it.press("right", "left", "enter")
        assert it.app.edits == []


async def test_a_minus_after_e_belongs_to_the_number():
    async with driven() as it:
        await it.type("2e-3")
        assert "2e-3▏" in it.row("learning rate")
        await it.press("minus")  # and one after a whole number is a step
        assert "0.0015" in it.row("learning rate")


async def test_choices_go_round_with_the_arrows():
    async with driven() as it:
        await it.on("optimizer")
        await it.press("enter")
        assert "◂adam▸" in it.row("optimizer")
        await it.press("right", "right", "enter")
        await it.press("left", "enter")
        assert it.app.edits == [("optimizer", "momentum"), ("optimizer", "adagrad")]


async def test_the_formula_of_an_optimizer_stands_below():
    async with driven(size=(60, 36)) as it:
        await it.on("optimizer")
        assert "√" in it.screen


async def test_arrows_go_over_headings_and_stop_at_the_ends():
    async with driven() as it:
        visited = [it.editor.current]
        for _ in rows_for(LIVE, 2):
            await it.press("down")
            visited.append(it.editor.current)
        assert "" not in visited
        assert visited[0] == "learning_rate"
        assert len(set(visited)) == sum(bool(row.name) for row in rows_for(LIVE, 2))
        for _ in rows_for(LIVE, 2):
            await it.press("up")
        assert it.editor.current == "learning_rate"


@pytest.mark.parametrize("height", [9, 15, 36])
async def test_pages_and_ends_always_land_on_a_row_that_is_seen(height: int):
    async with driven(size=(40, height)) as it:
        for key in ("end", "pageup", "pageup", "pagedown", "home", "pagedown", "pagedown", "pagedown", "pagedown", "up", "home"):
            await it.press(key)
            assert it.editor.current
            assert "▸" in seen(it.app)
        await it.press("end")
        assert it.editor.current == [row.name for row in rows_for(LIVE, 2)][-1]


async def test_a_draft_is_left_by_moving_on():
    async with driven() as it:
        await it.type("0.5")
        await it.press("down")
        await it.press("enter", "escape")
        assert it.app.edits == []
        assert "0.5" not in it.row("learning rate")


async def test_a_draft_is_left_when_the_focus_goes():
    async with driven() as it:
        await it.type("0.5")
        it.app.set_focus(None)
        await settle(it.pilot)
        assert "▏" not in seen(it.app)
        assert it.app.edits == []


@pytest.mark.parametrize(("hidden", "rows"), [(0, []), (1, ["keep prob"]), (3, ["keep prob", "layer 1", "layer 2", "layer 3"])])
async def test_rows_of_layers(hidden: int, rows: list[str]):
    async with driven(hidden=hidden) as it:
        lines = [line.strip("│ ▸") for line in seen(it.app).splitlines()]
        assert [label for line in lines for label in rows if line.startswith(label)] == rows
        assert any(line.startswith("keep prob") for line in lines) == bool(rows)


async def test_layers_with_values_of_their_own_are_all_shown():
    monitor = Monitor()
    monitor.record(begun(), 0.0)
    async with driven(monitor) as it:
        monitor.record(HyperparameterChanged(3, "keep_prob.2", 1.0, 0.5), 1.0)
        await it.show()
        assert it.row("layer 1").split()[2] == "1"
        assert it.row("layer 2").split()[2:] == ["0.5", "✓@3"]
        assert it.row("keep prob").split()[2:] == ["1", "0.5"]


async def test_a_click_chooses_a_row_and_another_one_edits_it():
    async with driven() as it:
        line = next(y for y, text in enumerate(seen(it.app).splitlines()) if "batch size" in text) - 1
        await it.pilot.click(Editor, offset=(5, line))
        assert it.editor.current == "batch_size"
        assert "⏎" not in seen(it.app)
        await it.pilot.click(Editor, offset=(5, line))
        assert "64▏" in it.row("batch size")
        await it.press("backspace", "backspace", "3", "2", "enter")
        assert it.app.edits == [("batch_size", 32)]


async def test_a_click_chooses_the_row_it_is_on_when_the_list_is_scrolled():
    async with driven(size=(40, 18)) as it:
        await it.press("end")
        line = next(y for y, text in enumerate(seen(it.app).splitlines()) if "BN beta" in text) - 1
        await it.pilot.click(Editor, offset=(5, line))
        assert it.editor.current == "batchnorm_beta"


async def test_a_click_on_a_heading_does_nothing():
    async with driven() as it:
        await it.pilot.click(Editor, offset=(5, 0))
        assert it.editor.current == "learning_rate"
        assert it.app.edits == []


async def test_pending_then_applied_then_refused():
    async with driven() as it:
        it.monitor.record(steps(1, 10), 1.0)
        it.monitor.expect("batch_size", 32)
        await it.show()
        assert it.row("batch size").split()[2:] == ["64", "…", "32"], "the applied value stays until the engine has answered"
        it.monitor.record(HyperparameterChanged(11, "batch_size", 64, 32), 2.0)
        await it.show()
        assert it.row("batch size").split()[2:] == ["32", "✓@11"]
        it.monitor.record(CommandRejected(15, "batch_size", 1, "a mini-batch of one has no variance"), 3.0)
        await it.show()
        assert it.row("batch size").split()[2:] == ["32", "✗", "refused"]
        await it.on("batch_size")
        assert "✗ refused: a mini-batch of one has no variance" in it.screen


async def test_what_becomes_of_an_edit_of_a_scheduled_learning_rate_is_seen():
    async with driven(schedule="inverse_time") as it:
        it.monitor.record(steps(1, 10, rate=4.2e-4), 1.0)
        await it.show()
        assert it.row("learning rate").split()[3:] == ["0.001", "now", "4.2e-4"]
        it.monitor.expect("learning_rate", 0.01)
        await it.show()
        assert it.row("learning rate").split()[3:] == ["0.001", "…", "0.01"]
        it.monitor.record(CommandRejected(15, "learning_rate", 0.01, "not today"), 3.0)
        await it.show()
        assert "✗ refused" in it.row("learning rate")
        it.monitor.record(HyperparameterChanged(16, "learning_rate", 0.001, 0.01), 4.0)
        await it.show()
        assert "✓ taken after step 16" in it.screen


@pytest.mark.parametrize(("rate", "text"), [(4.2e-4, "4.2e-4"), (5.21e-7, "5.2e-7"), (0.0123, "0.012"), (12345.0, "12000")])
async def test_the_rate_in_force_is_never_cut(rate: float, text: str):
    # The width on the training screen, with a scrollbar.
    async with driven(size=(37, 24), schedule="cosine", learning_rate=0.0015) as it:
        it.monitor.record(steps(1, 10, rate=rate), 1.0)
        await it.show()
        assert it.row("learning rate").split()[3:] == ["0.0015", "now", text]


async def test_rows_without_effect_are_marked_and_say_why():
    async with driven(optimizer="gradient_descent") as it:
        assert it.row("beta1").endswith("·")
        assert it.row("decay rate").endswith("·")
        assert not it.row("batch size").endswith("·")
        await it.on("beta1")
        assert "· not used by gradient_descent" in it.screen
        it.monitor.record(HyperparameterChanged(1, "optimizer", "gradient_descent", "momentum"), 1.0)
        it.monitor.record(UnusedChanged(unused_rows(it.monitor.hyperparameters, batch_norm=True)), 1.0)
        await it.show()
        assert not it.row("beta1").endswith("·")


@pytest.mark.parametrize("batch_norm", [True, False])
async def test_rows_of_batch_norm_have_an_effect_only_where_there_is_some(batch_norm: bool):
    async with driven(trained(40, batch_norm=batch_norm), size=(40, 60)) as it:
        assert it.row("BN beta").endswith("·") is not batch_norm


async def test_an_edit_without_effect_is_allowed():
    async with driven(optimizer="gradient_descent") as it:
        await it.on("beta1")
        await it.type("0.5")
        await it.press("enter")
        assert it.app.edits == [("beta1", 0.5)]


async def test_how_many_steps_a_beta_remembers_stands_below():
    async with driven() as it:
        await it.on("beta1")
        assert "last 10" in it.screen


async def test_reports_that_come_while_a_value_is_typed_do_not_disturb_it():
    async with driven() as it:
        await it.type("0.00")
        for last in range(1, 20):
            it.monitor.record(steps(last, last), float(last))
            await it.show()
        await it.type("3")
        assert "0.003▏" in it.row("learning rate")
        await it.press("enter")
        assert it.app.edits == [("learning_rate", 0.003)]


@pytest.mark.parametrize("size", [(1, 1), (5, 3), (12, 6), (20, 10), (37, 7), (200, 80)])
async def test_any_size_can_be_drawn_with_and_without_a_draft(size: tuple[int, int]):
    async with driven(trained(40, hidden=6), size=size) as it:
        await it.press("end", "home")
        await it.type("123456789012345678901234567890")
        await it.press("enter", "escape", "down", "right", "enter")
        assert [name for name, _ in it.app.edits] == ["learning_rate", "beta1"]
