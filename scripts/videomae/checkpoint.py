"""What is in this ``.pth``?  Opens the authors' containers without running anything in them.

The authors' scripts save ``{"model": state dict, "optimizer", "epoch", "scaler", "args"}``;
DeepSpeed saves the state dict under ``module``. Tensors stay on disk until they are read.
"""

import argparse
import os
import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.dtypes
import torch
from numpy._core.multiarray import scalar
from torch import Tensor

from videomae import magic
from videomae.errors import ConversionError, about, listing

CONTAINERS = ("model", "module")

# The key beside the state dict that marks weights made by a rule (see `synthetic`).
SYNTHETIC = "synthetic"

# Objects that the authors' files hold beside tensors, none of which can do anything: the run's
# options, and NumPy scalars in the optimizer, under NumPy 1's module name and NumPy 2's.
HARMLESS: list[Any] = [
    argparse.Namespace,
    (scalar, "numpy.core.multiarray.scalar"),
    (scalar, "numpy._core.multiarray.scalar"),
    np.dtype,
    np.dtypes.Float64DType,
]


@dataclass(frozen=True)
class Checkpoint:
    """An opened checkpoint; the tensors are memory-mapped, float32 or narrower."""

    container: str
    tensors: dict[str, Tensor]
    args: dict[str, Any]
    left_behind: tuple[str, ...]
    synthetic: str | None = None

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Every tensor's shape by name."""
        return {name: tuple(tensor.shape) for name, tensor in self.tensors.items()}


def open_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Open a checkpoint by the authors' scripts or DeepSpeed; its tensors are not read yet.

    Raises `ConversionError` for a file that is no PyTorch checkpoint, is cut short, holds objects
    that are not known to be harmless, or has no state dict where the authors put theirs.
    """
    path = Path(path)
    with about(path):
        return _open(load(path))


def _open(contents: Any) -> Checkpoint:
    keys = list(contents) if isinstance(contents, Mapping) else [type(contents).__name__]
    container = next((name for name in CONTAINERS if name in keys), None)
    if container is None:
        raise ConversionError(
            f"no state dict under {' or '.join(CONTAINERS)}; "
            f"the file's top-level keys are {listing(map(str, keys), most=12)}"
        )
    state = contents[container]
    if not isinstance(state, Mapping) or not state:
        raise ConversionError(f"{container} is no state dict but {type(state).__name__}")
    args = contents.get("args", {})
    return Checkpoint(
        container,
        {name: checked(name, tensor) for name, tensor in state.items()},
        vars(args) if isinstance(args, argparse.Namespace) else dict(args or {}),
        tuple(key for key in keys if key != container),
        contents.get(SYNTHETIC),
    )


def load(path: Path) -> Any:
    """Load what a PyTorch file holds, running nothing in it; the errors do not name the file."""
    if fault := magic.fault(path):
        raise ConversionError(fault)
    try:
        with torch.serialization.safe_globals(HARMLESS):
            return torch.load(
                path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path)
            )
    except pickle.UnpicklingError as error:
        reason = next(
            (line for line in str(error).splitlines() if "nsupported" in line), str(error)
        )
        raise ConversionError(
            "refused, since it holds more than tensors and known harmless objects: "
            f"{reason.strip()}"
        ) from error
    except (RuntimeError, EOFError, ValueError, KeyError) as error:
        raise ConversionError(
            f"can't be read as a PyTorch checkpoint ({path.stat().st_size:,} bytes; "
            f"cut short or damaged?): {str(error).splitlines()[0]}"
        ) from error


def checked(name: Any, tensor: Any) -> Tensor:
    """Give an entry of a state dict back; refuse what is no tensor of floats up to 32 bits."""
    if not isinstance(name, str) or not isinstance(tensor, Tensor):
        raise ConversionError(f"{name!r} in the state dict is no tensor")
    if tensor.dtype not in (torch.float32, torch.float16, torch.bfloat16):
        raise ConversionError(f"tensor {name} is {tensor.dtype}, not a float up to 32 bits")
    return tensor


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
    broken = {name: int((~torch.isfinite(tensor)).sum()) for name, tensor in tensors.items()}
    named = [f"{name} ({count} values)" for name, count in broken.items() if count]
    if named:
        raise ConversionError(f"weights are not finite: NaN or infinite in {listing(named)}")
