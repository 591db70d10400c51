"""Crash reports: what went wrong goes to a file, never into the user's face."""

from __future__ import annotations

import datetime
import platform
import tempfile
import traceback
from pathlib import Path

import platformdirs

import workbench


def write_crash_report(error: BaseException) -> Path:
    """Write the traceback to a new file in the user's log folder (or a temporary one), and return its path."""
    moment = datetime.datetime.now().astimezone()
    text = "\n".join(
        [
            f"Workbench {workbench.__version__} on Python {platform.python_version()}, {platform.platform()}",
            moment.isoformat(timespec="seconds"),
            "",
            "".join(traceback.format_exception(error)),
        ]
    )
    name = f"crash-{moment:%Y%m%d-%H%M%S-%f}.txt"
    for folder in (platformdirs.user_log_path("workbench"), Path(tempfile.gettempdir())):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / name
            path.write_text(text, encoding="utf-8", errors="replace")
        except OSError:
            continue
        return path
    return Path("nowhere: no folder could be written to")
