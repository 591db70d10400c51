"""The options that several commands have."""

from __future__ import annotations

from pathlib import Path

import click

sessions_folder = click.option(
    "--sessions", "folder", type=click.Path(path_type=Path), default=Path("sessions"), envvar="WORKBENCH_SESSIONS",
    show_default="./sessions", help="The folder of saved sessions.",
)  # fmt: skip
json_output = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object, and nothing else, on standard output."
)  # fmt: skip
