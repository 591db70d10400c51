"""Where the user's own files are, and reading them so that a bad one is told of and does no harm."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import platformdirs

from workbench.files.errors import InputError, Problems
from workbench.files.toml import parse_toml, read_bounded

MAX_BYTES = 256 * 2**10


def config_folder() -> Path:
    """Where the user's files are: the folder in `WORKBENCH_CONFIG`, else the platform's. It need not exist."""
    given = os.environ.get("WORKBENCH_CONFIG")
    return Path(given) if given else platformdirs.user_config_path("workbench")


def read_table(path: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The top table of a file, empty with the problems why it cannot be read; no file is no problem."""
    try:
        path.stat()
    except FileNotFoundError:
        return {}, ()
    except (OSError, ValueError):
        pass  # said below, in the words for all files
    try:
        return parse_toml(read_bounded(path, MAX_BYTES), str(path)), ()
    except InputError as error:
        return {}, error.problems


def lines_of(problems: Problems) -> tuple[str, ...]:
    """What was noted, a clean line each."""
    try:
        problems.raise_if_any()
    except InputError as error:
        return error.problems
    return ()
