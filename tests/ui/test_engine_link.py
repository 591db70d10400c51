"""The link to an engine, alone in an app of its own with a real engine: what comes is passed on, and nothing is lost."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from driving import PATIENCE_SECONDS, until
from textual import on
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from workbench.engine.events import HyperparameterChanged, StepsTaken
from workbench.protocol.hello import Hello
from workbench.protocol.reports import Begun, Exported, ExportFailed, Report, Saved
from workbench.protocol.requests import Pause, Resume, RunTo
from workbench.run.replay import replay
from workbench.run.run import Run
from workbench.session.format import parse_session
from workbench.session.preset import Preset
from workbench.session.session import Session
from workbench.session.store import read_session
from workbench.ui import engine_link
from workbench.ui.dialogs.choice import ChoiceScreen
from workbench.ui.dialogs.fork import CannotDepart
from workbench.ui.engine_link import EngineLink, Goal, Keeping
from workbench.ui.state.monitor import Phase

LONG = 1_000_000
SELDOM = Keeping(autosave_seconds=10_000)
Linked = Callable[..., Any]


class Host(App[None]):
    """A link alone. Remembers what it reports, and the step that the monitor knew of when it was heard; and who leaves."""

    def __init__(self, link: EngineLink) -> None:
        super().__init__()
        self.link = link
        self.reports: list[Report] = []
        self.known: list[int] = []
        self.left: list[tuple[Goal, str]] = []
        link.listen(self.reports.append)
        link.listen(lambda report: self.known.append(link.monitor.step))

    def compose(self) -> ComposeResult:
        yield self.link

    def on_mount(self) -> None:
        self.link.start()

    @on(EngineLink.Left)
    def _left(self, message: EngineLink.Left) -> None:
        self.left.append((message.goal, message.message))


class Watched:
    """A link whose engine has begun."""

    def __init__(self, host: Host, pilot: Pilot[Any]) -> None:
        self.host, self.pilot, self.link = host, pilot, host.link
        self.engines: set[int] = set()

    @property
    def pid(self) -> int:
        engine = self.link._engine
        assert engine is not None
        assert engine.pid is not None
        self.engines.add(engine.pid)
        return engine.pid

    def of(self, *kinds: type) -> list[Any]:
        return [report for report in self.host.reports if isinstance(report, kinds)]

    async def until(self, holds: Callable[[], object], what: str = "") -> None:
        await until(self.pilot, holds, what)

    async def until_begun(self) -> None:
        await self.until(lambda: self.link.monitor.begun, "begun")
        assert self.pid

    async def until_trained(self, steps: int) -> None:
        await self.until(lambda: self.link.monitor.step >= steps, f"step {steps}")

    async def pause(self) -> int:
        self.link.send(Pause())
        await self.until(lambda: self.link.monitor.phase is Phase.PAUSED, "paused")
        return self.link.monitor.step

    async def until_told(self, *texts: str) -> None:
        def told() -> bool:
            return any(all(text in each.message for text in texts) for each in self.host._notifications)

        await self.until(told, f"told {texts}")

    async def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        await self.until(lambda: self.link.monitor.phase is Phase.LOST and not self.link.connected, "lost")


@pytest.fixture
def linked(make_preset: Callable[..., Preset], tmp_path: Path) -> Linked:
    """A link to an engine that trains until it is told to stop; gives a `Watched`. No engine outlives it."""

    @asynccontextmanager
    async def opened(
        path: Path = tmp_path / "sessions" / "run.toml", source: Path | None = None, keeping: Keeping = SELDOM, **changes: Any
    ) -> AsyncIterator[Watched]:
        preset = make_preset(**{"batch_norm": True, "epochs": LONG, **changes})
        session = read_session(source) if source is not None else Session(preset=preset, seed=1)
        host = Host(EngineLink(session, path, source, keeping))
        async with host.run_test(notifications=True) as pilot:
            it = Watched(host, pilot)
            await it.until_begun()
            yield it
        async with asyncio.timeout(PATIENCE_SECONDS):
            while any(Path(f"/proc/{each}").exists() for each in it.engines):
                await asyncio.sleep(0.01)

    return opened


async def test_the_engine_has_ended_when_the_app_has(linked: Linked):
    async with linked() as it:
        pid = it.pid
        await it.until_trained(5)
        await it.pilot.app.action_quit()
        await it.pilot.app._shutdown()
        assert not Path(f"/proc/{pid}").exists()


# -- what comes ---------------------------------------------------------------------------------------------------------


async def test_reports_are_passed_on_in_their_order_once_they_are_known(linked: Linked):
    async with linked() as it:
        await it.until_trained(200)
        await it.pause()
        first, *_ = it.host.reports
        assert isinstance(first, Hello)
        (begun,) = it.of(Begun)
        taken = it.of(StepsTaken)
        assert it.host.reports.index(begun) < it.host.reports.index(taken[0])
        ends = [begun.step, *(each.step for each in taken)]
        assert [each.step - len(each.cost) for each in taken] == ends[:-1], "none is left out, and none overtakes another"
        known = [step for report, step in zip(it.host.reports, it.host.known, strict=True) if isinstance(report, StepsTaken)]
        assert known == ends[1:]


async def test_an_edit_is_pending_until_the_engine_has_taken_it(linked: Linked):
    async with linked() as it:
        await it.until_trained(5)
        monitor = it.link.monitor
        it.link.edit("learning_rate", 0.02)
        assert (monitor.edit_states["learning_rate"].kind, monitor.hyperparameters.learning_rate) == ("pending", 0.01)
        await it.until(lambda: monitor.edit_states["learning_rate"].kind == "applied", "applied")
        assert monitor.hyperparameters.learning_rate == 0.02
        (change,) = it.of(HyperparameterChanged)
        assert change.step == monitor.edit_states["learning_rate"].step >= 5
        it.link.edit("batch_size", 1)
        await it.until(lambda: monitor.edit_states["batch_size"].kind == "refused", "refused: batch norm needs two")
        assert monitor.hyperparameters.batch_size == 8


async def test_the_actions_pause_step_and_save(linked: Linked):
    async with linked() as it:
        await it.until_trained(5)
        does = it.link.performers
        does["training.pause"]()
        await it.until(lambda: it.link.monitor.phase is Phase.PAUSED, "paused")
        step = it.link.monitor.step
        does["training.step"]()
        await it.until_trained(step + 1)
        does["training.save"]()
        await it.until_told("Saved", f"run.toml at step {step + 1:,}")
        assert read_session(it.link.path).step == step + 1
        does["training.pause"]()
        await it.until_trained(step + 20)


# -- a place written down -----------------------------------------------------------------------------------------------


async def test_what_is_exported_is_the_run_itself(linked: Linked):
    async with linked() as it:
        await it.until_trained(50)
        it.link.edit("learning_rate", 0.02)
        await it.until(lambda: it.link.monitor.edits, "the edit")
        last = await it.pause()
        now = await it.link.export(None)
        before = await it.link.export(20)
        assert [(each.step, each.edits) for each in (now, before)] == [(last, 1), (20, 0)]
        assert it.link._exports == {}
        it.link.save()
        await it.until_told("Saved")
        path = it.link.path
    saved = Run(read_session(path), path)
    run = Run(parse_session(now.session, "export"), checkpoint=now.checkpoint)
    assert run.trainer.state.digest() == saved.trainer.state.digest()
    assert (run.trainer.hyperparameters.learning_rate, run.place) == (0.02, saved.place)
    early = Run(parse_session(before.session, "export"), checkpoint=before.checkpoint)
    assert (early.trainer.hyperparameters.learning_rate, early.place.step) == (0.01, 20)


async def test_an_export_of_an_engine_that_is_killed_cannot_depart(linked: Linked):
    async with linked() as it:
        await it.until_trained(5)
        os.kill(it.pid, signal.SIGSTOP)  # so that it cannot answer
        asked = asyncio.create_task(it.link.export(None))
        await it.until(lambda: it.link._exports, "asked")
        await it.kill()
        with pytest.raises(CannotDepart, match="killed by signal 9"):
            await asked
        assert it.link._exports == {}
        with pytest.raises(CannotDepart, match="no engine"):
            await it.link.export(None)
        assert it.link._exports == {}, "nobody waits for what was not asked"


async def test_an_export_that_fails_says_why_and_the_next_is_none_the_worse_for_it(linked: Linked):
    async with linked() as it:
        last = await it.pause()
        os.kill(it.pid, signal.SIGSTOP)
        asked = asyncio.create_task(it.link.export(None))
        await it.until(lambda: it.link._exports, "asked")
        (number,) = it.link._exports
        it.link.hear(ExportFailed(number, "its bytes are too many"))
        with pytest.raises(CannotDepart, match="its bytes are too many"):
            await asked
        assert it.link._exports == {}
        os.kill(it.pid, signal.SIGCONT)
        assert (await it.link.export(None)).step == last


async def test_an_answer_to_somebody_who_has_gone_does_no_harm(linked: Linked):
    async with linked() as it:
        await it.until_trained(5)
        os.kill(it.pid, signal.SIGSTOP)
        asked = asyncio.create_task(it.link.export(None))
        await it.until(lambda: it.link._exports, "asked")
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        assert it.link._exports == {}
        os.kill(it.pid, signal.SIGCONT)
        await it.until(lambda: it.of(Exported), "answered all the same")
        before = it.link.monitor.step
        await it.until_trained(before + 20)
        exported = await it.link.export(None)
        assert exported.step >= before + 20
        assert exported.number != it.of(Exported)[0].number


# -- leaving ------------------------------------------------------------------------------------------------------------


async def test_leaving_saves_and_says_so_once(linked: Linked):
    async with linked() as it:
        await it.until_trained(20)
        it.link.leave(Goal.SHELL)
        await it.until(lambda: it.host.left, "left")
        ((goal, message),) = it.host.left
        session = read_session(it.link.path)
        assert session.step >= 20
        assert goal is Goal.SHELL
        assert message == f"saved {it.link.path} at step {session.step:,}; go on with: workbench {it.link.path}"
        it.link.send(Pause(), RunTo(0))  # it is still there, and saving is over
        await it.until(lambda: it.link.monitor.phase is not Phase.TRAINING, "it stands")
        assert len(it.host.left) == 1
    assert all(each.identical for each in replay(session))


async def test_where_nothing_is_new_leaving_does_not_wait(linked: Linked, tmp_path: Path):
    async with linked() as it:
        await it.until_trained(5)
        await it.pause()
        it.link.save()
        await it.until_told("Saved")
        written = it.link.path.stat().st_mtime_ns
        saved = len(it.of(Saved))
        it.link.leave(Goal.LIBRARY)
        await it.until(lambda: it.host.left, "left")
        assert it.host.left == [(Goal.LIBRARY, "")]
        assert len(it.of(Saved)) == saved
        path = it.link.path
    async with linked(path, source=path) as it:
        await it.until(lambda: it.link.monitor.phase is Phase.PAUSED, "it waits")
        it.link.leave(Goal.SHELL)
        await it.until(lambda: it.host.left, "left")
        assert it.host.left == [(Goal.SHELL, "")]
    assert path.stat().st_mtime_ns == written


async def test_a_failed_save_keeps_it_and_the_second_time_it_goes(linked: Linked, tmp_path: Path):
    (tmp_path / "file").write_text("not a folder")
    async with linked(tmp_path / "file" / "run.toml") as it:
        await it.until_trained(5)
        it.link.leave(Goal.SHELL)
        await it.until_told("not saved", "Training is not affected", "Press q again to quit without saving")
        before = it.link.monitor.step
        await it.until_trained(before + 20)
        assert it.host.left == []
        it.link.leave(Goal.LIBRARY)
        await it.until_told("Press escape again to leave without saving")
        assert it.host.left == [], "somewhere else is no second time"
        it.link.leave(Goal.LIBRARY)
        await it.until(lambda: it.host.left, "left")
        assert it.host.left == [(Goal.LIBRARY, "")]


async def test_why_a_save_failed_is_told_though_the_path_is_long(linked: Linked, tmp_path: Path):
    folder = tmp_path / ("d" * 200) / ("e" * 200)
    folder.parent.mkdir()
    folder.write_text("not a folder")
    async with linked(folder / "run.toml") as it:
        await it.until_trained(5)
        it.link.save()
        await it.until_told("not saved: file exists")


async def test_an_offer_that_lapses_does_not_end_the_one_after_it(
    linked: Linked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "file").write_text("not a folder")
    async with linked(tmp_path / "file" / "run.toml") as it:
        await it.until_trained(5)
        monkeypatch.setattr(engine_link, "AGAIN_SECONDS", 0.5)
        it.link.leave(Goal.SHELL)
        await it.until_told("Press q again")
        monkeypatch.setattr(engine_link, "AGAIN_SECONDS", 1000.0)
        it.link.leave(Goal.LIBRARY)
        await it.until_told("Press escape again")
        later = asyncio.Event()
        it.link.set_timer(1.0, later.set)
        await later.wait()
        it.link.leave(Goal.LIBRARY)
        await it.until(lambda: it.host.left, "left")
        assert it.host.left == [(Goal.LIBRARY, "")]


# -- another engine -----------------------------------------------------------------------------------------------------


async def test_after_a_kill_it_is_said_and_another_engine_goes_on_from_the_last_save(linked: Linked):
    async with linked() as it:
        await it.until_trained(20)
        saved = await it.pause()
        it.link.save()
        await it.until_told("Saved")
        it.link.send(Resume())
        await it.until_trained(saved + 20)
        dead = it.pid
        await it.kill()
        assert "killed by signal 9" in it.link.monitor.trouble
        assert it.link.kept
        assert not it.link.send(Pause())
        await it.until_told("There is no engine")
        it.link.edit("l2", 0.5)
        assert "l2" not in it.link.monitor.edit_states, "nobody will answer"
        it.link.restart()
        await it.until(lambda: isinstance(it.host.screen, ChoiceScreen), "asked")
        await it.pilot.press("s")
        await it.until(lambda: it.link.monitor.phase is Phase.PAUSED, "it waits")
        assert it.link.monitor.step == saved
        assert it.pid != dead
        step = it.link.monitor.step
        it.link.restart()
        it.link.send(Resume())
        await it.until_trained(step + 20)
        assert len(it.engines) == 2, "one that is well is not started again"


async def test_before_any_save_another_engine_trains_forward_to_the_same_bits(linked: Linked):
    async with linked() as it:
        await it.until_trained(50)
        await it.kill()
        step = it.link.monitor.step
        assert not it.link.kept
        it.link.restart()
        await it.until(lambda: isinstance(it.host.screen, ChoiceScreen), "asked")
        await it.pilot.press("f")
        await it.until(lambda: it.link.monitor.phase is Phase.PAUSED and it.link.connected, "it waits")
        assert (it.pid, it.link.monitor.step) != (0, 0)
        assert it.link.monitor.step == step
        it.link.save()
        await it.until_told("Saved")
    assert all(each.identical for each in replay(read_session(it.link.path)))
