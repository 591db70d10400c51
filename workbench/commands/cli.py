"""The command line: which commands there are, and which of them an argument means.

Each command is the `command` of its own file, which is imported when somebody calls it or asks for the list of them all.
"""

from __future__ import annotations

import importlib
from itertools import pairwise

import click

import workbench

COMMANDS = ("gradcheck", "hyperparameters", "keys", "open", "presets", "replay", "sessions", "train")
"""The files of the commands, in the order of the help."""


class _AppByDefault(click.Group):
    """A group in which whatever is not a command is a preset or session to open."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return _loaded(cmd_name) if cmd_name in COMMANDS else None

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        first = _first_word(args)
        asks = {"-h", "--help", "--version"} & set(args)
        if (first is None and not asks) or (first is not None and first not in COMMANDS):
            args = ["open", *args]
        return super().parse_args(ctx, args)


def _loaded(name: str) -> click.Command:
    command: click.Command = importlib.import_module(f"workbench.commands.{name}").command
    return command


def _first_word(args: list[str]) -> str | None:
    """The first argument that is neither an option nor, as options of the app go, the value of one."""
    for before, each in pairwise(["", *args]):
        if not each.startswith("-") and not (before.startswith("-") and before in _options_with_a_value()):
            return each
    return None


def _options_with_a_value() -> set[str]:
    options = [each for each in _loaded("open").params if isinstance(each, click.Option) and not each.is_flag]
    return {name for option in options for name in option.opts}


@click.group(cls=_AppByDefault, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(workbench.__version__, prog_name="workbench")
def cli() -> None:
    """Train neural networks in the terminal, and edit their hyperparameters while they train.

    `workbench` opens the library, `workbench PRESET` or `workbench SESSION` goes straight to training; `workbench open --help`
    lists the options of the app.
    """
