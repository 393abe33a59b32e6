"""What is in this file?  Opens any container of a state dict without running anything in it.

The authors' scripts save ``{"model": state dict, "optimizer", "epoch", "scaler", "args"}``;
DeepSpeed writes a folder, with the state dict under ``module``. Tensors stay on disk until read.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from videomae import containers, magic, unpickling
from videomae.errors import ConversionError, about, listing, one_line
from videomae.unpickling import Shadow

# The key beside the state dict that marks weights made by a rule (see `synthetic`).
SYNTHETIC = "synthetic"

# Where training programs say how far they were, and what they keep to go on with.
PROGRESS = ("epoch", "global_step", "global_steps", "step", "iter")
OPTIMIZERS = ("optimizer", "optimizer_states")


@dataclass(frozen=True)
class Checkpoint:
    """An opened checkpoint; the tensors are memory-mapped, float32 or narrower.

    ``tensors`` have the authors' names, whatever they are called in the file (``renamed`` is one).
    ``others`` are further state dicts that `weights` could choose, ``left_behind`` all other keys,
    ``shadows`` the classes in the pickle that are not known here and were not loaded. ``progress``
    is what the file says of epochs and steps, ``optimizer_bytes`` the size of its optimizer.
    """

    container: str
    tensors: dict[str, Tensor]
    args: dict[str, Any]
    left_behind: tuple[str, ...]
    synthetic: str | None = None
    others: tuple[str, ...] = ()
    renamed: tuple[str, str] | None = None
    shadows: tuple[str, ...] = ()
    progress: Mapping[str, int | float | str] = field(default_factory=dict)
    optimizer_bytes: int = 0

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Every tensor's shape by name."""
        return {name: tuple(tensor.shape) for name, tensor in self.tensors.items()}

    def describe(self) -> list[str]:
        """Say what was opened, a line each."""
        said = [f"state dict: {self.container}, {len(self.tensors)} tensors"]
        if self.others:
            said.append(f"not taken: {', '.join(self.others)} (weights: NAME takes another one)")
        if self.renamed:
            said.append(f"names: {self.renamed[0]} became {self.renamed[1]}, the others alike")
        said.append(f"left behind: {listing(self.left_behind, most=100) or 'nothing'}")
        if self.shadows:
            said.append(f"classes that were not loaded: {listing(self.shadows, most=100)}")
        return [one_line(line, most=20_000) for line in said]


def open_checkpoint(path: str | os.PathLike[str], weights: str | None = None) -> Checkpoint:
    """Open a file with a state dict, or a DeepSpeed folder; its tensors are not read yet.

    ``weights`` chooses among several state dicts, such as ``model_ema``. Raises `ConversionError`
    for a file that is no checkpoint, is cut short, would run something, or has no state dict.
    """
    opened, faults = look_into(path, weights)
    if faults:
        raise ConversionError(f"{path}: {listing(faults, most=3)}")
    return opened


def look_into(
    path: str | os.PathLike[str], weights: str | None = None
) -> tuple[Checkpoint, list[str]]:
    """Open a file as `open_checkpoint` does, but only tell which entries are no weights."""
    path = Path(path)
    with about(path):
        contents, shadows = load(magic.located(path))
        container, state, others = containers.choose(contents, weights)
        faults = {name: said for name, value in state.items() if (said := _fault(name, value))}
        sound = {name: value for name, value in state.items() if name not in faults}
        names = containers.authors_names(sound)
        taken = contents if contents is state else (container, *others)
        synthetic = contents.get(SYNTHETIC)
        if not isinstance(synthetic, str | None):
            raise ConversionError(
                f"{SYNTHETIC} marks weights made by a rule, and must be text that says so, not a "
                f"{containers.class_name(synthetic)}"
            )
        beside = {str(key): value for key, value in contents.items() if key not in taken}
        args = contents.get("args", {})
        args = args.state if isinstance(args, Shadow) else args
        opened = Checkpoint(
            container,
            # torch may leave the sign of a tensor to whoever reads it; not all do.
            {names[name]: tensor.resolve_neg() for name, tensor in sound.items()},
            dict(args) if isinstance(args, Mapping) else {},
            tuple(beside),
            one_line(synthetic) if synthetic else None,
            tuple(others),
            next(((name, short) for name, short in names.items() if name != short), None),
            tuple(shadows),
            {key: _plain(beside[key]) for key in PROGRESS if beside.get(key) is not None},
            tensor_bytes([beside.get(key) for key in OPTIMIZERS]),
        )
    return opened, list(faults.values())


def _plain(value: Any) -> int | float | str:
    known = isinstance(value, int | float | str)
    return value if known else f"(a {containers.class_name(value)})"


def tensor_bytes(value: Any) -> int:
    """Add up the sizes of the tensors in containers of containers, each once; shadows are empty."""
    waiting, seen, total = [value], set(), 0
    while waiting:
        held = waiting.pop()
        if id(held) in seen:  # a pickle may hold a list in itself
            continue
        seen.add(id(held))
        if isinstance(held, Tensor):
            total += held.nbytes
        elif isinstance(held, Mapping):
            waiting += held.values()
        elif isinstance(held, list | tuple):
            waiting += held
    return total


def load(path: Path) -> tuple[Any, list[str]]:
    """Load what a file holds, and name the classes left out; the errors do not name the file."""
    if fault := magic.fault(path):
        raise ConversionError(fault)
    if not magic.is_safetensors(path):
        return unpickling.load(path)
    try:
        return load_file(path), []
    except (SafetensorError, OSError) as error:
        raise ConversionError(f"can't be read as safetensors (cut short?): {error}") from error


def checked(name: Any, tensor: Any) -> Tensor:
    """Give an entry of a state dict back; refuse what is no tensor of floats up to 32 bits."""
    if fault := _fault(name, tensor):
        raise ConversionError(fault)
    return cast(Tensor, tensor)


def _fault(name: Any, tensor: Any) -> str | None:
    """Say what is wrong with an entry of a state dict; None if nothing is."""
    if not isinstance(name, str) or not isinstance(tensor, Tensor):
        return f"{name!r} in the state dict is no tensor"
    if tensor.dtype not in (torch.float32, torch.float16, torch.bfloat16):
        return f"tensor {name} is {tensor.dtype}, not a float up to 32 bits"
    held = tensor.untyped_storage().nbytes() // tensor.itemsize
    if tensor.numel() > held:
        return (
            f"tensor {name} has shape {list(tensor.shape)}, but the file holds {held:,} values of "
            f"it; save it with .clone()"
        )
    return None


def widen(tensor: Tensor) -> Tensor:
    """Give a tensor in float32, which holds every float16 and bfloat16 value exactly."""
    return tensor.to(torch.float32).contiguous()


def stored(tensors: Mapping[str, Tensor], dtype: str) -> dict[str, Tensor]:
    """Give tensors as a folder of this dtype holds them: the nearest values that it has.

    Raises `ConversionError` for weights that it has no finite value for.
    """
    rounded = {name: widen(t).to(getattr(torch, dtype)) for name, t in tensors.items()}
    if dtype != "float32":
        check_finite(rounded)
    return rounded


def check_finite(tensors: Mapping[str, Tensor]) -> None:
    """Refuse weights that are not finite, naming the tensors."""
    named = [f"{name} ({count} values)" for name, count in not_finite(tensors).items()]
    if named:
        raise ConversionError(f"weights are not finite: NaN or infinite in {listing(named)}")


def not_finite(tensors: Mapping[str, Tensor]) -> dict[str, int]:
    """Count the NaN and infinite values of each tensor that has any.

    One of them makes the norm so too, which is found 20 times as fast as looking at each value.
    Where the squares of finite values overflow it, the values themselves decide.
    """
    suspects = {n: t for n, t in tensors.items() if not torch.linalg.vector_norm(t).isfinite()}
    counts = {name: int((~torch.isfinite(tensor)).sum()) for name, tensor in suspects.items()}
    return {name: count for name, count in counts.items() if count}
