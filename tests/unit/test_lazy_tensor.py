"""Tensors that stay in their file until they are read, and weights that are copied as bytes."""

import errno
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from videomae.checkpoint import lazy_tensor, reader, safetensors_file, unpickler
from videomae.checkpoint.lazy_tensor import Stored
from videomae.errors import ConversionError

from tests.conftest import CLI, command, given

BASE = torch.arange(240.0).view(4, 5, 12)
VIEWS = {
    "whole": BASE,
    "transposed": BASE.transpose(0, 2),
    "rows": BASE[1:3],
    "every other": BASE[:, ::2, 3:],
    "scalar": BASE[2, 3, 4],
    "empty": BASE[:0],
    "expanded within": BASE[0, 0, :1].expand(1),
    "negated": torch.view_as_complex(BASE.view(4, 5, 6, 2)).conj().imag,
}
DTYPES = (
    *(torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.complex64),
    *(torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool),
)


def opened(content: dict[str, Tensor], path: Path) -> dict[str, Stored]:
    torch.save(content, path)
    held, shadows = unpickler.load(path)
    assert shadows == []
    return dict(held)


@pytest.mark.parametrize("view", VIEWS)
def test_any_view_is_read_as_torch_reads_it(view: str, tmp_path: Path) -> None:
    entry = opened({"it": VIEWS[view]}, tmp_path / "it.pth")["it"]
    assert isinstance(entry, Stored)
    expected = torch.load(tmp_path / "it.pth")["it"]
    assert entry.shape == tuple(expected.shape)
    assert torch.equal(entry.read(), expected)
    assert entry.is_range == (expected.is_contiguous() and view != "negated")


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_any_dtype_is_read_as_torch_reads_it(dtype: torch.dtype, tmp_path: Path) -> None:
    tensor = torch.arange(-5, 5).to(dtype)
    entry = opened({"it": tensor}, tmp_path / "it.pth")["it"]
    assert torch.equal(entry.read(), tensor)
    assert entry.read().dtype == dtype == getattr(torch, lazy_tensor.dtype(entry))
    assert entry.nbytes == tensor.nbytes


def test_values_that_are_not_aligned_in_the_file_are_read(tmp_path: Path) -> None:
    (tmp_path / "it").write_bytes(b"x" + BASE.numpy().tobytes())
    with (tmp_path / "it").open("rb") as file:
        entry = Stored(file, "float32", 1, (240,), (1,), 240)
        assert torch.equal(entry.read(), BASE.flatten())


def test_casts_follow_one_another(tmp_path: Path) -> None:
    values = torch.tensor([1.0, 1 + 2**-12, 1e-9])
    entry = opened({"it": values}, tmp_path / "it.pth")["it"]
    assert lazy_tensor.cast(entry, "float32") is entry
    rounded = lazy_tensor.cast(lazy_tensor.cast(entry, "float16"), "float32")
    assert torch.equal(lazy_tensor.read(rounded), values.half().float())
    assert not torch.equal(lazy_tensor.read(rounded), values)
    assert lazy_tensor.dtype(rounded) == "float32"
    assert not rounded.is_range


def test_parts_of_a_tensor_are_those_that_torch_cuts(tmp_path: Path) -> None:
    for tensor in (torch.arange(36.0).view(9, 4), torch.arange(36.0).view(4, 9).T):
        entry = opened({"it": tensor}, tmp_path / "it.pth")["it"]
        for part, expected in zip(entry.chunk(3), tensor.chunk(3), strict=True):
            assert torch.equal(part.read(), expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_file_is_to_the_bit_what_the_library_writes(dtype: torch.dtype, tmp_path: Path) -> None:
    content = {
        "z": torch.randn(3, 700_000).to(dtype),  # more than is copied at a time
        "a.weight": torch.randn(7).to(dtype),
        "ä": torch.zeros(0, 3).to(dtype),
        "scalar": torch.tensor(2.5).to(dtype),
    }
    save_file(content, tmp_path / "library", metadata={"format": "pt"})
    entries = opened(content, tmp_path / "it.pth")
    for name, tensors in (("copied", entries), ("computed", content)):
        safetensors_file.write(tmp_path / name, tensors, {"format": "pt"})
        assert (tmp_path / name).read_bytes() == (tmp_path / "library").read_bytes()
    again = safetensors_file.entries(tmp_path / "copied")
    for name, tensor in load_file(tmp_path / "copied").items():
        assert torch.equal(again[name].read(), tensor)
    assert safetensors_file.metadata(tmp_path / "copied") == {"format": "pt"}


@pytest.mark.parametrize("place", [0, 262_143, 262_144, 299_999])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_values_that_are_not_finite_are_seen_wherever_they_are(
    place: int, value: float, tmp_path: Path
) -> None:
    values = torch.zeros(300_000)
    assert safetensors_file.finite(values)
    values[place] = value
    entries = opened({"it": values}, tmp_path / "it.pth")
    assert reader.not_finite(entries) == {"it": 1}
    with pytest.raises(safetensors_file.NotFiniteError):
        safetensors_file.write(tmp_path / "out", entries, {})


def test_file_is_the_same_where_the_disk_takes_no_advice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python on macOS has neither of the two calls, which only make it faster."""
    content = {"it": torch.randn(3, 700_000)}
    safetensors_file.write(tmp_path / "advised", content, {})
    monkeypatch.delattr(os, "posix_fadvise")
    monkeypatch.delattr(os, "posix_fallocate")
    safetensors_file.write(tmp_path / "plain", content, {})
    assert (tmp_path / "plain").read_bytes() == (tmp_path / "advised").read_bytes()


def test_disk_error_while_tensors_are_written_leaves_no_folder(
    tmp_path: Path, checkpoints: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.pwrite

    def broken(file: int, data: bytes, place: int) -> int:
        if place > 100_000:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return write(file, data, place)

    monkeypatch.setattr(os, "pwrite", broken)
    path = checkpoints["tiny-finetuned"]
    outcome = command("convert", path, tmp_path / "out", *given("tiny-finetuned"))
    assert outcome.code == 1
    assert "model.safetensors can't be written" in outcome.output
    assert "Input/output error" in outcome.output
    assert not list(tmp_path.iterdir())


def test_checkpoint_that_becomes_shorter_meanwhile_is_an_error(tmp_path: Path) -> None:
    entries = opened({"it": torch.zeros(1000)}, tmp_path / "it.pth")
    os.truncate(tmp_path / "it.pth", 1500)
    with pytest.raises(ConversionError, match="became shorter while it was read"):
        safetensors_file.write(tmp_path / "out", entries, {})


# -- archives that torch did not write -------------------------------------------------------------


def rewritten(path: Path, change: dict[str, bytes], twice: str = "") -> Path:
    """Write an archive again, with other contents, or with one entry twice."""
    with zipfile.ZipFile(path) as archive:
        held = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in held.items():
            short = name.partition("/")[2]
            archive.writestr(name, change.get(short, content))
            if short == twice:
                archive.writestr(name, content)
    return path


def test_archive_that_another_program_wrote_again_is_read(tmp_path: Path) -> None:
    opened({"it": BASE}, tmp_path / "it.pth")
    held, _ = unpickler.load(rewritten(tmp_path / "it.pth", {}))
    assert torch.equal(held["it"].read(), BASE)


def test_archive_of_a_big_endian_machine_is_refused(tmp_path: Path) -> None:
    opened({"it": BASE}, tmp_path / "it.pth")
    with pytest.raises(ConversionError, match="comes from a big-endian machine"):
        unpickler.load(rewritten(tmp_path / "it.pth", {"byteorder": b"big"}))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_archive_with_an_entry_twice_is_refused(tmp_path: Path) -> None:
    opened({"it": BASE}, tmp_path / "it.pth")
    with pytest.raises(ConversionError, match=r"it has entry .*data/0 twice"):
        unpickler.load(rewritten(tmp_path / "it.pth", {}, twice="data/0"))


@pytest.mark.parametrize(
    ("first", "shape", "stride", "message"),
    [
        (0, (241,), (1,), "needs element 240 of a storage with 240"),
        (239, (2,), (1,), "needs element 240 of a storage with 240"),
        (0, (2, 2), (239, 2), "needs element 241 of a storage with 240"),
        (-1, (2,), (1,), "a tensor of shape"),
        (0, (-2,), (1,), "a tensor of shape"),
        (0, (2,), (-1,), "a tensor of shape"),
        (0, (2.0,), (1,), "a tensor of shape"),
        (0, (2,), (1, 1), "without storage, shape and stride"),
        (0, (1,) * 65, (1,) * 65, "without storage, shape and stride"),
    ],
)
def test_tensor_that_is_not_within_its_storage_is_refused(
    first: int, shape: tuple[int, ...], stride: tuple[int, ...], message: str, tmp_path: Path
) -> None:
    class Odd:
        def __reduce__(self) -> tuple[Any, ...]:
            held = BASE.untyped_storage()
            storage = torch.TypedStorage(wrap_storage=held, dtype=torch.float32, _internal=True)  # type: ignore[no-untyped-call]
            return torch._utils._rebuild_tensor_v2, (storage, first, shape, stride, False, {})

    torch.save({"it": Odd()}, tmp_path / "it.pth")
    with pytest.raises(ConversionError, match=message):
        unpickler.load(tmp_path / "it.pth")


# -- what is not waited for ------------------------------------------------------------------------


def test_converting_needs_no_torch(tmp_path: Path, checkpoints: dict[str, Path]) -> None:
    path = shutil.copy(checkpoints["tiny-finetuned"], tmp_path / "it.pth")
    given = ("num_attention_heads=3", "num_frames=4", "image_size=32")
    command = [sys.executable, "-X", "importtime", *CLI, "convert", str(path)]
    said = subprocess.run(
        [*command, str(tmp_path / "out"), "--config", *given],
        check=True,
        capture_output=True,
        text=True,
    ).stderr
    imported = {line.rpartition("|")[2].strip() for line in said.splitlines()}
    assert "numpy" in imported
    assert not {"torch", "transformers"} & imported
