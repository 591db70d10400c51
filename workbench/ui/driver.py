"""Textual's driver for a terminal, but for three things: it never waits for the line, it finds its way back from wherever the
shell has put it, and what is typed cannot end it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable

from textual.drivers.linux_driver import LinuxDriver

from workbench.runtime.terminal import Outlet


class TerminalDriver(LinuxDriver):
    """Writes through an outlet to standard output, which is the terminal, whatever standard error is."""

    _outlet: Outlet | None = None
    _left = False

    # -- output -------------------------------------------------------------------------------------------------------

    def write(self, data: str) -> None:
        """Have data written. Never waits."""
        if self._outlet is not None:
            self._outlet.write(data)

    def busy(self) -> bool:
        """Whether the line has not taken everything yet; then the screen is drawn anew when it has."""
        return self._outlet is not None and self._outlet.busy()

    def _drained(self) -> None:
        with contextlib.suppress(RuntimeError):  # the app has ended
            self._loop.call_soon_threadsafe(self._draw)

    def _draw(self) -> None:
        if self._app.is_running and self._app.screen_stack:
            self._app.call_later(self._app.screen._compositor_refresh)

    def start_application_mode(self) -> None:
        """Begin to write, and to read."""
        assert sys.__stdout__ is not None
        self._outlet = Outlet(sys.__stdout__.fileno(), self._drained)
        super().start_application_mode()  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """End writing; what the line does not take soon is dropped."""
        if self._outlet is not None:
            self._outlet.close()
            self._outlet = None
        super().close()

    # -- away and back ------------------------------------------------------------------------------------------------

    # Signals come in between any two lines, with any lock held: so the loop is told, and does what is to be done.

    def _soon(self, callback: Callable[[], object]) -> None:
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(callback)

    def _sigtstp_application(self, *_: object) -> None:
        self._soon(self._leave)

    def _sigcont_application(self, *_: object) -> None:
        self._soon(self._come_back)

    def _leave(self) -> None:
        if self._auto_restart:
            self.suspend_application_mode()
            self._left = True
        os.kill(os.getpid(), signal.SIGSTOP)

    def _come_back(self) -> None:
        """Whoever stopped the process, and whatever was done to the terminal meanwhile: put it into its modes again."""
        if not self._auto_restart or self._app._exit:
            return
        if not self._left:  # stopped without having been asked
            self.suspend_application_mode()
        self._left = False
        self._must_signal_resume = True
        self.resume_application_mode()
        self._app.refresh(layout=True)

    # -- input --------------------------------------------------------------------------------------------------------

    def _run_input_thread(self) -> None:
        """Read until it is over. Bytes that are no text are passed over; what else goes wrong is told, and read on."""
        while not self.exit_event.is_set():
            try:
                self.run_input_thread()
            except UnicodeDecodeError:
                continue
            except OSError:  # nobody is there any more
                return
            except Exception as error:
                with contextlib.suppress(RuntimeError):
                    asyncio.run_coroutine_threadsafe(_raised(error, self._app._handle_exception), self._loop)


async def _raised(error: Exception, handle: Callable[[Exception], None]) -> None:
    handle(error)
