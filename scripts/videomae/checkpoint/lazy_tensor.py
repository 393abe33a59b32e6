"""Tensors that stay in their file: values are read when needed and released afterwards.

So opening a checkpoint reads none of its gigabytes, copying a weight needs only its bytes, and
computing needs memory for one layer. torch is imported when values are read, because its import
takes longer than the conversion of a base model.
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
    """A tensor in a file.

    ``offset`` is the position of its first element in bytes, ``stride`` counts elements as in
    torch, ``held`` is the number of elements of its storage in the file. If ``negated``, the file
    has the values with the opposite sign. ``becomes`` are the dtypes to cast to, in order.
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
        """Return the number of rows."""
        return self.shape[0]

    def numel(self) -> int:
        """Return the number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """The size of the elements, in bytes."""
        return self.numel() * ITEM_BYTES[self.dtype]

    @property
    def is_range(self) -> bool:
        """Whether the values in the final dtype are a contiguous range of the file's bytes."""
        return not self.negated and not self.becomes and self._in_order()

    def chunk(self, number: int) -> list["Stored"]:
        """Return ``number`` parts with equally many rows; the rows must divide evenly."""
        rows, rest = divmod(len(self), number)
        assert not rest, self
        step = rows * self.stride[0] * ITEM_BYTES[self.dtype]
        shape = (rows, *self.shape[1:])
        return [
            replace(self, offset=self.offset + part * step, shape=shape) for part in range(number)
        ]

    def read(self) -> "Tensor":
        """Return the values, memory-mapped as long as the tensor exists."""
        import torch

        item, count = ITEM_BYTES[self.dtype], 1 + self._last() if self.numel() else 0
        dtype = getattr(torch, self.dtype)
        if not count:
            flat = torch.empty(0, dtype=dtype)
        elif self.offset % item:  # torch can't map unaligned values
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
        """Return the index of the last element, counted from the first."""
        steps = zip(self.shape, self.stride, strict=True)
        return sum((size - 1) * stride for size, stride in steps)

    def _in_order(self) -> bool:
        """Return whether the elements are in order without gaps."""
        expected = 1
        for size, stride in zip(reversed(self.shape), reversed(self.stride), strict=True):
            if size != 1 and stride != expected:
                return False
            expected *= size
        return True


Entry: TypeAlias = "Stored | Tensor"  # a tensor in a file, or one in memory


class Values(Mapping[str, "Tensor"]):
    """Entries by name as tensors; each access reads the file again, so that memory stays free."""

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        self.entries = entries

    def __getitem__(self, name: str) -> "Tensor":
        """Return one tensor."""
        return read(self.entries[name])

    def __iter__(self) -> Iterator[str]:
        """Return the names."""
        return iter(self.entries)

    def __len__(self) -> int:
        """Return the number of tensors."""
        return len(self.entries)


def is_tensor(value: Any) -> TypeGuard[Entry]:
    """Return whether a value is a tensor, in a file or in memory."""
    torch = sys.modules.get("torch")  # if it is not imported, no value is a torch tensor
    return isinstance(value, Stored) or (torch is not None and isinstance(value, torch.Tensor))


def dtype(entry: Entry) -> str:
    """Return torch's name for the dtype of an entry's values."""
    if isinstance(entry, Stored):
        return entry.becomes[-1] if entry.becomes else entry.dtype
    return str(entry.dtype).removeprefix("torch.")


def held(entry: Entry) -> int:
    """Return the number of elements in an entry's storage."""
    if isinstance(entry, Stored):
        return entry.held
    return entry.untyped_storage().nbytes() // entry.itemsize


def read(entry: Entry) -> "Tensor":
    """Return an entry's values."""
    # torch may postpone a negation; not every reader applies it.
    return entry.read() if isinstance(entry, Stored) else entry.resolve_neg()


def widen(entry: Entry) -> "Tensor":
    """Return values in float32, which holds every float16 and bfloat16 value exactly."""
    import torch

    return read(entry).to(torch.float32).contiguous()


def cast(entry: Entry, wanted: str) -> Any:
    """Return an entry in another dtype, rounded to nearest."""
    if isinstance(entry, Stored):
        return entry if wanted == dtype(entry) else replace(entry, becomes=(*entry.becomes, wanted))
    import torch

    return widen(entry).to(getattr(torch, wanted))
