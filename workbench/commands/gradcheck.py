"""`workbench gradcheck`: whether backpropagation is right."""

from __future__ import annotations

from pathlib import Path

import click

from workbench.commands.options import json_output, sessions_folder
from workbench.commands.output import json_number, print_json, say
from workbench.files.errors import InputError
from workbench.files.text import clean


@click.command("gradcheck")
@click.argument("name", metavar="PRESET")
@json_output
@sessions_folder
def command(name: str, as_json: bool, folder: Path) -> int:
    """Compare the gradients of backpropagation with numerical ones, in float64."""
    from workbench.data.dataset import DataError
    from workbench.data.splits import prepare
    from workbench.engine.gradcheck import FINE, check_gradients
    from workbench.session.opening import open_input
    from workbench.session.session import Session

    content = open_input(name, folder).content
    preset = content.preset if isinstance(content, Session) else content
    seed = content.seed if isinstance(content, Session) else 1
    try:
        found = check_gradients(prepare(preset.data, seed), preset.network, preset.training, seed)
    except DataError as error:
        raise InputError(f"{preset.name}: {error}") from None
    if as_json:
        tensors = {each.name: json_number(each.difference) for each in found.tensors}
        print_json({"largest": json_number(found.largest), "tensors": tensors})
    else:
        for each in found.tensors:
            verdict = "fine" if each.difference <= FINE else "WRONG"
            say(clean(f"{each.name:<8} {each.difference:.2e}  {verdict}{each.worst}"))
        say(clean(f"largest  {found.largest:.2e}"))
    return 0 if found.largest <= FINE else 1
