"""Checks the pixels of a folder's processor for frames of many shapes.

What is expected is made by Pillow and NumPy alone: the shorter side becomes the model's size
(bilinear, smoothed), the centre is cut out, and pixels are normalised as in training.
"""

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import transformers
from PIL import Image
from torch import Tensor

from videomae.errors import listing
from videomae.model.pixels import IMAGENET, Pixels
from videomae.model.pixels import of as pixels_of
from videomae.verify import clips
from videomae.verify.checks import allowed_contents
from videomae.verify.comparison import PIXEL_TOLERANCE, difference, worst
from videomae.verify.report import Check, at_most

# Frames by their shapes: height and width in parts of the model's size, and pixels to add, so that
# some sides are odd.
SHAPES: dict[str, tuple[float, int, float, int]] = {
    "of the model's size": (1, 0, 1, 0),
    "landscape": (1.1, 0, 1.5, 1),
    "portrait": (1.6, 0, 1.2, 1),
    "small": (0.4, 1, 0.6, 0),
    "small, with one side larger": (0.7, 0, 1.4, 1),
    "large": (3, 0, 4, 0),
    "odd": (1, 3, 2, -5),
    "a pixel too large": (1, 1, 1, 0),
}
FRAMES = 2  # of each shape; each frame is processed by itself

# Of a grey level after normalising: torchvision rounds some resized pixels to the
# other side of where Pillow does, at most 1.5 % of those of any shape here (torchvision 0.28, sizes
# 64 and 224). Where it is absent, pixels are Pillow's own.
LEVELS = 1.01
MOST_ROUNDED = 0.05  # of all pixels
TORCHVISION = find_spec("torchvision") is not None


Refusals = dict[str, str] | None


def frames(shape: str, size: int) -> clips.Clip:
    """Make frames of one of the `SHAPES` for a model of this size: (frames, height, width, 3)."""
    high, more_high, wide, more_wide = SHAPES[shape]
    height, width = int(high * size) + more_high, int(wide * size) + more_wide
    return clips.synthetic_frames(FRAMES, height, width)


def expected_pixels(clip: clips.Clip, size: int, usual: Pixels = IMAGENET) -> Tensor:
    """Make the pixels that users should get: (1, frames, 3, size, size), float32."""
    height, width = clip.shape[1:3]
    short = min(height, width)
    high, wide = (size * side // short for side in (height, width))
    top, left = (high - size) // 2, (wide - size) // 2
    resized = [
        np.asarray(Image.fromarray(frame).resize((wide, high), Image.Resampling.BILINEAR))
        for frame in clip
    ]
    cut = np.stack(resized)[:, top : top + size, left : left + size]
    return clips.normalised(np.ascontiguousarray(cut), usual)


def processors(
    folder: Path, names: tuple[str, ...] = ("AutoImageProcessor",), refusals: Refusals = None
) -> list[Any]:
    """Load what users' code loads; with torchvision that is the video processor too.

    ``names`` are classes for images, of which the first that loads is taken; why others did not
    goes into ``refusals``. Raises whatever transformers raises for the last of them.
    """
    loaded: list[Any] = []
    for name in names:
        try:
            kind = getattr(transformers, name)
            loaded.append(kind.from_pretrained(folder, trust_remote_code=False))
            break
        except Exception as error:  # no such class, a library missing, a broken config
            if refusals is not None:
                refusals[name] = " ".join(str(error).split())
            if name == names[-1]:
                raise
    if TORCHVISION and hasattr(transformers, "AutoVideoProcessor"):
        auto = transformers.AutoVideoProcessor
        loaded.append(auto.from_pretrained(folder, trust_remote_code=False))
    return loaded


def pixels(processor: Any, clip: clips.Clip) -> Tensor:
    """Have a processor make pixels of a clip."""
    made: Tensor = processor(list(clip), return_tensors="pt")["pixel_values"]
    return made


def checks(processor: Any, expected: Mapping[str, Any], name: str) -> Iterator[Check]:
    """Compare a loaded processor with the config that it should have, and its pixels."""
    if name.startswith("video"):  # whose class has a key of its own
        expected = {key: value for key, value in expected.items() if key != "image_processor_type"}
    defaults = type(processor)().to_dict()
    wrong = allowed_contents.loaded_faults(processor.to_dict(), expected, defaults)
    yield Check(f"loaded {name}", not wrong, message=listing(wrong))
    usual = pixels_of(expected)
    yield from pixel_checks(processor, expected["crop_size"]["height"], name, usual)


def pixel_checks(processor: Any, size: int, name: str, usual: Pixels = IMAGENET) -> Iterator[Check]:
    """Compare a processor's pixels of all shapes of frames with the expected ones."""
    differences, rounded = {}, {}
    for shape in SHAPES:
        clip = frames(shape, size)
        found, expected = pixels(processor, clip), expected_pixels(clip, size, usual)
        differences[shape] = difference(found, expected)
        rounded[shape] = _share(found, expected)
    own = next(iter(SHAPES))  # which nothing resizes
    yield at_most(f"{name} pixels", differences.pop(own), PIXEL_TOLERANCE)
    limit = LEVELS * usual.level if TORCHVISION else PIXEL_TOLERANCE
    shape = worst(differences)
    message = f"{_described(shape, size)} differ by {differences[shape]:.3g} (limit {limit:.3g})"
    yield at_most(f"{name} pixels, other sizes", differences[shape], limit, message)
    if TORCHVISION:
        shape = worst(rounded)
        message = f"{rounded[shape]:.1%} of {_described(shape, size)} differ"
        yield at_most(f"{name} pixels, rounded", rounded[shape], MOST_ROUNDED, message)


def _share(found: Tensor, expected: Tensor) -> float:
    """Return the share of pixels that differ by more than rounding in float32."""
    if found.shape != expected.shape:
        return 1.0
    return (~((found - expected).abs() <= PIXEL_TOLERANCE)).float().mean().item()


def _described(shape: str, size: int) -> str:
    height, width = frames(shape, size).shape[1:3]
    return f"pixels of {shape} frames ({height}x{width})"
