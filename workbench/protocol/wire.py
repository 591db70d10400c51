"""Messages as bytes: a length, then MessagePack of [name, fields]. NumPy arrays travel as dtype, shape and raw bytes.

A message's decoder is made when the first of its kind comes, and NumPy is loaded with the first array.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, get_args

import msgspec

from workbench.protocol.hello import Hello
from workbench.protocol.reports import Report
from workbench.protocol.requests import Request

LENGTH = struct.Struct("<I")
MAX_BYTES = 2 * 2**30
"""A longer message is none of ours. A session with its checkpoint is the longest, and fits up to this size."""

_ARRAY = 1
_DTYPES = {"<f4", "<f8", "<i8", "|u1", "|b1"}
_DIMENSIONS = 3


def _encode_array(value: object) -> msgspec.msgpack.Ext:
    import numpy as np

    if not isinstance(value, np.ndarray) or value.ndim > _DIMENSIONS:
        raise NotImplementedError(type(value).__name__)
    head = value.dtype.str.encode() + struct.pack(f"<B{value.ndim}I", value.ndim, *value.shape)
    return msgspec.msgpack.Ext(_ARRAY, head + np.ascontiguousarray(value).tobytes())


def _decode_array(code: int, data: memoryview) -> object:
    import numpy as np

    dtype = bytes(data[:3]).decode()
    if code != _ARRAY or dtype not in _DTYPES or len(data) < 4 or data[3] > _DIMENSIONS:
        raise ValueError(f"unknown extension {code}")
    start = 4 + 4 * data[3]
    shape = struct.unpack_from(f"<{data[3]}I", data[:start], 4)
    return np.frombuffer(data[start:], dtype).reshape(shape).copy()  # in the message it lies at an odd address, which is slow


def _as_it_came(kind: type, value: object) -> object:
    """An array that `_decode_array` has made, or something else: msgspec itself then looks whether it is of the kind."""
    return value


class Codec:
    """Both directions for the messages of one union."""

    def __init__(self, messages: Any) -> None:
        self.kinds: dict[str, type] = {each.__name__: each for each in get_args(messages)}
        """Every message by its name."""
        self._encoder = msgspec.msgpack.Encoder(enc_hook=_encode_array)
        self._envelope = msgspec.msgpack.Decoder(tuple[str, msgspec.Raw])
        self._decoders: dict[str, msgspec.msgpack.Decoder[Any]] = {}

    def encode(self, message: object) -> bytes:
        """One frame, its length included."""
        body = self._encoder.encode((type(message).__name__, message))
        return LENGTH.pack(len(body)) + body

    def decode(self, body: bytes) -> Any:
        """The message of one frame's body. Raises `msgspec.MsgspecError` for anything else."""
        try:
            name, fields = self._envelope.decode(body)
            if name in self.kinds:
                return self._decoder(name).decode(fields)
        # Text that is not UTF-8, an array of another length, endless nesting.
        except (ValueError, RecursionError, struct.error) as error:
            raise msgspec.ValidationError(str(error)) from None
        raise msgspec.ValidationError(f"unknown message {name!r}")

    def _decoder(self, name: str) -> msgspec.msgpack.Decoder[Any]:
        if name not in self._decoders:
            kind: Any = self.kinds[name]
            self._decoders[name] = msgspec.msgpack.Decoder(kind, dec_hook=_as_it_came, ext_hook=_decode_array)
        return self._decoders[name]


@dataclass(frozen=True, slots=True)
class _Spoken:
    """Of a greeting, what does not change from one protocol to the next."""

    protocol: int


def spoken(body: bytes) -> int:
    """The protocol of the engine whose greeting this is, whatever else is in that. Raises `msgspec.MsgspecError`."""
    try:
        name, fields = msgspec.msgpack.decode(body, type=tuple[str, msgspec.Raw])
        if name == Hello.__name__:
            return msgspec.msgpack.decode(fields, type=_Spoken).protocol
    except (ValueError, RecursionError) as error:
        raise msgspec.ValidationError(str(error)) from None
    raise msgspec.ValidationError(f"{name!r} instead of a greeting")


REQUESTS = Codec(Request)
REPORTS = Codec(Report)
