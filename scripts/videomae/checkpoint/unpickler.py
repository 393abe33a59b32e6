"""Loads pickles without running their code: tensors, plain containers, and shadows of all else.

A ``.pth`` is a pickle, which can call any class or function on the machine. Here no name leads to
its real object: the few functions below rebuild tensors, every other class becomes a `Shadow` that
only stores its state, and calls of functions are refused by name.
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
    """The storage of tensors: an entry of the archive with ``held`` elements."""

    file: IO[bytes]
    offset: int
    dtype: str
    held: int


def _tensor(
    storage: Any, first: Any, shape: Any, stride: Any, *_: Any, negated: bool = False
) -> Stored:
    """Return a lazy tensor; all its elements must be within its storage."""
    numbers = (first, *shape, *stride)
    if not isinstance(storage, Storage) or not len(shape) == len(stride) <= MOST_DIMENSIONS:
        raise pickle.UnpicklingError("a tensor without storage, shape and stride")
    if any(type(number) is not int or not 0 <= number <= LARGEST for number in numbers):
        raise pickle.UnpicklingError(f"a tensor of shape {shape}, stride {stride} from {first}")
    last = first + sum((n - 1) * step for n, step in zip(shape, stride, strict=True))
    if 0 not in shape and last >= storage.held:
        raise pickle.UnpicklingError(
            f"a tensor needs element {last:,} of a storage with {storage.held:,} elements"
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
    """Return a lazy tensor for torch's newer form, which also stores a postponed negation."""
    negated = isinstance(said, Mapping) and said.get("neg") is True
    return _tensor(storage, first, shape, stride, negated=negated)


def _parameter(tensor: Any, *_: Any) -> Any:
    """Return a parameter's tensor."""
    return tensor


# The functions that torch.save writes for tensors. Each use gets a new wrapper, so that a pickle
# that sets attributes on it changes nothing else.
REBUILDING: dict[str, Callable[..., Any]] = {
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor_v2,
    "torch._utils._rebuild_parameter": _parameter,
    "torch.serialization._get_layout": str,
}
# Types whose attributes can't be set.
PLAIN: dict[str, Any] = {"collections.OrderedDict": OrderedDict, "torch.Size": tuple}

# The pickle's names for storages, and the dtype of their elements.
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

# Functions and lowercase classes that only make values; their calls become shadows too.
MAKES_VALUES = re.compile(
    r"numpy\.|_codecs\.encode$|copyreg\.|copy_reg\.|datetime\.|collections\.|functools\.partial$"
    r"|torch\._(utils|tensor)\._rebuild_|torch\.device$|re\._compile$"
    r"|_?operator\.(itemgetter|attrgetter|methodcaller|getitem)$"  # getitem: of typing's generics
    r"|(builtins|__builtin__)\.(set|frozenset|list|dict|tuple|bytearray|bytes|str|complex|int"
    r"|float|bool|slice|x?range|object|type"
    r"|getattr)$"  # of shadows: Python 3.11.0 to 3.11.3 pickle enumerations this way
)
# Methods that pickles look up by getattr, and that only make values.
METHODS = (("zoneinfo.ZoneInfo", "_unpickle"),)
# The pickle of a union of types, int | None: a reduction by this one function, and no other.
REDUCING = ("functools.reduce", "_functools.reduce", "__builtin__.reduce", "builtins.reduce")
UNIONS = ("_operator.or_", "operator.or_")
# Modules whose classes act when they are called. Pickles of torch.save use the old names `commands`
# for subprocess and `__builtin__` for builtins.
ACTING = re.compile(
    r"(os|posix|nt|sys|subprocess|commands|multiprocessing|importlib|runpy|code|shutil|socket|pty"
    r"|ctypes|builtins|__builtin__|threading|asyncio|concurrent|urllib|http|webbrowser|pickle)\b"
)


class Shadow:
    """Stands for an object of an unknown class.

    ``name`` is the full name of the class or function; ``state`` holds the object's attributes,
    ``given`` the arguments of the call that made it.
    """

    name = ""
    state: Any = None
    given: tuple[Any, ...] = ()

    def __new__(cls, *given: Any, **_: Any) -> "Shadow":
        """Return a shadow; raise `ConversionError` for a function or a class that acts."""
        called = cls.name.rpartition(".")[2]
        makes = MAKES_VALUES.match(cls.name) or called.lstrip("_")[:1].isupper()
        by = getattr(given[0], "name", None) if given else None
        makes = makes or (cls.name in REDUCING and by in UNIONS)
        acts = ACTING.match(cls.name) and not MAKES_VALUES.match(cls.name)
        if not makes or (acts and cls.name not in REDUCING):
            raise _refusal(cls.name)
        return super().__new__(cls)

    def __init__(self, *given: Any, **_: Any) -> None:
        """Keep the arguments: of getattr they name a method."""
        self.given = given

    def __call__(self, *_: Any, **__: Any) -> "Shadow":
        """Refuse the call of a result, such as a method, unless the method only makes a value."""
        method = tuple(getattr(one, "name", one) for one in self.given)
        if self.name.endswith(".getattr") and method in METHODS:
            return self
        raise _refusal(f"the result of {self.name}")

    def __setstate__(self, state: Any) -> None:
        """Store what would have become attributes."""
        self.state = state

    def _nothing(self, *_: Any) -> None:
        """Ignore items: many classes derive from lists, sets or dictionaries."""

    append = extend = add = __setitem__ = _nothing


def _refusal(called: str) -> ConversionError:
    return ConversionError(
        f"refused: the file's pickle calls {called} when it is loaded. Nothing was run. If you "
        "trust the file, save its state dict alone with the program that made it"
    )


class Unpickler(pickle.Unpickler):
    """Loads a pickle with the allowed names only; ``shadows`` collects all other classes."""

    def __init__(self, file: BinaryIO, shadows: dict[str, type[Shadow]], **options: Any) -> None:
        super().__init__(file, **options)
        self.file = file
        self.shadows = shadows

    def load(self) -> Any:
        """Return the content, after `opcodes.check`."""
        opcodes.check(self.file)
        return super().load()

    def find_class(self, module: str, name: str) -> Any:
        """Return the safe stand-in for a name."""
        full = f"{module}.{name}"
        if full in PLAIN:
            return PLAIN[full]
        if module == "torch" and name in ITEM_BYTES:  # a dtype
            return full
        if rebuild := self.rebuilding(full):
            return rebuild
        return self.shadows.setdefault(full, type(name, (Shadow,), {"name": full}))

    def rebuilding(self, full: str) -> Any:
        """Return the function that rebuilds a tensor, or the dtype of a storage; else None."""
        raise NotImplementedError


class ArchiveUnpickler(Unpickler):
    """Loads the pickle of an archive, whose storages are entries, without reading the tensors."""

    def __init__(
        self, path: Path, entries: Mapping[str, formats.Entry], shadows: dict[str, type[Shadow]]
    ) -> None:
        self.archive = path.open("rb")
        self.entries = entries
        if "byteorder" in entries and self._content("byteorder") == b"big":
            raise ConversionError(
                "the file comes from a big-endian machine; save it on a little-endian one"
            )
        super().__init__(BytesIO(self._content("data.pkl")), shadows, encoding="utf-8")

    def _content(self, name: str) -> bytes:
        if name not in self.entries:
            raise pickle.UnpicklingError(f"the archive has no {name}")
        offset, size = self.entries[name]
        self.archive.seek(offset)
        return self.archive.read(size)

    def rebuilding(self, full: str) -> Any:
        """Return the function that makes a lazy tensor, or the dtype of a storage; else None."""
        if full in REBUILDING:
            return functools.partial(REBUILDING[full])
        return STORAGES.get(full)

    def persistent_load(self, saved: Any) -> Storage:
        """Return a storage, which must fill its whole entry."""
        match saved:
            case ("storage", str(dtype), str(key), str(), int(held)) if dtype in ITEM_BYTES:
                size = self.entries.get(f"data/{key}", formats.Entry(0, 0))
                if held * ITEM_BYTES[dtype] != size.size:
                    raise pickle.UnpicklingError(
                        f"storage {key} has {held * ITEM_BYTES[dtype]:,} bytes, but its entry has "
                        f"{size.size:,}"
                    )
                return Storage(self.archive, size.offset, dtype, held)
        raise pickle.UnpicklingError("a storage is not an entry of the archive")


def load(path: Path) -> tuple[Any, list[str]]:
    """Return a PyTorch file's content, and the names of the classes that became shadows.

    Nothing in the file is run; tensors of a zip archive stay on disk until they are read. Raises
    `ConversionError`, which does not name the file, if the file would run code, is damaged, or was
    not written by `torch.save`.
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
            said = "loading needs more memory than this machine has"
        raise ConversionError(
            f"not a readable PyTorch checkpoint ({path.stat().st_size:,} bytes; truncated or "
            f"damaged?): {said}"
        ) from error
    return contents, sorted(shadows)


def _load_before_zip(path: Path, shadows: dict[str, type[Shadow]]) -> Any:
    """Return the content of a file of torch before 1.6, read by torch with our unpickler."""
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
