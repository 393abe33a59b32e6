"""Makes views of a video's frames, by the authors' preprocessing or by transformers'.

A way says which frames it wants, what to do with each as it comes, and how views are cut of them.
"""

from collections.abc import Mapping
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from videomae.convert import model_folder
from videomae.errors import ConversionError
from videomae.files import sha256
from videomae.score import protocols, views
from videomae.score.views import Cut, Frame


class Way(Protocol):
    """What every way can do; ``depends_on`` is what its pixels follow from."""

    @property
    def depends_on(self) -> Mapping[str, Any]:
        """What must be the same for logits to be."""

    def wanted(self, total: int) -> list[int]:
        """Which frames of so many it takes."""

    def change(self, frame: Frame) -> Frame:
        """What a frame becomes as soon as it is there."""

    def cut(self, total: int, frames: Mapping[int, Frame]) -> Cut:
        """The views of a video of so many frames."""


class Authors:
    """All clips and crops of a protocol, resized by OpenCV, pixels not normalised yet."""

    def __init__(self, protocol: protocols.Protocol) -> None:
        self.protocol = protocol

    @property
    def depends_on(self) -> Mapping[str, Any]:
        """All of the protocol but its name."""
        of = {name: value for name, value in vars(self.protocol).items() if name != "name"}
        return {"protocol": of}

    def wanted(self, total: int) -> list[int]:
        """The frames of all clips, which of a long video are few of those loaded."""
        return sorted(set(chain(*views.clips(self.protocol, total))))

    def change(self, frame: Frame) -> Frame:
        """Resize."""
        return views.resize(frame, self.protocol.short_side)

    def cut(self, total: int, frames: Mapping[int, Frame]) -> Cut:
        """Crop; the pixels are uint8."""
        return views.cut(self.protocol, total, frames)


class Transformers:
    """One view as users of transformers make it: the middle clip through the folder's processor."""

    def __init__(self, protocol: protocols.Protocol, model: Path) -> None:
        self.protocol, self.model = protocol, model
        if not (model / model_folder.PROCESSOR).is_file():
            raise ConversionError(
                f"{model} has no {model_folder.PROCESSOR}, so its own preprocessing is unknown"
            )

    @property
    def depends_on(self) -> Mapping[str, Any]:
        """The frames' choice, and the processor."""
        of = {
            name: getattr(self.protocol, name) for name in ("sampling", "clips", "rate", "frames")
        }
        return {"clip": of, "processor": sha256(self.model / model_folder.PROCESSOR)}

    def wanted(self, total: int) -> list[int]:
        """The frames of the middle one of the protocol's clips."""
        return views.clips(self.protocol, total)[middle(self.protocol.clips)]

    def change(self, frame: Frame) -> Frame:
        """Leave it as it is."""
        return frame

    def cut(self, total: int, frames: Mapping[int, Frame]) -> Cut:
        """Return float32 pixels that the processor has resized, cropped and normalised."""
        clip = [frames[number] for number in self.wanted(total)]
        pixels = self._processor(clip, return_tensors="np")["pixel_values"]
        return Cut(np.asarray(pixels, dtype=np.float32), [0])

    @cached_property
    def _processor(self) -> Any:
        import transformers

        try:
            auto = transformers.AutoImageProcessor
            return auto.from_pretrained(self.model, trust_remote_code=False)
        except Exception as error:  # whatever a broken processor raises, it is not usable
            raise ConversionError(f"{self.model}: the processor does not load: {error}") from error


def middle(number: int) -> int:
    """Which of so many is in the middle; of an even number the one before it."""
    return (number - 1) // 2
