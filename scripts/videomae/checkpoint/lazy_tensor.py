"""Where in a file is a tensor, and what does it hold?  Read when it is needed, and then let go.

So opening a checkpoint takes none of its gigabytes, copying a weight needs nothing but its bytes,
and computing needs as much memory as the layer that is computed. Nor does any of that need torch
until a value is asked for, whose import takes longer than to convert a base model.
"""

import math
import mmap
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import IO, TYPE_CHECKING, Any, TypeAlias, TypeGuard

if TYPE_CHECKING:
    from torch import Tensor

# Bytes of an element, by torch's names.
ITEM_BYTES = {
    "float64": 8,
    "float32": 4,
    "float16": 2,
    "bfloat16": 2,
    "int64": 8,
    "int32": 4,
    "int16": 2,
    "int8": 1,
    "uint8": 1,
    "bool": 1,
    "complex64": 8,
    "complex128": 16,
    "quint8": 1,
    "qint8": 1,
    "qint32": 4,
}


@dataclass(frozen=True)
class Stored:
    """A tensor that is in a file.

    ``offset`` is where its first element begins, in bytes; ``stride`` counts elements, as torch
    does; ``held`` is how many elements the file has of its storage. If ``negated``, the file has
    the values with the other sign. ``becomes`` are the dtypes that they are cast to, in this order.
    """

    file: IO[bytes] = field(repr=False, compare=False)
    dtype: str
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    held: int
    negated: bool = False
    becomes: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Count the rows."""
        return self.shape[0]

    def numel(self) -> int:
        """Count the elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """The size of the elements, in bytes."""
        return self.numel() * ITEM_BYTES[self.dtype]

    @property
    def is_range(self) -> bool:
        """Whether its values, in the dtype that is wanted, are a range of the file's bytes."""
        return not self.negated and not self.becomes and self._in_order()

    def chunk(self, number: int) -> list["Stored"]:
        """Cut into so many parts with as many rows each, which must come out even."""
        rows, rest = divmod(len(self), number)
        assert not rest, self
        step = rows * self.stride[0] * ITEM_BYTES[self.dtype]
        shape = (rows, *self.shape[1:])
        return [
            replace(self, offset=self.offset + part * step, shape=shape) for part in range(number)
        ]

    def read(self) -> "Tensor":
        """Return the values; their pages are mapped, and unmapped when the tensor is no more."""
        import torch

        item, count = ITEM_BYTES[self.dtype], 1 + self._last() if self.numel() else 0
        dtype = getattr(torch, self.dtype)
        if not count:
            flat = torch.empty(0, dtype=dtype)
        elif self.offset % item:  # torch maps nothing that is not aligned
            held = os.pread(self.file.fileno(), count * item, self.offset)
            flat = torch.frombuffer(bytearray(held), dtype=dtype)
        else:
            before = self.offset % mmap.ALLOCATIONGRANULARITY
            mapped = mmap.mmap(
                self.file.fileno(),
                before + count * item,
                access=mmap.ACCESS_COPY,
                offset=self.offset - before,
            )
            flat = torch.frombuffer(mapped, dtype=dtype, count=count, offset=before)
        tensor = flat.as_strided(self.shape, self.stride)
        tensor = -tensor if self.negated else tensor
        for wanted in self.becomes:
            tensor = cast(tensor, wanted)
        return tensor

    def _last(self) -> int:
        """Return the place of the last element, counted from the first."""
        steps = zip(self.shape, self.stride, strict=True)
        return sum((size - 1) * stride for size, stride in steps)

    def _in_order(self) -> bool:
        """Return whether the elements follow one another without gaps."""
        expected = 1
        for size, stride in zip(reversed(self.shape), reversed(self.stride), strict=True):
            if size != 1 and stride != expected:
                return False
            expected *= size
        return True


Entry: TypeAlias = "Stored | Tensor"  # a tensor in a file, or one that was computed


class Values(Mapping[str, "Tensor"]):
    """Entries by name as tensors, each read anew when it is asked for, so that none stays."""

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        self.entries = entries

    def __getitem__(self, name: str) -> "Tensor":
        """Read one."""
        return read(self.entries[name])

    def __iter__(self) -> Iterator[str]:
        """Return the names."""
        return iter(self.entries)

    def __len__(self) -> int:
        """Count them."""
        return len(self.entries)


def is_tensor(value: Any) -> TypeGuard[Entry]:
    """Tell a tensor, in a file or computed, from anything else."""
    torch = sys.modules.get("torch")  # without it there are none of its tensors
    return isinstance(value, Stored) or (torch is not None and isinstance(value, torch.Tensor))


def dtype(entry: Entry) -> str:
    """Name the dtype of an entry's values, by torch's name."""
    if isinstance(entry, Stored):
        return entry.becomes[-1] if entry.becomes else entry.dtype
    return str(entry.dtype).removeprefix("torch.")


def held(entry: Entry) -> int:
    """Count the elements that there are of an entry's storage."""
    if isinstance(entry, Stored):
        return entry.held
    return entry.untyped_storage().nbytes() // entry.itemsize


def read(entry: Entry) -> "Tensor":
    """Return an entry's values."""
    # torch may leave the sign of a tensor to whoever reads it; not all do.
    return entry.read() if isinstance(entry, Stored) else entry.resolve_neg()


def widen(entry: Entry) -> "Tensor":
    """Return values in float32, which holds every float16 and bfloat16 value exactly."""
    import torch

    return read(entry).to(torch.float32).contiguous()


def cast(entry: Entry, wanted: str) -> Any:
    """Return an entry in another dtype: the nearest values that it has."""
    if isinstance(entry, Stored):
        return entry if wanted == dtype(entry) else replace(entry, becomes=(*entry.becomes, wanted))
    import torch

    return widen(entry).to(getattr(torch, wanted))
