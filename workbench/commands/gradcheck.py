"""`workbench gradcheck`: whether backpropagation is right."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from workbench.commands.options import json_output, sessions_folder
from workbench.commands.output import json_number, print_json, say
from workbench.files.errors import InputError
from workbench.files.text import clean

if TYPE_CHECKING:
    from workbench.engine.gradcheck import GradientCheck, TensorCheck

JUDGE = "complex step"


@click.command("gradcheck")
@click.argument("name", metavar="PRESET")
@json_output
@sessions_folder
def command(name: str, as_json: bool, folder: Path) -> int:
    """Judge the gradients of backpropagation by the complex step, in float64; the two-sided differences are shown beside it."""
    from threadpoolctl import threadpool_limits

    from workbench.data.dataset import DataError
    from workbench.data.splits import prepare
    from workbench.engine.gradcheck import check_gradients
    from workbench.session.opening import open_input
    from workbench.session.session import Session

    content = open_input(name, folder).content
    preset = content.preset if isinstance(content, Session) else content
    seed = content.seed if isinstance(content, Session) else 1
    try:
        # Thousands of small products: a second thread would only be waited for.
        with threadpool_limits(1, user_api="blas"):
            found = check_gradients(prepare(preset.data, seed), preset.network, preset.training, seed)
    except DataError as error:
        raise InputError(f"{preset.name}: {error}") from None
    if as_json:
        print_json(_figures(found))
    else:
        for line in _lines(found):
            say(clean(line, 300))
    return 0 if found.right else 1


def _figures(found: GradientCheck) -> dict[str, object]:
    directions = {"number": len(found.directions), "largest": json_number(found.largest_along)}
    return {
        "largest": json_number(found.largest),
        "tensors": {each.name: json_number(each.difference) for each in found.tensors},
        "judge": JUDGE,
        "right": found.right,
        "parameters": found.parameters,
        "elements": found.elements,
        "directions": directions if found.directions else None,
        "rounding": {each.name: json_number(each.rounding) for each in found.tensors},
        "two_sided": {each.name: json_number(each.two_sided) for each in found.tensors},
    }


def _lines(found: GradientCheck) -> Iterator[str]:
    from workbench.engine.gradcheck import DRAWN, FINE

    yield f"{'':<10} {JUDGE}    two-sided"
    for each in found.tensors:
        yield f"{each.name:<10} {each.difference:.1e}  {_word(each.difference, FINE)}  {each.two_sided:.1e}{_remark(each, FINE)}"
    if found.directions:
        yield f"{'directions':<10} {found.largest_along:.1e}  {_word(found.largest_along, FINE).rstrip()}"
    yield f"{'largest':<10} {found.largest:.1e}"
    checked = f"all {found.parameters:,} parameters"
    if found.directions:
        checked = f"{found.elements:,} of {found.parameters:,} parameters and in {len(found.directions)} directions over all"
    yield f"Judged by the {JUDGE} at {checked}: fine up to {FINE:.0e} of a tensor's largest element."
    yield f"The two-sided differences, at up to {DRAWN} elements of a tensor, are for information only."


def _word(difference: float, fine: float) -> str:
    if not math.isfinite(difference):
        return "not finite"
    return "fine " if difference <= fine else "WRONG"


def _remark(tensor: TensorCheck, fine: float) -> str:
    if not tensor.right:
        return f"  {tensor.worst}"
    if tensor.rounding <= fine:
        return ""
    return "  nothing but rounding" if tensor.rounding >= 1.0 else f"  up to {tensor.rounding:.0e} is rounding"
