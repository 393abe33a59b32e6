"""What may a pickle make?  Tensors and plain containers; of all else only an idle shadow.

A ``.pth`` is a pickle, which may have any class or function of the machine called. Here a name
never leads to what it names: tensors are rebuilt by the few functions below, every other class
becomes a `Shadow` that keeps what it was given, and the call of a function is refused by its name.
"""

import functools
import pickle
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any, BinaryIO, NamedTuple

from videomae.checkpoint import formats, opcodes
from videomae.checkpoint.lazy_tensor import ITEM_BYTES, Stored
from videomae.errors import ConversionError, one_line

MOST_DIMENSIONS, LARGEST = 64, 2**63 - 1  # as torch has them


class Storage(NamedTuple):
    """What tensors are views of: an entry of the archive, and how many elements it has."""

    file: IO[bytes]
    offset: int
    dtype: str
    held: int


def _tensor(
    storage: Any, first: Any, shape: Any, stride: Any, *_: Any, negated: bool = False
) -> Stored:
    """Return where a tensor's elements are; all of them must be in its storage."""
    numbers = (first, *shape, *stride)
    if not isinstance(storage, Storage) or not len(shape) == len(stride) <= MOST_DIMENSIONS:
        raise pickle.UnpicklingError("a tensor without storage, shape and stride")
    if any(type(number) is not int or not 0 <= number <= LARGEST for number in numbers):
        raise pickle.UnpicklingError(f"a tensor of shape {shape}, stride {stride} from {first}")
    last = first + sum((n - 1) * step for n, step in zip(shape, stride, strict=True))
    if 0 not in shape and last >= storage.held:
        raise pickle.UnpicklingError(
            f"a tensor that goes to element {last:,} of a storage of {storage.held:,}"
        )
    offset = storage.offset + first * ITEM_BYTES[storage.dtype]
    return Stored(
        storage.file,
        storage.dtype,
        offset,
        tuple(shape),
        tuple(stride),
        storage.held,
        negated,
    )


def _tensor_v2(
    storage: Any, first: Any, shape: Any, stride: Any, _grad: Any, _hooks: Any, said: Any = None
) -> Stored:
    """Return a tensor of which torch also notes whether its sign is left to whoever reads it."""
    negated = isinstance(said, Mapping) and said.get("neg") is True
    return _tensor(storage, first, shape, stride, negated=negated)


def _parameter(tensor: Any, *_: Any) -> Any:
    """Return a parameter's tensor."""
    return tensor


# What torch.save writes for tensors. Each is handed out anew and alone, so that a pickle which sets
# attributes on it changes nothing that anyone else uses.
REBUILDING: dict[str, Callable[..., Any]] = {
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor_v2,
    "torch._utils._rebuild_parameter": _parameter,
    "torch.serialization._get_layout": str,
}
# Types without attributes that could be set.
PLAIN: dict[str, Any] = {"collections.OrderedDict": OrderedDict, "torch.Size": tuple}

# What the pickle calls the kinds of storage, by the dtype of their elements.
STORAGES = {
    "torch.DoubleStorage": "float64",
    "torch.FloatStorage": "float32",
    "torch.HalfStorage": "float16",
    "torch.BFloat16Storage": "bfloat16",
    "torch.LongStorage": "int64",
    "torch.IntStorage": "int32",
    "torch.ShortStorage": "int16",
    "torch.CharStorage": "int8",
    "torch.ByteStorage": "uint8",
    "torch.BoolStorage": "bool",
    "torch.ComplexFloatStorage": "complex64",
    "torch.ComplexDoubleStorage": "complex128",
    "torch.QUInt8Storage": "quint8",
    "torch.QInt8Storage": "qint8",
    "torch.QInt32Storage": "qint32",
    "torch.storage.UntypedStorage": "uint8",
}

# Functions, and classes in small letters, that only make values; their calls become shadows too.
MAKES_VALUES = re.compile(
    r"numpy\.|_codecs\.encode$|copyreg\.|copy_reg\.|datetime\.|collections\.|functools\.partial$"
    r"|torch\._(utils|tensor)\._rebuild_"
    r"|(builtins|__builtin__)\.(set|frozenset|list|dict|tuple|bytearray|bytes|str|complex|int"
    r"|float|bool|slice|range|object"
    r"|getattr)$"  # of classes, which are shadows: so Python 3.11.0 to 3.11.3 pickle enumerations
)
# Modules whose classes do something when they are called; `commands` is what pickles of torch.save
# call subprocess, by its old name, as they call builtins __builtin__.
ACTING = re.compile(
    r"(os|posix|nt|sys|subprocess|commands|multiprocessing|importlib|runpy|code|shutil|socket|pty"
    r"|ctypes|builtins|__builtin__|threading|asyncio|concurrent|urllib|http|webbrowser|pickle)\b"
)


class Shadow:
    """Stands for an object of a class that is not known here, and keeps what its pickle says.

    ``name`` is the class's or function's full name; ``state`` what was to become its attributes.
    """

    name = ""
    state: Any = None

    def __new__(cls, *_: Any, **__: Any) -> "Shadow":
        """Make a shadow, unless this stands for a function or a class that does something."""
        called = cls.name.rpartition(".")[2]
        makes = MAKES_VALUES.match(cls.name) or called.lstrip("_")[:1].isupper()
        if not makes or (ACTING.match(cls.name) and not MAKES_VALUES.match(cls.name)):
            raise _refusal(cls.name)
        return super().__new__(cls)

    def __init__(self, *_: Any, **__: Any) -> None:
        """Take no notice of arguments."""

    def __call__(self, *_: Any, **__: Any) -> None:
        """Refuse the call of what something gave, such as a method."""
        raise _refusal(f"what {self.name} gives")

    def __setstate__(self, state: Any) -> None:
        """Keep what would have become attributes."""
        self.state = state

    def _nothing(self, *_: Any) -> None:
        """Take no notice of items: many classes are lists, sets or dictionaries beneath."""

    append = extend = add = __setitem__ = _nothing


def _refusal(called: str) -> ConversionError:
    return ConversionError(
        f"refused: its pickle calls {called} when it is loaded. Nothing was run. If the file is to "
        "be trusted, save its state dict alone with the program it comes from"
    )


class Unpickler(pickle.Unpickler):
    """Loads a pickle in which every name is one of the above; ``shadows`` are the others' names."""

    def __init__(self, file: BinaryIO, shadows: dict[str, type[Shadow]], **options: Any) -> None:
        super().__init__(file, **options)
        self.file = file
        self.shadows = shadows

    def load(self) -> Any:
        """Load, unless that would take more than the pickle's size says."""
        opcodes.check(self.file)
        return super().load()

    def find_class(self, module: str, name: str) -> Any:
        """Return what a name may stand for."""
        full = f"{module}.{name}"
        if full in PLAIN:
            return PLAIN[full]
        if module == "torch" and name in ITEM_BYTES:  # a dtype
            return full
        if rebuild := self.rebuilding(full):
            return rebuild
        return self.shadows.setdefault(full, type(name, (Shadow,), {"name": full}))

    def rebuilding(self, full: str) -> Any:
        """Return what makes a tensor, or names a kind of storage; None for anything else."""
        raise NotImplementedError


class ArchiveUnpickler(Unpickler):
    """Loads the pickle of an archive, whose storages are entries; the tensors are not read."""

    def __init__(
        self, path: Path, entries: Mapping[str, formats.Entry], shadows: dict[str, type[Shadow]]
    ) -> None:
        self.archive = path.open("rb")
        self.entries = entries
        if "byteorder" in entries and self._content("byteorder") == b"big":
            raise ConversionError("saved on a big-endian machine; save it again on another")
        super().__init__(BytesIO(self._content("data.pkl")), shadows, encoding="utf-8")

    def _content(self, name: str) -> bytes:
        if name not in self.entries:
            raise pickle.UnpicklingError(f"it has no {name}")
        offset, size = self.entries[name]
        self.archive.seek(offset)
        return self.archive.read(size)

    def rebuilding(self, full: str) -> Any:
        """Return what finds a tensor in the file, or the dtype of a kind of storage."""
        if full in REBUILDING:
            return functools.partial(REBUILDING[full])
        return STORAGES.get(full)

    def persistent_load(self, saved: Any) -> Storage:
        """Return a storage, which must be its whole entry."""
        match saved:
            case ("storage", str(dtype), str(key), str(), int(held)) if dtype in ITEM_BYTES:
                size = self.entries.get(f"data/{key}", formats.Entry(0, 0))
                if held * ITEM_BYTES[dtype] != size.size:
                    raise pickle.UnpicklingError(
                        f"storage {key} has {held * ITEM_BYTES[dtype]:,} bytes, its entry "
                        f"{size.size:,}"
                    )
                return Storage(self.archive, size.offset, dtype, held)
        raise pickle.UnpicklingError("a storage that is no entry of the archive")


def load(path: Path) -> tuple[Any, list[str]]:
    """Load what a PyTorch file holds, running nothing; also the names of classes left as shadows.

    Tensors of a zip stay on disk until they are read. Raises `ConversionError`, which does not name
    the file, where it would run something, is damaged, or is no state that `torch.save` wrote.
    """
    entries = formats.entries(path)
    shadows: dict[str, type[Shadow]] = {}
    try:
        if entries is None:
            contents = _load_before_zip(path, shadows)
        else:
            contents = ArchiveUnpickler(path, entries, shadows).load()
    except (ConversionError, OSError):
        raise
    except Exception as error:  # a damaged pickle can fail in any way
        said = one_line(" ".join(str(error).split()) or type(error).__name__, most=300)
        if isinstance(error, MemoryError):
            said = "it asks for more memory than there is"
        raise ConversionError(
            f"can't be read as a PyTorch checkpoint ({path.stat().st_size:,} bytes; "
            f"cut short or damaged?): {said}"
        ) from error
    return contents, sorted(shadows)


def _load_before_zip(path: Path, shadows: dict[str, type[Shadow]]) -> Any:
    """Load a file of before torch 1.6 by torch itself, with our unpickler, into memory."""
    import torch
    from torch import _utils

    rebuilding: dict[str, Callable[..., Any]] = {
        "torch._utils._rebuild_tensor": _utils._rebuild_tensor,
        "torch._utils._rebuild_tensor_v2": _utils._rebuild_tensor_v2,
        "torch._utils._rebuild_parameter": _utils._rebuild_parameter,
        "torch.serialization._get_layout": str,
    }

    class Whole(Unpickler):
        def __init__(self, file: BinaryIO, **options: Any) -> None:
            super().__init__(file, shadows, **options)

        def rebuilding(self, full: str) -> Any:
            return functools.partial(rebuilding[full]) if full in rebuilding else None

    def load(file: BinaryIO, **options: Any) -> Any:  # such a file holds several pickles
        return Whole(file, **options).load()

    module = SimpleNamespace(__name__=__name__, Unpickler=Whole, load=load)
    return torch.load(path, map_location="cpu", weights_only=False, pickle_module=module)
