from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from workbench.files.errors import CheckpointError, SaveError
from workbench.session import checkpoint as checkpoints
from workbench.session.checkpoint import checksum, read_checkpoint, write_checkpoint

TYPES = st.sampled_from(["float64", "float32", "float16", "int64", "int32", "uint8", "bool"]).map(np.dtype)
TENSORS = st.dictionaries(
    st.text("Wbé_.\n", min_size=1, max_size=4), arrays.arrays(TYPES, arrays.array_shapes(min_dims=0, min_side=0)), max_size=3
)
FACTS = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8).filter(lambda name: name != "sha256"),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    max_size=3,
)


@settings(derandomize=True, deadline=None)
@given(tensors=TENSORS, facts=FACTS)
def test_any_tensors_and_facts_come_back_to_the_bit(
    tmp_path_factory: pytest.TempPathFactory, tensors: dict[str, np.ndarray], facts: dict[str, str]
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.safetensors"
    write_checkpoint(path, tensors, facts)
    back, back_facts = read_checkpoint(path)
    assert back_facts == facts
    assert back.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert (back[name].dtype, back[name].shape, back[name].tobytes()) == (tensor.dtype, tensor.shape, tensor.tobytes())


def test_scalars_empty_and_strided_tensors_survive_and_can_be_written_to(tmp_path: Path) -> None:
    square = np.arange(12, dtype=np.float32).reshape(3, 4)
    tensors = {
        "scalar": np.array(3.5),
        "empty": np.zeros((0,), np.float32),
        "none": np.zeros((2, 0, 3)),
        "columns": square[:, ::2],
        "turned": square.T,
        "big-endian": square.astype(">f4"),
        "backwards": square[::-1],
    }
    write_checkpoint(tmp_path / "c", tensors, {})
    back, _ = read_checkpoint(tmp_path / "c")
    for name, tensor in tensors.items():
        assert back[name].shape == tensor.shape
        np.testing.assert_array_equal(back[name], tensor)
        assert back[name].flags.writeable
        assert back[name].flags.c_contiguous


def test_nan_payloads_and_signed_zeros_survive(tmp_path: Path) -> None:
    bits = np.array([0x7FC00001, 0xFFC00000, 0x80000000, 0x7F800000], np.uint32)
    write_checkpoint(tmp_path / "c", {"x": bits.view(np.float32)}, {})
    assert read_checkpoint(tmp_path / "c")[0]["x"].view(np.uint32).tolist() == bits.tolist()


def test_it_is_a_plain_safetensors_file(tmp_path: Path, tensors: dict[str, np.ndarray]) -> None:
    write_checkpoint(tmp_path / "c", tensors, {"fact": "1"})
    np.testing.assert_array_equal(safetensors.numpy.load_file(tmp_path / "c")["W1"], tensors["W1"])


@pytest.mark.parametrize("flip", [0x01, 0x29, 0x80, 0xFF], ids=hex)
def test_every_flipped_byte_is_detected(tmp_path: Path, tensors: dict[str, np.ndarray], flip: int) -> None:
    path = tmp_path / "c"
    write_checkpoint(path, tensors, {"format": "1"})
    good = path.read_bytes()
    assert good[8 : 8 + int.from_bytes(good[:8], "little")].endswith(b" "), "some of the header should be padding"
    for at in range(len(good)):
        path.write_bytes(good[:at] + bytes([good[at] ^ flip]) + good[at + 1 :])
        with pytest.raises(CheckpointError):
            read_checkpoint(path)


def test_every_truncation_and_any_addition_is_detected(tmp_path: Path, tensors: dict[str, np.ndarray]) -> None:
    path = tmp_path / "c"
    write_checkpoint(path, tensors, {"format": "1"})
    good = path.read_bytes()
    for data in [*(good[:length] for length in range(len(good))), good + b"\0", good + good]:
        path.write_bytes(data)
        with pytest.raises(CheckpointError):
            read_checkpoint(path)


def test_a_file_of_another_program_is_refused(tmp_path: Path, tensors: dict[str, np.ndarray]) -> None:
    path = tmp_path / "c"
    path.write_bytes(safetensors.numpy.save(tensors, {"format": "np"}))
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(path)
    assert str(caught.value) == f"{path}: not a checkpoint of Workbench: it has no checksum"


def test_a_type_numpy_has_not_is_refused(tmp_path: Path) -> None:
    header = b'{"x":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]}}'
    (tmp_path / "c").write_bytes(len(header).to_bytes(8, "little") + header + b"\0\0")
    with pytest.raises(CheckpointError, match="damaged, or not a checkpoint"):
        read_checkpoint(tmp_path / "c")


def test_what_is_no_file_is_one_line(tmp_path: Path) -> None:
    for path, reason in ((tmp_path / "none", "no such file"), (tmp_path, "is a folder, not a file")):
        with pytest.raises(CheckpointError) as caught:
            read_checkpoint(path)
        assert str(caught.value) == f"{path}: {reason}"


def test_a_file_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "c").open("wb") as file:
        os.truncate(file.fileno(), 2**33)
    with pytest.raises(CheckpointError, match="larger than 4 GiB"):
        read_checkpoint(tmp_path / "c")


def test_what_could_not_be_read_back_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SaveError):
        write_checkpoint(tmp_path / "c", {"x": np.zeros(1, np.complex128)}, {})
    with pytest.raises(SaveError):
        write_checkpoint(tmp_path / "c", {"x": np.zeros(1)}, {"name": "\ud800"})
    with pytest.raises(ValueError, match="sha256"):
        write_checkpoint(tmp_path / "c", {}, {"sha256": "mine"})
    monkeypatch.setattr(checkpoints, "MAX_BYTES", 100)
    with pytest.raises(SaveError, match="4 GiB"):
        write_checkpoint(tmp_path / "c", {"x": np.zeros(100)}, {})
    assert os.listdir(tmp_path) == []


def test_the_checksum_tells_apart_what_differs_in_any_part() -> None:
    x = np.arange(4, dtype=np.int32)
    different: list[tuple[dict[str, np.ndarray], dict[str, str]]] = [
        ({}, {}),
        ({"x": x}, {}),
        ({"y": x}, {}),
        ({"x": x.reshape(2, 2)}, {}),
        ({"x": x.view(np.float32)}, {}),
        ({"x": x[::-1]}, {}),
        ({"x": x, "y": x[:0]}, {}),
        ({}, {"a": "b"}),
        ({}, {"ab": ""}),
        ({}, {"": "ab"}),
        ({"x": x}, {"a": "b"}),
    ]
    assert len({checksum(tensors, facts) for tensors, facts in different}) == len(different)


def test_the_checksum_is_of_values_not_of_their_layout_or_order() -> None:
    x = np.arange(6, dtype=np.int32).reshape(2, 3)
    assert checksum({"a": x, "b": x}, {"c": "", "d": ""}) == checksum(
        {"b": np.asfortranarray(x), "a": x.astype(">i4")}, {"d": "", "c": ""}
    )
