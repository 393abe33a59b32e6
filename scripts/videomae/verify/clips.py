"""Makes and loads clips and masks, and normalises clips as the authors do."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from videomae.checkpoint import containers, lazy_tensor, reader
from videomae.errors import ConversionError, about
from videomae.model.architecture import tokens
from videomae.model.pixels import Pixels

Clip = np.ndarray[Any, np.dtype[np.uint8]]  # (frames, height, width, channels)


def synthetic_clip(num_frames: int, image_size: int) -> Clip:
    """Make a clip that anyone can regenerate: uint8, (frames, height, width, 3), square."""
    return synthetic_frames(num_frames, image_size, image_size)


def synthetic_frames(number: int, height: int, width: int) -> Clip:
    """Make frames of any shape by the same formula."""
    t, y, x, c = np.ogrid[:number, :height, :width, :3]
    return np.asarray((3 * x + 5 * y + 7 * t * (c + 1) + (x * y) // 16) % 256, dtype=np.uint8)


# What a proof runs on: the usual clip, and inputs made from it on which faults show that it hides:
# so little contrast that the norms' eps and the biases weigh more, and black and white at random.
PROVING: dict[str, Callable[[Clip], Clip]] = {
    "usual": lambda clip: clip,
    "nearly constant": lambda clip: np.asarray(127 + clip % 2, dtype=np.uint8),
    "black and white": lambda clip: np.asarray(255 * (clip // 3 % 2), dtype=np.uint8),
}
PROVING_TUBELETS, PROVING_PATCHES = 2, 4  # at most so many, and so many a side


def proving(config: Mapping[str, Any]) -> list[Clip]:
    """Make the clips of a proof, smaller than the model's, so that it takes a fraction of the time.

    All weights take part on any number of tokens, and fewer tokens have the same leading positions.
    """
    frames = min(config["num_frames"], PROVING_TUBELETS * config["tubelet_size"])
    size = min(config["image_size"], PROVING_PATCHES * config["patch_size"])
    usual = synthetic_clip(frames, size)
    return [make(usual) for make in PROVING.values()]


def tube_mask(config: Mapping[str, Any], ratio: float) -> Tensor:
    """Make a tube mask that anyone can regenerate: (1, tokens), True where a token is hidden.

    The same patches are hidden in every tubelet, ``int(ratio * patches)`` of them.
    """
    patches = (config["image_size"] // config["patch_size"]) ** 2
    frame = np.zeros(patches, dtype=bool)
    frame[np.random.default_rng(1).permutation(patches)[: int(ratio * patches)]] = True
    return torch.from_numpy(np.tile(frame, tokens(config) // patches)).unsqueeze(0)


def normalise(
    clip: Clip, mean: Sequence[float], std: Sequence[float], rescale: bool = True
) -> Tensor:
    """Turn a uint8 clip into pixels: (1, frames, channels, height, width), float32."""
    values = torch.from_numpy(clip).permute(0, 3, 1, 2).unsqueeze(0).float()
    return ((values / 255 if rescale else values) - _channels(mean)) / _channels(std)


def normalised(clip: Clip, pixels: Pixels) -> Tensor:
    """Turn a uint8 clip into a network's pixels, as `normalise` does."""
    return normalise(clip, pixels.mean, pixels.std, pixels.rescale)


def denormalise(pixels: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Turn pixels back into values in 0..1, as far as float32 does; the reverse of `normalise`."""
    return pixels * _channels(std) + _channels(mean)


def _channels(values: Sequence[float]) -> Tensor:
    return torch.tensor(values).view(1, 1, -1, 1, 1)


def load_clip(path: str | os.PathLike[str]) -> Clip:
    """Load a clip, an ``.npy`` of (frames, height, width, channels) in uint8."""
    try:
        clip = np.load(path, allow_pickle=False)
    except Exception as error:  # numpy raises many kinds for a file that is not its own
        raise ConversionError(f"{path} is not a readable .npy file: {error}") from error
    if not isinstance(clip, np.ndarray):
        raise ConversionError(f"{path} has several arrays; save the clip alone with numpy.save")
    if clip.ndim != 4 or clip.dtype != np.uint8:
        raise ConversionError(
            f"{path}: a clip must be uint8 of shape (frames, height, width, channels), "
            f"not {clip.dtype} of shape {list(clip.shape)}"
        )
    return np.asarray(clip)


def load_mask(path: str | os.PathLike[str]) -> Tensor:
    """Load a mask saved by torch: (1, tokens), True where a token is hidden."""
    with about(path):
        entry, _ = reader.load(Path(path))
        if not lazy_tensor.is_tensor(entry):
            raise ConversionError(
                f"the file must hold one tensor, the mask, not {containers.class_name(entry)}"
            )
        if entry.numel() > lazy_tensor.held(entry):
            raise ConversionError(f"the mask has shape {list(entry.shape)}, but values are missing")
        mask = lazy_tensor.read(entry)
        if not torch.equal(mask, mask.bool().to(mask.dtype)):
            raise ConversionError("the mask has other values than True and False, or 1 and 0")
    return mask.bool().reshape(1, -1)
