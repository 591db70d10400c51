"""`python -m workbench.runtime [--socket PATH]`: the engine's process.

It speaks frames on standard input and output, with whoever has started it; or on a Unix socket, with the first who comes.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
import threading
from pathlib import Path
from queue import SimpleQueue
from typing import NoReturn

import msgspec

from workbench.protocol.reports import Crashed
from workbench.protocol.wire import LENGTH, MAX_BYTES, REQUESTS
from workbench.runtime.crash import write_crash_report
from workbench.runtime.host import CaughtUp, Host, Inbox
from workbench.runtime.listen import CannotListen, one_client
from workbench.runtime.outbox import Outbox


def read_requests(stream: io.RawIOBase, inbox: Inbox) -> None:
    """Put every request of the stream into the inbox, and None at its end."""
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
    with contextlib.suppress(OSError):
        # A socket that is closed with something unread cuts the other end off from what it was told last.
        while stream.read(2**16):
            pass


def _read(stream: io.RawIOBase, size: int) -> bytes:
    """`size` bytes of an unbuffered stream, or fewer where it ends."""
    data = bytearray()
    while len(data) < size and (part := stream.read(size - len(data))):
        data += part
    return bytes(data)


def serve(requests: io.RawIOBase, reports: io.RawIOBase, inbox: Inbox) -> None:
    """Serve one run, and end with its client. Both streams are unbuffered.

    (Python aborts at exit where a thread still waits in the buffer of its own standard input.)
    """
    outbox = Outbox(reports.write, lambda: inbox.put(None), lambda: inbox.put(CaughtUp()))
    threading.Thread(target=read_requests, args=(requests, inbox), daemon=True).start()
    try:
        Host(inbox, outbox.send).serve()
    except Exception as error:
        outbox.send(Crashed(str(write_crash_report(error)), f"{type(error).__name__}: {error}"))
        raise SystemExit(1) from None
    finally:
        outbox.close()


def _over_pipes() -> None:
    inbox: Inbox = SimpleQueue()
    # The terminal's Ctrl+C is for the app; an engine told to end by the system saves as if the app had gone.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: inbox.put(None))
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # a stray print must not break the frames
    serve(os.fdopen(os.dup(sys.stdin.fileno()), "rb", buffering=0), out, inbox)


def _over_socket(path: Path) -> None:
    inbox: Inbox = SimpleQueue()
    told = signal.SIGTERM, signal.SIGINT  # whoever has started it may end it, too
    for number in told:
        signal.signal(number, lambda *_: sys.exit(0))
    try:
        with one_client(path) as client:
            for number in told:
                signal.signal(number, lambda *_: inbox.put(None))
            serve(client.makefile("rb", buffering=0), client.makefile("wb", buffering=0), inbox)
    except CannotListen as error:
        _refuse(str(error))


def _refuse(why: str) -> NoReturn:
    print(f"workbench.runtime: {why}", file=sys.stderr)
    sys.exit(2)


def main() -> None:
    """Serve on the streams that the command line asks for."""
    match sys.argv[1:]:
        case []:
            _over_pipes()
        case ["--socket", path]:
            _over_socket(Path(path))
        case _:
            _refuse("expected nothing, or --socket PATH")


if __name__ == "__main__":
    main()
