"""`workbench hyperparameters`: the one table of them, in words."""

from __future__ import annotations

import click

from workbench.commands.output import say
from workbench.files.text import clean


@click.command("hyperparameters")
def command() -> None:
    """List every hyperparameter: range, default, and what it is for."""
    from workbench.hyperparameters import TABLE

    for spec in TABLE.values():
        about = f"{spec.expected}; default {spec.default}; applies {spec.applies}. {spec.help}"
        say(clean(f"{spec.name:<18} {spec.symbol:<8} {about}", None))
