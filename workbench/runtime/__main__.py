"""`python -m workbench.runtime`: the engine process, speaking frames on standard input and output."""

from __future__ import annotations

import os
import signal
import sys
import threading
from queue import SimpleQueue
from typing import BinaryIO

import msgspec

from workbench.protocol.reports import Crashed, Report
from workbench.protocol.requests import Request
from workbench.protocol.wire import LENGTH, MAX_BYTES, REPORTS, REQUESTS
from workbench.runtime.crash import write_crash_report
from workbench.runtime.host import Host


def read_requests(stream: BinaryIO, inbox: SimpleQueue[Request | None]) -> None:
    """Put every order of the stream into the inbox, and None at its end."""
    try:
        while len(head := _read(stream, LENGTH.size)) == LENGTH.size:
            (size,) = LENGTH.unpack(head)
            body = _read(stream, size) if size <= MAX_BYTES else b""
            if len(body) != size:
                break
            inbox.put(REQUESTS.decode(body))
    except (OSError, msgspec.MsgspecError):
        pass  # what does not speak the protocol counts as gone
    finally:
        inbox.put(None)


def _read(stream: BinaryIO, size: int) -> bytes:
    """`size` bytes of an unbuffered stream, or fewer where it ends."""
    data = bytearray()
    while len(data) < size and (part := stream.read(size - len(data))):
        data += part
    return bytes(data)


def main() -> None:
    """Serve one run, and end with the app."""
    # The terminal's Ctrl+C is for the app; an engine told to end by the system saves as if the app had gone.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    inbox: SimpleQueue[Request | None] = SimpleQueue()
    signal.signal(signal.SIGTERM, lambda *_: inbox.put(None))
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # a stray print must not break the frames
    app_is_there = True

    def send(report: Report) -> None:
        nonlocal app_is_there
        frame = memoryview(REPORTS.encode(report))
        try:
            while app_is_there and frame:
                frame = frame[out.write(frame) :]
        except OSError:
            app_is_there = False
            inbox.put(None)

    # Unbuffered: Python aborts at exit where a thread still waits in the buffer of its own standard input.
    requests = os.fdopen(os.dup(sys.stdin.fileno()), "rb", buffering=0)
    threading.Thread(target=read_requests, args=(requests, inbox), daemon=True).start()
    try:
        Host(inbox, send).serve()
    except Exception as error:
        send(Crashed(str(write_crash_report(error)), f"{type(error).__name__}: {error}"))
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
