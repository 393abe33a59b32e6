"""What may a pickle make?  Tensors and plain containers; of all else only an idle shadow.

A ``.pth`` is a pickle, which may have any class or function of the machine called. Here a name
never leads to what it names: tensors are rebuilt by the few functions below, every other class
becomes a `Shadow` that keeps what it was given, and the call of a function is refused by its name.
"""

import functools
import pickle
import re
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO

import torch
from torch import _utils
from torch.serialization import _get_layout

from videomae import magic, opcodes
from videomae.errors import ConversionError, one_line

# What torch.save writes for tensors. Each is handed out anew and alone, so that a pickle which sets
# attributes on it changes nothing that anyone else uses.
REBUILDING: dict[str, Any] = {
    "torch._utils._rebuild_tensor": _utils._rebuild_tensor,
    "torch._utils._rebuild_tensor_v2": _utils._rebuild_tensor_v2,
    "torch._utils._rebuild_parameter": _utils._rebuild_parameter,
    "torch.serialization._get_layout": _get_layout,
}
# Types without attributes that could be set.
PLAIN: dict[str, Any] = {
    "collections.OrderedDict": OrderedDict,
    "torch.Size": torch.Size,
    "torch.device": torch.device,
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

    shadows: dict[str, type[Shadow]]
    sizes: dict[str, int] | None  # of an archive's entries

    def __init__(self, file: BinaryIO, **options: Any) -> None:
        super().__init__(file, **options)
        self.file = file

    def load(self) -> Any:
        """Load, unless that would take more than the pickle's size says."""
        opcodes.check(self.file)
        if self.sizes is not None and hasattr(self, "persistent_load"):
            load = functools.partial(self._storage, self.persistent_load)
            self.persistent_load = load  # type: ignore[method-assign]  # as torch set its own
        return super().load()

    def _storage(self, load: Callable[[Any], Any], saved: Any) -> Any:
        """Load a storage that is its whole entry: torch would go on reading in the next one."""
        storage = load(saved)
        size = (self.sizes or {}).get(f"data/{saved[2]}")
        held = storage._untyped_storage.nbytes()
        if held != size:
            raise pickle.UnpicklingError(
                f"storage {saved[2]} has {held:,} bytes, its entry {size or 0:,}"
            )
        return storage

    def find_class(self, module: str, name: str) -> Any:
        """Give what a name may stand for."""
        full = f"{module}.{name}"
        if full in REBUILDING:
            return functools.partial(REBUILDING[full])
        if full in PLAIN:
            return PLAIN[full]
        if module == "torch" and isinstance(dtype := getattr(torch, name, None), torch.dtype):
            return dtype
        return self.shadows.setdefault(full, type(name, (Shadow,), {"name": full}))


def _pickle_module(shadows: dict[str, type[Shadow]], sizes: dict[str, int] | None) -> Any:
    """Make what `torch.load` needs of a pickle module, with our unpickler in it."""
    unpickler = type("Unpickler", (Unpickler,), {"shadows": shadows, "sizes": sizes})

    def load(file: BinaryIO, **options: Any) -> Any:  # before the zip format, a file holds several
        return unpickler(file, **options).load()

    return SimpleNamespace(__name__=__name__, Unpickler=unpickler, load=load)


def load(path: Path) -> tuple[Any, list[str]]:
    """Load what a PyTorch file holds, running nothing; also the names of classes left as shadows.

    Tensors of a zip stay on disk until they are read. Raises `ConversionError`, which does not name
    the file, where it would run something, is damaged, or is no state that `torch.save` wrote.
    """
    sizes = magic.entries(path)
    zipped = sizes is not None
    shadows: dict[str, type[Shadow]] = {}
    try:
        # torch.load would run such a program's own code. Its reader, so that both see the same.
        if zipped and "constants.pkl" in torch._C.PyTorchFileReader(str(path)).get_all_records():
            raise ConversionError(magic.TORCHSCRIPT)
        contents = torch.load(
            path,
            map_location="cpu",
            weights_only=False,
            mmap=zipped,
            pickle_module=_pickle_module(shadows, sizes),
        )
    except (ConversionError, OSError):
        raise
    except Exception as error:  # a damaged pickle can fail in any way
        # torch adds what to do about its own zip reader, which is not at fault.
        said = str(error).partition(". This is an internal")[0]
        said = one_line(" ".join(said.split()) or type(error).__name__, most=300)
        if isinstance(error, MemoryError):
            said = "it asks for more memory than there is"
        raise ConversionError(
            f"can't be read as a PyTorch checkpoint ({path.stat().st_size:,} bytes; "
            f"cut short or damaged?): {said}"
        ) from error
    return contents, sorted(shadows)
