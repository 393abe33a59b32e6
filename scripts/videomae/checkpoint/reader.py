"""Opens any file with a state dict without running code from it.

The authors' scripts save ``{"model": state dict, "optimizer", "epoch", "scaler", "args"}``;
DeepSpeed writes a folder, with the state dict under ``module``. Tensors stay on disk until read.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from videomae.checkpoint import (
    containers,
    formats,
    lazy_tensor,
    projections,
    repository,
    safetensors_file,
    tensor_names,
    training_args,
    unpickler,
)
from videomae.checkpoint.lazy_tensor import Entry, Values
from videomae.checkpoint.selection import Selection
from videomae.errors import ConversionError, about, listing, one_line

# Allowed dtypes of weights: floats up to 32 bits.
FLOATS = ("float32", "float16", "bfloat16")

# The key beside the state dict that marks synthetic weights (see `synthetic_weights`).
SYNTHETIC = "synthetic"

# Keys by which training programs store their progress and their optimizers.
PROGRESS = ("epoch", "global_step", "global_steps", "step", "iter")
OPTIMIZERS = ("optimizer", "optimizer_states")

EVERYTHING = Selection()


@dataclass(frozen=True)
class Checkpoint:
    """An opened checkpoint; its tensors are float32 or narrower and stay on disk until read.

    ``entries`` have the authors' names; ``renamed`` is one (name in the file, authors' name).
    ``others`` are further state dicts that `weights` could choose, ``left_behind`` all other keys,
    ``shadows`` the unknown classes in the pickle, which were not loaded. ``progress`` holds epochs
    and steps, ``optimizer_bytes`` the size of the optimizer. ``left_out`` lists the entries of the
    state dict that do not belong to the network, or to the requested part of it.
    """

    container: str
    entries: dict[str, Entry]
    args: dict[str, Any]
    left_behind: tuple[str, ...]
    synthetic: str | None = None
    others: tuple[str, ...] = ()
    renamed: tuple[str, str] | None = None
    shadows: tuple[str, ...] = ()
    progress: Mapping[str, int | float | str] = field(default_factory=dict)
    optimizer_bytes: int = 0
    left_out: tuple[str, ...] = ()

    @property
    def tensors(self) -> Values:
        """The tensors by name, read on access."""
        return Values(self.entries)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every tensor by name."""
        return {name: tuple(entry.shape) for name, entry in self.entries.items()}

    def describe(self) -> list[str]:
        """Return lines that describe the file's content."""
        said = [f"state dict: {self.container}, {len(self.entries)} tensors"]
        if self.others:
            said.append(f"other state dicts: {', '.join(self.others)} (choose one by `weights`)")
        if self.renamed:
            said.append(f"renamed: {self.renamed[0]} became {self.renamed[1]}, others likewise")
        said.append(f"left behind: {listing(self.left_behind, most=100) or 'nothing'}")
        if self.left_out:
            said.append(f"no part of the network: {listing(self.left_out, most=100)}")
        if self.shadows:
            said.append(f"classes that were not loaded: {listing(self.shadows, most=100)}")
        return [one_line(line, most=20_000) for line in said]


def open_checkpoint(path: str | os.PathLike[str], selection: Selection = EVERYTHING) -> Checkpoint:
    """Return the checkpoint in a file or folder; its tensors are not read yet.

    Raises `ConversionError` for a file that is no checkpoint, is truncated, would run code, or has
    no state dict.
    """
    opened, faults = look_into(path, selection)
    if faults:
        raise ConversionError(f"{path}: {listing(faults, most=3)}")
    return opened


def look_into(
    path: str | os.PathLike[str], selection: Selection = EVERYTHING
) -> tuple[Checkpoint, list[str]]:
    """Return the checkpoint like `open_checkpoint`, and a fault for each bad entry."""
    path = Path(path)
    with about(path):
        contents, shadows = load(formats.located(path))
        container, state, others = containers.choose(contents, selection.weights)
        taken = contents if contents is state else (container, *others)
        state, left_out = selection.split(state)
        faults = {name: said for name, value in state.items() if (said := _fault(name, value))}
        sound = {name: value for name, value in state.items() if name not in faults}
        names = tensor_names.authors_names(sound)
        synthetic = contents.get(SYNTHETIC)
        if not isinstance(synthetic, str | None):
            raise ConversionError(
                f"the key {SYNTHETIC} marks synthetic weights and must be text, not a "
                f"{containers.class_name(synthetic)}"
            )
        beside = {str(key): value for key, value in contents.items() if key not in taken}
        args = training_args.find(contents)
        if args is None:
            faults["args"] = (
                f"args is a {containers.class_name(contents['args'])}, but must be a dict of "
                "training options; save the file with a dict, or without args"
            )
        options = training_args.with_implied(
            args or training_args.Options({}), tensor_names.implied(sound), tensor_names.IMPLIED_BY
        )
        opened = Checkpoint(
            container,
            projections.joined({names[name]: entry for name, entry in sound.items()}),
            options,
            tuple(beside),
            one_line(synthetic) if synthetic else None,
            tuple(others),
            next(((name, short) for name, short in names.items() if name != short), None),
            tuple(shadows),
            {key: _plain(beside[key]) for key in PROGRESS if beside.get(key) is not None},
            tensor_bytes([beside.get(key) for key in OPTIMIZERS]),
            tuple(left_out),
        )
    return opened, list(faults.values())


def _plain(value: Any) -> int | float | str:
    known = isinstance(value, int | float | str)
    return value if known else f"(a {containers.class_name(value)})"


def tensor_bytes(value: Any) -> int:
    """Return the total size of the tensors in nested containers, each tensor once."""
    waiting, seen, total = [value], set(), 0
    while waiting:
        held = waiting.pop()
        if id(held) in seen:  # a list in a pickle may contain itself
            continue
        seen.add(id(held))
        if lazy_tensor.is_tensor(held):
            total += held.nbytes
        elif isinstance(held, Mapping):
            waiting += held.values()
        elif isinstance(held, list | tuple):
            waiting += held
    return total


def load(path: Path) -> tuple[Any, list[str]]:
    """Return a file's content and the classes that were not loaded; errors don't name the file."""
    if path.is_dir():
        return _of_repository(path), []
    if fault := formats.fault(path):
        raise ConversionError(fault)
    return (_of_safetensors(path), []) if formats.is_safetensors(path) else unpickler.load(path)


def _of_repository(folder: Path) -> dict[str, Any]:
    """Return what a packed repository holds, of its files: see `_of_safetensors`."""
    state: dict[str, Entry] = {}
    for file in repository.weight_files(folder):
        for name, entry in safetensors_file.entries(file).items():
            if name in state:
                raise ConversionError(f"tensor {name} is in two files of {folder}")
            state[name] = entry
    if absent := [name for name in repository.weight_map(folder) if name not in state]:
        raise ConversionError(
            f"{folder}: {repository.INDEX} names {len(absent)} tensors that its files lack: "
            f"{listing(absent)}; download the files again"
        )
    config = (folder / repository.CONFIG).read_bytes()
    return _with_config(state, config)


def _of_safetensors(path: Path) -> dict[str, Any]:
    """Return a file's tensors; of a packed repository in its container, beside its config."""
    state = safetensors_file.entries(path)
    config = safetensors_file.metadata(path).get(repository.CONFIG)
    return dict(state) if config is None else _with_config(state, config)


def _with_config(state: Mapping[str, Entry], config: bytes | str) -> dict[str, Any]:
    with about(repository.CONFIG):
        return {repository.WEIGHTS: state, repository.CONFIG: repository.parse(config)}


def checked(name: Any, value: Any) -> Entry:
    """Return the entry if it is a tensor of floats up to 32 bits; else raise `ConversionError`."""
    if (fault := _fault(name, value)) or not lazy_tensor.is_tensor(value):
        raise ConversionError(fault or "")
    return value


def _fault(name: Any, value: Any) -> str | None:
    """Return what is wrong with an entry of a state dict; None if nothing is."""
    if not isinstance(name, str) or not lazy_tensor.is_tensor(value):
        return f"entry {name!r} of the state dict is not a tensor"
    if (dtype := lazy_tensor.dtype(value)) not in FLOATS:
        return f"tensor {name} is torch.{dtype}, not a float up to 32 bits"
    if value.numel() > (held := lazy_tensor.held(value)):
        return (
            f"tensor {name} has shape {list(value.shape)}, but the file has only {held:,} of its "
            f"values; save it with .clone()"
        )
    return None


def cast(entries: Mapping[str, Entry], dtype: str) -> dict[str, Entry]:
    """Return tensors in the dtype of a folder, rounded to nearest."""
    return {name: lazy_tensor.cast(entry, dtype) for name, entry in entries.items()}


def check_finite(entries: Mapping[str, Entry]) -> None:
    """Raise `ConversionError` with the names of the tensors that are not finite."""
    named = [f"{name} ({count} values)" for name, count in not_finite(entries).items()]
    if named:
        raise ConversionError(f"weights are not finite: NaN or infinite values in {listing(named)}")


def not_finite(entries: Mapping[str, Entry]) -> dict[str, int]:
    """Return the number of NaN and infinite values of each tensor that has any."""
    suspects = {
        name: entry for name, entry in entries.items() if not safetensors_file.finite(entry)
    }
    return {
        name: int((~lazy_tensor.read(entry).isfinite()).sum()) for name, entry in suspects.items()
    }
