"""What should not have gone wrong: it is told in one line with its report, the run goes on, and the app as far as it can."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from driving import PATIENCE_SECONDS, Driven, Open
from fed import FedApp
from textual.app import ComposeResult, RenderResult
from textual.events import Click
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from workbench.session.store import read_session
from workbench.ui.app import WorkbenchApp
from workbench.ui.failures import OFTEN, WITHIN_SECONDS, Failures
from workbench.ui.screens.training import TrainingScreen
from workbench.ui.settling import SettlingScreen


class Foreseen(Exception):
    """Raised by what these tests put into the app."""


class Broken(Static):
    """Raises where it is told to."""

    where = ""

    def on_mount(self) -> None:
        self.fail("mount")

    def on_click(self) -> None:
        self.fail("click")

    def render(self) -> RenderResult:
        self.fail("render")
        return "unbroken"

    def fail(self, where: str) -> None:
        if self.where == where:
            raise Foreseen(where)

    async def work(self) -> None:
        raise Foreseen("work")


class BrokenDialog(ModalScreen[None], SettlingScreen[None]):
    def __init__(self, where: str) -> None:
        super().__init__()
        self.where = where

    def compose(self) -> ComposeResult:
        if self.where == "compose":
            raise Foreseen("compose")
        yield Input()

    def on_mount(self) -> None:
        if self.where == "mount":
            raise Foreseen("mount")


def raised(app: WorkbenchApp) -> Exception | None:
    """What a test would fail of."""
    error, app._exception = app._exception, None
    return error


def report_told(app: WorkbenchApp) -> str:
    (told,) = (each.message for each in app._notifications if "went wrong" in each.message)
    assert "\n" not in told
    return Path(told.rpartition(" ")[2]).read_text()


async def told(it: Driven) -> str:
    await it.until_told("Something went wrong that should not have", "Foreseen", "A report is in")
    assert isinstance(raised(it.app), Foreseen)
    return report_told(it.app)


async def in_a_handler(it: Driven) -> None:
    broken = Broken()
    await it.training.mount(broken)
    broken.where = "click"
    broken.post_message(Click(broken, 0, 0, 0, 0, 1, False, False, False))


async def in_a_mounted_widget(it: Driven) -> None:
    broken = Broken()
    broken.where = "mount"
    await it.training.mount(broken)


async def in_a_worker(it: Driven) -> None:
    broken = Broken()
    await it.training.mount(broken)
    broken.run_worker(broken.work())


async def in_a_timer(it: Driven) -> None:
    broken = Broken()
    await it.training.mount(broken)
    broken.where = "timer"
    broken.set_timer(0.001, lambda: broken.fail("timer"))


async def in_a_callback(it: Driven) -> None:
    broken = Broken()
    await it.training.mount(broken)
    broken.where = "callback"
    broken.call_next(broken.fail, "callback")


async def in_the_screen_itself(it: Driven) -> None:
    broken = Broken()
    broken.where = "screen"
    it.training.call_later(broken.fail, "screen")


async def in_the_app_itself(it: Driven) -> None:
    broken = Broken()
    broken.where = "app"
    it.app.call_later(broken.fail, "app")


EVERYWHERE = (
    in_a_handler, in_a_mounted_widget, in_a_worker, in_a_timer, in_a_callback, in_the_screen_itself, in_the_app_itself,
)  # fmt: skip


@pytest.mark.parametrize("where", EVERYWHERE, ids=lambda where: where.__name__)
async def test_it_is_told_saved_and_survived(workbench_app: Open, presets: Path, where: Callable[[Driven], Any]):
    async with workbench_app(presets / "clouds.toml") as it:
        engine = it.training.link._engine.pid
        await it.until_trained(1)
        await where(it)
        report = await told(it)
        assert "Traceback" in report
        assert "Foreseen" in report
        await it.until_told("Saved")
        assert read_session(it.training.link.path).step > 0
        await it.edit("learning_rate", "0.005")  # screen, keys, engine: everybody is there
        assert it.training.link._engine.pid == engine
        step = it.monitor.step
        await it.until_trained(step + 100)


@pytest.mark.parametrize("where", ["compose", "mount"])
async def test_a_dialog_that_cannot_be_put_together_is_put_away(workbench_app: Open, presets: Path, where: str):
    async with workbench_app(presets / "clouds.toml") as it:
        it.app.push_screen(BrokenDialog(where))
        await told(it)
        await it.until(lambda: isinstance(it.app.screen, TrainingScreen), "the training screen")
        await it.edit("learning_rate", "0.005")


async def test_what_can_never_be_drawn_ends_the_app_in_order(workbench_app: Open, presets: Path):
    async with workbench_app(presets / "clouds.toml") as it:
        await it.until_trained(1)
        path = it.training.link.path
        broken = Broken()
        await it.training.mount(broken)
        broken.where = "render"
        broken.auto_refresh = 0.01
        async with asyncio.timeout(PATIENCE_SECONDS):
            while it.app.return_code is None:  # the pilot's own waiting would draw it, too
                await asyncio.sleep(0.01)
        broken.where = ""
        assert it.app.return_code == 1
        assert it.app.farewell.startswith(
            "workbench: something went wrong that should not have (Foreseen: render); a report is in "
        )
        assert it.app.farewell.count("\n") == 1
        assert isinstance(raised(it.app), Foreseen)
    assert read_session(path).step > 0


async def test_an_app_that_cannot_begin_ends(presets: Path, sessions: Path):
    class Unborn(FedApp):
        def on_mount(self) -> None:
            raise Foreseen("at once")

    app = Unborn(sessions, presets / "clouds.toml")
    async with app.run_test() as pilot:
        async with asyncio.timeout(20):
            while not app._exit:
                await pilot.pause(0.01)
        assert isinstance(raised(app), Foreseen)
    assert app.return_code == 1
    assert "Foreseen: at once" in app.farewell


# -- how often ----------------------------------------------------------------------------------------------------------


def fault(kind: Literal["one", "other"]) -> Exception:
    try:
        if kind == "one":
            raise Foreseen("[red]one\nand more")
        raise Foreseen("other")
    except Foreseen as error:
        return error


@pytest.fixture
def now() -> list[float]:
    return [0.0]


@pytest.fixture
def failures(now: list[float]) -> Failures:
    return Failures(lambda: now[0])


def test_a_fault_has_one_report_however_often_it_is_met(failures: Failures):
    first, second, other = (failures.record(fault(kind), asked_for=False) for kind in ("one", "one", "other"))
    assert (first.new, second.new, other.new) == (True, False, True)
    assert first.report == second.report != other.report
    assert first.what == "Foreseen: [red]one"


def test_only_what_comes_again_and_again_by_itself_and_fast_is_incessant(failures: Failures, now: list[float]):
    for _ in range(OFTEN + 5):
        assert not failures.record(fault("one"), asked_for=True).incessant
    for _ in range(OFTEN + 5):
        now[0] += WITHIN_SECONDS / (OFTEN - 2)
        assert not failures.record(fault("one"), asked_for=False).incessant
    now[0] += WITHIN_SECONDS
    for _ in range(OFTEN - 1):
        assert not failures.record(fault("one"), asked_for=False).incessant
    assert failures.record(fault("one"), asked_for=False).incessant
    assert not failures.record(fault("other"), asked_for=False).incessant
