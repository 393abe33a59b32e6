"""How are rehearsal weights made?  The authors' networks with weights that anyone can regenerate.

The rules are those by which the authors' own code was run to record `rehearsal/config.yaml`'s
outputs: a converted rehearsal model that gives these logits computes the authors' function.
"""

import argparse
import math
import os
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from videomae.architecture import NETWORKS, Architecture, Kind, Network, tensor_shapes
from videomae.errors import ConversionError

MARK = "synthetic"
NOTICE = "rehearsal weights: made by a rule, never trained"

# Two networks small enough for tests, as the authors' classes build them.
TINY = Network(48, 2, 3, 192, 24, 1, 3, num_frames=4, image_size=32)


@dataclass(frozen=True)
class Recipe:
    """What a synthetic checkpoint is: the network, and its classes (None for pre-training)."""

    network: Network
    num_labels: int | None = None
    factory: str = "none of the authors'"

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
    start = "pretrain_videomae" if num_labels is None else "vit"
    return Recipe(NETWORKS[size], num_labels, f"{start}_{size}_patch16_224")


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
        raise ConversionError(f"synthetic:{name} is unknown; there are {', '.join(RECIPES)}")
    return RECIPES[name]


def weights_bytes(name: str) -> int:
    """Tell how large the float32 weights of a synthetic checkpoint are, in bytes."""
    shapes = tensor_shapes(recipe(name).architecture).values()
    return 4 * sum(math.prod(shape) for shape in shapes)


def tensor(variant: str, name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """Make one tensor: normal values seeded by its name, scaled by what kind of tensor it is."""
    seed = zlib.crc32(f"{variant}/{name}".encode())
    values = np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)
    if len(shape) > 1:
        values *= np.float32(0.04)
    elif name.endswith(".weight"):
        values *= np.float32(0.1)
        values += np.float32(1)
    else:
        values *= np.float32(0.3)
    return torch.from_numpy(values)


def state_dict(name: str) -> dict[str, torch.Tensor]:
    """Make the state dict of a synthetic checkpoint, by the authors' tensor names."""
    shapes = tensor_shapes(recipe(name).architecture)
    return {key: tensor(name, key, shape) for key, shape in shapes.items()}


def save(name: str, path: str | os.PathLike[str]) -> None:
    """Write a synthetic checkpoint in the container that the authors' scripts use for its kind.

    Pre-training is saved by their ``utils.save_model``, with the options of the run as a
    Namespace; fine-tuning runs under DeepSpeed, which saves ``module`` and no options. The extra
    key ``synthetic`` marks the weights wherever the file goes.
    """
    made = recipe(name)
    network = made.network
    # The schedule of their scripts leaves NumPy scalars in the optimizer's groups.
    optimizer = {
        "state": {},
        "param_groups": [{"lr": np.float64(1.5e-4), "lr_scale": 1.0, "params": []}],
    }
    contents: dict[str, Any]
    if made.architecture.kind == "pretraining":
        args = argparse.Namespace(
            model=made.factory,
            decoder_depth=network.decoder_num_hidden_layers,
            mask_type="tube",
            mask_ratio=0.9,
            input_size=network.image_size,
            num_frames=network.num_frames,
            normlize_target=True,
        )
        contents = {
            "model": state_dict(name),
            "optimizer": optimizer,
            "epoch": 799,
            "scaler": {"scale": 65536.0, "growth_interval": 2000},
            "args": args,
        }
    else:
        contents = {
            "module": state_dict(name),
            "buffer_names": [],
            "optimizer": optimizer,
            "global_steps": 0,
            "dp_world_size": 64,
            "ds_version": "0.5.8",
        }
    torch.save(contents | {MARK: f"{name}: {NOTICE}"}, path)
