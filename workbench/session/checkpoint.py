"""Checkpoints: named tensors and a few facts in one safetensors file (or its content), with a checksum over all of it.

Owns the file's form and what counts as damage. Knows no session and no meaning of a tensor's name.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from workbench.files.atomic import write_atomically
from workbench.files.errors import CheckpointError, SaveError, reason_of

Tensors = Mapping[str, np.ndarray[Any, Any]]
Facts = Mapping[str, str]

MAX_BYTES = 4 * 2**30
# The fact that holds the checksum of the others and of the tensors.
_CHECKSUM = "sha256"


def checksum(tensors: Tensors, facts: Facts) -> str:
    """SHA-256 over names, types, shapes and bytes (little-endian) of the tensors and over the facts, sorted by name."""
    digest = hashlib.sha256()

    def feed(data: bytes) -> None:
        # With its length before it, no byte can pass from one part to its neighbour unnoticed.
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)

    feed(len(facts).to_bytes(8, "little"))
    for name in sorted(facts):
        feed(name.encode())
        feed(facts[name].encode())
    for name in sorted(tensors):
        tensor = _plain(tensors[name])
        feed(name.encode())
        feed(f"{tensor.dtype.str} {tensor.shape}".encode())
        feed(tensor.tobytes())
    return digest.hexdigest()


def checkpoint_bytes(tensors: Tensors, facts: Facts, where: str | os.PathLike[str] = "checkpoint") -> bytes:
    """The tensors, of any shape down to () and (0,), and the facts, as the content of a file.

    Raises:
        SaveError: it could not be read back; the error names `where`.
        ValueError: a fact has the name that is kept for the checksum.
    """
    if _CHECKSUM in facts:
        raise ValueError(f"the fact {_CHECKSUM} is the checkpoint's own")
    plain = {name: _plain(tensor) for name, tensor in tensors.items()}
    if sum(tensor.nbytes for tensor in plain.values()) >= MAX_BYTES:
        raise SaveError(where, "a checkpoint of 4 GiB or more could not be read back")
    try:
        return safetensors.numpy.save(plain, {**facts, _CHECKSUM: checksum(plain, facts)})
    except (safetensors.SafetensorError, UnicodeError) as error:
        raise SaveError(where, str(error)) from error


def write_checkpoint(path: str | os.PathLike[str], tensors: Tensors, facts: Facts, like: Path | None = None) -> None:
    """Write `checkpoint_bytes`, for those only who may read the file `like` where it is there.

    Raises `SaveError`, and what was there before still is; and `ValueError`.
    """
    write_atomically(path, checkpoint_bytes(tensors, facts, path), like)


def read_checkpoint(path: str | os.PathLike[str]) -> tuple[dict[str, np.ndarray[Any, Any]], dict[str, str]]:
    """What `parse_checkpoint` finds in a file. Raises `CheckpointError`."""
    return parse_checkpoint(_bytes(Path(path)), path)


def parse_checkpoint(data: bytes, where: str | os.PathLike[str]) -> tuple[dict[str, np.ndarray[Any, Any]], dict[str, str]]:
    """The tensors, writable and in C order, and the facts. Raises `CheckpointError`, which names `where`, for anything else."""
    try:
        tensors = {name: np.array(tensor) for name, tensor in safetensors.numpy.load(data).items()}
        facts = _metadata(data)
    except (safetensors.SafetensorError, ValueError, KeyError, TypeError, RecursionError):
        raise CheckpointError(where, "damaged, or not a checkpoint") from None
    expected = facts.pop(_CHECKSUM, None)
    if expected is None:
        raise CheckpointError(where, "not a checkpoint of Workbench: it has no checksum")
    if checksum(tensors, facts) != expected:
        raise CheckpointError(where, "damaged: its checksum does not match")
    return tensors, facts


def _plain(tensor: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Little-endian and in C order. (`np.ascontiguousarray` would turn shape () into (1,).)"""
    return np.asarray(tensor, dtype=tensor.dtype.newbyteorder("<"), order="C")


def _bytes(path: Path) -> bytes:
    try:
        # Opening a named pipe would wait for ever.
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            raise CheckpointError(path, "not a regular file")
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > MAX_BYTES + 2**20:
                raise CheckpointError(path, "larger than 4 GiB")
            return file.read(size)
    except (OSError, ValueError) as error:
        raise CheckpointError(path, reason_of(error)) from None


def _metadata(data: bytes) -> dict[str, str]:
    """The facts in the header, whose form safetensors has checked: 8 bytes of length, JSON, spaces up to a multiple of 8."""
    header = data[8 : 8 + int.from_bytes(data[:8], "little")].decode()
    if not header.rstrip(" ").endswith("}"):
        raise ValueError("the header is padded with something else than spaces")
    facts = json.loads(header).get("__metadata__", {})
    return {str(name): str(value) for name, value in facts.items()}
