"""Reads and writes safetensors as ranges of bytes, so that memory never holds a whole file.

The library writes tensors that are all in memory. This module copies each tensor through a small
buffer and checks there that its values are finite: for the huge model with 0.04 GB of memory
instead of 2.6. `copy_file_range` would need a second read for that check and is slower. The bytes
are the same as the library's (https://huggingface.co/docs/safetensors).
"""

import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
from safetensors import SafetensorError, safe_open

from videomae.checkpoint import lazy_tensor
from videomae.checkpoint.lazy_tensor import ITEM_BYTES, Entry, Stored
from videomae.errors import ConversionError

# The format's names for torch's dtypes.
DTYPES = {
    "float64": "F64",
    "float32": "F32",
    "float16": "F16",
    "bfloat16": "BF16",
    "int64": "I64",
    "int32": "I32",
    "int16": "I16",
    "int8": "I8",
    "uint8": "U8",
    "bool": "BOOL",
}
LENGTH = 8  # bytes of the header's length; the header is padded to a multiple of it

CHUNK = 1 << 20  # bytes; fits into the processor's cache
Piece = tuple[Entry, int]  # a tensor and its position in the file


class NotFiniteError(ConversionError):
    """Weights to write are NaN or infinite."""


def entries(path: Path) -> dict[str, Stored]:
    """Return a file's tensors, not yet read; raises `ConversionError` for an unreadable file."""
    with _opened(path) as opened:
        slices = {name: opened.get_slice(name) for name in opened.offset_keys()}
        held = {name: (one.get_dtype(), one.get_shape()) for name, one in slices.items()}
    known = {said: dtype for dtype, said in DTYPES.items()}
    for name, (said, _) in held.items():
        if said not in known:
            raise ConversionError(f"tensor {name} is {said}, but must be a float up to 32 bits")
    file = path.open("rb")  # open as long as an entry refers to it
    start = LENGTH + int.from_bytes(file.read(LENGTH), "little")
    # Tensors follow one another without gaps; the library has checked that.
    sizes = [math.prod(shape) * ITEM_BYTES[known[said]] for said, shape in held.values()]
    return {
        name: Stored(file, known[said], offset, tuple(shape), strides(shape), math.prod(shape))
        for (name, (said, shape)), offset in zip(
            held.items(), accumulate(sizes, initial=start), strict=False
        )
    }


def metadata(path: Path) -> dict[str, str]:
    """Return a file's metadata; raises `ConversionError` for an unreadable file."""
    with _opened(path) as opened:
        return dict(opened.metadata() or {})


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a file with the library, which checks its header."""
    try:
        with safe_open(path, framework="np") as opened:
            yield opened
    except (SafetensorError, OSError) as error:
        raise ConversionError(f"not a readable safetensors file (truncated?): {error}") from error


def strides(shape: list[int]) -> tuple[int, ...]:
    """Return the strides of a contiguous tensor."""
    return tuple(math.prod(shape[dimension + 1 :]) for dimension in range(len(shape)))


def write(
    path: Path,
    tensors: Mapping[str, Entry],
    said: Mapping[str, str],
    progress: Callable[[int, int], object] = lambda *_: None,
) -> None:
    """Write tensors and metadata; the same input gives the same bytes.

    ``progress`` is called with the number of bytes written so far and in total. Raises
    `NotFiniteError` for values that are not finite, and `OSError`.
    """
    header, pieces, size = _layout(tensors, said)
    progress(0, size)
    with path.open("wb") as file:
        if hasattr(os, "posix_fallocate"):  # not on macOS
            # One allocation gives fewer and larger extents, and faster writes.
            os.posix_fallocate(file.fileno(), 0, size)
        os.pwrite(file.fileno(), header, 0)
        ends = [*(place for _, place in pieces), size][1:]
        with ThreadPoolExecutor(_threads()) as pool:
            written = pool.map(lambda piece: _write(file.fileno(), *piece), pieces)
            for end, _ in zip(ends, written, strict=True):
                progress(end, size)


def finite(entry: Entry) -> bool:
    """Return whether all values of a tensor are finite."""
    try:
        for _ in _chunks(entry):
            pass
    except NotFiniteError:
        return False
    return True


def _threads() -> int:
    """Return the number of threads that may write: those that Snakemake gives the job, or all."""
    given = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    return int(given) if given.isdecimal() else os.cpu_count() or 1


def _layout(
    tensors: Mapping[str, Entry], said: Mapping[str, str]
) -> tuple[bytes, list[Piece], int]:
    """Return the header, the tensors with their positions, and the file's size."""
    header: dict[str, Any] = {"__metadata__": dict(sorted(said.items()))}
    begins = 0
    places: list[Piece] = []
    for name in sorted(tensors):
        entry = tensors[name]
        dtype = lazy_tensor.dtype(entry)
        ends = begins + math.prod(entry.shape) * ITEM_BYTES[dtype]
        header[name] = {
            "dtype": DTYPES[dtype],
            "shape": list(entry.shape),
            "data_offsets": [begins, ends],
        }
        places.append((entry, begins))
        begins = ends
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % LENGTH)
    start = LENGTH + len(text)
    pieces = [(entry, start + place) for entry, place in places]
    return len(text).to_bytes(LENGTH, "little") + text, pieces, start + begins


def _write(file: int, entry: Entry, place: int) -> None:
    """Write one tensor at its position."""
    for chunk in _chunks(entry):
        written = 0
        while written < len(chunk):
            written += os.pwrite(file, chunk[written:], place + written)
        if len(chunk) >= CHUNK and hasattr(os, "posix_fadvise"):  # not on macOS
            # The disk starts to write at once, and not when memory is full of unwritten pages.
            # (Unwritten pages stay in memory, whatever the flag's name.)
            os.posix_fadvise(file, place, len(chunk), os.POSIX_FADV_DONTNEED)
        place += len(chunk)


def _is_range(entry: Entry) -> TypeGuard[Stored]:
    """Return whether a tensor's bytes can be copied and checked without torch."""
    return isinstance(entry, Stored) and entry.is_range and entry.dtype == "float32"


def _chunks(entry: Entry) -> Iterator[memoryview]:
    """Yield a tensor's bytes in order; each chunk is valid until the next one."""
    if not _is_range(entry):
        import torch

        tensor = lazy_tensor.read(entry).contiguous()
        if not tensor.isfinite().all():
            raise NotFiniteError("values are not finite")
        yield tensor.reshape(-1).view(torch.uint8).numpy().data
        return
    buffer = np.empty(CHUNK // 4, dtype=np.float32)
    offset, end = entry.offset, entry.offset + entry.nbytes
    while offset < end:
        values = buffer[: (end - offset) // 4]
        if os.preadv(entry.file.fileno(), [values.data], offset) < values.nbytes:
            raise ConversionError("the checkpoint became shorter while it was read; run again")
        if not np.isfinite(values).all():
            raise NotFiniteError("values are not finite")
        yield values.view(np.uint8).data
        offset += values.nbytes
