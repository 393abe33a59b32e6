"""How is a file of safetensors read and written?  As ranges of bytes, so that none is held whole.

The library writes tensors that are in memory, all of them at once. Here each goes through a buffer
from the checkpoint into its place, and is looked at there: measured with the huge model, 0.04 GB of
memory in place of 2.6, and 1 s, starting Python included, in place of 3.4. (`copy_file_range`, then
reading all once more to look at it, took an eighth longer in memory, a tenth on a disk.) The format
is the library's, and so are the bytes (https://huggingface.co/docs/safetensors).
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
LENGTH = 8  # bytes that say how long the header is; its end is filled up to as many

CHUNK = 1 << 20  # bytes, which stay in the processor's cache
Piece = tuple[Entry, int]  # what to write, and where in the file


class NotFiniteError(ConversionError):
    """Weights to be written are NaN or infinite."""


def entries(path: Path) -> dict[str, Stored]:
    """Return where a file's tensors are; raises `ConversionError` for one that can't be read."""
    with _opened(path) as opened:
        slices = {name: opened.get_slice(name) for name in opened.offset_keys()}
        held = {name: (one.get_dtype(), one.get_shape()) for name, one in slices.items()}
    known = {said: dtype for dtype, said in DTYPES.items()}
    for name, (said, _) in held.items():
        if said not in known:
            raise ConversionError(f"tensor {name} is {said}; floats up to 32 bits can be read")
    file = path.open("rb")  # for as long as an entry needs it
    start = LENGTH + int.from_bytes(file.read(LENGTH), "little")
    # The format has them one behind the other, without gaps; the library has seen to that.
    sizes = [math.prod(shape) * ITEM_BYTES[known[said]] for said, shape in held.values()]
    return {
        name: Stored(file, known[said], offset, tuple(shape), strides(shape), math.prod(shape))
        for (name, (said, shape)), offset in zip(
            held.items(), accumulate(sizes, initial=start), strict=False
        )
    }


def metadata(path: Path) -> dict[str, str]:
    """Return what a file says beside its tensors; raises `ConversionError` if it can't be read."""
    with _opened(path) as opened:
        return dict(opened.metadata() or {})


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a file by the library, which checks its header."""
    try:
        with safe_open(path, framework="np") as opened:
            yield opened
    except (SafetensorError, OSError) as error:
        raise ConversionError(f"can't be read as safetensors (cut short?): {error}") from error


def strides(shape: list[int]) -> tuple[int, ...]:
    """Return the strides of elements that follow one another."""
    return tuple(math.prod(shape[dimension + 1 :]) for dimension in range(len(shape)))


def write(
    path: Path,
    tensors: Mapping[str, Entry],
    said: Mapping[str, str],
    progress: Callable[[int, int], object] = lambda *_: None,
) -> None:
    """Write tensors and metadata; the same give the same bytes.

    ``progress`` is called with the bytes that are written and all that there will be. Raises
    `NotFiniteError` for values that are not finite, and `OSError`.
    """
    header, pieces, size = _layout(tensors, said)
    progress(0, size)
    with path.open("wb") as file:
        if hasattr(os, "posix_fallocate"):  # not on macOS
            # All at once, which the file system does in fewer and larger parts: 5.4 s became 4.2.
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
    """Tell how many threads may write: as many as Snakemake gives the job, or all."""
    given = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    return int(given) if given.isdecimal() else os.cpu_count() or 1


def _layout(
    tensors: Mapping[str, Entry], said: Mapping[str, str]
) -> tuple[bytes, list[Piece], int]:
    """Return the header, where each tensor goes, and the file's size."""
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
    """Write one tensor to its place."""
    for chunk in _chunks(entry):
        written = 0
        while written < len(chunk):
            written += os.pwrite(file, chunk[written:], place + written)
        if len(chunk) >= CHUNK and hasattr(os, "posix_fadvise"):  # not on macOS
            # The disk begins at once, not when memory is full of what waits for it: until all of
            # the thirteen was on it took 7.4 s in place of 8.8, and as many zeros by dd 8.3. (What
            # is on its way there stays in memory, whatever the flag's name.)
            os.posix_fadvise(file, place, len(chunk), os.POSIX_FADV_DONTNEED)
        place += len(chunk)


def _is_range(entry: Entry) -> TypeGuard[Stored]:
    """Return whether a tensor's bytes are there, and its values can be looked at without torch."""
    return isinstance(entry, Stored) and entry.is_range and entry.dtype == "float32"


def _chunks(entry: Entry) -> Iterator[memoryview]:
    """Return a tensor's bytes in order, which are good until the next are asked for."""
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
            raise ConversionError("the checkpoint became shorter while it was read")
        if not np.isfinite(values).all():
            raise NotFiniteError("values are not finite")
        yield values.view(np.uint8).data
        offset += values.nbytes
