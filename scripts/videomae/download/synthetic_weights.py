"""How are synthetic weights made?  The authors' networks with weights that anyone can regenerate.

The rules are those by which the authors' own code was run to record `rehearsal/config.yaml`'s
outputs: a converted model that gives these logits computes the authors' function.
"""

import argparse
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch

from videomae.checkpoint.reader import SYNTHETIC
from videomae.download.synthetic_recipes import recipe
from videomae.files import saving
from videomae.model.architecture import factory, tensor_shapes

NOTICE = "synthetic weights, never trained"


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


def save(name: str, path: Path) -> None:
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
            model=factory(made.architecture) or "none of the authors'",
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
    with saving(path, RuntimeError):
        torch.save(contents | {SYNTHETIC: f"{name}: {NOTICE}"}, path)
