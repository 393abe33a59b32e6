"""How a network's training normalised the pixels of frames, under an image processor's names."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from videomae.errors import ConversionError
from videomae.model import imagenet

NAMES = ("image_mean", "image_std", "do_rescale")  # of an image processor's config


@dataclass(frozen=True)
class Pixels:
    """The mean and standard deviation of each channel (R, G, B).

    They are of values in 0..1 with ``rescale``, else in 0..255.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    rescale: bool = True

    def __str__(self) -> str:
        """Return the values as reports have them."""
        if self == IMAGENET:
            return "ImageNet's mean and standard deviation"
        mean, std = (", ".join(map(str, values)) for values in (self.mean, self.std))
        return f"mean {mean}, standard deviation {std}, of values in 0..{self.largest}"

    @property
    def largest(self) -> int:
        """The value of a white pixel before it is normalised."""
        return 1 if self.rescale else 255

    @property
    def level(self) -> float:
        """One grey level, normalised, in the channel where that is most."""
        return self.largest / 255 / min(self.std)


IMAGENET = Pixels(imagenet.MEAN, imagenet.STD)


def of(config: Mapping[str, Any]) -> Pixels:
    """Return the pixels by a processor's names; ImageNet's where a config has none."""
    mean, std = config.get("image_mean"), config.get("image_std")
    if mean is None or std is None:
        return IMAGENET
    return Pixels(tuple(mean), tuple(std), config.get("do_rescale", True))


def check(config: Mapping[str, Any], kind: str) -> None:
    """Raise `ConversionError` for values that can't normalise pixels, or not of such a network."""
    given = [name for name in NAMES if name in config]
    if given and len({"image_mean", "image_std"} & set(given)) < 2:
        raise ConversionError(f"{given[0]} alone says too little; give image_mean and image_std")
    pixels = of(config)
    for name, values, least in (("image_mean", pixels.mean, 0), ("image_std", pixels.std, 1e-3)):
        lowest, highest = least * pixels.largest, pixels.largest
        for value in values:
            if not lowest <= value <= highest:  # so that a NaN is refused
                remedy = (
                    "divide it by 255, or give do_rescale: false, for values in 0..255"
                    if pixels.rescale
                    else "multiply it by 255, or leave do_rescale out, for values in 0..1"
                )
                raise ConversionError(
                    f"{name} has {value:g}, which is not between {lowest:g} and {highest}; {remedy}"
                )
    if kind == "pretraining" and pixels != IMAGENET:
        raise ConversionError(
            f"pixels are normalised by {pixels}, but transformers' loss of pre-training needs "
            "ImageNet's mean and standard deviation; part: encoder converts the encoder alone"
        )
