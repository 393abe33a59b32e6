"""The networks that the authors published: their sizes and the names of their factories."""

import re
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True)
class Network:
    """The sizes of a published network: its encoder and its pre-training decoder."""

    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    decoder_hidden_size: int
    decoder_num_hidden_layers: int
    decoder_num_attention_heads: int
    patch_size: int = 16
    tubelet_size: int = 2
    num_channels: int = 3
    num_frames: int = 16
    image_size: int = 224


# Source: the authors' model factories (MCG-NJU/VideoMAE at 14ef8d8; giant: OpenGVLab/VideoMAEv2).
NETWORKS = {
    "small": Network(384, 12, 6, 1536, 192, 4, 3),
    "base": Network(768, 12, 12, 3072, 384, 4, 6),
    "large": Network(1024, 24, 16, 4096, 512, 12, 8),
    "huge": Network(1280, 32, 16, 5120, 640, 12, 8),
    "giant": Network(1408, 40, 16, 6144, 512, 4, 8, patch_size=14),
}

# The authors give every LayerNorm this eps (modeling_finetune.py, modeling_pretrain.py).
LAYER_NORM_EPS = 1e-6

TUNED, PRETRAINED = "vit", "pretrain_videomae"  # prefixes of the factories' names, by kind

FACTORY = re.compile(rf"({TUNED}|{PRETRAINED})_({'|'.join(NETWORKS)})_patch(\d+)_(\d+)")


class Factory(NamedTuple):
    """The parts of a factory's name: kind, size, patch size and image size."""

    name: str
    pretraining: bool
    size: str
    patch_size: int
    image_size: int

    @property
    def network(self) -> Network:
        """The authors' network of that size."""
        return NETWORKS[self.size]


def factory_of(name: str) -> Factory | None:
    """Return the parts of a factory's name; None for any other name."""
    match = FACTORY.fullmatch(name)
    if match is None:
        return None
    start, size, patch, image = match.groups()
    return Factory(name, start == PRETRAINED, size, int(patch), int(image))
