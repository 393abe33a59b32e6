"""Reads the .npz file with outputs of the user's own training code.

Such a file holds ``pixels`` as the network took them, what it gave for them, the ``mask`` of
pre-training, and optionally intermediate steps by the authors' module names. Whatever else is in it
is an error: nothing is ignored and nothing guessed.
"""

import math
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor

from videomae.errors import ConversionError, about, listing
from videomae.files import sha256
from videomae.model.architecture import Architecture, tokens
from videomae.verify.training_outputs.names import OUTPUTS, Place, known_names, places

MOST_CLIPS = 32
MOST_BYTES = 2 * 2**30  # of all arrays together, as they are held in memory

HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


@dataclass(frozen=True)
class Header:
    """An array's shape and type, as the file says before it is read."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


@dataclass(frozen=True)
class TruthFile:
    """The content of one file.

    ``pixels`` are (clips, frames, channels, height, width), ``mask`` (clips, tokens), True where a
    token is hidden. ``arrays`` are outputs and steps by name, in the order of computing; one that
    has another shape than the network's step has no tensor, but its shape is in ``shapes``.
    """

    path: Path
    sha256: str
    pixels: Tensor
    mask: Tensor | None
    arrays: Mapping[str, Tensor | None]
    shapes: Mapping[str, tuple[int, ...]]
    places: Mapping[str, Place]
    outputs: tuple[str, ...]

    @property
    def clips(self) -> int:
        """The number of clips."""
        return len(self.pixels)

    def inputs(self, clip: int, device: torch.device) -> tuple[Tensor, Tensor | None]:
        """Return one clip's pixels and mask, on a device."""
        mask = None if self.mask is None else self.mask[clip : clip + 1].to(device)
        return self.pixels[clip : clip + 1].to(device), mask

    def output(self, name: str, clip: int) -> Tensor:
        """Return what was recorded for one clip under the name of an output."""
        values = self.arrays[name]
        assert values is not None  # `read` refuses an output of another shape
        return values[clip : clip + 1]


def read(path: Path, architecture: Architecture) -> TruthFile:
    """Return a file's content for a network; raises `ConversionError` if it can't be compared."""
    with about(path):
        if not path.is_file():
            raise ConversionError("no such file; write it with numpy.savez")
        try:
            with zipfile.ZipFile(path) as archive:
                return _read(path, archive, architecture)
        except ConversionError:
            raise
        except Exception as error:  # zipfile, zlib and numpy raise many kinds for a broken file
            raise ConversionError(f"not an .npz file, or a truncated one: {error}") from error


def _read(path: Path, archive: zipfile.ZipFile, architecture: Architecture) -> TruthFile:
    headers = dict(_headers(archive))
    names = known_names(headers, architecture)
    for needed in ("pixels", *(["mask"] if architecture.kind == "pretraining" else [])):
        if needed not in names:
            raise ConversionError(f"the file lacks array {needed!r}; it has {listing(names)}")
    outputs = tuple(name for name in OUTPUTS[architecture.kind] if name in names)
    if not outputs:
        raise ConversionError(
            f"the file has no outputs of a network of kind {architecture.kind} "
            f"({', '.join(OUTPUTS[architecture.kind])}); it has {listing(names)}"
        )
    held = sum(math.prod(one.shape) * one.dtype.itemsize for one in headers.values())
    if held > MOST_BYTES:
        raise ConversionError(
            f"the arrays take {held / 2**30:.1f} GiB (limit {MOST_BYTES / 2**30:.0f}); save "
            "fewer clips or steps"
        )
    frames_first = _layout(headers[names["pixels"]], architecture)
    clips = headers[names["pixels"]].shape[0]
    mask = _mask(archive, names["mask"], headers, clips, architecture) if "mask" in names else None
    pixels = _floats(archive, names["pixels"], headers, (4,))
    if (pixels.flatten(1).amax(1) == pixels.flatten(1).amin(1)).all():
        raise ConversionError("all pixels of a clip are equal, which hides faults; use a real clip")
    known = places(architecture, 0 if mask is None else int(mask[0].sum()))
    arrays: dict[str, Tensor | None] = {}
    for name in (name for name in known if name in names):
        shape = headers[names[name]].shape
        alone = name.endswith("pos_embed") and shape == (1, *known[name].shape)
        if shape == (clips, *known[name].shape) or alone:
            arrays[name] = _floats(archive, names[name], headers, (4, 8))
        else:
            arrays[name] = None
    for name in outputs:
        found, wanted = headers[names[name]].shape, (clips, *known[name].shape)
        if (values := arrays[name]) is None:
            raise ConversionError(_wrong_output(name, found, wanted, mask))
        if not values.any():
            raise ConversionError(
                f"{name} are all 0, as with an untrained head; use trained weights"
            )
    return TruthFile(
        path,
        sha256(path),
        pixels if frames_first else pixels.transpose(1, 2),
        mask,
        arrays,
        {name: headers[names[name]].shape for name in arrays},
        known,
        outputs,
    )


def _headers(archive: zipfile.ZipFile) -> Iterator[tuple[str, Header]]:
    """Yield the header of each array; raises `ConversionError` before a bad array is read."""
    entries = archive.infolist()
    twice = [
        name for name, number in Counter(one.filename for one in entries).items() if number > 1
    ]
    if twice:
        raise ConversionError(f"the file has {listing(twice)} more than once")
    for entry in entries:
        name = entry.filename.removesuffix(".npy")
        if name == entry.filename:
            raise ConversionError(f"{listing([name])} is not an array of numpy.savez")
        with archive.open(entry) as file:
            shape, _, dtype = _header(file, name)
            start = file.tell()
        if dtype.kind not in "fbiu":
            raise ConversionError(f"{name} has dtype {dtype}, which is not a number")
        if entry.file_size != start + math.prod(shape) * dtype.itemsize:
            raise ConversionError(
                f"{name} should hold {list(shape)} values of {dtype}, but has "
                f"{entry.file_size - start} bytes"
            )
        yield name, Header(shape, dtype)


def _header(file: IO[bytes], name: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    if version not in HEADERS:
        raise ConversionError(f"{name} is in a NumPy format for other data than plain numbers")
    shape, by_columns, dtype = HEADERS[version](file)
    return shape, by_columns, dtype


def _layout(header: Header, architecture: Architecture) -> bool:
    """Return whether frames come before channels; raises `ConversionError` for other shapes."""
    config, origin = architecture.config, architecture.origin
    frames, size, channels = (config[name] for name in ("num_frames", "image_size", "num_channels"))
    of_authors, of_transformers = (channels, frames, size, size), (frames, channels, size, size)
    found = header.shape
    if found[1:] not in (of_authors, of_transformers):
        raise ConversionError(
            f"pixels have shape {list(found)}, but this network takes (clips, "
            f"{', '.join(map(str, of_authors))}) or, as in transformers, (clips, "
            f"{', '.join(map(str, of_transformers))}): num_frames is {frames} "
            f"({origin['num_frames']}), image_size {size} ({origin['image_size']})"
        )
    if of_authors == of_transformers:
        raise ConversionError(
            f"with {frames} frames and {channels} channels the layout of pixels is unclear, so "
            "they can't be compared"
        )
    if not 1 <= found[0] <= MOST_CLIPS:
        raise ConversionError(f"pixels have {found[0]} clips; save 1 to {MOST_CLIPS} of the batch")
    return found[1:] == of_transformers


def _array(archive: zipfile.ZipFile, name: str) -> np.ndarray[Any, Any]:
    with archive.open(f"{name}.npy") as file:
        return np.asarray(np.lib.format.read_array(file, allow_pickle=False))


def _floats(
    archive: zipfile.ZipFile, name: str, headers: Mapping[str, Header], sizes: tuple[int, ...]
) -> Tensor:
    """Return an array of finite floating-point numbers of one of the sizes in bytes."""
    dtype = headers[name].dtype
    if dtype.kind != "f" or dtype.itemsize not in sizes:
        wanted = " or ".join(f"float{8 * size}" for size in sizes)
        raise ConversionError(
            f"{name} has dtype {dtype}, not {wanted}; run the network in float32, without autocast"
        )
    array = _array(archive, name)
    if broken := int(array.size - np.isfinite(array).sum()):
        raise ConversionError(f"{name} has {broken} values that are NaN or infinite")
    return torch.from_numpy(array.astype(dtype.newbyteorder("="), order="C"))


def _mask(
    archive: zipfile.ZipFile,
    name: str,
    headers: Mapping[str, Header],
    clips: int,
    architecture: Architecture,
) -> Tensor:
    """Return the mask (clips, tokens): True where hidden, equally many in each clip."""
    found, wanted = headers[name].shape, (clips, tokens(architecture.config))
    if found != wanted:
        raise ConversionError(
            f"mask has shape {list(found)}, but should have (clips, tokens): {list(wanted)}"
        )
    array = _array(archive, name)
    if not ((array == 0) | (array == 1)).all():
        raise ConversionError("mask has other values than True and False, or 1 and 0")
    mask = torch.from_numpy(array.astype(bool))
    hidden = sorted(set(mask.sum(1).tolist()))
    if len(hidden) > 1 or not 0 < hidden[0] < mask.shape[1]:
        raise ConversionError(
            f"mask hides {listing(map(str, hidden))} of {mask.shape[1]} tokens; it must hide "
            "some, not all, and equally many in each clip"
        )
    return mask


def _wrong_output(
    name: str, found: tuple[int, ...], wanted: tuple[int, ...], mask: Tensor | None
) -> str:
    message = f"{name} have shape {list(found)}, but this network gives {list(wanted)}"
    if mask is not None and found[1:2] == (int((~mask[0]).sum()),) != wanted[1:2]:
        return f"{message}; True in the mask means hidden, so the mask may be inverted"
    if len(found) == len(wanted) == 3 and found[1] < wanted[1]:
        return f"{message}; a network that selects tokens is not a VideoMAE"
    return message
