"""The synthetic checkpoints: the networks of the authors' zoo, and two tiny ones for tests."""

import math
from dataclasses import dataclass
from typing import Any

from videomae.errors import ConversionError
from videomae.model.architecture import Architecture, Kind, tensor_shapes
from videomae.model.networks import NETWORKS, Network

# Two networks small enough for tests, as the authors' classes build them.
TINY = Network(48, 2, 3, 192, 24, 1, 3, num_frames=4, image_size=32)


@dataclass(frozen=True)
class Recipe:
    """A synthetic checkpoint's network and number of classes (None for pre-training)."""

    network: Network
    num_labels: int | None = None

    @property
    def architecture(self) -> Architecture:
        """The network under VideoMAEConfig's names."""
        kind: Kind = "pretraining" if self.num_labels is None else "classifier"
        config: dict[str, Any] = {
            **vars(self.network),
            "decoder_intermediate_size": 4 * self.network.decoder_hidden_size,
            "use_mean_pooling": kind == "classifier",
            "qv_bias": True,
        }
        return Architecture(kind, config, dict.fromkeys(config, "recipe"), self.num_labels)


def _recipe(size: str, num_labels: int | None = None) -> Recipe:
    return Recipe(NETWORKS[size], num_labels)


RECIPES = {
    "videomae-small-finetuned-kinetics": _recipe("small", 400),
    "videomae-small-finetuned-ssv2": _recipe("small", 174),
    "videomae-base-short": _recipe("base"),
    "videomae-base-short-finetuned-kinetics": _recipe("base", 400),
    "videomae-base": _recipe("base"),
    "videomae-base-finetuned-kinetics": _recipe("base", 400),
    "videomae-large": _recipe("large"),
    "videomae-large-finetuned-kinetics": _recipe("large", 400),
    "videomae-huge-finetuned-kinetics": _recipe("huge", 400),
    "videomae-base-short-ssv2": _recipe("base"),
    "videomae-base-short-finetuned-ssv2": _recipe("base", 174),
    "videomae-base-ssv2": _recipe("base"),
    "videomae-base-finetuned-ssv2": _recipe("base", 174),
    "videomae-small": _recipe("small"),
    "videomae-small-ssv2": _recipe("small"),
    "videomae-huge": _recipe("huge"),
    "videomae-base-ucf101": _recipe("base"),
    "videomae-base-finetuned-ucf101": _recipe("base", 101),
    "videomae2-small-distilled-k710": _recipe("small", 710),
    "videomae2-base-distilled-k710": _recipe("base", 710),
    "tiny-finetuned": Recipe(TINY, 7),
    "tiny-pretraining": Recipe(TINY),
}


def recipe(name: str) -> Recipe:
    """Look a recipe up; raises `ConversionError` with the names that exist."""
    if name not in RECIPES:
        raise ConversionError(f"synthetic:{name} is unknown; choose from {', '.join(RECIPES)}")
    return RECIPES[name]


def weights_bytes(name: str) -> int:
    """Return the size of a synthetic checkpoint's float32 weights, in bytes."""
    shapes = tensor_shapes(recipe(name).architecture).values()
    return 4 * sum(math.prod(shape) for shape in shapes)
